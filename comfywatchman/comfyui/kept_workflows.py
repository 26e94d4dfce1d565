"""What the server sent of saved workflows, kept from one cycle to the next.

A workflow that the server lists with the size and the time of change that it had when it was sent
is not asked for again. Its bytes are kept too, not their digest alone: a pack that changes has each
workflow judged anew, and would have all of them sent again.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import zlib
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from comfywatchman.room import at as room_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from types import TracebackType

    from comfywatchman.comfyui.userdata import SavedOnServer
    from comfywatchman.comfyui.workflow_database import WorkflowDatabase

ROOM: Final = 256 * 1024**2
"""Bytes of packed workflows that are kept at most; twenty thousand of the usual ones take half."""
ROOM_IN_MEMORY: Final = ROOM // 4
"""The same for those that no file keeps."""
_COMMIT_EVERY: Final = 2.0
"""Seconds whose work is lost at most when a cycle is killed."""


@dataclass(frozen=True, slots=True)
class Packed:
    """The bytes of a workflow as they are kept.

    Attributes:
        digest: their SHA-256 in hexadecimal.
        length: how many they are.
        content: zlib's data.
    """

    digest: str
    length: int
    content: bytes

    @classmethod
    def of(cls, raw: bytes) -> Self:
        """Pack them."""
        return cls(hashlib.sha256(raw).hexdigest(), len(raw), zlib.compress(raw))


@dataclass(frozen=True, slots=True)
class _Entry:
    version: tuple[int, str] | None
    """Size and time of change as listed when it was sent; None if they cannot be relied on."""
    asked_at: float
    digest: str | None
    room: int = 0


class KeptWorkflows:
    """The workflows of one server. To be used by one thread at a time, as a context manager.

    Attributes:
        trouble: one sentence if they cannot be kept, or what was kept is lost; None if all is well.

    Args:
        file: where they are kept, made when there is one; None, or where it cannot be used: in
            memory, until the end.
        server: the server's address; those of another are not known.
        room: bytes that their packed content may take.
    """

    def __init__(self, file: Path | None, server: str, room: int = ROOM) -> None:
        self._file = file
        self._server = server
        self._room = room
        self.trouble: str | None = None
        self._database: WorkflowDatabase | None = None
        self._tried = False
        self._writable = False
        self._committed_at = 0.0
        self._entries: dict[str, _Entry] = {}
        self._taken = 0
        self._sent_now: set[str] = set()
        self._in_memory: dict[str, bytes] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.commit()
        if self._database is not None:
            self._database.close()

    def open(self) -> None:
        """Read what an earlier cycle kept, if one kept anything. A damaged file is set aside."""
        if self._file is not None and os.path.lexists(self._file):
            self._open(self._file)

    def asked_at(self, saved: SavedOnServer) -> float:
        """When the server was last asked for it, in seconds since 1970; 0 if it never was."""
        entry = self._entries.get(self._place(saved))
        return entry.asked_at if entry else 0.0

    def digest(self, saved: SavedOnServer) -> str | None:
        """SHA-256 of what the server has, if that was sent in this cycle or has not changed."""
        place = self._place(saved)
        entry = self._entries.get(place)
        if entry is None:
            return None
        unchanged = entry.version is not None and entry.version == _version(saved)
        return entry.digest if unchanged or place in self._sent_now else None

    def content(self, saved: SavedOnServer, max_bytes: int) -> bytes | None:
        """What the server has, if that is known and kept, and no larger than ``max_bytes``."""
        digest = self.digest(saved)
        if digest is None:
            return None
        place = self._place(saved)
        packed: object = self._in_memory.get(place)
        if packed is None and self._database is not None:
            with suppress(OSError, ValueError):
                packed = self._database.content(place)
        if not isinstance(packed, bytes):
            return None
        try:
            raw = zlib.decompressobj().decompress(packed, max_bytes + 1)
        except zlib.error:
            return None
        return raw if hashlib.sha256(raw).hexdigest() == digest else None

    def put(self, saved: SavedOnServer, packed: Packed) -> None:
        """Keep what the server sent; where there is no room for it, its digest alone."""
        version = _version(saved)
        # An answer of another length is of another version, or was cut off unseen.
        if version is not None and version[0] != packed.length:
            version = None
        place = self._place(saved)
        self._sent_now.add(place)
        self._keep(place, version, packed)

    def note_asked(self, saved: SavedOnServer) -> None:
        """Remember that it was asked for and not sent, so that others come first next time."""
        self._keep(self._place(saved), None, None)

    def keep_only(self, saved: Iterable[SavedOnServer]) -> None:
        """Forget all others."""
        for place in self._entries.keys() - {self._place(each) for each in saved}:
            self._remove(place)

    def commit(self) -> None:
        """Have what was put outlast this process."""
        self._committed_at = time.monotonic()
        self._write(lambda database: database.commit())

    def _open(self, file: Path) -> None:
        self._tried = True
        try:
            from comfywatchman import sqlite_file
            from comfywatchman.comfyui import workflow_database
        except ImportError:
            self._lost("cannot be used: this Python has no sqlite3")
            return
        try:
            self._read(workflow_database.WorkflowDatabase(file))
        except OSError as error:
            self._lost(f"cannot be used: {error.strerror or error}")
        except ValueError:
            aside = sqlite_file.set_aside(file)
            self._lost(f"is damaged{f', is now {aside}' if aside else ''}")
            with suppress(OSError, ValueError):
                self._read(workflow_database.WorkflowDatabase(file))

    def _read(self, database: WorkflowDatabase) -> None:
        try:
            rows = database.rows()
        except (OSError, ValueError):
            database.close()
            raise
        self._database, self._writable = database, True
        for row in rows:
            known = isinstance(row.size, int) and isinstance(row.modified, str)
            self._entries[str(row.place)] = _Entry(
                (row.size, row.modified) if known else None,
                row.asked_at if isinstance(row.asked_at, float) else 0.0,
                row.digest if isinstance(row.digest, str) else None,
                row.room if isinstance(row.room, int) else 0,
            )
        self._taken = sum(entry.room for entry in self._entries.values())

    def _remove(self, place: str) -> None:
        self._taken -= self._entries.pop(place).room
        self._in_memory.pop(place, None)
        self._write(lambda database: database.remove(place))

    def _keep(self, place: str, version: tuple[int, str] | None, packed: Packed | None) -> None:
        if packed is not None and self._file is not None and not self._tried:
            self._open(self._file)
        before = self._entries.pop(place, None)
        self._taken -= before.room if before else 0
        self._in_memory.pop(place, None)
        room = len(packed.content) if packed else 0
        most = self._room if self._writable else min(self._room, ROOM_IN_MEMORY)
        content = packed.content if packed and self._taken + room <= most else None
        digest = packed.digest if packed else None
        entry = _Entry(version, time.time(), digest, len(content or b""))
        kept = self._write(
            lambda database: database.put(place, version, entry.asked_at, digest, content)
        )
        if not kept and content is not None:
            self._in_memory[place] = content
        self._entries[place] = entry
        self._taken += entry.room
        if time.monotonic() - self._committed_at > _COMMIT_EVERY:
            self.commit()

    def _write(self, change: Callable[[WorkflowDatabase], None]) -> bool:
        """Change the file, if that can be done; nothing more is tried once it could not."""
        if self._database is None or not self._writable:
            return False
        try:
            change(self._database)
        except (OSError, ValueError) as error:
            self._writable = False
            self._database.roll_back()
            self._lost(f"could not be written: {getattr(error, 'strerror', None) or error}")
            return False
        return True

    def _lost(self, what: str) -> None:
        self.trouble = f"{self._file} {what}: the server is asked again for what it should hold"

    def _place(self, saved: SavedOnServer) -> str:
        return json.dumps([self._server, saved.user, saved.path])


def _version(saved: SavedOnServer) -> tuple[int, str] | None:
    if saved.size is None or saved.modified is None:
        return None
    return saved.size, repr(saved.modified)


def room_for(file: Path, min_free: int) -> int:
    """Bytes that a file of them may have, so that others who need room beside it do not lack it.

    Args:
        file: which; it need not be there.
        min_free: bytes that are to stay free.
    """
    try:
        free = room_at(file.parent).size
    except OSError:
        return 0
    there = 0
    with suppress(OSError):
        there = file.lstat().st_size
    return max(0, min(ROOM, there + (free - min_free) // 2))
