"""What made a workflow worse is named: proven where it can be tried, and never guessed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.history.cause import Explained, Worse, explain
from comfywatchman.history.facts import FactChange, FactKind
from comfywatchman.history.wording import of_host
from comfywatchman.history.world import World
from comfywatchman.results import (
    Cause,
    CauseKind,
    Severity,
    Sureness,
    UsedPack,
    Verdict,
    WorkflowReport,
)
from tests.changes import judged

if TYPE_CHECKING:
    from collections.abc import Mapping

MODELS = ("a.safetensors", "b.safetensors")


def node_type(
    inputs: Mapping[str, Any], *, output: list[Any], module: str = "nodes", **more: Any
) -> dict[str, Any]:
    return {"input": {"required": dict(inputs)}, "output": output, "python_module": module, **more}


def world(
    *,
    models: tuple[str, ...] = MODELS,
    folder: str = "checkpoints",
    files: frozenset[str] = frozenset({"photo.png"}),
    version: str = "0.8.0",
    depth: int = 200,
    size: int = 1_000_000,
    **types: dict[str, Any] | None,
) -> World:
    offered: dict[str, Any] = {
        "Loader": node_type({"name": [list(models), {}]}, output=["MODEL"]),
        "Picture": node_type({"image": [sorted(files), {}]}, output=["IMAGE"]),
        "Sampler": node_type(
            {"model": ["MODEL"], "steps": ["INT", {"min": 1, "max": 100}]},
            output=["LATENT", "IMAGE"],
            module="custom_nodes.pack",
        ),
        "Decoder": node_type({"samples": ["LATENT"]}, output=["IMAGE"], module="custom_nodes.pack"),
        "Save": node_type({"images": ["IMAGE"]}, output=[], output_node=True),
        **types,
    }
    return World(
        Catalog({name: d for name, d in offered.items() if d is not None}, version),
        Inventory(models={folder: models}, files={"input": files, "output": frozenset()}),
        depth,
        size,
    )


PROMPT: dict[str, Any] = {
    "1": {"class_type": "Loader", "inputs": {"name": "a.safetensors"}},
    "2": {"class_type": "Sampler", "inputs": {"model": ["1", 0], "steps": 80}},
    "3": {"class_type": "Save", "inputs": {"images": ["2", 1]}},
}
GONE: dict[str, Any] = {"Sampler": None, "Decoder": None}


UNLINKED = {"class_type": "Sampler", "inputs": {"steps": 80}}


def edited(node: str, **inputs: Any) -> dict[str, Any]:
    changed = {**PROMPT[node], "inputs": {**PROMPT[node]["inputs"], **inputs}}
    return {**PROMPT, node: changed}


@dataclass
class Told:
    """What is told of workflows."""

    explained: Explained

    @property
    def one(self) -> Cause:
        (cause,) = self.explained.causes
        return cause

    @property
    def texts(self) -> list[str]:
        return [cause.text for cause in self.explained.causes]


def told(
    before: World | None,
    now: World,
    *facts: FactChange,
    was: Any = PROMPT,
    prompt: Any = PROMPT,
    kept: bool = True,
    names: tuple[str, ...] = ("flow",),
    seconds: float = 60,
    program_changed: bool = False,
    reports: dict[str, WorkflowReport] | None = None,
) -> Told:
    copies: dict[str, bytes] = {}
    worse = []
    for name in names:
        old, new = orjson.dumps(was), orjson.dumps(prompt)
        copies[hashlib.sha256(new).hexdigest()] = new
        if kept:
            copies[hashlib.sha256(old).hexdigest()] = old
        made = {"was": judged(name, old, before or now), "now": judged(name, new, now)}
        worse.append(Worse(**{**made, **(reports or {})}))
    explained = explain(
        worse,
        before,
        now,
        facts,
        copies=copies.get,
        program_changed=program_changed,
        seconds=seconds,
    )
    known = {cause.id for cause in explained.causes}
    assert len(known) == len(explained.causes)
    assert set(explained.by_path) == {each.now.path for each in worse}
    assert all(ids and known.issuperset(ids) for ids in explained.by_path.values())
    return Told(explained)


def pack(before: dict[str, Any] | None, after: dict[str, Any] | None) -> FactChange:
    return FactChange(FactKind.PACK, "pack", before, after)


UPDATED = pack({"version": "1.2.0"}, {"version": "1.3.0"})


def sampler(output: list[Any] | None = None, **inputs: Any) -> dict[str, Any]:
    declared = {"model": ["MODEL"], "steps": ["INT", {"min": 1, "max": 100}], **inputs}
    return node_type(declared, output=output or ["LATENT", "IMAGE"], module="custom_nodes.pack")


@pytest.mark.parametrize(
    ("declared", "what"),
    [
        (sampler(["LATENT"]), "dropped output 1 (IMAGE)"),
        (sampler(x=["INT"]), "has a new required input 'x'"),
        (sampler(steps=["INT", {"min": 1, "max": 50}]), "input 'steps': maximum 100 → 50"),
        (sampler(["LATENT", "MASK"]), "output 1: IMAGE → MASK"),
    ],
)
def test_what_a_pack_changed_in_a_node_type_is_told(declared: dict[str, Any], what: str) -> None:
    cause = told(world(), world(Sampler=declared), UPDATED).one
    assert cause.text == f"Sampler of pack 1.2.0 → 1.3.0 {what}"
    assert (cause.kind, cause.sureness) == (CauseKind.PACK, Sureness.CERTAIN)
    assert (cause.name, cause.before, cause.after) == ("pack", "1.2.0", "1.3.0")
    assert cause.node_types == ["Sampler"]


def test_what_the_error_is_about_is_told_first() -> None:
    other = sampler(a=["INT", {}], b=["INT", {}], c=["INT", {}], steps=["INT", {"min": 90}])
    prompt = edited("2", a=1, b=1, c=1)
    cause = told(world(), world(Sampler=other), was=prompt, prompt=prompt).one
    assert cause.text.startswith("Sampler of pack input 'steps': minimum 1 → 90; ")
    assert cause.text.endswith(" and 2 more changes")


@pytest.mark.parametrize(
    ("fact", "text"),
    [
        (None, "pack is no longer loaded"),
        (pack({"version": "1.2.0"}, None), "pack 1.2.0 was removed"),
        (
            pack({"version": "1.2.0", "enabled": True}, {"version": "1.2.0", "enabled": False}),
            "pack 1.2.0 was disabled",
        ),
        (
            pack({"commit": "a" * 40}, {"commit": "b" * 40, "import_failed": "no module x"}),
            "pack aaaaaaa → bbbbbbb is no longer loaded: its import failed: no module x",
        ),
        (
            pack({}, {"import_failed": True}),
            "pack is no longer loaded: its import failed",
        ),
        (UPDATED, "pack 1.2.0 → 1.3.0 is no longer loaded"),
    ],
)
def test_a_pack_that_is_gone_is_one_cause(fact: FactChange | None, text: str) -> None:
    facts = () if fact is None else (fact,)
    other = {**PROMPT, "3": {"class_type": "Save", "inputs": {"images": ["4", 0]}}}
    other["4"] = {"class_type": "Decoder", "inputs": {"samples": ["2", 0]}}
    cause = told(world(), world(**GONE), *facts, was=other, prompt=other, names=("x", "y")).one
    assert cause.text == text
    assert cause.node_types == ["Decoder", "Sampler"]


def test_comfyui_itself_is_told_with_its_versions() -> None:
    save = node_type({"images": ["IMAGE"], "format": ["STRING"]}, output=[], output_node=True)
    cause = told(world(), world(version="0.33.0", Save=save)).one
    assert cause.text == "Save of ComfyUI 0.8.0 → 0.33.0 has a new required input 'format'"
    assert (cause.kind, cause.before, cause.after) == (CauseKind.COMFYUI, "0.8.0", "0.33.0")


def test_a_file_that_is_gone_is_told_and_where_one_of_its_name_is_now() -> None:
    cause = told(world(), world(models=("b.safetensors", "old/a.safetensors"))).one
    assert cause.text == (
        "a.safetensors is gone from checkpoints; there is now one of that name in checkpoints/old"
    )
    assert (cause.kind, cause.name) == (CauseKind.MODEL, "checkpoints/a.safetensors")
    assert (cause.sureness, cause.after) == (Sureness.CERTAIN, "checkpoints/old")


def test_a_file_that_was_renamed_is_known_by_its_size() -> None:
    facts = (
        FactChange(FactKind.MODEL, "checkpoints/a.safetensors", {"size": 77}, None),
        FactChange(FactKind.MODEL, "checkpoints/new.safetensors", None, {"size": 77}),
    )
    text = told(world(), world(models=("b.safetensors", "new.safetensors")), *facts).one.text
    assert text.endswith("; checkpoints/new.safetensors is new and has its size")


def test_an_input_file_that_is_gone_is_told() -> None:
    prompt = {
        "1": {"class_type": "Picture", "inputs": {"image": "photo.png"}},
        "2": {"class_type": "Save", "inputs": {"images": ["1", 0]}},
    }
    cause = told(world(), world(files=frozenset()), was=prompt, prompt=prompt).one
    assert (cause.kind, cause.text) == (CauseKind.INPUT_FILE, "photo.png is gone from input")


def test_many_files_of_a_folder_are_one_cause() -> None:
    share = tuple(f"share/{at}.safetensors" for at in range(312))
    prompts = [edited("1", name=name) for name in share[:2]]
    before, now = world(models=(*MODELS, *share)), world()
    first, second = (told(before, now, was=p, prompt=p).one for p in prompts)
    assert first.text == "312 files of checkpoints/share are gone"
    assert first == second
    other = told(world(models=(*MODELS, *share[:200])), now, was=prompts[0], prompt=prompts[0]).one
    assert (other.id, other.text) == (first.id, "200 files of checkpoints/share are gone")


@pytest.mark.parametrize(
    ("prompt", "what"),
    [
        (edited("1", name="c.safetensors"), "it now uses 'c.safetensors' in 'name' of node 1"),
        ({**PROMPT, "2": UNLINKED}, "input 'model' of node 2 (Sampler) is no longer linked"),
        (
            {**PROMPT, "2": {"class_type": "Nothing", "inputs": {}}},
            "node 2 (Nothing) was a 'Sampler'",
        ),
        ({"1": PROMPT["1"]}, "2 nodes removed"),
        (
            {**PROMPT, "9": {"class_type": "Nothing", "inputs": {}}},
            "node 9 (Nothing) is new",
        ),
    ],
)
def test_an_edit_is_told(prompt: Any, what: str) -> None:
    cause = told(world(), world(), prompt=prompt).one
    assert cause.text.startswith(f"flow was edited: {what}")
    assert (cause.kind, cause.sureness) == (CauseKind.WORKFLOW, Sureness.CERTAIN)
    assert cause.name == "/workflows/flow.json"


def test_limits_are_told() -> None:
    cause = told(world(), world(size=20)).one
    assert (cause.kind, cause.sureness) == (CauseKind.SETTINGS, Sureness.CERTAIN)
    assert cause.text == "max_workflow_size 1,000,000 → 20"


def test_several_causes_are_told_apart_and_what_one_hides_too() -> None:
    now = world(models=("b.safetensors",), **GONE)
    explained = told(world(), now).explained
    assert {cause.kind for cause in explained.causes} == {CauseKind.PACK, CauseKind.MODEL}
    assert all(cause.sureness is Sureness.CERTAIN for cause in explained.causes)


def test_of_changes_that_do_it_together_both_are_told() -> None:
    """The edit brings a value that was allowed before, and a lowered limit forbids it."""
    now = world(Sampler=sampler(steps=["INT", {"min": 1, "max": 90}]))
    explained = told(world(), now, prompt=edited("2", steps=95)).explained
    assert {cause.kind for cause in explained.causes} == {CauseKind.PACK, CauseKind.WORKFLOW}
    assert all(cause.sureness is Sureness.CERTAIN for cause in explained.causes)


def test_each_of_two_changes_that_are_enough_alone_is_told() -> None:
    """The value is out of range now, and the edit would have been out of it before too."""
    now = world(Sampler=sampler(steps=["INT", {"min": 1, "max": 70}]))
    explained = told(world(), now, prompt=edited("2", steps=101)).explained
    assert {cause.kind for cause in explained.causes} == {CauseKind.PACK, CauseKind.WORKFLOW}
    assert all(cause.sureness is Sureness.CERTAIN for cause in explained.causes)


def test_what_seems_healed_because_something_worse_hides_it_is_not() -> None:
    """Without the new node type the old fault is back, which hides the error that is new."""
    before = world(Decoder=None)
    prompt = {**PROMPT, "4": {"class_type": "Decoder", "inputs": {"samples": ["2", 0]}}}
    now = world(models=("b.safetensors",))
    cause = told(before, now, was=prompt, prompt=prompt).one
    assert cause.text == "a.safetensors is gone from checkpoints"


def test_a_change_that_has_nothing_to_do_with_it_is_not_told() -> None:
    now = world(
        models=("a.safetensors",), Decoder=None, Sampler=sampler(["LATENT"]), version="0.33.0"
    )
    assert told(world(), now).one.node_types == ["Sampler"]


def test_the_same_change_has_the_same_id_on_every_host_and_in_every_report() -> None:
    now: dict[str, Any] = {"Sampler": sampler(["LATENT"])}
    here = told(world(), world(**now), UPDATED).one
    there = told(
        world(models=("a.safetensors",), folder="unet"), world(**now), UPDATED, names=("other",)
    ).one
    assert here.id == there.id
    another = told(world(), world(**now), pack({"version": "1.2.0"}, {"version": "1.4.0"})).one
    assert another.id != here.id


def test_what_todays_program_finds_in_yesterdays_world_is_the_program() -> None:
    prompt = edited("2", steps=500)
    runnable = judged("flow", orjson.dumps(PROMPT), world())
    was = runnable.model_copy(
        update={"content_digest": hashlib.sha256(orjson.dumps(prompt)).hexdigest()}
    )
    fact = FactChange(FactKind.PROGRAM, "", {"version": "1.0"}, {"version": "1.1"})
    cause = told(
        world(),
        world(),
        fact,
        was=prompt,
        prompt=prompt,
        program_changed=True,
        reports={"was": was},
    ).one
    assert (cause.kind, cause.sureness) == (CauseKind.PROGRAM, Sureness.CERTAIN)
    assert cause.text == "ComfyWatchman 1.0 → 1.1 finds more in what has not changed"


def test_a_new_program_takes_no_blame_for_what_the_host_did() -> None:
    cause = told(world(), world(models=("b.safetensors",)), program_changed=True).one
    assert (cause.kind, cause.sureness) == (CauseKind.MODEL, Sureness.CERTAIN)


FILE_GONE = FactChange(FactKind.MODEL, "checkpoints/a.safetensors", {}, None)
COMFYUI = FactChange(FactKind.COMFYUI, "", {"version": "0.8.0"}, {"version": "0.9.0"})


def test_without_the_old_world_what_the_error_is_about_is_likely() -> None:
    now = world(models=("b.safetensors",))
    was = judged("flow", orjson.dumps(PROMPT), world())
    result = told(None, now, FILE_GONE, COMFYUI, reports={"was": was})
    assert (result.one.kind, result.one.sureness) == (CauseKind.MODEL, Sureness.LIKELY)
    assert "was not kept" in result.explained.not_known[0]


def test_of_several_changes_none_is_guessed() -> None:
    now = world(Sampler=sampler(["LATENT"]))
    was = judged("flow", orjson.dumps(PROMPT), world())
    result = told(None, now, UPDATED, COMFYUI, reports={"was": was})
    assert result.one.sureness is Sureness.ONE_OF
    assert result.one.candidates == ["pack 1.2.0 → 1.3.0", "ComfyUI 0.8.0 → 0.9.0"]
    assert told(None, now, UPDATED, reports={"was": was}).one.sureness is Sureness.LIKELY


def test_what_may_have_done_it_is_told_in_the_words_of_the_hosts_changes() -> None:
    now = world(Sampler=sampler(["LATENT"]))
    was = judged("flow", orjson.dumps(PROMPT), world())
    declared = FactChange(FactKind.NODE_TYPE, "Sampler", {"schema": "1"}, {"schema": "2"})
    driver = FactChange(FactKind.RUNTIME, "driver", {"version": "570"}, {"version": "580"})
    result = told(None, now, declared, driver, reports={"was": was})
    changes = [change.text for fact in (declared, driver) for change in of_host([fact])]
    assert result.one.candidates == changes
    assert changes == ["node type Sampler of ComfyUI changed", "GPU driver 570 → 580"]


def test_a_pack_is_known_by_whatever_name_the_workflow_gives_it() -> None:
    now = world(Sampler=sampler(["LATENT"]))
    was = judged("flow", orjson.dumps(PROMPT), world())
    needs = judged("flow", orjson.dumps(PROMPT), now).model_copy(
        update={"packs": [UsedPack(name="Owner/The_Pack", version=None)]}
    )
    reports = {"was": was, "now": needs}
    versions = ({"id": "the-pack", "version": "1"}, {"id": "the-pack", "version": "2"})
    ours = FactChange(FactKind.PACK, "folder", *versions)
    result = told(None, now, ours, COMFYUI, reports=reports)
    assert result.one.candidates == ["folder 1 → 2", "ComfyUI 0.8.0 → 0.9.0"]
    other = FactChange(FactKind.PACK, "another", {"version": "1"}, {"version": "2"})
    assert told(None, now, other, COMFYUI, reports=reports).texts == ["ComfyUI 0.8.0 → 0.9.0"]


def test_where_nothing_changed_that_is_said() -> None:
    was = judged("flow", orjson.dumps(PROMPT), world())
    now = world(models=("b.safetensors",))
    cause = told(now, now, reports={"was": was}).one
    assert (cause.kind, cause.text) == (
        CauseKind.UNEXPLAINED,
        "nothing that can be seen changed",
    )


def test_an_edit_of_what_was_not_kept_is_likely_at_most() -> None:
    result = told(world(), world(), prompt=edited("1", name="c.safetensors"), kept=False)
    assert (result.one.kind, result.one.sureness) == (CauseKind.WORKFLOW, Sureness.LIKELY)
    (why,) = result.explained.not_known
    assert "the content before was not kept, for one workflow" in why


def test_without_time_nothing_is_tried_and_that_is_said() -> None:
    result = told(world(), world(models=("b.safetensors",)), FILE_GONE, seconds=-1)
    assert (result.one.kind, result.one.sureness) == (CauseKind.MODEL, Sureness.LIKELY)
    assert result.explained.not_known == ["there was no time to try the causes for one workflow"]


def test_the_servers_own_word_is_not_tried() -> None:
    now = judged("flow", orjson.dumps(edited("2", steps=500)), world())
    heard = now.model_copy(update={"server_asked": True})
    heard = heard.model_copy(
        update={"content_digest": hashlib.sha256(orjson.dumps(PROMPT)).hexdigest()}
    )
    cause = told(world(), world(), reports={"now": heard}).one
    assert cause.kind is CauseKind.SERVER
    assert cause.sureness is not Sureness.CERTAIN
    of_pack = told(world(), world(), UPDATED, reports={"now": heard}).one
    assert (of_pack.kind, of_pack.sureness) == (CauseKind.PACK, Sureness.LIKELY)


@pytest.mark.parametrize("name", ["\ud800.safetensors", "a\0b.safetensors", "x" * 5000, "\u202e"])
def test_hostile_names_harm_nothing(name: str) -> None:
    prompt = edited("1", name="a.safetensors")
    more: dict[str, Any] = {name: sampler()}
    hostile = world(models=("a.safetensors", name), **more)
    facts = [FactChange(kind, name, {"version": name}, None) for kind in FactKind]
    cause = told(hostile, world(models=("b.safetensors",)), *facts, was=prompt, prompt=prompt).one
    assert cause.text == "a.safetensors is gone from checkpoints"
    was = judged("flow", orjson.dumps(PROMPT), world())
    result = told(None, world(models=()), *facts, reports={"was": was})
    assert all(text.isprintable() for text in result.texts)


def test_a_catalog_that_cannot_be_compared_costs_no_more_than_proof() -> None:
    nested: Any = []
    for _ in range(100_000):
        nested = [nested]
    deep = world(Decoder=node_type({"x": nested}, output=[]))
    nested = []
    for _ in range(100_000):
        nested = [nested]
    now = replace(deep, inventory=world(models=()).inventory)
    other = world(models=(), Decoder=node_type({"x": nested}, output=[]))
    was = judged("flow", orjson.dumps(PROMPT), world())
    result = told(now, other, FILE_GONE, reports={"was": was})
    assert result.one.sureness is Sureness.LIKELY
    assert "cannot be compared" in result.explained.not_known[0]


def test_nothing_worse_needs_no_explanation() -> None:
    assert (
        explain(
            [], None, world(), [], copies=lambda _: None, program_changed=False, seconds=1
        ).causes
        == []
    )


def test_the_cases_are_what_they_should_be() -> None:
    report = judged("flow", orjson.dumps(PROMPT), world())
    assert report.verdict is Verdict.RUNNABLE
    assert not [f for f in report.findings if f.severity is Severity.ERROR]
