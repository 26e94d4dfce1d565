"""The cycle as a LangGraph graph: state, nodes, edges; nothing else.

Each node hands its work to the package that knows how, and puts what came of it into the state.
What a node needs from outside (settings, server, lock) is injected as the graph's context.
"""

from __future__ import annotations

import math
import operator
import socket
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypedDict

from langgraph.errors import NodeError
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command

from comfywatchman import __version__, off_switch, redaction, room
from comfywatchman.acceptances.applying import Accepting, applied
from comfywatchman.channels.sending import kept as channels_kept
from comfywatchman.checks.versions import beyond_what_is_known
from comfywatchman.clock import CycleClock
from comfywatchman.comfyui import (
    catalog_source,
    files,
    inventory_file,
    inventory_source,
    model_files,
)
from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.comfyui.catalog_file import Basis
from comfywatchman.comfyui.client import ComfyUIClient, ComfyUIError
from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.comfyui.model_files import Listing
from comfywatchman.comfyui.provenance.inquiry import Inquiry
from comfywatchman.comfyui.provenance.kept_map import KeptMap
from comfywatchman.comfyui.userdata_reader import UserdataReader
from comfywatchman.cycle import damage, models
from comfywatchman.cycle.asking import Asking
from comfywatchman.cycle.memory import Memory, Remembered, Seen
from comfywatchman.cycle.progress import (
    Alarmed,
    Compared,
    GateAnswered,
    Judged,
    Noted,
    ReadingBegins,
    WasRead,
    WillFail,
    WorkflowsFound,
)
from comfywatchman.escape import visible
from comfywatchman.exclusion import Exclusion
from comfywatchman.gate import comfyui as comfyui_gate
from comfywatchman.gate import disk, gpu, lock
from comfywatchman.gate.comfyui import ServerReading
from comfywatchman.gate.gpu import NvmlReading
from comfywatchman.history.error import HistoryError
from comfywatchman.history.facts import Environment
from comfywatchman.history.world import World
from comfywatchman.judging.cache import VerdictCache
from comfywatchman.judging.so_far import SoFar
from comfywatchman.judging.workflow import judge_workflow, postpone
from comfywatchman.modelfiles.hashes import Hashes
from comfywatchman.modelfiles.marking import Marked
from comfywatchman.report.accepted import worth_showing
from comfywatchman.report.store import ReportStore
from comfywatchman.results import (
    GateAnswer,
    LastRun,
    Notices,
    Outcome,
    Report,
    Server,
    Summary,
    Verdict,
    WorkflowReport,
)
from comfywatchman.settings import AskServer, Settings
from comfywatchman.workflow import find, postponed
from comfywatchman.workflow.find import Workflow

if TYPE_CHECKING:
    from filelock import BaseFileLock
    from langgraph.graph.state import CompiledStateGraph


_FILES = 0.2
"""The part of a cycle's time that listing ComfyUI's own folders may take."""
_LISTING, _LISTING_MOST = 0.1, 20.0
"""The part of a cycle's time that looking at the model files may take, and seconds at most."""
_INSPECTING, _INSPECTING_MOST = 0.1, 60.0
"""The same of looking into them."""
_TELL_EVERY = 0.1
"""Seconds between two words of progress."""
_JUDGING = 0.8
"""The part of a cycle's time after which no more is judged; the rest is for the report."""
_GATE_ORDER = ("comfyui", "gpu", "disk", "lock")


@dataclass(frozen=True, slots=True)
class Target:
    """What a cycle is asked to judge.

    Attributes:
        paths: files and folders; empty means everything the settings name.
        object_info: a saved catalog that stands in for the server.
        comfyui_version: the release that it came from, if it does not say so itself.
    """

    paths: tuple[Path, ...] = ()
    object_info: Path | None = None
    comfyui_version: str | None = None

    def shown(self) -> list[str]:
        """The paths as a report names them."""
        return [visible(str(path)) for path in self.paths]


@dataclass(frozen=True, slots=True)
class CycleContext:
    """What the nodes need from outside."""

    settings: Settings
    target: Target
    client: ComfyUIClient | None
    """None when a saved catalog stands in for the server."""
    store: ReportStore | None
    """None when nothing is to be kept."""
    lock: BaseFileLock | None
    clock: CycleClock
    saved: Basis | None = None
    """The saved catalog that stands in for the server."""
    reader: UserdataReader | None = None
    """Reads the workflows saved on the server; None where there is none."""
    memory: Memory | None = None
    """The history; None where none is kept, or not everything is judged."""

    @property
    def is_whole(self) -> bool:
        """Whether all that the settings name is judged, for a server, as the timer does."""
        return self.client is not None and not self.target.paths


