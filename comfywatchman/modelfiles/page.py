"""The ledger as one HTML page that needs nothing but itself.

Twenty thousand files are in it as data, and its script draws those that are seen.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from comfywatchman.modelfiles.model import NOT_FOUND, NOT_LOOKED_AT, WELL
from comfywatchman.modelfiles.text import counted, gib, in_all, in_words
from comfywatchman.report import page
from comfywatchman.report.digest import plural

if TYPE_CHECKING:
    from datetime import datetime

    from jinja2 import Template

    from comfywatchman.modelfiles.model import Ledger

_TONES = {WELL: "runnable", NOT_LOOKED_AT: "info", NOT_FOUND: "partial"}
_TEMPLATES = files(__package__) / "templates"


def render(ledger: Ledger) -> str:
    """The page, without a line of anybody else's: inline style and script, no address to fetch.

    As on the report's page, what others wrote is escaped text or JSON in which no mark-up begins.
    """
    return _template().render(
        ledger=ledger,
        title=f"{plural(len(ledger.files), 'model file')}, {gib(ledger.total_bytes)}",
        made=f"{ledger.made_at:%Y-%m-%d %H:%M:%S} UTC",
        made_iso=f"{ledger.made_at:%Y-%m-%dT%H:%M:%SZ}",
        counted=counted(ledger),
        not_named=in_all(ledger.not_named, ledger.not_named_bytes),
        data=page.embedded(data(ledger)),
    )


@cache
def _template() -> Template:
    environment = page.environment(_TEMPLATES)
    environment.globals.update(
        page.inline(
            [page.STYLE, _TEMPLATES / "models.css"],
            [page.THEME, page.ELEMENTS, _TEMPLATES / "models.js"],
        )
    )
    return environment.get_template("models.html.j2")


def data(ledger: Ledger) -> dict[str, Any]:
    """The ledger as the page's script reads it.

    Returns:
        ``folders`` and ``states`` (``[in words, tone]``), ``files`` (place of the folder, name,
        bytes or null, changed in seconds since 1970 or null, place of the state, detail, path,
        SHA-256, when that was read, workflows that need it, workflows that name it), ``workflows``
        (name, path, bytes needed, bytes missing, ``[folder, name, bytes]`` of what is missing,
        place of the largest file) and ``same`` (kind, bytes, places of files).
    """
    folders = sorted({file.folder for file in ledger.files})
    states = sorted({file.state for file in ledger.files}, key=lambda s: (_tone(s), s))
    folder_at = {folder: place for place, folder in enumerate(folders)}
    state_at = {state: place for place, state in enumerate(states)}
    return {
        "folders": folders,
        "states": [[in_words(state), _tone(state)] for state in states],
        "files": [
            [
                folder_at[file.folder],
                file.name,
                file.size,
                _seconds(file.modified),
                state_at[file.state],
                file.detail,
                file.path,
                file.sha256,
                _seconds(file.verified_at),
                file.needed_by,
                file.named_by,
            ]
            for file in ledger.files
        ],
        "workflows": [
            [
                each.name,
                each.path,
                each.bytes_needed,
                each.bytes_missing,
                [[model.folder, model.name, model.size] for model in each.missing],
                each.largest,
            ]
            for each in ledger.workflows
        ],
        "same": [[group.kind, group.size, group.files] for group in ledger.same],
    }


def _tone(state: str) -> str:
    """A class of the style sheet."""
    return _TONES.get(state, "broken")


def _seconds(moment: datetime | None) -> int | None:
    return int(moment.timestamp()) if moment else None
