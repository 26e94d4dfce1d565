"""A database of the history: made, brought up to date, and left alone where it is not ours.

Whatever its file is, nothing is raised when it is opened or read: it is as good as empty then, and
one sentence says why. Only a change that cannot be written is an error.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from typing import TYPE_CHECKING, Final, TypeVar

from comfywatchman import garbage, room, sqlite_file, state_files
from comfywatchman.history.error import DamagedError, HistoryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from sqlite3 import Connection

T = TypeVar("T")

WAIT: Final = 10.0
"""Seconds to wait for somebody else who has it open."""
_CHECK_EVERY: Final = 10
"""Cycles from one check of the whole file to the next."""
_DAMAGE: Final = (DamagedError, sqlite_file.DamagedError)
_ODD: Final = (ValueError, TypeError, LookupError, ArithmeticError, RecursionError)
"""What comes of content that is damaged, or that another release has written."""


class Database:
    """One file. To be used by one thread at a time.

    Attributes:
        trouble: why it cannot be used, or not written; None if all is well.

    Args:
        file: made when it is opened to be written.
        application: ``PRAGMA application_id``, by which it is known to be ours.
        migrations: what brings it from each version to the next, the first from nothing.
        notes: takes a sentence for each thing that a person should be told.
        readonly: whether it is only looked at: nothing is made, moved or brought up to date.
    """

    def __init__(
        self,
        file: Path,
        application: int,
        migrations: Sequence[Callable[[Connection], None]],
        notes: list[str],
        *,
        readonly: bool,
    ) -> None:
        self.file = file
        self.trouble: str | None = None
        self._application = application
        self._migrations = migrations
        self._notes = notes
        self._readonly = readonly
        self._writable = not readonly
        self._connection: Connection | None = None
        self._unread: str | None = None
        self._begun_anew = False
        try:
            self._open()
        except OSError as error:
            self._give_up(f"cannot be used: {_why(error, file)}")
        except _DAMAGE:
            self._damaged()

    def read(self, question: Callable[[Connection], T], otherwise: T) -> T:
        """What the database answers to a question; ``otherwise`` if it cannot be asked."""
        if self._connection is None:
            return otherwise
        try:
            with sqlite_file.told(), garbage.not_looked_for():
                return question(self._connection)
        except OSError as error:
            self._give_up(f"cannot be read: {_why(error, self.file)}")
        except _DAMAGE:
            self._damaged()
        except _ODD as error:
            self._told_if_whole(error)
        return otherwise

    def write(self, change: Callable[[Connection], None]) -> None:
        """Make a change as a whole. A database that turns out to be damaged is begun anew for it.

        Raises:
            HistoryError: it could not be written, and is as it was.
        """
        for _ in range(2):
            if self._connection is None or not self._writable:
                break
            try:
                with sqlite_file.told(), transaction(self._connection):
                    change(self._connection)
            except OSError as error:
                raise HistoryError(self._unwritten(error)) from None
            except _DAMAGE:
                self._damaged()
            except _ODD as error:
                if told := self._told_if_whole(error):
                    raise HistoryError(told) from None
            else:
                return
        raise HistoryError(self.trouble or f"{self.file} could not be written")

    def check(self, count: int) -> None:
        """Look at the whole file, at each tenth cycle: one that is damaged is set aside."""
        if count % _CHECK_EVERY == _CHECK_EVERY - 1:
            self.read(_quick_check, None)

    def close(self) -> None:
        """Close it."""
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _open(self) -> None:
        if self._readonly and not os.path.lexists(self.file):
            return
        if not self._readonly:
            sqlite_file.make(self.file)
        header = sqlite_file.header(self.file)
        if header is not None and header.application != self._application:
            self._give_up("is a database of another program, and was left alone")
            return
        if header is None and self._readonly:
            return
        newest = len(self._migrations)
        newer = header is not None and header.version > newest
        if newer:
            self._writable = False
        with sqlite_file.told():
            # The nodes of a cycle run in threads, one after the other.
            self._connection = sqlite3.connect(
                self.file, WAIT, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA trusted_schema = OFF")
            self._connection.execute("PRAGMA cell_size_check = ON")
            if self._writable:
                self._connection.execute("PRAGMA journal_mode = TRUNCATE")
                self._connection.execute("PRAGMA synchronous = FULL")
                version = self._migrated(self._connection)
            else:
                # Not mode=ro: what a process that was killed had begun could not be taken back.
                self._connection.execute("PRAGMA query_only = ON")
                (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version > newest:
            self.trouble = (
                f"{self.file} was written by a newer ComfyWatchman (schema {version}, this one "
                f"knows {newest}): it is read, and nothing is added to it"
            )
            self._notes.append(self.trouble)
        elif version < newest:
            self._give_up("is of an older ComfyWatchman; the next cycle brings it up to date")

    def _migrated(self, connection: Connection) -> int:
        """Bring it up to date, and say which version it is now."""
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        if 0 < version < len(self._migrations):
            self._copy(connection, version)
        for number, migrate in enumerate(self._migrations[version:], start=version + 1):
            with transaction(connection):
                (version,) = connection.execute("PRAGMA user_version").fetchone()
                if version < number:  # else another process has done it meanwhile
                    migrate(connection)
                    connection.execute(f"PRAGMA application_id = {self._application}")
                    connection.execute(f"PRAGMA user_version = {number}")
                    version = number
        return int(version)

    def _copy(self, connection: Connection, version: int) -> None:
        """Keep it as it is before it is brought up to date."""
        copy = self.file.with_name(f"{self.file.name}{state_files.BEFORE}{version}")
        part = copy.with_name(f".{copy.name}.{os.getpid()}{state_files.PART}")
        part.unlink(missing_ok=True)
        sqlite_file.make(part)
        with contextlib.closing(sqlite3.connect(part, WAIT)) as target:
            target.execute("PRAGMA journal_mode = OFF")
            connection.backup(target)
        part.replace(copy)

    def _damaged(self) -> None:
        """Set it aside and begin anew, unless it is only looked at."""
        self.close()
        if not self._writable:
            self._give_up("is damaged")
            return
        aside = sqlite_file.set_aside(self.file)
        if aside is None:
            self._give_up("is damaged, and could not be moved out of the way")
            return
        self._notes.append(f"{self.file} is damaged, is now {aside}, and was begun anew")
        self._begun_anew = True
        try:
            self._open()
        except (OSError, *_DAMAGE) as error:
            self._give_up(f"cannot be begun anew: {error}")

    def _told_if_whole(self, error: Exception) -> str | None:
        """Say that what is there cannot be read; None if it is damaged, and was set aside."""
        if self._unread is None:
            self.read(_quick_check, None)
            if self._connection is None or self._begun_anew:
                return None
            what = type(error).__name__
            self._unread = f"{self.file} holds what this ComfyWatchman cannot read ({what})"
            self._notes.append(self._unread)
        return self._unread

    def _give_up(self, what: str) -> None:
        self.close()
        self._writable = False
        self.trouble = f"{self.file} {what}"
        self._notes.append(self.trouble)

    def _unwritten(self, error: OSError) -> str:
        remedy = room.remedy(error, self.file.parent)
        return (
            f"{self.file} could not be written: {_why(error, self.file)}"
            f"{f'; {remedy}' if remedy else ''}"
        )


@contextlib.contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """Write all or nothing of what is done within."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        raise


def _quick_check(connection: Connection) -> None:
    for (found,) in connection.execute("PRAGMA quick_check(1)"):
        if found != "ok":
            raise DamagedError(found)


def _why(error: OSError, file: Path) -> str:
    return room.why(error, file.parent)