def _first_reason(first: str, later: str) -> str:
    """What failed first is told when nodes that run side by side fail together."""
    return first or later


def _in_order(answers: list[GateAnswer], more: list[GateAnswer]) -> list[GateAnswer]:
    """Probes answer in any order; people read the answers in one."""
    return sorted([*answers, *more], key=lambda answer: _GATE_ORDER.index(answer.name))


class CycleState(TypedDict, total=False):
    """What the nodes hand on to each other."""

    nvml: NvmlReading
    server: ServerReading
    gate: Annotated[list[GateAnswer], _in_order]
    catalog: Catalog
    inventory: Inventory
    model_files: Listing
    inquiry: Inquiry
    found: list[Workflow]
    left_out: int
    left_out_paths: list[str]
    unseen: list[str]
    workflows: list[WorkflowReport]
    verdicts: VerdictCache
    asking: Asking | None
    marked: Marked
    hashes: Hashes | None
    unanswered: list[int]
    not_checked: Annotated[list[str], operator.add]
    skip_reason: Annotated[str, _first_reason]
    before: LastRun | None
    environment: Environment
    remembered: Remembered
    report: Report
    history_trouble: Annotated[str, _first_reason]


CycleRuntime = Runtime[CycleContext]


def probe_gpu(state: CycleState) -> CycleState:
    """Ask NVML what is free."""
    return {"nvml": gpu.read()}


def probe_comfyui(state: CycleState, runtime: CycleRuntime) -> CycleState:
    """Ask the server whether it is up and busy."""
    assert runtime.context.client is not None  # noqa: S101  (the offline route never comes here)
    return {"server": comfyui_gate.read(runtime.context.client)}


def probe_disk(state: CycleState, runtime: CycleRuntime) -> CycleState:
    """See whether the reports can be written."""
    assert runtime.context.store is not None  # noqa: S101
    answer = disk.probe(runtime.context.store.folder, runtime.context.settings.min_free_disk)
    return {"gate": [answer]}


def take_lock(state: CycleState, runtime: CycleRuntime) -> CycleState:
    """Make sure that no other cycle runs, and mark this one as running."""
    context = runtime.context
    assert context.lock is not None  # noqa: S101
    assert context.store is not None  # noqa: S101
    answer = lock.probe(context.lock)
    if not answer.ok:
        return {"gate": [answer]}
    before = context.store.last_run()
    trouble = ""
    if before is not None and context.memory is not None:
        try:  # before its word is gone, should this cycle be killed
            context.memory.remember_interrupted(before)
        except HistoryError as error:
            trouble = str(error)
    context.store.begin(context.clock.started_at(), context.target.shown())
    return {"gate": [answer], "before": before, "history_trouble": trouble}


def gate(state: CycleState, runtime: CycleRuntime) -> CycleState:
    """Bring the probes' answers together."""
    settings, server = runtime.context.settings, state["server"]
    answers = [
        comfyui_gate.judge(server, settings.comfyui_url, skip_when_busy=settings.skip_when_busy),
        gpu.judge(state["nvml"], server.devices, settings.min_free_vram, server.argv),
    ]
    for answer in _in_order(state["gate"], answers):
        runtime.stream_writer(GateAnswered(answer))
    return {"gate": answers}


def skip(state: CycleState) -> CycleState:
    """End the cycle before it judged anything, saying why."""
    if state.get("skip_reason"):
        return {}
    return {"skip_reason": "; ".join(a.reason for a in state["gate"] if not a.ok)}


def skip_after_error(state: CycleState, error: NodeError) -> Command[Literal["skip"]]:
    """Skip when the server failed us after the gate; anything else is a bug and stays one."""
    if isinstance(error.error, ComfyUIError):
        return Command(goto="skip", update={"skip_reason": str(error.error)})
    raise error.error


def fetch_catalog(state: CycleState, runtime: CycleRuntime) -> CycleState:
    """Get the node types that the server, or the saved catalog, offers."""
    context = runtime.context
    if context.client is None:
        assert context.saved is not None  # noqa: S101
        return {"catalog": context.saved.catalog}
    catalog = catalog_source.fetch(
        context.client,
        version=state["server"].version,
        max_bytes=context.settings.max_catalog_size,
        seconds=context.settings.catalog_timeout,
    )
    runtime.stream_writer(Noted(f"the server offers {len(catalog):,} node types"))
    return {"catalog": catalog}


