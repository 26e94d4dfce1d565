"""Nodes of ComfyUI that judge their inputs themselves."""

from __future__ import annotations

from typing import Any

import pytest

from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.results import Severity, Verdict
from comfywatchman.workflow.prompt import SavedNode
from tests.unit.checks.judging import PACK, codes, judged, node_type, only, preview

THERE = Inventory(
    files={
        "input": frozenset({"a.png", "sub", "sub/b.png"}),
        "output": frozenset({"o.png"}),
        "temp": frozenset(),
    }
)
UNSEEN = Inventory()
OR = "or choose another file"
LINKED = Inventory(
    files={
        "input": frozenset(
            {
                *("a.png", "sub", "sub/b.png", "inward.png", "neighbour.png", "outward.png"),
                *("folder", "folder/b.png", "elsewhere", "elsewhere/x.png"),
                "elsewhere/back",
            }
        ),
        "output": frozenset({"o.png"}),
        "temp": frozenset(),
    },
    links={
        "input": {
            "inward.png": "/data/in/a.png",
            "neighbour.png": "/srv/ComfyUI/output/o.png",
            "outward.png": "/etc/x.png",
            "folder": "/data/in/sub",
            "elsewhere": "/srv/elsewhere",
            "elsewhere/back": "/data/in",
        }
    },
    paths={
        "input": ("/srv/ComfyUI/input", "/data/in"),
        "output": ("/srv/ComfyUI/output", "/srv/ComfyUI/output"),
    },
)


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
    assert "custom_validation_failed" not in codes(judgement)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sub", "input 'image' names the folder 'sub'; the node fails when it is run"),
        ("sub/../", "input 'image' names the folder 'sub/../'; the node fails when it is run"),
        ("", "no file is chosen for 'image'; the node fails when it is run"),
    ],
)
def test_a_folder_is_accepted_and_warned_of(name: str, message: str) -> None:
    finding = only(load_image(name))
    assert (finding.code, finding.severity) == ("file_input_is_folder", Severity.WARNING)
    assert finding.message == message


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


@pytest.mark.parametrize("name", ["/etc/hostname", "../../x.png", "..", "../output/o.png"])
def test_newer_servers_do_not_follow_them_either(name: str) -> None:
    assert load_image(name, version="0.27.99").verdict is Verdict.RUNNABLE
    judgement = load_image(name, version="0.28.0")
    assert judgement.verdict is Verdict.BROKEN
    assert codes(judgement) == ["custom_validation_failed"]


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("../in/a.png", Verdict.RUNNABLE, Verdict.RUNNABLE),
        ("../input/a.png", Verdict.RUNNABLE, Verdict.BROKEN),
        ("sub/../a.png", Verdict.RUNNABLE, Verdict.RUNNABLE),
        ("gone/../a.png", Verdict.BROKEN, Verdict.RUNNABLE),
        ("a.png/", Verdict.BROKEN, Verdict.RUNNABLE),
        ("/data/in/a.png", Verdict.RUNNABLE, Verdict.RUNNABLE),
        ("/srv/ComfyUI/input/a.png", Verdict.RUNNABLE, Verdict.RUNNABLE),
        ("/srv/ComfyUI/input/gone.png", Verdict.BROKEN, Verdict.BROKEN),
        ("/srv/ComfyUI/output/o.png", Verdict.RUNNABLE, Verdict.BROKEN),
        ("/srv/ComfyUI/output/o.png [output]", Verdict.RUNNABLE, Verdict.RUNNABLE),
        ("inward.png", Verdict.RUNNABLE, Verdict.RUNNABLE),
        ("neighbour.png", Verdict.RUNNABLE, Verdict.BROKEN),
        ("outward.png", Verdict.RUNNABLE, Verdict.BROKEN),
        ("folder/b.png", Verdict.RUNNABLE, Verdict.RUNNABLE),
        ("folder/../a.png", Verdict.RUNNABLE, Verdict.RUNNABLE),
        ("elsewhere/x.png", Verdict.RUNNABLE, Verdict.BROKEN),
        ("elsewhere/back/a.png", Verdict.RUNNABLE, Verdict.RUNNABLE),
        ("elsewhere/../ComfyUI/input/a.png", Verdict.RUNNABLE, Verdict.RUNNABLE),
    ],
)
def test_where_a_path_and_the_links_on_it_really_lead_decides_from_0_28_on(
    name: str, before: Verdict, after: Verdict
) -> None:
    assert load_image(name, LINKED, version="0.27.99").verdict is before
    assert load_image(name, LINKED, version="0.28.0").verdict is after


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("outward.png", "Put a copy of the file in the place of the link."),
        (
            "elsewhere/x.png",
            f"Put 'x.png' into ComfyUI's input folder and set it to 'x.png', {OR}.",
        ),
        ("../output/o.png", "Set it to 'o.png [output]'."),
        ("/home/me/a.png", "Set it to 'a.png'."),
        ("/etc/x.png", "Copy the file into ComfyUI's input folder and choose it there."),
    ],
)
def test_what_to_do_about_a_file_that_is_elsewhere(name: str, fix: str) -> None:
    assert only(load_image(name, LINKED, version="0.28.0")).fix == fix


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
        ("4:1", Verdict.RUNNABLE),
        ("1:4", Verdict.RUNNABLE),
        ("5:1", Verdict.BROKEN),
        ("1:5", Verdict.BROKEN),
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


