"""``comfywatchman fleet``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from comfywatchman.command_line import sentences
from comfywatchman.command_line.options import Format
from comfywatchman.errors import Exit


class FailOn(StrEnum):
    """What ends the command with exit code 1."""

    NEVER = "never"
    HOSTS = "hosts"
    BROKEN = "broken"
    PARTIAL = "partial"


def run(
    *,
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The folder that playbooks/status.yml filled.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            help="Where to write fleet.json, fleet.md and fleet.html.", show_default="DIR"
        ),
    ] = None,
    output_format: Annotated[
        Format, typer.Option("--format", help="Form of the fleet on standard output.")
    ] = Format.TEXT,
    fail_on: Annotated[
        FailOn,
        typer.Option(
            help="Exit with 1 if a host is not well (hosts), or also if a workflow is broken or "
            "will fail (broken), or is partial (partial), somewhere."
        ),
    ] = FailOn.HOSTS,
    stale_after: Annotated[
        float | None,
        typer.Option(
            help="Hours after which a report is stale.",
            show_default="two of the host's own intervals",
        ),
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(
            "--where",
            metavar="WORKFLOW",
            help="Which hosts can run this workflow, what lacks on the others, and who has it: by "
            "its name, or the begin of its SHA-256. Of files, with --output, where.json and "
            "where.md.",
        ),
    ] = None,
) -> None:
    """Make one picture of every host, out of what playbooks/status.yml collected."""
    from comfywatchman.fleet import command
    from comfywatchman.fleet.where import NotNamedError

    with sentences.for_wrong_configuration():
        if where is not None:
            try:
                code = command.tell_where(
                    folder,
                    output,
                    where,
                    json_wanted=output_format is Format.JSON,
                    stale_after=stale_after,
                )
            except NotNamedError as error:
                sentences.end(Exit.USAGE, f"--where: {error}")
            raise typer.Exit(code)
        raise typer.Exit(
            command.run(
                folder,
                output,
                json_wanted=output_format is Format.JSON,
                fail_on=fail_on.value,
                stale_after=stale_after,
            )
        )
