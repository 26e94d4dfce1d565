"""How the model files are: what cycles found of each, else a look at its begin now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from comfywatchman import state_files
from comfywatchman.judging import cache
from comfywatchman.modelfiles import decayed, looking
from comfywatchman.modelfiles.answers import Answers
from comfywatchman.modelfiles.hashes import Hashes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from comfywatchman.comfyui.model_files import ModelFile
    from comfywatchman.modelfiles.condition import Condition

_SECONDS: Final = 20.0
"""How long the look may take."""


def conditions(folder: Path, files: Sequence[ModelFile]) -> Mapping[str, Condition]:
    """By path, how the files are, as far as that is known or can be seen now. Nothing is kept.

    Args:
        folder: the state folder.
        files: those of this host.
    """
    kept = Answers(folder / state_files.MODEL_ANSWERS, cache.program())
    known = {file.path: found for file in files if (found := kept.get(file)) is not None}
    others = [file for file in files if file.path not in known]
    looked = looking.looked_into(others, Answers(None, ""), _SECONDS)
    looked = looking.Looked({**known, **looked.conditions}, files)
    return decayed.told(looked, Hashes.read(folder)).conditions
