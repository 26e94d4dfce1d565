"""The value that the check itself advises: the number that a text means, the limit of a range."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from comfywatchman.fixes.candidate import Candidate, set_to
from comfywatchman.results import Confidence, FixKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfywatchman.fixes.fault import Fault

ORDER: Final = 30


def candidates(fault: Fault) -> Iterator[Candidate]:
    """Set it to what the check says."""
    for fix in fault.finding.fixes:
        if fix.kind is FixKind.SET_VALUE and fix.after is not None and fix.before == fault.value:
            ask = fix.confidence is Confidence.ASK
            yield set_to(fault, fix.after, "a guess" if ask else "it is what was meant", ask=ask)
