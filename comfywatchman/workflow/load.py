"""Bytes of a saved workflow to the JSON object in them, or one sentence that says why not.

Workflow files come from strangers: a file may be truncated, hostile, or no workflow at all. Only
:class:`~comfywatchman.workflow.prompt.WorkflowError` leaves this module.
"""

from __future__ import annotations

import json
import re
from math import isinf
from typing import TYPE_CHECKING, Any, Final, NoReturn

import orjson

from comfywatchman.findings import declare, quoted
from comfywatchman.results import Severity
from comfywatchman.workflow.prompt import WorkflowError

if TYPE_CHECKING:
    from comfywatchman.findings import Code

MAX_DEPTH: Final = 200
"""Objects and lists within one another that a workflow may have; official ones stay below 20."""

MAX_VALUES: Final = 2_000_000
"""Values that a workflow may hold: parsed, small ones take fifty times the room of their text.

The largest official workflow has some ten thousand.
"""

SAVE_AGAIN: Final = "Save the workflow again from ComfyUI, or restore the file from a backup."

NOT_A_WORKFLOW: Final = declare(
    "not_a_workflow",
    Severity.ERROR,
    title="JSON that is no workflow",
    explanation="The file is good JSON, but neither a workflow saved by ComfyUI (an object with a"
    " list `nodes`) nor a prompt exported with *Export (API)* (an object of nodes with"
    " `class_type`).",
    remedy="Move the file out of the workflow folder.",
)
EMPTY: Final = declare(
    "workflow_empty",
    Severity.ERROR,
    title="Empty file",
    explanation="The file has no content: it was never written, or a full disk or a crash cut it"
    " to nothing.",
    remedy="Save the workflow again, or restore the file from a backup.",
)
TRUNCATED: Final = declare(
    "workflow_truncated",
    Severity.ERROR,
    title="File that ends in the middle",
    explanation="The JSON stops before it is complete: an interrupted download or save.",
    remedy="Save the workflow again, or restore the file from a backup.",
)
NOT_JSON: Final = declare(
    "workflow_not_json",
    Severity.ERROR,
    title="File that is not JSON",
    explanation="The file cannot be read as JSON at the place the finding names.",
    remedy="Save the workflow again, or correct the file at that place.",
)
TOO_DEEP: Final = declare(
    "workflow_too_deep",
    Severity.ERROR,
    title="Nested too deep",
    explanation="The file nests objects and lists far deeper than any real workflow. Such files"
    " crash the programs that read them; this one was not read further.",
    remedy="Remove the file: it is damaged or made to do harm.",
)
TOO_MANY_VALUES: Final = declare(
    "workflow_too_many_values",
    Severity.WARNING,
    title="More values than any workflow has",
    explanation=f"The file holds more than {MAX_VALUES:,} objects, lists and list entries. Reading"
    " it would take gigabytes of memory from a host that renders; it was not read further. The"
    " verdict is `unknown`.",
    remedy="If people use it, divide it into several workflows; else move it out of the workflow"
    " folder: it is damaged or made to do harm.",
)
NOT_UTF8: Final = declare(
    "workflow_not_utf8",
    Severity.ERROR,
    title="File in UTF-16 or UTF-32",
    explanation="ComfyUI reads workflows as UTF-8. Some editors save in UTF-16.",
    remedy="Save the file as UTF-8.",
)
BINARY: Final = declare(
    "workflow_is_binary",
    Severity.ERROR,
    title="Binary file",
    explanation="The file is an image, an archive or other binary data under the name of a"
    " workflow. Images made by ComfyUI carry their workflow, but ComfyUI lists only JSON files.",
    remedy="Open the image in ComfyUI and save the workflow from there, or remove the file.",
)
HTML: Final = declare(
    "workflow_is_html",
    Severity.ERROR,
    title="Web page instead of a workflow",
    explanation="The file is HTML: a download saved the page around the workflow, or an error"
    " page.",
    remedy="Download the workflow itself (the raw file).",
)
LFS_POINTER: Final = declare(
    "workflow_is_lfs_pointer",
    Severity.ERROR,
    title="Git LFS pointer instead of a workflow",
    explanation="The repository keeps the workflow in Git LFS, and only the pointer was fetched.",
    remedy="Run `git lfs pull` in the repository the file came from.",
)

