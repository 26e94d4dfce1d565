"""The world as it would be with one more model file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comfywatchman.checks.engine.rulebook import rulebook
from comfywatchman.checks.known.model_folders import listed_folder
from comfywatchman.comfyui.catalog import COMBO, Catalog
from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.comfyui.names import looks_like_file
from comfywatchman.history.schema import mapped
from comfywatchman.history.world import World

if TYPE_CHECKING:
    from collections.abc import Mapping

_EMBEDDINGS = "embeddings"


class Lists:
    """Which inputs of which node types list each model folder.

    Args:
        world: what is there.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._of: dict[str, dict[str, set[str]]] = {}
        catalog, book = world.catalog, rulebook(world.catalog)
        for node_type in catalog.values():
            for spec in node_type.inputs.values():
                if spec.type != COMBO or spec.choices is None:
                    continue
                folder = listed_folder(catalog, world.inventory, book, node_type, spec)
                if folder is not None:
                    types = self._of.setdefault(folder.name, {})
                    types.setdefault(node_type.name, set()).add(spec.name)

    def types(self, folder: str) -> frozenset[str]:
        """The node types that list a folder."""
        return frozenset(self._of.get(folder, ()))

    def with_file(self, folder: str, name: str, world: World | None = None) -> World:
        """The world in which a folder holds one more file, and the server lists it.

        Args:
            folder: the model folder.
            name: what the file is called there.
            world: to what it is added; None: to what is there.
        """
        world = world or self._world
        catalog, inventory = world.catalog, world.inventory
        declarations = dict(catalog.declarations)
        for node_type, inputs in self._of.get(folder, {}).items():
            declarations[node_type] = _with_choice(declarations[node_type], inputs, name)
        models = {**inventory.models}
        models[folder] = tuple(sorted({*models.get(folder, ()), name}))
        embeddings = inventory.embeddings
        if folder == _EMBEDDINGS and embeddings is not None:
            embeddings |= {name.rpartition(".")[0] or name}
        return World(
            Catalog(declarations, catalog.version, catalog.replacements),
            Inventory(inventory.files, models, embeddings, inventory.links, inventory.paths),
            world.depth,
            world.size,
        )


def _with_choice(declaration: Mapping[str, Any], inputs: set[str], name: str) -> dict[str, Any]:
    """A node type whose lists hold one more file, where the server would list it."""

    def change(key: tuple[str, ...], items: list[Any]) -> list[Any]:
        if key[:1] and key[0] in inputs and name not in items:
            files = [i for i in items if isinstance(i, str) and looks_like_file(i)]
            first = next((f for f in files if f > name), None)
            at = items.index(first) if first is not None else len(items)
            return [*items[:at], name, *items[at:]]
        return items

    return mapped(declaration, change)
