"""Runs one cycle and sees to it that, however it ends, its ending is on record."""

from __future__ import annotations

import errno
import os
import signal
import socket
import threading
import traceback
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from comfywatchman import __version__, discovery, integrity, ownership, room, state, state_files
from comfywatchman.channels.sending import catalogue, starting
from comfywatchman.clock import CycleClock
from comfywatchman.comfyui import catalog_file, credentials
from comfywatchman.comfyui.client import ComfyUIClient
from comfywatchman.comfyui.kept_workflows import KeptWorkflows, room_for
from comfywatchman.comfyui.provenance import core
from comfywatchman.comfyui.userdata_reader import UserdataReader
from comfywatchman.cycle import graph
from comfywatchman.cycle.memory import Memory
from comfywatchman.cycle.progress import Ended, Listener, Noted
from comfywatchman.errors import ConfigError, Exit
from comfywatchman.events.outbox import Outbox
from comfywatchman.gate import lock
from comfywatchman.history.error import HistoryError
from comfywatchman.history.facts import FactKind
from comfywatchman.history.store import History
from comfywatchman.judging import cache
from comfywatchman.modelfiles import inspecting
from comfywatchman.report.store import ReportStore
from comfywatchman.results import GateAnswer, Outcome, Report, Server, Summary
from comfywatchman.schedule import timer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from comfywatchman.cycle.graph import CycleContext, CycleState, Target
    from comfywatchman.settings import Settings

_TRACING_SWITCHES = (
    "LANGSMITH_TRACING",
    "LANGSMITH_TRACING_V2",
    "LANGCHAIN_TRACING",
    "LANGCHAIN_TRACING_V2",
)
"""langchain-core sends traces to a third party where the environment says so: never from here."""

_READING = 0.4
"""The part of a cycle's time that reading what is saved on the server may take."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a cycle ended: its report (no workflows unless ``done``), and the exit code so far."""

    report: Report
    exit_code: Exit


def run(settings: Settings, target: Target, listener: Listener) -> Result:
    """Run one cycle.

    Args:
        settings: the settings.
        target: what to judge.
        listener: is told what happens.

    Raises:
        ConfigError: a credential, CA file, saved catalog or the state folder cannot be used. It is
            on record in ``last-run.json`` where there is a state folder.
    """
    clock = CycleClock()
    paths = target.shown()
    offline = target.object_info is not None
    store = None if offline else ReportStore(settings.resolved_state_dir)
    if store is not None:
        ownership.claim(store.folder)
        _read_program()
    ending = threading.Event()
    memory: Memory | None = None
    with ExitStack() as stack:
        try:
            client, saved, reader = None, None, None
            if target.object_info is not None:
                saved = catalog_file.read(
                    target.object_info,
                    release=target.comfyui_version,
                    max_bytes=settings.max_catalog_size,
                )
            else:
                client = stack.enter_context(ComfyUIClient(settings, credentials.read(settings)))
                kept = stack.enter_context(_kept_workflows(settings, store))
                reader = UserdataReader(client, kept, _READING * settings.cycle_time_limit)
            only_one = lock.make(store.folder / state_files.LOCK) if store else None
            if store is not None and not paths and settings.history_days:
                history = stack.enter_context(_history(settings, store))
                told_by = catalogue.messages_go_to(settings)
                memory = Memory(history, settings, clock.started_at(), told_by)
            context = graph.CycleContext(
                settings, target, client, store, only_one, clock, saved, reader, memory
            )
            stack.callback(_release, context)
            if store is not None:
                _record_signals(context, listener, ending)
            final = _stream(context, listener)
        except ConfigError as error:
            if store is not None:
                with suppress(OSError):
                    store.finish(
                        Outcome.FAILED,
                        str(error),
                        clock.started_at(),
                        duration_s=clock.elapsed(),
                        paths=paths,
                        metrics=_measure(settings, store, paths, Outcome.FAILED),
                    )
                _start_sending(settings, store, paths, listener)
            raise
        except Exception as error:  # noqa: BLE001  (the last guard: a bug must leave a record)
            outcome, reason, code = _failure(error, store)
            final = {}
        else:
            outcome, reason, code = _ending(final)
        gate = final.get("gate", [])
        report = final.get("report") or _empty_report(
            settings, clock, outcome, reason, gate, offline=offline
        )
        ending.set()
        if store is not None and code is not Exit.LOCKED:
            history_trouble = final.get("history_trouble") or None
            if outcome is Outcome.FAILED and memory is not None:
                history_trouble = _remember_failure(memory, reason, clock)
            metrics_trouble = _measure(
                settings, store, paths, outcome, final.get("report"), _commit(final)
            )
            if metrics_trouble:
                listener(Noted(metrics_trouble))
            try:
                store.finish(
                    outcome,
                    reason,
                    clock.started_at(),
                    duration_s=clock.elapsed(),
                    paths=paths,
                    gate=gate,
                    summary=report.summary if outcome is Outcome.DONE else None,
                    history=history_trouble,
                    metrics=metrics_trouble,
                )
            except OSError as error:
                if code is not Exit.UNWRITABLE:
                    reason += f"; and {_unwritable(error, store)}"
                code = Exit.UNWRITABLE if code is Exit.OK else code
            _start_sending(settings, store, paths, listener)
    listener(Ended(outcome.value, reason))
    return Result(report, code)


