"""Nodes of ComfyUI that judge their inputs themselves."""

from __future__ import annotations

from typing import Any

import pytest

from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.results import Severity, Verdict
from tests.unit.checks.judging import PACK, codes, judged, node_type, only, preview

THERE = Inventory(
    files={
        "input": frozenset({"a.png", "sub", "sub/b.png"}),
        "output": frozenset({"o.png"}),
        "temp": frozenset(),
    }
)
UNSEEN = Inventory()


def load_image(
    name: Any, inventory: Inventory = THERE, *, module: str = "nodes", **options: Any
) -> Any:
    types = {
        "LoadImage": node_type(
            {"image": [["a.png", "listed.png"], {"image_upload": True}]},
            outputs=("IMAGE", "MASK"),
            module=module,
        )
    }
    prompt = {"1": {"class_type": "LoadImage", "inputs": {"image": name}}, "9": preview("1")}
    return judged(prompt, types, inventory=inventory, **options)


@pytest.mark.parametrize(
    "name", ["a.png", "sub/b.png", "sub", "", "o.png [output]", "a.png [input]"]
)
def test_what_is_there_passes_whatever_the_list_says(name: str) -> None:
    judgement = load_image(name)
    assert judgement.verdict is Verdict.RUNNABLE
    assert judgement.findings == []


@pytest.mark.parametrize("name", ["listed.png", "A.png", "a.png [temp]", "sub\\b.png", "a.png "])
def test_what_is_not_there_is_refused_whatever_the_list_says(name: str) -> None:
    judgement = load_image(name)
    assert judgement.verdict is Verdict.BROKEN
    finding = only(judgement)
    assert (finding.code, finding.node_id, finding.input) == (
        "custom_validation_failed",
        "1",
        "image",
    )


def test_the_file_and_its_folder_are_named() -> None:
    finding = only(load_image("x.png [output]"))
    assert finding.message == "input file 'x.png' is not in ComfyUI's output folder"
    assert finding.fix == "Put 'x.png' into ComfyUI's output folder, or choose another file."


@pytest.mark.parametrize("name", [None, 5, True, {}, ["1", 0]])
def test_what_is_no_name_breaks_the_validation(name: Any) -> None:
    judgement = load_image(name)
    assert judgement.verdict is Verdict.BROKEN
    finding = judgement.findings[0]
    assert (finding.code, finding.node_id, finding.input) == (
        "exception_during_inner_validation",
        "1",
        "source",
    )


def test_no_name_at_all_breaks_it_too() -> None:
    types = {"LoadImage": node_type({"image": [["a.png"], {}]}, outputs=("IMAGE",))}
    prompt = {"1": {"class_type": "LoadImage", "inputs": {}}, "9": preview("1")}
    assert codes(judged(prompt, types)) == ["exception_during_inner_validation"]


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("a.png", Verdict.RUNNABLE),
        ("gone.png", Verdict.BROKEN),
        ("sub/gone.png", Verdict.UNKNOWN),
        ("gone.PNG", Verdict.BROKEN),
        ("a.png [input]", Verdict.RUNNABLE),
        ("gone.png [input]", Verdict.BROKEN),
        ("gone.mp4", Verdict.UNKNOWN),
        ("gone", Verdict.UNKNOWN),
        ("", Verdict.UNKNOWN),
        ("gone.png [output]", Verdict.UNKNOWN),
    ],
)
def test_without_sight_of_the_folder_the_list_decides_as_far_as_it_can(
    name: str, verdict: Verdict
) -> None:
    judgement = load_image(name, UNSEEN)
    assert judgement.verdict is verdict
    assert bool(judgement.not_checked) is (verdict is Verdict.UNKNOWN)


@pytest.mark.parametrize("name", ["/etc/hostname", "../../x.png", "..", "../models/a.ckpt"])
def test_paths_out_of_comfyui_are_warned_of_and_not_followed(name: str) -> None:
    judgement = load_image(name)
    assert judgement.verdict is Verdict.RUNNABLE
    finding = only(judgement)
    assert (finding.code, finding.severity) == ("path_outside_comfyui", Severity.WARNING)
    assert "it lies outside ComfyUI's folders" in judgement.not_checked[0]


def test_newer_servers_do_not_follow_them_either() -> None:
    judgement = load_image("/etc/hostname", version="0.38.1")
    assert judgement.verdict is Verdict.BROKEN
    assert codes(judgement) == ["custom_validation_failed"]
    assert load_image("../input/a.png", version="0.38.1").verdict is Verdict.RUNNABLE


