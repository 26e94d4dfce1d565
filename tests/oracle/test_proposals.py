"""Fixes that are made give back what there was, and do what is said of them.

Over every recorded prompt with a mutation, and over official workflows as the frontend saves them
in which one or two values were changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import fixing
from tests.oracle import frontend, recorded
from tests.oracle.test_fixes import KNOWN_ORIGINALS

if TYPE_CHECKING:
    from collections.abc import Callable

SERVERS = pytest.mark.parametrize("server", recorded.SERVERS, ids=lambda s: s.version)
ONE_IN = 16
GUESSED = ("float_above_max", "float_below_min", "int_above_max", "int_below_min")


def check(
    found: fixing.Figures, what: str, agreement: Callable[[str, int, int], None], least: int
) -> None:
    for name, count in (("given back", found.given_back), ("runnable", found.runnable)):
        agreement(f"fixes, {what}, {name}", count[True], count.total())
    assert found.worse == []
    assert found.given_back.total() >= least
    assert found.given_back[True] >= 0.95 * found.given_back.total(), found.not_given_back
    assert found.runnable[True] >= 0.99 * found.runnable.total(), found.not_runnable


@SERVERS
def test_mutated_prompts(
    server: recorded.Server, agreement: Callable[[str, int, int], None]
) -> None:
    cases = fixing.recorded_mutations(server, KNOWN_ORIGINALS)
    found = fixing.figures(fixing.world_of(server), cases)
    check(found, f"{server.version} mutated prompts", agreement, 50)
    for what in GUESSED:
        assert set(found.confidence[what]) == {"advised ask"}


@SERVERS
def test_saved_workflows(
    server: recorded.Server, agreement: Callable[[str, int, int], None]
) -> None:
    world = fixing.world_of(server)
    saved = frontend.official() if server is recorded.OF_0_8 else frontend.official_on_0_33()
    some = [(f"{each.corpus}/{each.name}", each.workflow) for each in saved][::ONE_IN]
    some += [(f"{c}/{n} prompt", p) for (c, n), p in server.prompts().items()][::ONE_IN]
    found = fixing.figures(world, fixing.saved_mutations(world, some))
    check(found, f"{server.version} saved workflows", agreement, 250)
