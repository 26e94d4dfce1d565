"""Links that are none, and links that break the server's validation."""

from __future__ import annotations

from typing import Any

import pytest

from comfywatchman.results import Verdict
from tests.unit.checks.judging import codes, image, judged, node_type, only, preview


@pytest.mark.parametrize("value", [[], ["1"], ["1", 0, 0], [1, 2, 3]])
def test_a_list_that_is_no_link(value: list[Any]) -> None:
    judgement = judged({"1": image(), "9": {"class_type": "Save", "inputs": {"images": value}}})
    assert judgement.verdict is Verdict.BROKEN
    finding = only(judgement)
    assert (finding.code, finding.node_id, finding.input) == ("bad_linked_input", "9", "images")


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        (["404", 0], "input 'source' is linked to node '404', which is not there"),
        ([1, 0], "input 'source' is linked to node 1, which is not there"),
        ([None, 0], "input 'source' is linked to node null, which is not there"),
        ([["1"], 0], "input 'source' is linked to node a list of 1 entry, which is not there"),
        (["1", 2], "input 'source' is linked to output 2 of node '1', but 'Image' has 2 outputs"),
        (["1", -3], "input 'source' is linked to output -3 of node '1', but 'Image' has 2 outputs"),
        (
            ["1", 0.0],
            "input 'source' is linked to output 0.0 of node '1', but 'Image' has 2 outputs",
        ),
        (
            ["1", "0"],
            "input 'source' is linked to output '0' of node '1', but 'Image' has 2 outputs",
        ),
        (
            ["1", None],
            "input 'source' is linked to output null of node '1', but 'Image' has 2 outputs",
        ),
    ],
)
def test_a_link_into_nowhere_breaks_the_validation_of_its_node(link: Any, reason: str) -> None:
    judgement = judged({"1": image(), "9": {"class_type": "Preview", "inputs": {"source": link}}})
    assert judgement.verdict is Verdict.BROKEN
    finding = only(judgement)
    assert finding.code == "exception_during_validation"
    assert (finding.node_id, finding.input) == ("9", None)
    assert finding.message == reason


def test_of_a_node_that_others_need_the_server_names_their_input() -> None:
    types = {"Pass": node_type({"image": ["IMAGE", {}]}, outputs=("IMAGE",))}
    prompt = {"5": {"class_type": "Pass", "inputs": {"image": ["404", 0]}}, "9": preview("5")}
    finding = only(judged(prompt, types))
    assert finding.code == "exception_during_inner_validation"
    assert (finding.node_id, finding.node_type, finding.input) == ("5", "Pass", "source")
    assert finding.message == (
        "input 'image' is linked to node '404', which is not there "
        "(the server reports it for input 'source' of node '9')"
    )


def test_an_exception_hides_what_else_is_wrong_with_the_node() -> None:
    types = {
        "Two": node_type({"n": ["INT", {"min": 5}], "image": ["IMAGE", {}]}, outputs=("IMAGE",)),
    }
    prompt = {
        "5": {"class_type": "Two", "inputs": {"n": 1, "image": ["404", 0]}},
        "9": preview("5"),
    }
    assert codes(judged(prompt, types)) == ["exception_during_inner_validation"]


@pytest.mark.parametrize("node", [{"class_type": "Image"}, {"class_type": "Image", "inputs": None}])
def test_a_node_without_inputs_breaks_the_validation(node: dict[str, Any]) -> None:
    assert codes(judged({"1": node, "9": preview("1")})) == ["exception_during_inner_validation"]


def test_true_counts_as_output_1() -> None:
    assert judged({"1": image(), "9": preview("1", True)}).findings == []


def test_a_negative_output_counts_from_the_end() -> None:
    judgement = judged({"1": image(), "9": preview("1", -1)})
    assert judgement.verdict is Verdict.RUNNABLE
    assert only(judgement).code == "link_slot_negative"


def test_links_of_inputs_the_node_does_not_have_are_ignored() -> None:
    inputs = {"source": ["1", 0], "was_here_before": ["404", 0], "and_this": 5}
    judgement = judged({"1": image(), "9": {"class_type": "Preview", "inputs": inputs}})
    assert judgement.verdict is Verdict.RUNNABLE
    finding = only(judgement)
    assert (finding.code, finding.input) == ("dangling_link", "was_here_before")
