from __future__ import annotations

from typing import Any

import pytest

from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.results import Finding, Severity, Verdict
from comfywatchman.workflow.prompt import SavedNode
from tests.unit.checks.judging import PACK, codes, judged, judged_input, node_type, only, preview

MODELS = ["sd15.safetensors", "sdxl/base.safetensors", "flux/dev/flux1-dev.safetensors"]


def checkpoint(wanted: Any, listed: list[str] | None = None, **options: Any) -> Finding:
    declared = [MODELS if listed is None else listed, {}]
    return only(judged_input(declared, wanted, name="ckpt_name", **options))


@pytest.mark.parametrize("declaration", [[["a", "b"], {}], ["COMBO", {"options": ["a", "b"]}]])
def test_a_choice_must_be_in_the_list(declaration: list[Any]) -> None:
    assert judged_input(declaration, "a").verdict is Verdict.RUNNABLE
    for value in ("c", "A", "a ", None, 0, {}, {"__value__": ["a"]}):
        judgement = judged_input(declaration, value)
        assert judgement.verdict is Verdict.BROKEN, value
        assert codes(judgement) == ["value_not_in_list"], value


def test_equal_values_are_one_choice() -> None:
    for value in (1, 1.0, True, {"__value__": 1}):
        assert judged_input([[1, 2], {}], value).verdict is Verdict.RUNNABLE, value
    assert judged_input([[1, 2], {}], "1").verdict is Verdict.BROKEN


def test_an_empty_list_accepts_nothing() -> None:
    assert judged_input([[], {}], "a").verdict is Verdict.BROKEN


def test_a_missing_model_is_named_with_its_folder() -> None:
    finding = checkpoint("gone.safetensors")
    assert finding.message == (
        "checkpoint 'gone.safetensors' is not among the 3 files ComfyUI lists for 'ckpt_name'"
    )
    assert finding.fix == "Put 'gone.safetensors' into ComfyUI's models/checkpoints folder."


def test_a_short_list_is_counted_in_words() -> None:
    assert checkpoint("gone.ckpt", []).message == (
        "checkpoint 'gone.ckpt' is not there: ComfyUI lists no files for 'ckpt_name'"
    )
    assert checkpoint("gone.ckpt", ["a.ckpt"]).message == (
        "checkpoint 'gone.ckpt' is not the one file ComfyUI lists for 'ckpt_name'"
    )


@pytest.mark.parametrize(
    ("wanted", "listed"),
    [
        ("base.safetensors", "sdxl/base.safetensors"),
        ("SDXL/base.safetensors", "sdxl/base.safetensors"),
        ("sdxl\\base.safetensors", "sdxl/base.safetensors"),
        ("other/SD15.safetensors", "sd15.safetensors"),
    ],
)
def test_the_same_file_by_another_path_is_the_exact_string_to_set(wanted: str, listed: str) -> None:
    assert checkpoint(wanted).fix == f"Set it to '{listed}'."


def test_of_several_files_of_that_name_none_is_preferred() -> None:
    fix = checkpoint("dream.safetensors", ["a/dream.safetensors", "b/dream.safetensors"]).fix
    assert fix == "Set it to one of 'a/dream.safetensors', 'b/dream.safetensors'."


def test_a_name_that_many_models_have_says_little_in_another_folder() -> None:
    wanted, listed = (
        "a/diffusion_pytorch_model.fp16.safetensors",
        "b/diffusion_pytorch_model.fp16.safetensors",
    )
    assert checkpoint(wanted, [listed]).fix == (
        f"Put '{wanted}' into ComfyUI's models/checkpoints folder, or set it to '{listed}' if that "
        "is the same model."
    )
    assert checkpoint("A\\model.safetensors", ["a/model.safetensors"]).fix == (
        "Set it to 'a/model.safetensors'."
    )


def test_a_similar_name_is_mentioned_not_proposed() -> None:
    fix = checkpoint("flux1-dev-fp8.safetensors", ["flux1-dev.safetensors"]).fix
    assert fix == (
        "Put 'flux1-dev-fp8.safetensors' into ComfyUI's models/checkpoints folder; listed under a "
        "similar name: 'flux1-dev.safetensors'."
    )


def test_a_file_in_the_wrong_folder_is_found() -> None:
    inventory = Inventory(models={"checkpoints": (), "loras": ("x/gone.safetensors",)})
    fix = checkpoint("gone.safetensors", inventory=inventory).fix
    assert fix == (
        "Move or link it into ComfyUI's models/checkpoints folder: the server has it in "
        "models/loras, where this input does not look."
    )


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://huggingface.co/a/b/resolve/main/gone.safetensors", True),
        ("https://civitai.com/api/download/models/1", True),
        ("http://huggingface.co/a", False),
        ("https://huggingface.co.evil.example/a", False),
        ("https://user@huggingface.co/a", False),
        ("https://huggingface.co:8443/a", False),
        ("https://evil.example/huggingface.co", False),
        ("https://huggingface.co\\@evil.example/", False),
        ("https://huggingface.co/a\nb", False),
        ("https://[huggingface.co/a", False),
        ("javascript:alert(1)", False),
    ],
)
def test_only_addresses_of_the_two_hubs_are_shown(address: str, shown: bool) -> None:
    saved = {"1": SavedNode("Tested", models={"gone.safetensors": address})}
    fix = checkpoint("sub/gone.safetensors", saved=saved).fix
    assert fix is not None
    assert fix.endswith(f"(download: {address}).") is shown
    assert ("download" in fix) is shown


