"""Damaged model files as causes."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from comfywatchman.comfyui.model_files import Listing, ModelFile
from comfywatchman.cycle import damage
from comfywatchman.history.cause import Worse
from comfywatchman.history.comparison import kind_of_change
from comfywatchman.modelfiles.condition import Condition
from comfywatchman.results import (
    CauseKind,
    ChangeKind,
    Sureness,
    UsedModel,
    Verdict,
    WorkflowReport,
)
from tests.unit.report import sample

FAILING = (
    sample.damaged()
    .workflows[0]
    .model_copy(
        update={
            "content_digest": "1",
            "models": [UsedModel(folder="vae", name="wan/vae.safetensors", present=True)],
        }
    )
)
FINE = FAILING.model_copy(update={"findings": [], "will_fail": False})


def files(condition: Condition | None) -> damage.Now:
    """A host with the one file, and what is known of it."""
    file = ModelFile("vae", "wan/vae.safetensors", "/vae", 1, 1, 1, 1, 1)
    return damage.Now(Listing((file,)), {} if condition is None else {file.path: condition})


def other(report: WorkflowReport, **changed: Any) -> WorkflowReport:
    return report.model_copy(update=changed)


def test_the_file_that_was_damaged_is_the_cause() -> None:
    found, left = damage.explained([Worse(FAILING, FINE)])
    assert left == []
    (cause,) = found.causes
    assert (cause.kind, cause.sureness) == (CauseKind.MODEL, Sureness.CERTAIN)
    assert (cause.name, cause.text) == (
        "vae/wan/vae.safetensors",
        "vae/wan/vae.safetensors is damaged",
    )
    assert found.by_path == {FAILING.path: [cause.id]}


def test_one_file_is_one_cause_of_many() -> None:
    pairs = [Worse(other(FAILING, path=p), other(FINE, path=p)) for p in ("/a", "/b")]
    found, _ = damage.explained(pairs)
    assert len(found.causes) == 1
    assert found.by_path.keys() == {"/a", "/b"}


def test_what_is_worse_for_something_else_too_is_left_to_explain() -> None:
    missing = sample.missing_model("x.ckpt", "4")
    both = other(FAILING, findings=[*FAILING.findings, missing], verdict=Verdict.PARTIAL)
    found, left = damage.explained([Worse(both, FINE)])
    assert len(found.causes) == 1
    assert [each.now.findings for each in left] == [[missing]]


@pytest.mark.parametrize("named", [True, False])
def test_an_edit_that_names_a_damaged_file_is_the_edit_s_doing(*, named: bool) -> None:
    was = other(FINE, content_digest="0", models=FINE.models if named else [])
    found, left = damage.explained([Worse(FAILING, was)])
    assert bool(found.causes) is named
    assert left == ([] if named else [Worse(FAILING, was)])


def test_a_file_that_is_whole_again_mends() -> None:
    whole = files(Condition())
    found = damage.mended([Worse(FINE, FAILING)], whole)
    (cause,) = found.causes
    assert cause.text == "vae/wan/vae.safetensors is whole again"
    assert damage.mended([Worse(other(FINE, models=[]), FAILING)], whole).causes == []
    assert damage.held(FINE, FAILING, whole) is FINE


@pytest.mark.parametrize(
    "now",
    [
        files(Condition("model_download_unfinished")),
        files(Condition("model_unreadable")),
        files(None),
        damage.Now(Listing(blind={"vae": "a mount hangs"}), {}),
    ],
    ids=count(),
)
def test_damage_stays_until_the_file_is_seen_to_be_whole(now: damage.Now) -> None:
    held = damage.held(FINE, FAILING, now)
    assert held.will_fail
    assert held.findings == FAILING.findings
    assert damage.mended([Worse(FINE, FAILING)], now).causes == []
    for report in (other(FINE, verdict=Verdict.BROKEN), other(FINE, models=[]), FAILING):
        assert damage.held(report, FAILING, now) is report


def test_a_file_that_is_gone_is_not_whole_again() -> None:
    gone = damage.Now(Listing(), {})
    assert damage.mended([Worse(FINE, FAILING)], gone).causes == []
    assert damage.held(FINE, FAILING, gone) is FINE


def test_each_damaged_file_of_a_workflow_is_a_change_of_its_own() -> None:
    (first,) = FAILING.findings
    subject = first.subject.model_copy(update={"name": "clip.safetensors"})
    second = first.model_copy(update={"subject": subject, "fingerprint": "second"})
    both = other(FAILING, findings=[first, second])
    assert kind_of_change(both, FAILING) is ChangeKind.WORSE
    assert kind_of_change(FAILING, both) is ChangeKind.MENDED
    found, left = damage.explained([Worse(both, FAILING)])
    assert [cause.name for cause in found.causes] == ["vae/clip.safetensors"]
    assert left == []


def test_damage_that_was_known_is_no_cause() -> None:
    found, left = damage.explained([Worse(FAILING, FAILING)])
    assert (found.causes, found.by_path) == ([], {})
    assert left == [Worse(FAILING, FAILING)]
