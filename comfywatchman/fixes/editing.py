"""One value of a JSON text is set to another, and every other byte of it stays as it is.

Nothing is written anew by a program that has read it: the place of the value is found in the text
itself. So the order of keys, how numbers are spelled, blanks, ends of lines, a byte order mark and
keys that stand there twice are as they were.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from comfywatchman.escape import visible
from comfywatchman.workflow.load import load

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from comfywatchman.fixes.proposal import Edit, Pointer

MOST_EDITS: Final = 10_000
"""Values of one file that are set at once."""

_TOKEN: Final = re.compile(rb'[\[\]{},:]|"[^"\\]*+(?:\\.[^"\\]*+)*+"|[^\s\[\]{},:"]++', re.DOTALL)
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_KEY_WITH_BLANK: Final = re.compile(rb'":[ \t]')
_INDENT: Final = re.compile(rb"[{\[]\r?\n([ \t]+)")


class NotEditedError(Exception):
    """The text is not such that the edit could be made. The text says why, in a sentence."""


@dataclass(frozen=True, slots=True)
class Span:
    """Where a value stands in a text: from ``begin`` up to before ``end``, in bytes."""

    begin: int
    end: int


def edited(raw: bytes, edits: Sequence[Edit], *, max_depth: int) -> bytes:
    """Set values of a JSON object.

    Args:
        raw: the whole text.
        edits: what is set; each says what must stand there before.
        max_depth: objects and lists within one another that the text may have.

    Raises:
        NotEditedError: a value is not there or is another one, or cannot be set without changing
            anything else.
        WorkflowError: the text holds no JSON object, or is nested too deep.
    """
    if len(edits) > MOST_EDITS:
        raise NotEditedError(f"more than {MOST_EDITS:,} values would be set at once")
    wanted = load(raw, max_depth=max_depth)
    for edit in edits:
        _set(wanted, edit, max_depth)
    found = spans(raw, [edit.pointer for edit in edits])
    after = {edit.pointer: edit.after for edit in edits}
    text = raw
    end = len(raw) + 1
    for pointer, span in sorted(found.items(), key=lambda each: each[1].begin, reverse=True):
        if span.end > end:
            raise NotEditedError("of two values that would be set, one stands in the other")
        end = span.begin
        value = _written(after[pointer], raw, span)
        text = text[: span.begin] + value + text[span.end :]
    if _canonical(load(text, max_depth=max_depth)) != _canonical(wanted):
        raise NotEditedError("it is written in a way that no program can change safely")
    return text


def value_at(document: Any, pointer: Pointer) -> Any:
    """The value that a pointer leads to.

    Raises:
        LookupError: there is none.
    """
    value = document
    for step in pointer:
        is_key = isinstance(value, dict) and isinstance(step, str)
        is_position = isinstance(value, list) and isinstance(step, int) and step >= 0
        if not is_key and not is_position:
            raise LookupError(step)
        value = value[step]
    return value


def shown(pointer: Pointer) -> str:
    """A pointer for people: ``nodes[3].widgets_values[0]``."""
    text = ""
    for step in pointer:
        text += f"[{step}]" if isinstance(step, int) else f"{'.' * bool(text)}{step}"
    return visible(text, limit=200)


def _set(document: Any, edit: Edit, max_depth: int) -> None:
    try:
        if not edit.pointer:
            raise LookupError
        before = value_at(document, edit.pointer)
    except LookupError:
        raise NotEditedError(f"there is no value {shown(edit.pointer)} in it") from None
    if _canonical(before) != _canonical(_as_read(edit.before, max_depth)):
        raise NotEditedError(f"{shown(edit.pointer)} is another value than before")
    value_at(document, edit.pointer[:-1])[edit.pointer[-1]] = _as_read(edit.after, max_depth)


def _as_read(value: Any, max_depth: int) -> Any:
    """A value as it is read once it stands in a text, such as a number beyond 64 bits."""
    return load(f'{{"": {json.dumps(value)}}}'.encode(), max_depth=max_depth)[""]


class _Place(dict[str | int, "_Place"]):
    """What of the pointers leads on from here; ``pointer`` of one that ends here."""

    pointer: Pointer | None = None


class _Container:
    """An object or a list that is not read to its end.

    Attributes:
        place: what of the pointers leads into it.
        begin: where it begins.
        at: the key or the position of the value that is read; None: a key comes next.
    """

    __slots__ = ("at", "begin", "is_object", "place")

    def __init__(self, place: _Place | None, begin: int, *, is_object: bool) -> None:
        self.place, self.begin, self.is_object = place, begin, is_object
        self.at: str | int | None = None if is_object else 0


def spans(raw: bytes, pointers: Iterable[Pointer]) -> Mapping[Pointer, Span]:
    """Where values stand in a JSON text, found in one pass that does not recurse.

    Of a key that an object has twice the last one counts, as for all who read such a text.

    Args:
        raw: the text, known to be JSON.
        pointers: the values; one that leads nowhere is not in the answer.
    """
    root = _Place()
    for pointer in pointers:
        place = root
        for step in pointer:
            place = place.setdefault(step, _Place())
        place.pointer = pointer
    found: dict[Pointer, Span] = {}
    stack: list[_Container] = []

    def enter() -> _Place | None:
        if not stack:
            return root
        above = stack[-1]
        place = None if above.place is None or above.at is None else above.place.get(above.at)
        if place is not None and above.is_object and found:
            _forget(place, found)
        return place

    def leave(place: _Place | None, begin: int, end: int) -> None:
        if place is not None and place.pointer is not None:
            found[place.pointer] = Span(begin, end)

    for token in _TOKEN.finditer(raw, 3 if raw.startswith(b"\xef\xbb\xbf") else 0):
        begin, end = token.span()
        match raw[begin]:
            case 0x7B | 0x5B as bracket:
                stack.append(_Container(enter(), begin, is_object=bracket == 0x7B))
            case 0x7D | 0x5D:
                closed = stack.pop()
                leave(closed.place, closed.begin, end)
            case 0x2C:
                stack[-1].at = None if stack[-1].at is None or stack[-1].is_object else _next(stack)
            case 0x3A:
                pass
            case _ if stack and stack[-1].at is None:
                known = stack[-1].place is not None
                stack[-1].at = _key(raw[begin:end]) if known else ""
            case _:
                leave(enter(), begin, end)
    return found


def _next(stack: list[_Container]) -> int:
    at = stack[-1].at
    return at + 1 if isinstance(at, int) else 0


def _forget(place: _Place, found: dict[Pointer, Span]) -> None:
    """A key has come again: what stood below it before does not count."""
    waiting = [place]
    while waiting:
        each = waiting.pop()
        if each.pointer is not None:
            found.pop(each.pointer, None)
        waiting += each.values()


def _key(text: bytes) -> str:
    """A key as :func:`comfywatchman.workflow.load.load` reads it."""
    key = text[1:-1].decode(errors="replace")
    if "\\" in key:
        key = json.loads(f'"{key}"', strict=False)
    return _LONE_SURROGATE.sub("\ufffd", key)


def _written(value: Any, raw: bytes, span: Span) -> bytes:
    """A value in the style of the one in whose place it comes, else in that of the whole text."""
    old = raw[span.begin : span.end]
    comma, colon = (", ", ": ") if _KEY_WITH_BLANK.search(raw) else (",", ":")
    indent = None
    if isinstance(value, dict | list) and value and b"\n" in old:
        unit = _INDENT.search(raw)
        indent, comma = (unit[1].decode() if unit else "  "), ","
    text = json.dumps(
        value,
        ensure_ascii=_in_ascii(old, raw),
        separators=(comma, colon),
        indent=indent,
    )
    text = _LONE_SURROGATE.sub(lambda half: f"\\u{ord(half[0]):04x}", text)
    if rb"\/" in old:
        text = text.replace("/", r"\/")
    if indent is not None:
        line = raw[raw.rfind(b"\n", 0, span.begin) + 1 : span.begin]
        margin = line[: len(line) - len(line.lstrip(b" \t"))].decode()
        text = text.replace("\n", ("\r\n" if b"\r\n" in old else "\n") + margin)
    return text.encode()


def _in_ascii(old: bytes, raw: bytes) -> bool:
    r"""Whether the text writes ``\u00e9`` where others write the letter."""
    for text in (old, raw):
        if not text.isascii():
            return False
        if rb"\u" in text:
            return True
    return False


def _canonical(value: Any) -> str:
    """A text that is the same for values that are the same, also where one is no number."""
    return json.dumps(value, sort_keys=True)
