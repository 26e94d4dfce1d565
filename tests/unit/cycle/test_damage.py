"""Damaged model files as causes."""

from __future__ import annotations

from typing import Any

import pytest

from comfywatchman.cycle import damage
from comfywatchman.history.cause import Worse
from comfywatchman.results import CauseKind, Sureness, UsedModel, Verdict, WorkflowReport
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
    found = damage.mended([Worse(FINE, FAILING)])
    (cause,) = found.causes
    assert cause.text == "vae/wan/vae.safetensors is whole again"
    assert damage.mended([Worse(other(FINE, models=[]), FAILING)]).causes == []


def test_damage_that_was_known_is_no_cause() -> None:
    found, left = damage.explained([Worse(FAILING, FAILING)])
    assert (found.causes, found.by_path) == ([], {})
    assert left == [Worse(FAILING, FAILING)]
