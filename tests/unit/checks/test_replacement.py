"""Node types that newer servers replace by others."""

from __future__ import annotations

from typing import Any

import pytest

from comfywatchman.results import Verdict
from tests.unit.checks.judging import codes, image, judged, node_type, only, preview

TYPES = {
    "New": node_type(
        {"size": ["INT", {"max": 100}], "mode": [["fast"], {}]}, outputs=("MASK", "IMAGE")
    ),
    "Blur": node_type({"image": ["IMAGE", {}]}, outputs=("IMAGE",)),
}
RULE = {
    "new_node_id": "New",
    "old_node_id": "Old",
    "input_mapping": [
        {"new_id": "size", "old_id": "width"},
        {"new_id": "mode", "set_value": "fast"},
    ],
    "output_mapping": [{"old_idx": 0, "new_idx": 1}],
}


def old(**changes: Any) -> dict[str, Any]:
    node = {"class_type": "Old", "inputs": {"width": 64}, "_meta": {"title": "old"}, **changes}
    return {key: value for key, value in node.items() if value is not ...}


def replaced(rules: Any, version: str | None = None, slot: Any = 0, **changes: Any) -> Any:
    prompt = {
        "1": old(**changes),
        "9": {"class_type": "Save", "inputs": {"images": ["1", slot]}},
    }
    return judged(prompt, TYPES, version=version, replacements={"Old": rules})


def test_the_new_node_is_judged_in_its_place() -> None:
    judgement = replaced([RULE])
    assert judgement.verdict is Verdict.RUNNABLE
    assert codes(judgement) == ["node_replaced"]
    too_big = replaced([RULE], inputs={"width": 101})
    assert codes(too_big) == ["value_bigger_than_max", "node_replaced"]


def test_nodes_are_replaced_from_0_14_on() -> None:
    assert codes(replaced([RULE], "0.13.99")) == ["missing_node_type", "node_type_gone"]
    assert codes(replaced([RULE], "0.14.0")) == ["node_replaced"]


def test_only_the_first_rule_counts() -> None:
    assert codes(replaced([{"new_node_id": "Gone"}, RULE])) == ["missing_node_type"]
    assert replaced([RULE, {"new_node_id": "Gone"}]).verdict is Verdict.RUNNABLE


@pytest.mark.parametrize("mapping", [None, [], ...])
def test_without_a_mapping_the_new_node_has_no_inputs(mapping: Any) -> None:
    rule = {"new_node_id": "New", "input_mapping": mapping, "output_mapping": None}
    judgement = replaced([{k: v for k, v in rule.items() if v is not ...}], slot=1)
    assert judgement.verdict is Verdict.BROKEN
    assert [(f.code, f.input) for f in judgement.findings if f.severity == "error"] == [
        ("required_input_missing", "size"),
        ("required_input_missing", "mode"),
    ]


def test_a_node_without_inputs_is_not_replaced() -> None:
    assert codes(replaced([RULE], inputs=...)) == ["missing_node_type", "node_type_gone"]


@pytest.mark.parametrize("slot", [0, 0.0, False])
def test_links_follow_their_output(slot: Any) -> None:
    assert replaced([RULE], slot=slot).verdict is Verdict.RUNNABLE
    still = replaced([{**RULE, "output_mapping": None}], slot=0)
    assert "return_type_mismatch" in codes(still)


@pytest.mark.parametrize("rules", [[], None, "New", [{"new_node_id": "Gone"}], [{}], [5]])
def test_what_makes_no_sense_replaces_nothing(rules: Any) -> None:
    assert codes(replaced(rules)) == ["missing_node_type"]


def test_a_type_that_exists_is_never_replaced() -> None:
    prompt = {"1": image(), "9": preview("1")}
    assert judged(prompt, TYPES, version=None, replacements={"Image": [RULE]}).findings == []


def test_what_took_a_place_is_not_replaced_itself() -> None:
    rules = {"Older": [{"new_node_id": "Old"}], "Old": [RULE]}
    prompt = {"1": old(class_type="Older"), "9": preview("1")}
    judgement = judged(prompt, TYPES, version=None, replacements=rules)
    assert codes(judgement) == ["missing_node_type"]


@pytest.mark.parametrize("odd", [None, [], {}])
def test_mappings_that_make_no_sense_map_nothing(odd: Any) -> None:
    rule = {
        "new_node_id": "New",
        "input_mapping": [{"new_id": "size", "old_id": odd}],
        "output_mapping": [{"old_idx": odd, "new_idx": 1}],
    }
    judgement = replaced([rule])
    assert "return_type_mismatch" in codes(judgement)
    assert judgement.findings[-1].message.startswith("node type 'Old' is gone")


