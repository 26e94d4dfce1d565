from __future__ import annotations

from comfywatchman.results import Verdict
from tests.unit.checks.judging import PACK, codes, judged, node_type, only, preview


def test_a_required_input_is_missing() -> None:
    judgement = judged({"1": {"class_type": "Image", "inputs": {}}, "9": preview("1")})
    assert judgement.verdict is Verdict.BROKEN
    finding = only(judgement)
    assert (finding.code, finding.node_id, finding.input) == (
        "required_input_missing",
        "1",
        "width",
    )
    assert finding.message == "required input 'width' is not set"


def test_a_link_is_asked_for_where_only_a_link_will_do() -> None:
    finding = only(judged({"9": {"class_type": "Save", "inputs": {}}}))
    assert finding.message == "required input 'images' is not connected"
    assert finding.fix == "Connect an output of type 'IMAGE' to it."


def test_an_optional_input_may_be_missing() -> None:
    types = {"Opt": node_type(optional={"a": ["INT", {"min": 0}]}, outputs=("IMAGE",))}
    assert (
        judged({"1": {"class_type": "Opt", "inputs": {}}, "9": preview("1")}, types).findings == []
    )


def test_it_is_an_error_on_custom_nodes_too() -> None:
    types = {"Theirs": node_type({"a": ["INT", {}]}, outputs=("IMAGE",), module=PACK)}
    judgement = judged({"1": {"class_type": "Theirs", "inputs": {}}, "9": preview("1")}, types)
    assert judgement.verdict is Verdict.BROKEN
    assert codes(judgement) == ["required_input_missing"]


def test_inputs_that_are_no_object_are_as_good_as_none() -> None:
    for inputs in ([], "text"):
        prompt = {"1": {"class_type": "Image", "inputs": inputs}, "9": preview("1")}
        assert codes(judged(prompt)) == ["required_input_missing"], inputs