def test_a_custom_node_of_that_name_is_a_custom_node() -> None:
    assert load_image("sub/b.png", module=PACK).verdict is Verdict.UNKNOWN


CAMERA = {
    name: ["FLOAT", {"min": -10.0, "max": 10.0}]
    for name in ("horizontal_movement", "vertical_movement", "pan", "tilt", "roll", "zoom")
}


def camera(**moves: Any) -> Any:
    types = {"KlingCameraControls": node_type(CAMERA, outputs=("CAMERA_CONTROL",))}
    inputs = {**dict.fromkeys(CAMERA, 0.0), **moves}
    prompt = {"1": {"class_type": "KlingCameraControls", "inputs": inputs}, "9": preview("1")}
    return judged(prompt, types)


def test_a_camera_must_move() -> None:
    judgement = camera()
    assert judgement.verdict is Verdict.BROKEN
    assert {(f.code, f.input) for f in judgement.findings} == {
        ("custom_validation_failed", name) for name in CAMERA
    }


def test_how_far_it_moves_is_not_checked() -> None:
    assert camera(pan=99.0).findings == []


def test_what_is_no_movement_breaks_the_validation() -> None:
    assert "exception_during_inner_validation" in codes(camera(pan="left"))


@pytest.mark.parametrize(
    ("ratio", "verdict"),
    [
        ("16:9", Verdict.RUNNABLE),
        ("4:1", Verdict.BROKEN),
        ("1:4", Verdict.BROKEN),
        ("9:1", Verdict.BROKEN),
        ("wide", Verdict.BROKEN),
        ("16:0", Verdict.BROKEN),
        (["1", 0], Verdict.BROKEN),
    ],
)
def test_an_aspect_ratio(ratio: Any, verdict: Verdict) -> None:
    types = {
        "FluxProUltraImageNode": node_type({"aspect_ratio": ["STRING", {}]}, outputs=("IMAGE",)),
        "Text": node_type(outputs=("STRING",)),
    }
    prompt = {
        "1": {"class_type": "Text", "inputs": {}},
        "2": {"class_type": "FluxProUltraImageNode", "inputs": {"aspect_ratio": ratio}},
        "9": preview("2"),
    }
    assert judged(prompt, types).verdict is verdict


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        (["1", 0], []),
        (["2", 0], [("custom_validation_failed", "input_types")]),
        ("a-task-id", [("exception_during_validation", None)]),
    ],
)
def test_a_tripo_task_must_be_wired_to_one(task: Any, expected: list[Any]) -> None:
    kind = "MODEL_TASK_ID,RIG_TASK_ID,RETARGET_TASK_ID"
    types = {
        "Rig": node_type(outputs=("RIG_TASK_ID",)),
        "TripoConversionNode": node_type({"original_model_task_id": [kind, {}]}, output_node=True),
    }
    prompt = {
        "1": {"class_type": "Rig", "inputs": {}},
        "2": {"class_type": "Model", "inputs": {}},
        "3": {"class_type": "TripoConversionNode", "inputs": {"original_model_task_id": task}},
    }
    found = [(f.code, f.input) for f in judged(prompt, types).findings if f.severity == "error"]
    assert found == expected


def test_a_switch_needs_a_branch() -> None:
    branches = {"on_false": ["*", {}], "on_true": ["*", {}]}
    types = {
        "ComfySoftSwitchNode": node_type({"switch": ["BOOLEAN", {}]}, branches, outputs=("*",))
    }

    def switch(**inputs: Any) -> Any:
        node = {"class_type": "ComfySoftSwitchNode", "inputs": {"switch": True, **inputs}}
        return judged(
            {"1": node, "2": {"class_type": "Model", "inputs": {}}, "9": preview("1")}, types
        )

    assert [(f.code, f.input) for f in switch().findings] == [
        ("custom_validation_failed", "switch")
    ]
    assert switch(on_true=["2", 0]).verdict is Verdict.RUNNABLE


def test_a_custom_combo_takes_any_choice() -> None:
    types = {"CustomCombo": node_type({"choice": ["COMBO", {"options": []}]}, outputs=("STRING",))}
    prompt = {"1": {"class_type": "CustomCombo", "inputs": {"choice": "any"}}, "9": preview("1")}
    assert judged(prompt, types).verdict is Verdict.RUNNABLE