def _folders(state: CycleState, settings: Settings) -> files.Folders | None:
    """ComfyUI's folders, if they are on this host."""
    if settings.comfyui_dir is None:
        return None
    return files.folders(settings.comfyui_dir, state.get("server", ServerReading()).argv)


def take_inventory(state: CycleState, runtime: CycleRuntime) -> CycleState:
    """List the files that workflows can name."""
    context = runtime.context
    if context.saved is not None and context.saved.inventory is not None:
        return {"inventory": context.saved.inventory, "not_checked": context.saved.not_checked}
    folders = _folders(state, context.settings)
    inventory, not_checked = inventory_source.take_inventory(
        context.client,
        folders,
        min(inventory_source.LISTING, _FILES * context.settings.cycle_time_limit),
    )
    return {"inventory": inventory, "not_checked": not_checked}


def list_model_files(state: CycleState, runtime: CycleRuntime) -> CycleState:
    """Look at each model file that the server lists, where it is on this host."""
    settings, client = runtime.context.settings, runtime.context.client
    if client is None:  # a saved catalog tells of another host, or another time
        return {"model_files": Listing()}
    folders = _folders(state, settings)
    argv = state["server"].argv
    seconds = min(_LISTING_MOST, _LISTING * settings.cycle_time_limit)
    return {
        "model_files": model_files.look(
            client, state["inventory"], settings.comfyui_dir, folders, argv, seconds
        )
    }


def ask_about_packs(state: CycleState, runtime: CycleRuntime) -> CycleState:
    """Learn which packs are installed, which failed, and which changed since the server started."""
    context = runtime.context
    kept = KeptMap(context.store.node_map) if context.store and context.settings.cache else None
    inquiry = Inquiry(
        state["catalog"],
        context.client,
        _folders(state, context.settings),
        kept,
    )
    inquiry.begin()
    return {"inquiry": inquiry}


def look_around(state: CycleState, runtime: CycleRuntime) -> CycleState:
    """Look at what the host is made of: versions, packs, packages, files."""
    context = runtime.context
    if context.memory is None or context.client is None:
        return {}
    found = context.memory.environment(
        state["catalog"],
        state["inventory"],
        state["inquiry"].knowledge,
        _folders(state, context.settings),
        state["model_files"],
        state["server"].stats,
    )
    return {"environment": found}


def find_workflows(state: CycleState, runtime: CycleRuntime) -> CycleState:
    """Find the saved workflows to judge."""
    settings, target, client = (
        runtime.context.settings,
        runtime.context.target,
        runtime.context.client,
    )
    exclusion = Exclusion(settings.workflow_exclude)
    found = find.in_folders(
        target.paths or settings.workflow_dirs,
        exclusion,
        largest_picture=settings.max_workflow_size if target.paths else None,
    )
    workflows, left_out, not_checked = found.workflows, found.left_out, found.not_checked
    unseen = found.unseen
    if client is not None and settings.userdata and not target.paths:
        folders = _folders(state, settings)
        user_folder = folders.user if folders else None
        on_server = find.on_server(client, user_folder, exclusion, runtime.context.reader)
        workflows = [*workflows, *on_server.workflows]
        left_out = [*left_out, *on_server.left_out]
        not_checked = [*not_checked, *on_server.not_checked]
        unseen = [*unseen, *on_server.unseen]
    kept = find.distinct(workflows)
    return {
        "found": kept,
        "left_out": len(find.distinct([*kept, *left_out])) - len(kept),
        "left_out_paths": [workflow.path for workflow in left_out],
        "unseen": unseen,
        "not_checked": not_checked,
    }


def fetch_workflows(state: CycleState, runtime: CycleRuntime) -> CycleState:
    """Read the workflows that only the server can give, as far as there is time for it."""
    context = runtime.context
    saved, size = find.saved_on_server(state["found"]), context.settings.max_workflow_size
    if context.reader is None or not saved:
        return {}
    wanted = context.reader.to_fetch(saved, size)
    if wanted:
        runtime.stream_writer(ReadingBegins(len(wanted), len(saved)))
        context.reader.fetch(wanted, size, lambda: runtime.stream_writer(WasRead()))
    remarks = [context.reader.remark] if context.reader.remark else []
    for text in filter(None, [*remarks, context.reader.trouble]):
        runtime.stream_writer(Noted(text))
    return {"not_checked": remarks}


