"""``comfywatchman bom``."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from comfywatchman.command_line import sentences
from comfywatchman.command_line.flags import Flags
from comfywatchman.command_line.options import Config, Format, refuse_missing
from comfywatchman.errors import Exit
from comfywatchman.flag import Group

FLAGS: tuple[Group, ...] = ("server", "access", "judging", "state")


class Form(StrEnum):
    """Forms of others."""

    CYCLONEDX = "cyclonedx"
    SNAPSHOT = "snapshot"


def run(
    *,
    workflow: Annotated[
        str | None,
        typer.Argument(
            help="The path or short name of a workflow, as the report has it; or a file."
        ),
    ] = None,
    config: Config = None,
    form: Annotated[
        Form | None,
        typer.Option(
            "--as", help="The bill as CycloneDX 1.6, or its packs as a snapshot of ComfyUI-Manager."
        ),
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option(
            "--check",
            metavar="FILE",
            help="What of this bill, made on another host, lacks or differs here.",
        ),
    ] = None,
    output_format: Annotated[
        Format, typer.Option("--format", help="With --check: form of the answer.")
    ] = Format.TEXT,
    flags: Flags,
) -> None:
    """Print what a workflow needs, as a bill of materials; with --check, what of one lacks here."""
    if (workflow is None) == (check is None):
        sentences.end(Exit.USAGE, "name a workflow; or, with --check, a bill of materials")
    if check is not None and form is not None:
        sentences.end(Exit.USAGE, "--as is for a bill that is made: leave --check")
    if check is not None:
        refuse_missing([check])
    from comfywatchman.settings import load

    with sentences.for_wrong_configuration():
        settings = load(flags, config)
        if check is not None:
            from comfywatchman.bom import checking, file
            from comfywatchman.report import lacking, terminal

            found = checking.check(settings, file.read(check), check)
            if output_format is Format.JSON:
                typer.echo(found.model_dump_json(indent=2))
            else:
                typer.echo(lacking.render(found, terminal.page_for(sys.stdout)), nl=False)
            raise typer.Exit(Exit.FAIL_ON if found.lacks else Exit.OK)
        from comfywatchman.bom import forms, making
        from comfywatchman.workflow.naming import NotNamedError

        try:
            made, facts = making.make(settings, workflow or "", Path(workflow or ""))
        except NotNamedError as error:
            sentences.end(Exit.USAGE, str(error))
    if form is Form.CYCLONEDX:
        typer.echo(json.dumps(forms.cyclonedx(made), indent=2))
    elif form is Form.SNAPSHOT:
        snapshot, left_out = forms.snapshot(made, facts)
        for sentence in left_out:
            sentences.say(f"not in the snapshot: {sentence}")
        sentences.say("a snapshot that is restored disables the packs that are not in it")
        typer.echo(json.dumps(snapshot, indent=2))
    else:
        typer.echo(made.model_dump_json(indent=2))
