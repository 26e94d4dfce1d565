"""Which workflows will fail for what is wrong with the files that they name."""

from __future__ import annotations

import json

import pytest

from comfywatchman.comfyui.model_files import ModelFile
from comfywatchman.modelfiles.condition import Condition
from comfywatchman.modelfiles.looking import Looked
from comfywatchman.modelfiles.marking import Marked, is_damage, marked, unmarked
from comfywatchman.results import Severity, UsedModel, Verdict, WorkflowReport

CUT = Condition("model_truncated", "safetensors", "it is cut off", lacking=7)
SOUND = Condition(format="safetensors")


def named(*models: tuple[str | None, str], verdict: Verdict = Verdict.RUNNABLE) -> WorkflowReport:
    used = [UsedModel(folder=folder, name=name, present=True) for folder, name in models]
    return WorkflowReport(path="/w/a.json", name="a.json", verdict=verdict, models=used)


def looked(*files: tuple[str, str, Condition | None]) -> Looked:
    listed = [ModelFile(f, n, f"/{f}/{n}", 1, 1, 1, 1, 1) for f, n, _ in files]
    found = zip(listed, files, strict=True)
    return Looked({file.path: c for file, (_, _, c) in found if c is not None}, listed)


def mark(report: WorkflowReport, *files: tuple[str, str, Condition | None]) -> Marked:
    return marked([report], looked(*files))


def test_a_damaged_file_makes_what_names_it_fail_and_leaves_the_verdict() -> None:
    found = mark(named(("vae", "a.safetensors")), ("vae", "a.safetensors", CUT))
    (workflow,) = found.workflows
    assert (workflow.verdict, workflow.will_fail) == (Verdict.RUNNABLE, True)
    (finding,) = workflow.findings
    assert (finding.code, finding.severity) == ("model_truncated", Severity.ERROR)
    assert finding.fingerprint
    assert is_damage(finding)
    (damaged,) = found.damaged
    assert (damaged.workflows, damaged.lacking) == (["/w/a.json"], 7)


@pytest.mark.parametrize("verdict", [Verdict.BROKEN, Verdict.UNKNOWN])
def test_what_cannot_run_anyhow_is_told_of_it_and_does_not_count(verdict: Verdict) -> None:
    report = named(("vae", "a.safetensors"), verdict=verdict)
    (workflow,) = mark(report, ("vae", "a.safetensors", CUT)).workflows
    assert not workflow.will_fail
    assert [f.severity for f in workflow.findings] == [Severity.WARNING]


@pytest.mark.parametrize("verdict", Verdict)
def test_the_mark_can_be_taken_away(verdict: Verdict) -> None:
    report = named(("vae", "a.safetensors"), verdict=verdict)
    (workflow,) = mark(report, ("vae", "a.safetensors", CUT)).workflows
    assert workflow != report
    assert unmarked(workflow) == report


@pytest.mark.parametrize("code", ["model_download_unfinished", "model_unreadable"])
def test_what_may_be_loaded_all_the_same_is_a_warning(code: str) -> None:
    condition = Condition(code, detail="it is so")
    found = mark(named(("vae", "a.safetensors")), ("vae", "a.safetensors", condition))
    (workflow,) = found.workflows
    assert not workflow.will_fail
    assert [f.severity for f in workflow.findings] == [Severity.WARNING]
    assert not any(map(is_damage, workflow.findings))
    assert found.damaged == []


def test_what_only_some_load_is_damaged_and_fails_nobody() -> None:
    condition = Condition("model_trailing_bytes", "safetensors", "it has 7 bytes too many")
    found = mark(named(("vae", "a.safetensors")), ("vae", "a.safetensors", condition))
    assert not found.workflows[0].will_fail
    assert [f.severity for f in found.workflows[0].findings] == [Severity.WARNING]
    assert found.counts.damaged == 1
    assert [each.name for each in found.damaged] == ["a.safetensors"]


def test_how_files_are_is_counted() -> None:
    found = mark(
        named(),
        ("vae", "a.pt", SOUND),
        ("vae", "b.pt", None),
        ("vae", "c.pt", Condition("model_unreadable", detail="x")),
        ("vae", "d.pt", Condition("model_download_unfinished", detail="x")),
        ("vae", "e.pt", Condition("model_empty", detail="x")),
    )
    assert found.counts.model_dump() == {"sound": 1, "damaged": 1, "unfinished": 1, "unread": 2}
    assert [(each.name, each.workflows) for each in found.damaged] == [("e.pt", [])]
    assert found.workflows == [named()]


@pytest.mark.parametrize(
    ("used", "fails"),
    [
        (("vae", "a.pt"), True),
        (("clip", "a.pt"), False),
        ((None, "a.pt"), False),
        ((None, "b.pt"), True),
        (("clip", "b.pt"), True),
        (("vae", "sub/a.pt"), False),
    ],
)
def test_only_what_is_surely_meant_counts(used: tuple[str | None, str], fails: bool) -> None:
    files = (
        ("vae", "a.pt", CUT),
        ("loras", "a.pt", SOUND),
        ("text_encoders", "b.pt", CUT),
    )
    (workflow,) = mark(named(used), *files).workflows
    assert workflow.will_fail is fails


def test_another_file_of_the_name_is_not_meant_where_the_right_one_is_hidden() -> None:
    """The server lists the folder, and none of its files is to be seen on this host."""
    files = looked(("checkpoints", "model.safetensors", CUT))
    report = named(("vae", "model.safetensors"))
    assert not marked([report], files, ["vae", "checkpoints"]).workflows[0].will_fail
    assert marked([report], files, ["checkpoints"]).workflows[0].will_fail


@pytest.mark.parametrize("name", ["style", "sub/style", "style.pt", "sub/style.pt"])
def test_embeddings_are_named_as_texts_do(name: str) -> None:
    report = named(("embeddings", name))
    (workflow,) = mark(report, ("embeddings", "sub/style.pt", CUT)).workflows
    assert workflow.will_fail


def test_a_file_that_the_server_does_not_have_is_not_looked_for() -> None:
    report = named().model_copy(
        update={"models": [UsedModel(folder=None, name="a.pt", present=False)]}
    )
    assert not mark(report, ("vae", "a.pt", CUT)).workflows[0].will_fail


def test_hostile_names_can_be_told() -> None:
    name = "x\x1b[31m\n\u202e\udcff" + "y" * 5000 + ".pt"
    found = mark(named(), ("v\nae", name, CUT))
    json.dumps([each.model_dump(mode="json") for each in found.damaged]).encode()
    assert "\x1b" not in found.damaged[0].name
