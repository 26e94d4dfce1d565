"""The files in ComfyUI's input folder, of which the cycle has the names already."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from comfywatchman.escape import visible
from comfywatchman.history.environment.budget import Blind
from comfywatchman.history.environment.models import MOST_FILES, file_value

if TYPE_CHECKING:
    from pathlib import Path

    from comfywatchman.history.environment.budget import Budget
    from comfywatchman.history.facts import Value


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
        if (value := file_value(begin + name)) is not None:
            found[visible(name)] = value
    return found
