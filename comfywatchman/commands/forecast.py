"""``comfywatchman forecast``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from comfywatchman.command_line import sentences
from comfywatchman.command_line.flags import Flags
from comfywatchman.command_line.options import (
    ComfyUIVersion,
    Config,
    Format,
    refuse_missing,
)
from comfywatchman.errors import Exit
from comfywatchman.flag import Group

FLAGS: tuple[Group, ...] = ("outcome", "server", "access", "judging", "state")


def run(
    *,
    catalog: Annotated[
        Path,
        typer.Argument(
            help="What `comfywatchman catalog --save` wrote on the other host, or a saved answer "
            "of its /object_info."
        ),
    ],
    config: Config = None,
    comfyui_version: ComfyUIVersion = None,
    output_format: Annotated[
        Format, typer.Option("--format", help="Form of the forecast.")
    ] = Format.TEXT,
    flags: Flags,
) -> None:
    """Say which workflows of this host another server's node types would break, and why."""
    from comfywatchman import forecast
    from comfywatchman.comfyui import catalog_file
    from comfywatchman.report import outlook, terminal
    from comfywatchman.results import ChangeKind, Verdict
    from comfywatchman.settings import load

    refuse_missing([catalog])
    with sentences.for_wrong_configuration():
        settings = load(flags, config)
        other = catalog_file.read(
            catalog, release=comfyui_version, max_bytes=settings.max_catalog_size
        )
        found = forecast.forecast(settings, other, catalog)
    if output_format is Format.JSON:
        typer.echo(found.model_dump_json(indent=2))
    else:
        typer.echo(outlook.render(found, terminal.page_for(sys.stdout)), nl=False)
    worse = [w.after for w in found.changes.workflows if w.kind is ChangeKind.WORSE]
    bad = {"never": 0, "partial": len(worse), "broken": worse.count(Verdict.BROKEN)}
    raise typer.Exit(Exit.FAIL_ON if bad[settings.fail_on.value] else Exit.OK)
