"""The world as it would be with some model files more, or less."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from comfywatchman.checks.engine.rulebook import rulebook
from comfywatchman.checks.known.model_folders import listed_folder
from comfywatchman.comfyui.catalog import COMBO, Catalog
from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.comfyui.names import looks_like_file
from comfywatchman.history.schema import OUTPUTS, lists, mapped

if TYPE_CHECKING:
    from collections.abc import Iterable

    from comfywatchman.history.world import World

File = tuple[str, str]
"""A model folder, and what a file is called in it."""

_EMBEDDINGS: Final = "embeddings"


class Lists:
    """Which inputs and outputs of which node types list each model folder.

    Args:
        world: what is there.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._of: dict[str, dict[str, set[str]]] = {}
        catalog, book = world.catalog, rulebook(world.catalog)
        whole = {frozenset(names): folder for folder, names in world.inventory.models.items()}
        for node_type in catalog.values():
            for spec in node_type.inputs.values():
                if spec.type != COMBO or spec.choices is None:
                    continue
                folder = listed_folder(catalog, world.inventory, book, node_type, spec)
                if folder is not None:
                    self._note(folder.name, node_type.name, spec.name)
            # A node may hand on what it lets one choose; the lists at both ends are compared.
            for key, items in lists(node_type.declaration).items():
                if key[:1] == (OUTPUTS,) and items and all(isinstance(i, str) for i in items):
                    self._note(whole.get(frozenset(items)), node_type.name, OUTPUTS)

    def _note(self, folder: str | None, node_type: str, part: str) -> None:
        if folder is not None:
            self._of.setdefault(folder, {}).setdefault(node_type, set()).add(part)

    def types(self, folder: str) -> frozenset[str]:
        """The node types that list a folder."""
        return frozenset(self._of.get(folder, ()))

    def with_files(self, added: Iterable[File]) -> World:
        """The world with more model files, and with them in the server's lists.

        Args:
            added: folder and name of those that come.
        """
        world = self._world
        inventory, models = world.inventory, {**world.inventory.models}
        declarations, embeddings = dict(world.catalog.declarations), inventory.embeddings
        for folder, name in sorted(added):
            for node_type, parts in self._of.get(folder, {}).items():
                declarations[node_type] = mapped(
                    declarations[node_type],
                    lambda key, items, parts=parts, name=name: (  # type: ignore[misc]
                        _with(items, name) if key[:1] and key[0] in parts else items
                    ),
                )
            models[folder] = tuple(_with(list(models.get(folder, ())), name))
            if folder == _EMBEDDINGS and embeddings is not None:
                short = name.rpartition(".")[0] or name
                embeddings |= {short}
        catalog = Catalog(declarations, world.catalog.version, world.catalog.replacements)
        files, links, paths = inventory.files, inventory.links, inventory.paths
        return replace(
            world, catalog=catalog, inventory=Inventory(files, models, embeddings, links, paths)
        )


def _with(items: list[Any], name: str) -> list[Any]:
    """A list with one more file, where the server would list it."""
    if name in items:
        return items
    files = [i for i in items if isinstance(i, str) and looks_like_file(i)]
    first = next((f for f in files if f > name), None)
    at = items.index(first) if first is not None else len(items)
    return [*items[:at], name, *items[at:]]
