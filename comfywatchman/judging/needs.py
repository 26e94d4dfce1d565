"""What a workflow needs: the model files it names, and the packs its nodes come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from comfywatchman.checks.known.model_folders import model_folder
from comfywatchman.checks.missing_embedding import MARK, named
from comfywatchman.comfyui.names import looks_like_model
from comfywatchman.comfyui.provenance.pack import CORE
from comfywatchman.findings import NAME_LENGTH, printable
from comfywatchman.results import UsedModel, UsedPack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from comfywatchman.checks.engine.rulebook import NodePlan
    from comfywatchman.comfyui.inventory import Inventory
    from comfywatchman.workflow.prompt import Prompt, SavedNode

MOST_LISTED: Final = 1_000
"""Most models, and most packs, that are listed of one workflow."""


def needs(
    prompt: Prompt,
    nodes: Mapping[str, SavedNode],
    plans: Mapping[str, NodePlan],
    inventory: Inventory,
) -> tuple[list[UsedModel], list[UsedPack]]:
    """List what a workflow names and needs, whether or not an output needs it.

    Args:
        prompt: the workflow as a prompt; nothing about its shape is taken for granted.
        nodes: what the saved file says of its nodes.
        plans: by id, what the rulebook says of those of a type that the server offers.
        inventory: the files it has, as far as they could be seen.
    """
    models: dict[tuple[str | None, str], bool | None] = {}
    packs = _Packs()
    for node_id, entry in prompt.items():
        plan = plans.get(node_id)
        packs.add(nodes.get(node_id), plan.type.pack if plan is not None else None)
        inputs = entry.get("inputs") if isinstance(entry, dict) else None
        for name, text in _texts(inputs) if isinstance(inputs, dict) else ():
            if MARK in text:
                for embedding in named(text, alternatives=True):
                    models["embeddings", embedding] = inventory.has_embedding(embedding)
            elif looks_like_model(text):
                folder, present = _where(name, text, plan, inventory)
                models[folder, text] = present
    listed = sorted(models.items(), key=lambda item: (item[0][0] or "", item[0][1]))
    return [
        UsedModel(folder=folder, name=printable(name, NAME_LENGTH), present=present)
        for (folder, name), present in listed[:MOST_LISTED]
    ], packs.listed()


class _Packs:
    """The packs of a workflow's nodes: by the id that the file names, else by their folder."""

    def __init__(self) -> None:
        self._saved_with: set[tuple[str, str | None]] = set()
        self._ids: dict[str, str] = {}
        self._folders: set[str] = set()

    def add(self, saved: SavedNode | None, folder: str | None) -> None:
        """Note the pack of one node, whose type comes from a folder below ``custom_nodes``."""
        if saved is not None and saved.pack and saved.pack != CORE:
            self._saved_with.add((saved.pack, saved.pack_version))
            if folder is not None:
                self._ids[folder] = saved.pack
        elif folder is not None:
            self._folders.add(folder)

    def listed(self) -> list[UsedPack]:
        """Each with each version that it was saved with, by name."""
        by_id = {name for name, _ in self._saved_with}
        by_folder = {self._ids.get(folder, folder) for folder in self._folders} - by_id
        packs = self._saved_with | {(name, None) for name in by_folder}
        return [
            UsedPack(
                name=printable(name, NAME_LENGTH),
                version=None if version is None else printable(version),
            )
            for name, version in sorted(packs, key=lambda pack: (pack[0], pack[1] or ""))
        ][:MOST_LISTED]


def _texts(inputs: dict[str, Any]) -> list[tuple[str, str]]:
    """The texts among a node's inputs, and those one level down, where packs keep their rows."""
    texts = []
    for name, given in inputs.items():
        if isinstance(given, str):
            texts.append((name, given))
        elif isinstance(given, dict):
            texts += [(name, text) for text in given.values() if isinstance(text, str)]
    return texts


def _where(
    input_name: str, wanted: str, plan: NodePlan | None, inventory: Inventory
) -> tuple[str | None, bool | None]:
    """The folder a model file belongs in, and whether it is there."""
    spec = plan.type.inputs.get(input_name) if plan is not None else None
    choices = plan.choices(spec) if plan is not None and spec is not None else None
    known = model_folder(plan.type, input_name) if plan is not None else None
    if known is not None and choices is not None:
        return known.name, wanted in choices
    folders = inventory.folders_with(wanted)
    folder = folders[0] if len(folders) == 1 else None
    if choices is not None:
        return folder, wanted in choices
    return (folder, bool(folders)) if inventory.models else (None, None)
