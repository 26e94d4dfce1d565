"""Room on a disk: bytes, files (inodes) and quotas, and what to do where there is none."""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

FEWEST_FILES: Final = 16
"""Files that a cycle makes beside those that are there, before it renames them; and the lock."""


@dataclass(frozen=True, slots=True)
class Room:
    """What is free for this user.

    Attributes:
        size: bytes.
        files: files that can still be made; None on a file system that does not count them.
    """

    size: int
    files: int | None

    @property
    def shown(self) -> str:
        """The bytes, for people."""
        return mib(self.size)


def mib(size: int) -> str:
    """A number of bytes, for people."""
    return f"{size / 1024**2:,.0f} MiB"


def at(folder: Path) -> Room:
    """What is free where a folder is.

    Raises:
        OSError: it cannot be looked at.
    """
    if not hasattr(os, "statvfs"):  # Windows, which counts no files
        return Room(shutil.disk_usage(folder).free, None)
    free = os.statvfs(folder)
    return Room(free.f_bavail * free.f_frsize, free.f_favail if free.f_files else None)


def why(error: OSError, folder: Path) -> str:
    """Why nothing could be written there: the system's word, or what that word leaves out."""
    if error.errno == errno.ENOSPC and (room := _without_files(folder)) is not None:
        return f"no further file can be made there (no inodes left), though {room.shown} are free"
    return error.strerror or type(error).__name__


def remedy(error: OSError, folder: Path) -> str | None:
    """What to do about it; None where it is not for want of room."""
    if error.errno == errno.EDQUOT:
        return "a quota is of space or of files (`quota -s`): remove files, or have it raised"
    if error.errno != errno.ENOSPC:
        return None
    if _without_files(folder) is not None:
        return "remove files there (`df -i` counts them); large ones alone do not help"
    return "make room there"


def _without_files(folder: Path) -> Room | None:
    """The room there, if it is files that it lacks, and not bytes as well."""
    try:
        room = at(folder)
    except OSError:
        return None
    return room if room.files == 0 and room.size else None
