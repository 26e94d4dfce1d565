"""Disks that fail: one whose writes do, by ``LD_PRELOAD``, and real ones that are small."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.shared_library import compile_or_skip

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).with_name("disk.c")


@dataclass(frozen=True)
class FailingDisk:
    """A library that has writes fail."""

    library: Path

    def environment(self, below: Path, error: int) -> dict[str, str]:
        """Variables of a process that cannot write files whose path begins like this."""
        return {
            "LD_PRELOAD": str(self.library),
            "FAILING_DISK_BELOW": str(below),
            "FAILING_DISK_ERROR": str(error),
        }


def build(folder: Path) -> FailingDisk:
    """Compile the library into a folder that exists."""
    return FailingDisk(compile_or_skip(SOURCE, folder / "disk.so"))


@dataclass(frozen=True)
class Disk:
    """A file system of its own, in a mount namespace of its own.

    Attributes:
        pid: the process that keeps it mounted.
        point: where it is mounted in the namespace.
    """

    pid: int
    point: Path

    @property
    def path(self) -> Path:
        """Where it is seen from everywhere."""
        return Path(f"/proc/{self.pid}/root{self.point}")

    @property
    def enter(self) -> list[str]:
        """What begins a command line that is to be run where it is mounted.

        What looks for the real path of a file, as SQLite does, finds another one from elsewhere.
        """
        user = [] if os.geteuid() == 0 else ["--user"]
        return ["nsenter", f"--target={self.pid}", "--mount", *user, "--preserve-credentials"]

    def remount(self, options: str) -> None:
        """Change how it is mounted."""
        subprocess.run(
            [*self.enter, "mount", "-t", "tmpfs", "-o", f"remount,{options}", "none", self.point],
            check=True,
            capture_output=True,
        )


@contextmanager
def mounted(point: Path, size: int, files: int = 1000) -> Iterator[Disk | str]:
    """Mount a file system of ``size`` bytes, and for so many files, on a folder that exists.

    Yields:
        It, or why it cannot be.
    """
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    program = (
        f'mount -t tmpfs -o size={size},nr_inodes={files} none "$1" && echo mounted && exec cat'
    )
    try:
        holder = subprocess.Popen(
            ["unshare", "--mount", *user, "sh", "-c", program, "sh", point],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    except OSError as error:
        yield f"nothing can be mounted here: {error}"
        return
    with holder:
        assert holder.stdout
        assert holder.stderr
        if holder.stdout.readline() == "mounted\n":
            yield Disk(holder.pid, point)
        else:
            yield f"nothing can be mounted here: {holder.stderr.read().strip()}"
