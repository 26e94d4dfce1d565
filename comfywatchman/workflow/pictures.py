"""The workflow that ComfyUI leaves in the pictures it makes.

It stands in the texts of a PNG (chunks ``tEXt``, ``zTXt`` and ``iTXt``, of animated ones ``comf``)
under the keywords ``workflow`` and ``prompt``, and in the EXIF data of a WebP, in fields that begin
with ``workflow:`` and ``prompt:``. The picture itself is never read: only where each of its parts
begins, and of the parts the one that is wanted.
"""

from __future__ import annotations

import os
import zlib
from struct import Struct, unpack_from
from struct import error as StructError  # noqa: N812  (its own name says nothing)
from typing import TYPE_CHECKING, Final, NoReturn

from comfywatchman.findings import declare
from comfywatchman.results import Severity
from comfywatchman.workflow.prompt import WorkflowError

if TYPE_CHECKING:
    from typing import BinaryIO

    from comfywatchman.findings import Code

PICTURE_WITHOUT_WORKFLOW: Final = declare(
    "picture_without_workflow",
    Severity.ERROR,
    title="Picture without a workflow in it",
    explanation="A PNG or WebP file was named, but holds no workflow: ComfyUI did not make it, was"
    " started with `--disable-metadata`, or a program or a web site it went through took the"
    " workflow out. In a folder such pictures are passed over.",
    remedy="Name the picture as ComfyUI wrote it, or the saved workflow itself.",
)
PICTURE_DAMAGED: Final = declare(
    "picture_damaged",
    Severity.ERROR,
    title="Damaged picture",
    explanation="A PNG or WebP file was named, but what it is made of does not fit together: an"
    " interrupted download or save. No workflow was found in what is there. In a folder such"
    " pictures are passed over.",
    remedy="Fetch the picture again, or name the saved workflow itself.",
)

MOST_PARTS: Final = 100_000
"""Parts of a picture that are looked at; the largest have a few thousand."""

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_PNG_PART: Final = Struct(">I4s")
_PNG_TEXTS: Final = frozenset({b"tEXt", b"zTXt", b"iTXt", b"comf"})
_RIFF_PART: Final = Struct("<4sI")
_EXIF_FIELD: Final = "HHII"
_EXIF_BYTES: Final = frozenset({1, 2, 7})
"""Kinds of values that are made of bytes: plain ones, text, and what has no kind."""
_BYTE_ORDERS: Final = {b"II*\0": "<", b"MM\0*": ">"}
_NAMES: Final = (b"workflow", b"prompt")
"""The better one first: a prompt does not say how its nodes are called, or where they come from."""
_LONGEST: Final = max(map(len, _NAMES)) + 1

_Place = tuple[bytes, int, int]
"""Kind of the part, where its text begins in the file, and how long that is."""