def judge(state: CycleState, runtime: CycleRuntime) -> CycleState:
    """Judge each workflow, those first for which the last time is longest ago."""
    context = runtime.context
    settings, inquiry = context.settings, state["inquiry"]
    depth, size = settings.max_workflow_depth, settings.max_workflow_size
    kept, so_far = None, None
    if context.store is not None:
        kept = context.store.verdicts
        so_far = SoFar(context.store.verdicts_so_far, adds=context.is_whole)
    limits = {"depth": depth, "ask_server": settings.ask_server.value}
    verdicts = VerdictCache(
        kept, state["catalog"], state["inventory"], limits, inquiry, so_far, reuses=settings.cache
    )
    if verdicts.damage:
        runtime.stream_writer(Noted(verdicts.damage))
    asking = _asking(runtime, state["catalog"], verdicts)
    known = asking.known if asking else None
    runtime.stream_writer(WorkflowsFound(len(state["found"])))
    accepting = _accepting(context)
    judged: dict[int, WorkflowReport] = {}
    unanswered: list[int] = []
    to_tell: list[WorkflowReport] = []
    told_at = time.monotonic()
    seconds = _JUDGING * settings.cycle_time_limit if context.is_whole else math.inf
    for position in verdicts.oldest_first(state["found"]):
        workflow = state["found"][position]
        if context.clock.elapsed() < seconds:
            report = judge_workflow(workflow, verdicts, max_bytes=size, max_depth=depth, ask=known)
        else:
            report = postpone(workflow)
        verdicts.reached(report)
        if asking and asking.missed():
            unanswered.append(position)
        else:
            to_tell.append(report)
        judged[position] = report
        if time.monotonic() - told_at > _TELL_EVERY:
            runtime.stream_writer(_judged(to_tell, context.memory, accepting))
            to_tell, told_at = [], time.monotonic()
    runtime.stream_writer(_judged(to_tell, context.memory, accepting))
    return {
        "workflows": [judged[position] for position in range(len(judged))],
        "verdicts": verdicts,
        "asking": asking,
        "unanswered": sorted(unanswered),
        "not_checked": inquiry.not_checked,
    }


def _judged(reports: list[WorkflowReport], memory: Memory | None, accepting: Accepting) -> Judged:
    unchanged = memory.unchanged(reports) if memory else {}
    return Judged(reports, unchanged, accepting.among(reports))


def _accepting(context: CycleContext) -> Accepting:
    return Accepting.at(context.clock.started_at(), context.settings.config_file)


def ask_server(state: CycleState, runtime: CycleRuntime) -> CycleState:
    """Ask the server for its own word on doubtful workflows, where that is set."""
    asking, settings = state["asking"], runtime.context.settings
    if asking is None:
        return {}
    asking.finish_the_last()
    workflows, accepting = list(state["workflows"]), _accepting(runtime.context)
    for position in state["unanswered"]:
        if not asking.stopped:
            # The server that keeps the workflow may be gone: then the verdict without it stands.
            with suppress(ComfyUIError):
                workflows[position] = judge_workflow(
                    state["found"][position],
                    state["verdicts"],
                    max_bytes=settings.max_workflow_size,
                    max_depth=settings.max_workflow_depth,
                    ask=asking.ask,
                )
        told = _judged([workflows[position]], runtime.context.memory, accepting)
        runtime.stream_writer(told)
    return {"workflows": workflows, "not_checked": asking.remarks}


