"""Taking the inventory: what the server lists, and what lies in ComfyUI's folders on this host."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from comfywatchman.comfyui.client import ComfyUIClient, ComfyUIError
from comfywatchman.comfyui.connections import at_once
from comfywatchman.comfyui.files import names_below
from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.time_limit import Blind, Budget, Reading

if TYPE_CHECKING:
    from pathlib import Path

    from comfywatchman.comfyui.files import Folders, Listing


LISTING: Final = 60.0
"""Seconds that listing ComfyUI's folders on this host may take."""


def take_inventory(
    client: ComfyUIClient | None, folders: Folders | None, seconds: float = LISTING
) -> tuple[Inventory, list[str]]:
    """List the files that workflows can name.

    Args:
        client: the server; None when a saved catalog stands in for it.
        folders: ComfyUI's folders, when they are on this host.
        seconds: how long listing these may take; one that hangs takes no other along.

    Returns:
        The inventory, and one sentence for each thing that could not be seen.

    Raises:
        ComfyUIError: the server is gone.
    """
    blind: list[str] = []
    listed: dict[str, frozenset[str]] = {}
    links: dict[str, dict[str, str]] = {}
    paths: dict[str, tuple[str, str]] = {}
    budget = Budget(seconds)
    readings = {
        annotation: (folder, Reading(partial(_below, folder), budget))
        for annotation, folder in (folders.by_annotation() if folders else {}).items()
    }
    for annotation, (folder, reading) in readings.items():
        try:
            (listed[annotation], links[annotation]), paths[annotation] = reading.result()
        except Blind as reason:
            why = f" ({reason})" if str(reason) else ""
            blind.append(
                f"the files in {folder} could not be listed{why}; input files there are judged by "
                "the server's lists alone"
            )
    if folders is None:
        blind.append(
            "comfyui_dir is not set: input files are judged by the server's lists alone, which "
            "leave out sub-folders, and model files are not looked into"
        )
    models: dict[str, tuple[str, ...]] = {}
    embeddings: frozenset[str] | None = None
    if client is not None:
        try:
            models = _models(client)
            embeddings = frozenset(_strings(client.get_json("/embeddings")))
        except ComfyUIError as error:
            if error.transient:
                raise
            blind.append(f"the server does not list its model files: {error}")
    inventory = Inventory(
        files=listed, models=models, embeddings=embeddings, links=links, paths=paths
    )
    return inventory, blind


def _below(folder: Path) -> tuple[Listing, tuple[str, str]]:
    """The names below a folder, and its path as it is called and as it is."""
    below = names_below(folder)
    if below is None:
        raise Blind
    absolute = folder.absolute()
    return below, (os.fspath(absolute), os.path.realpath(absolute))


def _models(client: ComfyUIClient) -> dict[str, tuple[str, ...]]:
    folders = _strings(client.get_json("/models"))
    lists = at_once(lambda folder: _files(client, folder), folders)
    return {
        folder: files for folder, files in zip(folders, lists, strict=True) if files is not None
    }


def _files(client: ComfyUIClient, folder: str) -> tuple[str, ...] | None:
    """The files in a model folder; None if the server does not list them."""
    try:
        path = f"/models/{quote(folder, safe='', errors='surrogatepass')}"
        return tuple(_strings(client.get_json(path)))
    except ComfyUIError as error:
        if error.transient:
            raise
        return None


def _strings(answer: object) -> list[str]:
    return [a for a in answer if isinstance(a, str)] if isinstance(answer, list) else []
