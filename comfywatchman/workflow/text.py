"""Values as a browser makes them: what going through the frontend does to texts and numbers."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from math import isfinite, isnan
from typing import Any, Final

import orjson

EXACT_INTEGERS: Final = 2**53
"""The largest integer below which a browser keeps every one."""

_COMMENT_START: Final = re.compile(r"/[/*]")
_LINE_END: Final = re.compile("[\n\r\u2028\u2029]|$")
_ESCAPE: Final = re.compile(r"\\([{}|])")
_TOKEN: Final = re.compile(r"\\[{}|]|[{}|]")


def as_browser_integer(value: int) -> int | float | None:
    """A large integer as JavaScript writes it: rounded, so that a seed may exceed its maximum.

    What needs more than 64 bits stays a float, for parsers that know no larger integers. What no
    float can hold is infinite in a browser, which writes that as null.
    """
    try:
        number = float(value)
    except OverflowError:
        return None
    return int(Decimal(repr(number))) if abs(number) < 2**63 else number


def as_browser_text(value: Any) -> str:
    """What a text box shows of a value: JavaScript's conversion to a string."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        # Nested lists are joined, too; as deep as load() allows.
        return ",".join(as_browser_text(v) for v in value)
    if isinstance(value, dict):
        return "[object Object]"
    if isinstance(value, float):
        if not isfinite(value):
            return "NaN" if isnan(value) else "Infinity" if value > 0 else "-Infinity"
        if value.is_integer() and abs(value) < 1e21:
            return str(int(value))
    return str(value)


def as_json_text(value: Any) -> str:
    """A value as JSON without white space."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # an integer of more than 64 bits
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def one_alternative(text: str) -> str:
    r"""Take the comments out of a text, and of each ``{this|that}`` all but the first.

    The frontend picks one at random. ``\{``, ``\|`` and ``\}`` stand for the characters.
    """
    text = _without_comments(text)
    if "{" not in text and "\\" not in text:
        return text
    return _ESCAPE.sub(r"\1", _first_alternatives(text))


def _without_comments(text: str) -> str:
    kept: list[str] = []
    done = 0
    unclosed = False
    for start in _COMMENT_START.finditer(text):
        if start.start() < done:
            continue
        if start.group() == "//":
            line_end = _LINE_END.search(text, start.end())
            end = line_end.start() if line_end else len(text)
        elif unclosed or (end := text.find("*/", start.end()) + 2) == 1:
            unclosed = True
            continue
        kept.append(text[done : start.start()])
        done = end
    return "".join([*kept, text[done:]])


def _first_alternatives(text: str) -> str:
    kept: list[str] = []
    over: list[bool] = []  # for each open brace, whether its first alternative is over
    skipped = 0  # how many of them are over
    end = 0
    for token in _TOKEN.finditer(text):
        if not skipped:
            kept.append(text[end : token.start()])
        end = token.end()
        mark = token.group()
        if mark == "{":
            over.append(False)
        elif mark == "}" and over:
            skipped -= over.pop()
        elif mark == "|" and over:
            skipped += not over[-1]
            over[-1] = True
        elif not skipped:
            kept.append(mark)
    if not skipped:
        kept.append(text[end:])
    return "".join(kept)
