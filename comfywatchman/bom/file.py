"""Reading a bill of materials that somebody else wrote: it may be damaged, huge, or mean harm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from comfywatchman import __version__, lenient_json, state
from comfywatchman.errors import ConfigError
from comfywatchman.escape import visible
from comfywatchman.results import BOM_SCHEMA_VERSION, Bom

if TYPE_CHECKING:
    from pathlib import Path

LARGEST: Final = 32 * 1024**2
"""Bytes of a bill that is read."""
DEEPEST: Final = 64
"""How deep it may be nested."""
MOST_ENTRIES: Final = 10_000
"""Entries of one list of it."""
_AGAIN: Final = "make it again with: comfywatchman bom WORKFLOW"
_LISTS: Final = ("packs", "node_types", "models", "inputs", "not_known")


def read(file: Path) -> Bom:
    """Read a bill; what a newer program of the same schema version has added is passed over.

    Raises:
        ConfigError: it cannot be read, or is none. The text names the file and the key.
    """
    document = _document(file)
    if not isinstance(document, dict) or document.get("format") != "comfywatchman-bom":
        raise _wrong(file, f"is no bill of materials of ComfyWatchman (format); {_AGAIN}")
    version = document.get("schema_version")
    if isinstance(version, int) and version > BOM_SCHEMA_VERSION:
        raise _wrong(
            file,
            f"has schema_version {visible(str(version), limit=20)}, and this is ComfyWatchman "
            f"{__version__}, which knows {BOM_SCHEMA_VERSION}: upgrade it",
        )
    for key in _LISTS:
        listed = document.get(key)
        if isinstance(listed, list) and len(listed) > MOST_ENTRIES:
            raise _wrong(file, f"is damaged ({key}: more than {MOST_ENTRIES:,} entries); {_AGAIN}")
    try:
        return Bom.model_validate(document, extra="ignore")
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = visible(".".join(map(str, first["loc"])), limit=100)
        said = visible(f"{first['msg'][:1].lower()}{first['msg'][1:]}", limit=200)
        raise _wrong(file, f"is damaged ({place}: {said}); {_AGAIN}") from None


def _document(file: Path) -> Any:
    try:
        raw = state.read_file(file, LARGEST)
    except OSError as error:
        raise _wrong(file, f"cannot be read: {error.strerror}") from None
    if lenient_json.holds_too_many(raw, LARGEST):
        raise _wrong(file, f"holds more than {lenient_json.values_allowed(LARGEST):,} values")
    try:
        document = lenient_json.parse(raw)
    except ValueError as error:
        raise _wrong(file, f"is not JSON: {visible(str(error), limit=200)}") from None
    if _is_deep(document):
        raise _wrong(file, f"is nested more than {DEEPEST} deep; {_AGAIN}")
    return document


def _is_deep(document: Any) -> bool:
    level = [document]
    for _ in range(DEEPEST):
        level = [
            inner
            for value in level
            if isinstance(value, (dict, list))
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return False
    return True


def _wrong(file: Path, said: str) -> ConfigError:
    return ConfigError(f"{visible(str(file))} {said}")
