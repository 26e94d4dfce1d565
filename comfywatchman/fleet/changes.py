"""What changed on the hosts, and what that did: the same change on several hosts is one."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from comfywatchman.fleet.model import FleetChange
from comfywatchman.fleet.words import identity, moment, shown, shown_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from comfywatchman.fleet.shape import Shape

WINDOW_S: Final = 14 * 86400.0
"""Seconds back to which cycles before the last one are told."""
RECENT_S: Final = 86400.0
"""Seconds back to which a host is one that got worse."""
CYCLE_LIMIT: Final = 100
"""Cycles read of one host."""
FEW: Final = 5
"""Changes of one kind in one cycle of one host that are told one by one."""
ALONE_LIMIT: Final = 10
"""Changes listed that one host alone had: it must not hide the others'."""
CHANGE_LIMIT: Final = 300
"""Changes listed in all."""
NAMES_LIMIT: Final = 20
"""Workflows named of one change, and what may have done it."""

_TOGETHER_S: Final = 6 * 3600.0
_MANY_HOSTS: Final = 3
_GONE: Final = (" is gone", " are gone")
_FILES: Final = frozenset({"model", "embedding", "input_file"})
_BUNDLED_CAUSES: Final = _FILES | {"workflow"}
_MANY: Final = {
    "model": "model files",
    "embedding": "embeddings",
    "input_file": "input files",
    "workflow": "saved workflows",
    "node_type": "node types",
    "package": "packages",
    "pack": "packs",
    "setting": "settings",
}
_SURENESS: Final = ("certain", "likely", "one_of")
_NUMBER: Final = re.compile(r"\d{1,3}(?:,\d{3})*(?= )")


@dataclass(frozen=True, slots=True)
class Told:
    """A change as one cycle of one host tells it.

    Attributes:
        kind: as in :class:`FleetChange`.
        text: what changed.
        name: of the thing; empty if it is not told.
        id: of a cause; empty for what is none, and for several taken together.
        cause: whether it is a cause.
        sureness: of a cause.
        worse: how many workflows got worse by it.
        workflows: which, as far as that is told.
        candidates: what may have done it.
        number: how many changes it stands for; if several, some of their texts are its parts, and
            the ids of the causes among them its ids.
        maybe: whether it may be a cause, told by a short account that does not say which are.
    """

    kind: str
    text: str
    name: str = ""
    id: str = ""
    cause: bool = False
    sureness: str = ""
    worse: int = 0
    workflows: frozenset[str] = frozenset()
    candidates: tuple[str, ...] = ()
    number: int = 1
    parts: tuple[str, ...] = ()
    ids: frozenset[str] = frozenset()
    maybe: bool = False


@dataclass(frozen=True, slots=True)
class Cycle:
    """A full cycle of a host that found something changed.

    Attributes:
        at: its start by the controller's clock, in seconds since 1970.
        worse: how many workflows got worse, by whatever it was.
        told: what changed.
    """

    at: float
    worse: int
    told: list[Told]


def read(report: Shape, at: Callable[[float], float], since: float) -> list[Cycle] | None:
    """What a report tells of changes, the last cycle first; None if it knows none before it.

    Args:
        report: a host's last full report.
        at: from a time by the host's clock to the controller's.
        since: the time by the controller's clock from which cycles before the last one are told.

    Raises:
        DamagedError: it is not what it should be.
    """
    changes, timeline = report.child("changes"), report.objects("timeline")
    if changes is None and not timeline:
        return None
    last = moment(report.need("started_at")) or 0.0
    cycles = [] if changes is None else [_last(changes, at(last))]
    for milestone in timeline[:CYCLE_LIMIT]:
        started = moment(milestone.need("at")) or 0.0
        if started == last and changes is not None:
            continue
        if at(started) < since:
            break
        cycles.append(_past(milestone, at(started)))
    return cycles