def _kept_workflows(settings: Settings, store: ReportStore | None) -> KeptWorkflows:
    """What was read of the workflows that are saved on the server."""
    if store is None or not settings.cache:
        return KeptWorkflows(None, settings.comfyui_url)
    file = store.server_workflows
    return KeptWorkflows(file, settings.comfyui_url, room_for(file, settings.min_free_disk))


def _history(settings: Settings, store: ReportStore) -> History:
    return History.open(
        store.folder, days=settings.history_days, copies_room=int(settings.workflow_copies)
    )


def _remember_failure(memory: Memory, reason: str, clock: CycleClock) -> str | None:
    """Put a failed cycle on record; why it could not be, if it could not."""
    with suppress(Exception):  # what is told of a failure hides none
        memory.tell(Outcome.FAILED, reason)
    try:
        memory.remember_unfinished(Outcome.FAILED, reason, clock.elapsed())
    except HistoryError as error:
        return str(error)
    return None


def _start_sending(
    settings: Settings, store: ReportStore, paths: list[str], listener: Listener
) -> None:
    """Have people told of a cycle over everything, without waiting for it."""
    if not paths and catalogue.configured(settings):
        late = starting.start(settings.instance, store.folder, settings.config_file)
        if late:
            listener(Noted(late))


def _measure(
    settings: Settings,
    store: ReportStore,
    paths: list[str],
    outcome: Outcome,
    report: Report | None = None,
    commit: str = "",
    *,
    stopped: bool = False,
) -> str | None:
    """Write the metrics of a cycle over everything; why they are not written, if they are not.

    One that is stopped has no time to ask when the next is due.
    """
    if paths:
        return None
    try:
        from comfywatchman.metrics import textfile

        interval_s = None
        if not stopped:
            schedule = timer.read(settings.instance, store.folder, timeout=1.0)
            interval_s = schedule.interval_s or settings.schedule_interval
        told = {} if stopped else _told(settings, store)
        ending = textfile.Ending(outcome, report, interval_s, commit, told)
        return textfile.write(store.folder, settings.instance, ending, settings.textfile_dir)
    except Exception as error:  # noqa: BLE001  (metrics end no cycle, whatever is wrong with them)
        return f"the metrics could not be made ({type(error).__name__}: {error})"


def _commit(final: CycleState) -> str:
    """The commit of ComfyUI's code; empty where it is not known."""
    environment = final.get("environment")
    facts = environment.facts.get(FactKind.COMFYUI, {}) if environment is not None else {}
    return str(facts.get("", {}).get("commit") or "")


def _told(settings: Settings, store: ReportStore) -> dict[tuple[str, str], int]:
    """Messages since the last cycle, by kind of channel and by what became of them."""
    if not catalogue.configured(settings):
        return {}
    with Outbox(store.folder) as outbox, suppress(HistoryError):
        return outbox.take_counts()
    return {}


def _stream(context: CycleContext, listener: Listener) -> CycleState:
    os.environ.update(dict.fromkeys(_TRACING_SWITCHES, "false"))
    final: dict[str, Any] = {}
    stream = graph.build().stream({}, context=context, stream_mode=["custom", "values"])
    for mode, value in cast("Iterator[tuple[str, Any]]", stream):
        if mode == "custom":
            listener(value)
        else:
            final = value
    return cast("CycleState", final)