def test_other_choices_are_offered() -> None:
    samplers = ["euler", "heun", "dpmpp_2m"]
    assert only(judged_input([samplers, {}], "eulr")).fix == "Did you mean 'euler'?"
    assert (
        only(judged_input([samplers, {}], "something")).fix
        == "Choose one of 'euler', 'heun', 'dpmpp_2m'."
    )
    assert (
        only(judged_input([samplers, {}], 5)).message == "5 is not among the 3 choices of 'value'"
    )


class TestCustomNodes:
    """What decides at nodes whose own rules cannot be seen."""

    def test_a_file_that_is_not_listed_is_missing(self) -> None:
        judgement = judged_input([["a.safetensors", "None"], {}], "b.safetensors", module=PACK)
        assert judgement.verdict is Verdict.BROKEN

    def test_so_is_a_file_in_a_list_of_words(self) -> None:
        assert judged_input([["auto"], {}], "b.gguf", module=PACK).verdict is Verdict.BROKEN

    @pytest.mark.parametrize("declaration", [[[], {}], ["COMBO", {"options": []}], ["COMBO", {}]])
    def test_an_empty_list_says_nothing(self, declaration: list[Any]) -> None:
        judgement = judged_input(declaration, "b.safetensors", module=PACK)
        assert judgement.verdict is Verdict.UNKNOWN
        assert only(judgement).severity is Severity.WARNING
        assert judgement.not_checked[0].startswith("whether the server accepts input 'value'")

    def test_neither_does_a_list_of_words(self) -> None:
        judgement = judged_input([["fast", "slow"], {}], "medium", module=PACK)
        assert judgement.verdict is Verdict.UNKNOWN

    def test_a_broken_output_stays_broken_whatever_a_custom_node_does(self) -> None:
        types = {
            "Theirs": node_type(
                {"mode": [["fast"], {}], "n": ["INT", {}]}, outputs=("IMAGE",), module=PACK
            )
        }
        prompt = {
            "1": {"class_type": "Theirs", "inputs": {"mode": "medium", "n": None}},
            "9": preview("1"),
        }
        judgement = judged(prompt, types)
        assert judgement.verdict is Verdict.BROKEN
        assert codes(judgement) == ["invalid_input_type", "value_not_in_list"]

    @pytest.mark.parametrize(
        ("files", "verdict"),
        [
            ({"input": frozenset({"sub", "sub/a.mp4"})}, Verdict.UNKNOWN),
            ({"input": frozenset({"b.mp4"})}, Verdict.BROKEN),
            ({}, Verdict.UNKNOWN),
        ],
    )
    def test_a_file_to_load_is_looked_for(self, files: Any, verdict: Verdict) -> None:
        declaration = [["b.mp4"], {"video_upload": True}]
        judgement = judged_input(
            declaration, "sub/a.mp4", module=PACK, inventory=Inventory(files=files)
        )
        assert judgement.verdict is verdict


@pytest.mark.parametrize(
    ("files", "verdict"),
    [
        ({"input": frozenset({"sub", "sub/a.mp4"})}, Verdict.UNKNOWN),
        ({"input": frozenset({"b.mp4"})}, Verdict.BROKEN),
        ({}, Verdict.BROKEN),
    ],
)
def test_a_loader_of_comfyui_that_is_not_known_may_go_by_the_file(
    files: Any, verdict: Verdict
) -> None:
    declaration = [["b.mp4"], {"video_upload": True}]
    judgement = judged_input(declaration, "sub/a.mp4", inventory=Inventory(files=files))
    assert judgement.verdict is verdict


class TestVersions:
    def test_new_combos_are_not_checked_before_0_7(self) -> None:
        new, old = ["COMBO", {"options": ["a"]}], [["a"], {}]
        judgement = judged_input(new, "b", version="0.3.64")
        assert judgement.verdict is Verdict.RUNNABLE
        assert only(judgement).severity is Severity.WARNING
        assert judged_input(old, "b", version="0.3.64").verdict is Verdict.BROKEN
        assert judged_input(new, "b", version="0.7.0").verdict is Verdict.BROKEN

    def test_remote_lists_are_not_checked_from_0_12_on(self) -> None:
        remote = ["COMBO", {"remote": {"route": "/files"}}]
        assert judged_input(remote, "b", version="0.8.0").verdict is Verdict.BROKEN
        assert judged_input(remote, "b", version="0.12.1").verdict is Verdict.RUNNABLE

    def test_several_choices_count_one_by_one_from_0_12_on(self) -> None:
        declaration = ["COMBO", {"options": ["a", "b"], "multiselect": True}]
        value = {"__value__": ["a", "b"]}
        assert judged_input(declaration, value, version="0.8.0").verdict is Verdict.BROKEN
        assert judged_input(declaration, value, version=None).verdict is Verdict.RUNNABLE
        assert (
            judged_input(declaration, {"__value__": ["c"]}, version=None).verdict is Verdict.BROKEN
        )
