"""What a bill says of declarations and of choices, in a form that every JSON file can hold."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from comfywatchman.escape import visible
from comfywatchman.history.schema import without_files

if TYPE_CHECKING:
    from comfywatchman.history.schema import FileNames

DEEPEST: Final = 32
"""Beyond this, what is nested in a declaration is left out."""
_LARGEST_NUMBER: Final = 2**63


def declaration(raw: object, files: FileNames) -> dict[str, Any]:
    """A declaration without what is for show, and without names of files, as a bill holds it."""
    made = plain(without_files(raw, files.__contains__))
    return made if isinstance(made, dict) else {}


def plain(value: Any, depth: int = 0) -> Any:
    """What is the same after it was written as JSON and read again.

    Control characters and lone surrogates become escapes; a number that JSON has not, or that
    readers round, becomes text.
    """
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if abs(value) < 2 * _LARGEST_NUMBER else str(value)[:100]
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if depth >= DEEPEST:
        return None
    if isinstance(value, dict):
        return {visible(str(name)): plain(inner, depth + 1) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner, depth + 1) for inner in value]
    return None
