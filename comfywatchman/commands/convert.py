"""``comfywatchman convert``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from comfywatchman.command_line import sentences
from comfywatchman.command_line.flags import Flags
from comfywatchman.command_line.options import (
    ComfyUIVersion,
    Config,
    ObjectInfo,
    refuse_missing,
    refuse_version_alone,
)
from comfywatchman.errors import Exit
from comfywatchman.flag import Group

FLAGS: tuple[Group, ...] = ("server",)


def run(
    *,
    paths: Annotated[list[Path], typer.Argument(help="Workflow files or folders.")],
    config: Config = None,
    object_info: ObjectInfo = None,
    comfyui_version: ComfyUIVersion = None,
    jsonl: Annotated[
        bool,
        typer.Option("--jsonl", help='One line a file: {"path", "prompt"} or {"path", "error"}.'),
    ] = False,
    flags: Flags,
) -> None:
    """Print a saved workflow as the API prompt that ComfyUI's frontend would send."""
    from comfywatchman import conversion
    from comfywatchman.settings import load

    with sentences.for_wrong_configuration():
        settings = load(flags, config)
        refuse_missing(paths)
        refuse_version_alone(comfyui_version, object_info)
        try:
            catalog = conversion.catalog(settings, object_info, comfyui_version)
        except conversion.ComfyUIError as error:
            sentences.end(Exit.USAGE, f"{error} (or give --object-info)")
        converted = conversion.convert_all(paths, catalog, settings)
        if jsonl:
            for line in converted:
                typer.echo(line.as_jsonl())
            return
        done = list(converted)
        if len(done) != 1:
            sentences.end(
                Exit.USAGE, f"{len(done)} workflows were found: give one file, or --jsonl"
            )
        if done[0].error is not None:
            sentences.end(Exit.USAGE, f"{done[0].path}: {done[0].error}")
        typer.echo(done[0].as_json())
