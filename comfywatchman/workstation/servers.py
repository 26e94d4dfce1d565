"""ComfyUI servers among the processes of this machine: their folder, address and user."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from comfywatchman.comfyui.files import option
from comfywatchman.workstation import answer, containers, processes
from comfywatchman.workstation.processes import Process

if TYPE_CHECKING:
    from pathlib import Path

    from comfywatchman.workstation.processes import Mount

USUAL_PORT = 8188
_PYTHON = re.compile(r"(?:python|pypy)[0-9.]*[a-z]*(?:\.exe)?", re.IGNORECASE)
_WITH_VALUE = ("-W", "-X", "--check-hash-based-pycs")
_EVERYWHERE = {"0.0.0.0", "::", ""}  # noqa: S104  (read, not bound)

Ask = Callable[[str], "list[str] | None"]
"""The ``argv`` that a server at an address says it was started with; None: no ComfyUI answers."""
Look = Callable[[Process], "str | None"]
Inspect = Callable[[Sequence[str]], str]
"""What a command says on standard output; empty if it fails."""


@dataclass(frozen=True, slots=True)
class Asker:
    """For whom servers are looked for.

    Attributes:
        uid: the user.
        is_root: whether this process is root's, which asks the servers of others too.
        subordinate: the ids of the user's containers.
    """

    uid: int
    is_root: bool
    subordinate: tuple[range, ...] = ()

    def owns(self, process: Process) -> bool:
        """Whether it is the user's own, or in a container that they or root can have made.

        Anybody can make what looks like a container, but only with ids that are theirs.
        """
        if process.uid == self.uid:
            return True
        return _is_inside(process) and (
            process.uid == 0 or any(process.uid in ids for ids in self.subordinate)
        )


@dataclass(frozen=True, slots=True)
class Server:
    """A ComfyUI server that runs here.

    Attributes:
        pid: its process.
        uid: who runs it; None in a container of the user's or root's, where numbers mean something
            else.
        folder: the folder with ``models`` and ``input`` on this machine; None if it is not seen.
        inside: the same, as the server sees it.
        url: its address as seen from here; None if that cannot be told.
        answers: whether it was asked there, and answered.
    """

    pid: int
    uid: int | None
    folder: Path | None
    inside: str
    url: str | None
    answers: bool


def say(command: Sequence[str]) -> str:
    """Run a command that only tells something; what it says, or nothing within ten seconds."""
    try:
        return subprocess.run(  # noqa: S603  (a fixed program; the id is hexadecimal)
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=10, check=True
        ).stdout.decode(errors="replace")
    except (OSError, subprocess.SubprocessError):
        return ""


def find(
    running: Iterable[Process],
    host: Sequence[Mount],
    asker: Asker,
    ask: Ask | None = None,
    inspect: Inspect = say,
    look: Look = processes.folder_of,
    is_here: Callable[[str], bool] = answer.is_of_this_machine,
) -> list[Server]:
    """The servers among the processes, each once: a worker that was forked off is the same one.

    The user's come first. Those of others are asked nothing unless root asks.

    Args:
        running: all of them.
        host: what this process has mounted.
        asker: for whom.
        ask: asks an address for a server's arguments; None: within the usual limits.
        inspect: asks podman or docker.
        look: looks for the working folder of a process.
        is_here: whether an address is one of this machine; no other is asked.
    """
    ask = ask or answer.Round()
    everything = sorted(running, key=lambda each: not asker.owns(each))
    by_pid = {each.pid: each for each in everything}
    found = []
    for each in everything:
        parent = by_pid.get(each.parent)
        script = script_of(each.argv)
        if script is None or (parent is not None and parent.argv == each.argv):
            continue
        process = dataclasses.replace(each, cwd=look(each))
        server = _server(process, script, everything, host, asker, ask, inspect, is_here)
        if server is not None:
            found.append(server)
    return found


def _server(
    process: Process,
    script: int,
    everything: Sequence[Process],
    host: Sequence[Mount],
    asker: Asker,
    ask: Ask,
    inspect: Inspect,
    is_here: Callable[[str], bool],
) -> Server | None:
    argv = process.argv[script:]
    code = _joined(process.cwd, os.path.dirname(argv[0]))  # noqa: PTH120  (as the process wrote it)
    base = option(argv, "--base-directory")
    inside = code if base is None else _joined(process.cwd, base)

    def here(path: str | None) -> Path | None:
        return None if path is None else containers.host_path(path, process, host)

    # Whoever may start a process may name any program as docker's proxy.
    proxies = [each for each in everything if each.uid in (0, asker.uid)]
    url = _address(process, argv, proxies, inspect, is_here)
    is_asked = asker.is_root or asker.owns(process)
    answered = ask(url) if url is not None and is_asked else None
    # Old releases do not say how they were started.
    answers = answered is not None and (not answered or answered[1:] == list(argv[1:]))
    looks_like_it = is_code(here(code))
    if not (looks_like_it or answers):
        return None
    if url is not None and not answers and (process.own_network or answered is not None):
        url = None  # a guess, and somebody else's address
    folder = here(inside)
    return Server(
        pid=process.pid,
        uid=None if _is_inside(process) and asker.owns(process) else process.uid,
        folder=folder if folder is not None and _is_folder(folder) else None,
        inside=inside or argv[0],
        url=url,
        answers=answers,
    )


def _is_inside(process: Process) -> bool:
    return process.container is not None and process.apart


def _is_folder(folder: Path) -> bool:
    try:
        return folder.is_dir()
    except (OSError, ValueError):  # of somebody else, who lets nobody in
        return False


def is_code(folder: Path | None) -> bool:
    """Whether a folder holds ComfyUI's own code."""
    try:
        return folder is not None and all(
            (folder / name).exists() for name in ("main.py", "nodes.py", "comfy")
        )
    except OSError:
        return False


