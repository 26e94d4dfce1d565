"""What the verdicts of a server rest on, asked of it at once and outside of a cycle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfywatchman.comfyui import catalog_file, catalog_source, credentials, files, inventory_source
from comfywatchman.comfyui.client import ComfyUIClient, ComfyUIError
from comfywatchman.gate import comfyui as comfyui_gate

if TYPE_CHECKING:
    from comfywatchman.comfyui.catalog import Catalog
    from comfywatchman.comfyui.catalog_file import SavedCatalog
    from comfywatchman.comfyui.inventory import Inventory
    from comfywatchman.gate.comfyui import ServerReading
    from comfywatchman.settings import Settings


def catalog(settings: Settings) -> Catalog:
    """Ask the server for its node types.

    Raises:
        ConfigError: a credential or CA file cannot be used.
        ComfyUIError: the server cannot be asked.
    """
    with ComfyUIClient(settings, credentials.read(settings)) as client:
        return _catalog(client, settings)[0]


def everything(settings: Settings) -> SavedCatalog:
    """Ask the server, and look at its folders if they are on this host, for all there is to save.

    Raises:
        ConfigError: a credential or CA file cannot be used.
        ComfyUIError: the server cannot be asked.
    """
    with ComfyUIClient(settings, credentials.read(settings)) as client:
        offered, inventory, not_checked, folders = of_server(client, settings)
    places = {settings.comfyui_url: "ComfyUI"}
    if folders is not None:
        places |= {str(path): name for name, path in folders.by_annotation().items()}
    return catalog_file.saved(offered, inventory, [_without(places, s) for s in not_checked])


def of_server(
    client: ComfyUIClient, settings: Settings
) -> tuple[Catalog, Inventory, list[str], files.Folders | None]:
    """Ask a server for its node types and its files.

    Returns:
        Both, one sentence for each thing that could not be seen, and its folders on this host.

    Raises:
        ComfyUIError: the server cannot be asked.
    """
    offered, server = _catalog(client, settings)
    folders = None
    if settings.comfyui_dir is not None:
        folders = files.folders(settings.comfyui_dir, server.argv)
    inventory, not_checked = inventory_source.take_inventory(client, folders)
    return offered, inventory, not_checked, folders


def _catalog(client: ComfyUIClient, settings: Settings) -> tuple[Catalog, ServerReading]:
    server = comfyui_gate.read(client)
    if server.problem:
        raise ComfyUIError(server.problem, transient=False)
    offered = catalog_source.fetch(
        client,
        version=server.version,
        max_bytes=settings.max_catalog_size,
        seconds=settings.catalog_timeout,
    )
    return offered, server


def _without(places: dict[str, str], sentence: str) -> str:
    """A sentence in which addresses and folders have the names that they have on every host."""
    for place, name in places.items():
        sentence = sentence.replace(place, name)
    return sentence