def merge(
    hosts: Mapping[str, Sequence[Cycle]], now: float
) -> tuple[list[FleetChange], int, list[str]]:
    """One picture of the changes of all hosts.

    Args:
        hosts: what each tells.
        now: the controller's clock, in seconds since 1970.

    Returns:
        The changes, newest first; how many are beyond the limits; and the hosts on which a workflow
        got worse in the last 24 hours.
    """
    told = [(host, c.at, each) for host, cycles in hosts.items() for c in cycles for each in c.told]
    # What one host has in words alone may be a cause that another names.
    causes = {each.text: (each.kind, each.id) for _, _, each in told if each.id}
    rows: dict[tuple[str, ...], _Row] = {}
    bundles: dict[tuple[str, bool], list[_Event]] = defaultdict(list)
    for event in told:
        if event[2].number > 1:
            bundles[event[2].kind, event[2].cause].append(event)
    together = [row for events in bundles.values() for row in _together(events)]
    holders: dict[str, list[_Row]] = defaultdict(list)
    for row in together:
        for cause in row.ids:
            holders[cause].append(row)
    for event in told:
        at, each = event[1:]
        if each.number > 1:
            continue
        if (
            holder := next((r for r in holders.get(each.id, ()) if r.is_near(at)), None)
        ) is not None:
            holder.add(event)
            continue
        key: tuple[str, ...] = (each.kind, each.id) if each.id else ()
        if each.maybe:
            key = causes.get(each.text, ())
        if not key:
            number = _NUMBER.match(each.text)
            key = (each.text[number.end() :] if number else each.text,)
        rows.setdefault(key, _Row()).add(event)
    found = _folded([*rows.values(), *together])
    worse = [
        host
        for host, cycles in hosts.items()
        if any(cycle.worse and cycle.at >= now - RECENT_S for cycle in cycles)
    ]
    kept = sorted(_within_limits(found), key=_Row.order)
    return [row.made() for row in kept], len(found) - len(kept), worse


_Event = tuple[str, float, Told]
"""A host, a time by the controller's clock, and what it tells."""


