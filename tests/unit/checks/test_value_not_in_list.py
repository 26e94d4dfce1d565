from __future__ import annotations

from typing import Any, ClassVar

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


LORAS = ["add_detail.safetensors", "Cafe\u0301.safetensors", "sub/x.safetensors"]
ENDING = "the same name with another ending"
SPACE = "it looks alike, but for a space before or behind it"
FORM = "it looks alike, but its letters are written in another Unicode form"
PUT = "Put 'gone.safetensors' into ComfyUI's models/checkpoints"


@pytest.mark.parametrize(
    ("wanted", "fix"),
    [
        ("add_detail.pt", f"Set it to 'add_detail.safetensors' ({ENDING})."),
        ("add_detail", f"Set it to 'add_detail.safetensors' ({ENDING})."),
        ("old/ADD_DETAIL.ckpt", f"Set it to 'add_detail.safetensors' ({ENDING})."),
        ("add_detail.safetensors ", f"Set it to 'add_detail.safetensors' ({SPACE})."),
        ("Caf\u00e9.safetensors", f"Set it to 'Cafe\u0301.safetensors' ({FORM})."),
        ("C:\\loras\\x.safetensors", "Set it to 'sub/x.safetensors'."),
        ("SDXL\\gone.safetensors", f"{PUT}/SDXL folder and set it to 'SDXL/gone.safetensors'."),
        ("C:\\loras\\gone.safetensors", f"{PUT} folder and set it to 'gone.safetensors'."),
        ("/home/me/../gone.safetensors", f"{PUT} folder and set it to 'gone.safetensors'."),
        ("gone.safetensors ", f"{PUT} folder and set it to 'gone.safetensors'."),
    ],
)
def test_what_is_followed_makes_the_finding_go_away(wanted: str, fix: str) -> None:
    assert checkpoint(wanted, LORAS).fix == fix
    shown = fix.split(" to '")[-1].split("'")[0]
    there = [*LORAS, shown]
    assert judged_input([there, {}], shown, name="ckpt_name").findings == []


def test_a_server_on_windows_lists_names_with_backslashes() -> None:
    listed = ["sdxl\\base.safetensors"]
    assert checkpoint("sdxl/base.safetensors", listed).fix == "Set it to 'sdxl\\base.safetensors'."
    assert checkpoint("sdxl\\nowhere_v2.safetensors", listed).fix == (
        "Put 'sdxl\\nowhere_v2.safetensors' into ComfyUI's models/checkpoints folder."
    )
    assert checkpoint("new/gone.safetensors", listed).fix == (
        "Put 'gone.safetensors' into ComfyUI's models/checkpoints/new folder and set it to "
        "'new\\gone.safetensors'."
    )


@pytest.mark.parametrize(
    "wanted", ["None", "none", "undefined", "null", "", " ", "[object Object]", "NaN"]
)
def test_what_names_no_file_is_not_to_be_put_anywhere(wanted: str) -> None:
    finding = checkpoint(wanted)
    assert finding.message == f"no file is chosen for 'ckpt_name': it is '{wanted}'"
    assert finding.fix is not None
    assert finding.fix.startswith("Choose one of 'sd15.safetensors'")
    assert finding.fix.endswith(", or bypass the node.")


@pytest.mark.parametrize(
    "wanted", ["${MODEL}", "{{model}}", "%model%", "sdxl/${MODEL}.safetensors"]
)
def test_a_placeholder_is_for_a_program_to_fill_in(wanted: str) -> None:
    finding = checkpoint(wanted)
    assert finding.message == (
        f"'{wanted}' is a placeholder: this is a template, whose values a program fills in before "
        "it queues it"
    )
    assert finding.fix == (
        "Let that program fill it in, and leave the template out of what is checked."
    )
    number = only(judged_input(["INT", {}], wanted))
    assert (number.code, number.message) == ("invalid_input_type", finding.message)


def test_none_in_a_list_that_has_it_is_a_choice() -> None:
    assert judged_input([["None", "a.pt"], {}], "None").verdict is Verdict.RUNNABLE