def script_of(argv: Sequence[str]) -> int | None:
    """Where in the command line of a Python ComfyUI's ``main.py`` stands; None: there is none."""
    if not _PYTHON.fullmatch(argv[0].rpartition("/")[2]):
        return None
    place = 1
    while place < len(argv) and argv[place].startswith("-"):
        if argv[place] in ("-c", "-m", "-"):
            return None
        place += 2 if argv[place] in _WITH_VALUE else 1
    if place < len(argv) and argv[place].rpartition("/")[2] == "main.py":
        return place
    return None


def _address(
    process: Process,
    argv: Sequence[str],
    proxies: Sequence[Process],
    inspect: Inspect,
    is_here: Callable[[str], bool],
) -> str | None:
    port = _port(argv)
    if port is None:
        return None
    scheme = "https" if option(argv, "--tls-keyfile") and option(argv, "--tls-certfile") else "http"
    host = _host(argv)
    if process.own_network:
        published = containers.published(process, port, proxies, inspect)
        host, port = published or ("127.0.0.1", port)
    if not is_here(host):
        host = "127.0.0.1"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def _port(argv: Sequence[str]) -> int | None:
    text = option(argv, "--port")
    if text is None:
        return USUAL_PORT
    if not (text.isascii() and text.isdigit() and len(text) <= 5):
        return None
    return int(text) if 0 < int(text) < 65536 else None


def _host(argv: Sequence[str]) -> str:
    listen = option(argv, "--listen")
    hosts = [] if listen is None else [each.strip() for each in listen.split(",")]
    if not hosts or _EVERYWHERE.intersection(hosts) or "127.0.0.1" in hosts:
        return "127.0.0.1"
    host = hosts[0]
    if not re.fullmatch(r"[A-Za-z0-9.:_-]{1,253}", host):
        return "127.0.0.1"
    return host


def _joined(folder: str | None, path: str) -> str | None:
    if path.startswith("/"):
        return os.path.normpath(path)
    return None if folder is None else os.path.normpath(os.path.join(folder, path))  # noqa: PTH118
