"""Where the value of an input stands in the file is found, however it came to the input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.fixes import document, place
from comfywatchman.fixes.fault import Fault
from comfywatchman.fixes.here import Here
from comfywatchman.fixes.proposal import Edit
from comfywatchman.history.world import World
from comfywatchman.results import Finding, Severity, Subject, SubjectKind
from comfywatchman.workflow.convert import convert
from comfywatchman.workflow.prompt import WorkflowError
from tests import fixing
from tests.oracle import frontend
from tests.unit.fixes.small import prompt, saved, world

if TYPE_CHECKING:
    from collections.abc import Iterator

FINDING = Finding(
    code="value_not_in_list",
    severity=Severity.ERROR,
    message="it is wrong",
    subject=Subject(kind=SubjectKind.VALUE, name="wrong"),
)
DEFAULTS = {
    "group_old_3",
    "primitive_9",
    "promoted_combo_1",
    "reroute_1",
    "widgets_14",
}
"""Cases in which a default, or a text that the browser made, stands elsewhere by chance."""


def faults(here: World, content: dict[str, Any]) -> Iterator[Fault]:
    """Each plain value that is sent, as if it were wrong."""
    (judged,) = fixing.host(here, {"w": content}).workflows
    host = Here(here, [judged])
    try:
        conversion = convert(content, here.catalog)
    except WorkflowError:
        return
    sent = conversion.prompt if conversion.meant is None else conversion.meant
    for node_id, node in sent.items():
        for name, value in node["inputs"].items():
            if isinstance(value, str) or type(value) in (int, float):
                yield Fault(host, judged, content, sent, FINDING, node_id, name, (), value)


def test_where_a_real_frontend_takes_values_from() -> None:
    here = World(frontend.cases_catalog(), Inventory(), fixing.DEPTH, fixing.SIZE)
    found = 0
    missed: set[str] = set()
    for case in frontend.cases():
        if case.name.startswith("layout"):
            continue  # the same of many kinds of widgets
        stands = {
            value
            for _, node in document.nodes(case.workflow)
            for _, value in document.values(node, of_prompt=False)
            if isinstance(value, str)
        }
        for fault in faults(here, case.workflow):
            after = "other" if isinstance(fault.value, str) else fault.value + 3
            edits = place.find(fault, after)
            if edits is None:
                # A default, or a text of which the browser makes another, stands nowhere.
                if fault.value in stands:
                    missed.add(case.name)
                continue
            found += 1
            edited = document.edited(case.workflow, edits)
            now = convert(edited, here.catalog)
            sent = now.prompt if now.meant is None else now.meant
            assert sent[fault.node_id]["inputs"][fault.input] in (after, str(after))
            back = [Edit(edit.pointer, edit.after, edit.before) for edit in edits]
            assert document.edited(edited, back) == case.workflow
    assert missed == DEFAULTS
    assert found > 2_000


def test_only_what_is_meant_is_changed() -> None:
    content = saved("euler", "euler")
    here = world({"checkpoints": ["euler"]})
    by_node = {fault.node_id: fault for fault in faults(here, content) if fault.value == "euler"}
    places = {name: place.find(fault, "other") for name, fault in by_node.items()}
    assert places == {
        "1": (Edit(("nodes", 0, "widgets_values", 0), "euler", "other"),),
        "3": (Edit(("nodes", 1, "widgets_values", 0), "euler", "other"),),
    }


def test_a_value_that_is_saved_by_name_too_is_changed_in_both_places() -> None:
    content = saved("a.safetensors")
    content["nodes"][0]["widgets_values_named"] = {"ckpt_name": "a.safetensors"}
    fault = next(faults(world({"checkpoints": ["a.safetensors"]}), content))
    edits = place.find(fault, "b.safetensors")
    assert edits is not None
    assert [edit.pointer[2:] for edit in edits] == [
        ("widgets_values", 0),
        ("widgets_values_named", "ckpt_name"),
    ]


@pytest.mark.parametrize("wrap", [lambda p: p, lambda p: {"prompt": p}])
def test_in_a_prompt_it_stands_in_the_node(wrap: Any) -> None:
    content = wrap(prompt())
    fault = next(faults(world({"checkpoints": ["a.safetensors"]}), content))
    (edit,) = place.find(fault, "b") or ()
    assert edit.pointer[-3:] == ("1", "inputs", "ckpt_name")
    assert document.value_at(content, edit.pointer) == edit.before == "a.safetensors"
