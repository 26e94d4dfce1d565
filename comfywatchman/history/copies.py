"""Saved workflows as they were: the bytes of each, kept from first sight, and its last versions.

They are people's work, so they lie in a file of their own, which outlasts the rest. Each content is
kept once, whatever it is called. Of a workflow that is there, its present version and the three
before are kept; of one that is gone, all of these for thirty days. Where there is no room, the
versions go that were replaced longest ago; what is there now never does for the sake of another.
"""

from __future__ import annotations

import hashlib
import zlib
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeVar

from comfywatchman.escape import NAME_LIMIT, visible
from comfywatchman.history import packing, retention
from comfywatchman.history.error import HistoryError
from comfywatchman.workflow import shrunk

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from pathlib import Path
    from sqlite3 import Connection

    from comfywatchman.history.database import Database
    from comfywatchman.results import WorkflowReport

T = TypeVar("T")

FORMER: Final = 3
"""Versions of a workflow that are kept beside the present one."""
GONE: Final = timedelta(days=30)
"""How long those of a workflow are kept that is gone."""
_APPLICATION: Final = 0x43577731  # CWw1
_LARGEST: Final = 2**30
_AT_ONCE: Final = 4 * 1024**2
"""Bytes of packed copies that wait in memory until they are written."""
_LEAST: Final = 32
"""How much smaller than a workflow its copy is at best."""
_TABLES: Final = """
CREATE TABLE content (
    digest BLOB PRIMARY KEY, length INTEGER NOT NULL, size INTEGER NOT NULL,
    nodes INTEGER NOT NULL, packed BLOB NOT NULL
) STRICT;
-- since: when it was first seen so, or came back; until: when it was something else, or gone.
CREATE TABLE seen (
    path BLOB NOT NULL, digest BLOB NOT NULL, since INTEGER NOT NULL, until INTEGER,
    PRIMARY KEY (path, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX seen_digest ON seen (digest);
CREATE INDEX seen_until ON seen (until);
"""


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a workflow.

    Attributes:
        digest: SHA-256 of its bytes in hexadecimal.
        seen: when it was first seen, or came back, UTC.
        length: bytes.
        present: whether it is what the workflow was when it was last seen.
    """

    digest: str
    seen: datetime
    length: int
    present: bool


class Copies:
    """The copies of one state folder. To be used by one thread at a time; opened when needed.

    Args:
        file: where they are kept.
        room: bytes that they may take, packed; 0 keeps none and leaves the file alone.
        notes: takes a sentence for each thing that a person should be told.
        readonly: look at what is there, whatever the room, and make nothing.
    """

    def __init__(self, file: Path, room: int, notes: list[str], *, readonly: bool = False) -> None:
        self._file = file
        self._room = room
        self._notes = notes
        self._readonly = readonly
        self._database: Database | None = None
        self._opened = not readonly and room <= 0
        self._waiting: dict[bytes, _Copy] = {}
        self._waiting_size = 0
        self._left_out: list[str] = []
        self._kept: set[bytes] | None = None
        """What is kept; None if it has not been asked yet."""
        self._least_left: int | None = None
        """Bytes that are free, or taken by versions that may go; None if not known yet."""

    def has(self, digest: str) -> bool:
        """Whether a content is kept, or will be by the next :meth:`commit`."""
        key = bytes.fromhex(digest)
        if self._kept is None:
            query = "SELECT digest FROM content"
            rows: list[tuple[bytes]] = self._ask(lambda c: c.execute(query).fetchall(), [])
            self._kept = {found for (found,) in rows}
        return key in self._waiting or key in self._kept

    def get(self, digest: str) -> bytes | None:
        """The bytes of a content; None if it is not kept, or not as it was."""
        key = bytes.fromhex(digest)
        if key in self._waiting:
            return zlib.decompress(self._waiting[key].packed)
        query = "SELECT packed FROM content WHERE digest = ?"
        row = self._ask(lambda c: c.execute(query, (key,)).fetchone(), None)
        if row is None or not isinstance(row[0], bytes):
            return None
        with suppress(zlib.error):
            raw = zlib.decompressobj().decompress(row[0], _LARGEST)
            if hashlib.sha256(raw).digest() == key:
                return raw
        return None

    def nodes(self, digest: str) -> int | None:
        """How many nodes a content has; None if it is not kept."""
        key = bytes.fromhex(digest)
        if key in self._waiting:
            return self._waiting[key].nodes
        query = "SELECT nodes FROM content WHERE digest = ?"
        row = self._ask(lambda c: c.execute(query, (key,)).fetchone(), None)
        return None if row is None else int(row[0])

    def former(self, since: datetime) -> dict[str, shrunk.Mark]:
        """Of each workflow that was another one lately, the version that had most nodes.

        Args:
            since: from when on; what was replaced before is left aside.
        """
        query = (
            "SELECT path, max(nodes), until, digest FROM seen"
            " JOIN content USING (digest) WHERE until >= ? GROUP BY path"
        )
        at = packing.stamp(since)
        rows: list[tuple[bytes, int, int, bytes]] = self._ask(
            lambda c: c.execute(query, (at,)).fetchall(), []
        )
        return {
            path.decode(errors="surrogatepass"): shrunk.Mark(
                packing.time_of(until), nodes, digest.hex()
            )
            for path, nodes, until, digest in rows
        }

    def put(self, path: str, digest: str, raw: bytes) -> None:
        """Keep a content that is not kept yet; :meth:`commit` has it outlast this process.

        Whose it is :meth:`settle` says: till then it stands in nobody's versions.

        Args:
            path: where it was found; named where there is no room for it.
            digest: SHA-256 of ``raw`` in hexadecimal.
            raw: the bytes.
        """
        if self._readonly or self._room <= 0:
            return
        if self._least_left is None:
            self._least_left = self._room - self._ask(_fixed, 0)
        # Not packed in vain in each cycle, where there is no room for it for long.
        if len(raw) // _LEAST > self._least_left:
            self._left_out.append(path)
            return
        copy = _Copy(path, len(raw), shrunk.nodes(raw), zlib.compress(raw))
        self._waiting[bytes.fromhex(digest)] = copy
        self._waiting_size += len(copy.packed)
        if self._waiting_size > _AT_ONCE:
            self.commit()

    def commit(self) -> None:
        """Have what was put outlast this process; what cannot is told in the notes."""
        if not self._waiting or not self._open():
            return
        waiting, self._waiting, self._waiting_size = self._waiting, {}, 0
        self._least_left = None
        self._write(lambda connection: self._keep(connection, waiting))

    def settle(
        self, reports: Iterable[WorkflowReport], at: int, unseen: Collection[str] = ()
    ) -> None:
        """Note which version each workflow now is, and forget what is over for long.

        Args:
            reports: of all workflows that are there.
            at: start of the cycle, in microseconds since 1970.
            unseen: paths of workflows that could not be looked for: they are as they were.
        """
        self.commit()
        if self._readonly or not self._open():
            return
        now = {
            _key(each.path): bytes.fromhex(each.content_digest)
            for each in reports
            if each.content_digest
        }
        there = {_key(each.path) for each in reports} | set(map(_key, unseen))
        query = "SELECT path, digest FROM seen WHERE until IS NULL"
        known: dict[bytes, bytes] = dict(self._ask(lambda c: c.execute(query).fetchall(), []))
        changed = {path: digest for path, digest in now.items() if known.get(path) != digest}
        gone = known.keys() - there
        cutoff = at - GONE // timedelta(microseconds=1)

        def settle(connection: Connection) -> None:
            for path, digest in changed.items():
                _see(connection, path, digest, at)
            connection.executemany(
                "UPDATE seen SET until = ? WHERE path = ? AND until IS NULL",
                ((at, path) for path in gone),
            )
            for path in _gone_for_long(connection, cutoff):
                _forget(connection, path, 0)
            # Of a cycle that was killed before it said whose they are.
            connection.execute(
                "DELETE FROM content WHERE NOT EXISTS"
                " (SELECT 1 FROM seen WHERE seen.digest = content.digest)"
            )
            retention.give_back(connection)

        if changed or gone or self._ask(lambda c: bool(_gone_for_long(c, cutoff)), False):
            self._write(settle)

    def versions(self, path: str) -> list[Version]:
        """The versions that are kept of a workflow, the newest first."""
        query = (
            "SELECT seen.digest, since, length, until IS NULL FROM seen"
            " JOIN content ON content.digest = seen.digest WHERE path = ? ORDER BY since DESC"
        )
        return self._ask(
            lambda connection: [
                Version(bytes(digest).hex(), packing.time_of(since), length, bool(present))
                for digest, since, length, present in connection.execute(query, (_key(path),))
            ],
            [],
        )

    def close(self) -> None:
        """Close it; what was put and not committed is lost."""
        if self._left_out:
            count, first = len(self._left_out), visible(self._left_out[0], limit=NAME_LIMIT)
            others = f" and {count - 1:,} more" if count > 1 else ""
            self._notes.append(
                f"{self._file} has no room for {first}{others}: should one change, what it was "
                "before cannot be told"
            )
            self._left_out.clear()
        if self._database is not None:
            self._database.close()
            self._database = None
        self._opened = True

    def _open(self) -> bool:
        if not self._opened:
            self._opened = True
            try:
                from comfywatchman.history.database import Database
            except ImportError:  # the history has said so
                return False
            self._database = Database(
                self._file, _APPLICATION, _MIGRATIONS, self._notes, readonly=self._readonly
            )
        return self._database is not None

    def _ask(self, question: Callable[[Connection], T], otherwise: T) -> T:
        if not self._open() or self._database is None:
            return otherwise
        return self._database.read(question, otherwise)

    def _write(self, change: Callable[[Connection], None]) -> None:
        if self._database is None:
            return
        self._kept = None
        try:
            self._database.write(change)
        except HistoryError as error:
            if str(error) not in self._notes:
                self._notes.append(str(error))

    def _keep(self, connection: Connection, waiting: dict[bytes, _Copy]) -> None:
        (taken,) = connection.execute("SELECT coalesce(sum(size), 0) FROM content").fetchone()
        for digest, copy in waiting.items():
            size = len(copy.packed)
            while taken + size > self._room and (freed := _forget_oldest(connection)):
                taken -= freed
            if taken + size > self._room:
                self._left_out.append(copy.path)
                continue
            connection.execute(
                "INSERT OR IGNORE INTO content VALUES (?, ?, ?, ?, ?)",
                (digest, copy.length, size, copy.nodes, copy.packed),
            )
            taken += size
        retention.give_back(connection)


@dataclass(frozen=True, slots=True)
class _Copy:
    path: str
    length: int
    nodes: int
    packed: bytes


def _begin(connection: Connection) -> None:
    from comfywatchman.history import migrations

    migrations.run(connection, _TABLES)


_MIGRATIONS: Final = (_begin,)


def _fixed(connection: Connection) -> int:
    """Bytes of the contents that a workflow is now."""
    query = (
        "SELECT coalesce(sum(size), 0) FROM content WHERE EXISTS"
        " (SELECT 1 FROM seen WHERE seen.digest = content.digest AND until IS NULL)"
    )
    return int(connection.execute(query).fetchone()[0])


def _key(path: str) -> bytes:
    return path.encode(errors="surrogatepass")


def _see(connection: Connection, path: bytes, digest: bytes, at: int) -> None:
    """Note that a workflow is now this, and forget its versions beyond the last ones."""
    connection.execute(
        "UPDATE seen SET until = ? WHERE path = ? AND until IS NULL AND digest != ?",
        (at, path, digest),
    )
    connection.execute(
        "INSERT INTO seen VALUES (?, ?, ?, NULL) ON CONFLICT (path, digest) DO UPDATE"
        " SET since = iif(until IS NULL, since, excluded.since), until = NULL",
        (path, digest, at),
    )
    _forget(connection, path, FORMER)


def _forget(connection: Connection, path: bytes, former: int) -> None:
    """Leave so many of the versions of a workflow that it no longer is."""
    query = (
        "SELECT digest FROM seen WHERE path = ? AND until IS NOT NULL"
        " ORDER BY until DESC LIMIT -1 OFFSET ?"
    )
    for (digest,) in connection.execute(query, (path, former)).fetchall():
        _remove(connection, path, digest)


def _forget_oldest(connection: Connection) -> int:
    """Forget the version that was replaced longest ago; bytes that this freed, 0 if there is none.

    A content that is there under another name frees none, so the next one goes too.
    """
    query = "SELECT path, digest FROM seen WHERE until IS NOT NULL ORDER BY until LIMIT 1"
    while row := connection.execute(query).fetchone():
        if freed := _remove(connection, *row):
            return freed
    return 0


def _remove(connection: Connection, path: bytes, digest: bytes) -> int:
    connection.execute("DELETE FROM seen WHERE path = ? AND digest = ?", (path, digest))
    row = connection.execute(
        "DELETE FROM content WHERE digest = ?1"
        " AND NOT EXISTS (SELECT 1 FROM seen WHERE digest = ?1) RETURNING size",
        (digest,),
    ).fetchone()
    return int(row[0]) if row else 0


def _gone_for_long(connection: Connection, cutoff: int) -> list[bytes]:
    """Workflows of which no version is there, nor was until lately."""
    query = (
        "SELECT DISTINCT path FROM seen AS old WHERE until < ?1 AND NOT EXISTS"
        " (SELECT 1 FROM seen WHERE path = old.path AND (until IS NULL OR until >= ?1))"
    )
    return [path for (path,) in connection.execute(query, (cutoff,))]
