"""Links that lead a long way."""

from __future__ import annotations

import pytest

from comfywatchman.workflow.convert import convert
from comfywatchman.workflow.graph import BYPASSED
from tests.unit.workflow.saved import CATALOG, node, workflow


@pytest.mark.parametrize("count", [3, 1_000, 5_000])
@pytest.mark.parametrize("between", ["Filter", "Reroute"])
def test_however_many_nodes_lie_between(between: str, count: int) -> None:
    last = count + 2
    mode = BYPASSED if between == "Filter" else 0
    nodes = [
        node(1, "Source"),
        *(node(n, between, {"image": n}, mode=mode) for n in range(2, last)),
        node(last, "Sink", {"image": last}),
    ]
    links = [[n, n - 1, 0, n, 0, "IMAGE"] for n in range(2, last + 1)]
    prompt = convert(workflow(nodes, links), CATALOG).prompt
    assert prompt[str(last)]["inputs"] == {"image": ["1", 0]}


def test_a_circle_leads_nowhere() -> None:
    nodes = [
        node(1, "Filter", {"image": 11}, mode=BYPASSED),
        node(2, "Filter", {"image": 10}, mode=BYPASSED),
        node(3, "Sink", {"image": 12}),
    ]
    links = [[10, 1, 0, 2, 0, "*"], [11, 2, 0, 1, 0, "*"], [12, 2, 0, 3, 0, "IMAGE"]]
    assert convert(workflow(nodes, links), CATALOG).prompt["3"]["inputs"] == {}
