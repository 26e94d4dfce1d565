"""Reading whole files at the lowest priority, and leaving the system's cache as it was found."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import platform
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK: Final = 8 * 1024**2
_IDLE: Final = 3 << 13
_SET_IO_PRIORITY: Final = {"x86_64": 251, "aarch64": 30}
"""The number of the system call ``ioprio_set``, for which Python has no function."""
_LOWEST: Final = 19


class ChangedError(Exception):
    """A file is another one than when reading it began."""


class StoppedError(Exception):
    """It was said to stop."""


@dataclass(frozen=True, slots=True)
class Whole:
    """What was read.

    Attributes:
        sha256: in hexadecimal.
        size: bytes.
        mtime_ns: when it had been changed.
    """

    sha256: str
    size: int
    mtime_ns: int


def be_last_in_turn() -> None:
    """Have this process wait for every other one, for a processor and for the disk."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, _LOWEST)
    if number := _SET_IO_PRIORITY.get(platform.machine()):
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None, use_errno=True).syscall(number, 1, 0, _IDLE)


def read(path: str, largest: int, go_on: Callable[[], bool], count: Callable[[int], None]) -> Whole:
    """Read a regular file to its end.

    Args:
        path: where it is.
        largest: the most bytes that may be read.
        go_on: asked before each piece.
        count: told of the bytes that were read.

    Raises:
        OSError: it cannot be read, or is none.
        ChangedError: it was changed meanwhile, or put in another's place.
        StoppedError: ``go_on`` said so.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise OSError("it is no regular file")
        if before.st_size > largest:
            raise ChangedError
        _advise(descriptor, 0, 0, "POSIX_FADV_RANDOM")  # nothing is read ahead of what is asked for
        digest, offset = hashlib.sha256(), 0
        buffer = memoryview(bytearray(CHUNK))
        while True:
            if not go_on():
                raise StoppedError
            was_there = _in_cache(descriptor, offset + CHUNK // 2)
            got = os.preadv(descriptor, [buffer], offset)
            if not got:
                break
            digest.update(buffer[:got])
            if not was_there:
                _advise(descriptor, offset, got, "POSIX_FADV_DONTNEED")
            count(got)
            offset += got
            if offset > before.st_size:
                raise ChangedError
        if offset != before.st_size or _identity(os.fstat(descriptor)) != _identity(before):
            raise ChangedError
        if _identity(os.stat(path)) != _identity(before):  # noqa: PTH116
            raise ChangedError
    finally:
        os.close(descriptor)
    return Whole(digest.hexdigest(), before.st_size, before.st_mtime_ns)


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _in_cache(descriptor: int, offset: int) -> bool:
    """Whether a place of a file is in memory already: somebody else, such as ComfyUI, wants it."""
    try:
        return bool(os.preadv(descriptor, [bytearray(1)], offset, os.RWF_NOWAIT))
    except (OSError, AttributeError):  # it is not, or the file system cannot say
        return False


def _advise(descriptor: int, offset: int, length: int, advice: str) -> None:
    with contextlib.suppress(OSError, AttributeError):
        os.posix_fadvise(descriptor, offset, length, getattr(os, advice))
