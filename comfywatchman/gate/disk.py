"""Gate probe: can the reports be written?"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from comfywatchman.results import GateAnswer


def probe(folder: Path, minimum: int) -> GateAnswer:
    """Look at the free space where the reports go. Never raises.

    Args:
        folder: the state folder; it is there already.
        minimum: bytes that must be free.
    """
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return _answer(False, f"{folder} cannot be looked at: {error.strerror}")
    if not os.access(folder, os.W_OK | os.X_OK):
        return _answer(False, f"{folder} cannot be written by this user; correct its owner or mode")
    if free < minimum:
        return _answer(
            False,
            f"only {_mib(free)} free at {folder}, {_mib(minimum)} asked for; "
            "make room, or lower min_free_disk",
        )
    return _answer(True, f"{_mib(free)} free at {folder}")


def _mib(size: int) -> str:
    return f"{size / 1024**2:,.0f} MiB"


def _answer(ok: bool, reason: str) -> GateAnswer:
    from comfywatchman.results import GateAnswer  # whoever wants no answer needs no pydantic

    return GateAnswer(name="disk", ok=ok, reason=reason)
