"""What changed since the last full cycle, in words: what all forms for people have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from comfywatchman.moments import shown
from comfywatchman.report.digest import plural
from comfywatchman.results import CauseKind, ChangeKind, Sureness, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from comfywatchman.results import Cause, Changes, HostChange, WorkflowChange

KIND_WORDS = {
    ChangeKind.WORSE: "worse",
    ChangeKind.MENDED: "mended",
    ChangeKind.NEW: "new",
    ChangeKind.GONE: "gone",
    ChangeKind.OTHER: "other",
}
"""In reading order."""

GROUP_LIMIT = 10
"""Groups shown of one kind of change."""
NAMES_LIMIT = 3
"""Workflows named of one group, where they cannot be unfolded."""
HOST_LIMIT = 20
"""Changes of the host shown; the JSON form has more."""
_CANDIDATE_LIMIT = 5
_CAUSE_LIMIT = 3

_SURE = "because"
_UNSEEN = "nothing that could be seen changed"


@dataclass(frozen=True, slots=True)
class Group:
    """Workflows of which the same has become, by the same causes.

    Attributes:
        text: what, and why, in a sentence: ``14 workflows broke because ...``.
        why: its end alone, from what joins it; empty where nothing is known.
    """

    kind: ChangeKind
    text: str
    why: str
    workflows: tuple[WorkflowChange, ...]

    @property
    def names(self) -> str:
        """E.g. ``a, b, c and 11 more``."""
        return listed([workflow.name for workflow in self.workflows], NAMES_LIMIT)


@dataclass(frozen=True, slots=True)
class Account:
    """What changed, in reading order.

    Attributes:
        title: ``What changed since 2026-11-23 08:00 UTC``, or ``Nothing changed since ...``.
        remark: on the time between; empty when there is none.
        nothing: whether nothing changed.
        groups: by kind, those of most workflows first.
        by_program: what is another verdict of ComfyWatchman's on the same things, and no doing of
            the host's.
        host: what else changed there, and how many such changes the report does not list.
    """

    title: str
    remark: str
    nothing: bool
    groups: tuple[tuple[ChangeKind, tuple[Group, ...]], ...]
    by_program: tuple[Group, ...]
    host: tuple[Sequence[HostChange], int]
    not_known: Sequence[str]

    @property
    def quiet(self) -> str:
        """Of a time in which nothing changed, all there is to say, in one line."""
        number = len(self.not_known)
        unseen = f"{plural(number, 'thing')} could not be compared" if number else ""
        return "; ".join(filter(None, [self.title, self.remark, unseen]))

    @property
    def counts(self) -> str:
        """E.g. ``14 worse, 2 mended``; empty where no workflow changed."""
        return ", ".join(f"{count(groups):,} {KIND_WORDS[kind]}" for kind, groups in self.groups)


def account(changes: Changes) -> Account:
    """Sort, group and count what changed."""
    nothing = not (changes.workflows or changes.host or changes.host_left_out)
    return Account(
        title=f"{'Nothing' if nothing else 'What'} changed since {shown(changes.since)}",
        remark=_between(changes.skipped),
        nothing=nothing,
        groups=_by_kind(groups(changes)),
        by_program=tuple(_by_program(changes)),
        host=(changes.host, changes.host_left_out),
        not_known=changes.not_known,
    )


def groups(changes: Changes) -> list[Group]:
    """The workflows that changed, but for those that only ComfyWatchman judges otherwise."""
    causes = {cause.id: cause for cause in changes.causes}
    found: dict[tuple[ChangeKind, str, tuple[str, ...]], list[WorkflowChange]] = {}
    for change in changes.workflows:
        if not is_by_program(change, causes):
            key = (change.kind, _effects(change)[1], tuple(change.causes))
            found.setdefault(key, []).append(change)
    return [_group(kind, alike, causes) for (kind, _, _), alike in found.items()]


def is_by_program(change: WorkflowChange, causes: Mapping[str, Cause]) -> bool:
    """Whether nothing but ComfyWatchman's own change did it."""
    kinds = {causes[each].kind for each in change.causes if each in causes}
    return kinds == {CauseKind.PROGRAM}


def effect(change: WorkflowChange) -> str:
    """What has become of one workflow, e.g. ``broke``."""
    return _effects(change)[0]


def because(causes: Iterable[Cause]) -> str:
    """Why, as the end of a sentence, with how sure that is; empty where nothing is known."""
    told = list(dict.fromkeys(map(_because, causes)))
    if not told:
        return ""
    more = f", and {plural(len(told) - _CAUSE_LIMIT, 'more cause')}"
    joint = "; " if told[0] == _UNSEEN else " " if told[0].startswith(_SURE) else ", "
    return joint + ", and ".join(told[:_CAUSE_LIMIT]) + more * (len(told) > _CAUSE_LIMIT)


