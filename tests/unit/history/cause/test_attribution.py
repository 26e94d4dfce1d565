"""On changes of real servers made up at random, the causes named are the true ones.

``./dev bench causes`` tries thousands.
"""

from __future__ import annotations

import random

import pytest

from tests.changes import cases


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_the_causes_named_are_the_true_ones(at_once: int) -> None:
    tried = [
        (case.truth(), *case.explained())
        for case in cases(random.Random(at_once), 40, at_once=at_once)
    ]
    assert [causes for truth, named, _, causes in tried if named != truth] == []
    assert all(certain == truth for truth, _, certain, _ in tried)
