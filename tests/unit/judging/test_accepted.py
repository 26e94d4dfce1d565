"""What is accepted, for how long, and what ends it before."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from comfywatchman.judging.accepted import Entry, settle
from comfywatchman.results import AcceptanceState, Severity, Verdict
from tests.unit.report.sample import damaged, found, missing_model, missing_node, workflow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from comfywatchman.results import AcceptanceResult, WorkflowReport

TODAY = date(2026, 11, 25)
BROKEN = workflow("a.json", Verdict.BROKEN, missing_model("x.safetensors", "4"))
TWO = workflow(
    "a.json",
    Verdict.BROKEN,
    missing_model("x.safetensors", "4"),
    *missing_node("Upscale", "a-pack", "9"),
)
MENDED = workflow("a.json", Verdict.RUNNABLE)
ANOTHER = workflow("a.json", Verdict.BROKEN, *missing_node("Upscale", "a-pack", "9"))


def entry(report: WorkflowReport, **more: object) -> Entry:
    """What ``comfywatchman accept`` would write of a workflow."""
    errors = [f for f in report.findings if f.severity is Severity.ERROR]
    made = Entry(
        id="one",
        workflow=report.path,
        reason="the studio does without",
        until=date(2026, 12, 31),
        fingerprints=frozenset(f.fingerprint for f in errors),
        file="/etc/accepted.toml",
    )
    return replace(made, **more)  # type: ignore[arg-type]


def settled(
    report: WorkflowReport, *entries: Entry, today: date = TODAY, whole: bool = True
) -> tuple[WorkflowReport, list[AcceptanceResult]]:
    (after,), results = settle([report], entries, today, whole=whole)
    return after, results


def told(results: Sequence[AcceptanceResult]) -> list[tuple[str, str]]:
    return [(result.state.value, result.text) for result in results]


def remarks(report: WorkflowReport) -> list[str]:
    return [f.code for f in report.findings if f.code.startswith("accept_")]


def test_what_was_accepted_is_accepted() -> None:
    after, results = settled(BROKEN, entry(BROKEN, by="anna"))
    assert after.accepted is not None
    assert (after.accepted.id, after.accepted.by) == ("one", "anna")
    assert after.findings == BROKEN.findings
    assert after.verdict is Verdict.BROKEN
    assert told(results) == [
        ("applied", "1 error of 'a.json' accepted until 2026-12-31: the studio does without")
    ]
    assert results[0].workflow == BROKEN.path


def test_a_new_fault_ends_it() -> None:
    after, results = settled(TWO, entry(BROKEN))
    assert after.accepted is None
    assert remarks(after) == ["accept_void"]
    assert told(results) == [
        (
            "void",
            (
                "acceptance one of 'a.json' holds no more, for there is a new error: node type "
                "'Upscale' is not offered by this server; mend it, accept all of it anew, or "
                "withdraw it with: comfywatchman accept --withdraw one"
            ),
        )
    ]


def test_another_fault_in_place_of_the_accepted_one_ends_it() -> None:
    after, results = settled(ANOTHER, entry(BROKEN))
    assert after.accepted is None
    assert [result.state for result in results] == [AcceptanceState.VOID]


def test_the_same_fault_at_another_node_is_a_new_one_unless_faults_are_accepted() -> None:
    moved = workflow("a.json", Verdict.BROKEN, missing_model("x.safetensors", "5"))
    assert settled(moved, entry(BROKEN))[0].accepted is None
    by_fault = entry(BROKEN, fingerprints=frozenset(), faults={BROKEN.findings[0].fault_id})
    assert settled(moved, by_fault)[0].accepted is not None


def test_what_has_come_to_its_end_counts_again() -> None:
    last = entry(BROKEN, until=TODAY)
    assert settled(BROKEN, last)[0].accepted is not None
    after, results = settled(BROKEN, last, today=TODAY + timedelta(days=1))
    assert after.accepted is None
    assert remarks(after) == ["accept_expired"]
    assert told(results) == [
        (
            "expired",
            (
                "acceptance one of 'a.json' held until 2026-11-25, and its errors count again; "
                "mend it, accept it anew, or withdraw it with: comfywatchman accept --withdraw one"
            ),
        )
    ]


def test_what_is_mended_needs_it_no_more() -> None:
    after, results = settled(MENDED, entry(BROKEN))
    assert remarks(after) == ["accept_unused"]
    assert told(results) == [
        (
            "unused",
            (
                "acceptance one of 'a.json' is for nothing: the workflow has none of its errors; "
                "withdraw it with: comfywatchman accept --withdraw one"
            ),
        )
    ]
    late = settled(MENDED, entry(BROKEN), today=date(2027, 2, 1))[1]
    assert [result.state for result in late] == [AcceptanceState.UNUSED]


def test_a_workflow_that_was_renamed_is_not_the_one_that_was_meant() -> None:
    renamed = workflow("b.json", Verdict.BROKEN, missing_model("x.safetensors", "4"))
    after, results = settled(renamed, entry(BROKEN))
    assert after == renamed
    assert told(results) == [
        (
            "unused",
            (
                f"acceptance one is for nothing: there is no workflow '{BROKEN.path}'; if it was "
                "renamed, accept it under its new name; withdraw it with: comfywatchman accept "
                "--withdraw one"
            ),
        )
    ]
    assert results[0].workflow is None


def test_of_workflows_that_were_not_looked_for_nothing_is_said() -> None:
    other = workflow("b.json", Verdict.RUNNABLE)
    assert settled(other, entry(BROKEN), whole=False) == (other, [])


@pytest.mark.parametrize("code", ["value_not_in_list", "missing_node_type"])
def test_a_code_is_accepted_alone(code: str) -> None:
    meant = frozenset(f.fingerprint for f in TWO.findings if f.code == code)
    after, results = settled(TWO, entry(TWO, code=code, fingerprints=meant))
    assert after.accepted is None
    assert told(results) == [
        (
            "applied",
            (
                "1 error of 'a.json' accepted until 2026-12-31; its other errors are not, and it "
                "counts as it is: the studio does without"
            ),
        )
    ]


def test_a_new_fault_of_another_code_ends_nothing_and_hides_nothing() -> None:
    only = entry(BROKEN, code="value_not_in_list")
    assert settled(BROKEN, only)[0].accepted is not None
    after, results = settled(TWO, only)
    assert after.accepted is None
    assert [result.state for result in results] == [AcceptanceState.APPLIED]
    two_models = workflow(
        "a.json",
        Verdict.BROKEN,
        missing_model("x.safetensors", "4"),
        missing_model("y.safetensors", "5"),
    )
    assert [r.state for r in settled(two_models, only)[1]] == [AcceptanceState.VOID]


def test_two_accept_together_and_the_one_that_ends_first_is_named() -> None:
    model, node = TWO.findings
    first = entry(TWO, id="first", until=date(2026, 12, 1), fingerprints={model.fingerprint})
    second = entry(TWO, id="second", fingerprints={node.fingerprint})
    after, results = settled(TWO, second, first)
    assert after.accepted is not None
    assert after.accepted.id == "first"
    assert [(r.id, r.state.value) for r in results] == [("first", "applied"), ("second", "applied")]
    after, results = settled(TWO, second, first, today=date(2026, 12, 2))
    assert after.accepted is None
    assert [(r.id, r.state.value) for r in results] == [("second", "void"), ("first", "expired")]


def test_a_teams_entry_names_a_workflow_as_people_do_and_is_no_mistake_where_nothing_is() -> None:
    team = entry(BROKEN, workflow="a.json", team=True)
    after, results = settled(BROKEN, team)
    assert after.accepted is not None
    assert settled(MENDED, team)[0] == MENDED
    other = workflow("b.json", Verdict.RUNNABLE)
    after, results = settled(other, team)
    assert (after, [r.state for r in results]) == (other, [AcceptanceState.UNUSED])
    after, results = settled(TWO, team)
    assert results[0].text.endswith("or withdraw it in the team's file, and deploy that")


def test_a_path_goes_before_a_name() -> None:
    elsewhere = BROKEN.model_copy(update={"path": "/elsewhere/a.json"})
    reports, _ = settle([BROKEN, elsewhere], [entry(BROKEN)], TODAY, whole=True)
    assert [bool(r.accepted) for r in reports] == [True, False]
    reports, results = settle(
        [BROKEN, elsewhere], [entry(BROKEN, workflow="a.json")], TODAY, whole=True
    )
    assert [bool(r.accepted) for r in reports] == [True, True]
    assert [r.workflow for r in results] == sorted([BROKEN.path, elsewhere.path])


def test_what_could_not_be_judged_is_not_accepted_and_nothing_is_said_of_it() -> None:
    unknown = workflow("a.json", Verdict.UNKNOWN, not_checked=["the time was up"])
    assert settled(unknown, entry(BROKEN)) == (unknown, [])
    with_errors = BROKEN.model_copy(update={"verdict": Verdict.UNKNOWN})
    assert settled(with_errors, entry(BROKEN))[0].accepted is None


def test_a_warning_is_neither_accepted_nor_does_it_end_anything() -> None:
    warned = found(code="api_node", severity=Severity.WARNING, message="m", node_id="1")
    report = workflow("a.json", Verdict.BROKEN, missing_model("x.safetensors", "4"), warned)
    assert settled(report, entry(BROKEN))[0].accepted is not None


def test_a_remark_is_a_finding_like_others_and_leaves_those_as_they_are() -> None:
    after, _ = settled(TWO, entry(BROKEN))
    *others, remark = after.findings
    assert others == TWO.findings
    assert remark.severity is Severity.INFO
    assert remark.fixes[0].id == f"{remark.fingerprint[:12]}-1"
    again, _ = settled(TWO, entry(BROKEN, reason="worded anew"))
    assert again.findings[-1].fingerprint == remark.fingerprint


def test_what_will_fail_can_be_accepted() -> None:
    report = damaged().workflows[0]
    after, _ = settled(report, entry(report, workflow="a.json"))
    assert after.accepted is not None
    assert (after.verdict, after.will_fail) == (Verdict.RUNNABLE, True)
