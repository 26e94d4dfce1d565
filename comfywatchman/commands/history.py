"""``comfywatchman history``."""

from __future__ import annotations

import socket
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from comfywatchman import __version__, moments, state
from comfywatchman.command_line import sentences, showing
from comfywatchman.command_line.options import Config, Format, StateDir
from comfywatchman.errors import ConfigError, Exit

if TYPE_CHECKING:
    from pathlib import Path

    from comfywatchman.history.store import History
    from comfywatchman.results import HistoryReport, Report

_USUALLY = "6w"


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
    output_format: Annotated[
        Format, typer.Option("--format", help="Form of the history.")
    ] = Format.TEXT,
) -> None:
    """Show what changed, and what that did, the newest first; with --at, a report of the past."""
    if at is not None and (workflow is not None or since is not None):
        sentences.end(Exit.USAGE, "--at shows one report as a whole: leave --workflow and --since")
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

    path = None if workflow is None else _path(history, workflow)
    began = datetime.min.replace(tzinfo=UTC)
    return HistoryReport(
        comfywatchman_version=__version__,
        host=socket.gethostname(),
        since=since,
        workflow=path,
        verdicts=[] if path is None else history.past(since or began).get(path, []),
        events=[
            HistoryEvent(at=event.at, changes=event.changes)
            for event in history.events(since, path)
        ],
        notes=[*history.notes, *filter(None, [history.trouble])],
    )


def _path(history: History, wanted: str) -> str:
    """The path of the workflow that is meant, of those that are there or have been."""
    last = history.previous()
    known = {} if last is None else {state.path: state.name for state in last.states.values()}
    if wanted in known:
        return wanted
    for event in history.events():
        for change in event.changes.workflows:
            known.setdefault(change.path, change.name)
    if wanted in known:
        return wanted
    meant = [path for path, name in known.items() if name == wanted] or [
        path for path in known if path.endswith(f"/{wanted}")
    ]
    if not meant:
        sentences.end(Exit.USAGE, f"--workflow: the history knows none that is called {wanted!r}")
    if len(meant) > 1:
        paths = ", ".join(sorted(meant)[:5])
        sentences.end(Exit.USAGE, f"--workflow: {len(meant)} are called so; give a path: {paths}")
    return meant[0]
