"""What has become of each workflow, told from two cycles."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from comfywatchman.history import comparison
from comfywatchman.history.cause import Explained
from comfywatchman.history.facts import FactChange, FactKind
from comfywatchman.history.records import State, state_key
from comfywatchman.judging.identity import identified
from comfywatchman.results import (
    Cause,
    CauseKind,
    ChangeKind,
    Finding,
    PastVerdict,
    Severity,
    Subject,
    SubjectKind,
    Sureness,
    Verdict,
    WorkflowReport,
)
from comfywatchman.workflow.postponed import not_judged

if TYPE_CHECKING:
    from collections.abc import Iterable

BEFORE = datetime(2026, 11, 25, 8, tzinfo=UTC)
NOW = BEFORE + timedelta(hours=2)
RUNNABLE, PARTIAL, BROKEN, UNKNOWN = (
    Verdict.RUNNABLE,
    Verdict.PARTIAL,
    Verdict.BROKEN,
    Verdict.UNKNOWN,
)


def finding(name: str, severity: Severity = Severity.ERROR) -> Finding:
    return Finding(
        code="value_not_in_list",
        severity=severity,
        message=f"{name} is not there",
        subject=Subject(kind=SubjectKind.MODEL, name=name),
        node_id="1",
        input=name,
    )


def workflow(
    path: str, verdict: Verdict, *errors: str, digest: str = "d", warnings: Iterable[str] = ()
) -> WorkflowReport:
    found = [finding(name) for name in errors]
    found += [finding(name, severity=Severity.WARNING) for name in warnings]
    return identified(
        WorkflowReport(
            path=path,
            name=path.rpartition("/")[2],
            verdict=verdict,
            findings=found,
            content_digest=digest,
        )
    )


@dataclass
class Past:
    """What a history would know of the cycle before: plain objects in place of its database."""

    reports: dict[str, WorkflowReport]
    judged: dict[str, WorkflowReport] = field(default_factory=dict)
    started_at: datetime = BEFORE
    skipped: int = 3

    @property
    def states(self) -> dict[str, State]:
        return {
            path: State(path, r.name, r.verdict, BEFORE, state_key(r), r.content_digest)
            for path, r in self.reports.items()
        }

    def report(self, path: str) -> WorkflowReport | None:
        return self.reports.get(path)

    def known(self, path: str) -> WorkflowReport | None:
        return self.judged.get(path)


def compared(
    before: Iterable[WorkflowReport],
    now: Iterable[WorkflowReport],
    *,
    judged: Iterable[WorkflowReport] = (),
    unseen: Iterable[str] = (),
    left_out: Iterable[str] = (),
) -> comparison.Comparison:
    past = Past({r.path: r for r in before}, {r.path: r for r in judged})
    reports = list(now)
    return comparison.compare(
        past,  # type: ignore[arg-type]
        reports,
        {r.path: state_key(r) for r in reports},
        unseen=list(unseen),
        left_out=list(left_out),
    )


def kinds(found: comparison.Comparison) -> dict[str, ChangeKind | None]:
    return {(p.now or p.state).path: p.kind for p in found.pairs}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("was", "now", "kind"),
    [
        ((RUNNABLE,), (BROKEN, "a"), ChangeKind.WORSE),
        ((RUNNABLE,), (PARTIAL, "a"), ChangeKind.WORSE),
        ((BROKEN, "a"), (RUNNABLE,), ChangeKind.MENDED),
        ((BROKEN, "a"), (PARTIAL, "b"), ChangeKind.MENDED),
        ((BROKEN, "a"), (BROKEN, "a", "b"), ChangeKind.WORSE),
        ((BROKEN, "a", "b"), (BROKEN, "b"), ChangeKind.MENDED),
        ((BROKEN, "a"), (BROKEN, "a"), None),
        ((RUNNABLE,), (RUNNABLE,), None),
        ((RUNNABLE,), (UNKNOWN,), ChangeKind.OTHER),
        ((UNKNOWN,), (UNKNOWN,), None),
    ],
)
def test_verdicts_and_errors_decide(
    was: tuple[Verdict, str], now: tuple[Verdict, str], kind: ChangeKind | None
) -> None:
    before, after = workflow("/w/a.json", *was), workflow("/w/a.json", *now, digest="e")
    assert kinds(compared([before], [after])) == {"/w/a.json": kind}


def test_what_was_a_warning_is_no_new_error() -> None:
    before = workflow("/w/a.json", BROKEN, "a", warnings=["b"])
    after = workflow("/w/a.json", BROKEN, "b")
    assert kinds(compared([before], [after])) == {"/w/a.json": ChangeKind.MENDED}


def test_unknown_in_between_is_compared_with_what_was_known() -> None:
    was, between = workflow("/w/a.json", RUNNABLE), workflow("/w/a.json", UNKNOWN)
    now = workflow("/w/a.json", BROKEN, "a")
    found = compared([between], [now], judged=[was])
    assert kinds(found) == {"/w/a.json": ChangeKind.WORSE}
    assert found.pairs[0].was == was


def test_postponed_is_no_change() -> None:
    now = WorkflowReport(path="/w/a.json", name="a.json", verdict=UNKNOWN, findings=[not_judged()])
    assert kinds(compared([workflow("/w/a.json", RUNNABLE)], [now])) == {"/w/a.json": None}
    assert kinds(compared([], [now])) == {"/w/a.json": None}


def test_new_and_gone() -> None:
    found = compared(
        [workflow("/w/old.json", RUNNABLE, digest="1")],
        [workflow("/w/new.json", RUNNABLE, digest="2")],
    )
    assert kinds(found) == {"/w/old.json": ChangeKind.GONE, "/w/new.json": ChangeKind.NEW}


def test_what_was_not_seen_or_left_out_is_not_gone() -> None:
    paths = ("/share/a.json", "/shared/b.json", "userdata:anna/workflows/c.json", "/w/d.json")
    found = compared(
        [workflow(path, RUNNABLE, digest=path) for path in paths],
        [],
        unseen=["/share", "userdata:anna/workflows"],
        left_out=["/w/d.json"],
    )
    assert kinds(found) == {"/shared/b.json": ChangeKind.GONE}
    assert found.unseen == {"/share/a.json", "userdata:anna/workflows/c.json"}


def test_a_file_that_moved_is_the_same_one() -> None:
    found = compared(
        [workflow("/w/a.json", RUNNABLE, digest="same")],
        [workflow("/w/sub/b.json", RUNNABLE, digest="same")],
    )
    assert kinds(found) == {"/w/sub/b.json": None}


def test_files_that_moved_together_are_the_same_ones() -> None:
    found = compared(
        [workflow(f"/old/{i}.json", RUNNABLE, digest=str(i)) for i in range(4)],
        [workflow(f"/new/{i}.json", RUNNABLE, digest=str(i)) for i in range(4)],
    )
    assert kinds(found) == {f"/new/{i}.json": None for i in range(4)}


def test_a_file_that_is_seen_another_way_is_the_same_one() -> None:
    on_server = workflow("userdata:anna/workflows/a.json", RUNNABLE, digest="1")
    on_disk = workflow("/srv/user/anna/workflows/a.json", BROKEN, "x", digest="2")
    assert list(kinds(compared([on_server], [on_disk])).values()) == [ChangeKind.WORSE]


def test_copies_of_one_file_are_not_taken_for_moved() -> None:
    found = compared(
        [workflow("/w/a.json", RUNNABLE, digest="same")],
        [
            workflow("/w/b.json", RUNNABLE, digest="same"),
            workflow("/w/c.json", RUNNABLE, digest="same"),
        ],
    )
    assert list(kinds(found).values()).count(ChangeKind.NEW) == 2


def test_changes_name_causes_and_count_the_program_apart() -> None:
    found = compared(
        [workflow(f"/w/{i}.json", RUNNABLE, digest=str(i)) for i in range(3)],
        [workflow(f"/w/{i}.json", BROKEN, "a", digest=str(i)) for i in range(3)],
    )
    gone, ours = cause("gone", CauseKind.MODEL), cause("ours", CauseKind.PROGRAM)
    made = comparison.changes(
        found,
        Explained(
            [ours, gone],
            {"/w/0.json": ["gone"], "/w/1.json": ["gone"], "/w/2.json": ["ours"]},
            ["one thing was not kept"],
        ),
        [FactChange(FactKind.PACK, "p", {"version": "1"}, {"version": "2"})],
        ["models: the share hangs"],
    )
    assert [(w.name, w.kind, w.causes) for w in made.workflows] == [
        ("0.json", ChangeKind.WORSE, ["gone"]),
        ("1.json", ChangeKind.WORSE, ["gone"]),
        ("2.json", ChangeKind.OTHER, ["ours"]),
    ]
    assert [c.id for c in made.causes] == ["gone", "ours"]
    assert (made.since, made.skipped) == (BEFORE, 3)
    assert [h.text for h in made.host] == ["pack p 1 → 2"]
    assert made.not_known == ["models: the share hangs", "one thing was not kept"]


def test_a_report_says_since_when() -> None:
    state = State("/w/a", "a", BROKEN, BEFORE, "k", None)
    past = [PastVerdict(since=BEFORE, verdict=BROKEN)]
    same = comparison.with_past(workflow("/w/a", BROKEN, "x"), state, past, NOW)
    assert (same.since, same.past) == (BEFORE, past)
    other = comparison.with_past(workflow("/w/a", RUNNABLE), state, past, NOW)
    assert other.since == NOW
    assert other.past == [*past, PastVerdict(since=NOW, verdict=RUNNABLE)]


def cause(name: str, kind: CauseKind) -> Cause:
    return Cause(id=name, kind=kind, sureness=Sureness.CERTAIN, name=name, text=name)
