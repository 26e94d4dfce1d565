from __future__ import annotations

from typing import Any

from comfywatchman.results import Verdict
from tests.unit.checks.judging import codes, image, judged, node_type, only, preview

TYPES = {"Pass": node_type({"image": ["IMAGE", {}]}, outputs=("IMAGE", "INT"))}


def passing(origin: str, slot: int = 0) -> dict[str, Any]:
    return {"class_type": "Pass", "inputs": {"image": [origin, slot]}}


def test_an_output_that_needs_a_circle_is_lost() -> None:
    prompt = {
        "1": image(),
        "5": passing("6"),
        "6": passing("5"),
        "7": passing("6"),
        "8": preview("1"),
        "9": preview("7"),
    }
    judgement = judged(prompt, TYPES)
    assert judgement.verdict is Verdict.PARTIAL
    assert [output.node_id for output in judgement.outputs_lost] == ["9"]
    finding = only(judgement)
    assert finding.code == "dependency_cycle"
    assert finding.message in (
        "the node needs its own result: '5' needs '6' needs '5'",
        "the node needs its own result: '6' needs '5' needs '6'",
    )


def test_a_node_wired_to_itself() -> None:
    assert codes(judged({"5": passing("5"), "9": preview("5")}, TYPES)) == ["dependency_cycle"]


def test_a_circle_that_nothing_needs_does_no_harm() -> None:
    prompt = {"1": image(), "5": passing("6"), "6": passing("5"), "9": preview("1")}
    assert judged(prompt, TYPES).findings == []


def test_a_circle_is_not_closed_by_a_link_that_is_refused_anyway() -> None:
    prompt = {"5": passing("6"), "6": passing("5", 1), "9": preview("5")}
    assert codes(judged(prompt, TYPES)) == ["return_type_mismatch"]


def test_each_circle_is_reported_once() -> None:
    prompt = {
        "a": passing("b"),
        "b": passing("a"),
        "c": passing("d"),
        "d": passing("c"),
        "8": preview("a"),
        "9": preview("c"),
    }
    judgement = judged(prompt, TYPES)
    assert judgement.verdict is Verdict.BROKEN
    assert codes(judgement) == ["dependency_cycle", "dependency_cycle"]


def test_a_long_circle_is_named_in_short() -> None:
    prompt = {str(i): passing(str((i + 1) % 800)) for i in range(800)}
    finding = only(judged({**prompt, "out": preview("0")}, TYPES))
    assert "790 more" in finding.message
    assert len(finding.message) < 300


def test_each_node_of_a_circle_is_reported_from_0_20_on() -> None:
    prompt = {
        "5": passing("6"),
        "6": passing("7"),
        "7": passing("5"),
        "8": passing("5"),
        "9": preview("8"),
    }
    assert len(judged(prompt, TYPES, version="0.19.99").findings) == 1
    judgement = judged(prompt, TYPES, version="0.20.0")
    assert judgement.verdict is Verdict.BROKEN
    assert {(f.code, f.node_id, f.input) for f in judgement.findings} == {
        ("dependency_cycle", node_id, None) for node_id in "567"
    }
    by_node = {f.node_id: f.message for f in judgement.findings}
    assert by_node["6"] == "the node needs its own result: '6' needs '7' needs '5' needs '6'"


def test_a_node_of_a_circle_keeps_its_other_errors() -> None:
    prompt = {"5": passing("6"), "6": {"class_type": "Sized", "inputs": {"image": ["5", 0]}}}
    types = {
        **TYPES,
        "Sized": node_type({"image": ["IMAGE", {}], "n": ["INT", {}]}, outputs=("IMAGE",)),
    }
    found = judged({**prompt, "9": preview("5")}, types, version="0.33.0").findings
    assert {(f.code, f.node_id) for f in found} == {
        ("dependency_cycle", "5"),
        ("dependency_cycle", "6"),
        ("required_input_missing", "6"),
    }
