"""GGUF: fields with names, a description of each tensor, and the tensors.

What is refused here is what the package ``gguf`` refuses, which loads these files in ComfyUI. It
takes bytes that belong to no tensor, tensors that overlap, and gaps between them. Of a tensor whose
type it does not know nothing is said: new ones are made every few months.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Final

from comfywatchman.findings import declare, quoted
from comfywatchman.modelfiles.condition import Condition, cut_off, so_many_lack
from comfywatchman.results import Severity

if TYPE_CHECKING:
    from comfywatchman.modelfiles.source import Source

NAME: Final = "gguf"
WORDS: Final = "a GGUF file"
ENDINGS: Final = (".gguf",)

HEADER = declare(
    "gguf_header",
    Severity.WARNING,
    title="GGUF file whose header is damaged",
    explanation="A GGUF file begins with fields that describe the model, and with where which "
    "tensor lies. This file does not, or contradicts itself; the loader refuses it. So are files "
    "that were written over, cut off within the header, or are no GGUF files at all.",
    remedy="Download the file again, and compare its SHA-256 with the one on the page that it is "
    "from.",
)

SIZES: Final = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34),
    9: (32, 40), 10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210),
    15: (256, 292), 16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18),
    21: (256, 110), 22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4),
    27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66), 39: (32, 17),
    40: (64, 36), 41: (128, 18),
}  # fmt: skip
"""Numbers in a block and bytes of a block, by the number of the type."""
_PLAIN: Final = frozenset({0, 1, *range(24, 29)})
"""Types without blocks of which a single number without dimensions can be."""
_MAGIC: Final = b"GGUF"
_VERSIONS: Final = (2, 3)
_OWN_FIELDS: Final = ("GGUF.version", "GGUF.tensor_count", "GGUF.kv_count")
_ALIGNMENT: Final = "general.alignment"
_SCALARS: Final = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of a field's value, by the number of its type."""
_UINT32, _TEXT, _ARRAY = 4, 8, 9
_DEEPEST: Final = 100
"""How deep lists of lists may be nested; nobody makes any."""
_BEYOND_ANY: Final = 2**47
_TYPES: Final = 2**16
"""No type has a number as large as this."""
_LARGEST: Final = 2**63
_DIMENSIONS: Final = 64
_MOST_LACKING: Final = 2**20
"""Values of a list; the package looks for each of them, so of many more it would never end."""
_CHUNK: Final = 16 * 1024


class _Wrong(Exception):  # noqa: N818
    """What is wrong with the header."""


class _Ends(Exception):  # noqa: N818
    """The file ends within the header, so many bytes early at least."""


class _Reader:
    """Reads a header from its beginning, and what it skips not at all."""

    def __init__(self, source: Source) -> None:
        self.at = len(_MAGIC)
        self.order = "<"
        self._source = source
        self._begins = 0
        self._held = source.head

    @property
    def left(self) -> int:
        return self._source.size - self.at

    def take(self, length: int) -> bytes:
        if length > self.left:
            raise _Ends(length - self.left)
        start = self.at - self._begins
        if start + length > len(self._held):
            more = max(length, min(_CHUNK, self._source.left))
            self._held = self._source.read(self.at, more)
            self._begins, start = self.at, 0
        self.at += length
        return self._held[start : start + length]

    def skip(self, size: int, count: int) -> None:
        """Pass over values. The package lets them lack at the end of a file without tensors."""
        if size * count > self.left:
            if self.left % size or count > _MOST_LACKING:
                raise _Ends(size * count - self.left)
            count = self.left // size
        self.at += size * count

    def skip_text(self) -> None:
        """Pass over a text, of which only the length has to be there."""
        length = self.number("Q")
        self.at += min(length, self.left)

    def number(self, kind: str) -> int:
        (found,) = struct.unpack(self.order + kind, self.take(struct.calcsize(kind)))
        return int(found)

    def text(self) -> str:
        try:
            return self.take(self.number("Q")).decode()
        except UnicodeDecodeError:
            raise _Wrong("a name in its header is not text") from None


def recognised(source: Source) -> bool:
    """Whether it begins with the four letters."""
    return source.head.startswith(_MAGIC)


