"""What is right about these workflows, and what to do about it."""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import Any

import pytest

from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.judging.prompt import Judgement, judge
from comfywatchman.results import Severity, Verdict
from comfywatchman.workflow.convert import convert
from comfywatchman.workflow.load import load

DATA = Path(__file__).parent / "data"

WINDOWS_PATH = (
    "Put 'notthere_v1.safetensors' into ComfyUI's models/checkpoints/SDXL folder and set it to "
    "'SDXL/notthere_v1.safetensors'."
)
FILES = Inventory(
    files={
        "input": frozenset(
            {
                *("example.png", "top.mp4", "clips", "clips/a.mp4", "clips/a.wav"),
                *("pasted", "pasted/image (8).png"),
            }
        ),
        "output": frozenset(),
        "temp": frozenset(),
    }
)


@pytest.fixture(scope="module")
def server() -> Catalog:
    with lzma.open(DATA / "object_info.json.xz", "rt", encoding="utf-8") as file:
        return Catalog(json.load(file), "0.33.0")


def judged(name: str, catalog: Catalog) -> Judgement:
    return judge(convert(load((DATA / f"{name}.json").read_bytes()), catalog), catalog, FILES)


@pytest.mark.parametrize(
    ("name", "verdict", "code", "fix"),
    [
        (
            "folder_guessed_from_input_name",
            Verdict.BROKEN,
            "value_not_in_list",
            "Put 'clip_vision_h.safetensors' into ComfyUI's models/clip_vision folder.",
        ),
        (
            "input_image_backslash",
            Verdict.PARTIAL,
            "custom_validation_failed",
            "Set it to 'pasted/image (8).png'.",
        ),
        (
            "input_image_case",
            Verdict.PARTIAL,
            "custom_validation_failed",
            "Set it to 'example.png'.",
        ),
        ("input_image_empty_name", Verdict.RUNNABLE, "file_input_is_folder", "Choose a file."),
        ("input_image_is_folder", Verdict.RUNNABLE, "file_input_is_folder", "Choose a file."),
        (
            "same_stem_other_extension",
            Verdict.BROKEN,
            "value_not_in_list",
            "Set it to 'add_detail.safetensors' (the same name with another ending).",
        ),
        (
            "windows_path_model_missing",
            Verdict.BROKEN,
            "value_not_in_list",
            WINDOWS_PATH,
        ),
    ],
)
def test_what_to_do(name: str, verdict: Verdict, code: str, fix: str, server: Catalog) -> None:
    judgement = judged(name, server)
    (finding,) = judgement.findings
    assert (judgement.verdict, finding.code, finding.fix) == (verdict, code, fix)


def test_no_file_is_chosen(server: Catalog) -> None:
    judgement = judged("no_file_chosen_none", server)
    (finding,) = judgement.findings
    assert judgement.verdict is Verdict.BROKEN
    assert finding.message == "no file is chosen for 'lora_name': it is 'None'"
    assert finding.fix is not None
    assert finding.fix.startswith("Choose one of ")
    assert finding.fix.endswith(", or bypass the node.")


def test_a_template_is_called_one(server: Catalog) -> None:
    judgement = judged("template_placeholder", server)
    assert judgement.verdict is Verdict.BROKEN
    assert {finding.input for finding in judgement.findings} == {"ckpt_name", "seed"}
    for finding in judgement.findings:
        assert "this is a template, whose values a program fills in" in finding.message


def test_two_names_that_look_alike_are_told_apart(server: Catalog) -> None:
    (finding,) = judged("unicode_normalisation", server).findings
    assert finding.fix is not None
    assert finding.fix.endswith("written in another Unicode form).")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("video_in_input_subfolder", "value_not_in_list"),
        ("video_path_not_there", "media_path_unseen"),
    ],
)
def test_what_a_pack_judges_by_the_file_is_unknown(name: str, code: str, server: Catalog) -> None:
    judgement = judged(name, server)
    assert judgement.verdict is Verdict.UNKNOWN
    assert [(f.code, f.severity) for f in judgement.findings] == [(code, Severity.WARNING)]


def engine_case(name: str) -> Judgement:
    catalog = Catalog(json.loads((DATA / f"{name}-object_info.json").read_text("utf-8")), "0.33.0")
    prompt = convert(load((DATA / f"{name}.json").read_bytes()), catalog)
    return judge(prompt, catalog, Inventory())


@pytest.mark.parametrize(
    ("name", "verdict", "errors"),
    [
        ("list_output_into_combo", Verdict.BROKEN, ["return_type_mismatch"]),
        ("unknown_dynamic_kind", Verdict.BROKEN, ["required_input_missing"]),
        ("outputs_are_a_string", Verdict.RUNNABLE, []),
        ("number_beyond_double", Verdict.BROKEN, ["invalid_input_type"]),
    ],
)
def test_odd_declarations(name: str, verdict: Verdict, errors: list[str]) -> None:
    judgement = engine_case(name)
    found = [f.code for f in judgement.findings if f.severity is Severity.ERROR]
    assert (judgement.verdict, found) == (verdict, errors)


def test_a_replacement_without_a_mapping_has_no_inputs() -> None:
    case: dict[str, Any] = json.loads(
        (DATA / "replacement_without_mapping.json").read_text("utf-8")
    )
    catalog = Catalog(case["object_info"], "0.33.0", case["node_replacements"])
    conversion = convert(load(json.dumps(case["prompt"]).encode()), catalog)
    judgement = judge(conversion, catalog, Inventory())
    assert judgement.verdict is Verdict.BROKEN
    errors = {(f.code, f.node_id) for f in judgement.findings if f.severity is Severity.ERROR}
    assert errors == {("required_input_missing", "2")}
