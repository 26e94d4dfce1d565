"""``comfywatchman accept``."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from comfywatchman import room, state
from comfywatchman.command_line import sentences
from comfywatchman.command_line.options import Config, StateDir
from comfywatchman.errors import ConfigError, Exit
from comfywatchman.escape import visible

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from comfywatchman.judging.accepted import Entry


def run(
    *,
    workflow: Annotated[
        str | None,
        typer.Argument(
            metavar="[WORKFLOW]",
            help="Path or short name, as the report has it.",
            show_default=False,
        ),
    ] = None,
    code: Annotated[
        str | None,
        typer.Option(help="Accept the errors of this code alone.", show_default=False),
    ] = None,
    reason: Annotated[
        str | None, typer.Option(help="Why it is accepted.", show_default=False)
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            metavar="DATE",
            help="The last day, such as 2026-12-31; 180 days ahead at most.",
            show_default=False,
        ),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="Show what is accepted.")] = False,
    withdraw: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Take an acceptance back.", show_default=False),
    ] = None,
    team: Annotated[
        bool,
        typer.Option(
            "--team",
            help="Print an entry for a team's file, which holds on every host, and write nothing.",
        ),
    ] = False,
    config: Config = None,
    state_dir: StateDir = None,
) -> None:
    """Let a workflow stay as bad as it is until a day: its errors, and no new one."""
    given = [workflow is not None, list_, withdraw is not None]
    details = [code, reason, until]
    if sum(given) != 1 or (workflow is None and (team or any(x is not None for x in details))):
        sentences.end(
            Exit.USAGE,
            "say one thing: accept WORKFLOW --reason TEXT --until DATE [--code C] [--team], "
            "accept --list, or accept --withdraw ID",
        )
    with sentences.for_wrong_configuration():
        beside = state.config_file(config)
        if beside is None:
            raise ConfigError("this user has no home folder: name the configuration with --config")
        if list_:
            _list(beside)
        elif withdraw is not None:
            _withdraw(beside, withdraw)
        elif workflow is not None:
            if reason is None or until is None:
                lacking = "--reason" if reason is None else "--until"
                sentences.end(Exit.USAGE, f"{lacking} is required: why, and until which day")
            _accept(
                beside, state.locate(state_dir, config), workflow, code, reason, until, team=team
            )


def _today() -> date:
    return datetime.now(UTC).astimezone().date()


def _accept(
    beside: Path,
    folder: Path,
    workflow: str,
    code: str | None,
    reason: str,
    until: str,
    *,
    team: bool,
) -> None:
    from comfywatchman.acceptances import editing, making
    from comfywatchman.report.store import ReportStore

    report = ReportStore.latest(folder)
    try:
        entry = making.make(
            report,
            workflow,
            code=code,
            reason=reason,
            until=until,
            by=_by(),
            today=_today(),
            team=team,
        )
    except making.RefusedError as error:
        sentences.end(Exit.USAGE, str(error))
    if team:
        sentences.show(editing.toml(entry).rstrip("\n"))
    else:
        _add(beside, entry)


def _by() -> str | None:
    """Who calls, also through sudo."""
    import getpass

    try:
        name = (os.geteuid() == 0 and os.environ.get("SUDO_USER")) or getpass.getuser()
    except (AttributeError, KeyError, OSError):  # no such account, or no POSIX
        return None
    return visible(name, limit=64)


def _add(beside: Path, entry: Entry) -> None:
    from comfywatchman.acceptances import editing, file
    from comfywatchman.report.digest import plural

    own = file.own_file(beside)
    try:
        renewed = editing.add(own, entry)
    except OSError as error:
        _unwritten(own, error)
    errors = plural(len(entry.fingerprints), "error")
    sentences.show(
        visible(
            f"{entry.id}: {errors} of {entry.workflow} accepted until {entry.until}, from "
            f"the next check on; {'renewed' if renewed else 'written'} in {own}"
        )
    )


def _list(beside: Path) -> None:
    from comfywatchman.acceptances import file
    from comfywatchman.report.digest import plural

    known = file.read(beside, _today())
    for entry in sorted(known.entries, key=lambda entry: (entry.until, entry.id)):
        ended = " (ended)" if entry.until < _today() else ""
        only = f", {entry.code} alone" if entry.code else ""
        by = f" ({entry.by})" if entry.by else ""
        for line in (
            f"{entry.id}  until {entry.until}{ended}  {entry.workflow}{only}",
            f"    {entry.reason}{by}",
            f"    {plural(len(entry.fingerprints | entry.faults), 'error')}, in {entry.file}",
        ):
            sentences.show(visible(line, limit=1_500))
    if not known.entries:
        sentences.show(f"nothing is accepted; {visible(str(file.own_file(beside)))} is the place")
    for problem in known.problems:
        sentences.say(problem.text)


def _withdraw(beside: Path, name: str) -> None:
    from comfywatchman.acceptances import editing, file

    own = file.own_file(beside)
    try:
        if editing.withdraw(own, name):
            sentences.show(visible(f"{name} is withdrawn from {own}"))
            return
    except OSError as error:
        _unwritten(own, error)
    entries = file.read(beside, _today()).entries
    for entry in entries:
        if entry.id == name:
            sentences.end(
                Exit.USAGE,
                f"{name} is a team's, in {entry.file}, which the next deploy writes anew: "
                "withdraw it in the file that comfywatchman_accepted_file names, and deploy",
            )
    ids = ", ".join(entry.id for entry in entries) or "none"
    sentences.end(Exit.USAGE, f"there is no acceptance {visible(repr(name))}; there are: {ids}")


def _unwritten(file: Path, error: OSError) -> None:
    why = room.why(error, file.parent)
    sentences.end(
        Exit.UNWRITABLE, f"{file} could not be written: {why}; run this as the owner of its folder"
    )