def inspect_models(state: CycleState, runtime: CycleRuntime) -> CycleState:
    """Look into the model files that changed, and mark the workflows that will fail for them."""
    context, reports = runtime.context, state["workflows"]
    if context.client is None:
        return {}
    hashes = Hashes.read(context.store.folder) if context.store is not None else None
    try:
        inspected = models.inspected(
            reports,
            state["model_files"],
            state["inventory"],
            context.store.model_answers if context.store and context.settings.cache else None,
            min(_INSPECTING_MOST, _INSPECTING * context.settings.cycle_time_limit),
            whole=context.is_whole,
            hashes=hashes,
        )
    except Exception as error:  # noqa: BLE001  (the verdicts do not rest on it)
        sentence = f"whether model files are damaged: {history_trouble(error)}"
        return {"not_checked": [sentence], "hashes": hashes}
    for text in inspected.trouble:
        runtime.stream_writer(Noted(text))
    marked = inspected.marked
    if marked is None:
        return {"not_checked": inspected.not_checked, "hashes": hashes}
    will_fail = [report for report in marked.workflows if report.will_fail]
    if will_fail:
        known = context.memory.unchanged(will_fail) if context.memory else {}
        accepted = _accepting(context).among(will_fail)
        runtime.stream_writer(WillFail(will_fail, known, accepted))
    return {
        "workflows": marked.workflows,
        "marked": marked,
        "not_checked": inspected.not_checked,
        "hashes": hashes,
    }


def _asking(runtime: CycleRuntime, catalog: Catalog, verdicts: VerdictCache) -> Asking | None:
    context = runtime.context
    if (
        context.settings.ask_server is AskServer.NEVER
        or context.client is None
        or context.store is None
    ):
        return None
    return Asking(
        context.client,
        context.store.folder,
        catalog,
        verdicts.catalog_digest,
        answer_s=context.settings.read_timeout,
        alarm=lambda text: runtime.stream_writer(Alarmed(text)),
    )


def _world(state: CycleState, settings: Settings) -> World:
    """What the verdicts rest on."""
    return World(
        state["catalog"],
        state["inventory"],
        settings.max_workflow_depth,
        int(settings.max_workflow_size),
    )


def _remembered(state: CycleState) -> Remembered:
    """What the history adds: nothing where there is none, or where it failed."""
    return state.get("remembered") or Remembered(state["workflows"], None, [])


def _seen(state: CycleState) -> Seen:
    marked = state.get("marked")
    return Seen(
        state["workflows"],
        state["found"],
        state["unseen"],
        state["left_out_paths"],
        damage.Now(state["model_files"], marked.conditions if marked else {}),
    )


def compare(state: CycleState, runtime: CycleRuntime) -> CycleState:
    """Find out what changed since the last full cycle, and what that did."""
    context = runtime.context
    if context.memory is None:
        return {}
    pending = context.memory.restart_pending(
        state["environment"],
        state["inquiry"].knowledge,
        state["workflows"],
        _folders(state, context.settings),
        state["server"].argv,
    )
    remembered = context.memory.compare(
        _seen(state), state["environment"], _world(state, context.settings), pending
    )
    if remembered.changes is not None:
        accepted = _accepting(context).among(remembered.workflows)
        runtime.stream_writer(Compared(remembered.changes, frozenset(accepted)))
    return {"remembered": remembered, "history_trouble": context.memory.trouble}


def report_alone(state: CycleState, error: NodeError) -> Command[Literal["report"]]:
    """Make the report without the history, whatever has gone wrong there."""
    return Command(goto="report", update={"history_trouble": history_trouble(error.error)})


def _alarms(asking: Asking | None, runtime: CycleRuntime) -> list[str]:
    """What a person must see: what happened in this cycle, else the switch that is still thrown."""
    if asking is not None and asking.alarms:
        return asking.alarms
    store = runtime.context.store
    switch = off_switch.read(store.folder) if store else None
    if switch is None:
        return []
    runtime.stream_writer(Alarmed(switch.sentence))
    return [switch.sentence]


def _reflection(client: ComfyUIClient | None) -> str | None:
    """What is not seen as it is, because the server sends back what it is told in confidence."""
    if client is None or not client.reflections:
        return None
    return (
        f"{client.reflections:,} answers of {client.url} held the credential that it was sent; it "
        f"is shown as {redaction.HIDDEN}, and what bears it was judged without it: see to the "
        "proxy before ComfyUI, or choose a password that is no word of ComfyUI's own"
    )


