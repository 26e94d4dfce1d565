from __future__ import annotations

from typing import Any

import pytest

from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.judging.prompt import Judgement, judge
from comfywatchman.results import Severity, Verdict
from comfywatchman.workflow.prompt import Conversion

NODE = "Power Lora Loader (rgthree)"
LORAS = ["detail.safetensors", "SDXL/style.safetensors"]


def judged(
    inputs: dict[str, Any], *, loras: list[Any] | None = None, models: Any = None
) -> Judgement:
    types: dict[str, Any] = {
        NODE: {
            "input": {"optional": {"model": ["MODEL"]}},
            "output": ["MODEL"],
            "output_node": True,
            "python_module": "custom_nodes.rgthree-comfy",
        }
    }
    if loras is not None:
        types["LoraLoader"] = {"input": {"required": {"lora_name": [loras, {}]}}}
    prompt = {"1": {"class_type": NODE, "inputs": inputs}}
    inventory = Inventory(models=models or {})
    return judge(Conversion(prompt), Catalog(types, "0.33.0"), inventory)


def told(lora: Any, loras: list[Any] | None = None, **more: Any) -> list[str]:
    row = {"on": True, "lora": lora, "strength": 1, **more}
    judgement = judged({"lora_1": row}, loras=LORAS if loras is None else loras)
    assert judgement.verdict is Verdict.RUNNABLE
    assert all(f.severity is Severity.WARNING for f in judgement.findings)
    assert all((f.code, f.input) == ("missing_lora", "lora_1") for f in judgement.findings)
    return [f.fix or "" for f in judgement.findings]


@pytest.mark.parametrize(
    "lora",
    [
        "detail.safetensors",
        "detail",
        "detail.pt",
        "SDXL/style.safetensors",
        "SDXL/style",
        "style.safetensors",
        "style",
        "other/style.safetensors",
        "other/style.ckpt",
        "DXL/sty",
        "None",
        "",
        None,
        5,
    ],
)
def test_what_the_node_finds_is_not_told(lora: object) -> None:
    assert told(lora) == []


@pytest.mark.parametrize("lora", ["gone.safetensors", "SDXL/gone", "STYLE.safetensors"])
def test_what_it_leaves_out_is(lora: str) -> None:
    assert len(told(lora)) == 1


def test_a_path_of_another_system_is_answered_with_this_ones() -> None:
    [fix] = told("SDXL\\style.safetensors")
    assert fix == "Choose 'SDXL/style.safetensors' in the node."


def test_nobody_is_told_to_make_a_file_with_a_backslash() -> None:
    [fix] = told("gone\\nothere.safetensors")
    assert fix.startswith("Put 'nothere.safetensors' into ComfyUI's models/loras folder")


def test_nor_one_without_an_ending_which_the_server_would_not_list() -> None:
    [fix] = told("gone")
    assert fix.startswith("Put its file into ComfyUI's models/loras folder")


@pytest.mark.parametrize("row", [{"on": False}, {"strength": 0}, {"strength": None}])
def test_a_row_that_does_nothing_is_not_looked_at(row: dict[str, Any]) -> None:
    assert told("gone.safetensors", **row) == []


def test_the_strength_for_clip_alone_counts() -> None:
    assert len(told("gone.safetensors", strength=0, strengthTwo=0.5)) == 1


@pytest.mark.parametrize("inputs", [{"lora_1": ["1", 0]}, {"lora_1": {}}, {"lora_1": "x"}, {}])
def test_whatever_stands_in_a_row(inputs: dict[str, Any]) -> None:
    assert [f for f in judged(inputs, loras=[]).findings if f.code == "missing_lora"] == []


def test_the_servers_own_list_of_models_will_do() -> None:
    row = {"on": True, "lora": "a.safetensors", "strength": 1}
    for listed, count in ((("a.safetensors",), 0), ((), 1)):
        judgement = judged({"lora_1": row}, models={"loras": listed})
        assert len(judgement.findings) == count


def test_without_a_list_it_is_a_blind_spot() -> None:
    judgement = judged({"lora_1": {"on": True, "lora": "a.safetensors", "strength": 1}})
    assert judgement.findings == []
    assert any("LoRAs" in sentence for sentence in judgement.not_checked)


def test_entries_of_the_list_that_are_no_names_do_no_harm() -> None:
    assert len(told("a", [5, None, ["a"], "b"])) == 1
