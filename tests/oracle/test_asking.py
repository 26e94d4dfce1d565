"""Poisoned prompts against what a real 0.33.0 with 17 node packs answered to 85 of them."""

from __future__ import annotations

import json
import lzma
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman.checks.engine.case import PromptCase
from comfywatchman.checks.engine.rulebook import rulebook
from comfywatchman.checks.engine.walk import walk
from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.comfyui.provenance.knowledge import Knowledge
from comfywatchman.comfyui.provenance.origin import Provenance
from comfywatchman.judging.question import Question, question
from comfywatchman.judging.refusal import Accepted, Refusal, heard, read
from tests.standin.prompts import Prompts

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = Path(__file__).parent / "data" / "asked_0.33.json.xz"
HIDDEN_OUTPUTS = {"HiddenOutput", "SchemaRaisesOutput", "Preview3DAnimation"}
"""Outputs for the server that its /object_info does not list."""
NOT_ASKED = {
    "type_not_installed": "a type that is not listed",
    "no_outputs": "no output",
    "lab_out_no_inputs": "an output without any input, so nothing is left to ask",
    "failing_schema_class_upstream": "a type that is not listed",
    "failing_schema_class_output": "a type that is not listed",
    "failing_return_types_upstream": "a type that is not listed",
    "replaced_class_image_scale_by": "a type that is not listed",
    "replaced_class_t2i_adapter": "a type that is replaced",
    "replaced_class_with_meta": "a type that is replaced",
    "replaced_class_with_meta_upstream": "a type that has a replacement",
    "replaced_output_class_preview_3d_animation": "a type that is replaced",
    "hidden_output_class_beside_a_good_one": "a type that is not listed; it was queued",
    "hidden_output_class_alone": "a type that is not listed; it was queued",
}


@cache
def recorded() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(lzma.decompress(DATA.read_bytes()))
    return content


CASES = recorded()["cases"]
BY_NAME = {case["name"]: case for case in CASES}
ASKED = [case for case in CASES if case["name"] not in NOT_ASKED]


@cache
def catalog() -> Catalog:
    return Catalog(recorded()["node_types"], "0.33.0", recorded()["replacements"])


def asked(case: dict[str, Any]) -> Question | None:
    prompt = case["prompt"]
    known = {n for n, node in prompt.items() if node["class_type"] in catalog()}
    outputs = tuple(
        n for n in prompt if n in known and catalog()[prompt[n]["class_type"]].is_output
    )
    if (targets := case.get("targets")) is not None:
        outputs = tuple(n for n in outputs if n in targets)
    inventory = Inventory(files={}, models={}, embeddings=frozenset())
    whole = PromptCase(
        prompt,
        {},
        outputs,
        catalog(),
        inventory,
        rulebook(catalog()),
        Provenance(Knowledge(), catalog()),
        rulebook(catalog()).plans(prompt, catalog()),
    )
    needs = {node_id: node.needs for node_id, node in walk(whole).judged.items()}
    return question(prompt, needs, catalog())


def without_extra(question: Question, case: dict[str, Any]) -> dict[str, Any]:
    """Our prompt, with the poisons taken out that the recorded one does not have."""
    ours: dict[str, Any] = json.loads(json.dumps(question.prompt))
    for node_id, names in question.poisons.items():
        theirs = case["poisoned"]["prompt"].get(node_id, {}).get("inputs", {})
        assert any(theirs.get(name) == [] for name in names), node_id
        given = case["prompt"].get(node_id, {}).get("inputs", {})
        for name in names:
            if theirs.get(name) != []:
                ours[node_id]["inputs"].pop(name)
                if name in given:
                    ours[node_id]["inputs"][name] = given[name]
    return ours


def server_outputs() -> set[str]:
    listed = recorded()["node_types"].items()
    return {name for name, declared in listed if declared["output_node"]} | HIDDEN_OUTPUTS


def above(case: dict[str, Any]) -> dict[str, set[tuple[str, str | None, str]]]:
    """What the server found wrong with the plain prompt, output nodes aside."""
    outputs = server_outputs()
    return {
        node_id: errors_of(found)
        for node_id, found in case["plain"]["body"]["node_errors"].items()
        if case["prompt"][node_id]["class_type"] not in outputs
    }


def errors_of(found: dict[str, Any]) -> set[tuple[str, str | None, str]]:
    return {(e["type"], e["extra_info"].get("input_name"), e["details"]) for e in found["errors"]}


def stand_in(case: dict[str, Any]) -> Prompts:
    """The rule of tests/standin/README.md, with what was recorded of the plain prompt."""
    outputs = server_outputs()
    errors = {
        (n, case["prompt"][n]["class_type"]): found["errors"]
        for n, found in case["plain"]["body"]["node_errors"].items()
        if case["prompt"][n]["class_type"] not in outputs
    }
    return Prompts(outputs, errors, {"HealedOutput": ["name"], "HealedOutputTwo": ["name"]})


