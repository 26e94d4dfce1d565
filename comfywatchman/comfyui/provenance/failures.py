"""Why a pack could not be imported: from ComfyUI's log, or from a traceback of Manager's."""

from __future__ import annotations

import re
from typing import Final

from comfywatchman.comfyui.provenance.pack import LONGEST, alike

MOST_BYTES: Final = 4 * 1024**2
"""How much of a log is looked at; imports stand at its begin."""
_MOST_LINES: Final = 100_000
_LONGEST_REASON: Final = 500
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]{0,20}[A-Za-z]")
_CREDENTIAL: Final = re.compile(r"://[^/\s@]{1,500}@")
_BEGINS: Final = "Cannot import "
_MIDDLE: Final = " module for custom nodes: "
_SKIPS: Final = "Skip "
_LACK: Final = " module for custom nodes due to the lack of "
_TABLE: Final = "(IMPORT FAILED): "
_OF_COMFYUI: Final = ("comfy_extras", "comfy_api_nodes")


def from_log(text: str) -> dict[str, str | None]:
    """Read the failed imports in a log.

    Args:
        text: the log, or what is left of it; colour codes are taken out.

    Returns:
        By the pack's folder, spelled as :func:`~.pack.alike` does, the last line of its error; None
        where the log tells that it failed and not why.
    """
    found: dict[str, str | None] = {}
    before = ""
    for line in _COLOUR.sub("", text).splitlines()[:_MOST_LINES]:
        line = line.rstrip()  # noqa: PLW2901
        path, reason = _failure(line, before)
        folder = _folder(path)
        if folder and (reason or folder not in found):
            found[folder] = reason
        if line:
            before = line
    return found


def from_entries(answer: object) -> dict[str, str | None]:
    """Read the failed imports in an answer of ``/internal/logs/raw``.

    An entry may be a piece of a line.
    """
    entries = answer.get("entries") if isinstance(answer, dict) else None
    pieces = [
        entry["m"]
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, dict) and isinstance(entry.get("m"), str)
    ]
    return from_log("".join(pieces)[:MOST_BYTES])


def last_line(traceback: str) -> str | None:
    """The line of a traceback that names the error."""
    lines = [line.strip() for line in traceback[-MOST_BYTES:].splitlines() if line.strip()]
    return _cut(lines[-1]) if lines else None


def _failure(line: str, before: str) -> tuple[str, str | None]:
    """The path and the reason that a line of a log gives, and the last line before it."""
    if (at := line.find(_BEGINS)) >= 0:
        path, middle, reason = line[at + len(_BEGINS) :].partition(_MIDDLE)
        if middle:
            # The traceback before it ends in the same words, with the kind of the error.
            full = before.strip()
            return path, _cut(full if reason and full.endswith(reason) else reason)
    if (at := line.find(_SKIPS)) >= 0:
        path, lack, what = line[at + len(_SKIPS) :].partition(_LACK)
        if lack:
            return path, _cut(f"it has no {what.rstrip('.')}")
    _, mark, path = line.partition(_TABLE)
    return (path if mark else ""), None


def _folder(path: str) -> str:
    parts = [part for part in re.split(r"[/\\]", path.strip()) if part]
    if not parts or len(parts[-1]) > LONGEST or any(p in _OF_COMFYUI for p in parts[-2:-1]):
        return ""
    return alike(parts[-1])


def _cut(reason: str) -> str | None:
    """A reason as it may be shown: not too long, and without what logs in somewhere."""
    shown = _CREDENTIAL.sub("://…@", reason.strip()[: 8 * _LONGEST_REASON])
    return shown[:_LONGEST_REASON] or None
