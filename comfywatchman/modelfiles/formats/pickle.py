"""Pickles: what ``torch.save`` wrote before PyTorch 1.6, and any other. Never unpickled.

PyTorch's is a row of five pickles, in the fourth of which stands how many numbers of which type
follow them all. Their instructions are read, to see where the file has to end; none is carried out.
"""

from __future__ import annotations

import io
import pickletools
import struct
from typing import TYPE_CHECKING, Any, Final

from comfywatchman.modelfiles.condition import Condition, cut_off
from comfywatchman.modelfiles.source import MOST, Unseen

if TYPE_CHECKING:
    from comfywatchman.modelfiles.source import Source

NAME: Final = "pickle"
WORDS: Final = "a pickle"
ENDINGS: Final = (".pth", ".pt", ".ckpt", ".bin", ".pkl")

_PROTOCOLS: Final = range(2, 6)
_TORCH: Final = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""The first pickle of PyTorch's, after its protocol."""
_ROW: Final = 5
_MOST_STEPS: Final = 200_000
_COUNT: Final = 8
_SIZES: Final = {
    "ByteStorage": 1, "CharStorage": 1, "BoolStorage": 1, "ShortStorage": 2, "HalfStorage": 2,
    "BFloat16Storage": 2, "IntStorage": 4, "FloatStorage": 4, "LongStorage": 8, "DoubleStorage": 8,
    "ComplexFloatStorage": 8, "ComplexDoubleStorage": 16,
}  # fmt: skip
_MARK: Final = object()


def recognised(source: Source) -> bool:
    """Whether it begins with a protocol, and not with the length of a safetensors header."""
    head = source.head
    if len(head) < 3 or head[0] != 0x80 or head[1] not in _PROTOCOLS:
        return False
    return any(head[4:8]) or head[8:9] not in (b"{", b" ", b"\n", b"\t", b"\r")


def inspect(source: Source) -> Condition:
    """Find out whether it ends before it may."""
    if not recognised(source):
        return Condition()
    of_torch = source.head.startswith(_TORCH, 2)
    whole = source.read(0, min(source.size, MOST - len(source.head)))
    stream = io.BytesIO(whole)
    pieces: list[tuple[str, int] | None] = []
    steps = 0
    for _ in range(_ROW if of_torch else 1):
        try:
            steps = _walk(stream, pieces, steps)
        except (ValueError, IndexError, struct.error):
            if stream.tell() < len(whole):
                break  # an instruction that there is not: no pickle at all, or a damaged one
            if len(whole) < source.size:
                raise Unseen from None
            return Condition("model_truncated", NAME, "it is cut off")
    else:
        return (
            _with_numbers(source.size, stream.tell(), pieces)
            if of_torch
            else Condition(format=NAME)
        )
    if of_torch:
        return Condition("torch_not_zip", NAME, "its pickles, as of an old PyTorch, are damaged")
    return Condition()


def _with_numbers(size: int, begins: int, pieces: list[tuple[str, int] | None]) -> Condition:
    known = [each for each in pieces if each is not None]
    if len(known) < len(pieces):
        return Condition(format=NAME)
    end = begins + sum(_COUNT + length for length in dict(known).values())
    if end <= size:
        return Condition(format=NAME)
    return cut_off(NAME, size, end)


def _walk(stream: io.BytesIO, pieces: list[tuple[str, int] | None], steps: int) -> int:
    """Read one pickle's instructions; put down the name and bytes of what follows the pickles.

    Raises:
        Unseen: there are too many.
    """
    stack: list[Any] = []
    memo: dict[Any, Any] = {}
    for opcode, given, _ in pickletools.genops(stream):
        steps += 1
        if steps > _MOST_STEPS:
            raise Unseen
        name = opcode.name
        if name.endswith("PUT"):
            memo[given] = stack[-1]
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name.endswith("GET"):
            stack.append(memo.get(given))
        elif name == "MARK":
            stack.append(_MARK)
        elif name == "TUPLE":
            stack.append(tuple(_to_mark(stack)))
        elif name == "BINPERSID":
            pieces.append(_piece(stack.pop()))
            stack.append(None)
        else:
            for taken in reversed(opcode.stack_before):
                if taken is pickletools.markobject:
                    _to_mark(stack)
                elif taken is not pickletools.stackslice:
                    stack.pop()
            stack.extend([given] * len(opcode.stack_after))
    return steps


def _to_mark(stack: list[Any]) -> list[Any]:
    """Take what lies above the last mark off the stack, and the mark."""
    above: list[Any] = []
    while (top := stack.pop()) is not _MARK:
        above.append(top)
    return above[::-1]


def _piece(given: object) -> tuple[str, int] | None:
    """Name and bytes of what a tensor's numbers are in; None where that is not known."""
    if not isinstance(given, tuple) or len(given) < 5 or given[0] != "storage":
        return None
    _, kind, name, _, count = given[:5]
    size = _SIZES.get(kind.split()[-1]) if isinstance(kind, str) and kind.split() else None
    if size is None or not isinstance(name, str) or type(count) is not int or count < 0:
        return None
    return name, size * count