def report(state: CycleState, runtime: CycleRuntime) -> CycleState:
    """Make the report and put it in place of the last one."""
    context, asking, remembered = runtime.context, state["asking"], _remembered(state)
    workflows = remembered.workflows
    summary = summarize(workflows)
    asked = asking.asked if asking else 0
    left = sum(postponed.is_postponed(workflow.findings) for workflow in workflows)
    marked = state.get("marked")
    made = Report(
        comfywatchman_version=__version__,
        host=socket.gethostname(),
        instance=context.settings.instance,
        started_at=context.clock.started_at(),
        duration_s=context.clock.elapsed(),
        reason=in_words(summary, state["left_out"])
        + _failing_in_words(workflows)
        + postponed.in_words(left)
        + (f"; {context.reader.brief}" if context.reader and context.reader.brief else "")
        + (f"; asked the server about {asked:,}" if asked else ""),
        server=Server(
            url=context.settings.comfyui_url if context.client else None,
            catalog_file=visible(str(saved)) if (saved := context.target.object_info) else None,
            version=state["catalog"].version,
            node_types=len(state["catalog"]),
        ),
        gate=state["gate"],
        summary=summary,
        workflows=workflows,
        left_out=state["left_out"],
        not_checked=[
            *filter(None, [beyond_what_is_known(state["catalog"]), _reflection(context.client)]),
            *_gaps(state),
            *state["not_checked"],
        ],
        asked_server=asked,
        alarms=_alarms(asking, runtime),
        changes=remembered.changes,
        timeline=remembered.timeline,
        restart_pending=remembered.restart_pending,
        notices=_notices(context),
        model_files=marked.counts if marked else None,
        damaged_models=marked.damaged if marked else [],
    )
    made = applied(made, context.settings.config_file, whole=context.is_whole)
    for result in worth_showing(made):
        runtime.stream_writer(Noted(result.text))
    if context.store is not None and not context.target.paths:
        facts = state["environment"].facts if "environment" in state else None
        hashes = state.get("hashes")
        known = hashes.by_name(state["model_files"].files) if hashes is not None else {}
        listed = inventory_file.listing(
            state["catalog"], state["inventory"], made.started_at, facts, known
        )
        context.store.publish(made, listed)
        try:
            state["verdicts"].save()
        except OSError as error:
            runtime.stream_writer(
                Noted(
                    "the verdicts are not kept for the next cycle: "
                    f"{room.why(error, context.store.folder)}"
                )
            )
    return {"report": made}


def _gaps(state: CycleState) -> list[str]:
    """What the history lacks, and so the report."""
    before, trouble = state.get("before"), state.get("history_trouble")
    said = [f"what changed since the last full cycle: {trouble}"] if trouble else []
    if before is not None and before.history:
        said.append(f"the history lacks the cycle before this one: {before.history}")
    return said


def _notices(context: CycleContext) -> Notices | None:
    """What people have been told before this cycle, and by which channels nobody could be."""
    told = context.memory.notices() if context.memory else None
    failing = channels_kept.failing(context.store.folder) if context.store else []
    return (told or Notices()).model_copy(update={"failing": failing}) if failing else told


def tell(state: CycleState, runtime: CycleRuntime) -> CycleState:
    """Find out what is worth telling people; it goes into the outbox with the cycle itself."""
    memory = runtime.context.memory
    if memory is not None:
        if "report" in state:
            memory.tell(Outcome.DONE, "", state["report"])
        else:
            memory.tell(Outcome.SKIPPED, state["skip_reason"])
    return {}


def tell_nothing(
    state: CycleState, runtime: CycleRuntime, error: NodeError
) -> Command[Literal["remember"]]:
    """Put the cycle on record all the same, whatever has gone wrong with telling of it."""
    runtime.stream_writer(Noted(f"nobody is told of this cycle: {history_trouble(error.error)}"))
    return Command(goto="remember")


def remember(state: CycleState, runtime: CycleRuntime) -> CycleState:
    """Put the cycle on record in the history: what it found, or that it was skipped."""
    context = runtime.context
    memory = context.memory
    if memory is None or context.lock is None or not context.lock.is_locked:
        return {}
    trouble = ""
    try:
        if "report" in state:
            reports = state["report"].workflows
            seen = Seen(reports, state["found"], state["unseen"], state["left_out_paths"])
            world = _world(state, context.settings)
            unseen = _remembered(state).unseen
            memory.remember(state["report"], seen, state["environment"], world, unseen)
        else:
            memory.remember_unfinished(
                Outcome.SKIPPED, state["skip_reason"], context.clock.elapsed()
            )
    except HistoryError as error:
        trouble = str(error)
        runtime.stream_writer(Noted(f"this cycle is not in the history: {error}"))
    for text in memory.notes:
        runtime.stream_writer(Noted(text))
    return {"history_trouble": trouble or "; ".join(memory.notes)}


def end_without_history(state: CycleState, error: NodeError) -> Command[Literal["__end__"]]:
    """End the cycle as it was to end, whatever has gone wrong with the history."""
    return Command(goto="__end__", update={"history_trouble": history_trouble(error.error)})