OTHER_FORM = "it looks alike, but its letters are written in another Unicode form"
LIKE = Inventory(
    files={
        "input": frozenset(
            {
                "a.png",
                "sub",
                "sub/b b.png",
                "Cafe\u0301.png",
                "one",
                "one/c.png",
                "two",
                "two/c.png",
            }
        ),
        "output": frozenset({"o.png"}),
        "temp": frozenset(),
    }
)


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("A.PNG", "Set it to 'a.png'."),
        ("sub\\b b.png", "Set it to 'sub/b b.png'."),
        ("b b.png", "Set it to 'sub/b b.png'."),
        ("C:\\pictures\\a.png", "Set it to 'a.png'."),
        ("gone/a.png", "Set it to 'a.png'."),
        ("o.png", "Set it to 'o.png [output]'."),
        ("a.png [temp]", "Set it to 'a.png'."),
        ("a.jpg", "Set it to 'a.png' (the same name with another ending)."),
        ("a.png ", "Set it to 'a.png' (it looks alike, but for a space before or behind it)."),
        (
            "Caf\u00e9.png",
            f"Set it to 'Cafe\u0301.png' ({OTHER_FORM}).",
        ),
        ("c.png", "Set it to one of 'one/c.png', 'two/c.png'."),
        ("x.png", f"Put 'x.png' into ComfyUI's input folder, {OR}."),
        (
            "new\\x.png",
            f"Put 'x.png' into ComfyUI's input/new folder and set it to 'new/x.png', {OR}.",
        ),
        (
            "D:\\new\\x.png [output]",
            f"Put 'x.png' into ComfyUI's output folder and set it to 'x.png [output]', {OR}.",
        ),
        (
            " x.png",
            f"Put 'x.png' into ComfyUI's input folder and set it to 'x.png', {OR}.",
        ),
        ("None", "Choose a file, or bypass the node."),
        (" ", "Choose a file, or bypass the node."),
        (
            "${IMAGE}",
            "Let that program fill it in, and leave the template out of what is checked.",
        ),
    ],
)
def test_what_to_do_about_a_file_that_is_not_there(name: str, fix: str) -> None:
    finding = only(load_image(name, LIKE))
    assert (finding.code, finding.fix) == ("custom_validation_failed", fix)


@pytest.mark.parametrize("name", ["A.PNG", "sub\\b b.png", "o.png", "Caf\u00e9.png", "a.png "])
def test_what_is_followed_makes_the_finding_go_away(name: str) -> None:
    fix = only(load_image(name, LIKE, version=None)).fix
    assert fix is not None
    assert load_image(fix.split("'")[1], LIKE, version=None).findings == []


MODEL_FILE = Inventory(files={"input": frozenset({"3d", "3d/cube.glb"})})


def load_3d(kind: str, version: str, **inputs: Any) -> Any:
    declared = {
        "model_file": [["none", "3d/cube.glb"], {}],
        "image": ["LOAD_3D", {}],
        "width": ["INT", {"min": 1, "max": 4096}],
    }
    given = {"model_file": "none", "image": "", "width": 512, **inputs}
    given = {name: value for name, value in given.items() if value is not ...}
    return judged(
        {"1": {"class_type": kind, "inputs": given}, "9": preview("1")},
        {kind: node_type(declared, outputs=("IMAGE",))},
        version=version,
        inventory=MODEL_FILE,
    )


