"""Each way to find a fix finds what it is for, and says how sure that is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman import discovery
from comfywatchman.fixes import catalogue, strategies
from comfywatchman.fixes.here import Content
from comfywatchman.fixes.proposal import Download, Edit, Placement
from comfywatchman.results import Confidence, FixKind
from tests.unit.checks.judging import node_type
from tests.unit.fixes.small import MODELS, file, fixes, prompt, saved, world

if TYPE_CHECKING:
    from comfywatchman.fixes.proposal import Proposal

CKPT = ("1", "inputs", "ckpt_name")
SAMPLER = ("3", "inputs", "sampler")
SHA, OTHER_SHA = "a" * 64, "b" * 64


def one(found: list[Proposal]) -> Proposal:
    assert len(found) == 1, [each.text for each in found]
    return found[0]


def test_every_file_is_a_strategy_and_the_order_is_clear() -> None:
    names = [name for name, _ in catalogue.find()]
    assert sorted(names) == discovery.names(strategies)
    orders = [strategy.ORDER for _, strategy in catalogue.find()]
    assert orders == sorted(set(orders))


@pytest.mark.parametrize(
    ("strategy", "there", "wanted"),
    [
        ("spelling", "a.safetensors", "A.SafeTensors"),
        ("spelling", "x/a.safetensors", "x\\a.safetensors"),
        ("spelling", "a.safetensors", " a.safetensors "),
        ("spelling", "caf\u00e9.ckpt", "cafe\u0301.ckpt"),
        ("moved", "a.safetensors", "sub/a.safetensors"),
        ("moved", "x/a.safetensors", "a.safetensors"),
        ("moved", "x/a.safetensors", "C:\\models\\A.safetensors"),
        ("other_ending", "a.ckpt", "a.safetensors"),
        ("other_ending", "x/a.gguf", "y/a.safetensors"),
        ("wrapping", "a.safetensors", "'a.safetensors'"),
        ("wrapping", "a.safetensors", '["a.safetensors"]'),
        ("wrapping", "a.safetensors", "`A.safetensors`"),
        ("wrapping", "x/a.safetensors", "'y/a.safetensors'"),
    ],
)
def test_what_can_be_known_is_proven(strategy: str, there: str, wanted: str) -> None:
    models = {"checkpoints": [there, "other.safetensors"]}
    found = one(fixes(models, prompt(wanted)))
    assert (found.strategy, found.kind) == (strategy, FixKind.SET_VALUE)
    assert found.edits == (Edit(CKPT, wanted, there),)
    assert found.confidence is Confidence.PROVEN
    assert found.proof == "the edited copy was judged: broken before, runnable then"
    in_ui = one(fixes(models, saved(wanted)))
    assert in_ui.edits == (Edit(("nodes", 0, "widgets_values", 0), wanted, there),)
    assert in_ui.confidence is Confidence.PROVEN


@pytest.mark.parametrize(
    ("there", "wanted"),
    [
        (["x/a.safetensors", "y/a.safetensors"], "a.safetensors"),
        (["a.safetensors", "A.safetensors"], "a.SafeTensors"),
        (["a.ckpt", "a.gguf"], "a.safetensors"),
        (["x/model.safetensors"], "y/model.safetensors"),
        (["flux-dev-fp8.safetensors"], "flux-dev-bf16.safetensors"),
        (["flux1-dev-Q4_K_M.gguf", "flux1-dev-Q8_0.gguf"], "flux1-dev.safetensors"),
        (["flux_dev_fp8_e4m3fn_scaled.safetensors"], "flux_dev.safetensors"),
    ],
)
def test_what_a_person_has_to_decide_is_asked(there: list[str], wanted: str) -> None:
    found = fixes({"checkpoints": [*there, "other.safetensors"]}, prompt(wanted))
    assert sorted(each.edits[0].after for each in found) == sorted(there)
    assert {each.confidence for each in found} == {Confidence.ASK}
    assert {each.proof for each in found} == {None}


@pytest.mark.parametrize(
    ("wanted", "there"),
    [
        ("flux-dev.safetensors", "flux-schnell.safetensors"),
        ("v1.safetensors", "v2.safetensors"),
        ("fp8.safetensors", "fp16.safetensors"),
        ("no.safetensors", "other.safetensors"),
        ("", "other.safetensors"),
    ],
)
def test_another_model_is_none(wanted: str, there: str) -> None:
    assert fixes({"checkpoints": [there]}, prompt(wanted)) == []


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("EULER", "euler"),
        (" euler", "euler"),
        ({"__value__": ["euler"]}, "euler"),
        ({"__value__": "Euler"}, "euler"),
        ("['euler']", "euler"),
    ],
)
def test_a_choice_that_is_written_otherwise(value: Any, meant: str) -> None:
    found = one(fixes({"checkpoints": ["a.safetensors"]}, prompt(sampler=value)))
    assert found.edits == (Edit(SAMPLER, value, meant),)
    assert found.confidence is Confidence.PROVEN


@pytest.mark.parametrize("value", ["eule", None, {"__value__": ["x", "euler"]}, ["1"], 5])
def test_a_choice_that_nobody_knows(value: Any) -> None:
    found = fixes({"checkpoints": ["a.safetensors"]}, prompt(sampler=value))
    assert [each for each in found if each.confidence is not Confidence.ASK] == []


def test_a_number_as_text_is_set_as_it_was_written() -> None:
    found = one(fixes({"checkpoints": ["a.safetensors"]}, prompt(steps="20")))
    assert (found.strategy, found.confidence) == ("advised", Confidence.LIKELY)
    assert found.edits == (Edit(("3", "inputs", "steps"), "20", 20),)


def test_a_limit_is_a_guess() -> None:
    found = one(fixes({"checkpoints": ["a.safetensors"]}, prompt(steps=500)))
    assert found.edits == (Edit(("3", "inputs", "steps"), 500, 50),)
    assert (found.confidence, found.proof) == (Confidence.ASK, None)


def test_a_renamed_file_is_known_by_its_content() -> None:
    models = {"checkpoints": ["new.safetensors", "other.safetensors"]}
    contents = {
        ("checkpoints", "old.safetensors"): Content(SHA, 5_000_000),
        ("checkpoints", "new.safetensors"): Content(SHA, 5_000_000),
        ("checkpoints", "other.safetensors"): Content(OTHER_SHA, 5_000_000),
    }
    found = one(fixes(models, prompt("old.safetensors"), contents=contents))
    assert (found.strategy, found.confidence) == ("renamed", Confidence.PROVEN)
    assert found.edits[0].after == "new.safetensors"


def test_a_hash_in_the_workflow_tells_too() -> None:
    named = {"name": "old.safetensors", "url": "x", "hash": SHA.upper(), "hash_type": "SHA256"}
    contents = {("checkpoints", "new.safetensors"): Content(SHA)}
    models = {"checkpoints": ["new.safetensors"]}
    content = saved("old.safetensors", models=[named])
    found = one(fixes(models, content, contents=contents))
    assert found.edits[0].after == "new.safetensors"
    assert found.confidence is Confidence.PROVEN


def test_the_size_alone_proves_nothing() -> None:
    contents = {("checkpoints", "old.safetensors"): Content(None, 5_000_000)}
    models = {"checkpoints": ["new.safetensors"]}
    found = one(fixes(models, prompt("old.safetensors"), contents=contents))
    assert (found.strategy, found.confidence) == ("renamed", Confidence.ASK)
    small = {("checkpoints", "old.safetensors"): Content(None, 300)}
    tiny = [file("checkpoints", "new.safetensors", size=300)]
    assert fixes(models, prompt("old.safetensors"), contents=small, files=tiny) == []


def test_a_file_that_was_here_is_followed() -> None:
    gone = {"checkpoints/old.safetensors": {"size": 5_000_000, "modified": 1000}}
    models = {"checkpoints": ["sub/new.safetensors"]}
    found = one(fixes(models, prompt("old.safetensors"), gone=gone))
    assert (found.strategy, found.confidence) == ("remembered", Confidence.PROVEN)
    assert found.edits[0].after == "sub/new.safetensors"
    touched = [file("checkpoints", "sub/new.safetensors", mtime=1001)]
    assert fixes(models, prompt("old.safetensors"), gone=gone, files=touched) == []


def test_what_one_strategy_guesses_another_may_know() -> None:
    """Its size alone makes the file a guess, its time is remembered."""
    contents = {("checkpoints", "old.safetensors"): Content(SHA, 5_000_000)}
    gone = {"checkpoints/old.safetensors": {"size": 5_000_000, "modified": 1000}}
    models = {"checkpoints": ["new.safetensors"]}
    found = one(fixes(models, prompt("old.safetensors"), contents=contents, gone=gone))
    assert (found.strategy, found.confidence) == ("remembered", Confidence.PROVEN)


def test_a_file_that_went_to_another_folder_is_linked_back() -> None:
    gone = {"checkpoints/old.safetensors": {"size": 5_000_000, "modified": 1000}}
    models = {"loras": ["new.safetensors"]}
    found = one(fixes(models, prompt("old.safetensors"), gone=gone))
    source, target = MODELS / "loras/new.safetensors", MODELS / "checkpoints/old.safetensors"
    assert found.placement == Placement(str(source), str(target))
    assert found.confidence is Confidence.PROVEN


def test_a_file_in_another_folder_is_linked() -> None:
    models = {"loras": ["x/a.safetensors"], "checkpoints": ["b.safetensors"]}
    found = one(fixes(models, prompt("sub/a.safetensors")))
    assert (found.strategy, found.kind) == ("wrong_folder", FixKind.MOVE_FILE)
    source, target = MODELS / "loras/x/a.safetensors", MODELS / "checkpoints/sub/a.safetensors"
    assert found.placement == Placement(str(source), str(target))
    assert found.confidence is Confidence.PROVEN
    assert (
        found.proof == "the workflow, with the file there, was judged: broken before, runnable then"
    )


@pytest.mark.parametrize(
    "wanted",
    ["../../etc/a.safetensors", "/srv/a.safetensors", "x\\a.safetensors", "a.safetensors "],
)
def test_no_file_is_brought_to_where_a_hostile_name_leads(wanted: str) -> None:
    found = fixes({"loras": ["a.safetensors"]}, prompt(wanted))
    assert [each for each in found if each.placement or each.download] == []


URL = "https://huggingface.co/x/y/resolve/main/a.safetensors"


def test_a_download_is_likely_at_most() -> None:
    named = {"name": "a.safetensors", "url": URL, "hash": SHA, "hash_type": "SHA256"}
    found = one(fixes({"checkpoints": ["b.safetensors"]}, saved("a.safetensors", models=[named])))
    target = str(MODELS / "checkpoints/a.safetensors")
    assert found.download == Download(URL, "checkpoints", "a.safetensors", target, SHA, None)
    assert (found.confidence, found.proof) == (Confidence.LIKELY, None)


def test_another_node_or_the_file_itself_may_name_the_address() -> None:
    named = {"name": "a.safetensors", "url": URL}
    beside, above = saved("a.safetensors"), saved("a.safetensors")
    beside["nodes"][2]["properties"] = {"models": [None, 5, named]}
    above["models"] = [named]
    for content in (beside, above):
        found = one(fixes({"checkpoints": ["b.safetensors"]}, content))
        assert found.download is not None
        assert found.download.url == URL


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        (URL.replace("https", "http"), "a.safetensors"),
        ("file:///etc/passwd", "a.safetensors"),
        ("https://user:secret@huggingface.co/a.safetensors", "a.safetensors"),
        ("https://huggingface.co/a b", "a.safetensors"),
        ("https://huggingface.co:x/a", "a.safetensors"),
        (URL, "../a.safetensors"),
        (URL, "a.exe"),
        (["x"], "a.safetensors"),
    ],
)
def test_what_is_not_to_be_fetched(url: Any, wanted: str) -> None:
    named = {"name": wanted, "url": url}
    assert fixes({"checkpoints": ["b.safetensors"]}, saved(wanted, models=[named])) == []


def test_a_node_type_in_another_spelling() -> None:
    content = saved()
    content["nodes"][1]["type"] = "sampler"
    found = one(fixes({"checkpoints": ["a.safetensors"]}, content))
    assert (found.strategy, found.kind) == ("node_type", FixKind.REPLACE_NODE)
    assert found.edits == (Edit(("nodes", 1, "type"), "sampler", "Sampler"),)
    assert found.confidence is Confidence.PROVEN
    as_prompt = prompt()
    as_prompt["3"]["class_type"] = "SAMPLER"
    (edit,) = one(fixes({"checkpoints": ["a.safetensors"]}, as_prompt)).edits
    assert edit == Edit(("3", "class_type"), "SAMPLER", "Sampler")


def test_a_node_in_another_spelling_that_was_saved_with_fewer_values() -> None:
    content = saved()
    content["nodes"][1] |= {"type": "SAMPLER", "widgets_values": ["euler"], "inputs": []}
    content["nodes"][1]["inputs"] = [{"name": "model", "type": "MODEL", "link": 1}]
    assert one(fixes({"checkpoints": ["a.safetensors"]}, content)).edits[0].after == "Sampler"


def test_a_node_type_that_was_renamed() -> None:
    models = {"checkpoints": ["a.safetensors"]}
    rules = {"OldSampler": [{"new_node_id": "Sampler", "input_mapping": None}]}
    content = saved()
    content["nodes"][1]["type"] = "OldSampler"
    found = one(fixes(models, content, world=world(models, replacements=rules)))
    assert found.edits == (Edit(("nodes", 1, "type"), "OldSampler", "Sampler"),)
    assert found.confidence is Confidence.PROVEN


def test_inputs_that_were_renamed_with_it() -> None:
    models = {"checkpoints": ["a.safetensors"]}
    mapping = [{"old_id": "net", "new_id": "model"}, {"old_id": "count", "new_id": "steps"}]
    rules = {"OldSampler": [{"new_node_id": "Sampler", "input_mapping": mapping}]}
    content = saved()
    inputs = [
        {"name": "net", "type": "MODEL", "link": 1},
        {"name": "count", "type": "INT", "link": None, "widget": {"name": "count"}},
    ]
    content["nodes"][1] |= {"type": "OldSampler", "inputs": inputs}
    found = one(fixes(models, content, world=world(models, replacements=rules)))
    at = ("nodes", 1)
    assert found.edits == (
        Edit((*at, "type"), "OldSampler", "Sampler"),
        Edit((*at, "inputs", 0, "name"), "net", "model"),
        Edit((*at, "inputs", 1, "name"), "count", "steps"),
        Edit((*at, "inputs", 1, "widget", "name"), "count", "steps"),
    )
    assert found.confidence is Confidence.PROVEN


@pytest.mark.parametrize(
    "more", [{"new_id": "sampler", "set_value": "euler"}, {"old_id": "model", "new_id": 5}]
)
def test_a_rule_that_does_more_than_rename_is_for_the_browser(more: dict[str, Any]) -> None:
    models = {"checkpoints": ["a.safetensors"]}
    rules = {"OldSampler": [{"new_node_id": "Sampler", "input_mapping": [more]}]}
    content = saved()
    content["nodes"][1]["type"] = "OldSampler"
    assert fixes(models, content, world=world(models, replacements=rules)) == []


@pytest.mark.parametrize(
    "change",
    [
        {"inputs": [{"name": "latent", "type": "LATENT", "link": 1}]},
        {"outputs": [{"name": "LATENT", "type": "LATENT", "links": [2]}]},
        {"outputs": [{"type": "IMAGE", "links": [2]}, {"type": "IMAGE", "links": []}]},
        {"widgets_values": ["euler", 20, "more"]},
    ],
)
def test_a_node_that_does_not_fit_keeps_its_type(change: dict[str, Any]) -> None:
    models = {"checkpoints": ["a.safetensors"]}
    rules = {"OldSampler": [{"new_node_id": "Sampler"}]}
    content = saved()
    content["nodes"][1] |= {"type": "OldSampler", **change}
    assert fixes(models, content, world=world(models, replacements=rules)) == []


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ("a (embedding:Hands:1.2), b", "a (embedding:hands:1.2), b"),
        ("embedding:x/hands.pt embedding:handsome", "embedding:hands embedding:handsome"),
        ("embedding:HANDS", "embedding:hands"),
    ],
)
def test_an_embedding_in_a_text(text: str, mended: str) -> None:
    encode = node_type({"text": ["STRING", {}], "model": ["MODEL", {}]}, outputs=("MODEL",))
    models = {"checkpoints": ["a.safetensors"]}
    here = world(models, Encode=encode)
    names = frozenset({"hands", "handsome"})
    here = replace(here, inventory=replace(here.inventory, embeddings=names))
    content = prompt()
    content["2"] = {"class_type": "Encode", "inputs": {"text": text, "model": ["1", 0]}}
    content["3"]["inputs"]["model"] = ["2", 0]
    found = one(fixes(models, content, world=here))
    assert found.edits == (Edit(("2", "inputs", "text"), text, mended),)
    assert (found.strategy, found.confidence) == ("embedding", Confidence.LIKELY)


def test_a_row_of_loras() -> None:
    rows = node_type(
        {}, {"model": ["MODEL", {}]}, outputs=("MODEL",), module="custom_nodes.rgthree"
    )
    models = {"checkpoints": ["a.safetensors"], "loras": ["x/l.safetensors"]}
    row = {"on": True, "lora": "y/L.safetensors", "strength": 1}
    content = prompt()
    content["2"] = {
        "class_type": "Power Lora Loader (rgthree)",
        "inputs": {"model": ["1", 0], "lora_1": row},
    }
    content["3"]["inputs"]["model"] = ["2", 0]
    here = world(models, **{"Power Lora Loader (rgthree)": rows})
    found = one(fixes(models, content, world=here))
    pointer = ("2", "inputs", "lora_1", "lora")
    assert found.edits == (Edit(pointer, "y/L.safetensors", "x/l.safetensors"),)
    assert found.confidence is Confidence.LIKELY