def history_trouble(error: BaseException) -> str:
    """What is said of a bug in the history."""
    return f"a bug of ComfyWatchman {__version__} ({type(error).__name__})"


def summarize(workflows: Sequence[WorkflowReport]) -> Summary:
    """Count the verdicts."""
    counts = Counter(w.verdict for w in workflows)
    return Summary(**{verdict.value: counts[verdict] for verdict in Verdict})


def in_words(summary: Summary, left_out: int) -> str:
    """Say the counts in one line."""
    others = f"; {left_out:,} left out by workflow_exclude" if left_out else ""
    if not summary.total:
        return f"no saved workflow was found{' to judge' * bool(left_out)}{others}"
    counts = ((getattr(summary, v.value), v.value) for v in Verdict)
    return (
        f"{summary.total:,} workflow{'s' * (summary.total > 1)}: "
        + ", ".join(f"{n} {name}" for n, name in counts if n)
        + others
    )


def _failing_in_words(workflows: Sequence[WorkflowReport]) -> str:
    number = sum(each.will_fail for each in workflows)
    return f"; {number:,} will fail for a damaged model file" if number else ""


def _first_nodes(state: CycleState, runtime: CycleRuntime) -> list[str]:
    if runtime.context.client is None:
        return ["fetch_catalog", "take_inventory"]
    return ["probe_gpu", "probe_comfyui", "probe_disk", "take_lock"]


def _after_gate(state: CycleState) -> list[str]:
    if all(answer.ok for answer in state["gate"]):
        return ["fetch_catalog", "take_inventory"]
    return ["skip"]


def build() -> CompiledStateGraph[CycleState, CycleContext, CycleState, CycleState]:
    """Build the graph. Stream it with ``stream_mode="custom"`` for :mod:`progress` events."""
    graph = StateGraph(CycleState, context_schema=CycleContext)
    graph.add_node("probe_gpu", probe_gpu)
    graph.add_node("probe_comfyui", probe_comfyui)
    graph.add_node("probe_disk", probe_disk)
    graph.add_node("take_lock", take_lock)
    graph.add_node("gate", gate)
    graph.add_node("skip", skip)
    for name, asks_server in (
        ("fetch_catalog", fetch_catalog),
        ("take_inventory", take_inventory),
        ("find_workflows", find_workflows),
        ("judge", judge),
    ):
        graph.add_node(name, asks_server, error_handler=skip_after_error)
    graph.add_node("fetch_workflows", fetch_workflows)
    graph.add_node("ask_about_packs", ask_about_packs)
    graph.add_node("ask_server", ask_server)
    graph.add_node("list_model_files", list_model_files)
    graph.add_node("inspect_models", inspect_models)
    graph.add_node("look_around", look_around)
    graph.add_node("compare", compare, error_handler=report_alone)
    graph.add_node("report", report)
    graph.add_node("tell", tell, error_handler=tell_nothing)
    graph.add_node("remember", remember, error_handler=end_without_history)

    graph.add_conditional_edges(
        START,
        _first_nodes,
        [
            "probe_gpu",
            "probe_comfyui",
            "probe_disk",
            "take_lock",
            "fetch_catalog",
            "take_inventory",
        ],
    )
    graph.add_edge(["probe_gpu", "probe_comfyui", "probe_disk", "take_lock"], "gate")
    graph.add_conditional_edges("gate", _after_gate, ["fetch_catalog", "take_inventory", "skip"])
    graph.add_edge(["fetch_catalog", "take_inventory"], "find_workflows")
    graph.add_edge("fetch_catalog", "ask_about_packs")
    graph.add_edge("find_workflows", "fetch_workflows")
    graph.add_edge(["fetch_workflows", "ask_about_packs"], "judge")
    graph.add_edge("judge", "ask_server")
    graph.add_edge("take_inventory", "list_model_files")
    graph.add_edge(["ask_about_packs", "list_model_files"], "look_around")
    graph.add_edge(["ask_server", "list_model_files"], "inspect_models")
    graph.add_edge(["inspect_models", "look_around"], "compare")
    graph.add_edge("compare", "report")
    graph.add_edge("report", "tell")
    graph.add_edge("skip", "tell")
    graph.add_edge("tell", "remember")
    graph.add_edge("remember", END)
    return graph.compile()
