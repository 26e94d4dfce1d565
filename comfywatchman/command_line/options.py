"""Options and arguments that several commands have; none of them is a setting but ``state_dir``."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from comfywatchman import discovery
from comfywatchman.command_line import sentences
from comfywatchman.errors import Exit
from comfywatchman.flag import STATE_DIR
from comfywatchman.report import formats

_RELEASE = re.compile(r"v?[0-9]{1,6}(\.[0-9]{1,6}){2}")


class Format(StrEnum):
    """For a person or for a program."""

    TEXT = "text"
    JSON = "json"


def _report_format(name: str) -> str:
    known = discovery.names(formats)
    if name not in known:
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(map(repr, known))}.")
    return name


def _release(text: str) -> str:
    if not _RELEASE.fullmatch(text):
        raise typer.BadParameter(
            f"{text!r} is no release of ComfyUI: give three numbers, such as 0.33.0, as the "
            "server's /system_stats has them in comfyui_version."
        )
    return text.removeprefix("v")


Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="Configuration file (TOML). Default: $COMFYWATCHMAN_CONFIG, else "
        "~/.config/comfywatchman/config.toml.",
        show_default=False,
    ),
]
StateDir = Annotated[
    Path | None, typer.Option("--state-dir", help=STATE_DIR.help, show_default=False)
]
ObjectInfo = Annotated[
    Path | None,
    typer.Option(
        "--object-info",
        help="Judge against this saved catalog, or answer of /object_info, with no server.",
        show_default=False,
    ),
]
ComfyUIVersion = Annotated[
    str | None,
    typer.Option(
        "--comfyui-version",
        help="The release of ComfyUI that a saved answer of /object_info came from.",
        parser=_release,
        metavar="X.Y.Z",
        show_default=False,
    ),
]
ReportFormat = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="Form of the report on standard output.",
        parser=_report_format,
        metavar=f"<{'|'.join(discovery.names(formats))}>",
        show_default="text",
    ),
]


def refuse_version_alone(comfyui_version: str | None, object_info: Path | None) -> None:
    """End the command where it is told the release of a server that says its own.

    Raises:
        typer.Exit: it is.
    """
    if comfyui_version is not None and object_info is None:
        sentences.end(
            Exit.USAGE,
            "--comfyui-version is for a saved answer of /object_info: name that with --object-info "
            "too, or leave it out, as a server says its own version",
        )


def refuse_missing(paths: Sequence[Path]) -> None:
    """End the command where one of the paths it was given leads nowhere.

    Raises:
        typer.Exit: one does.
    """
    for path in paths:
        if not os.path.lexists(path):
            sentences.end(Exit.USAGE, f"{path}: there is no such file or folder")