class TooLargeError(Exception):
    """The workflow in a picture is larger than the limit.

    Attributes:
        size: how large, as far as is known.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


class _DamagedError(Exception):
    """What a picture is made of does not fit together."""


def workflow_in(stream: BinaryIO, max_bytes: int) -> bytes:
    """Read the workflow in a picture, else the prompt.

    Args:
        stream: the picture, opened for reading in bytes.
        max_bytes: the largest workflow to read, and to unpack.

    Returns:
        What stands there, as it stands there: JSON, if ComfyUI wrote it.

    Raises:
        WorkflowError: there is none, or the picture is damaged, or is no picture.
        TooLargeError: it is larger than ``max_bytes``.
        OSError: the picture cannot be read.
    """
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    start = stream.read(12)
    found: dict[bytes, _Place] = {}
    try:
        if start.startswith(_PNG):
            _look_through_png(stream, size, found)
        elif start[:4] == b"RIFF" and start[8:] == b"WEBP":
            _look_through_webp(stream, size, found, max_bytes)
        else:
            _refuse(PICTURE_WITHOUT_WORKFLOW, "the file is neither a PNG nor a WebP picture")
    except _DamagedError:
        if not found:
            _refuse(PICTURE_DAMAGED, "the picture is damaged, and no workflow is in what is left")
    place = next((found[name] for name in _NAMES if name in found), None)
    if place is None:
        _refuse(PICTURE_WITHOUT_WORKFLOW, "the picture holds no workflow")
    try:
        return _text(stream, place, max_bytes)
    except _DamagedError:
        _refuse(PICTURE_DAMAGED, "the picture is damaged where its workflow stands")


def _look_through_png(stream: BinaryIO, size: int, found: dict[bytes, _Place]) -> None:
    position = len(_PNG)
    for _ in range(MOST_PARTS):
        stream.seek(position)
        head = stream.read(_PNG_PART.size + _LONGEST)
        if len(head) < _PNG_PART.size:
            break
        length, kind = _PNG_PART.unpack_from(head)
        if kind == b"IEND":
            return
        begin = position + _PNG_PART.size
        if begin + length > size:
            break
        if kind in _PNG_TEXTS:
            name, end, _ = head[_PNG_PART.size :][:length].partition(b"\0")
            if end and name in _NAMES:
                found[name] = kind, begin + len(name) + 1, length - len(name) - 1
        position = begin + length + 4  # a checksum, which browsers do not look at either
    raise _DamagedError


def _look_through_webp(
    stream: BinaryIO, size: int, found: dict[bytes, _Place], max_bytes: int
) -> None:
    position = 12
    for _ in range(MOST_PARTS):
        stream.seek(position)
        head = stream.read(_RIFF_PART.size)
        if not head:
            return
        if len(head) < _RIFF_PART.size:
            break
        kind, length = _RIFF_PART.unpack(head)
        begin = position + _RIFF_PART.size
        if begin + length > size:
            break
        if kind == b"EXIF":
            if length > max_bytes:
                raise TooLargeError(length)
            _look_through_exif(stream.read(length), begin, found)
            return
        position = begin + length + length % 2
    raise _DamagedError


def _look_through_exif(data: bytes, begin: int, found: dict[bytes, _Place]) -> None:
    """Look at the fields of the first directory; where one lies, not what it holds, is kept."""
    base = 6 if data.startswith(b"Exif\0\0") else 0
    order = _BYTE_ORDERS.get(data[base : base + 4])
    if order is None:
        raise _DamagedError
    try:
        (at,) = unpack_from(f"{order}I", data, base + 4)
        (count,) = unpack_from(f"{order}H", data, base + at)
        for number in range(count):
            field = unpack_from(f"{order}{_EXIF_FIELD}", data, base + at + 2 + 12 * number)
            _, kind, length, offset = field
            if kind not in _EXIF_BYTES or base + offset + length > len(data):
                continue
            start = base + offset
            name, colon, _ = data[start : start + min(length, _LONGEST)].partition(b":")
            if colon and name.lower() in _NAMES:
                skipped = len(name) + 1
                found[name.lower()] = b"EXIF", begin + start + skipped, length - skipped
    except StructError:
        raise _DamagedError from None


def _text(stream: BinaryIO, place: _Place, max_bytes: int) -> bytes:
    kind, begin, length = place
    if length > max_bytes:
        raise TooLargeError(length)
    stream.seek(begin)
    raw = stream.read(length)
    if kind == b"zTXt":
        return _unpacked(raw[1:], max_bytes)
    if kind == b"iTXt":
        packed = raw[:1] == b"\x01"
        raw = raw[2:].partition(b"\0")[2].partition(b"\0")[2]
        return _unpacked(raw, max_bytes) if packed else raw
    raw = raw.rstrip(b"\0")
    try:
        raw.decode()
    except UnicodeDecodeError:  # as the standard has it; what ComfyUI writes is ASCII
        return raw.decode("latin-1").encode()
    return raw


def _unpacked(packed: bytes, max_bytes: int) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        raw = unpacker.decompress(packed, max_bytes + 1)
    except zlib.error:
        raise _DamagedError from None
    if len(raw) > max_bytes:
        raise TooLargeError(len(raw))
    if not unpacker.eof:
        raise _DamagedError
    return raw


def _refuse(code: Code, message: str) -> NoReturn:
    raise WorkflowError(code.finding(message, fix=code.remedy)) from None
