"""What is told of cycles: once, of what is otherwise, and nothing while all stays as it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman.events.kept import Kept
from comfywatchman.events.message import Message, Priority, Topic
from comfywatchman.events.quiet import Quiet
from comfywatchman.events.telling import Cycle, Way, tell
from comfywatchman.history.comparison import kind_of_change
from comfywatchman.history.records import CycleRow, Event
from comfywatchman.results import (
    Acceptance,
    AcceptanceResult,
    AcceptanceState,
    Cause,
    CauseKind,
    ChangeKind,
    Changes,
    Confidence,
    Finding,
    Fix,
    FixKind,
    Outcome,
    Report,
    Server,
    Severity,
    Subject,
    SubjectKind,
    Summary,
    Sureness,
    Verdict,
    WorkflowChange,
    WorkflowReport,
)
from comfywatchman.settings import Reminders

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
OK, PARTIAL, BAD, UNKNOWN = Verdict.RUNNABLE, Verdict.PARTIAL, Verdict.BROKEN, Verdict.UNKNOWN
PACK = Cause(
    id="pack",
    kind=CauseKind.PACK,
    sureness=Sureness.CERTAIN,
    name="PACK",
    text="PACK 1.2 → 1.3 dropped Gone",
    node_types=["Gone"],
)


def error(code: str = "value_not_in_list", about: str = "a.safetensors", **more: Any) -> Finding:
    found = Finding(
        code=code,
        severity=Severity.ERROR,
        message=f"{about} is not there",
        subject=Subject(kind=SubjectKind.MODEL, name=about),
        fixes=[
            Fix(id="", kind=FixKind.BY_HAND, confidence=Confidence.LIKELY, text=f"bring {about}")
        ],
        **more,
    )
    found.identify(fingerprint=f"{code} {about}", fault_id=about, cause_id=about)
    return found


def workflow(name: str, verdict: Verdict, *findings: Finding, **more: Any) -> WorkflowReport:
    if verdict in (BAD, PARTIAL) and not findings:
        findings = (error(),)
    return WorkflowReport(
        path=f"/w/{name}", name=name, verdict=verdict, findings=list(findings), **more
    )


@dataclass
class Host:
    """A host on which cycles run, with a history as it would have them."""

    kept: Kept = field(default_factory=Kept)
    now: datetime = START
    rows: list[CycleRow] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    withdrawn: set[str] = field(default_factory=set)
    reminders: Reminders = Reminders.NONE
    quiet: Quiet | None = None
    told: list[Message] = field(default_factory=list)

    # What the history answers

    def last_full(self) -> datetime | None:
        return self.reports[-1].started_at if self.reports else None

    def cycles(self, since: datetime) -> Sequence[CycleRow]:
        return [row for row in reversed(self.rows) if row.started_at >= since]

    def events(self, since: datetime) -> Sequence[Event]:
        return [
            Event(r.started_at, r.changes)
            for r in reversed(self.reports)
            if r.started_at >= since and r.changes and r.changes.workflows
        ]

    def report_at(self, when: datetime) -> Report | None:
        return next((r for r in reversed(self.reports) if r.started_at <= when), None)

    def was_withdrawn(self, message: str) -> bool:
        return message in self.withdrawn

    # What it does

    def done(
        self, *workflows: WorkflowReport, causes: Iterable[Cause] = (), **more: Any
    ) -> Message | None:
        verdicts = [w.verdict for w in workflows]
        report = Report(
            comfywatchman_version="1",
            host="host",
            started_at=self.now,
            duration_s=5.0,
            reason=f"{len(workflows)} workflows",
            server=Server(),
            summary=Summary(**{v.value: verdicts.count(v) for v in Verdict}),
            workflows=list(workflows),
            changes=self._changes(workflows, list(causes)),
            **more,
        )
        message = self._tell(Cycle(Outcome.DONE, self.now, "", report))
        self.reports.append(report)
        return message

    def ended(self, outcome: Outcome, reason: str = "the server is away") -> Message | None:
        return self._tell(Cycle(outcome, self.now, reason))

    def _changes(self, workflows: Sequence[WorkflowReport], causes: list[Cause]) -> Changes | None:
        if not self.reports:
            return None
        was = {w.path: w for w in self.reports[-1].workflows}
        ids = [cause.id for cause in causes]
        ours = bool(causes) and all(c.kind is CauseKind.PROGRAM for c in causes)
        found = []
        for now in workflows:
            before = was.get(now.path)
            kind = ChangeKind.NEW if before is None else kind_of_change(now, before)
            if kind is None:
                continue
            found.append(
                WorkflowChange(
                    path=now.path,
                    name=now.name,
                    kind=ChangeKind.OTHER if ours else kind,
                    before=before.verdict if before else None,
                    after=now.verdict,
                    causes=ids if ours or kind is ChangeKind.WORSE else [],
                    will_fail=now.will_fail,
                )
            )
        return Changes(since=self.reports[-1].started_at, workflows=found, causes=causes)

    def _tell(self, cycle: Cycle) -> Message | None:
        way = Way("host", "host: comfywatchman report", self.reminders, self.quiet)
        told = tell(cycle, self, self.kept, way)
        self.kept = Kept.model_validate_json(told.kept.model_dump_json())
        self.rows.append(CycleRow(self.now, 5.0, cycle.outcome, cycle.reason, "1"))
        self.now += 2 * HOUR
        if told.message is not None:
            self.told.append(told.message)
        return told.message


@pytest.fixture
def host() -> Host:
    """A host of two workflows that run, which has told its summary."""
    host = Host()
    host.done(workflow("a", OK), workflow("b", OK))
    host.told.clear()
    return host


def topics(message: Message | None) -> tuple[Topic, ...]:
    assert message is not None
    return message.topics


def test_the_first_cycle_sends_a_summary_and_no_list() -> None:
    host = Host()
    message = host.done(workflow("a", BAD), workflow("b", OK))
    assert topics(message) == (Topic.SUMMARY,)
    assert message is not None
    assert "1 runnable" in message.subject
    assert "1 broken" in message.subject
    assert "a.safetensors" not in message.body
    assert host.done(workflow("a", BAD), workflow("b", OK)) is None


def test_a_hundred_bad_cycles_are_one_message(host: Host) -> None:
    for _ in range(100):
        host.done(workflow("a", BAD), workflow("b", OK), causes=[PACK])
    [message] = host.told
    assert message.subject == "host: a broke because PACK 1.2 → 1.3 dropped Gone"
    assert message.body == (
        "a broke because PACK 1.2 → 1.3 dropped Gone\n"
        "  What to do: bring a.safetensors\n"
        "\n"
        "In all: 2 workflows\n"
        "Report: host: comfywatchman report"
    )
    assert message.priority is Priority.WARNING
    assert message.report == "host: comfywatchman report"


def test_bad_good_bad_is_three_messages(host: Host) -> None:
    for verdict in (BAD, BAD, OK, OK, BAD, BAD):
        host.done(workflow("a", verdict), workflow("b", OK))
    assert [m.topics for m in host.told] == [(Topic.WORSE,), (Topic.MENDED,), (Topic.FLAPPING,)]
    assert [m.priority for m in host.told][:2] == [Priority.WARNING, Priority.NOTICE]


def test_what_flaps_is_told_once_and_again_when_it_has_settled(host: Host) -> None:
    for _ in range(10):
        for verdict in (BAD, OK):
            host.done(workflow("a", verdict), workflow("b", OK))
    assert len(host.told) == 3
    assert "a: 3 changes in a day, now broken" in host.told[-1].body
    for _ in range(20):
        host.done(workflow("a", OK), workflow("b", OK))
    assert [m.topics for m in host.told[3:]] == [(Topic.MENDED,)]
    assert topics(host.done(workflow("a", BAD), workflow("b", OK))) == (Topic.WORSE,)


def test_what_flapped_and_settled_as_it_was_told_is_not_told_again(host: Host) -> None:
    for verdict in (BAD, OK, BAD, *[BAD] * 20):
        host.done(workflow("a", verdict), workflow("b", OK))
    assert len(host.told) == 3


def test_another_that_changes_is_told_while_one_flaps(host: Host) -> None:
    for verdict in (BAD, OK, BAD):
        host.done(workflow("a", verdict), workflow("b", OK))
    message = host.done(workflow("a", OK), workflow("b", BAD))
    assert topics(message) == (Topic.WORSE,)
    assert message is not None
    assert message.subject.startswith("host: b broke")


def test_what_cannot_be_judged_is_not_told(host: Host) -> None:
    assert host.done(workflow("a", UNKNOWN), workflow("b", OK)) is None
    assert host.done(workflow("a", UNKNOWN), workflow("b", OK), workflow("c", UNKNOWN)) is None
    assert host.done(workflow("a", OK), workflow("b", OK), workflow("c", OK)) is None


def test_new_ones_are_told_if_they_are_bad(host: Host) -> None:
    both = workflow("a", OK), workflow("b", OK)
    assert host.done(*both, workflow("c", OK)) is None
    message = host.done(*both, workflow("c", OK), workflow("d", PARTIAL), workflow("e", BAD))
    assert topics(message) == (Topic.NEW_BROKEN,)
    assert message is not None
    assert "2 workflows are new and cannot run as saved" in message.subject


def test_what_is_gone_is_not_told(host: Host) -> None:
    assert host.done(workflow("a", OK)) is None


def test_all_of_one_cycle_is_one_message(host: Host) -> None:
    both = workflow("a", BAD), workflow("b", OK)
    host.done(*both)
    message = host.done(workflow("a", OK), workflow("b", BAD), workflow("c", BAD))
    assert topics(message) == (Topic.WORSE, Topic.NEW_BROKEN, Topic.MENDED)


def many(count: int, verdict: Verdict, *findings: Finding) -> list[WorkflowReport]:
    return [workflow(f"{number:03}", verdict, *findings) for number in range(count)]


def test_only_a_few_names_and_causes_are_listed() -> None:
    host = Host()
    host.done(*many(100, OK))
    message = host.done(*many(40, BAD), *many(100, OK)[40:], causes=[PACK])
    assert message is not None
    assert message.subject == "host: 40 workflows broke because PACK 1.2 → 1.3 dropped Gone"
    assert "000, 001, 002, 003 and 36 more" in message.body
    assert message.doubt is None


LOST = error("missing_node_type", "Gone", node_type="Gone")


@pytest.mark.parametrize(("worse", "total", "asks"), [(5, 9, True), (5, 10, False), (4, 4, False)])
def test_most_at_once_is_the_server_and_in_doubt(worse: int, total: int, *, asks: bool) -> None:
    host = Host()
    host.done(*many(total, OK))
    message = host.done(*many(worse, BAD, LOST), *many(total, OK)[worse:], causes=[PACK])
    assert message is not None
    assert ("lost its custom nodes?" in message.subject) is asks
    assert (message.doubt is not None) is asks
    if message.doubt is not None:
        assert message.doubt.node_types == ("Gone",)
        assert message.doubt.not_before == message.at + timedelta(seconds=65)
        assert "005" not in message.body


def test_what_a_second_look_denied_was_never_told() -> None:
    host = Host()
    host.done(*many(9, OK))
    for number in range(2):
        message = host.done(*many(9, BAD, LOST), causes=[PACK])
        assert message is not None
        host.withdrawn.add(message.id)
        if number == 0:
            assert host.done(*many(9, OK)) is None
    message = host.done(*many(3, BAD, LOST), *many(9, OK)[3:])
    assert topics(message) == (Topic.WORSE,)
    assert message is not None
    assert "3 workflows broke because PACK" in message.subject


def test_what_a_second_look_confirmed_was_told() -> None:
    host = Host()
    host.done(*many(9, OK))
    host.done(*many(9, BAD, LOST), causes=[PACK])
    assert host.done(*many(9, BAD, LOST)) is None
    assert topics(host.done(*many(9, OK))) == (Topic.MENDED,)


def test_most_at_once_for_want_of_a_model_is_not_laid_to_custom_nodes() -> None:
    host = Host()
    host.done(*many(9, OK))
    message = host.done(*many(9, BAD))
    assert message is not None
    assert "9 of 9 workflows got worse at once" in message.subject
    assert "custom nodes" not in message.body
    assert message.doubt is None


def test_quiet_tells_nothing_and_what_was_down_before_stays_silent(host: Host) -> None:
    host.done(workflow("a", BAD), workflow("b", OK))
    host.told.clear()
    host.quiet = Quiet(host.now, host.now + 9 * HOUR)
    for a, b in ((OK, BAD), (BAD, BAD), (OK, OK)):
        assert host.done(workflow("a", a), workflow("b", b)) is None
    assert host.ended(Outcome.FAILED) is None
    assert host.ended(Outcome.FAILED) is None
    host.quiet = None
    assert host.done(workflow("a", BAD), workflow("b", OK)) is None
    assert topics(host.done(workflow("a", BAD), workflow("b", BAD))) == (Topic.WORSE,)


def test_after_quiet_it_is_told_what_is_otherwise_than_before(host: Host) -> None:
    host.done(workflow("a", BAD), workflow("b", OK), workflow("c", OK))
    host.quiet = Quiet(host.now, host.now + 9 * HOUR)
    host.done(workflow("a", OK), workflow("b", BAD), workflow("c", OK), causes=[PACK])
    host.quiet = None
    assert host.ended(Outcome.SKIPPED) is None
    message = host.done(workflow("a", OK), workflow("b", BAD), workflow("c", OK))
    assert topics(message) == (Topic.WORSE, Topic.MENDED)
    assert message is not None
    assert "b broke because PACK" in message.subject
    assert host.done(workflow("a", OK), workflow("b", BAD), workflow("c", OK)) is None


def accepted(name: str, *findings: Finding) -> WorkflowReport:
    acceptance = Acceptance(id="1", reason="so be it", until=date(2026, 6, 1))
    return workflow(name, BAD, *findings, accepted=acceptance)


def test_what_is_accepted_is_not_told(host: Host) -> None:
    assert host.done(accepted("a"), workflow("b", OK)) is None
    unused = AcceptanceResult(
        id="1", state=AcceptanceState.UNUSED, text="for nothing", file="f", workflow="/w/a"
    )
    assert host.done(workflow("a", OK), workflow("b", OK), acceptances=[unused]) is None


@pytest.mark.parametrize("state", [AcceptanceState.EXPIRED, AcceptanceState.VOID])
def test_an_acceptance_that_does_not_hold_is_told_once(host: Host, state: AcceptanceState) -> None:
    result = AcceptanceResult(id="1", state=state, text="1: is over", file="f", workflow="/w/a")
    both = workflow("a", OK), workflow("b", OK)
    message = host.done(*both, acceptances=[result])
    assert topics(message) == (Topic.ACCEPTANCE_EXPIRED,)
    assert message is not None
    assert "1: is over" in message.body
    assert host.done(*both, acceptances=[result]) is None
    holds = AcceptanceResult(
        id="1", state=AcceptanceState.APPLIED, text="1 error", file="f", workflow="/w/a"
    )
    message = host.done(*both, acceptances=[holds])
    assert topics(message) == (Topic.MENDED,)
    assert message is not None
    assert message.priority == Priority.NOTICE
    assert "1 acceptance holds again" in message.subject
    assert host.done(*both, acceptances=[holds]) is None
    assert host.done(*both, acceptances=[result]) is not None
    assert host.done(*both) is None
    assert host.done(*both, acceptances=[holds]) is None


def finding(code: str, about: str) -> Finding:
    return Finding(
        code=code,
        severity=Severity.WARNING,
        message=f"{about}: see to it",
        subject=Subject(kind=SubjectKind.PACK, name=about),
    )


@pytest.mark.parametrize(
    ("code", "topic"),
    [("workflow_shrunk", Topic.SHRUNK), ("pack_restart_pending", Topic.PACK_NOT_LOADED)],
)
def test_a_remark_that_is_newly_there_is_told_once(host: Host, code: str, topic: Topic) -> None:
    a, b = workflow("a", OK, finding(code, "P")), workflow("b", OK)
    message = host.done(a, b)
    assert topics(message) == (topic,)
    assert message is not None
    assert "P: see to it" in message.body
    assert host.done(a, b) is None
    assert host.done(workflow("a", OK), b) is None
    assert host.done(a, b) is not None


def test_another_release_of_ours_is_one_summary(host: Host) -> None:
    ours = Cause(
        id="program",
        kind=CauseKind.PROGRAM,
        sureness=Sureness.CERTAIN,
        name="",
        text="ComfyWatchman 1 → 2",
    )
    message = host.done(workflow("a", BAD), workflow("b", BAD), causes=[ours])
    assert topics(message) == (Topic.UPGRADED,)
    assert message is not None
    assert message.priority is Priority.NOTICE
    assert "ComfyWatchman judges 2 workflows otherwise than before: ComfyWatchman 1 → 2" in (
        message.subject
    )


def test_cycles_that_fail_are_told_once_until_one_is_done(host: Host) -> None:
    both = workflow("a", OK), workflow("b", OK)
    assert host.ended(Outcome.FAILED) is None
    assert topics(host.ended(Outcome.FAILED, "no room")) == (Topic.CYCLES_FAILING,)
    assert "no room" in host.told[-1].subject
    assert host.ended(Outcome.FAILED) is None
    assert host.ended(Outcome.SKIPPED) is None
    assert host.ended(Outcome.FAILED) is None
    assert topics(host.done(*both)) == (Topic.MENDED,)
    assert host.ended(Outcome.FAILED) is None
    assert host.done(*both) is None


def test_always_skipped_is_told_once_a_day(host: Host) -> None:
    said = [host.ended(Outcome.SKIPPED) for _ in range(36)]
    assert [number for number, message in enumerate(said) if message] == [12, 24]
    assert topics(said[12]) == (Topic.ALWAYS_SKIPPED,)
    assert topics(host.done(workflow("a", OK), workflow("b", OK))) == (Topic.MENDED,)


def test_a_host_that_was_off_was_not_skipped_for_a_day(host: Host) -> None:
    host.now += 72 * HOUR
    assert host.ended(Outcome.SKIPPED) is None


@pytest.mark.parametrize(
    ("reminders", "days"),
    [
        (Reminders.NONE, []),
        (Reminders.DAILY, list(range(1, 17))),
        (Reminders.DIMINISHING, [1, 3, 7, 15]),
    ],
)
def test_reminders(host: Host, reminders: Reminders, days: list[int]) -> None:
    host.reminders = reminders
    down = workflow("a", BAD), workflow("b", OK)
    host.done(*down)
    first = host.told.pop().at
    for _ in range(16 * 12):
        host.done(*down)
    assert [(m.at - first) // timedelta(days=1) for m in host.told] == days
    assert {m.topics for m in host.told} <= {(Topic.REMINDER,)}
    host.done(workflow("a", OK), workflow("b", OK))
    host.told.clear()
    for _ in range(40):
        host.done(workflow("a", OK), workflow("b", OK))
    assert host.told == []


def test_nobody_is_reminded_of_what_is_accepted(host: Host) -> None:
    host.reminders = Reminders.DAILY
    for _ in range(40):
        host.done(accepted("a"), workflow("b", OK))
    assert host.told == []


HOSTILE = "x\nReport: http://evil\r\n\x1b[2J\u202e\ud800 | broken=0" + "y" * 5000


def test_names_forge_nothing(host: Host) -> None:
    cause = PACK.model_copy(update={"name": HOSTILE})
    message = host.done(
        workflow(HOSTILE, BAD, error("missing_node_type", HOSTILE, node_type=HOSTILE)),
        workflow("a", BAD, finding("workflow_shrunk", HOSTILE), error()),
        workflow("b", OK, finding("pack_restart_pending", HOSTILE)),
        causes=[cause],
    )
    assert message is not None
    assert message.subject.isprintable()
    assert len(message.subject) < 400
    assert [line for line in message.body.splitlines() if line.startswith("Report:")] == [
        "Report: host: comfywatchman report"
    ]
    assert all(line.isprintable() for line in message.body.split("\n"))
    assert len(message.body) < 5000
    message.as_json()


def test_the_same_cycle_tells_the_same_message() -> None:
    first, second = Host(), Host()
    assert first.done(workflow("a", BAD)) == second.done(workflow("a", BAD))


FAILING = workflow("a", OK, error("model_empty"), will_fail=True)


def test_a_damaged_model_is_told_once_and_so_is_its_mending(host: Host) -> None:
    told = host.done(FAILING, workflow("b", OK))
    assert topics(told) == (Topic.WORSE,)
    assert told is not None
    assert "a will fail" in told.subject
    assert host.done(FAILING, workflow("b", OK)) is None
    mended = host.done(workflow("a", OK), workflow("b", OK))
    assert topics(mended) == (Topic.MENDED,)
    assert mended is not None
    assert "a runs again" in mended.subject


def test_what_is_new_and_will_fail_is_told(host: Host) -> None:
    told = host.done(workflow("b", OK), workflow("c", OK, error("model_empty"), will_fail=True))
    assert topics(told) == (Topic.NEW_BROKEN,)


def test_what_will_fail_counts_in_the_summary_and_in_reminders() -> None:
    host = Host(reminders=Reminders.DAILY)
    first = host.done(FAILING)
    assert first is not None
    assert "1 of them will fail" in first.subject
    assert first.priority is Priority.WARNING
    host.now += timedelta(days=2)
    reminder = host.done(FAILING)
    assert topics(reminder) == (Topic.REMINDER,)
    assert reminder is not None
    assert "still 1 that will fail" in reminder.subject