def _ending(final: CycleState) -> tuple[Outcome, str, Exit]:
    if "report" in final:
        return Outcome.DONE, final["report"].reason, Exit.OK
    locked = any(a.reason == lock.HELD for a in final.get("gate", []))
    return Outcome.SKIPPED, final["skip_reason"], Exit.LOCKED if locked else Exit.OK


def _failure(error: Exception, store: ReportStore | None) -> tuple[Outcome, str, Exit]:
    if isinstance(error, OSError) and store is not None:
        return Outcome.FAILED, _unwritable(error, store), Exit.UNWRITABLE
    told = ""
    if store is not None:
        with suppress(OSError):
            crash = "".join(traceback.format_exception(error)).encode(errors="backslashreplace")
            state.replace_file(store.folder / state_files.CRASH, crash)
            told = f"; {store.folder / state_files.CRASH} holds what its developers need"
    blamed = integrity.own_damage() or f"a bug of ComfyWatchman {__version__} ended the cycle"
    return Outcome.FAILED, f"{blamed} ({type(error).__name__}){told}", Exit.INTERNAL


def _unwritable(error: OSError, store: ReportStore) -> str:
    if lacking := room.remedy(error, store.folder):
        remedy = f"{lacking}; the last report is as it was"
    elif error.errno == errno.EROFS:
        remedy = "dmesg says why, if nobody mounted it so"
    elif error.errno == errno.EISDIR:
        remedy = f"move {error.filename2} elsewhere: it has the place of a file"
    elif error.errno == errno.EFBIG:
        remedy = "raise the limit on the size of files (ulimit -f, LimitFSIZE=)"
    else:
        remedy = "correct its owner or mode"
    return f"{store.folder} could not be written: {room.why(error, store.folder)}; {remedy}"


def _read_program() -> None:
    """Read all code that a cycle runs, now: an upgrade may replace or remove it meanwhile."""
    from comfywatchman.catalogue import catalogue
    from comfywatchman.checks.engine import registry
    from comfywatchman.report import formats, html

    with suppress(ImportError):  # a Python without SQLite
        from comfywatchman.comfyui import workflow_database  # noqa: F401
    with suppress(ImportError):  # a cycle says so once it has ended
        from comfywatchman.metrics import textfile  # noqa: F401
    discovery.import_all(formats)
    inspecting.found()
    catalogue()
    registry.registered()
    core.core_type("")
    html.template()
    cache.program()


def _empty_report(
    settings: Settings,
    clock: CycleClock,
    outcome: Outcome,
    reason: str,
    gate: list[GateAnswer],
    *,
    offline: bool,
) -> Report:
    return Report(
        comfywatchman_version=__version__,
        host=socket.gethostname(),
        instance=settings.instance,
        started_at=clock.started_at(),
        duration_s=clock.elapsed(),
        outcome="skipped" if outcome is Outcome.SKIPPED else "failed",
        reason=reason,
        server=Server(url=None if offline else settings.comfyui_url),
        gate=gate,
        summary=Summary(),
        workflows=[],
    )


def _release(context: CycleContext) -> None:
    if context.lock is not None:
        context.lock.release()


def _record_signals(context: CycleContext, listener: Listener, ending: threading.Event) -> None:
    """Leave word of a cycle that is told to stop, then stop at once, whatever it waits for.

    One whose ``ending`` is set puts its own word on record, which counts, and has then ended.
    """

    def stop(number: int, _: FrameType | None) -> None:
        if ending.is_set():
            if context.lock and context.lock.is_locked:
                return
            os._exit(128 + number)
        name = signal.Signals(number).name
        reason = f"the cycle was stopped by {name} (a time limit, a shutdown, or a person)"
        if context.store and context.lock and context.lock.is_locked:
            paths = context.target.shown()
            with suppress(OSError):
                context.store.finish(
                    Outcome.FAILED,
                    reason,
                    context.clock.started_at(),
                    duration_s=context.clock.elapsed(),
                    paths=paths,
                    metrics=_measure(
                        context.settings, context.store, paths, Outcome.FAILED, stopped=True
                    ),
                )
        with suppress(Exception):
            listener(Ended(Outcome.FAILED.value, reason))
        os._exit(128 + number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup(1) leaves SIGHUP
            signal.signal(number, stop)