def test_nothing_is_asked_where_a_type_is_not_listed_or_replaced() -> None:
    assert {case["name"] for case in CASES if asked(case) is None} == set(NOT_ASKED)


@pytest.mark.parametrize("case", ASKED, ids=lambda c: c["name"])
def test_the_prompt_is_the_recorded_one(case: dict[str, Any]) -> None:
    ours = asked(case)
    assert ours is not None
    assert without_extra(ours, case) == case["poisoned"]["prompt"]


def test_where_there_are_two_inputs_both_are_poisoned(
    agreement: Callable[[str, int, int], None],
) -> None:
    exact = 0
    for case in ASKED:
        ours = asked(case)
        assert ours is not None
        exact += ours.prompt == case["poisoned"]["prompt"]
        for node_id, names in ours.poisons.items():
            node = ours.prompt[node_id]
            declared = catalog()[node["class_type"]].inputs.values()
            free = [
                spec.name
                for spec in declared
                if spec.type in ("STRING", "INT", "FLOAT", "BOOLEAN", "COMBO")
                and node["inputs"].get(spec.name, []) == []
            ]
            assert len(names) >= min(2, len(free)), case["name"]
            assert {node["inputs"][name] == [] for name in names} == {True}
    agreement("poisoned prompts that are the recorded ones, none more poisoned", exact, len(ASKED))


@pytest.mark.parametrize("case", ASKED, ids=lambda c: c["name"])
def test_what_is_heard_is_what_the_server_says_of_the_plain_prompt(case: dict[str, Any]) -> None:
    ours = asked(case)
    assert ours is not None
    if ours.prompt == case["poisoned"]["prompt"]:
        status, body = case["poisoned"]["status"], case["poisoned"]["body"]
    else:
        status, body = stand_in(case).judge(ours.prompt)
    refusal = read(status, json.dumps(body).encode())
    if case["name"] == "on_prompt_repairs_the_poison":
        assert isinstance(refusal, Accepted)  # this is what the off switch is for
        return
    assert isinstance(refusal, Refusal)
    said = {
        node_id: {(e.type, e.input, e.details) for e in errors}
        for node_id, errors in heard(ours, refusal).items()
        if node_id in case["prompt"]
    }
    told = {node_id: errors for node_id, errors in said.items() if errors}
    if case["name"] == "impact_remote_int_target":
        assert not case["upstream_equal"]  # the poison stops a handler that sets a refused value
        return
    assert told == above(case)


@pytest.mark.parametrize(
    "case",
    # It knows no partial_execution_targets, and none are ever sent.
    [c for c in CASES if (c in ASKED or c["poisoned"]["status"] == 200) and "targets" not in c],
    ids=lambda c: c["name"],
)
def test_the_stand_in_answers_as_recorded(case: dict[str, Any]) -> None:
    status, body = stand_in(case).judge(case["poisoned"]["prompt"])
    theirs = case["poisoned"]["body"]
    assert status == case["poisoned"]["status"]
    if status == 400:
        assert body["error"]["type"] == theirs["error"]["type"]
    if case["upstream_equal"]:
        sent = case["poisoned"]["prompt"]
        outputs = {n for n in sent if sent[n]["class_type"] in server_outputs()}
        ours_above = {n: errors_of(e) for n, e in body["node_errors"].items() if n not in outputs}
        theirs_above = {n: errors_of(e) for n, e in theirs["node_errors"].items()}
        assert ours_above == {n: e for n, e in theirs_above.items() if n not in outputs}


def test_every_output_class_refuses_what_is_poisoned(
    agreement: Callable[[str, int, int], None],
) -> None:
    """What was refused of each of 176 output classes, when every input held the poison."""
    let_through = set()
    poisonable = 0
    for row in recorded()["every_output_class"]:
        types = {row["class"]: {**row["declaration"], "output_node": True}}
        prompt = {"1": {"class_type": row["class"], "inputs": {}}}
        ours = question(prompt, {}, Catalog(types, "0.33.0"))
        if ours is not None:
            poisonable += 1
            if not ours.poisons["1"] & set(row["refused"]):
                let_through.add(row["class"])
    # The first is no output for the server, whatever /object_info says; the second's validation
    # falls over, and refuses all the same; a handler repairs the third.
    assert let_through == {"easy saveTextLazy", "TripoConversionNode", "HealedOutput"}
    agreement("output classes whose poison was refused", poisonable - 3, poisonable)


@pytest.mark.parametrize(
    "name", [case["name"] for case in CASES if case["poisoned"]["status"] == 200]
)
def test_what_was_queued_when_it_was_recorded(name: str) -> None:
    ours = asked(BY_NAME[name])
    if name.startswith("hidden_output_class"):
        assert ours is None
        return
    assert ours is not None
    status, _ = stand_in(BY_NAME[name]).judge(ours.prompt)
    assert status == (200 if name == "on_prompt_repairs_the_poison" else 400)
