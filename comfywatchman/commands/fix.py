"""``comfywatchman fix``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from comfywatchman import moments, room
from comfywatchman.command_line import sentences
from comfywatchman.command_line.flags import Flags
from comfywatchman.command_line.options import Config, Format
from comfywatchman.errors import Exit
from comfywatchman.escape import visible
from comfywatchman.flag import Group

if TYPE_CHECKING:
    from comfywatchman.fixes.downloading import Progress
    from comfywatchman.fixes.plan import Plan
    from comfywatchman.settings import Settings

FLAGS: tuple[Group, ...] = ("server", "access", "judging", "state")


def run(
    *,
    workflows: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[WORKFLOW]...",
            help="Only these: path or short name, as the report has it. Default: all.",
            show_default=False,
        ),
    ] = None,
    plan: Annotated[
        str | None,
        typer.Option(
            "--plan",
            metavar="FILE",
            help="Write the plan into this file, which must not be there; -: on standard output.",
        ),
    ] = None,
    take: Annotated[
        list[str] | None,
        typer.Option(
            "--take",
            metavar="ID",
            help="Put this fix into the plan, which is for a person to decide.",
        ),
    ] = None,
    apply: Annotated[
        str | None,
        typer.Option(
            "--apply",
            metavar="FILE",
            help="Do exactly what a plan says, or nothing; -: the plan is on standard input.",
        ),
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(
            "--only", metavar="proven", help="With --apply: what is proven, and nothing else."
        ),
    ] = None,
    allow_download: Annotated[
        bool, typer.Option("--allow-download", help="With --apply: download models as planned.")
    ] = False,
    undo: Annotated[
        str | None,
        typer.Option("--undo", metavar="ID", help="Take back what was applied, byte for byte."),
    ] = None,
    list_: Annotated[
        bool, typer.Option("--list", help="Show what was applied, the newest first.")
    ] = False,
    config: Config = None,
    output_format: Annotated[
        Format,
        typer.Option(
            "--format", help="Form of what is shown: text, or the plan or the list as JSON."
        ),
    ] = Format.TEXT,
    flags: Flags,
) -> None:
    """Show how workflows can be mended, as a diff; write it as a plan, apply that, take it back."""
    if sum((apply is not None, undo is not None, list_)) > 1 or (
        (apply is not None or undo is not None or list_) and (workflows or plan is not None or take)
    ):
        sentences.end(
            Exit.USAGE,
            "say one thing: fix [WORKFLOW ...] [--take ID] [--plan FILE] [--format json], "
            "fix --apply FILE [--only proven] [--allow-download], fix --undo ID, or "
            "fix --list [--format json]",
        )
    if (apply is not None or undo is not None) and output_format is Format.JSON:
        sentences.end(Exit.USAGE, "--format goes with what is shown: a plan, or --list")
    if apply is None and (only is not None or allow_download):
        sentences.end(Exit.USAGE, "--only and --allow-download go with --apply FILE")
    if only not in (None, "proven"):
        sentences.end(Exit.USAGE, f"--only {visible(str(only))}: there is `--only proven` alone")
    from comfywatchman import fixing
    from comfywatchman.fixes.writing import RefusedError
    from comfywatchman.settings import load

    with sentences.for_wrong_configuration():
        settings = load(flags, config)
        try:
            if list_:
                _list(settings, output_format)
            elif undo is not None:
                for sentence in fixing.undo_fix(settings, undo):
                    sentences.show(sentence)
                sentences.show(_RELOAD)
            elif apply is not None:
                _apply(settings, apply, only_proven=only is not None, download=allow_download)
            else:
                _show(fixing.make_plan(settings, workflows or [], take or []), plan, output_format)
        except RefusedError as refusal:
            sentences.end(Exit.FAIL_ON, f"{refusal}\nnothing was written")
        except fixing.LockedError as held:
            sentences.end(Exit.LOCKED, str(held))
        except OSError as error:
            _unwritten(error)


_RELOAD = (
    "Whoever has such a workflow open in ComfyUI must reload it there: saving the open one writes "
    "over what was done"
)


def _show(made: Plan, file: str | None, output_format: Format) -> None:
    from comfywatchman.fixes import plan as plans

    if file == "-" or output_format is Format.JSON:
        typer.echo(plans.encoded(made).decode(), nl=False)
    else:
        for line in made.text:
            sentences.show(line)
    if file == "-":
        return
    if file is not None:
        plans.write(made, Path(file))
        sentences.say(f"{file}: the plan; `comfywatchman fix --apply` does what it says")
    elif made.does_nothing:
        sentences.say("there is nothing that could be applied")
    else:
        sentences.say("nothing was written; --plan FILE writes this as a plan, to be applied")


def _apply(settings: Settings, file: str, *, only_proven: bool, download: bool) -> None:
    from comfywatchman import fixing
    from comfywatchman.fixes import plan as plans

    if file == "-":
        made = plans.parse(sys.stdin.buffer.read(plans.LARGEST), "standard input")
    else:
        made = plans.read(Path(file))
    done, verdicts, worse = fixing.apply_plan(
        settings, made, only_proven=only_proven, tell=_tell if download else None
    )
    if done.record is None:
        sentences.show("nothing to do")
        return
    for line in (*done.said, *verdicts):
        sentences.show(line)
    if done.record.written:
        sentences.show(_RELOAD)
    sentences.show(f"`comfywatchman fix --undo {done.record.id}` takes it back")
    for line in (*done.failed, *worse):
        sentences.say(line)
    if done.failed or worse:
        raise typer.Exit(Exit.FAIL_ON)


def _tell(progress: Progress) -> None:
    """How far a download is, on a terminal."""
    if sys.stderr.isatty():
        of = "" if progress.total is None else f" of {room.mib(progress.total)}"
        typer.echo(f"\r{room.mib(progress.done)}{of}", nl=False, err=True)


def _list(settings: Settings, output_format: Format) -> None:
    from comfywatchman import fixing
    from comfywatchman.fixes.record import how_far, listed

    known, problems = fixing.on_record(settings)
    if output_format is Format.JSON:
        typer.echo(listed(known, problems).model_dump_json(indent=2))
        return
    for record in reversed(known):
        sentences.show(f"{record.id}  {moments.shown(record.at)}  {how_far(record)}")
        for written in record.written:
            sentences.show(f"    edited {visible(written.path)}")
        for linked in record.linked:
            sentences.show(f"    linked {visible(linked.source)} as {visible(linked.target)}")
        for fetched in record.fetched:
            sentences.show(f"    downloaded {visible(fetched.url)} as {visible(fetched.target)}")
    for problem in problems:
        sentences.say(problem)
    if not known:
        sentences.show("no fix is on record")


def _unwritten(error: OSError) -> NoReturn:
    file = Path(str(error.filename or "."))
    if isinstance(error, FileExistsError):
        sentences.end(Exit.UNWRITABLE, f"{file} is there already: name a new file")
    sentences.end(Exit.UNWRITABLE, f"{file} cannot be written: {room.why(error, file.parent)}")