@dataclass(slots=True)
class _Row:
    """A change, as it is put together."""

    hosts: set[str] = field(default_factory=set)
    first: float = float("inf")
    last: float = float("-inf")
    most: int = 0
    workflows: set[str] = field(default_factory=set)
    texts: Counter[str] = field(default_factory=Counter)
    numbers: set[int] = field(default_factory=set)
    """How many changes it was at once, on each host."""
    more: int = 0
    """How many rows were folded into it."""
    parts: dict[str, None] = field(default_factory=dict)
    ids: set[str] = field(default_factory=set)
    """Of the causes in it, if it is several."""
    told: list[Told] = field(default_factory=list)
    """One of each sort, a cause of each sureness first of all."""

    def add(self, event: _Event) -> None:
        host, at, each = event
        self.hosts.add(host)
        self.first, self.last = min(self.first, at), max(self.last, at)
        self.most = max(self.most, each.worse)
        self.workflows |= each.workflows
        self.texts[each.text] += 1
        self.numbers.add(each.number)
        self.parts.update(dict.fromkeys(each.parts))
        self.ids |= each.ids
        if not any(k.cause == each.cause and k.sureness == each.sureness for k in self.told):
            self.told.append(each)

    def fold(self, row: _Row) -> None:
        """Take in another one, which is part of the same."""
        self.hosts |= row.hosts
        self.first, self.last = min(self.first, row.first), max(self.last, row.last)
        self.most = max(self.most, row.most)
        self.workflows |= row.workflows
        self.parts.update({row.sentence: None, **row.parts})
        if row.cause == self.cause:
            self.more += max(row.numbers) + row.more

    @property
    def cause(self) -> bool:
        return any(each.cause for each in self.told)

    @property
    def kind(self) -> str:
        return next((each.kind for each in self.told if each.kind), "")

    @property
    def worse(self) -> int:
        return max(self.most, len(self.workflows))

    @property
    def text(self) -> str:
        """What most hosts say: one alone cannot put its words into the others' mouths."""
        return min(self.texts, key=lambda text: (-self.texts[text], text))

    def is_near(self, at: float) -> bool:
        return self.first - _TOGETHER_S <= at <= self.last + _TOGETHER_S

    def holds(self, row: _Row) -> bool:
        """Whether the other one is part of the same loss of many files."""
        if len(self.hosts) < _MANY_HOSTS or not self.is_near(row.last):
            return False
        if row.cause == self.cause and row.kind == self.kind and row.hosts <= self.hosts:
            return True
        alike = len(row.hosts & self.hosts) > 0.8 * len(row.hosts | self.hosts)
        return not row.cause and row.text.endswith(_GONE) and (alike or row.hosts <= self.hosts)

    def order(self) -> tuple[float, bool, int, int, str]:
        return -self.last, not self.cause, -self.worse, -len(self.hosts), min(self.texts)

    def made(self) -> FleetChange:
        said = [each for each in self.told if each.cause] or self.told
        unsure = [each for each in said if each.sureness in _SURENESS]
        least = max(unsure, key=lambda each: _SURENESS.index(each.sureness), default=None)
        several = self.more > 0 or max(self.numbers) > 1
        return FleetChange(
            kind=self.kind,
            text=self.sentence,
            cause=self.cause,
            first_at=_iso(self.first),
            last_at=_iso(self.last),
            hosts=sorted(self.hosts),
            worse=self.worse,
            workflows=sorted(self.workflows, key=_by_letter)[:NAMES_LIMIT],
            id=None if several else said[0].id or None,
            sureness=least.sureness if least else None,
            candidates=list(least.candidates) if least else [],
            parts=sorted({*self.parts, self.text}, key=_by_letter)[:NAMES_LIMIT]
            if self.parts
            else [],
        )

    @property
    def sentence(self) -> str:
        """The text, with how many it was."""
        numbers = {number + self.more for number in self.numbers}
        if max(numbers) > 1:
            noun = _MANY.get(self.kind, "other things")
            return f"{_range(numbers)} changes of {noun}, such as: {self.text}"
        counts = {int(m[0].replace(",", "")) for t in self.texts if (m := _NUMBER.match(t))}
        return _NUMBER.sub(_range(counts), self.text, count=1) if len(counts) > 1 else self.text


def _range(numbers: set[int]) -> str:
    least, most = min(numbers), max(numbers)
    return f"{most:,}" if least == most else f"{least:,} to {most:,}"


def _by_letter(text: str) -> tuple[str, str]:
    return text.casefold(), text


def _iso(at: float) -> str:
    # A host's clock may say anything.
    return datetime.fromtimestamp(max(0.0, at), UTC).isoformat(timespec="seconds")


def _together(events: list[_Event]) -> Iterator[_Row]:
    """Many changes of one kind at about the same time on several hosts, such as a lost share."""
    row = _Row()
    for event in sorted(events, key=lambda event: (event[1], event[0])):
        if row.hosts and not row.is_near(event[1]):
            yield row
            row = _Row()
        row.add(event)
    yield row


def _folded(rows: Iterable[_Row]) -> list[_Row]:
    """The rows, of which those about files that went on the same hosts at the same time are one."""
    ordered = sorted(rows, key=lambda row: (not row.cause, -len(row.hosts), row.order()))
    kept: list[_Row] = []
    large: list[_Row] = []
    for row in ordered:
        of_files = row.kind in _FILES or (not row.kind and row.text.endswith(_GONE))
        holder = next((each for each in large if each.holds(row)), None) if of_files else None
        if holder is not None:
            holder.fold(row)
            continue
        kept.append(row)
        if of_files and len(row.hosts) >= _MANY_HOSTS:
            large.append(row)
    return kept


