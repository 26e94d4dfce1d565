"""How content is packed in the history: JSON, compressed, with a dictionary that many share.

A set of findings is a kilobyte or two of much the same words: zlib alone halves it, and with those
words known beforehand it takes a fifth.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson

from comfywatchman import lenient_json, redaction
from comfywatchman.history.error import DamagedError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DICTIONARY: Final = 1
"""Number of the file that new content is packed with. A file that is there never changes: what was
packed with it could not be read again."""
DAY: Final = timedelta(days=1) // timedelta(microseconds=1)
"""A day, as times are kept."""
LATEST: Final = 2**62
"""A time after all that are kept."""
_LARGEST: Final = 2**30
"""Bytes that anything kept unpacks to at most."""


def dump(value: Any, *, in_order: bool = False) -> bytes:
    """JSON, of whatever ``json`` can read again; quickly where nothing is odd.

    Args:
        value: what is to be written.
        in_order: whether keys are sorted, so that equal values are equal bytes.

    Raises:
        RecursionError: it is nested hundreds deep.
        TypeError: it is no JSON.
        ValueError: likewise.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS if in_order else 0)
    except TypeError:  # a number beyond 64 bits, half a surrogate pair
        return exact(value, in_order=in_order)


def exact(value: Any, *, in_order: bool = False) -> bytes:
    """JSON that gives NaN and Infinity back as well, which :func:`dump` writes as null.

    Raises:
        RecursionError: it is nested hundreds deep.
        TypeError: it is no JSON.
        ValueError: likewise.
    """
    return json.dumps(value, separators=(",", ":"), sort_keys=in_order).encode()


def digest(content: bytes) -> bytes:
    """What tells content from other content, 16 bytes."""
    return hashlib.blake2b(content, digest_size=16).digest()


def pack(content: bytes) -> bytes:
    """Compress JSON; a credential that has come so far goes no further."""
    packer = zlib.compressobj(9, zdict=_dictionary(_DICTIONARY))
    packed = packer.compress(redaction.catch(content)) + packer.flush()
    return bytes([_DICTIONARY]) + packed


def unpack(packed: object) -> bytes:
    """What was packed.

    Raises:
        DamagedError: it is damaged.
    """
    if not isinstance(packed, bytes) or not packed:
        raise DamagedError("packed content is no bytes")
    try:
        unpacker = zlib.decompressobj(zdict=_dictionary(packed[0]))
        content = unpacker.decompress(memoryview(packed)[1:], _LARGEST)
    except (zlib.error, OSError) as error:
        raise DamagedError(f"packed content cannot be read: {error}") from None
    if not unpacker.eof:
        raise DamagedError("packed content is not whole")
    return content


def read(packed: object) -> Any:
    """The JSON that was packed.

    Raises:
        DamagedError: it is damaged.
    """
    content = unpack(packed)
    try:
        return lenient_json.parse(content)
    except ValueError as error:
        raise DamagedError(f"packed content is no JSON: {error}") from None


def stamp(when: datetime) -> int:
    """A time as it is kept: microseconds since 1970, UTC."""
    return (when - _EPOCH) // timedelta(microseconds=1)


def time_of(kept: object) -> datetime:
    """The time that was kept.

    Raises:
        DamagedError: it is damaged.
    """
    if not isinstance(kept, int):
        raise DamagedError("a time is no number")
    try:
        return _EPOCH + timedelta(microseconds=kept)
    except OverflowError:
        raise DamagedError("there is no such time") from None


@cache
def _dictionary(number: int) -> bytes:
    return Path(__file__).with_name(f"dictionary-{number}.txt").read_bytes()
