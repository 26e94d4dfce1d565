from __future__ import annotations

from comfywatchman.checks.missing_node_type import MISSING_NODE_TYPE
from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.judging.prompt import judge
from comfywatchman.results import Output, Severity, Verdict
from comfywatchman.workflow.prompt import Conversion, SavedNode
from tests.unit.checks.judging import BASE, codes, image, judged, only, preview


def test_an_unknown_type_refuses_the_whole_prompt_even_if_nothing_needs_it() -> None:
    judgement = judged({"1": image(), "9": preview("1"), "5": {"class_type": "Gone", "inputs": {}}})
    assert judgement.verdict is Verdict.BROKEN
    assert judgement.outputs == []
    assert judgement.outputs_lost == [Output(node_id="9", node_type="Preview")]
    finding = only(judgement)
    assert (finding.code, finding.node_id, finding.node_type) == ("missing_node_type", "5", "Gone")
    assert finding.message == "node type 'Gone' is not offered by this server"


def test_the_pack_comes_from_the_saved_file() -> None:
    saved = {"5": SavedNode("GroundingDino", pack="comfyui-segment-anything")}
    finding = judged({"5": {"inputs": {}}}, saved=saved).findings[0]
    assert finding.node_type == "GroundingDino"
    assert finding.fix is not None
    assert "Install the custom node pack 'comfyui-segment-anything'" in finding.fix
    assert "its import failed" in finding.fix
    assert finding.fixes[0].command == "comfy node install comfyui-segment-anything"


def test_a_core_type_asks_for_an_update() -> None:
    saved = {"5": SavedNode("New", pack="comfy-core")}
    finding = judged({"5": {"inputs": {}}}, saved=saved).findings[0]
    assert finding.fix is not None
    assert finding.fix.startswith("Update ComfyUI")


def test_a_type_in_other_case_is_named() -> None:
    finding = only(judged({"1": {"class_type": "image", "inputs": {}}}))
    assert finding.fix == "The server has 'Image': node types are told apart by case."


def test_what_is_no_node_has_no_type() -> None:
    for node in (None, 5, [], {}, {"class_type": None}, {"class_type": ["Image"]}):
        judgement = judged({"1": node, "2": image(), "9": preview("2")})
        assert judgement.verdict is Verdict.BROKEN, node
        assert "missing_node_type" in codes(judgement), node


def test_what_conversion_has_explained_is_not_said_again() -> None:
    group = MISSING_NODE_TYPE.finding("a group node cannot be unfolded", node_id="5")
    conversion = Conversion({"5": {"inputs": {}}}, {"5": SavedNode("workflow>x")}, [group])
    judgement = judge(conversion, Catalog(BASE), Inventory())
    assert judgement.verdict is Verdict.BROKEN
    assert judgement.findings == [group]


def test_what_else_is_wrong_is_said_as_a_warning() -> None:
    """The server does not get that far, but one round of repairs should be enough."""
    judgement = judged({"1": image(1), "9": preview("1"), "5": {"class_type": "Gone"}})
    assert [(f.code, f.severity) for f in judgement.findings] == [
        ("missing_node_type", Severity.ERROR),
        ("value_smaller_than_min", Severity.WARNING),
    ]
