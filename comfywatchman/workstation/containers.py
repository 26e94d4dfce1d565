"""A process in a container, as seen from outside: where its files are here, and its port."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from comfywatchman.workstation.processes import Mount, Process

_CLIENTS = {"libpod": "podman", "docker": "docker"}
_LAYERS = {"overlay", "fuse.fuse-overlayfs", "aufs"}
_ADDRESS = re.compile(r"[0-9A-Fa-f.:]{2,45}")


def host_path(path: str, process: Process, host: Sequence[Mount]) -> Path | None:
    """Where a path of a process is on this machine; None if it is in no folder of this machine.

    Args:
        path: absolute, as the process sees it.
        process: the process.
        host: what is mounted here.
    """
    if not process.apart:
        return Path(path)
    inner = _deepest(process.mounts, path)
    if inner is None:
        return None if process.container else Path(path)
    if process.container and inner.kind in _LAYERS:
        return None  # of the image, and gone with the container
    place = _below(inner.root, path[len(inner.point.rstrip("/")) :])
    candidates = [each for each in host if each.device == inner.device and _is_in(place, each.root)]
    if not candidates:
        return None
    outer = max(candidates, key=lambda each: len(each.root))
    return Path(_below(outer.point, place[len(outer.root.rstrip("/")) :]))


def published(
    process: Process,
    port: int,
    proxies: Iterable[Process],
    inspect: Callable[[Sequence[str]], str],
) -> tuple[str, int] | None:
    """The address and port on this machine that lead to a port in a container, or None.

    Args:
        process: a process in the container.
        port: where it listens there.
        proxies: processes that may be docker's, which has one for each port that it hands on.
        inspect: runs a command of podman or docker.
    """
    if process.container and process.container[0] in _CLIENTS:
        client, name = _CLIENTS[process.container[0]], process.container[1]
        said = inspect([client, "inspect", "--format", "{{json .NetworkSettings.Ports}}", name])
        found = _from_client(said, port)
        if found:
            return found
    handed_on = {
        address
        for each in proxies
        if each.argv[0].rpartition("/")[2] == "docker-proxy"
        and (address := _from_proxy(each.argv, port))
    }
    return handed_on.pop() if len(handed_on) == 1 else None


def _from_client(said: str, port: int) -> tuple[str, int] | None:
    try:
        bindings = json.loads(said)[f"{port}/tcp"]
        return _reachable(bindings[0].get("HostIp") or "", bindings[0]["HostPort"])
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
        return None


def _from_proxy(argv: Sequence[str], port: int) -> tuple[str, int] | None:
    options = dict(zip(argv[1::2], argv[2::2], strict=False))
    if options.get("-proto") != "tcp" or options.get("-container-port") != str(port):
        return None
    return _reachable(options.get("-host-ip", ""), options.get("-host-port", ""))


def _reachable(host: str, port: str) -> tuple[str, int] | None:
    if not (str(port).isascii() and str(port).isdigit() and 0 < int(port) < 65536):
        return None
    if host in ("", "0.0.0.0", "::") or not _ADDRESS.fullmatch(host):  # noqa: S104
        host = "127.0.0.1"
    return host, int(port)


def _deepest(mounts: Sequence[Mount], path: str) -> Mount | None:
    found = None
    for each in mounts:
        if _is_in(path, each.point) and (found is None or len(each.point) >= len(found.point)):
            found = each
    return found


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _below(folder: str, rest: str) -> str:
    return folder.rstrip("/") + "/" + rest.strip("/") if rest.strip("/") else folder
