"""What a workflow needs: the model files it names, and the packs its nodes come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from comfywatchman.checks.engine.reading import unwrapped
from comfywatchman.checks.known.model_folders import model_folder
from comfywatchman.checks.missing_embedding import MARK, named
from comfywatchman.comfyui.names import looks_like_model
from comfywatchman.findings import NAME_LENGTH, printable
from comfywatchman.results import UsedModel, UsedPack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfywatchman.checks.engine.rulebook import Rulebook
    from comfywatchman.comfyui.catalog import Catalog, NodeType
    from comfywatchman.comfyui.inventory import Inventory
    from comfywatchman.workflow.prompt import Conversion, Prompt

MOST_LISTED: Final = 1_000
"""Most models, and most packs, that are listed of one workflow."""
_CORE_PACK: Final = "comfy-core"


def used_models(
    prompt: Prompt, catalog: Catalog, inventory: Inventory, book: Rulebook
) -> list[UsedModel]:
    """List the model files that a prompt names, whether or not an output needs them.

    Args:
        prompt: the prompt; nothing about its shape is taken for granted.
        catalog: the node types of the server.
        inventory: the files it has, as far as they could be seen.
        book: the rulebook of the catalog.
    """
    found: dict[tuple[str | None, str], bool | None] = {}
    for entry in prompt.values():
        if not isinstance(entry, dict) or not isinstance(inputs := entry.get("inputs"), dict):
            continue
        node_type = _known(entry, catalog)
        for name, text in _texts(inputs):
            if MARK in text:
                for embedding in named(text, alternatives=True):
                    found["embeddings", embedding] = inventory.has_embedding(embedding)
            elif looks_like_model(text):
                folder, present = _where(name, text, node_type, inventory, book)
                found[folder, text] = present
    listed = sorted(found.items(), key=lambda item: (item[0][0] or "", item[0][1]))
    return [
        UsedModel(folder=folder, name=printable(name, NAME_LENGTH), present=present)
        for (folder, name), present in listed[:MOST_LISTED]
    ]


def used_packs(conversion: Conversion, catalog: Catalog) -> list[UsedPack]:
    """List the custom node packs that the nodes of a workflow come from."""
    ids: dict[str, str] = {}
    saved_with: set[tuple[str, str | None]] = set()
    folders: set[str] = set()
    for node_id, entry in conversion.prompt.items():
        saved = conversion.nodes.get(node_id)
        node_type = _known(entry, catalog)
        folder = node_type.pack if node_type is not None else None
        if saved is not None and saved.pack and saved.pack != _CORE_PACK:
            saved_with.add((saved.pack, saved.pack_version))
            if folder is not None:
                ids[folder] = saved.pack
        elif folder is not None:
            folders.add(folder)
    named_already = {name for name, _ in saved_with}
    saved_with |= {
        (name, None) for folder in folders if (name := ids.get(folder, folder)) not in named_already
    }
    return [
        UsedPack(
            name=printable(name, NAME_LENGTH),
            version=None if version is None else printable(version),
        )
        for name, version in sorted(saved_with, key=lambda pack: (pack[0], pack[1] or ""))
    ][:MOST_LISTED]


def _known(entry: Any, catalog: Catalog) -> NodeType | None:
    class_type = entry.get("class_type") if isinstance(entry, dict) else None
    known = isinstance(class_type, str) and class_type in catalog
    return catalog[str(class_type)] if known else None


def _texts(inputs: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The texts among a node's inputs, and those one level down, where packs keep their rows."""
    for name, given in inputs.items():
        value = unwrapped(given)
        if isinstance(value, str):
            yield name, value
        elif isinstance(value, dict):
            yield from ((name, text) for text in value.values() if isinstance(text, str))


def _where(
    input_name: str, wanted: str, node_type: NodeType | None, inventory: Inventory, book: Rulebook
) -> tuple[str | None, bool | None]:
    """The folder a model file belongs in, and whether it is there."""
    spec = node_type.inputs.get(input_name) if node_type is not None else None
    choices = book.plan(node_type).choices(spec) if node_type and spec is not None else None
    known = model_folder(node_type, input_name) if node_type is not None else None
    if known is not None and choices is not None:
        return known.name, wanted in choices
    folders = inventory.folders_with(wanted)
    folder = folders[0] if len(folders) == 1 else None
    if choices is not None:
        return folder, wanted in choices
    return (folder, bool(folders)) if inventory.models else (None, None)
