"""Node types that newer servers replace by others."""

from __future__ import annotations

from typing import Any

import pytest

from comfywatchman.results import Verdict
from tests.unit.checks.judging import codes, judged, node_type, preview

TYPES = {
    "New": node_type(
        {"size": ["INT", {"max": 100}], "mode": [["fast"], {}]}, outputs=("MASK", "IMAGE")
    )
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


def replaced(rules: Any, width: int = 64) -> Any:
    prompt = {
        "1": {"class_type": "Old", "inputs": {"width": width}},
        "9": {"class_type": "Save", "inputs": {"images": ["1", 0]}},
    }
    return judged(prompt, TYPES, replacements={"Old": rules})


def test_the_new_node_is_judged_in_its_place() -> None:
    judgement = replaced([RULE])
    assert judgement.verdict is Verdict.RUNNABLE
    assert codes(judgement) == ["node_replaced"]
    assert codes(replaced([RULE], width=101)) == ["value_bigger_than_max", "node_replaced"]


def test_the_first_that_exists_is_taken() -> None:
    assert replaced([{"new_node_id": "Gone"}, RULE]).verdict is Verdict.RUNNABLE


def test_without_a_mapping_inputs_and_outputs_stay() -> None:
    assert codes(replaced([{"new_node_id": "Image"}])) == ["node_replaced"]


@pytest.mark.parametrize("rules", [[], None, "New", [{"new_node_id": "Gone"}], [{}], [5]])
def test_what_makes_no_sense_replaces_nothing(rules: Any) -> None:
    assert codes(replaced(rules)) == ["missing_node_type"]


def test_a_type_that_exists_is_never_replaced() -> None:
    prompt = {"1": {"class_type": "Image", "inputs": {"width": 64}}, "9": preview("1")}
    assert judged(prompt, TYPES, replacements={"Image": [RULE]}).findings == []


@pytest.mark.parametrize("odd", [None, [], {}, "x"])
def test_mappings_that_make_no_sense_map_nothing(odd: Any) -> None:
    rule = {
        "new_node_id": "New",
        "input_mapping": [{"new_id": "size", "old_id": odd}],
        "output_mapping": [{"old_idx": odd, "new_idx": 1}],
    }
    judgement = replaced([rule])
    assert codes(judgement) == ["return_type_mismatch", "node_replaced"]
    assert judgement.findings[-1].message.startswith("node type 'Old' is gone")
