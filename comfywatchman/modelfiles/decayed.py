"""Files of which ``models verify`` found that they are not what they should be."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from comfywatchman.modelfiles.codes import HASH_DIFFERS
from comfywatchman.modelfiles.condition import Condition

if TYPE_CHECKING:
    from comfywatchman.modelfiles.hashes import Hashes
    from comfywatchman.modelfiles.looking import Looked


def told(looked: Looked, hashes: Hashes) -> Looked:
    """What is known of the model files, with what reading them as a whole has shown.

    Args:
        looked: what their begins tell; where that is something wrong, it is the graver word.
        hashes: what is known of the rest.
    """
    wrong = {
        file.path: Condition(HASH_DIFFERS.name, detail=known.wrong)
        for file in looked.files
        if (known := hashes.of(file)) is not None
        and known.wrong
        and not getattr(looked.conditions.get(file.path), "code", "")
    }
    return replace(looked, conditions={**looked.conditions, **wrong}) if wrong else looked
