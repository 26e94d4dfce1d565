"""``comfywatchman fix``: the host as it is now, and what is done there.

Nothing here happens in a cycle. A cycle that runs at the same time only reads.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import filelock

from comfywatchman import __version__, basis, ownership, present, state, state_files
from comfywatchman.comfyui import credentials, model_files
from comfywatchman.comfyui.client import ComfyUIClient, ComfyUIError
from comfywatchman.errors import ConfigError
from comfywatchman.escape import visible
from comfywatchman.findings import quoted
from comfywatchman.fixes import apply, damaged, fetching, planning, proposing, seeing, showing, undo
from comfywatchman.fixes import record as records
from comfywatchman.fixes.busy import is_at_work
from comfywatchman.fixes.here import Content, Here, Saved
from comfywatchman.fixes.last_ran import LastRan
from comfywatchman.fixes.plan import Plan, PlanHost
from comfywatchman.fixes.proof import is_worse
from comfywatchman.fixes.writing import RefusedError
from comfywatchman.gate import comfyui as comfyui_gate
from comfywatchman.gate import lock
from comfywatchman.history.facts import FactKind
from comfywatchman.history.world import World
from comfywatchman.judging.cache import VerdictCache
from comfywatchman.judging.workflow import judge_workflow
from comfywatchman.modelfiles import state_of
from comfywatchman.modelfiles.hashes import Hashes
from comfywatchman.modelfiles.looking import Looked
from comfywatchman.report.store import ReportStore
from comfywatchman.workflow import find
from comfywatchman.workflow.naming import NotNamedError, named
from comfywatchman.workflow.prompt import WorkflowError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from comfywatchman.fixes.apply import Applied
    from comfywatchman.fixes.downloading import Progress
    from comfywatchman.fixes.record import Record
    from comfywatchman.history.store import History
    from comfywatchman.results import WorkflowReport
    from comfywatchman.settings import Settings

HELD: Final = "another `comfywatchman fix` is at work on this host"


class LockedError(Exception):
    """Somebody else is at work."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The host as it is now.

    Attributes:
        here: it.
        inputs: ComfyUI's input folder, if it is on this host.
        not_checked: one sentence for each thing that could not be seen.
    """

    here: Here
    inputs: Path | None
    not_checked: list[str]


def make_plan(settings: Settings, wanted: Sequence[str], taken: Sequence[str]) -> Plan:
    """Find out what can be mended, and how. Nothing is written.

    Args:
        settings: the settings.
        wanted: the workflows, by path or name as reports have them, or as files; none: all.
        taken: ids of fixes that a person has chosen.

    Raises:
        RefusedError: the server cannot be asked, or there is no such workflow.
        ConfigError: a credential cannot be used.
    """
    with _client(settings) as client, _asking(settings):
        seen = look(settings, client)
    only = _wanted(seen.here, wanted) if wanted else None
    with present.history(settings) as history:
        here = replace(seen.here, gone=history.gone(FactKind.MODEL))
        proposals = proposing.propose(here, only)
        for name in set(taken) - {each.id for each in proposals}:
            raise RefusedError(f"there is no fix {quoted(name, 100)} to take")
        planned = planning.plan(
            here,
            proposals,
            wanted=only,
            taken=taken,
            inputs=seen.inputs,
            reported=_reported(settings),
            last_ran=lambda path: _last_ran(history, path),
        )
    files = seen.here.files
    looked = Looked(state_of.conditions(settings.resolved_state_dir, files), files)
    planned.by_hand += damaged.by_hand(here, looked, only)
    this = ownership.this_host()
    world = seen.here.world
    plan = Plan(
        comfywatchman_version=__version__,
        host=PlanHost(name=this.name, machine=this.machine, given=this.given),
        instance=settings.instance,
        comfyui_url=settings.comfyui_url,
        made_at=datetime.now(UTC),
        catalog=seeing.catalog_digest(world, planned.workflows),
        comfyui_version=world.catalog.version,
        workflows=planned.workflows,
        reads=list(planned.reads.values()),
        by_hand=planned.by_hand,
        not_written=planned.not_written,
        not_checked=seen.not_checked,
    )
    return plan.model_copy(update={"text": list(showing.lines(plan, planned.shown))})


def apply_plan(
    settings: Settings,
    plan: Plan,
    *,
    only_proven: bool,
    tell: Callable[[Progress], None] | None = None,
) -> tuple[Applied, list[str], list[str]]:
    """Do what a plan says, and judge again.

    Args:
        settings: the settings.
        plan: it.
        only_proven: leave out what is not.
        tell: hears how far a download is; None: nothing is downloaded.

    Returns:
        What was done, the verdicts since, and a sentence for each workflow that got worse.

    Raises:
        RefusedError: something is not as the plan says. Nothing was written.
        LockedError: another one is at work.
        ConfigError: the state folder, or a credential, cannot be used.
        OSError: something could not be written.
    """
    with _alone(settings) as folder, _client(settings) as client:
        with _asking(settings):
            seen = look(settings, client)
        place = apply.Place(
            seen.here,
            ownership.this_host(),
            settings.instance,
            folder,
            lambda: _queue(client),
        )
        fetcher = fetching.fetcher(settings, seen.here, tell) if tell is not None else None
        done = apply.apply(plan, place, only_proven=only_proven, fetcher=fetcher)
        if done.record is None:
            return done, [], []
    try:
        with _client(
            settings
        ) as client:  # what was downloaded may have taken the time of the first
            after = look(settings, client).here
    except ComfyUIError as error:
        return done, [f"what comes of it could not be judged: {error}"], []
    verdicts, worse = _compared(seen.here, after, {part.workflow for part in plan.workflows})
    return done, verdicts, worse


def undo_fix(settings: Settings, name: str) -> list[str]:
    """Take a fix back.

    Returns:
        A sentence for each file.

    Raises:
        RefusedError: something was changed since, or the server works on it. Nothing was written.
        LockedError: another one is at work.
        ConfigError: there is no such fix.
        OSError: something could not be written.
    """
    with _alone(settings) as folder:
        record = records.find(folder, name)
        with _client(settings) as client:
            return undo.undo(folder, record, lambda raw: _at_work(settings, client, raw))


def on_record(settings: Settings) -> tuple[list[Record], list[str]]:
    """What was done, the oldest first, and a sentence for each record that makes no sense."""
    return records.everything(settings.resolved_state_dir)


def look(settings: Settings, client: ComfyUIClient) -> Seen:
    """Look at the host: its server, its files, and all its workflows, each judged.

    Raises:
        ComfyUIError: the server cannot be asked.
    """
    now = present.asked(settings, client)
    world, folders = now.world, now.folders
    models = model_files.look(
        client,
        world.inventory,
        settings.comfyui_dir,
        folders,
        comfyui_gate.read(client).argv,
        present.MODELS_S,
    )
    blind = [*now.not_checked]
    blind += [f"models/{folder}: {why}" for folder, why in sorted(models.blind.items())]
    judged = _judged(world, now.workflows)
    if unread := len(now.workflows) - len(judged):
        blind.append(f"{unread:,} workflows that cannot be read: they are not mended")
    hashes = Hashes.read(settings.resolved_state_dir).of_paths(models.files)
    contents = {
        place: Content(*known)
        for path, known in hashes.items()
        for place in planning.names_of(path, models.places)
    }
    here = Here(world, judged, models.files, models.places, contents)
    return Seen(here, folders.input if folders else None, blind)


def _judged(world: World, workflows: Sequence[find.Workflow]) -> list[Saved]:
    cache = VerdictCache(None, world.catalog, world.inventory, {})
    judged = []
    for workflow in workflows:
        try:
            raw = workflow.read(world.size)
        except WorkflowError:
            continue
        copy = find.WorkflowCopy(workflow.path, workflow.name, raw)
        report = judge_workflow(copy, cache, max_bytes=world.size, max_depth=world.depth)
        judged.append(Saved(workflow, raw, report))
    return judged


def _wanted(here: Here, wanted: Sequence[str]) -> set[str]:
    """The paths of workflows that a person names.

    Raises:
        RefusedError: there is no such workflow, or it is not clear which is meant.
    """
    known = {saved.report.path: saved.report.name for saved in here.workflows}
    found: set[str] = set()
    for text in wanted:
        file = visible(os.path.abspath(text))  # noqa: PTH100
        try:
            found.add(file if file in known else named(text, known, "this host", by_end=False))
        except NotNamedError as error:
            raise RefusedError(f"{error}; workflow_dirs says where they are looked for") from None
    return found


def _reported(settings: Settings) -> dict[str, WorkflowReport]:
    """What the last report found, which knows more about packs."""
    with contextlib.suppress(ConfigError):
        report = ReportStore.latest(settings.resolved_state_dir)
        return {each.path: each for each in report.workflows}
    return {}


def _last_ran(history: History, path: str) -> LastRan | None:
    at = history.last_good(path)
    return LastRan(at, history.facts_at(at)) if at is not None else None


def _compared(before: Here, after: Here, touched: set[str]) -> tuple[list[str], list[str]]:
    was = {saved.report.path: saved.report for saved in before.workflows}
    verdicts, worse = [], []
    for saved in after.workflows:
        path, now = saved.report.path, saved.report
        old = was.get(path)
        if path in touched and old is not None:
            verdicts.append(f"{visible(path)}: {old.verdict} before, {now.verdict} now")
        same_bytes = old is not None and old.content_digest == now.content_digest
        if old is not None and (path in touched or same_bytes) and is_worse(now, old):
            worse.append(f"{visible(path)}: {now.verdict} now, and {old.verdict} before")
    return verdicts, worse


def _queue(client: ComfyUIClient) -> object:
    """What the server works on; None if it does not say."""
    try:
        return client.get_json("/queue")
    except ComfyUIError:
        return None


def _at_work(settings: Settings, client: ComfyUIClient, raw: bytes) -> str | None:
    """Why a workflow with these bytes must be left alone. A server that is off works on nothing."""
    try:
        queue = client.get_json("/queue")
        if queue == {"queue_running": [], "queue_pending": []}:
            return None
        catalog, inventory, _, _ = basis.of_server(client, settings)
    except ComfyUIError as error:
        return None if not error.sent else f"may be one that the server works on: {error}"
    size = int(settings.max_workflow_size)
    return is_at_work(queue, raw, World(catalog, inventory, settings.max_workflow_depth, size))


def _client(settings: Settings) -> ComfyUIClient:
    return ComfyUIClient(settings, credentials.read(settings))


@contextlib.contextmanager
def _asking(settings: Settings) -> Iterator[None]:
    try:
        yield
    except ComfyUIError as error:
        raise RefusedError(f"{settings.comfyui_url} cannot be asked: {error}") from None


@contextlib.contextmanager
def _alone(settings: Settings) -> Iterator[Path]:
    """Hold the lock of fixes, and say which folder their records are in."""
    folder = settings.resolved_state_dir
    ownership.refuse_other_hosts(folder)
    state.make_folder(folder)
    held = lock.make(folder / state_files.FIX_LOCK)
    try:
        with held:
            yield folder
    except filelock.Timeout:
        raise LockedError(HELD) from None
