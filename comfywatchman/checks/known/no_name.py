"""Values that stand where a file is to be named, and name none."""

from __future__ import annotations

import re
from typing import Final

from comfywatchman.findings import quoted

_NOTHING: Final = frozenset({"", "nan", "none", "null", "undefined", "[object object]"})
_PLACEHOLDER: Final = re.compile(r"\$\{[^{}]*\}|\{\{[^{}]*\}\}|%[A-Za-z_][A-Za-z0-9_.-]*%")


def is_nothing(value: object) -> bool:
    """Whether a value is one of the ways in which programs write that there is none."""
    return isinstance(value, str) and value.strip().casefold() in _NOTHING


def placeholder(value: object) -> str | None:
    """The sentence on a value that a program is meant to fill in, None if it is none."""
    if not isinstance(value, str) or _PLACEHOLDER.search(value) is None:
        return None
    return (
        f"{quoted(value)} is a placeholder: this is a template, whose values a program fills in "
        "before it queues it"
    )


FILL_IN: Final = "let that program fill it in, and leave the template out of what is checked"
