"""What is there: the host's model files and the bytes of its workflows, with or without its server.

The server says which files there are and where; while it is down, the last full check's
``inventory.json`` does. Workflows are read where they lie; one that only the server has is read
from the copy that the history keeps of it, if there is one.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from comfywatchman import lenient_json, state, state_files
from comfywatchman.comfyui import credentials, files, inventory_source, model_files, model_folders
from comfywatchman.comfyui.client import ComfyUIClient, ComfyUIError
from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.errors import ConfigError
from comfywatchman.escape import visible
from comfywatchman.exclusion import Exclusion
from comfywatchman.gate import comfyui as comfyui_gate
from comfywatchman.history.store import History
from comfywatchman.moments import shown
from comfywatchman.report.store import ReportStore
from comfywatchman.time_limit import Budget
from comfywatchman.workflow import find
from comfywatchman.workflow.prompt import WorkflowError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfywatchman.comfyui.model_files import Listing
    from comfywatchman.history.copies import Copies
    from comfywatchman.results import Report
    from comfywatchman.settings import Settings

SECONDS: Final = 60.0
"""How long looking at the model files may take; a mount may hang."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What is there.

    Attributes:
        source: where the names of the model files are from.
        listing: the model files that were found on this host.
        names: folder and name of every one that is listed, found or not.
        sizes: what the last full check knew of their sizes.
        report: the last full report; None if there is none.
        not_checked: one sentence for each thing that could not be seen.
        excluded: how many workflows are there that ``workflow_exclude`` names.
    """

    source: str
    listing: Listing
    names: tuple[tuple[str, str], ...]
    sizes: dict[tuple[str, str], int]
    report: Report | None
    not_checked: list[str]
    excluded: int
    _settings: Settings = field(repr=False)
    _workflows: list[find.Workflow] = field(repr=False)

    def workflows(self) -> Iterator[tuple[find.Workflow, bytes | None]]:
        """Each workflow with its bytes; None for one that cannot be read."""
        known = (
            {each.path: each.content_digest for each in self.report.workflows}
            if self.report
            else {}
        )
        with History.open(
            self._settings.resolved_state_dir, days=1, copies_room=1, readonly=True
        ) as history:
            for workflow in self._workflows:
                yield workflow, self._bytes(workflow, known.get(workflow.path), history.copies)

    def _bytes(self, workflow: find.Workflow, digest: str | None, copies: Copies) -> bytes | None:
        if isinstance(workflow, find.WorkflowOnServer) and digest:
            copy = copies.get(digest)
            if copy is not None and workflow.saved.size in (None, len(copy)):
                return copy
        if isinstance(workflow, find.WorkflowCopy):  # of what only the server has, which is down
            return copies.get(digest) if digest else None
        try:
            return workflow.read(self._settings.max_workflow_size)
        except WorkflowError:
            return None


def survey(settings: Settings, client: ComfyUIClient) -> Survey:
    """Look at what is there.

    Args:
        settings: the settings.
        client: the server, which may be down; in use for as long as workflows are read.

    Raises:
        ConfigError: the server is down, and no full check has left word of what it has.
    """
    report = None
    with suppress(ConfigError):
        report = ReportStore.latest(settings.resolved_state_dir)
    kept = _kept_inventory(settings.resolved_state_dir)
    found = find.in_folders(settings.workflow_dirs, Exclusion(settings.workflow_exclude))
    try:
        return _with_server(settings, client, report, kept, found)
    except ComfyUIError as error:
        return _without_server(settings, report, kept, found, str(error))


def client_of(settings: Settings) -> ComfyUIClient:
    """The server of the settings.

    Raises:
        ConfigError: a credential or CA file cannot be used.
    """
    return ComfyUIClient(settings, credentials.read(settings))


@dataclass(frozen=True, slots=True)
class _Kept:
    """What ``inventory.json`` holds."""

    taken_at: str = ""
    models: dict[str, dict[str, int | None]] = field(default_factory=dict)
    left_out: int = 0

    @property
    def sizes(self) -> dict[tuple[str, str], int]:
        return {
            (folder, name): size
            for folder, found in self.models.items()
            for name, size in found.items()
            if size is not None
        }


def _with_server(
    settings: Settings,
    client: ComfyUIClient,
    report: Report | None,
    kept: _Kept,
    found: find.Found,
) -> Survey:
    """Ask the server.

    Raises:
        ComfyUIError: it does not answer.
    """
    server = comfyui_gate.read(client)
    if server.problem:
        raise ComfyUIError(server.problem, transient=False)
    folders = None
    if settings.comfyui_dir is not None:
        folders = files.folders(settings.comfyui_dir, server.argv)
    inventory, blind = inventory_source.take_inventory(client, None)
    listing = model_files.look(
        client, inventory, settings.comfyui_dir, folders, server.argv, SECONDS
    )
    if settings.userdata:
        user = folders.user if folders else None
        saved = find.on_server(client, user, Exclusion(settings.workflow_exclude))
        found = find.Found(
            [*found.workflows, *saved.workflows],
            [*found.not_checked, *saved.not_checked],
            [*found.left_out, *saved.left_out],
        )
    not_listed = [] if inventory.models else blind[-1:]  # of the folders it says what is below too
    kept_now = find.distinct(found.workflows)
    return Survey(
        f"the server at {client.url}",
        listing,
        _names(inventory),
        kept.sizes,
        report,
        [*not_listed, *_unseen(settings, listing), *found.not_checked],
        len(find.distinct([*kept_now, *found.left_out])) - len(kept_now),
        settings,
        kept_now,
    )


def _without_server(
    settings: Settings, report: Report | None, kept: _Kept, found: find.Found, why: str
) -> Survey:
    """Rely on what the last full check left.

    Raises:
        ConfigError: it left nothing.
    """
    if not kept.taken_at:
        raise ConfigError(
            f"{why}; and no full check has left word of its files: start ComfyUI, or run: "
            "comfywatchman check"
        )
    inventory = Inventory(models={folder: tuple(names) for folder, names in kept.models.items()})
    listing = model_files.Listing()
    if settings.comfyui_dir is not None:
        places = model_folders.roots({}, inventory.models, settings.comfyui_dir, ())
        listing = model_files.listed(inventory, places, Budget(SECONDS))
    there = {each.path for each in found.workflows} | {each.path for each in found.left_out}
    more: list[find.Workflow] = []
    for workflow in report.workflows if report else ():
        if workflow.path in there:
            continue
        if os.path.isabs(workflow.path):  # noqa: PTH117  (a name, which may hold anything)
            more.append(find.WorkflowFile(Path(workflow.path), workflow.name))
        else:
            more.append(find.WorkflowCopy(workflow.path, workflow.name, b""))
    blind = [f"model folders that only the server knows of are not seen while it is down: {why}"]
    if kept.left_out:
        blind.append(f"inventory.json left out {kept.left_out:,} files or packs")
    return Survey(
        f"the last full check, of {_moment(kept.taken_at)}, as {why}",
        listing,
        _names(inventory),
        kept.sizes,
        report,
        [*blind, *_unseen(settings, listing), *found.not_checked],
        report.left_out if report else len(found.left_out),
        settings,
        find.distinct([*found.workflows, *more]),
    )


def _unseen(settings: Settings, listing: Listing) -> Iterator[str]:
    if settings.comfyui_dir is None:
        yield "comfyui_dir is not set: no model file could be looked at"
    for folder, why in listing.blind.items():
        yield f"the files of {visible(folder)} could not be looked at: {why}"


def _names(inventory: Inventory) -> tuple[tuple[str, str], ...]:
    listed = {(folder, name) for folder, names in inventory.models.items() for name in names}
    return tuple(sorted(listed))


def _moment(text: str) -> str:
    try:
        return shown(datetime.fromisoformat(text))
    except ValueError:
        return visible(text, limit=40)


def _kept_inventory(folder: Path) -> _Kept:
    """What ``inventory.json`` holds; nothing if it is not there or damaged."""
    try:
        document = lenient_json.parse(state.read_file(folder / state_files.INVENTORY))
        models = {
            str(name): {
                str(file): size if isinstance(size, int) and size >= 0 else None
                for file, size in found.items()
            }
            for name, found in document["models"].items()
        }
        left_out = document.get("left_out")
        return _Kept(
            str(document["taken_at"]), models, left_out if isinstance(left_out, int) else 0
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return _Kept()
