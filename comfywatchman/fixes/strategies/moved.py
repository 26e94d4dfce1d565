"""A file of the same name in another sub-folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from comfywatchman.comfyui.names import is_generic
from comfywatchman.fixes.candidate import Candidate, set_to

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfywatchman.fixes.fault import Fault

ORDER: Final = 30

MOST: Final = 4
"""Names that are offered of several."""


def candidates(fault: Fault) -> Iterator[Candidate]:
    """Set it to where the file is; of several, a person has to say which one is meant."""
    ask = len(fault.same_name) > 1 or is_generic(fault.wanted or "")
    for name in fault.same_name[:MOST]:
        yield set_to(fault, name, "a file of this name is in another folder", ask=ask)
