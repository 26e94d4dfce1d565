"""The processes of this machine, as ``/proc`` tells of them.

Nothing in it is trusted: whoever may start a process chooses its arguments and its folder. What
this user may not see of a process of somebody else is None.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from comfywatchman.schedule.mounts import unescaped
from comfywatchman.state import open_at_once

if TYPE_CHECKING:
    from collections.abc import Iterator

PROC = Path("/proc")
ARGUMENT_BYTES = 128 * 1024
"""Bytes of a command line that are read."""
TABLE_BYTES = 4 * 1024**2
"""Bytes of a table, such as that of mounts, that are read."""
_CONTAINER = re.compile(r"(libpod|docker|crio|cri-containerd)[-/]([0-9a-f]{64})(?![0-9a-f])")


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of ``mountinfo``: what of a file system is seen where."""

    device: str
    root: str
    point: str
    kind: str


@dataclass(frozen=True, slots=True)
class Process:
    """One process.

    Attributes:
        pid: its number.
        uid: the user it acts as, as seen from here.
        gid: its group.
        parent: number of the process that started it.
        argv: its command line; what is no UTF-8 in it is kept, as in file names.
        cwd: its working folder, as the process itself calls it.
        container: the program that made its container and the container's id, if it is in one that
            this process is not in.
        apart: whether it sees other mounts than this process does.
        own_network: whether it has a network of its own.
        mounts: what it has mounted; empty if that is not to be seen, or if it is not apart.
    """

    pid: int
    uid: int
    gid: int
    parent: int
    argv: tuple[str, ...]
    cwd: str | None
    container: tuple[str, str] | None = None
    apart: bool = False
    own_network: bool = False
    mounts: tuple[Mount, ...] = ()


def running(proc: Path = PROC) -> Iterator[Process]:
    """Every process that can be seen, by its number; those that end meanwhile are left out."""
    try:
        numbers = sorted(int(each.name) for each in proc.iterdir() if each.name.isdecimal())
    except OSError:  # a system without it
        return
    mounted, network = _target(proc / "self/ns/mnt"), _target(proc / "self/ns/net")
    around = _container(proc / "self")  # the one that this process is in itself
    for pid in numbers:
        folder = proc / str(pid)
        argv = _arguments(folder)
        if not argv:  # a thread of the kernel, or it has ended
            continue
        ids = _ids(folder)
        if "Uid:" not in ids:
            continue
        container = found if (found := _container(folder)) != around else None
        # What is not to be seen of a process in a container is taken to be of its own.
        unseen = mounted if container is None else None
        apart = (_target(folder / "ns/mnt") or unseen) != mounted
        unseen = network if container is None else None
        yield Process(
            pid=pid,
            uid=ids["Uid:"],
            gid=ids.get("Gid:", ids["Uid:"]),
            parent=ids.get("PPid:", 0),
            argv=argv,
            cwd=_target(folder / "cwd"),
            container=container,
            apart=apart,
            own_network=(_target(folder / "ns/net") or unseen) != network,
            mounts=mounts(folder) if apart else (),
        )


def folder_of(process: Process) -> str | None:
    """The working folder of a process, asked for with its own user's rights where root has none.

    In a container root may not look at the processes of others, who may themselves.
    """
    if process.cwd is not None or os.geteuid() != 0 or process.uid == 0:
        return process.cwd
    try:
        said = subprocess.run(  # noqa: S603  (a fixed program and a number)
            ["readlink", "--no-newline", f"{PROC}/{process.pid}/cwd"],  # noqa: S607
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=10,
            check=True,
            cwd="/",
            user=process.uid,
            group=process.gid,
            extra_groups=[],
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return os.fsdecode(said.stdout) or None


def mounts(folder: Path) -> tuple[Mount, ...]:
    """What a process has mounted; the later of two at one place hides the earlier."""
    found = []
    for line in _read(folder / "mountinfo", TABLE_BYTES).split("\n"):
        before, _, after = line.partition(" - ")
        fields, kind = before.split(" "), after.split(" ")[0]
        if len(fields) >= 5 and kind:
            found.append(Mount(fields[2], unescaped(fields[3]), unescaped(fields[4]), kind))
    return tuple(found)


def _container(folder: Path) -> tuple[str, str] | None:
    found = _CONTAINER.search(_read(folder / "cgroup", TABLE_BYTES))
    return (found[1], found[2]) if found else None


def _arguments(folder: Path) -> tuple[str, ...]:
    text = _read(folder / "cmdline", ARGUMENT_BYTES)
    return tuple(text.removesuffix("\0").split("\0")) if text else ()


def _ids(folder: Path) -> dict[str, int]:
    """The effective user and group, and the parent, by what ``status`` calls them."""
    found: dict[str, int] = {}
    # A process names itself, and in its name may stand whatever else Python takes for a line's end.
    for line in _read(folder / "status", TABLE_BYTES).split("\n"):
        fields = line.split()
        place = {"Uid:": 2, "Gid:": 2, "PPid:": 1}.get(fields[0]) if fields else None
        if place is not None and len(fields) > place and fields[place].isdecimal():
            found.setdefault(fields[0], int(fields[place]))
    return found


def _target(link: Path) -> str | None:
    try:
        return str(link.readlink())
    except OSError:
        return None


def _read(file: Path, limit: int) -> str:
    try:
        with open_at_once(file) as stream:
            return os.fsdecode(stream.read(limit))
    except OSError:
        return ""