_UTF8_BOM: Final = b"\xef\xbb\xbf"
_UTF16_BOMS: Final = (b"\xff\xfe", b"\xfe\xff")
_HTML_START: Final = re.compile(rb"<(?:!doctype|html|head|body|\?xml)", re.IGNORECASE)
_MAGIC: Final = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"RIFF": "a WebP image",
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "a gzip archive",
}
_MOST_DIGITS: Final = 4300
"""Digits of an integer that Python reads; a server could not read a prompt with more."""

_WRITTEN_DEPTH: Final = 254
"""Objects and lists within one another that orjson writes; what has more it refuses."""

_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_BRACKET_OR_STRING: Final = re.compile(r'[\[\]{}]|"[^"\\]*+(?:\\.[^"\\]*+)*+"?+', re.DOTALL)


def load(raw: bytes, *, max_depth: int = MAX_DEPTH) -> dict[str, Any]:
    """Parse a saved workflow.

    ``NaN``, ``Infinity``, a UTF-8 byte order mark, invalid UTF-8 and lone surrogates are
    tolerated, as browsers or Python tolerate them; of duplicate keys the last one counts.

    Args:
        raw: the whole file.
        max_depth: objects and lists within one another that are allowed.

    Returns:
        The JSON object in the file. Nothing in it is nested deeper than ``max_depth``.

    Raises:
        WorkflowError: the file holds no JSON object.
    """
    raw = raw.removeprefix(_UTF8_BOM)
    is_large = len(raw) > MAX_VALUES
    if is_large and sum(raw.count(mark) for mark in (b",", b"[", b"{")) > MAX_VALUES:
        message = f"the file holds more than {MAX_VALUES:,} values"
        _refuse(TOO_MANY_VALUES, message, TOO_MANY_VALUES.remedy)
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError:
        document = _parse_leniently(raw, max_depth)
    if not isinstance(document, dict):
        _refuse(
            NOT_A_WORKFLOW,
            f"the file holds {_kind(document)}, where a workflow is a JSON object",
            "Move the file out of the workflow folder, or save the workflow again from ComfyUI.",
        )
    # A second copy of a large file would take room that a host which renders has not.
    shown = not is_large and _shown_within(document, max_depth)
    if not shown and _deeper_than(document, max_depth):
        _refuse_depth(max_depth)
    return document


def _parse_leniently(raw: bytes, max_depth: int) -> Any:
    """Parse what the strict parser refused, or say what the file is instead of JSON."""
    _refuse_other_formats(raw)
    text = raw.decode("utf-8", errors="replace")
    if _text_deeper_than(text, max_depth):
        _refuse_depth(max_depth)
    try:
        document = json.loads(text, parse_int=_integer)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        if _ends_too_early(text, error):
            _refuse(TRUNCATED, f"the file ends in the middle, at {place}", SAVE_AGAIN)
        message = f"the file is not JSON at {place}: {error.msg[:1].lower()}{error.msg[1:]}"
        _refuse(NOT_JSON, message, SAVE_AGAIN)
    return _without_lone_surrogates(document)


def _integer(digits: str) -> int | float:
    """An integer; beyond 64 bits a float, as of the strict parser.

    One that no float can hold stays what it is, as in the server: it is too large for an input,
    where an infinite float would be a number like others.
    """
    if len(digits) > 20:
        number = float(digits)
        return int(digits) if isinf(number) and len(digits) <= _MOST_DIGITS else number
    integer = int(digits)
    return integer if -(2**63) <= integer < 2**64 else float(integer)


