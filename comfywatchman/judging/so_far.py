"""The verdicts that a cycle has reached so far, for the next one should this one be killed.

They are appended to a file of their own, in portions, each with its checksum. It is removed when
the cycle has put all of its verdicts into the cache. What a kill left half written is passed over.
"""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import orjson

from comfywatchman import redaction, state

if TYPE_CHECKING:
    from pathlib import Path

_EVERY: Final = 0.25
"""Seconds from one portion to the next."""
_AT_MOST: Final = 256 * 1024
"""Bytes of verdicts that wait for the next."""


class SoFar:
    """The file with the verdicts of a cycle that has not ended.

    Args:
        file: where it is.
        adds: whether verdicts are added; else it is only read.

    Attributes:
        adds: whether they are, and could be so far.
        left: whether a cycle that was killed left anything.
        judged: by path, the number of the cycle of those in which it was judged.
    """

    def __init__(self, file: Path, *, adds: bool) -> None:
        self._file = file
        self.adds = adds
        self._frame: str | None = None
        self._sound = 0
        self._descriptor: int | None = None
        self._last = time.monotonic()
        self._size = 0
        self._waiting: dict[str, Any] = {}
        self._paths: list[str] = []
        self._entries: dict[str, Any] = {}
        self.judged: dict[str, int] = {}
        self._read()
        self.left = self._frame is not None

    def entries(self, frame: str) -> dict[str, Any]:
        """What was left, as the cache keeps it, if it rests on what verdicts rest on now."""
        return self._entries if frame == self._frame else {}

    def add(self, frame: str, cycle: int, path: str, digest: str, entry: bytes | None) -> None:
        """Note a verdict, and write what waits if it is time to.

        Args:
            frame: what every verdict rests on.
            cycle: the number of this cycle.
            path: of the workflow.
            digest: of its content.
            entry: the verdict as the cache keeps it; None if the cache has it already, or cannot.
        """
        self._paths.append(path)
        if entry is not None:
            self._waiting[digest] = orjson.Fragment(entry)
            self._size += len(entry)
        if self._size >= _AT_MOST or time.monotonic() - self._last >= _EVERY:
            self._write(frame, cycle)

    def end(self) -> None:
        """Remove it: everything in it is kept elsewhere."""
        self._close()
        with suppress(OSError):
            self._file.unlink(missing_ok=True)

    def _write(self, frame: str, cycle: int) -> None:
        """Write a portion. Where that is not possible, the cycle goes on without."""
        paths, waiting = self._paths, self._waiting
        self._paths, self._waiting, self._size = [], {}, 0
        self._last = time.monotonic()
        portion = {"cycle": cycle, "judged": paths, "entries": waiting}
        try:
            content = _line(portion)
            if self._descriptor is None:
                content = self._open(frame) + content
            assert self._descriptor is not None  # noqa: S101
            while content:
                content = content[os.write(self._descriptor, content) :]
        except OSError:
            self.adds = False
            self._close()

    def _open(self, frame: str) -> bytes:
        """Open the file behind what is sound in it, and say what comes first."""
        flags = os.O_WRONLY | os.O_CREAT
        for more in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"):
            flags |= getattr(os, more, 0)
        self._descriptor = os.open(self._file, flags, 0o600)
        if owner := state.owner_besides_root(self._file.parent):
            with suppress(OSError):
                os.fchown(self._descriptor, *owner)
        goes_on = frame == self._frame
        os.ftruncate(self._descriptor, self._sound if goes_on else 0)
        os.lseek(self._descriptor, 0, os.SEEK_END)
        return b"" if goes_on else _line({"frame": frame})

    def _close(self) -> None:
        if self._descriptor is not None:
            with suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = None

    def _read(self) -> None:
        try:
            content = state.read_file(self._file)
        except OSError:
            return
        for line in content.splitlines(keepends=True):
            portion = _portion(line)
            if portion is None:
                break
            if "frame" in portion:
                self._frame = portion["frame"]
            else:
                self.judged.update(dict.fromkeys(portion["judged"], portion["cycle"]))
                self._entries.update(portion["entries"])
            self._sound += len(line)


def _line(portion: dict[str, Any]) -> bytes:
    content = redaction.catch(orjson.dumps(portion))
    return hashlib.sha256(content).hexdigest().encode() + b" " + content + b"\n"


def _portion(line: bytes) -> dict[str, Any] | None:
    """What a line holds; None if it is not whole."""
    checksum, _, content = line.removesuffix(b"\n").partition(b" ")
    if not line.endswith(b"\n") or checksum != hashlib.sha256(content).hexdigest().encode():
        return None
    portion: dict[str, Any] = orjson.loads(content)
    return portion