@pytest.mark.parametrize(
    ("kind", "before", "since"),
    [("Load3D", "0.24.99", "0.25.0"), ("Load3DAdvanced", "0.25.99", "0.26.0")],
)
class TestModelFiles:
    @pytest.mark.parametrize("model", ["none", "", None, "3d/cube.glb"])
    def test_no_file_and_one_that_is_there_pass(
        self, kind: str, before: str, since: str, model: Any
    ) -> None:
        assert load_3d(kind, since, model_file=model).verdict is Verdict.RUNNABLE
        listed = model in ("none", "3d/cube.glb")
        verdict = Verdict.RUNNABLE if listed else Verdict.BROKEN
        assert load_3d(kind, before, model_file=model).verdict is verdict

    def test_one_that_is_not_there_is_refused_for_each_input(
        self, kind: str, before: str, since: str
    ) -> None:
        found = load_3d(kind, since, model_file="3d/gone.glb").findings
        assert [(f.code, f.input) for f in found] == [
            ("custom_validation_failed", "model_file"),
            ("custom_validation_failed", "image"),
            ("custom_validation_failed", "width"),
        ]
        assert codes(load_3d(kind, before, model_file="3d/gone.glb")) == ["value_not_in_list"]

    def test_ranges_are_not_checked_and_types_are(self, kind: str, before: str, since: str) -> None:
        assert load_3d(kind, since, width=99999).findings == []
        assert codes(load_3d(kind, before, width=99999)) == ["value_bigger_than_max"]
        assert codes(load_3d(kind, since, width="wide")) == ["invalid_input_type"]
        assert codes(load_3d(kind, since, width=...)) == ["required_input_missing"]
        assert codes(load_3d(kind, since, model_file=...)) == ["exception_during_inner_validation"]


@pytest.mark.parametrize(
    ("kind", "name", "before", "since"),
    [
        ("SelectModelDevice", "device", "0.22.99", "0.23.0"),
        ("SelectCLIPDevice", "device", "0.22.99", "0.23.0"),
        ("SelectVAEDevice", "device", "0.22.99", "0.23.0"),
        ("ModelAttentionBackend", "attention", "0.31.99", "0.32.0"),
    ],
)
def test_any_choice_will_do(kind: str, name: str, before: str, since: str) -> None:
    types = {kind: node_type({name: [["a"], {}]}, outputs=("MODEL",))}

    def chosen(version: str, **inputs: Any) -> list[str]:
        prompt = {"1": {"class_type": kind, "inputs": inputs}, "9": preview("1")}
        return codes(judged(prompt, types, version=version))

    assert chosen(since, **{name: "other"}) == chosen(since, **{name: None}) == []
    assert chosen(before, **{name: "other"}) == ["value_not_in_list"]
    missing = "exception_during_inner_validation"
    assert chosen(since) == [missing if name == "attention" else "required_input_missing"]


def test_a_custom_combo_judges_all_its_inputs_from_0_11_on() -> None:
    declared = {"choice": ["COMBO", {"options": []}], "option1": ["INT", {"max": 5}]}
    types = {"CustomCombo": node_type(declared, outputs=("STRING",))}
    inputs = {"choice": "any", "option1": 9}
    prompt = {"1": {"class_type": "CustomCombo", "inputs": inputs}, "9": preview("1")}
    assert judged(prompt, types, version="0.11.0").findings == []
    assert codes(judged(prompt, types, version="0.10.99")) == ["value_bigger_than_max"]


@pytest.mark.parametrize("version", ["0.8.0", "0.33.0"])
def test_a_picture_of_the_camera_must_be_there_unless_the_browser_takes_it(version: str) -> None:
    types = {"WebcamCapture": node_type({"image": ["WEBCAM", {}]}, outputs=("IMAGE",))}
    prompt = {"1": {"class_type": "WebcamCapture", "inputs": {"image": "x"}}, "9": preview("1")}
    options: Any = {"version": version, "inventory": THERE}
    assert codes(judged(prompt, types, **options)) == ["custom_validation_failed"]
    taken = judged(prompt, types, saved={"1": SavedNode("WebcamCapture")}, **options)
    assert (taken.verdict, taken.findings) == (Verdict.RUNNABLE, [])
    assert "when the workflow is queued" in taken.not_checked[0]
