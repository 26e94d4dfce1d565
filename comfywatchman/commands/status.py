"""``comfywatchman status``."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from comfywatchman import state
from comfywatchman.command_line import sentences
from comfywatchman.command_line.options import Config, Format, StateDir


def run(
    *,
    config: Config = None,
    state_dir: StateDir = None,
    output_format: Annotated[
        Format, typer.Option("--format", help="Form of the status.")
    ] = Format.TEXT,
) -> None:
    """Show what became of the last cycle and when the next is due, at once."""
    from comfywatchman import status

    with sentences.for_wrong_configuration():
        folder = state.locate(state_dir, config)
        found = status.read(folder, state.likely_instance(config))
        if output_format is Format.JSON:
            typer.echo(json.dumps(found, indent=2))
        else:
            sentences.show(status.in_words(found))
