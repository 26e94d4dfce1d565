"""Gate probe: can the reports be written?"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from comfywatchman import room

if TYPE_CHECKING:
    from pathlib import Path

    from comfywatchman.results import GateAnswer


def probe(folder: Path, minimum: int) -> GateAnswer:
    """Look at the free space where the reports go. Never raises.

    Args:
        folder: the state folder; it is there already.
        minimum: bytes that must be free. 0: any room will do, of bytes and of files.
    """
    try:
        free = room.at(folder)
    except OSError as error:
        return _answer(False, f"{folder} cannot be looked at: {error.strerror}")
    if not os.access(folder, os.W_OK | os.X_OK):
        return _answer(False, f"{folder} cannot be written by this user; correct its owner or mode")
    if free.size < minimum:
        return _answer(
            False,
            f"only {free.shown} free at {folder}, {room.mib(minimum)} asked for; "
            "make room, or lower min_free_disk",
        )
    if minimum and free.files is not None and free.files < room.FEWEST_FILES:
        return _answer(
            False,
            f"only {free.files} further files can be made at {folder} (inodes), though "
            f"{free.shown} are free; remove files there (`df -i` counts them)",
        )
    return _answer(True, f"{free.shown} free at {folder}")


def _answer(ok: bool, reason: str) -> GateAnswer:
    from comfywatchman.results import GateAnswer  # whoever wants no answer needs no pydantic

    return GateAnswer(name="disk", ok=ok, reason=reason)
