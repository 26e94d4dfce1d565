"""ComfyUI's own folders on this host: where they are, and the names of what lies in them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

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


def folders(comfyui_dir: Path, argv: Sequence[str] = ()) -> Folders:
    """Find the folders as the server does.

    Args:
        comfyui_dir: ComfyUI's own folder.
        argv: the command line it was started with (``/system_stats``), which may move them.
    """
    base = _option(argv, "--base-directory", comfyui_dir, comfyui_dir)
    temp = _option(argv, "--temp-directory", base, comfyui_dir)
    return Folders(
        input=_option(argv, "--input-directory", base / "input", comfyui_dir),
        output=_option(argv, "--output-directory", base / "output", comfyui_dir),
        temp=temp / "temp",
        user=_option(argv, "--user-directory", base / "user", comfyui_dir),
        custom_nodes=base / "custom_nodes",
    )


def _option(argv: Sequence[str], name: str, default: Path, relative_to: Path) -> Path:
    for i, argument in enumerate(argv):
        if argument == name and i + 1 < len(argv):
            return relative_to / argv[i + 1]
        if argument.startswith(name + "="):
            return relative_to / argument.removeprefix(name + "=")
    return default


def names_below(root: Path, *, most: int = 2_000_000) -> frozenset[str] | None:
    """List everything below a folder, sub-folders and what symbolic links lead to included.

    Returns:
        Relative POSIX paths; None when the folder is there but cannot be read or holds more than
        ``most`` entries. A folder that is not there holds nothing.
    """
    names: set[str] = set()
    seen: set[tuple[int, int]] = set()
    pending = [(os.fspath(root), "")]
    while pending:
        folder, prefix = pending.pop()
        try:
            status = os.stat(folder)  # noqa: PTH116  (os.scandir's own terms, on many entries)
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as entries:
                for entry in entries:
                    name = prefix + entry.name
                    if entry.is_symlink() and not os.path.exists(entry.path):  # noqa: PTH110
                        continue
                    names.add(name)
                    if entry.is_dir():
                        pending.append((entry.path, name + "/"))
        except FileNotFoundError:
            continue
        except (OSError, ValueError):  # ValueError: no file can be named so
            if not prefix:
                return None
        if len(names) > most:
            return None
    return frozenset(names)