def listed(texts: Sequence[str], limit: int, between: str = ", ") -> str:
    """The first ``limit`` of some texts, and how many more there are; one more is named too."""
    if len(texts) > limit + 1:
        return f"{between.join(texts[:limit])} and {len(texts) - limit:,} more"
    return between.join(texts)


def count(groups: Iterable[Group]) -> int:
    """How many workflows are in some groups."""
    return sum(len(group.workflows) for group in groups)


def _between(skipped: int) -> str:
    if not skipped:
        return ""
    verb = "was" if skipped == 1 else "were"
    return f"{plural(skipped, 'cycle')} in between {verb} skipped or failed"


def _by_kind(groups: Iterable[Group]) -> tuple[tuple[ChangeKind, tuple[Group, ...]], ...]:
    sorted_groups = sorted(groups, key=lambda group: -len(group.workflows))
    by_kind = ((kind, tuple(g for g in sorted_groups if g.kind is kind)) for kind in KIND_WORDS)
    return tuple((kind, found) for kind, found in by_kind if found)


def _by_program(changes: Changes) -> Iterable[Group]:
    causes = {cause.id: cause for cause in changes.causes}
    found = tuple(change for change in changes.workflows if is_by_program(change, causes))
    if found:
        why = "; ".join(dict.fromkeys(_text(causes[c.causes[0]]) for c in found))
        text = f"this version of ComfyWatchman judges {plural(len(found), 'workflow')} otherwise"
        yield Group(ChangeKind.OTHER, f"{text} ({why})", f" ({why})", found)


def _group(kind: ChangeKind, alike: Sequence[WorkflowChange], causes: Mapping[str, Cause]) -> Group:
    first, number = alike[0], len(alike)
    why = because(causes[each] for each in first.causes if each in causes)
    text = f"{plural(number, 'workflow')} {_effects(first)[number > 1]}"
    return Group(kind, text + why, why, tuple(alike))


def _because(cause: Cause) -> str:
    if cause.kind is CauseKind.UNEXPLAINED:
        return _UNSEEN
    match cause.sureness:
        case Sureness.CERTAIN:
            return f"{_SURE} {_text(cause)}"
        case Sureness.LIKELY:
            return f"probably {_SURE} {_text(cause)}"
        case Sureness.ONE_OF:
            texts = [text.rstrip(".") for text in cause.candidates] or [_text(cause)]
            more = len(texts) - _CANDIDATE_LIMIT
            cut = f"; and {more:,} more" if more > 0 else ""
            return (
                f"by one of {plural(len(texts), 'change')}: "
                + "; ".join(texts[:_CANDIDATE_LIMIT])
                + cut
            )


def _text(cause: Cause) -> str:
    return cause.text.rstrip(".")


def _effects(change: WorkflowChange) -> tuple[str, str]:
    """What has become of one workflow, and of several."""
    fell_or_rose = change.after is not change.before
    match change.kind, change.after:
        case ChangeKind.WORSE, Verdict.BROKEN if fell_or_rose:
            return "broke", "broke"
        case ChangeKind.WORSE, Verdict.PARTIAL if fell_or_rose:
            return "loses outputs", "lose outputs"
        case ChangeKind.WORSE, _ if change.will_fail:
            return "will fail", "will fail"
        case ChangeKind.WORSE, Verdict.BROKEN | Verdict.PARTIAL | Verdict.RUNNABLE | None:
            return "has new errors", "have new errors"
        case ChangeKind.MENDED, _ if change.will_fail:
            return "has fewer errors", "have fewer errors"
        case ChangeKind.MENDED, Verdict.RUNNABLE:
            return "runs again", "run again"
        case ChangeKind.MENDED, Verdict.PARTIAL if fell_or_rose:
            return "runs in part again", "run in part again"
        case ChangeKind.MENDED, Verdict.BROKEN | Verdict.PARTIAL | None:
            return "has fewer errors", "have fewer errors"
        case ChangeKind.NEW, Verdict.UNKNOWN | None:
            return "is new and could not be judged", "are new and could not be judged"
        case ChangeKind.NEW, _ if change.will_fail:
            return "is new and will fail", "are new and will fail"
        case ChangeKind.NEW, verdict:
            return f"is new and {verdict}", f"are new and {verdict}"
        case ChangeKind.GONE, _:
            return "is gone", "are gone"
        case _, Verdict.UNKNOWN if fell_or_rose:
            return "can no longer be judged", "can no longer be judged"
        case _, verdict if change.before is Verdict.UNKNOWN and fell_or_rose:
            return f"can be judged now: {verdict}", f"can be judged now: {verdict}"
        case _:
            return "has other errors", "have other errors"
