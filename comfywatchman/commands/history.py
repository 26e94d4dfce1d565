"""``comfywatchman history``."""

from __future__ import annotations

import gc
import json
import socket
import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from comfywatchman import __version__, moments, room, state
from comfywatchman.command_line import sentences, showing
from comfywatchman.command_line.options import Config, Format, StateDir
from comfywatchman.errors import ConfigError, Exit

if TYPE_CHECKING:
    from comfywatchman.history.store import History
    from comfywatchman.results import HistoryReport, Report

_USUALLY = "6w"


class Restorable(StrEnum):
    """Forms in which others can restore an environment."""

    SNAPSHOT = "snapshot"
    CONSTRAINTS = "constraints"


def run(
    *,
    config: Config = None,
    state_dir: StateDir = None,
    workflow: Annotated[
        str | None, typer.Option("--workflow", help="Of this workflow alone: its name or path.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            help="From then on: an age (12h, 7d, 2w), a date, or a date and time, in the zone of "
            "this machine if it names none.",
            show_default=f"{_USUALLY}; of one workflow, all",
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", help="The report as it was then; a day stands for its end."),
    ] = None,
    last_good: Annotated[
        str | None,
        typer.Option(
            "--last-good",
            metavar="WORKFLOW",
            help="The newest environment under which this workflow ran here: what differs now.",
        ),
    ] = None,
    restorable: Annotated[
        Restorable | None,
        typer.Option(
            "--as",
            help="With --last-good: the environment as a snapshot for ComfyUI-Manager, or as a "
            "constraints file for pip.",
        ),
    ] = None,
    restore_copy: Annotated[
        str | None,
        typer.Option(
            "--restore-copy",
            metavar="WORKFLOW",
            help="The versions of this workflow that are kept; with --to, write one out.",
        ),
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FILE", help="With --restore-copy: a file to be made."),
    ] = None,
    number: Annotated[
        int | None,
        typer.Option(
            "--number",
            min=1,
            help="With --restore-copy: which version, as they are listed.",
            show_default="the newest that is no longer there",
        ),
    ] = None,
    output_format: Annotated[
        Format, typer.Option("--format", help="Form of the history.")
    ] = Format.TEXT,
) -> None:
    """Show what changed, and what that did, the newest first; with --at, a report of the past."""
    # What is read stays until the end: looking for garbage in it takes a tenth of the time.
    gc.disable()
    if at is not None and (workflow is not None or since is not None):
        sentences.end(Exit.USAGE, "--at shows one report as a whole: leave --workflow and --since")
    if sum(o is not None for o in (at, last_good, restore_copy)) > 1:
        sentences.end(Exit.USAGE, "--at, --last-good and --restore-copy each ask for another thing")
    if restorable is not None and last_good is None:
        sentences.end(Exit.USAGE, "--as is for --last-good: name the workflow with that")
    if restore_copy is None and (to is not None or number is not None):
        sentences.end(
            Exit.USAGE, "--to and --number are for --restore-copy: name the workflow with that"
        )
    now = datetime.now(UTC)
    usually = None if workflow is not None else _USUALLY
    first = _moment("--since", since or usually, now)
    when = _moment("--at", at, now, end_of_day=True)
    with sentences.for_wrong_configuration():
        folder = state.locate(state_dir, config)
        with _opened(folder) as history:
            if when is not None:
                showing.show(_report(history, when), output_format.value)
                return
            if last_good is not None:
                _show_last_good(history, last_good, restorable, output_format)
                return
            if restore_copy is not None:
                _restore(history, restore_copy, to, number)
                return
            found = _found(history, workflow, first)
    if output_format is Format.JSON:
        typer.echo(found.model_dump_json(indent=2))
        return
    from comfywatchman.report import events, terminal

    for note in found.notes:
        sentences.say(note)
    typer.echo(events.render(found, terminal.page_for(sys.stdout)), nl=False)


def _moment(
    option: str, text: str | None, now: datetime, *, end_of_day: bool = False
) -> datetime | None:
    if text is None:
        return None
    try:
        return moments.read(text, now, end_of_day=end_of_day)
    except ValueError as error:
        sentences.end(Exit.USAGE, f"{option}: {error}")


def _opened(folder: Path) -> History:
    """The history, to be looked at.

    Raises:
        ConfigError: there is none, or it cannot be used.
    """
    from comfywatchman.history.store import History

    history = History.open(folder, days=1, copies_room=0, readonly=True)
    if history.previous() is None:
        with history:
            why = history.trouble or (
                "there is no history yet; it begins with the first cycle over all workflows, "
                "unless history_days is 0: comfywatchman check"
            )
        raise ConfigError(f"{folder}: {why}")
    return history


def _report(history: History, when: datetime) -> Report:
    found = history.report_at(when)
    if found is None:
        sentences.end(Exit.USAGE, f"--at: the history begins later than {moments.shown(when)}")
    sentences.say(f"the report of {moments.shown(found.started_at)}, as of {moments.shown(when)}")
    return found


def _found(history: History, workflow: str | None, since: datetime | None) -> HistoryReport:
    from comfywatchman.results import HistoryEvent, HistoryReport

    path = None if workflow is None else _path(history, workflow, "--workflow")
    began = datetime.min.replace(tzinfo=UTC)
    return HistoryReport(
        comfywatchman_version=__version__,
        host=socket.gethostname(),
        since=since,
        began=history.began(),
        workflow=path,
        verdicts=[] if path is None else history.past(since or began).get(path, []),
        events=[
            HistoryEvent(at=event.at, changes=event.changes)
            for event in history.events(since, path)
        ],
        notes=[*history.notes, *filter(None, [history.trouble])],
    )


def _show_last_good(
    history: History, wanted: str, restorable: Restorable | None, output_format: Format
) -> None:
    from comfywatchman.history import last_good, wording
    from comfywatchman.history.facts import differences
    from comfywatchman.results import LastGood

    path = _path(history, wanted, "--last-good")
    previous = history.previous()
    state = previous.states.get(path) if previous is not None else None
    if previous is None or state is None:
        sentences.end(Exit.USAGE, f"--last-good: {path} is not there any more")
    at = history.last_good(path)
    then = history.facts_at(at) if at is not None else {}
    if restorable is not None:
        if at is None:
            sentences.end(Exit.USAGE, f"--last-good: {path} was never seen to run here")
        if restorable is Restorable.CONSTRAINTS:
            typer.echo(last_good.constraints(then, at), nl=False)
            return
        snapshot, left_out = last_good.snapshot(then)
        for sentence in left_out:
            sentences.say(f"not in the snapshot: {sentence}")
        typer.echo(json.dumps(snapshot, indent=2))
        return
    found = LastGood(
        comfywatchman_version=__version__,
        host=socket.gethostname(),
        workflow=path,
        verdict=state.verdict,
        at=at,
        edited=at is not None and history.content_at(path, at) != state.content_digest,
        host_changes=list(wording.of_host(differences(then, previous.facts()))),
    )
    if output_format is Format.JSON:
        typer.echo(found.model_dump_json(indent=2))
        return
    from comfywatchman.report import events, terminal

    typer.echo(events.render_last_good(found, terminal.page_for(sys.stdout)), nl=False)


def _restore(history: History, wanted: str, to: Path | None, number: int | None) -> None:
    """List the versions of a workflow that are kept, or write one into a file of its own."""
    path = _path(history, wanted, "--restore-copy")
    versions = history.copies.versions(path)
    if not versions:
        sentences.end(
            Exit.USAGE,
            f"--restore-copy: no version of {path} is kept; workflow_copies says how much may be",
        )
    if to is None:
        for rank, version in enumerate(versions, start=1):
            is_now = ", as it is now" if version.present else ""
            sentences.show(
                f"{rank}  {moments.shown(version.seen)}  {version.length:,} bytes{is_now}"
            )
        sentences.say("--to FILE writes one of them, --number says which")
        return
    if number is None:
        former = [rank for rank, version in enumerate(versions, start=1) if not version.present]
        number = former[0] if former else 1
    if number > len(versions):
        sentences.end(Exit.USAGE, f"--number: {len(versions)} versions of {path} are kept")
    raw = history.copies.get(versions[number - 1].digest)
    if raw is None:
        sentences.end(Exit.UNWRITABLE, f"the copy of {path} is damaged and cannot be written out")
    try:
        with to.open("xb") as file:
            file.write(raw)
    except FileExistsError:
        sentences.end(Exit.USAGE, f"--to: {to} is there already; nothing is ever overwritten")
    except OSError as error:
        sentences.end(
            Exit.UNWRITABLE, f"{to} cannot be written: {room.why(error, to.absolute().parent)}"
        )
    sentences.show(f"{to}: {path} as it was at {moments.shown(versions[number - 1].seen)}")


def _path(history: History, wanted: str, option: str) -> str:
    """The path of the workflow that is meant, of those that are there or have been."""
    from comfywatchman.workflow.naming import NotNamedError, named

    try:
        return named(wanted, history.names(), "the history")
    except NotNamedError as error:
        sentences.end(Exit.USAGE, f"{option}: {error}")
