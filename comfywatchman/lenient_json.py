"""JSON as Python servers and browsers really write it: with NaN, Infinity and lone surrogates."""

from __future__ import annotations

import json
from typing import Any, Final

import orjson

_BYTES_OF_A_VALUE: Final = 16
"""How much of a document's largest size each of its values counts for: parsed, it takes more."""
_LITTLE: Final = 256 * 1024


def values_allowed(max_bytes: int) -> int:
    """How many values a document may hold whose size is limited to so many bytes."""
    return max_bytes // _BYTES_OF_A_VALUE


def holds_too_many(raw: bytes, max_bytes: int) -> bool:
    """Whether a document would take far more memory than its size tells.

    Args:
        raw: the document; not parsed, and so also what it holds within texts counts.
        max_bytes: what its size is limited to.
    """
    most = values_allowed(max_bytes)
    # The usual case, which costs nothing: no value is shorter than a byte.
    if len(raw) <= max(most, _LITTLE):
        return False
    return sum(raw.count(mark) for mark in (b",", b"[", b"{")) > most


def parse(raw: bytes) -> Any:
    """Parse one JSON document, strictly and fast if it is strict, else as Python's ``json`` does.

    Raises:
        ValueError: it is not JSON, or is nested too deep to be read.
    """
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as strict:
        try:
            return json.loads(raw)
        except (ValueError, RecursionError):
            raise strict from None
