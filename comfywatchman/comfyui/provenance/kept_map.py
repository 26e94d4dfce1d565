"""Manager's node map, kept from one cycle to the next: it is large, and seldom another one."""

from __future__ import annotations

import hashlib
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from comfywatchman import state

if TYPE_CHECKING:
    from pathlib import Path

_LASTS: Final = 24 * 3600
"""Seconds after which it is asked for again: Manager may have got a newer one by itself."""


class KeptMap:
    """The file that a node map is kept in.

    Args:
        file: where; it need not be there.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self, edition: str) -> bytes | None:
        """The map, if it is whole, of this edition and not too old.

        Args:
            edition: whose map it is: the server and the version of its Manager.
        """
        try:
            head, _, raw = state.read_file(self._file).partition(b"\n")
        except OSError:
            return None
        written_at, _, digest = head.decode(errors="replace").partition(" ")
        if digest != _digest(edition, raw) or not written_at.isdigit():
            return None
        return raw if 0 <= time.time() - int(written_at[:20]) < _LASTS else None

    def write(self, edition: str, raw: bytes) -> None:
        """Keep a map in place of the one that is kept; without room for it, none is."""
        head = f"{int(time.time())} {_digest(edition, raw)}\n".encode()
        with suppress(OSError):
            state.replace_file(self._file, head + raw)


def _digest(edition: str, raw: bytes) -> str:
    return hashlib.sha256(edition.encode(errors="replace") + b"\0" + raw).hexdigest()
