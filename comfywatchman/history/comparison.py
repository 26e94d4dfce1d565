"""What has become of each workflow since the last full cycle, and what changed on the host.

It reads the history and writes nothing: the report comes first, and the history follows it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from comfywatchman.history import wording
from comfywatchman.history.cause import Judged
from comfywatchman.results import (
    CauseKind,
    ChangeKind,
    Changes,
    PastVerdict,
    Verdict,
    WorkflowChange,
)
from comfywatchman.workflow.postponed import is_postponed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from comfywatchman.history.cause import Explained
    from comfywatchman.history.facts import FactChange
    from comfywatchman.history.records import State
    from comfywatchman.history.store import Previous
    from comfywatchman.results import Cause, WorkflowReport

MOST_HOST_CHANGES: Final = 200
"""Changes of the host that are listed in a report."""

_ORDER: Final = {kind: position for position, kind in enumerate(ChangeKind)}


@dataclass(frozen=True, slots=True)
class Pair:
    """A workflow as it is now, and as it was.

    Attributes:
        now: as it is; None for one that is gone.
        state: what is on record of it; None for one that is new.
        was: how it was judged last, which may be longer ago than the last full cycle; None if it
            never was.
        kind: what has become of it; None if nothing has that anybody must be told.
    """

    now: WorkflowReport | None
    state: State | None
    was: WorkflowReport | None = None
    kind: ChangeKind | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two full cycles beside each other.

    Attributes:
        since: start of the earlier one.
        skipped: cycles in between that were skipped or failed.
        pairs: every workflow of either.
        unseen: paths of the earlier one's that lie where this one could not look.
    """

    since: datetime
    skipped: int
    pairs: list[Pair] = field(default_factory=list)
    unseen: frozenset[str] = frozenset()


def compare(
    previous: Previous,
    reports: Sequence[WorkflowReport],
    keys: Mapping[str, str],
    *,
    unseen: Collection[str] = (),
    left_out: Collection[str] = (),
) -> Comparison:
    """Find out what has become of each workflow.

    Args:
        previous: what the last full cycle left.
        reports: the verdicts of this one.
        keys: of each report by its path, what stays the same as long as nothing changes; see
            :func:`comfywatchman.history.store.state_key`.
        unseen: folders and files that this cycle could not see, as reports name them.
        left_out: paths of workflows that an exclusion names now.
    """
    states = dict(previous.states)
    pairs: list[Pair] = []
    new: list[WorkflowReport] = []
    for report in reports:
        state = states.pop(report.path, None)
        if state is None:
            new.append(report)
        else:
            pairs.append(_pair(previous, report, state, keys[report.path]))
    moved = {report.path: state for report, state in _moved(new, states)}
    for report in new:
        state = moved.get(report.path)
        if state is not None:
            del states[state.path]
            pairs.append(_pair(previous, report, state, keys[report.path]))
    hidden: set[str] = set()
    for path, state in states.items():
        if _lies_in(path, unseen):
            hidden.add(path)
        elif path not in left_out:
            pairs.append(Pair(None, state, kind=ChangeKind.GONE))
    pairs += [
        Pair(report, None, kind=None if is_postponed(report.findings) else ChangeKind.NEW)
        for report in new
        if report.path not in moved
    ]
    return Comparison(previous.started_at, previous.skipped, pairs, frozenset(hidden))


def changes(
    comparison: Comparison,
    explained: Explained,
    facts: Iterable[FactChange],
    not_known: Iterable[str] = (),
) -> Changes:
    """Put together what a report says of the changes.

    Args:
        comparison: the two cycles.
        explained: why workflows got worse.
        facts: what changed on the host.
        not_known: one sentence for each thing that could not be compared.
    """
    by_program = frozenset(c.id for c in explained.causes if c.kind is CauseKind.PROGRAM)
    workflows = [
        _change(pair, explained.by_path, by_program)
        for pair in comparison.pairs
        if pair.kind is not None
    ]
    workflows.sort(key=lambda w: (_ORDER[w.kind], w.name.casefold(), w.path))
    host = list(wording.of_host(facts))
    blind = list(not_known)
    if comparison.unseen:
        blind.append(
            f"{len(comparison.unseen):,} workflows of the last report lie where this one could not "
            "look"
        )
    return Changes(
        since=comparison.since,
        skipped=comparison.skipped,
        workflows=workflows,
        causes=_most_first(explained.causes, workflows),
        host=host[:MOST_HOST_CHANGES],
        host_left_out=max(0, len(host) - MOST_HOST_CHANGES),
        not_known=[*blind, *explained.not_known],
    )


