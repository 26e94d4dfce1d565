"""A file of the same name with another ending."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from comfywatchman.fixes.candidate import Candidate, set_to
from comfywatchman.fixes.strategies.moved import MOST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfywatchman.fixes.fault import Fault

ORDER: Final = 40


def candidates(fault: Fault) -> Iterator[Candidate]:
    """Set it to that file; of several, a person has to say which one is meant."""
    several = len(fault.same_stem) > 1
    for name in fault.same_stem[:MOST]:
        yield set_to(fault, name, "it has the same name with another ending", ask=several)
