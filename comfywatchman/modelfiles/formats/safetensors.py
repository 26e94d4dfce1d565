"""safetensors: a length, a JSON header that describes each tensor, and the tensors without a gap.

What is refused here is what the ``safetensors`` package refuses (0.3 to 0.8). It takes white space
around the header, fields that it does not know, a tensor named twice (the last one counts) and any
order of the tensors; it refuses bytes that belong to no tensor, which ComfyUI takes where it reads
the file without that package.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, NoReturn

import orjson

from comfywatchman.findings import declare, quoted
from comfywatchman.modelfiles.condition import Condition, cut_off, of_bytes, so_many_lack
from comfywatchman.results import Severity

if TYPE_CHECKING:
    from comfywatchman.modelfiles.source import Source

NAME: Final = "safetensors"
WORDS: Final = "a safetensors file"
ENDINGS: Final = (".safetensors", ".sft")

HEADER = declare(
    "safetensors_header",
    Severity.WARNING,
    title="safetensors file whose header is damaged",
    explanation="A safetensors file begins with the length of its header and with the header, a "
    "JSON object that says where which tensor lies. This file's is none, or contradicts itself; "
    "ComfyUI's loader refuses the whole file. So are files that were written over, cut off within "
    "the header, or are no safetensors files at all.",
    remedy="Download the file again, and compare its SHA-256 with the one on the page that it is "
    "from.",
)

_LARGEST: Final = 100_000_000
_LENGTH: Final = 8
_SPACE: Final = b" \t\r\n"
_MOST: Final = 2**64
_DEPTH: Final = 125
"""How deep a field may be nested that the package does not know."""
_BITS: Final = {
    "BOOL": 8, "U8": 8, "I8": 8, "U16": 16, "I16": 16, "U32": 32, "I32": 32, "U64": 64, "I64": 64,
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "F16": 16, "BF16": 16, "F32": 32, "F64": 64, "C64": 64,
}  # fmt: skip
_LATER: Final = re.compile(r"[IU]([1-7]|128)|[FC](128)|F([0-9]{1,2})_E([0-9])M([0-9])[A-Z]{0,4}")
"""Types of numbers that a later release may know, with how many bits they take."""
_METADATA: Final = "__metadata__"
_FIELDS: Final = ("dtype", "shape", "data_offsets")
_UNUSUAL: Final = re.compile(rb'"\s+:|[\s\[:,]-0')


_Tensor = tuple[str, list[int], tuple[int, int]]
"""Type, shape, and where it begins and ends."""


def _place(named: tuple[str, _Tensor]) -> tuple[int, int]:
    return named[1][2]


class _Object(list[tuple[str, Any]]):
    """A JSON object as it is written: names may stand in it twice."""


class _Wrong(Exception):  # noqa: N818
    """What is wrong with the header."""


def recognised(source: Source) -> bool:
    """Whether it begins with a length that a header can have, and with an object."""
    length = int.from_bytes(source.head[:_LENGTH], "little")
    return 2 <= length <= _LARGEST and source.head[_LENGTH:].lstrip(_SPACE)[:1] == b"{"


def inspect(source: Source) -> Condition:
    """Find out whether the package ``safetensors`` would take it."""
    length = int.from_bytes(source.head[:_LENGTH], "little")
    begins = _LENGTH + length
    if source.size < _LENGTH:
        return _damaged("it ends before its header begins", _LENGTH - source.size)
    if length > _LARGEST:
        what = "it does not begin as a safetensors file does"
        return _damaged(f"{what}: a header of {length:,} bytes is longer than any may be")
    if not any(source.head):
        return _damaged("it begins with zeros: what was to be written there never was")
    if source.head[_LENGTH:].lstrip(_SPACE)[:1] not in (b"{", b""):
        return _damaged("its header is not a JSON object")
    if begins > source.size:
        lacking = begins - source.size
        return _damaged(f"it ends within its header: at least {so_many_lack(lacking)}", lacking)
    try:
        end = begins + _end(source.read(_LENGTH, length))
    except _Wrong as wrong:
        return _damaged(str(wrong))
    if end > source.size:
        return cut_off(NAME, source.size, end)
    if end < source.size:
        extra = source.size - end
        return Condition(
            "model_trailing_bytes",
            NAME,
            f"it has {of_bytes(extra)} more than its tensors take, and safetensors refuses it",
            extra=extra,
        )
    return Condition(format=NAME)


def _damaged(detail: str, lacking: int | None = None) -> Condition:
    return Condition(HEADER.name, NAME, detail, lacking=lacking)


def _end(header: bytes) -> int:
    """How many bytes the tensors take that a header describes."""
    tensors = _usual(header)
    if tensors is None:
        tensors = _tensors(_parsed(header))
    end = 0
    for name, (dtype, shape, (start, stop)) in sorted(tensors.items(), key=_place):
        if start != end or stop < start:
            raise _contradiction(
                name, f"it begins at {start:,} and ends at {stop:,}, after {end:,}"
            )
        elements = 1
        for dimension in shape:
            elements *= dimension
            if elements >= _MOST:
                raise _contradiction(name, "it would be larger than any file")
        bits = elements * _bits(dtype, elements, stop - start)
        if bits >= _MOST or bits % 8 or bits // 8 != stop - start:
            raise _contradiction(name, f"type and shape do not make {stop - start:,} bytes")
        end = stop
    return end


def _contradiction(tensor: str, what: str) -> _Wrong:
    return _Wrong(f"its header contradicts itself about the tensor {quoted(tensor)}: {what}")


def _bits(dtype: str, elements: int, size: int) -> int:
    """Bits of a number of a type, where it is known or can be one of a later release."""
    if (known := _BITS.get(dtype)) is not None:
        return known
    later = _LATER.fullmatch(dtype)
    if later is not None:
        integer, wide, *float_ = later.groups()
        bits = int(integer or wide or float_[0])
        exponent, mantissa = (0, 0) if float_[0] is None else (int(float_[1]), int(float_[2]))
        signed = exponent + mantissa + (mantissa > 0)
        if elements * bits == size * 8 and (float_[0] is None or bits == signed):
            return bits
    raise _Wrong(f"its header names the type {quoted(dtype)}, which there is not")


def _usual(header: bytes) -> dict[str, _Tensor] | None:
    """What is said of each tensor, twice as fast; None for a header that is unusual in any way.

    A fast parser does not tell 0 from -0, nor that a name stands twice in an object: that is seen
    from how many names are written in all.
    """
    if _UNUSUAL.search(header):
        return None
    try:
        parsed = orjson.loads(header)
        names = len(parsed)
        metadata = parsed.pop(_METADATA, None)
        metadata = {} if metadata is None else metadata
        found = {
            name: (value["dtype"], value["shape"], tuple(value["data_offsets"]))
            for name, value in parsed.items()
            if len(value) == len(_FIELDS)
        }
        sizes = [size for _, shape, offsets in found.values() for size in (*shape, *offsets)]
        texts = [*metadata.values(), *(dtype for dtype, _, _ in found.values())]
        names += len(metadata) + len(_FIELDS) * len(found)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    plain = (
        {*map(type, sizes)} <= {int}
        and min(sizes, default=0) >= 0
        and {*map(type, texts)} <= {str}
        and all(type(shape) is list and len(offsets) == 2 for _, shape, offsets in found.values())
    )
    alone = len(found) == len(parsed) and header.count(b'":') == names
    return found if plain and alone else None


def _parsed(header: bytes) -> _Object:
    try:
        text = header.decode()
        parsed: object = json.loads(
            text,
            object_pairs_hook=_Object,
            parse_int=_integer,
            parse_float=_real,
            parse_constant=_refuse,
        )
        if "\\u" in text:  # may stand for half a character, which is none
            json.dumps(parsed, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise _Wrong("its header is not JSON") from None
    if not isinstance(parsed, _Object):
        raise _Wrong("its header is not a JSON object")
    return parsed


def _integer(digits: str) -> int | float:
    """A number as Rust reads it: one that does not fit into 64 bits has a fraction, as has -0."""
    if len(digits) < 22 and digits != "-0" and -(2**63) <= (value := int(digits)) < _MOST:
        return value
    return _real(digits)


def _real(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise ValueError(digits)
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _tensors(header: _Object) -> dict[str, _Tensor]:
    found: dict[str, _Tensor] = {}
    metadata = [value for name, value in header if name == _METADATA]
    if len(metadata) > 1 or not all(each is None or _are_texts(each) for each in metadata):
        raise _Wrong(f"its header's {_METADATA} is no list of texts with names")
    for name, value in header:
        if name != _METADATA:
            tensor = _tensor(value)
            if tensor is None:
                raise _Wrong(f"its header does not say where the tensor {quoted(name)} lies")
            found[name] = tensor
    return found


def _are_texts(value: object) -> bool:
    return isinstance(value, _Object) and all(isinstance(text, str) for _, text in value)


def _tensor(value: object) -> _Tensor | None:
    """What is said of one tensor; None if that is not what is to be said."""
    if isinstance(value, _Object):
        known = [(field, given) for field, given in value if field in _FIELDS]
        fields = dict(known)
        if len(known) != len(fields) or len(fields) != len(_FIELDS):
            return None
        if not all(_shallow(given, _DEPTH) for field, given in value if field not in _FIELDS):
            return None
        dtype, shape, offsets = (fields[field] for field in _FIELDS)
    elif isinstance(value, list) and len(value) == len(_FIELDS):
        dtype, shape, offsets = value
    else:
        return None
    if isinstance(dtype, _Object) and len(dtype) == 1 and dtype[0][1] is None:
        dtype = dtype[0][0]  # as other languages write what is one of several
    if not isinstance(dtype, str) or not _are_sizes(shape) or not _are_sizes(offsets):
        return None
    return None if len(offsets) != 2 else (dtype, shape, (offsets[0], offsets[1]))


def _are_sizes(value: Any) -> bool:
    return type(value) is list and all(type(each) is int and each >= 0 for each in value)


def _shallow(value: object, depth: int) -> bool:
    if not isinstance(value, list):
        return True
    inner = (each[1] for each in value) if isinstance(value, _Object) else value
    return depth > 0 and all(_shallow(each, depth - 1) for each in inner)
