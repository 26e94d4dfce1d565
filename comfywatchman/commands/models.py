"""``comfywatchman models``."""

from __future__ import annotations

import signal
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from comfywatchman.command_line import sentences
from comfywatchman.command_line.flags import Flags
from comfywatchman.command_line.options import Config, Format, refuse_missing
from comfywatchman.errors import ConfigError, Exit
from comfywatchman.flag import Group

if TYPE_CHECKING:
    from comfywatchman.modelfiles.expected import OnAnotherHost
    from comfywatchman.modelfiles.model import VerifiedFile
    from comfywatchman.settings import Settings

FLAGS: tuple[Group, ...] = ("server", "access", "judging", "state")


class Action(StrEnum):
    """What else can be done with them."""

    VERIFY = "verify"


def run(
    *,
    action: Annotated[
        Action | None,
        typer.Argument(
            help="verify: read whole files, and compare them with what is written down of them.",
            show_default=False,
        ),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="How much `verify` reads at most, such as 20GiB.",
            show_default="hash_budget, else all",
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            help="Another host's inventory.json, or what `models --format json` printed there: "
            "its sizes and hashes.",
            show_default=False,
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where the page for a browser is written.",
            show_default="models.html in the state folder",
        ),
    ] = None,
    config: Config = None,
    output_format: Annotated[
        Format, typer.Option("--format", help="Form on standard output.")
    ] = Format.TEXT,
    flags: Flags,
) -> None:
    """List the model files, their state, and which workflows need them.

    Exit code 1: `verify` found a file whose content is not what it should be.
    """
    if action is None and budget is not None:
        sentences.end(Exit.USAGE, "--budget is for `models verify`")
    if action is not None and html is not None:
        sentences.end(Exit.USAGE, "--html is for `models` alone")
    if against is not None:
        refuse_missing([against])
    with sentences.for_wrong_configuration():
        from comfywatchman.modelfiles.expected import read_other_host
        from comfywatchman.settings import load

        settings = load(flags, config)
        allowed = _bytes(budget) if budget is not None else settings.hash_budget or None
        other = read_other_host(against) if against is not None else None
        if action is None:
            _list(settings, other, html, output_format)
        else:
            raise typer.Exit(_verify(settings, other, allowed, output_format))


def _bytes(text: str) -> int:
    from pydantic import TypeAdapter, ValidationError

    from comfywatchman.settings import SizeCap

    try:
        return int(TypeAdapter(SizeCap).validate_python(text))
    except ValidationError:
        sentences.end(Exit.USAGE, f"--budget: {text!r} is no size, such as 20GiB or 500MB")


def _list(settings: Settings, other: OnAnotherHost | None, html: Path | None, form: Format) -> None:
    from comfywatchman import garbage, ownership, room, state, state_files
    from comfywatchman.modelfiles import ledger, page, state_of, survey, text
    from comfywatchman.modelfiles.hashes import Hashes
    from comfywatchman.report import terminal

    folder = settings.resolved_state_dir
    with garbage.not_looked_for(), survey.client_of(settings) as client:
        there = survey.survey(settings, client)
        made = ledger.make(
            there,
            state_of.conditions(folder, there.listing.files),
            Hashes.read(folder),
            other or ledger.NOTHING_KNOWN,
            instance=settings.instance,
        )
    target = state.as_typed(html) if html is not None else folder / state_files.MODELS_HTML
    written = str(target)
    try:
        if html is None:
            ownership.refuse_other_hosts(folder)
            state.make_folder(folder)
        state.replace_file(target, page.render(made).encode())
    except (OSError, ConfigError) as error:
        why = room.why(error, target.parent) if isinstance(error, OSError) else str(error)
        if html is not None:
            sentences.end(Exit.UNWRITABLE, f"{target} could not be written: {why}")
        sentences.say(f"{target} could not be written: {why}")
        written = ""
    if form is Format.JSON:
        sentences.show(made.model_dump_json(indent=2))
    else:
        typer.echo(text.render(made, terminal.page_for(sys.stdout), written), nl=False)


def _verify(
    settings: Settings, other: OnAnotherHost | None, budget: int | None, form: Format
) -> Exit:
    import filelock

    from comfywatchman import ownership, room, state, state_files
    from comfywatchman.gate import lock

    def end(number: int, _: object) -> None:
        raise SystemExit(128 + number)  # what was read until then is kept

    signal.signal(signal.SIGTERM, end)
    folder = settings.resolved_state_dir
    ownership.refuse_other_hosts(folder)
    state.make_folder(folder)
    held = lock.make(folder / state_files.MODEL_HASHES_LOCK)
    try:
        held.acquire()
    except filelock.Timeout:
        sentences.end(Exit.LOCKED, "another `models verify` is running on this host")
    except OSError as error:
        sentences.end(Exit.UNWRITABLE, f"{folder} cannot be written: {room.why(error, folder)}")
    with held:
        return _verify_locked(settings, other, budget, form)


def _verify_locked(
    settings: Settings, other: OnAnotherHost | None, budget: int | None, form: Format
) -> Exit:
    from comfywatchman import room
    from comfywatchman.modelfiles import expected, reading_whole, survey, text, verifying
    from comfywatchman.modelfiles.hashes import Hashes
    from comfywatchman.modelfiles.queue import Queue
    from comfywatchman.report import terminal

    reading_whole.be_last_in_turn()

    def tell(file: VerifiedFile) -> None:
        if form is Format.TEXT:
            sentences.show(text.verified(file))

    folder = settings.resolved_state_dir
    notes = expected.InWorkflows()
    with survey.client_of(settings) as client:
        there = survey.survey(settings, client)
        for workflow, raw in there.workflows():
            notes.add(workflow.name, raw or b"")
    elsewhere = other or expected.OnAnotherHost()
    files = there.listing.files
    with Queue(lambda: survey.client_of(settings)) as queue:
        task = verifying.Task(
            files,
            lambda file: (*notes.of(file), *expected.beside(file), *elsewhere.of(file)),
            sum(file.size for file in files) + 1 if budget is None else budget,
            queue.busy,
            tell,
        )
        try:
            found = verifying.verify(task, Hashes.read(folder, set_aside=True), there.not_checked)
        except OSError as error:
            sentences.end(Exit.UNWRITABLE, f"{folder} cannot be written: {room.why(error, folder)}")
    if form is Format.JSON:
        sentences.show(found.model_dump_json(indent=2))
    else:
        typer.echo(text.verification(found, terminal.page_for(sys.stdout)), nl=False)
    return Exit.FAIL_ON if found.bad else Exit.OK
