"""What the JavaScript of packs makes of a workflow, and what the server says to that."""

from __future__ import annotations

import json
import lzma
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.judging.prompt import Judgement, judge
from comfywatchman.results import Severity, Verdict
from comfywatchman.workflow.convert import convert
from comfywatchman.workflow.graph import BYPASSED, MUTED
from comfywatchman.workflow.load import load

if TYPE_CHECKING:
    from comfywatchman.workflow.prompt import Conversion

DATA = Path(__file__).parent / "data"


@cache
def object_info() -> dict[str, Any]:
    with lzma.open(DATA / "object_info.json.xz", "rt", encoding="utf-8") as file:
        parsed: dict[str, Any] = json.load(file)
        return parsed


def catalog(*, without: str = "") -> Catalog:
    """The server's node types, those of one pack left out."""
    module = f"custom_nodes.{without}"
    return Catalog(
        {n: d for n, d in object_info().items() if d["python_module"] != module}, "0.33.0"
    )


def saved(name: str) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads((DATA / f"{name}.json").read_text("utf-8"))
    return parsed


def converted(workflow: dict[str, Any], *, without: str = "") -> Conversion:
    return convert(load(json.dumps(workflow).encode()), catalog(without=without))


def judged(workflow: dict[str, Any], *, without: str = "") -> Judgement:
    types = catalog(without=without)
    return judge(converted(workflow, without=without), types, Inventory())


def errors(judgement: Judgement) -> set[tuple[str, str | None, str | None]]:
    found = judgement.findings
    return {(f.code, f.node_id, f.input) for f in found if f.severity is Severity.ERROR}


@pytest.mark.parametrize(
    "name",
    [
        "ue_broadcast",
        "js_only_preset_text",
        "saved_choice_is_object",
        "group_node_converted_widget",
        "power_lora_loader_missing",
    ],
)
def test_what_the_real_server_accepts_is_runnable(name: str) -> None:
    judgement = judged(saved(name))
    assert judgement.verdict is Verdict.RUNNABLE
    assert errors(judgement) == set()


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("ue_broadcast", "cg-use-everywhere"),
        ("js_only_preset_text", "comfyui-custom-scripts"),
    ],
)
def test_without_the_pack_it_is_not(name: str, pack: str) -> None:
    assert judged(saved(name), without=pack).verdict is Verdict.BROKEN


class TestBroadcast:
    def test_the_link_is_sent_as_the_pack_makes_it(self) -> None:
        prompt = converted(saved("ue_broadcast")).prompt
        assert prompt["8"]["inputs"] == {"samples": ["3", 0], "vae": ["4", 2]}

    @pytest.mark.parametrize("mode", [MUTED, BYPASSED])
    def test_switched_off_it_feeds_nothing(self, mode: int) -> None:
        workflow = saved("ue_broadcast")
        workflow["nodes"][-1]["mode"] = mode
        assert errors(judged(workflow)) == {("required_input_missing", "8", "vae")}

    def test_unfed_it_feeds_nothing(self) -> None:
        workflow = saved("ue_broadcast")
        workflow["nodes"][-1]["inputs"][0]["link"] = None
        workflow["links"] = [link for link in workflow["links"] if link[0] != 8]
        assert errors(judged(workflow)) == {("required_input_missing", "8", "vae")}


def test_a_choice_saved_with_its_picture_is_sent_as_its_name() -> None:
    prompt = converted(saved("saved_choice_is_object")).prompt
    assert prompt["4"]["inputs"]["ckpt_name"] == "dreamshaper_8.safetensors"


def test_a_type_that_is_gone_from_a_loaded_pack_is_missing() -> None:
    judgement = judged(saved("type_gone_pack_loaded"))
    assert judgement.verdict is Verdict.BROKEN
    assert errors(judgement) == {("missing_node_type", "20", None)}


def test_a_converted_widget_of_a_group_node_has_the_value_saved_last() -> None:
    prompt = converted(saved("group_node_converted_widget")).prompt
    [sampler] = [entry for entry in prompt.values() if entry["class_type"] == "KSampler"]
    values = {k: v for k, v in sampler["inputs"].items() if not isinstance(v, list)}
    assert values == {
        "seed": 1005,
        "steps": 20,
        "cfg": 8,
        "sampler_name": "euler",
        "scheduler": "karras",
        "denoise": 1,
    }


class TestPowerLoraLoader:
    def test_its_rows_are_sent(self) -> None:
        prompt = converted(saved("power_lora_loader_missing")).prompt
        row = {"on": True, "lora": "gone\\nothere.safetensors", "strength": 0.8}
        assert prompt["20"]["inputs"] == {"model": ["4", 0], "lora_1": row}

    def test_a_lora_that_is_not_there_is_told(self) -> None:
        [finding] = judged(saved("power_lora_loader_missing")).findings
        assert (finding.code, finding.node_id) == ("missing_lora", "20")
        assert finding.severity is Severity.WARNING
