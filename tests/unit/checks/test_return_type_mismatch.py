from __future__ import annotations

from typing import Any

import pytest

from comfywatchman.results import Severity, Verdict
from tests.unit.checks.judging import CORE, PACK, codes, judged, node_type, only, preview


def linked(received: Any, declaration: list[Any], *, source: str = CORE, target: str = CORE) -> Any:
    types = {
        "From": node_type(outputs=(received,), module=source),
        "To": node_type({"value": declaration}, output_node=True, module=target),
    }
    prompt = {
        "1": {"class_type": "From", "inputs": {}},
        "2": {"class_type": "To", "inputs": {"value": ["1", 0]}},
    }
    return judged(prompt, types)


@pytest.mark.parametrize(
    ("received", "declaration"),
    [
        ("IMAGE", ["IMAGE", {}]),
        ("*", ["IMAGE", {}]),
        ("IMAGE", ["*", {}]),
        ("IMAGE", ["IMAGE,MASK", {}]),
        ("LATENT,MASK", ["IMAGE, MASK", {}]),
        ("IMAGE,*", ["MODEL", {}]),
        ("COMFY_MATCHTYPE_V3", ["MODEL", {}]),
        ("MODEL", ["COMFY_MATCHTYPE_V3", {}]),
        (["a", "b"], [["a", "b"], {}]),
        (["a", "b"], ["COMBO", {"options": ["c"]}]),
        ("*", [["a", "b"], {}]),
    ],
)
def test_types_that_fit(received: Any, declaration: list[Any]) -> None:
    judgement = linked(received, declaration)
    assert judgement.verdict is Verdict.RUNNABLE
    assert judgement.findings == []


@pytest.mark.parametrize(
    ("received", "declaration"),
    [
        ("INT", ["FLOAT", {}]),
        ("image", ["IMAGE", {}]),
        ("STRING", [["a", "b"], {}]),
        ("STRING", ["COMBO", {"options": ["a"]}]),
        ("COMBO", [["a", "b"], {}]),
        (["a"], [["a", "b"], {}]),
        (["a"], ["STRING", {}]),
        (None, ["STRING", {}]),
    ],
)
def test_types_that_do_not(received: Any, declaration: list[Any]) -> None:
    judgement = linked(received, declaration)
    assert judgement.verdict is Verdict.BROKEN
    finding = only(judgement)
    assert (finding.code, finding.node_id, finding.input) == ("return_type_mismatch", "2", "value")


def test_it_is_said_what_goes_where() -> None:
    assert only(linked("INT", ["FLOAT", {}])).message == (
        "input 'value' takes 'FLOAT', but is connected to output 0 of node '1', which is 'INT'"
    )


def test_a_mismatched_link_is_not_followed() -> None:
    types = {
        "From": node_type({"gone": ["IMAGE", {}]}, outputs=("INT",)),
        "To": node_type({"value": ["FLOAT", {}]}, output_node=True),
    }
    prompt = {
        "1": {"class_type": "From", "inputs": {}},
        "2": {"class_type": "To", "inputs": {"value": ["1", 0]}},
    }
    assert only(judged(prompt, types)).code == "return_type_mismatch"


def test_a_custom_node_may_judge_the_types_of_its_links() -> None:
    judgement = linked("INT", ["FLOAT", {}], target=PACK)
    assert judgement.verdict is Verdict.UNKNOWN
    finding = only(judgement)
    assert (finding.code, finding.severity) == ("return_type_mismatch", Severity.WARNING)
    assert judgement.not_checked[0] == (
        "whether the server accepts input 'value' of node '2' (To): "
        "a custom node may judge the types of its links itself"
    )


def test_a_type_that_core_nodes_declare_is_what_it_says() -> None:
    assert linked("INT", ["FLOAT", {}], source=PACK).verdict is Verdict.BROKEN


@pytest.mark.parametrize(
    ("declaration", "verdict"),
    [
        ([["a", "b"], {}], Verdict.RUNNABLE),
        ([["a"], {}], Verdict.BROKEN),
        (["COMBO", {"options": ["c"]}], Verdict.RUNNABLE),
        (["STRING", {}], Verdict.BROKEN),
        (["*", {}], Verdict.RUNNABLE),
    ],
)
def test_a_list_of_choices_of_a_custom_node(declaration: list[Any], verdict: Verdict) -> None:
    assert linked(["a", "b"], declaration, source=PACK).verdict is verdict


def test_types_declared_as_one_text_are_its_letters() -> None:
    types = {"Text": {**node_type(), "output": "STRING"}}
    text = {"class_type": "Text", "inputs": {}}
    for slot, code in ((0, []), (5, []), (6, ["exception_during_validation"])):
        prompt = {"1": text, "9": preview("1", slot)}
        assert codes(judged(prompt, types)) == code
    prompt = {"1": text, "9": {"class_type": "Save", "inputs": {"images": ["1", 0]}}}
    assert "which is 'S'" in only(judged(prompt, types)).message


def test_a_type_of_a_custom_node_may_pass_for_any() -> None:
    judgement = linked("ANYTHING", ["FLOAT", {}], source=PACK)
    assert judgement.verdict is Verdict.UNKNOWN
    assert only(judgement).severity is Severity.WARNING
