"""Which workflow a person means who gives a path, or the short name of reports."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

from comfywatchman.findings import NAME_LENGTH, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

_NEAR: Final = 5
"""Names that are shown as near, and paths of those that have one name."""
_LONGEST: Final = 300
"""Characters of a name that others are compared with: the time grows with the square."""


class NotNamedError(Exception):
    """None is called so, or several are. The text says which are near, and what to do."""


def named(given: str, known: Mapping[str, str], where: str, *, by_end: bool = True) -> str:
    """The path of the workflow that is meant: by its path, its name, or the end of its path.

    Args:
        given: what a person wrote.
        known: the name of each workflow, by its path.
        where: who knows them, in words.
        by_end: whether the end of a path will do: not where something is written about it.

    Raises:
        NotNamedError: it is not clear which.
    """
    if given in known:
        return given
    found = [path for path, name in known.items() if name == given]
    if not found and by_end:
        found = [path for path in known if path.endswith(f"/{given}")]
    if len(found) == 1:
        return found[0]
    if found:
        paths = ", ".join(quoted(path, NAME_LENGTH) for path in sorted(found)[:_NEAR])
        raise NotNamedError(
            f"{len(found):,} workflows are called {quoted(given)}: name one by its path: {paths}"
        )
    names = list(dict.fromkeys(known.values()))
    ends = [name for name in names if name.rpartition("/")[2] == given.rpartition("/")[2]]
    near = ends or difflib.get_close_matches(given[:_LONGEST], names, n=_NEAR, cutoff=0.75)
    hint = f"near it: {', '.join(map(quoted, near[:_NEAR]))}" if near else "none is near it"
    raise NotNamedError(
        f"{where} has no workflow {quoted(given)}; {hint}; name it as the report does, by its path "
        "or its short name"
    )
