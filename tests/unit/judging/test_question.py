"""How a prompt is poisoned where nothing was recorded."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.judging.question import CALIBRATED, calibration, question
from comfywatchman.judging.refusal import Refusal, ServerError, is_as_calibrated, read
from tests.oracle.test_asking import catalog, recorded
from tests.standin.prompts import Prompts
from tests.unit.checks.judging import node_type

TYPES = recorded()["node_types"]
PICTURE = {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}}
SHOW = {"class_type": "Show", "inputs": {"anything": ["1", 0]}}
SAVE = {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "x"}}
LINKED_TO = {"1": PICTURE, "2": SHOW, "9": SAVE}
NEEDS = {"1": {}, "2": {"anything": "1"}, "9": {"images": "2"}}


def types(**more: Any) -> Catalog:
    return Catalog({**TYPES, **more}, "0.33.0")


def shows(declaration: list[Any]) -> Catalog:
    show = node_type({"anything": declaration}, outputs=("IMAGE",), output_node=True)
    return types(Show=show)


def test_an_output_that_others_need_stays_and_its_links_lead_into_sinks_too() -> None:
    found = question(LINKED_TO, NEEDS, shows(["*", {}]))
    assert found is not None
    assert found.prompt["2"]["inputs"] == {"anything": []}
    assert found.prompt["9"]["inputs"] == {"images": ["2", 0], "filename_prefix": []}
    assert found.prompt["9100"] == {"class_type": "ComfyNotNode", "inputs": {"value": ["1", 0]}}
    assert found.prompt["9101"]["inputs"]["lossless"] == ["9100", 0]
    assert found.needs["9100"] == {"value": "1"}
    assert "2" not in found.needs


def test_an_output_that_others_need_and_that_takes_no_poison_ends_it() -> None:
    assert question(LINKED_TO, NEEDS, shows(["COMFY_DYNAMICCOMBO_V3", {}])) is None


def test_a_server_without_the_adapter_is_asked_without_what_only_it_could_ask() -> None:
    without = Catalog({n: t for n, t in TYPES.items() if n != "ComfyNotNode"}, "0.8.0")
    preview = {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}}
    assert question({"1": PICTURE, "2": preview}, {"2": {"images": "1"}}, without) is None
    save = {**SAVE, "inputs": {"images": ["1", 0], "filename_prefix": "x"}}
    found = question({"1": PICTURE, "2": preview, "9": save}, {"9": {"images": "1"}}, without)
    assert found is not None
    assert set(found.prompt) == {"1", "9"}


def test_ids_that_are_taken_are_not_given_to_sinks() -> None:
    preview = {"class_type": "PreviewImage", "inputs": {"images": ["9101", 0]}}
    found = question({"9101": PICTURE, "2": preview}, {"2": {"images": "9101"}}, catalog())
    assert found is not None
    assert set(found.prompt) == {"9101", "9100", "9102"}


def test_the_prompt_that_is_given_stays_as_it_is() -> None:
    prompt = {"1": PICTURE, "9": {**SAVE, "inputs": {"images": ["1", 0], "filename_prefix": "x"}}}
    assert question(prompt, {}, catalog())
    assert prompt["9"]["inputs"]["filename_prefix"] == "x"


@pytest.mark.parametrize(
    "node",
    [
        None,
        [],
        {"inputs": {}},
        {"class_type": "Nowhere", "inputs": {}},
        {"class_type": ["SaveImage"], "inputs": {}},
        {"class_type": "EmptyImage"},
        {"class_type": "EmptyImage", "inputs": None},
        {"class_type": "EmptyImage", "inputs": ["1", 0]},
    ],
)
def test_what_is_no_node_that_is_listed_ends_it(node: Any) -> None:
    save = {**SAVE, "inputs": {"images": ["1", 0], "filename_prefix": "x"}}
    assert question({"1": PICTURE, "9": save}, {}, catalog()) is not None
    assert question({"1": PICTURE, "9": save, "5": node}, {}, catalog()) is None


def test_a_type_that_has_a_replacement_ends_it_though_it_is_listed() -> None:
    save = {**SAVE, "inputs": {"images": ["1", 0], "filename_prefix": "x"}}
    prompt = {"1": PICTURE, "9": save}
    replaced = Catalog(TYPES, "0.33.0", {"EmptyImage": [{"new_node_id": "Other"}]})
    assert question(prompt, {}, replaced) is None


def test_the_calibration_cannot_be_queued_by_a_handler_that_repairs_all_of_it() -> None:
    found = calibration(catalog())
    assert found is not None
    sink = "SaveAnimatedWEBP"
    status, body = Prompts({sink}).judge(found.prompt)
    refusal = read(status, json.dumps(body).encode())
    assert isinstance(refusal, Refusal)
    assert is_as_calibrated(refusal)
    repaired = Prompts({sink}, repairs={sink: ["filename_prefix", "fps"]})
    assert repaired.judge(found.prompt)[0] == 400


def test_a_refusal_of_another_kind_is_not_as_calibrated() -> None:
    errors = {n: tuple(ServerError(k, i, "", "") for k, i in v) for n, v in CALIBRATED.items()}
    assert is_as_calibrated(Refusal("prompt_outputs_failed_validation", errors))
    assert not is_as_calibrated(Refusal("prompt_no_outputs", errors))
    assert not is_as_calibrated(Refusal("prompt_outputs_failed_validation", {"2": errors["2"]}))


LISTED = sorted(TYPES)
values = st.one_of(
    st.lists(st.sampled_from(["1", "2", "3", "4", 0, 1]), max_size=3),
    st.sampled_from(["", "x", "1"]),
    st.integers(),
    st.none(),
    st.dictionaries(st.just("__value__"), st.lists(st.integers(), max_size=2)),
)


@st.composite
def prompts(draw: st.DrawFn) -> dict[str, Any]:
    prompt = {}
    for node_id in draw(st.lists(st.sampled_from("123456"), unique=True)):
        class_type = draw(st.sampled_from(LISTED))
        names = [spec.name for spec in catalog()[class_type].inputs.values()] or ["x"]
        inputs = draw(st.dictionaries(st.sampled_from(names), values))
        prompt[node_id] = {"class_type": class_type, "inputs": inputs}
    return prompt


@given(prompts())
def test_no_prompt_makes_a_question_with_an_output_that_could_be_good(prompt: Any) -> None:
    found = question(prompt, {}, catalog())
    if found is None:
        return
    outputs = 0
    for node_id, node in found.prompt.items():
        node_type = catalog()[node["class_type"]]
        if node_type.is_output:
            outputs += 1
            poisoned = [n for n, value in node["inputs"].items() if value == []]
            assert set(poisoned) >= found.poisons[node_id]
            assert found.poisons[node_id]
            plain = {s.name for s in node_type.inputs.values() if not s.type.startswith("COMFY_")}
            assert found.poisons[node_id] <= plain
    assert outputs == len(found.poisons) > 0
    handled = Prompts({name for name in LISTED if catalog()[name].is_output})
    assert handled.judge(found.prompt)[0] == 400