def _refuse_other_formats(raw: bytes) -> None:
    """Name the file formats that are often found under the name of a workflow."""
    start = raw[:512].lstrip()
    if not start and not raw.strip():
        _refuse(EMPTY, "the file is empty", SAVE_AGAIN)
    if start.startswith(b"version https://git-lfs"):
        _refuse(
            LFS_POINTER,
            "the file is a Git LFS pointer; the workflow itself was not fetched",
            "Run `git lfs pull` in the repository the file came from.",
        )
    if _HTML_START.match(start):
        _refuse(
            HTML,
            "the file is a web page, not a workflow",
            "Download the workflow itself (the raw file) instead of the page around it.",
        )
    for magic, name in _MAGIC.items():
        if raw.startswith(magic):
            _refuse(BINARY, f"the file is {name}, not a workflow", BINARY.remedy)
    if raw.startswith(_UTF16_BOMS) or (len(raw) > 1 and raw[:2].count(0) == 1):
        _refuse(
            NOT_UTF8,
            "the file is encoded as UTF-16 or UTF-32, where ComfyUI reads UTF-8",
            "Save the file as UTF-8.",
        )
    if b"\x00" in raw:
        _refuse(BINARY, "the file is binary data, not a workflow", SAVE_AGAIN)


def _ends_too_early(text: str, error: json.JSONDecodeError) -> bool:
    return error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string")


def _deeper_than(document: dict[str, Any], limit: int) -> bool:
    """Whether containers are nested more than ``limit`` deep; level by level, never recursing."""
    level: list[Any] = [document]
    for _ in range(limit):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) is dict or type(inner) is list
        ]
        if not level:
            return False
    return True


def _shown_within(document: object, limit: int) -> bool:
    """Whether a pass in C, a quarter as long as the one in Python, shows it to be within the limit.

    It does when orjson writes the document with so many lists around it that one level more than
    the limit would be one more than orjson writes.
    """
    return _ORJSON_ENDS and _is_written(_in_lists(document, _WRITTEN_DEPTH - limit))


def _in_lists(value: object, count: int) -> object:
    for _ in range(count):
        value = [value]
    return value


def _is_written(value: object) -> bool:
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError:
        return False
    return True


_ORJSON_ENDS: Final = not _is_written(_in_lists([], _WRITTEN_DEPTH))
"""Whether this version of orjson keeps to that."""


def _text_deeper_than(text: str, limit: int) -> bool:
    """The same of text, before a parser that recurses sees it."""
    depth = 0
    for token in _BRACKET_OR_STRING.finditer(text):
        first = text[token.start()]
        if first in "[{":
            depth += 1
            if depth > limit:
                return True
        elif first != '"':
            depth -= 1
    return False


def _without_lone_surrogates(document: Any) -> Any:
    """Replace halves of surrogate pairs, which no file or terminal can be given, by U+FFFD."""
    whole = [document]
    unread: list[Any] = [whole]
    while unread:
        container = unread.pop()
        entries = list(container.items() if isinstance(container, dict) else enumerate(container))
        if isinstance(container, dict):
            container.clear()
        for key, value in entries:
            container[_sound(key)] = _sound(value)
            if isinstance(value, dict | list):
                unread.append(value)
    return whole[0]


def _sound(value: Any) -> Any:
    return _LONE_SURROGATE.sub("\ufffd", value) if isinstance(value, str) else value


def _kind(document: object) -> str:
    if isinstance(document, list):
        return "a list"
    if isinstance(document, str):
        return "a text"
    return f"only {quoted(document)}"


def _refuse_depth(limit: int) -> NoReturn:
    message = f"the file nests objects and lists more than {limit} deep"
    _refuse(TOO_DEEP, message, "Remove the file: it is damaged or made to do harm.")


def _refuse(code: Code, message: str, fix: str) -> NoReturn:
    raise WorkflowError(code.finding(message, fix=fix)) from None
