"""JSON as Python servers and browsers really write it: with NaN, Infinity and lone surrogates."""

from __future__ import annotations

import json
from typing import Any

import orjson


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
