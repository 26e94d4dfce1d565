"""The strategies there are, the best first."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, cast

from comfywatchman import discovery
from comfywatchman.fixes import strategies

if TYPE_CHECKING:
    from comfywatchman.fixes.candidate import Strategy


@cache
def find() -> tuple[tuple[str, Strategy], ...]:
    """Every strategy by its name, which is that of its file."""
    found = cast("list[Strategy]", discovery.import_all(strategies))
    named = zip(discovery.names(strategies), found, strict=True)
    return tuple(sorted(named, key=lambda pair: pair[1].ORDER))