def inspect(source: Source) -> Condition:
    """Find out whether the package ``gguf`` would take it."""
    if not recognised(source):
        zeros = not any(source.head)
        return _damaged(
            "it begins with zeros" if zeros else "it does not begin as a GGUF file does"
        )
    try:
        end = _end(_Reader(source))
    except _Wrong as wrong:
        return _damaged(str(wrong))
    except _Ends as ends:
        lacking = int(ends.args[0])
        if lacking > _BEYOND_ANY:
            return _damaged("by its header it is longer than any file")
        return _damaged(f"it ends within its header: at least {so_many_lack(lacking)}", lacking)
    if end > source.size:
        return cut_off(NAME, source.size, end)
    return Condition(format=NAME)


def _damaged(detail: str, lacking: int | None = None) -> Condition:
    return Condition(HEADER.name, NAME, detail, lacking=lacking)


def _end(reader: _Reader) -> int:
    """Where the last tensor of a known type ends."""
    version = reader.number("I")
    if version & 0xFFFF == 0:
        reader.order = ">"
        version = int.from_bytes(version.to_bytes(4, "little"), "big")
    if version not in _VERSIONS:
        raise _Wrong(f"it is of version {version:,} of the format, which no loader takes")
    tensors, fields = reader.number("Q"), reader.number("Q")
    alignment = _fields(reader, fields)
    lengths = _tensors(reader, tensors)
    begins = -(-reader.at // alignment) * alignment
    end = 0
    for name, (offset, length) in lengths.items():
        if begins + offset >= 2 * _LARGEST or (length and begins + offset + length > _BEYOND_ANY):
            raise _Wrong(f"by its header the tensor {quoted(name)} lies beyond the end of any file")
        if length:
            end = max(end, begins + offset + length)
    return end


def _fields(reader: _Reader, count: int) -> int:
    """Pass over the fields; what is said there of where tensors may begin."""
    seen = set(_OWN_FIELDS)
    alignment = 32
    for _ in range(count):
        key, kind = reader.text(), reader.number("I")
        if key in seen:
            raise _Wrong(f"its header has the field {quoted(key)} twice")
        seen.add(key)
        if key == _ALIGNMENT:
            alignment = reader.number("I") if kind == _UINT32 else 0
            if alignment.bit_count() != 1:
                raise _Wrong("by its header tensors could begin nowhere")
        else:
            _value(reader, kind, _DEEPEST)
    return alignment


def _value(reader: _Reader, kind: int, depth: int) -> None:
    if kind in _SCALARS:
        reader.skip(_SCALARS[kind], 1)
    elif kind == _TEXT:
        reader.skip_text()
    elif kind == _ARRAY and depth:
        inner, count = reader.number("I"), reader.number("Q")
        if inner in _SCALARS:
            reader.skip(_SCALARS[inner], count)
        else:
            for _ in range(count):
                _value(reader, inner, depth - 1)
    else:
        raise _Wrong("a field in its header is of no type that there is")


def _tensors(reader: _Reader, count: int) -> dict[str, tuple[int, int]]:
    """Offset and bytes of each tensor; no bytes of one whose type is not known."""
    found: dict[str, tuple[int, int]] = {}
    for _ in range(count):
        name = reader.text()
        dimensions = reader.number("I")
        if dimensions * 8 > reader.left:
            raise _Ends(dimensions * 8 - reader.left)
        if dimensions > _DIMENSIONS:
            raise _Wrong(f"the tensor {quoted(name)} has {dimensions:,} dimensions")
        shape = [reader.number("Q") for _ in range(dimensions)]
        kind, offset = reader.number("I"), reader.number("Q")
        if name in found:
            raise _Wrong(f"its header has the tensor {quoted(name)} twice")
        found[name] = (offset, _length(name, kind, shape))
    return found


def _length(name: str, kind: int, shape: list[int]) -> int:
    if kind >= _TYPES:
        raise _Wrong(f"the tensor {quoted(name)} is of no type that there is")
    if kind not in SIZES:
        return 0
    block, size = SIZES[kind]
    if kind not in _PLAIN and (not shape or shape[0] % block):
        raise _Wrong(f"the tensor {quoted(name)} is no number of whole blocks of its type")
    row = [shape[0] // block * size, *shape[1:]] if kind not in _PLAIN else [*shape, size]
    if math.prod(filter(None, row)) >= _LARGEST:
        raise _Wrong(f"the tensor {quoted(name)} would be larger than any file")
    return math.prod(row)
