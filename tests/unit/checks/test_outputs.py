"""Which outputs run, and what the verdict makes of it."""

from __future__ import annotations

import pytest

from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.judging.prompt import judge
from comfywatchman.results import Verdict
from comfywatchman.workflow.prompt import Conversion
from tests.unit.checks.judging import BASE, PACK, codes, image, judged, node_type, preview


def test_all_outputs_pass() -> None:
    judgement = judged({"1": image(), "8": preview("1"), "9": preview("1")})
    assert judgement.verdict is Verdict.RUNNABLE
    assert [output.node_id for output in judgement.outputs] == ["8", "9"]
    assert judgement.findings == []
    assert judgement.not_checked == []


def test_a_lost_output_is_named() -> None:
    judgement = judged({"1": image(), "2": image(1), "8": preview("1"), "9": preview("2")})
    assert judgement.verdict is Verdict.PARTIAL
    assert [output.node_id for output in judgement.outputs] == ["8"]
    assert [output.node_id for output in judgement.outputs_lost] == ["9"]


def test_nothing_is_left() -> None:
    judgement = judged({"2": image(1), "9": preview("2")})
    assert judgement.verdict is Verdict.BROKEN
    assert [output.node_id for output in judgement.outputs_lost] == ["9"]


def test_what_nothing_needs_is_not_looked_at() -> None:
    assert judged({"1": image(), "2": image(1), "9": preview("1")}).findings == []


def test_no_output() -> None:
    judgement = judged({"1": image()})
    assert judgement.verdict is Verdict.BROKEN
    assert codes(judgement) == ["prompt_no_outputs"]


def test_an_empty_prompt() -> None:
    judgement = judged({})
    assert judgement.verdict is Verdict.BROKEN
    assert codes(judgement) == ["prompt_no_outputs"]


def test_only_the_outputs_that_are_asked_for_count() -> None:
    prompt = {"1": image(), "2": image(1), "8": preview("1"), "9": preview("2")}
    for targets, verdict in (
        (None, Verdict.PARTIAL),
        ({"8"}, Verdict.RUNNABLE),
        ({"9"}, Verdict.BROKEN),
        ({"1"}, Verdict.BROKEN),
    ):
        asked = None if targets is None else frozenset(targets)
        conversion = Conversion(prompt, targets=asked)
        assert judge(conversion, Catalog(BASE, "0.8.0"), Inventory()).verdict is verdict, targets


def test_a_fault_reaches_through_any_depth_without_recursion() -> None:
    types = {"Pass": node_type({"image": ["IMAGE", {}]}, outputs=("IMAGE",))}
    chain = {
        str(i): {"class_type": "Pass", "inputs": {"image": [str(i - 1), 0]}}
        for i in range(1, 5_001)
    }
    judgement = judged({"0": image(1), **chain, "out": preview("5000")}, types)
    assert judgement.verdict is Verdict.BROKEN


@pytest.mark.parametrize(
    ("length", "verdict"),
    [
        (600, Verdict.RUNNABLE),
        (900, Verdict.RUNNABLE),
        (901, Verdict.UNKNOWN),
        (960, Verdict.UNKNOWN),
        (1000, Verdict.UNKNOWN),
        (1001, Verdict.BROKEN),
        (1200, Verdict.BROKEN),
        (50_000, Verdict.BROKEN),
    ],
)
def test_the_server_follows_no_chain_of_any_length(length: int, verdict: Verdict) -> None:
    types = {"Pass": node_type({"image": ["IMAGE", {}]}, outputs=("IMAGE",))}
    chain = {
        str(i): {"class_type": "Pass", "inputs": {"image": [str(i - 1), 0]}}
        for i in range(1, length - 1)
    }
    prompt = {"0": image(), **chain, "out": preview(str(length - 2))}
    judgement = judged(prompt, types)
    assert judgement.verdict is verdict
    assert bool(judgement.not_checked) is (verdict is Verdict.UNKNOWN)
    assert codes(judgement) == ["exception_during_inner_validation"] * (verdict is Verdict.BROKEN)
    beside = judged({**prompt, "a": image(), "b": preview("a")}, types)
    assert "b" in [output.node_id for output in beside.outputs]


def test_a_node_that_a_short_way_leads_to_as_well_may_be_reached() -> None:
    types = {
        "Pass": node_type({"image": ["IMAGE", {}]}, {"more": ["IMAGE", {}]}, outputs=("IMAGE",))
    }
    chain = {
        str(i): {"class_type": "Pass", "inputs": {"image": [str(i - 1), 0]}} for i in range(1, 1500)
    }
    chain["1499"]["inputs"]["more"] = ["700", 0]
    prompt = {"0": image(), **chain, "out": preview("1499")}
    assert judged(prompt, types).verdict is Verdict.UNKNOWN


def test_a_node_is_judged_once_however_many_need_it() -> None:
    types = {
        "Both": node_type({"a": ["IMAGE", {}], "b": ["IMAGE", {}]}, outputs=("IMAGE",)),
    }
    ladder = {
        str(i): {"class_type": "Both", "inputs": {"a": [str(i - 1), 0], "b": [str(i - 1), 0]}}
        for i in range(1, 101)
    }
    judgement = judged({"0": image(1), **ladder, "out": preview("100")}, types)
    assert codes(judgement) == ["value_smaller_than_min"]


def test_findings_stand_in_the_order_of_the_workflow() -> None:
    prompt = {"3": image(1), "1": image(2), "a": preview("1"), "b": preview("3")}
    assert [f.node_id for f in judged(prompt).findings] == ["3", "1"]


def test_custom_nodes_are_said_to_judge_themselves() -> None:
    types = {"Theirs": node_type(outputs=("IMAGE",), module=PACK)}
    judgement = judged({"1": {"class_type": "Theirs", "inputs": {}}, "9": preview("1")}, types)
    assert judgement.verdict is Verdict.RUNNABLE
    assert judgement.not_checked == [
        "what custom nodes check themselves when they are queued: Theirs"
    ]


def test_too_many_findings_are_cut_and_counted() -> None:
    prompt = {str(i): image(1) for i in range(300)} | {f"o{i}": preview(str(i)) for i in range(300)}
    judgement = judged(prompt)
    assert judgement.verdict is Verdict.BROKEN
    assert len(judgement.findings) == 201
    assert judgement.findings[-1].code == "findings_left_out"
    assert judgement.findings[-1].message == "100 more findings are left out"
