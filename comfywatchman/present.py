"""What is there now, asked at once and outside of a cycle; or what the last cycle left of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from comfywatchman import __version__, basis
from comfywatchman.comfyui import model_files
from comfywatchman.comfyui.client import ComfyUIClient, ComfyUIError
from comfywatchman.comfyui.provenance.inquiry import Inquiry
from comfywatchman.errors import ConfigError
from comfywatchman.exclusion import Exclusion
from comfywatchman.gate import comfyui as comfyui_gate
from comfywatchman.history.environment import reading
from comfywatchman.history.environment.sources import Sources
from comfywatchman.history.facts import Environment
from comfywatchman.history.schema import FileNames, schema_digest
from comfywatchman.history.store import History
from comfywatchman.history.world import World
from comfywatchman.moments import shown
from comfywatchman.workflow import find

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from comfywatchman.comfyui import files
    from comfywatchman.history.copies import Copies
    from comfywatchman.history.records import State
    from comfywatchman.history.store import Previous
    from comfywatchman.settings import Settings

MODELS_S: Final = 30.0
"""Seconds for looking at the model files."""


@dataclass(frozen=True, slots=True)
class Here:
    """What is there now.

    Attributes:
        world: what this host's workflows are judged against.
        workflows: they.
        told: where all that is from, in a few words.
        at: when that was so, UTC.
        not_checked: one sentence for each thing that could not be seen.
        folders: ComfyUI's folders on this host; None where they are not seen, or it does not
            answer.
        previous: the last full cycle, where the server does not answer.
    """

    world: World
    workflows: list[find.Workflow]
    told: str
    at: datetime
    not_checked: list[str]
    folders: files.Folders | None = None
    previous: Previous | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a host is made of, and where its files lie.

    Attributes:
        environment: the facts, as a cycle reads them.
        model_files: the server's model files on this host.
    """

    environment: Environment
    model_files: Sequence[model_files.ModelFile]


def history(settings: Settings) -> History:
    """What was kept, to be looked at only."""
    return History.open(settings.resolved_state_dir, days=1, copies_room=1, readonly=True)


def look(settings: Settings, client: ComfyUIClient, history: History) -> Here:
    """Ask the server; where it does not answer, take what the last full cycle left.

    Raises:
        ConfigError: it does not answer, and nothing was left.
    """
    try:
        return asked(settings, client)
    except ComfyUIError as error:
        found = find.in_folders(settings.workflow_dirs, Exclusion(settings.workflow_exclude))
        return _kept(settings, history, found, str(error))


def asked(settings: Settings, client: ComfyUIClient) -> Here:
    """Ask the server.

    Raises:
        ComfyUIError: it does not answer.
    """
    exclusion = Exclusion(settings.workflow_exclude)
    catalog, inventory, not_checked, folders = basis.of_server(client, settings)
    found = find.in_folders(settings.workflow_dirs, exclusion)
    saved = find.Found()
    if settings.userdata:
        user = folders.user if folders else None
        saved = find.on_server(client, user, exclusion)
    world = World(catalog, inventory, settings.max_workflow_depth, int(settings.max_workflow_size))
    workflows = find.distinct([*found.workflows, *saved.workflows])
    blind = [*not_checked, *found.not_checked, *saved.not_checked]
    return Here(world, list(workflows), settings.comfyui_url, datetime.now(UTC), blind, folders)


def surroundings(settings: Settings, client: ComfyUIClient, here: Here) -> Surroundings:
    """Look at what the host is made of; where the server does not answer, take what was kept."""
    if here.previous is not None:
        return Surroundings(Environment(here.previous.facts()), ())
    catalog, inventory = here.world.catalog, here.world.inventory
    inquiry = Inquiry(catalog, client, here.folders)
    inquiry.begin()
    files = FileNames(inventory)
    server = comfyui_gate.read(client)
    listing = model_files.look(
        client, inventory, settings.comfyui_dir, here.folders, server.argv, MODELS_S
    )
    sources = Sources(
        system_stats=server.stats,
        model_files=listing,
        comfyui_dir=settings.comfyui_dir,
        folders=here.folders,
        knowledge=inquiry.knowledge,
        catalog=catalog,
        inventory=inventory,
        digest=lambda declaration: schema_digest(declaration, files),
        program={"version": __version__},
    )
    return Surroundings(reading.read(sources), listing.files)


def _kept(settings: Settings, history: History, found: find.Found, why: str) -> Here:
    """What the last full cycle left, where the server does not answer.

    Raises:
        ConfigError: it left nothing.
    """
    previous = history.previous()
    world = previous.world() if previous is not None else None
    if previous is None or world is None:
        raise ConfigError(f"{why}; and no catalog of an earlier check is kept to compare with")
    workflows: list[find.Workflow] = list(find.distinct(found.workflows))
    there = {workflow.path for workflow in workflows}
    kept, lost = _copies(
        (state for path, state in previous.states.items() if path not in there), history.copies
    )
    blind = list(found.not_checked)
    if lost:
        blind.append(f"{lost:,} workflows that only the server has, of which no copy is kept")
    told = f"the catalog that was kept of {settings.comfyui_url} at {shown(previous.started_at)}"
    told = f"{told}, as {why}"
    at = previous.started_at
    return Here(world, [*workflows, *kept], told, at, blind, previous=previous)


def _copies(states: Iterable[State], copies: Copies) -> tuple[list[find.WorkflowCopy], int]:
    kept: list[find.WorkflowCopy] = []
    lost = 0
    for state in states:
        raw = copies.get(state.content_digest) if state.content_digest else None
        if raw is None:
            lost += 1
        else:
            kept.append(find.WorkflowCopy(state.path, state.name, raw))
    return kept, lost
