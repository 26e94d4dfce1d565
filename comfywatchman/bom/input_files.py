"""Size and SHA-256 of the input files that a workflow names."""

from __future__ import annotations

import hashlib
import os
import stat
from typing import TYPE_CHECKING, Any, Final

from comfywatchman.state import open_at_once

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGEST: Final = 64 * 1024**2
"""Bytes of an input file that is read for its hash."""
ALL: Final = 512 * 1024**2
"""Bytes of all of them."""


class InputHasher:
    """Reads input files for their hashes, small ones and not too many bytes in all."""

    def __init__(self) -> None:
        self._left = ALL

    def look(self, root: Path, below: str) -> tuple[int | None, str | None]:
        """Size and SHA-256 of a file; None for what is not seen, or is too large to be read."""
        path = root / below
        try:
            real = os.path.realpath(path)
            if os.path.commonpath([real, os.path.realpath(root)]) != os.path.realpath(root):
                return None, None
            if not stat.S_ISREG(path.stat().st_mode):
                return None, None
            with open_at_once(path) as stream:
                status = os.fstat(stream.fileno())
                if not stat.S_ISREG(status.st_mode):
                    return None, None
                size = status.st_size
                if size > min(LARGEST, self._left):
                    return size, None
                self._left -= size
                digest = hashlib.sha256()
                for chunk in _chunks(stream, size):
                    digest.update(chunk)
                return size, digest.hexdigest()
        except (OSError, ValueError):
            return None, None


def _chunks(stream: Any, size: int) -> Iterator[bytes]:
    left = size
    while left > 0 and (chunk := stream.read(min(left, 1024**2))):
        left -= len(chunk)
        yield chunk
