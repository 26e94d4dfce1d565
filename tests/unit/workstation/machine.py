"""Workstations as ``/proc`` shows them: recorded lines, in a folder of a test's own."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest

CONTAINER = "e0a3538f563f692f54917ff48b732b5af55732af2cb0ff67294d827f58b4fdb0"
HOST = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
61 27 8:17 / /mnt/big\\040disk rw,relatime - ext4 /dev/sdb1 rw
"""
# Recorded from podman 4.3 (rootful, cgroup v1) with -v /home/anna/ComfyUI:/app/ComfyUI, shortened.
IN_CONTAINER = """\
334 264 0:120 / / rw,relatime - overlay overlay rw,lowerdir=/var/lib/containers/storage/overlay/l
336 334 0:124 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
338 334 254:0 /home/anna/ComfyUI /app/ComfyUI rw,relatime - ext4 /dev/vda rw,discard
339 338 8:17 /models\\040of\\040all /app/ComfyUI/models rw,relatime - ext4 /dev/sdb1 rw
"""
CGROUPS = {
    "podman, cgroup v1": f"9:name=systemd:/libpod_parent/libpod-{CONTAINER}\n0::/\n",
    "podman, cgroup v2": f"0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-"
    f"{CONTAINER}.scope/container\n",
    "docker, cgroup v1": f"11:memory:/docker/{CONTAINER}\n",
    "docker, cgroup v2": f"0::/system.slice/docker-{CONTAINER}.scope\n",
}


def close(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody enter a folder; root, too, is told that it may not."""
    stat = os.stat

    def refuse(path: Any, *arguments: Any, **more: Any) -> os.stat_result:
        if isinstance(path, (str, os.PathLike)) and os.fspath(path).startswith(f"{folder}/"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return stat(path, *arguments, **more)

    monkeypatch.setattr(os, "stat", refuse)
    monkeypatch.setattr(os, "lstat", lambda path: refuse(path, follow_symlinks=False))


class Proc:
    """A ``/proc`` with processes in it; everything is of uid 1000 unless said otherwise."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._write("self", namespaces=("mnt:[1]", "net:[1]"), mountinfo=HOST)

    def add(
        self,
        pid: int,
        argv: Sequence[str | bytes],
        cwd: str | None = "/",
        uid: int = 1000,
        parent: int = 1,
        cgroup: str = "0::/user.slice/user-1000.slice/session-2.scope\n",
        namespaces: tuple[str, str] | None = ("mnt:[1]", "net:[1]"),
        mountinfo: str = HOST,
    ) -> None:
        """A process; without ``cwd`` and ``namespaces`` it is as one of another user."""
        self._write(str(pid), namespaces, mountinfo if namespaces else None)
        home = self.folder / str(pid)
        parts = [part if isinstance(part, bytes) else part.encode() for part in argv]
        (home / "cmdline").write_bytes(b"".join(part + b"\0" for part in parts))
        (home / "status").write_text(
            f"Name:\tpython\nPPid:\t{parent}\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\n"
        )
        (home / "cgroup").write_text(cgroup)
        if cwd is not None:
            (home / "cwd").symlink_to(cwd)

    def _write(self, name: str, namespaces: tuple[str, str] | None, mountinfo: str | None) -> None:
        folder = self.folder / name
        folder.mkdir(parents=True)
        if namespaces:
            (folder / "ns").mkdir()
            for kind, target in zip(("mnt", "net"), namespaces, strict=True):
                (folder / "ns" / kind).symlink_to(target)
        if mountinfo is not None:
            (folder / "mountinfo").write_text(mountinfo)
