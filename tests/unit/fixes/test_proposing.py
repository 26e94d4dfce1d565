"""What is said of fixes: how sure they are, what they are for, and that they harm nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from comfywatchman.fixes.proposing import propose
from comfywatchman.results import Confidence, FixKind, Severity, Verdict
from comfywatchman.workflow.find import PictureFile
from tests.unit.checks.judging import node_type
from tests.unit.fixes.small import fixes, host, prompt, saved, world

if TYPE_CHECKING:
    from pathlib import Path

MODELS = {"checkpoints": ["a.safetensors", "b.safetensors"], "loras": ["l.safetensors"]}


def test_a_workflow_without_faults_has_no_fixes() -> None:
    assert fixes(MODELS, prompt()) == fixes(MODELS, saved()) == []


def test_two_faults_are_proven_together() -> None:
    found = fixes(MODELS, prompt("A.safetensors", "L.safetensors", "EULER"))
    assert [each.edits[0].after for each in found] == ["a.safetensors", "euler", "l.safetensors"]
    assert {each.confidence for each in found} == {Confidence.PROVEN}
    (proof,) = {each.proof for each in found}
    assert proof == (
        "the copy edited so, and by 2 other fixes of this workflow, was judged: broken before, "
        "runnable then"
    )


def test_what_the_others_do_not_need_is_not_proven_with_them() -> None:
    content = prompt("A.safetensors", "L.safetensors", steps="20")
    found = {each.edits[0].after: each.confidence for each in fixes(MODELS, content)}
    assert found == {
        "a.safetensors": Confidence.PROVEN,
        "l.safetensors": Confidence.PROVEN,
        20: Confidence.LIKELY,
    }


def test_what_is_wrong_in_a_node_of_unknown_type_is_mended_with_its_type() -> None:
    content = saved("a.safetensors", "EULER")
    content["nodes"][1]["type"] = "SAMPLER"
    (found,) = fixes(MODELS, content)
    assert [edit.after for edit in found.edits] == ["Sampler", "euler"]
    assert found.confidence is Confidence.PROVEN
    content["nodes"][1]["widgets_values"][0] = "no such choice"
    assert fixes(MODELS, content) == []


def test_nothing_is_proven_where_another_fault_stays() -> None:
    found = fixes(MODELS, prompt("A.safetensors", "gone.safetensors"))
    assert [(each.edits[0].after, each.confidence, each.proof) for each in found] == [
        ("a.safetensors", Confidence.LIKELY, None)
    ]


def test_one_output_of_two_is_something() -> None:
    content = prompt("A.safetensors", "gone.safetensors")
    content["5"] = {
        "class_type": "Sampler",
        "inputs": {**content["3"]["inputs"], "model": ["1", 0]},
    }
    content["6"] = {"class_type": "Save", "inputs": {"images": ["5", 0]}}
    (found,) = fixes(MODELS, content)
    assert found.proof == "the edited copy was judged: broken before, partial then"


def test_a_fix_says_what_it_is_for_and_is_the_same_each_time() -> None:
    here = host(MODELS, {"w.json": prompt("A.safetensors")})
    (first,), (second,) = propose(here), propose(here)
    assert first == second
    errors = [f for f in here.workflows[0].report.findings if f.severity is Severity.ERROR]
    assert first.fingerprints == tuple(f.fingerprint for f in errors)
    assert first.workflow == "w.json"
    (other,) = fixes(MODELS, prompt("A.SAFETENSORS"))
    assert other.id != first.id


def test_only_the_workflows_asked_for() -> None:
    broken = prompt("A.safetensors")
    here = host(MODELS, {"x.json": broken, "y.json": broken})
    assert [each.workflow for each in propose(here)] == ["x.json", "y.json"]
    assert [each.workflow for each in propose(here, only={"y.json"})] == ["y.json"]


def test_a_value_used_twice_is_one_fix() -> None:
    content = saved("A.safetensors")
    definition = {
        "id": "0f0f0f0f-0000-4000-8000-000000000001",
        "name": "loader",
        "nodes": [{**content["nodes"][0], "id": 9}],
        "links": [
            {
                "id": 7,
                "origin_id": 9,
                "origin_slot": 0,
                "target_id": -20,
                "target_slot": 0,
                "type": "MODEL",
            }
        ],
        "inputs": [],
        "outputs": [{"id": "o", "name": "MODEL", "type": "MODEL", "linkIds": [7]}],
    }
    content["definitions"] = {"subgraphs": [definition]}
    instance = {"type": definition["id"], "inputs": [], "outputs": [{"type": "MODEL"}]}
    sampler, save = content["nodes"][1:]
    content["nodes"] = [
        {**instance, "id": 1},
        sampler,
        save,
        {**instance, "id": 11},
        {**sampler, "id": 13, "inputs": [{"name": "model", "type": "MODEL", "link": 3}]},
        {**save, "id": 14, "inputs": [{"name": "images", "type": "IMAGE", "link": 4}]},
    ]
    content["links"] += [[3, 11, 0, 13, 0, "MODEL"], [4, 13, 0, 14, 0, "IMAGE"]]
    here = host(MODELS, {"w.json": content})
    assert here.workflows[0].report.verdict is Verdict.BROKEN
    (found,) = propose(here)
    assert found.edits[0].pointer == (
        *("definitions", "subgraphs", 0, "nodes", 0),
        *("widgets_values", 0),
    )
    assert found.confidence is Confidence.PROVEN
    assert len(found.fingerprints) == 2


def test_a_picture_is_not_written_to(tmp_path: Path) -> None:
    here = host(MODELS, {"w.png": prompt("A.safetensors")})
    (judged,) = here.workflows
    picture = replace(judged, workflow=PictureFile(tmp_path / "w.png", "w.png"))
    (found,) = propose(replace(here, workflows=[picture]))
    assert (found.kind, found.edits) == (FixKind.BY_HAND, ())
    assert "picture" in found.text


def test_a_file_that_would_make_another_workflow_worse_is_not_brought() -> None:
    """The other one hands a list on to an equal one, which would be so no more."""
    same = ["a.safetensors"]
    pick = node_type({}, outputs=(same,), module="custom_nodes.x")
    use = node_type(
        {"ckpt_name": [same, {}]}, outputs=("IMAGE",), output_node=True, module="custom_nodes.x"
    )
    models = {"checkpoints": same, "vae": same, "loras": ["l.safetensors"]}
    here = world(models, Pick=pick, Use=use)
    other = {
        "1": {"class_type": "Pick", "inputs": {}},
        "2": {"class_type": "Use", "inputs": {"ckpt_name": ["1", 0]}},
    }
    lacking = {"lacking.json": prompt("l.safetensors")}
    (alone,) = propose(host(models, lacking, world=here))
    assert alone.confidence is Confidence.PROVEN
    both = host(models, {**lacking, "other.json": other}, world=here)
    assert both.workflows[1].report.verdict is Verdict.RUNNABLE
    assert propose(both) == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(json_values, json_values, json_values, st.sampled_from(["type", "inputs", "outputs", "id"]))
def test_hostile_files_harm_nothing(one: Any, other: Any, third: Any, key: str) -> None:
    content = saved("A.safetensors", models=one)
    content["nodes"][1][key] = other
    content["definitions"] = {"subgraphs": third}
    content["extra"] = {"groupNodes": one}
    content["models"] = third
    nodes = prompt("A.safetensors")
    nodes["3"][key] = one
    nodes["1"]["inputs"]["ckpt_name"] = other
    raw = [json.dumps(each).encode() for each in (content, nodes, {"prompt": nodes})]
    propose(host(MODELS, {f"{n}.json": each for n, each in enumerate(raw)}))