def test_nodes_that_are_wired_to_each_other_may_be_replaced_or_not() -> None:
    """The server takes them in the order of a Python set; the one order breaks it."""
    blur = {
        "new_node_id": "Blur",
        "input_mapping": [{"new_id": "image", "old_id": "picture"}],
        "output_mapping": None,
    }
    prompt = {
        "1": old(),
        "2": old(class_type="OldBlur", inputs={"picture": ["1", 0]}),
        "9": {"class_type": "Save", "inputs": {"images": ["2", 0]}},
    }
    rules = {"Old": [RULE], "OldBlur": [blur]}
    judgement = judged(prompt, TYPES, version=None, replacements=rules)
    assert judgement.verdict is Verdict.UNKNOWN
    assert "up to chance" in judgement.not_checked[0]
    same_name = {**blur, "input_mapping": [{"new_id": "image", "old_id": "image"}]}
    prompt["2"]["inputs"] = {"image": ["1", 0]}
    rules["OldBlur"] = [same_name]
    sure = judged(prompt, TYPES, version=None, replacements=rules)
    assert sure.verdict is Verdict.RUNNABLE


@pytest.mark.parametrize("meta", [..., None, 5, "x"])
def test_the_server_fails_where_there_is_no_meta_to_copy(meta: Any) -> None:
    judgement = replaced([RULE], _meta=meta)
    assert judgement.verdict is Verdict.BROKEN
    assert judgement.findings[0].code == "server_fails"
    assert codes(replaced([RULE], "0.13.99", _meta=...)) == ["missing_node_type", "node_type_gone"]


def test_the_server_fails_where_an_old_input_is_not_there() -> None:
    for inputs in ({}, {"size": 64}):
        judgement = replaced([RULE], inputs=inputs)
        assert judgement.verdict is Verdict.BROKEN
        assert "its input 'width' is not there" in judgement.findings[0].message
    unreachable = {"1": old(inputs={}), "2": image(), "9": preview("2")}
    judgement = judged(unreachable, TYPES, version=None, replacements={"Old": [RULE]})
    assert judgement.verdict is Verdict.BROKEN
    assert only_errors(judgement) == ["server_fails"]


def only_errors(judgement: Any) -> list[str]:
    return [f.code for f in judgement.findings if f.severity == "error"]


def test_a_finding_says_which_node_the_server_fails_at() -> None:
    prompt = {"1": image(), "5": {"class_type": "Image", "inputs": None}, "9": preview("1")}
    finding = only(judged(prompt, version="0.14.0"))
    assert (finding.code, finding.node_id, finding.node_type) == ("server_fails", "5", "Image")
    assert finding.message == (
        "the server fails at node '5' (HTTP 500): its 'inputs' are null instead of an object"
    )


@pytest.mark.parametrize("inputs", [None, [], [["a", 1]], "abc", "", 5, False])
def test_inputs_that_are_no_object_break_newer_servers_wherever_they_are(inputs: Any) -> None:
    prompt = {"1": image(), "5": {"class_type": "Image", "inputs": inputs}, "9": preview("1")}
    assert judged(prompt, version="0.13.99").verdict is Verdict.RUNNABLE
    assert judged(prompt, version="0.14.0").verdict is Verdict.BROKEN
    del prompt["5"]["inputs"]
    assert judged(prompt, version="0.14.0").verdict is Verdict.RUNNABLE


@pytest.mark.parametrize(
    ("node", "since"),
    [
        (None, "0.8.0"),
        (5, "0.8.0"),
        ({"class_type": {}, "inputs": {}}, "0.8.0"),
        ({"class_type": ["Image"]}, "0.8.0"),
        ("text", "0.12.0"),
        ([], "0.12.0"),
        ({"inputs": {}, "_meta": None}, "0.12.0"),
        ({"class_type": "Gone", "inputs": {}, "_meta": 5}, "0.12.0"),
        ({"class_type": "Gone", "inputs": {}, "_meta": []}, "0.12.0"),
        ({"class_type": "Gone", "inputs": {}, "_meta": "x"}, "0.12.0"),
    ],
)
def test_nodes_at_which_the_server_fails(node: Any, since: str) -> None:
    prompt = {"1": image(), "5": node, "9": preview("1")}
    judgement = judged(prompt, version=since)
    assert judgement.verdict is Verdict.BROKEN
    assert "server_fails" in codes(judgement)
    if since != "0.8.0":
        assert only_errors(judged(prompt, version="0.11.99")) == ["missing_node_type"]


@pytest.mark.parametrize(
    "node",
    [
        {"class_type": "Gone", "inputs": {}},
        {"class_type": "Gone", "inputs": {}, "_meta": {}},
        {"class_type": "Gone", "inputs": {}, "_meta": {"title": 5}},
        {"class_type": None, "inputs": {}},
        {},
    ],
)
def test_other_unknown_nodes_are_only_refused(node: Any) -> None:
    prompt = {"1": image(), "5": node, "9": preview("1")}
    assert only_errors(judged(prompt, version="0.33.0")) == ["missing_node_type"]


def test_what_is_refused_before_is_no_failure() -> None:
    """The server looks up the node types in the prompt's order, and ends at the first unknown."""
    prompt = {
        "1": image(),
        "2": {"class_type": "Gone", "inputs": {}},
        "5": {"class_type": "Gone", "inputs": {}, "_meta": None},
        "9": preview("1"),
    }
    assert only_errors(judged(prompt, version="0.33.0")) == ["missing_node_type"] * 2
