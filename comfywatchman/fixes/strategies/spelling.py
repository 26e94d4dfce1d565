"""The same name with other slashes, other case, other spaces or in another Unicode form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from comfywatchman.fixes.candidate import Candidate, set_to

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfywatchman.fixes.fault import Fault

ORDER: Final = 10


def candidates(fault: Fault) -> Iterator[Candidate]:
    """Set it to what is there, exactly as it is written there."""
    several = len(fault.same_path) > 1
    for name in fault.same_path:
        yield set_to(fault, name, "it is the same name, written in another way", ask=several)
