"""SQLite files of the state folder: opened safely, and what goes wrong with them told in one way.

Imported where one is opened only: there are Pythons that were built without SQLite.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import stat
from typing import TYPE_CHECKING, Final, NamedTuple

from comfywatchman import state

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JOURNAL: Final = "-journal"
"""Ends the name of the file that takes back what a process that was killed had begun."""
_MAGIC: Final = b"SQLite format 3\0"
_HEADER: Final = 100
_FLAGS: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


class DamagedError(ValueError):
    """A file holds what nobody has written so: another one in its place would do."""


class Header(NamedTuple):
    """What the first bytes of a database say: ``PRAGMA user_version`` and ``application_id``."""

    version: int
    application: int


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Have what SQLite raises told apart.

    Raises:
        OSError: the file cannot be used: no room (with its number), no right, a bad disk, somebody
            else's lock.
        DamagedError: it is damaged.
    """
    try:
        yield
    except sqlite3.Error as error:
        # An OperationalError is about the disk, the rights or a lock, but for text that is none and
        # tables that are not there.
        text = str(error)
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            raise OSError(errno.ENOSPC, text) from None
        if isinstance(error, sqlite3.OperationalError) and code != sqlite3.SQLITE_ERROR:
            raise OSError(errno.EIO, text) from None
        raise DamagedError(text) from None
    except UnicodeDecodeError:  # of what SQLite says, which quotes what is damaged
        raise DamagedError("it holds text that is none") from None


def make(file: Path) -> None:
    """Make the file for its owner alone, and refuse what SQLite would wait for or follow.

    Raises:
        OSError: it cannot be made or opened, or is no regular file.
    """
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | _FLAGS, 0o600)
    try:
        _refuse_others(descriptor)
        if owner := state.owner_besides_root(file.parent):
            os.fchown(descriptor, *owner)
    finally:
        os.close(descriptor)


def header(file: Path) -> Header | None:
    """Look at a database without SQLite, which might change it.

    Returns:
        What it says of itself; None if it is empty, or has never had a table.

    Raises:
        OSError: it cannot be read, or is no regular file.
        DamagedError: it is no database.
    """
    descriptor = os.open(file, os.O_RDONLY | _FLAGS)
    try:
        _refuse_others(descriptor)
        found = os.read(descriptor, _HEADER)
    finally:
        os.close(descriptor)
    if not found:
        return None
    if len(found) < _HEADER or not found.startswith(_MAGIC):
        raise DamagedError("is no database")
    # What was killed right after PRAGMA auto_vacuum has left but these bytes, which name nobody.
    changes, version, application = (
        int.from_bytes(found[at : at + 4], "big") for at in (40, 60, 68)
    )
    return Header(version, application) if changes or version or application else None


def set_aside(file: Path) -> str | None:
    """Move a damaged database out of the way, and remove its journal.

    Returns:
        What it is called now; None if it could not be moved.
    """
    aside = state.set_aside(file)
    with contextlib.suppress(OSError):
        file.with_name(f"{file.name}{JOURNAL}").unlink()
    return aside.name if aside else None


def _refuse_others(descriptor: int) -> None:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise OSError(errno.EINVAL, "is not a regular file")
