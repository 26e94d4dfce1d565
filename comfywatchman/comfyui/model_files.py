"""The model files that the server lists, as they lie on this host: each is looked at once.

Of a name in several folders the server takes the first, and so is done here; links are followed.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from comfywatchman.comfyui import model_folders
from comfywatchman.time_limit import Blind, Budget, Reading

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from comfywatchman.comfyui.client import ComfyUIClient
    from comfywatchman.comfyui.files import Folders
    from comfywatchman.comfyui.inventory import Inventory

MOST_FILES: Final = 100_000
"""Each takes some 400 bytes here, and again in the history."""
_MOST_READERS: Final = 16
"""Of a folder that hangs, no more are kept waiting than those that share its reader."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file on this host.

    Attributes:
        folder: the model folder that lists it (``checkpoints``, …).
        name: as the server lists it.
        path: where it lies on this host, absolute.
        size: in bytes.
        mtime_ns: when its content was last changed.
        ctime_ns: when anything of it was.
        dev: the file system that it is on.
        inode: its number there.
        is_file: False for a link that leads nowhere, a folder or a pipe: the numbers above are
            those of that itself.
    """

    folder: str
    name: str
    path: str
    size: int
    mtime_ns: int
    ctime_ns: int
    dev: int
    inode: int
    is_file: bool = True


@dataclass(frozen=True, slots=True)
class Listing:
    """The model files of a host.

    Attributes:
        files: those that were found, in the server's order.
        places: by model folder, where its files may lie on this host; empty if none is known.
        blind: by model folder, why its files could not be looked at.
    """

    files: tuple[ModelFile, ...] = ()
    places: Mapping[str, Sequence[Path]] = field(default_factory=dict)
    blind: Mapping[str, str] = field(default_factory=dict)


def look(
    client: ComfyUIClient | None,
    inventory: Inventory,
    comfyui_dir: Path | None,
    folders: Folders | None,
    argv: Sequence[str],
    seconds: float,
) -> Listing:
    """Look at the model files of this host. Never raises for what it finds.

    The server is asked where they lie, and that only if it is on this host.

    Args:
        client: the server; None when a saved catalog stands in for it.
        inventory: the names that it lists.
        comfyui_dir: ComfyUI's own folder; None if it is not on this host.
        folders: the folders that it uses, if they are.
        argv: its command line.
        seconds: how long it may take.
    """
    if comfyui_dir is None or not inventory.models:
        return Listing()
    said = model_folders.ask_folders(client) if client is not None else {}
    base = folders.custom_nodes.parent if folders is not None else comfyui_dir
    return listed(
        inventory, model_folders.roots(said, inventory.models, base, argv), Budget(seconds)
    )


def listed(inventory: Inventory, places: Mapping[str, Sequence[Path]], budget: Budget) -> Listing:
    """Find the files that the server lists.

    Args:
        inventory: their names.
        places: by model folder, where they may lie.
        budget: how long it may take; a folder that hangs takes no more than that, and those
            beside it are read all the same.
    """
    wanted = [folder for folder, names in inventory.models.items() if names and places.get(folder)]
    if sum(len(inventory.models[folder]) for folder in wanted) > MOST_FILES:
        too_many = f"there are more than {MOST_FILES:,} model files"
        return Listing((), places, dict.fromkeys(wanted, too_many))
    found: dict[str, list[ModelFile]] = {}

    def read(share: Sequence[str]) -> None:
        for folder in share:
            begins = [os.path.join(path, "") for path in places[folder]]  # noqa: PTH118
            files = []
            for name in inventory.models[folder]:
                budget.check()
                if (file := _first(folder, name, begins)) is not None:
                    files.append(file)
            found[folder] = files

    shares = [wanted[n::_MOST_READERS] for n in range(min(_MOST_READERS, len(wanted)))]
    readings = [(share, Reading(partial(read, share), budget)) for share in shares]
    blind: dict[str, str] = {}
    for share, reading in readings:
        try:
            reading.result()
        except Blind as reason:
            blind |= {folder: str(reason) for folder in share if folder not in found}
    seen = [file for folder in wanted if folder not in blind for file in found[folder]]
    return Listing(tuple(seen), places, blind)


def _first(folder: str, name: str, begins: Sequence[str]) -> ModelFile | None:
    """The file that the server takes for a name, else what stands in its place."""
    below = name.replace("\\", "/")
    if ".." in below and ".." in below.split("/"):
        return None
    odd = None
    for begin in begins:
        path = begin + below
        try:
            status = os.stat(path)  # noqa: PTH116  (twice as fast, on many names)
        except (OSError, ValueError):  # ValueError: no file can be named so
            odd = odd or _link(folder, name, path)
            continue
        if stat.S_ISREG(status.st_mode):
            return _file(folder, name, path, status, is_file=True)
        odd = odd or _file(folder, name, path, status, is_file=False)
    return odd


def _link(folder: str, name: str, path: str) -> ModelFile | None:
    """A link that leads nowhere."""
    try:
        return _file(folder, name, path, os.lstat(path), is_file=False)
    except (OSError, ValueError):
        return None


def _file(folder: str, name: str, path: str, status: os.stat_result, *, is_file: bool) -> ModelFile:
    return ModelFile(
        folder,
        name,
        path,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_dev,
        status.st_ino,
        is_file,
    )