def with_past(
    report: WorkflowReport,
    state: State | None,
    past: Sequence[PastVerdict],
    started_at: datetime,
) -> WorkflowReport:
    """The report of a workflow with what the history knows of it.

    Args:
        report: the verdict of this cycle.
        state: what is on record of the workflow; None if nothing is.
        past: its verdicts of the last weeks, the oldest first.
        started_at: the start of this cycle.
    """
    same = state is not None and state.verdict is report.verdict
    since = state.since if same and state is not None else started_at
    kept = list(past)
    if not kept or kept[-1].verdict is not report.verdict:
        kept.append(PastVerdict(since=since, verdict=report.verdict))
    return report.model_copy(update={"since": since, "past": kept})


def kind_of_change(now: WorkflowReport, was: WorkflowReport) -> ChangeKind | None:
    """What has become of a workflow; None if nothing has that anybody must be told."""
    if Verdict.UNKNOWN in (now.verdict, was.verdict):
        return None if now.verdict is was.verdict else ChangeKind.OTHER
    here, there = Judged.of(now), Judged.of(was)
    if here.rank != there.rank:
        return ChangeKind.MENDED if here.rank > there.rank else ChangeKind.WORSE
    if here.new_since(there):
        return ChangeKind.WORSE
    return ChangeKind.MENDED if there.new_since(here) else None


def _pair(previous: Previous, report: WorkflowReport, state: State, key: str) -> Pair:
    if state.key == key or is_postponed(report.findings):
        return Pair(report, state)
    if report.verdict is Verdict.UNKNOWN:
        kind = None if state.verdict is Verdict.UNKNOWN else ChangeKind.OTHER
        return Pair(report, state, None, kind)
    if state.verdict is Verdict.UNKNOWN:
        was = previous.known(state.path)
        return Pair(report, state, was, (was and kind_of_change(report, was)) or ChangeKind.OTHER)
    was = previous.report(state.path)
    return Pair(
        report, state, was, ChangeKind.OTHER if was is None else kind_of_change(report, was)
    )


def _moved(
    new: Sequence[WorkflowReport], states: Mapping[str, State]
) -> Iterator[tuple[WorkflowReport, State]]:
    """New files that are old ones elsewhere: seen by another way, or moved as they were."""
    by_name: dict[str, list[State]] = {}
    by_content: dict[str, list[State]] = {}
    for state in states.values():
        by_name.setdefault(state.name, []).append(state)
        if state.content_digest is not None:
            by_content.setdefault(state.content_digest, []).append(state)
    taken: set[str] = set()
    contents = Counter(report.content_digest for report in new)
    for report in new:
        alike = [
            state
            for state in by_name.get(report.name, [])
            if _is_on_server(state.path) is not _is_on_server(report.path)
        ]
        if not alike and report.content_digest is not None and contents[report.content_digest] == 1:
            alike = by_content.get(report.content_digest, [])
        if len(alike) == 1 and alike[0].path not in taken:
            taken.add(alike[0].path)
            yield report, alike[0]


def _is_on_server(path: str) -> bool:
    return path.startswith("userdata:")


def _lies_in(path: str, places: Iterable[str]) -> bool:
    return any(
        path == place or path.startswith(place if place.endswith((":", "/")) else f"{place}/")
        for place in places
    )


def _change(
    pair: Pair, by_path: Mapping[str, Sequence[str]], by_program: frozenset[str]
) -> WorkflowChange:
    assert pair.kind is not None  # noqa: S101
    now, state = pair.now, pair.state
    path, name = (now.path, now.name) if now else (state.path, state.name) if state else ("", "")
    causes = list(by_path.get(path, []))
    ours = bool(causes) and by_program.issuperset(causes)
    before = state.verdict if state else None
    if state is not None and state.verdict is Verdict.UNKNOWN and pair.was is not None:
        before = pair.was.verdict
    return WorkflowChange(
        path=path,
        name=name,
        kind=ChangeKind.OTHER if ours else pair.kind,
        before=before,
        after=now.verdict if now else None,
        causes=causes,
        will_fail=now is not None and now.will_fail,
    )


def _most_first(causes: Iterable[Cause], workflows: Iterable[WorkflowChange]) -> list[Cause]:
    counts = Counter(cause for workflow in workflows for cause in workflow.causes)
    return sorted(causes, key=lambda cause: (-counts[cause.id], cause.text, cause.id))