class TestFoldersOfCustomNodes:
    """What a custom node calls an input proves no folder; an equal list does."""

    CORE: ClassVar = {
        "CLIPLoader": node_type({"clip_name": [["t5.safetensors", "l.safetensors"], {}]}),
        "CLIPVisionLoader": node_type({"clip_name": [["vit_h.safetensors"], {}]}),
        "LoraLoader": node_type({"lora_name": [["t5.safetensors", "l.safetensors"], {}]}),
    }

    def fix(self, listed: list[str], name: str, inventory: Inventory | None = None) -> str | None:
        types = {
            **self.CORE,
            "Theirs": node_type({name: [listed, {}]}, outputs=("X",), module=PACK),
        }
        prompt = {"1": {"class_type": "Theirs", "inputs": {name: "nowhere_v2.safetensors"}}}
        return only(judged({**prompt, "9": preview("1")}, types, inventory=inventory)).fix

    def test_the_list_tells(self) -> None:
        fix = self.fix(["None", "vit_h.safetensors"], "clip_name")
        assert fix == "Put 'nowhere_v2.safetensors' into ComfyUI's models/clip_vision folder."

    def test_of_equal_lists_the_name_tells(self) -> None:
        fix = self.fix(["l.safetensors", "t5.safetensors"], "clip_name")
        assert fix == "Put 'nowhere_v2.safetensors' into ComfyUI's models/text_encoders folder."

    def test_else_it_is_not_known(self) -> None:
        for listed, name in (
            (["zebra.bin"], "clip_name"),
            (["l.safetensors", "t5.safetensors"], "model"),
        ):
            assert self.fix(listed, name) == (
                "Put 'nowhere_v2.safetensors' where the node looks for its files."
            )

    def test_a_folder_of_the_pack_is_found_by_the_servers_lists(self) -> None:
        inventory = Inventory(models={"ipadapter": ("a.bin", "b.bin"), "loras": ("b.bin",)})
        fix = self.fix(["a.bin", "b.bin"], "ipadapter_file", inventory)
        assert fix == "Put 'nowhere_v2.safetensors' into ComfyUI's models/ipadapter folder."


class TestMediaOfCustomNodes:
    """A list of media files is one of ComfyUI's input folder, whatever flags the input has."""

    FILES = Inventory(files={"input": frozenset({"top.mp4", "clips", "clips/a.mp4"})})

    def loaded(self, wanted: str, inventory: Inventory | None = None, **options: Any) -> Any:
        declaration = [["top.mp4"], options]
        return judged_input(
            declaration, wanted, module=PACK, inventory=inventory or self.FILES, name="video"
        )

    def test_a_file_that_is_there_may_be_accepted(self) -> None:
        judgement = self.loaded("clips/a.mp4")
        assert judgement.verdict is Verdict.UNKNOWN
        assert only(judgement).message == "'clips/a.mp4' is there, but not in the list of 'video'"

    def test_one_that_is_not_is_missing(self) -> None:
        judgement = self.loaded("clips/gone.mp4")
        assert judgement.verdict is Verdict.BROKEN
        assert only(judgement).fix == (
            "Put 'clips/gone.mp4' into ComfyUI's input folder, or choose another file."
        )
        assert only(self.loaded("clips\\A.mp4")).fix == "Set it to 'clips/a.mp4'."

    def test_without_sight_of_the_folder_it_may_be_there(self) -> None:
        assert self.loaded("clips/a.mp4", Inventory()).verdict is Verdict.UNKNOWN

    def test_models_are_no_media(self) -> None:
        assert self.loaded("clips/a.safetensors", Inventory()).verdict is Verdict.BROKEN


class TestVersions:
    def test_new_combos_are_not_checked_before_0_7(self) -> None:
        new, old = ["COMBO", {"options": ["a"]}], [["a"], {}]
        judgement = judged_input(new, "b", version="0.3.64")
        assert judgement.verdict is Verdict.RUNNABLE
        assert only(judgement).severity is Severity.WARNING
        assert judged_input(old, "b", version="0.3.64").verdict is Verdict.BROKEN
        assert judged_input(new, "b", version="0.7.0").verdict is Verdict.BROKEN

    @pytest.mark.parametrize("version", ["0.8.0", "0.12.1", "0.33.0", None])
    def test_a_list_that_the_browser_fetches_accepts_nothing(self, version: str | None) -> None:
        remote = ["COMBO", {"remote": {"route": "/files"}}]
        assert judged_input(remote, "b", version=version).verdict is Verdict.BROKEN

    def test_several_choices_count_one_by_one_from_0_21_on(self) -> None:
        declaration = ["COMBO", {"options": ["a", "b"], "multiselect": True}]
        value = {"__value__": ["a", "b"]}
        assert judged_input(declaration, value, version="0.20.99").verdict is Verdict.BROKEN
        assert judged_input(declaration, value, version="0.21.0").verdict is Verdict.RUNNABLE
        assert (
            judged_input(declaration, {"__value__": []}, version=None).verdict is Verdict.RUNNABLE
        )
        single = ["COMBO", {"options": ["a", "b"]}]
        assert judged_input(single, value, version="0.21.0").verdict is Verdict.BROKEN
        assert (
            judged_input(declaration, {"__value__": ["c"]}, version=None).verdict is Verdict.BROKEN
        )
