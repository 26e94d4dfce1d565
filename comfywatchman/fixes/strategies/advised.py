"""The value that the check itself advises: the number that a text means, the limit of a range."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from comfywatchman.fixes.candidate import Candidate, set_to
from comfywatchman.results import Confidence, FixKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfywatchman.fixes.fault import Fault

ORDER: Final = 50


def candidates(fault: Fault) -> Iterator[Candidate]:
    """Set it to what the check says."""
    for fix in fault.finding.fixes:
        if fix.kind is FixKind.SET_VALUE and fix.after is not None and fix.before == fault.value:
            ask = fix.confidence is Confidence.ASK
            after = _as_written(fault.value, fix.after)
            yield set_to(fault, after, "a guess" if ask else "it is what was meant", ask=ask)


def _as_written(text: object, number: object) -> object:
    """A number as the text has it that it was read from: 7, where the server makes 7.0 of it."""
    if (
        isinstance(text, str)
        and isinstance(number, float)
        and text.strip().lstrip("+-").isdecimal()
    ):
        return int(number) if number.is_integer() else number
    return number
