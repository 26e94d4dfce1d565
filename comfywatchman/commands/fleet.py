"""``comfywatchman fleet``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from comfywatchman.command_line import sentences
from comfywatchman.command_line.options import Format


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
            help="Exit with 1 if a host is not well (hosts), or also if a workflow is broken, or "
            "partial, somewhere."
        ),
    ] = FailOn.HOSTS,
    stale_after: Annotated[
        float | None,
        typer.Option(
            help="Hours after which a report is stale.",
            show_default="two of the host's own intervals",
        ),
    ] = None,
) -> None:
    """Make one picture of every host, out of what playbooks/status.yml collected."""
    from comfywatchman.fleet import command

    with sentences.for_wrong_configuration():
        raise typer.Exit(
            command.run(
                folder,
                output,
                json_wanted=output_format is Format.JSON,
                fail_on=fail_on.value,
                stale_after=stale_after,
            )
        )
