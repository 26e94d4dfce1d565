"""Reads the environment of a cycle, each source by its reader, those of the disk side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from comfywatchman.escape import visible
from comfywatchman.history.environment import (
    input_files,
    interpreter,
    models,
    packages,
    packs,
    server,
)
from comfywatchman.history.facts import Environment, FactKind
from comfywatchman.time_limit import Blind, Budget, Reading

if TYPE_CHECKING:
    from comfywatchman.history.environment.sources import Sources
    from comfywatchman.history.facts import Facts, Value

_Read = Callable[[], dict[str, "Value"]]


def read(sources: Sources) -> Environment:
    """Read the environment of a cycle. Never raises for what it finds on the host.

    Returns:
        What was found. A kind that could not be read is not among the facts; ``blind`` says why.
    """
    budget = Budget(sources.seconds)
    argv, comfyui_dir, folders = sources.argv, sources.comfyui_dir, sources.folders
    disk_packs = (
        None
        if folders is None
        else Reading(lambda: packs.on_disk(folders.custom_nodes, budget), budget)
    )
    readers: dict[FactKind, _Read] = {
        FactKind.COMFYUI: lambda: server.comfyui(
            _version(sources), server.code_folder(comfyui_dir, argv), budget
        ),
        FactKind.PACKAGE: lambda: _packages(sources, budget),
        FactKind.MODEL: lambda: models.seen(models.models(sources.inventory), sources.model_files),
        FactKind.EMBEDDING: lambda: models.seen(
            models.embeddings(sources.inventory), sources.model_files
        ),
        FactKind.INPUT_FILE: lambda: input_files.input_files(
            sources.inventory.files.get("input"), folders.input if folders else None, budget
        ),
    }
    readings = {kind: Reading(reader, budget) for kind, reader in readers.items()}
    facts: Facts = {
        FactKind.NODE_TYPE: _node_types(sources),
        FactKind.SETTING: {name: {"value": value} for name, value in sources.settings.items()},
        FactKind.PROGRAM: {"": sources.program},
    }
    blind: dict[FactKind, str] = {}

    def note(kind: FactKind, reader: _Read) -> None:
        try:
            facts[kind] = reader()
        except Blind as reason:
            blind[kind] = str(reason)

    for kind, reading in readings.items():
        note(kind, reading.result)
    found = facts.get(FactKind.PACKAGE)
    note(FactKind.FRONTEND, lambda: server.frontend(sources.system, found))
    modules = None if comfyui_dir is None else server.MODULES
    note(FactKind.RUNTIME, lambda: server.runtime(sources.system, sources.driver, modules))
    note(FactKind.ARGUMENTS, lambda: server.arguments(argv))
    note(FactKind.PACK, lambda: _packs(sources, disk_packs, facts[FactKind.NODE_TYPE]))
    return Environment({kind: facts[kind] for kind in FactKind if kind in facts}, blind)


def _version(sources: Sources) -> str | None:
    said = sources.system.get("comfyui_version")
    return said if isinstance(said, str) else sources.catalog.version


def _packages(sources: Sources, budget: Budget) -> dict[str, Value]:
    folder = server.code_folder(sources.comfyui_dir, sources.argv)
    if folder is None:
        raise Blind("which Python packages ComfyUI has: comfyui_dir does not tell where it is")
    if not sources.system:
        raise Blind(server.NO_STATS)
    found = interpreter.site_packages(folder, sources.argv, sources.system, budget)
    return packages.packages(found, budget)


def _node_types(sources: Sources) -> dict[str, Value]:
    return {
        visible(name): {
            "schema": sources.digest(node_type.declaration),
            "pack": None if node_type.pack is None else visible(node_type.pack),
        }
        for name, node_type in sources.catalog.items()
    }


def _packs(
    sources: Sources, disk: Reading[dict[str, Value]] | None, node_types: dict[str, Value]
) -> dict[str, Value]:
    digests = packs.digests(
        (folder, name, str(value["schema"]))
        for name, value in node_types.items()
        if isinstance(folder := value["pack"], str)
    )
    return packs.packs(disk.result() if disk is not None else None, sources.knowledge, digests)
