"""The SQLite database that workflows of the server are kept in.

Every method raises ``ValueError`` where the file is damaged, so that another one in its place would
do, and ``OSError`` where it cannot be used: no room, no right, a bad disk, somebody else's lock.

Imported where one is opened only: there are Pythons that were built without SQLite.
"""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from comfywatchman import sqlite_file
from comfywatchman.sqlite_file import told

if TYPE_CHECKING:
    from pathlib import Path

WAIT: Final = 5.0
"""Seconds to wait for somebody else who has it open."""
_SCHEMA: Final = 1
_TABLE: Final = """
CREATE TABLE workflow (
    place TEXT PRIMARY KEY,
    size INTEGER,
    modified TEXT,
    asked_at REAL NOT NULL,
    digest TEXT,
    content BLOB
)
"""


class Row(NamedTuple):
    """What is kept of one workflow, but for its content. Of a damaged database, anything at all.

    Attributes:
        place: server, user and path.
        size: as it was listed when it was sent; None if that cannot be relied on.
        modified: likewise its time of change.
        asked_at: when it was asked for, in seconds since 1970.
        digest: SHA-256 of what was sent, in hexadecimal; None if nothing was.
        room: bytes of the content; None if it is not kept.
    """

    place: Any
    size: Any
    modified: Any
    asked_at: Any
    digest: Any
    room: Any


class WorkflowDatabase:
    """The database. To be used by one thread at a time.

    Args:
        file: made if it is not there, for its owner alone.
    """

    def __init__(self, file: Path) -> None:
        with told():
            sqlite_file.make(file)
            # The nodes of a cycle run in threads, one after the other.
            self._database = sqlite3.connect(file, WAIT, check_same_thread=False)
        try:
            with told():
                self._prepare()
        except (OSError, ValueError):
            self._database.close()
            raise

    def rows(self) -> list[Row]:
        """What is kept."""
        query = "SELECT place, size, modified, asked_at, digest, length(content) FROM workflow"
        with told():
            return [Row(*found) for found in self._database.execute(query)]

    def content(self, place: str) -> object:
        """The content that is kept for a place; None if none is."""
        query = "SELECT content FROM workflow WHERE place = ?"
        with told():
            found = self._database.execute(query, (place,)).fetchone()
        return found[0] if found else None

    def put(
        self,
        place: str,
        version: tuple[int, str] | None,
        asked_at: float,
        digest: str | None,
        content: bytes | None,
    ) -> None:
        """Keep a workflow in place of what is kept for its place: see :class:`Row`."""
        row = (place, *(version or (None, None)), asked_at, digest, content)
        with told():
            self._database.execute("REPLACE INTO workflow VALUES (?, ?, ?, ?, ?, ?)", row)

    def remove(self, place: str) -> None:
        """Keep nothing for a place."""
        with told():
            self._database.execute("DELETE FROM workflow WHERE place = ?", (place,))

    def commit(self) -> None:
        """Have what was put and removed outlast this process."""
        with told():
            self._database.commit()

    def roll_back(self) -> None:
        """Forget what was put and removed since the last commit."""
        with contextlib.suppress(sqlite3.Error):
            self._database.rollback()

    def close(self) -> None:
        """Close it; what was not committed is lost."""
        self._database.close()

    def _prepare(self) -> None:
        (version,) = self._database.execute("PRAGMA user_version").fetchone()
        if version != _SCHEMA:
            self._database.execute("PRAGMA auto_vacuum = FULL")
            self._database.execute("DROP TABLE IF EXISTS workflow")
            self._database.execute(_TABLE)
            self._database.execute(f"PRAGMA user_version = {_SCHEMA}")
            self._database.commit()
