"""What a small file can have done again and again is counted, and ends at a limit."""

from __future__ import annotations

import json
from typing import Any

import pytest

from comfywatchman.results import Severity
from comfywatchman.workflow import budget, scope
from comfywatchman.workflow.budget import TOO_TANGLED, Budget, steps_of_values
from comfywatchman.workflow.convert import convert
from comfywatchman.workflow.load import load
from comfywatchman.workflow.prompt import WorkflowError
from tests import growth
from tests.oracle import recorded

CATALOG = growth.catalog()
MIB = 1024**2


def spent(document: dict[str, Any]) -> int:
    """Steps that converting a workflow takes."""
    counted = Budget(budget.MOST_STEPS)
    convert(document, CATALOG, counted)
    return counted.spent


def test_what_is_over_it_is_not_judged_and_said_why() -> None:
    counted = Budget(1_000)
    counted.spend(counted.steps, TOO_TANGLED)
    with pytest.raises(WorkflowError) as caught:
        counted.spend(1, TOO_TANGLED)
    finding = caught.value.finding
    assert (finding.code, finding.severity) == ("workflow_too_tangled", Severity.WARNING)
    assert "more than 502,000 steps, the most for a file of 1,000 bytes" in finding.message
    assert finding.fix is not None


def test_a_larger_file_may_take_more_up_to_an_end() -> None:
    steps = [Budget(size).steps for size in (0, MIB, 4 * MIB, 64 * MIB)]
    assert steps[0] < steps[1] < steps[2] <= steps[3] == budget.MOST_STEPS


@pytest.mark.parametrize(
    ("value", "steps"),
    [
        (None, 0),
        ("x" * 5_000, 100),
        (["x" * 5_000], 100),
        ({"x" * 5_000: ["y" * 5_000, {"z": 1}]}, 200),
        (list(range(1_000)), 160),
    ],
)
def test_long_values_count(value: object, steps: int) -> None:
    assert steps_of_values(value) == steps


@pytest.mark.parametrize(
    "name",
    [
        "plain", "promoted", "promoted_by_proxies", "promoted_through_levels", "bypassed",
        "bypassed_outputs", "bypassed_unions", "bypassed_in_one_type", "fan", "reroute_circle",
        "setters", "getters_inside", "group_wires", "broadcasts",
    ],
)  # fmt: skip
def test_twice_the_size_takes_twice_the_steps(name: str) -> None:
    shape = growth.SHAPES[name]
    assert spent(shape(400)) <= 2.1 * spent(shape(200)) + 1_000


@pytest.mark.parametrize("name", sorted(growth.SHAPES))
def test_no_shape_takes_more_than_a_file_of_its_size_may(name: str) -> None:
    raw = growth.of_size(growth.SHAPES[name], 100_000)
    counted = Budget(len(raw))
    refused, prompt = None, {}
    try:
        prompt = convert(load(raw), CATALOG, counted).prompt
    except WorkflowError as error:
        refused = error.finding
    if refused is not None:
        assert refused.code.startswith("workflow_too_")
        assert refused.severity is Severity.WARNING
    assert len(json.dumps(prompt)) < 40 * counted.steps


def test_a_group_node_is_counted_before_it_is_unfolded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("comfywatchman.workflow.groups._Recipe", None)
    monkeypatch.setattr(budget, "LEAST_STEPS", 0)
    with pytest.raises(WorkflowError, match="unfolding") as caught:
        convert(growth.group(50), CATALOG, Budget())
    assert caught.value.finding.code == "workflow_too_many_nodes"


WITH_SUBGRAPHS = [
    line["workflow"]
    for line in recorded.lines("workflows")
    if "subgraphs" in str(line["workflow"].get("definitions", ""))
]


def test_what_instances_share_is_what_each_would_have(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(WITH_SUBGRAPHS) > 50
    each = [convert(workflow, CATALOG) for workflow in WITH_SUBGRAPHS]
    monkeypatch.setattr(scope, "_FEW", 0)
    shared = [convert(workflow, CATALOG) for workflow in WITH_SUBGRAPHS]
    assert [json.dumps(c.prompt) for c in shared] == [json.dumps(c.prompt) for c in each]
    assert [c.meant for c in shared] == [c.meant for c in each]
    assert [c.findings for c in shared] == [c.findings for c in each]
