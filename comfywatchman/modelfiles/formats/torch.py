"""What ``torch.save`` writes since PyTorch 1.6: a ZIP archive with a pickle and a file a tensor.

What makes PyTorch's own reader refuse the archive is looked for: its directory stands at the end,
so a file that was cut off has none. Nothing in it is unpickled or unpacked.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from comfywatchman.findings import declare
from comfywatchman.modelfiles.condition import Condition
from comfywatchman.results import Severity

if TYPE_CHECKING:
    from comfywatchman.modelfiles.source import Source

NAME: Final = "torch"
WORDS: Final = "a file of PyTorch"
ENDINGS: Final = (".pth", ".pt", ".ckpt", ".bin", ".pkl")

NOT_ZIP = declare(
    "torch_not_zip",
    Severity.WARNING,
    title="PyTorch file that PyTorch cannot open",
    explanation="PyTorch writes a ZIP archive, and before 1.6 a row of pickles. This file is "
    "neither, or the directory at the archive's end lacks or contradicts the archive: most often "
    "the end of the file is missing.",
    remedy="Download the file again, as `.safetensors` if there is one: a file of PyTorch can run "
    "programs when it is loaded.",
)

ZIP: Final = b"PK\x03\x04"
_END: Final = struct.Struct("<4s4H2LH")
_END_MARK: Final = b"PK\x05\x06"
_LARGE_PLACE: Final = struct.Struct("<4sLQL")
_LARGE_PLACE_MARK: Final = b"PK\x06\x07"
_LARGE_END: Final = struct.Struct("<4sQ2H2L4Q")
_LARGE_END_MARK: Final = b"PK\x06\x06"
_ENTRY: Final = struct.Struct("<4s6H3L5H2L")
_OF_ENTRY: Final = (0, 8, 9, 10, 11, 12, 16)
"""Its mark, its bytes packed and unpacked, the lengths of its texts, and where its file lies."""
_ENTRY_MARK: Final = b"PK\x01\x02"
_LARGE_SIZES: Final = 1
"""The kind of the extra field with sizes that need 64 bits."""
_IN_EXTRA: Final = 2**32 - 1
_LOCAL: Final = 30
_COMMENT: Final = 2**16
_PICKLE: Final = b"/data.pkl"
_OLDEST: Final = b"ustar"
"""What PyTorch wrote before 0.1.10 is a TAR archive, which it still reads."""
_UNCERTAIN: Final = (".bin", ".pkl")
"""Other programs use these endings as well."""


class _Wrong(Exception):  # noqa: N818
    """What is wrong with the archive."""


class _CutOff(_Wrong):
    """It has no end; how much of it lacks, nobody can say."""


def recognised(source: Source) -> bool:
    """Whether it begins with an archive's first file."""
    return source.head.startswith(ZIP)


def inspect(source: Source) -> Condition:
    """Find out whether PyTorch could open it."""
    if not recognised(source):
        return _strange(source)
    try:
        if any(name.endswith(_PICKLE) for name in _names(source)):
            return Condition(format=NAME)
    except _Wrong as wrong:
        if source.ending not in ENDINGS:
            return Condition()
        lacking = 1 if isinstance(wrong, _CutOff) else None
        return Condition(NOT_ZIP.name, NAME, str(wrong), lacking=lacking)
    if source.ending in _UNCERTAIN or source.ending not in ENDINGS:
        return Condition()  # an archive of another program's
    return Condition(
        NOT_ZIP.name, detail="it is a ZIP archive, but none of PyTorch's: it holds no data.pkl"
    )


def _strange(source: Source) -> Condition:
    if source.ending in _UNCERTAIN or source.head[:1] == b"\x80" or source.head[257:262] == _OLDEST:
        return Condition()
    what = "begins with zeros" if not any(source.head) else "does not begin as PyTorch's files do"
    return Condition(NOT_ZIP.name, detail=f"it {what}, neither as a ZIP archive nor as a pickle")


def _names(source: Source) -> list[bytes]:
    """The names of the files in the archive, each of which is where the directory says."""
    begins, size, count = _directory(source)
    directory = source.read(begins, size)
    found: list[bytes] = []
    at = 0
    for _ in range(count):
        if at + _ENTRY.size > len(directory):
            raise _Wrong("the directory at its end is shorter than it says")
        entry = _ENTRY.unpack_from(directory, at)
        mark, packed, real, name, extra, comment, place = (entry[i] for i in _OF_ENTRY)
        if mark != _ENTRY_MARK:
            raise _Wrong("the directory at its end is damaged")
        at += _ENTRY.size
        found.append(directory[at : at + name])
        at += name
        place, packed = _large(directory[at : at + extra], real, packed, place)
        if place + _LOCAL + packed > begins:
            raise _Wrong("by the directory at its end, a file in it lies beyond that end")
        at += extra + comment
    return found


def _large(extra: bytes, real: int, packed: int, place: int) -> tuple[int, int]:
    """Where a file lies and how long it is, where that needs 64 bits."""
    if _IN_EXTRA not in (real, packed, place):
        return place, packed
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<2H", extra)
        numbers = iter(struct.unpack_from(f"<{len(extra[4 : 4 + length]) // 8}Q", extra, 4))
        extra = extra[4 + length :]
        if kind == _LARGE_SIZES:
            real, packed, place = (
                next(numbers, each) if each == _IN_EXTRA else each for each in (real, packed, place)
            )
            break
    return place, packed


def _directory(source: Source) -> tuple[int, int, int]:
    """Where the archive's directory begins, its bytes, and how many files it names."""
    for length in (_END.size, _END.size + _COMMENT):
        start = max(0, source.size - length)
        tail = source.read(start, length)
        at = tail.rfind(_END_MARK, 0, max(0, len(tail) - _END.size + len(_END_MARK)))
        if at >= 0:
            break
    else:
        raise _CutOff("it ends without the directory of a ZIP archive: it is cut off")
    _, disk, _, _, count, size, begins, _ = _END.unpack_from(tail, at)
    before = start + at - _LARGE_PLACE.size
    if before >= 0:
        mark, _, place, _ = _LARGE_PLACE.unpack(source.read(before, _LARGE_PLACE.size))
        if mark == _LARGE_PLACE_MARK:
            record = source.read(place, _LARGE_END.size)
            if len(record) < _LARGE_END.size or not record.startswith(_LARGE_END_MARK):
                raise _Wrong("the directory at its end does not lie where it says")
            _, _, _, _, disk, _, _, count, size, begins = _LARGE_END.unpack(record)
    if disk or begins + size > source.size or size < count * _ENTRY.size:
        raise _Wrong("the directory at its end does not lie where it says")
    return begins, size, count
