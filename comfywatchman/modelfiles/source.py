"""What may be read of a model file: 1 MiB in all, wherever it lies in it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Final

MOST: Final = 1024**2
"""Bytes read of a file, at most."""
_HEAD: Final = 4096


class Unseen(Exception):  # noqa: N818  (no error: the file may be in order)
    """More would have to be read than may be."""


@dataclass(slots=True)
class Source:
    """An open model file.

    Attributes:
        ending: of its name, in small letters, with the dot.
        size: its bytes, when it was opened.
        descriptor: by which it is open.
        left: bytes that may still be read.
        head: its first 4 KiB.
    """

    ending: str
    size: int
    descriptor: int
    left: int = MOST
    head: bytes = field(init=False, default=b"")

    def __post_init__(self) -> None:
        self.head = self.read(0, _HEAD)

    def read(self, offset: int, length: int) -> bytes:
        """Read a part of the file; less than was asked for only where the file ends.

        Raises:
            Unseen: that is more than may still be read.
            OSError: it cannot be read.
        """
        length = max(0, min(length, self.size - offset))
        if offset + length <= len(self.head):
            return self.head[offset : offset + length]
        if length > self.left:
            raise Unseen
        parts: list[bytes] = []
        while length and (part := os.pread(self.descriptor, length, offset)):
            parts.append(part)
            offset, length = offset + len(part), length - len(part)
            self.left -= len(part)
        return b"".join(parts)


def ending_of(name: str) -> str:
    """The ending of a file's name, in small letters, with its dot."""
    return os.path.splitext(name)[1].lower()  # noqa: PTH122  (a name, which may hold anything)
