"""An error message that was saved in place of a model: JSON, or the words of a server."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from comfywatchman.findings import declare, quoted
from comfywatchman.masking import without_secrets
from comfywatchman.modelfiles.condition import Condition
from comfywatchman.results import Severity

if TYPE_CHECKING:
    from comfywatchman.modelfiles.source import Source

NAME: Final = ""
WORDS: Final = "an error message"
ENDINGS: Final = ()

MESSAGE = declare(
    "model_is_json_error",
    Severity.WARNING,
    title="Error message in place of a model",
    explanation="What was downloaded is not the model but what the server answered instead, in "
    "JSON or in words: most often that one has to log in, or that there is no such file. No "
    "loader can read it.",
    remedy="Do what the message says, and download the model again: with an access token where "
    "one is needed.",
)

_RIGHTLY: Final = (".json", ".jsonl", ".ipynb", ".txt", ".md", ".yaml", ".yml", ".toml", ".csv")
_JSON: Final = re.compile(rb"\{\s*[\"}]|\[\s*[\[{\"\]]")
_WORDS: Final = re.compile(
    rb"(?:[0-9]{3}[ :.-]{1,3})?(?:invalid (?:username|credentials|token|api key)|unauthori[sz]ed"
    rb"|forbidden|not found|entry not found|repository not found|access (?:to model|denied)"
    rb"|error code|internal server error|bad gateway|service unavailable|gateway time-?out"
    rb"|too many requests|rate limit|bad request|error:|the request|you (?:must|need))",
    re.IGNORECASE,
)
_SAYS: Final = ("error", "message", "detail", "errors", "reason", "title")
_DEEPEST: Final = 3
_NO_LENGTH: Final = 8
"""Bytes of the length that a safetensors file begins with; the last of them are zeros."""


def recognised(source: Source) -> bool:
    """Whether it begins as JSON or as such a message; no model does."""
    if b"\0" in source.head[:_NO_LENGTH]:
        return False
    begins = source.head.lstrip()
    return (_JSON.match(begins) or _WORDS.match(begins)) is not None


def inspect(source: Source) -> Condition:
    """Say what the message is."""
    if source.ending in _RIGHTLY:
        return Condition()
    text = source.head.decode(errors="replace").strip()
    said = _said(_parsed(text), _DEEPEST) if text.startswith(("{", "[")) else text.split("\n")[0]
    if said is None:
        return Condition(MESSAGE.name, detail="it is a JSON text")
    words = " ".join(without_secrets(said).split())
    return Condition(MESSAGE.name, detail=f"it is an error message: {quoted(words)}")


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _said(value: object, depth: int) -> str | None:
    """What a JSON text says to people."""
    if isinstance(value, str):
        return value
    if not depth:
        return None
    if isinstance(value, list):
        return _said(value[0], depth - 1) if value else None
    if isinstance(value, dict):
        found = (_said(value[key], depth - 1) for key in _SAYS if key in value)
        return next((each for each in found if each), None)
    return None
