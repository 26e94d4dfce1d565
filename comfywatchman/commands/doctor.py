"""``comfywatchman doctor``."""

from __future__ import annotations

import json
import socket
from typing import Annotated

import typer

from comfywatchman import __version__, state
from comfywatchman.command_line import sentences
from comfywatchman.command_line.options import Config, Format, StateDir
from comfywatchman.errors import Exit


def run(
    *,
    config: Config = None,
    state_dir: StateDir = None,
    output_format: Annotated[
        Format, typer.Option("--format", help="Form of what was found.")
    ] = Format.TEXT,
) -> None:
    """Examine this installation, point by point, and say what to do. Exit code 1: problems."""
    from comfywatchman import doctor

    points = []
    for point in doctor.examine(config, state.as_typed(state_dir) if state_dir else None):
        points.append(point)
        if output_format is Format.TEXT:
            sentences.show(doctor.in_words(point))
    problems = sum(point.status is doctor.Status.PROBLEM for point in points)
    if output_format is Format.JSON:
        found = {"healthy": not problems, "points": [point.as_json() for point in points]}
        examined = {"comfywatchman_version": __version__, "host": socket.gethostname()}
        typer.echo(json.dumps(examined | found, indent=2))
    else:
        sentences.show(
            f"\n{problems} problem{'s' * (problems != 1)} found" if problems else "\nall is well"
        )
    raise typer.Exit(Exit.FAIL_ON if problems else Exit.OK)
