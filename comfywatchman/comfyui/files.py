"""ComfyUI's own folders on this host: where they are, and the names of what lies in them."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from comfywatchman import state

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Folders:
    """Where a ComfyUI instance keeps what workflows name, and the workflows themselves."""

    input: Path
    output: Path
    temp: Path
    user: Path
    custom_nodes: Path

    def by_annotation(self) -> dict[str, Path]:
        """The folders an input value can point into, by the suffix that says so."""
        return {"input": self.input, "output": self.output, "temp": self.temp}


class Listing(NamedTuple):
    """What lies below a folder.

    Attributes:
        names: relative POSIX paths of everything there, also of what symbolic links lead to.
        links: by the name of each symbolic link among them, the path it really leads to.
    """

    names: frozenset[str]
    links: dict[str, str]


def folders(comfyui_dir: Path, argv: Sequence[str] = ()) -> Folders:
    """Find the folders as the server does.

    Args:
        comfyui_dir: ComfyUI's own folder.
        argv: the command line it was started with (``/system_stats``), which may move them.
    """
    base = _folder(argv, "--base-directory", comfyui_dir, comfyui_dir)
    temp = _folder(argv, "--temp-directory", base, comfyui_dir)
    return Folders(
        input=_folder(argv, "--input-directory", base / "input", comfyui_dir),
        output=_folder(argv, "--output-directory", base / "output", comfyui_dir),
        temp=temp / "temp",
        user=_folder(argv, "--user-directory", base / "user", comfyui_dir),
        custom_nodes=base / "custom_nodes",
    )


def option(argv: Sequence[str], name: str) -> str | None:
    """Read one option as Python's argparse does: it may be shortened, and the last one counts.

    A server that was started with an ambiguous short form would not be running.

    Returns:
        Its value; empty where it has none; None where it is not given.
    """
    found = None
    for i, argument in enumerate(argv):
        given, equals, value = argument.partition("=")
        if len(given) <= len("--") or not name.startswith(given):
            continue
        after = argv[i + 1] if i + 1 < len(argv) else ""
        found = value if equals else "" if after.startswith("--") else after
    return found


def _folder(argv: Sequence[str], name: str, default: Path, relative_to: Path) -> Path:
    value = option(argv, name)
    return relative_to / value if value else default


_Ancestors = tuple[tuple[int, int], "_Ancestors"] | None


def _is_among(identity: tuple[int, int], above: _Ancestors) -> bool:
    while above is not None:
        if above[0] == identity:
            return True
        above = above[1]
    return False


def names_below(root: Path, *, most: int = 2_000_000) -> Listing | None:
    """List everything below a folder, sub-folders and what symbolic links lead to included.

    A folder that several links lead to is listed under each of their names; one that contains
    itself is not entered again.

    Returns:
        None when the folder is there but cannot be read or holds more than ``most`` entries. A
        folder that is not there holds nothing.
    """
    names: set[str] = set()
    links: dict[str, str] = {}
    pending: list[tuple[str, str, _Ancestors]] = [(os.fspath(root), "", None)]
    while pending:
        folder, prefix, above = pending.pop()
        try:
            status = os.stat(folder)  # noqa: PTH116  (os.scandir's own terms, on many entries)
            within = (status.st_dev, status.st_ino), above
            if _is_among(within[0], above):
                continue
            with os.scandir(folder) as entries:
                for entry in entries:
                    name = prefix + entry.name
                    if entry.is_symlink():
                        if not os.path.exists(entry.path):  # noqa: PTH110
                            continue
                        links[name] = os.path.realpath(entry.path)
                    names.add(name)
                    if entry.is_dir():
                        pending.append((entry.path, name + "/", within))
                    if len(names) > most:
                        return None
        except FileNotFoundError:
            continue
        except (OSError, ValueError):  # ValueError: no file can be named so
            if not prefix:
                return None
    return Listing(frozenset(names), links)


def names_in(folder: Path, most: int) -> list[str]:
    """Names of what lies in a folder, sorted; where there is more than ``most``, so many of them.

    Raises:
        OSError: it cannot be listed.
        ValueError: no folder can be named so.
    """
    with os.scandir(folder) as found:
        return sorted(entry.name for entry in islice(found, most))


def begin_of(file: Path, length: int) -> bytes | None:
    """The first bytes of a regular file; a pipe is not waited for, a device not read.

    Returns:
        None for what is no regular file, is not there, or cannot be read.
    """
    try:
        with state.open_at_once(file) as stream:
            regular = stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
            return stream.read(length) if regular else None
    except (OSError, ValueError):  # ValueError: no file can be named so
        return None