def _within_limits(rows: Iterable[_Row]) -> list[_Row]:
    alone: Counter[str] = Counter()
    kept = []
    for row in sorted(rows, key=lambda row: (not row.cause, *row.order())):
        if len(row.hosts) == 1:
            (host,) = row.hosts
            alone[host] += 1
            if alone[host] > ALONE_LIMIT:
                continue
        kept.append(row)
    # A page full of single hosts' changes must not hide what several have in common.
    kept.sort(key=lambda row: (len(row.hosts) == 1, not row.cause, *row.order()))
    return kept[:CHANGE_LIMIT]


def _last(changes: Shape, at: float) -> Cycle:
    worse = 0
    by_cause: dict[str, set[str]] = defaultdict(set)
    for workflow in changes.objects("workflows"):
        kind = workflow.need("kind")
        if kind not in ("worse", "other"):
            continue
        worse += kind == "worse"
        name = identity(workflow.need("path"), workflow.need("name"))
        for cause in workflow.texts("causes"):
            by_cause[cause].add(name)
    causes = [
        _cause(found, len(names), frozenset(names))
        for found in changes.objects("causes")
        for names in [by_cause[found.need("id")]]
    ]
    facts = [
        Told(shown_name(f.need("kind")), shown(f.need("text")), shown_name(f.need("name")))
        for f in changes.objects("host")
    ]
    return Cycle(at, worse, _condensed(causes, facts, worse))


def _past(milestone: Shape, at: float) -> Cycle:
    worse = int(max(0.0, milestone.number("worse") or 0.0))
    causes = [
        _cause(found, int(max(0.0, found.number("worse") or 0.0)), frozenset())
        for found in milestone.objects("causes")
    ]
    texts = [shown(text) for text in milestone.texts("texts")]
    maybe = worse > 0 and not causes
    alone = worse if maybe and len(texts) == 1 else 0
    facts = [Told("", text, cause=alone > 0, worse=alone, maybe=maybe) for text in texts]
    return Cycle(at, worse, _condensed(causes, facts, worse))


def _cause(found: Shape, worse: int, workflows: frozenset[str]) -> Told:
    return Told(
        kind=shown_name(found.need("kind")),
        text=shown(found.need("text")),
        name=shown_name(found.text("name") or ""),
        id=shown_name(found.need("id")),
        cause=True,
        sureness=found.need("sureness"),
        worse=worse,
        workflows=workflows,
        candidates=tuple(map(shown, found.texts("candidates")[:NAMES_LIMIT])),
    )


def _condensed(causes: list[Told], facts: list[Told], worse: int) -> list[Told]:
    """Causes, and what changed beside them; many of one kind are one."""
    texts = {cause.text for cause in causes}
    kinds = Counter(cause.kind for cause in causes)
    lost = any(kinds[kind] > FEW for kind in _FILES)
    beside = [
        fact
        for fact in facts
        if fact.text not in texts
        and not (lost and fact.kind in _FILES)
        and not any(_is_same(fact, cause) for cause in causes)
    ]
    return [*_few(causes, worse), *_few(beside, 0)]


def _is_same(fact: Told, cause: Told) -> bool:
    """Whether the fact is the cause once more, without what it did."""
    if not fact.kind:
        return cause.kind == "pack" and fact.text.startswith(f"pack {cause.name} ")
    return fact.kind == cause.kind and (
        fact.name == cause.name or fact.name.endswith(f"/{cause.name}")
    )


def _few(told: list[Told], worse: int) -> Iterator[Told]:
    by_kind: dict[str, list[Told]] = defaultdict(list)
    for each in told:
        by_kind[each.kind].append(each)
    for kind, found in by_kind.items():
        first = found[0]
        if len(found) <= FEW or not kind or (first.cause and kind not in _BUNDLED_CAUSES):
            yield from found
            continue
        names = frozenset[str]().union(*(each.workflows for each in found))
        yield Told(
            kind=kind,
            text=first.text,
            cause=first.cause,
            worse=len(names) or min(worse, sum(each.worse for each in found)),
            workflows=names,
            number=len(found),
            parts=tuple(each.text for each in found[:NAMES_LIMIT]),
            ids=frozenset(each.id for each in found if each.id),
        )
