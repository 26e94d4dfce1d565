"""The usual places of ComfyUI on a disk, for when no server runs."""

from __future__ import annotations

import configparser
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from comfywatchman.state import open_at_once
from comfywatchman.workstation.servers import is_code

if TYPE_CHECKING:
    from collections.abc import Iterable

DESKTOP_URL = "http://127.0.0.1:8000"
"""Where ComfyUI Desktop listens, unless it is told otherwise."""
FILE_BYTES = 1024**2
IN_HOME = (
    "ComfyUI",
    "comfyui",
    "comfy/ComfyUI",  # comfy-cli
    "Documents/ComfyUI",  # Desktop
    "ComfyUI_portable/ComfyUI",
    "ComfyUI_windows_portable/ComfyUI",
    "StabilityMatrix/Packages/ComfyUI",
    ".local/share/StabilityMatrix/Packages/ComfyUI",
    "pinokio/api/comfy.git/app",
)
ELSEWHERE = (
    "/opt/ComfyUI",
    "/opt/comfyui",
    "/srv/ComfyUI",
    "/workspace/ComfyUI",
    "/ComfyUI",
    "/comfyui",
    "/app/ComfyUI",
)


@dataclass(frozen=True, slots=True)
class Place:
    """A folder that looks like ComfyUI's.

    Attributes:
        folder: the one with ``models`` and ``input``.
        url: the address that its server usually has; None for ComfyUI's own.
    """

    folder: Path
    url: str | None = None


def find(homes: Iterable[Path], elsewhere: Iterable[str] = ELSEWHERE) -> list[Place]:
    """The places that are there, each folder once, whatever names lead to it."""
    tried: list[tuple[Path, str | None]] = []
    for home in homes:
        tried += [(folder, DESKTOP_URL) for folder in _of_desktop(home)]
        tried += [(folder, None) for folder in _of_comfy_cli(home)]
        tried += [(home / name, None) for name in IN_HOME]
    tried += [(Path(name), None) for name in elsewhere]
    found: dict[tuple[int, int], Place] = {}
    for folder, url in tried:
        try:
            status = folder.stat()
            if is_comfyui(folder):
                # Of a folder that has no code in it, the program is Desktop.
                usual = url or (None if is_code(folder) else DESKTOP_URL)
                place = Place(folder, usual)
                found.setdefault((status.st_dev, status.st_ino), place)
        except (OSError, ValueError):
            continue
    return list(found.values())


def is_comfyui(folder: Path) -> bool:
    """Whether a folder is ComfyUI's: it has its code, or is what Desktop keeps models in."""
    return is_code(folder) or all((folder / name).is_dir() for name in ("models", "input", "user"))


def _of_desktop(home: Path) -> list[Path]:
    try:
        found = json.loads(_text(home / ".config/ComfyUI/config.json"))
    except (ValueError, RecursionError):
        return []
    base = found.get("basePath") if isinstance(found, dict) else None
    return [Path(base)] if isinstance(base, str) and base.startswith("/") else []


def _of_comfy_cli(home: Path) -> list[Path]:
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(_text(home / ".config/comfy-cli/config.ini"))
    except configparser.Error:
        return []
    names = ("default_workspace", "recent_workspace")
    folders = [parser.defaults().get(name, "") for name in names]
    return [Path(folder) for folder in folders if folder.startswith("/")]


def _text(file: Path) -> str:
    """The text of a small file; empty if it is none: no pipe is waited for."""
    try:
        with open_at_once(file) as stream:
            return stream.read(FILE_BYTES).decode(errors="replace")
    except OSError:
        return ""
