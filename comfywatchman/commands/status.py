"""``comfywatchman status``."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from comfywatchman import state
from comfywatchman.command_line import sentences
from comfywatchman.command_line.options import Config, StateDir
from comfywatchman.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


class Format(StrEnum):
    """For a person, for a program, or for Nagios and its kin."""

    TEXT = "text"
    JSON = "json"
    NAGIOS = "nagios"


def run(
    *,
    config: Config = None,
    state_dir: StateDir = None,
    output_format: Annotated[
        Format,
        typer.Option("--format", help="Form of the status; nagios has exit codes of its own."),
    ] = Format.TEXT,
) -> None:
    """Show what became of the last cycle and when the next is due, at once."""
    from comfywatchman import status

    if output_format is Format.NAGIOS:
        _end_as_plugin(config, state_dir)
    with sentences.for_wrong_configuration():
        folder = state.locate(state_dir, config)
        found = status.read(folder, state.likely_instance(config))
        if output_format is Format.JSON:
            typer.echo(json.dumps(found, indent=2))
        else:
            sentences.show(status.in_words(found))


def _end_as_plugin(config: Path | None, state_dir: Path | None) -> NoReturn:
    from comfywatchman import status
    from comfywatchman.metrics import nagios
    from comfywatchman.report.store import ReportStore

    try:
        folder = state.locate(state_dir, config)
        found = status.read(folder, state.likely_instance(config))
        try:
            report = ReportStore.latest(folder)
        except ConfigError as error:
            code, text = nagios.judge(found, str(error))
        else:
            code, text = nagios.judge(found, report)
    except ConfigError as error:
        code, text = nagios.unknown(str(error))
    sentences.show(text)
    raise typer.Exit(code)
