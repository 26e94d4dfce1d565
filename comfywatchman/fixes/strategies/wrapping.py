"""A choice or a number in quotes, in brackets, or as a list of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from comfywatchman.fixes.candidate import Candidate, set_to
from comfywatchman.fixes.fault import ABSENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfywatchman.fixes.fault import Fault

ORDER: Final = 20

_PAIRS: Final = ("''", '""', "``", "[]", "()")
_DEEPEST: Final = 6
_NUMBERS: Final = {"INT": (int,), "FLOAT": (int, float), "BOOLEAN": (bool,)}


def candidates(fault: Fault) -> Iterator[Candidate]:
    """Set it to what is inside, if that is one of its choices, or a number where one belongs."""
    value = fault.value
    for _ in range(_DEEPEST):
        value = _inside(value)
        if value is ABSENT:
            return
        meant = _meant(fault, value)
        if meant is not ABSENT:
            yield set_to(fault, meant, "it is the same without what stands around it")
            return


def _inside(value: Any) -> Any:
    if isinstance(value, list) and len(value) == 1:
        return value[0]
    if isinstance(value, str):
        text = value.strip()
        if len(text) > 1 and text[0] + text[-1] in _PAIRS:
            return text[1:-1]
    return ABSENT


def _meant(fault: Fault, value: Any) -> Any:
    if fault.choices is not None:
        if fault.accepts(value):
            return value
        same = fault.choices.same_path(value) if isinstance(value, str) else ()
        return same[0] if len(same) == 1 else ABSENT
    return value if type(value) in _NUMBERS.get(fault.type, ()) else ABSENT
