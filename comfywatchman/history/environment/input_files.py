"""The files in ComfyUI's input folder, of which the cycle has the names already."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from comfywatchman.escape import visible
from comfywatchman.time_limit import Blind

if TYPE_CHECKING:
    from pathlib import Path

    from comfywatchman.history.facts import Value
    from comfywatchman.time_limit import Budget

MOST_FILES: Final = 100_000
"""Each is a fact of some 400 bytes."""


def input_files(
    names: frozenset[str] | None, folder: Path | None, budget: Budget
) -> dict[str, Value]:
    """Size and time of each file below the input folder; folders are no facts.

    Args:
        names: relative paths of what lies there; None if it could not be listed.
        folder: the input folder.
        budget: how long it may take.

    Raises:
        Blind: it is not seen, holds too many files, or the time is over.
    """
    if folder is None or names is None:
        raise Blind("the input folder is not to be seen from here: comfyui_dir tells where it is")
    if len(names) > MOST_FILES:
        raise Blind(f"the input folder holds more than {MOST_FILES:,} entries")
    begin = os.path.join(folder, "")  # noqa: PTH118  (on many names)
    found: dict[str, Value] = {}
    for name in names:
        budget.check()
        if (value := _value(begin + name)) is not None:
            found[visible(name)] = value
    return found


def _value(path: str) -> Value | None:
    """Size and time of a regular file; None for what is none."""
    try:
        status = os.stat(path)  # noqa: PTH116  (twice as fast, on many names)
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return {"size": status.st_size, "modified": int(status.st_mtime)}
