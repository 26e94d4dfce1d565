"""One workflow, judged again in other worlds than this one."""

from __future__ import annotations

import time
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from comfywatchman.history.cause.factors import WORKFLOW, Factor, Kind
from comfywatchman.judging.identity import identified
from comfywatchman.judging.prompt import judge
from comfywatchman.results import Severity, SubjectKind, Verdict, WorkflowReport
from comfywatchman.workflow.budget import Budget
from comfywatchman.workflow.convert import convert
from comfywatchman.workflow.find import WORKFLOW_TOO_LARGE
from comfywatchman.workflow.load import load
from comfywatchman.workflow.prompt import WorkflowError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from comfywatchman.history.cause.worlds import Worlds
    from comfywatchman.results import Finding
    from comfywatchman.workflow.prompt import Conversion

Key = tuple[str, str | None, str | None]
"""What makes an error the same one in two worlds: code, node and input."""
Back = frozenset[Factor]

VERDICT: Final[Key] = ("", None, None)
"""Stands for a lower verdict that no error explains."""
NOTHING: Final[Back] = frozenset()

_RANK: Final = {Verdict.RUNNABLE: 3, Verdict.PARTIAL: 2, Verdict.UNKNOWN: 1, Verdict.BROKEN: 0}


class OutOfTimeError(Exception):
    """There is no time left for trying."""


@dataclass
class Worse:
    """A workflow that got worse.

    Attributes:
        now: the verdict on it.
        was: its last verdict before.
    """

    now: WorkflowReport
    was: WorkflowReport


class Judged:
    """What a workflow's verdict would be in another world, as far as it is compared."""

    def __init__(self, verdict: Verdict, findings: Iterable[Finding]) -> None:
        self.rank = _RANK[verdict]
        self.found: dict[Key, str] = {}
        """Fingerprints of all findings."""
        self.errors: dict[Key, str] = {}
        self.about: dict[Key, tuple[str, str]] = {}
        """What a finding is about, and the type of its node."""
        for finding in findings:
            key = key_of(finding)
            self.about[key] = finding.subject.name, finding.node_type or ""
            self.found[key] = finding.fingerprint
            if finding.severity is Severity.ERROR:
                self.errors[key] = finding.fingerprint
        self._prints = frozenset(self.found.values())

    @classmethod
    def of(cls, report: WorkflowReport) -> Judged:
        """A verdict that was reached."""
        return cls(report.verdict, report.findings)

    def new_since(self, was: Judged) -> dict[Key, str]:
        """Errors that a verdict does not have, however severe; else what is lower than it."""
        new = {key: mark for key, mark in self.errors.items() if not was.has(key, mark)}
        return new or ({VERDICT: ""} if self.rank < was.rank else {})

    def has(self, key: Key, mark: str) -> bool:
        """Whether something is found here too, however severe."""
        return key in self.found or mark in self._prints

    def with_more(self, errors: Mapping[Key, str], rank: int) -> Judged:
        """The same with more errors in it."""
        more = copy(self)
        more.found = {**self.found, **errors}
        more._prints = frozenset(more.found.values())
        more.rank = min(self.rank, rank)
        return more


def key_of(finding: Finding) -> Key:
    """What makes a finding the same one in two worlds: its place, or the file it is about."""
    subject = finding.subject
    if finding.node_id is None and subject.kind is SubjectKind.MODEL:
        return finding.code, None, "/".join((subject.folder or "", subject.name))
    return finding.code, finding.node_id, finding.input


class Trial:
    """Judges one workflow again and again, remembering each verdict.

    Attributes:
        worse: the workflow.
        was: what it is compared to.
        asked: the node types that were looked up in any world so far.
        texts: what is named in it.

    Args:
        worse: the workflow.
        worlds: makes the worlds.
        now: its bytes.
        before: its bytes before; None if they are the same, or not known.
        deadline: when to stop, of ``time.monotonic``.
    """

    def __init__(
        self, worse: Worse, worlds: Worlds, now: bytes, before: bytes | None, deadline: float
    ) -> None:
        self.worse = worse
        self.was = Judged.of(worse.was)
        if worse.was.server_asked:  # which cannot be asked again of what was
            self.was = self.was.with_more({}, _RANK[Verdict.UNKNOWN])
        self.asked: set[str] = set()
        self.texts: set[str] = {f.subject.name for f in worse.now.findings}
        self._worlds = worlds
        self._raw = {False: now, True: before}
        self._deadline = deadline
        self._judged: dict[Back, Judged] = {}
        self._documents: dict[tuple[bool, int], Any] = {}
        self._converted: list[_Converted] = []
        self._read: set[bool] = set()

    @property
    def edited(self) -> bool:
        """Whether the workflow itself can be given back."""
        return self._raw[True] is not None

    def run(self, back: Back) -> Judged:
        """Judge it with some of what changed given back.

        Raises:
            OutOfTimeError: there is no time left.
            Exception: the program fails on it in that world.
        """
        known = self._judged.get(back)
        if known is None:
            if time.monotonic() > self._deadline:
                raise OutOfTimeError
            known = self._judged[back] = self._judge(back)
        return known

    def take_as_given(self, back: Back) -> None:
        """Compare to what it had in another world too from now on."""
        other = self.run(back)
        self.was = self.was.with_more(other.errors, other.rank)

    def missing(self, back: Back, wanted: Mapping[Key, str]) -> dict[Key, str]:
        """Those of some errors that it would not have."""
        result = self.run(back)
        return {
            key: mark
            for key, mark in wanted.items()
            if not (result.rank < self.was.rank if key == VERDICT else result.has(key, mark))
        }

    def types_around(self, node_id: str | None) -> Iterator[str]:
        """The types, as it is now, of a node and of those that its inputs are linked to."""
        conversion = self.conversion(NOTHING)
        node = None if conversion is None or node_id is None else conversion.prompt.get(node_id)
        inputs = node.get("inputs") if isinstance(node, dict) else None
        values = inputs.values() if isinstance(inputs, dict) else ()
        linked = [v[0] for v in values if isinstance(v, list) and v and isinstance(v[0], str)]
        for near in (node_id, *linked):
            if conversion is not None and near in conversion.nodes:
                yield conversion.nodes[near].type

    def conversion(self, back: Back) -> Conversion | None:
        """The workflow as a prompt; None if it cannot be made one."""
        try:
            return self._convert(back)
        except Exception:  # noqa: BLE001  (what it says of itself is judged elsewhere)
            return None

    def _judge(self, back: Back) -> Judged:
        was = self.worse.was
        catalog = self._worlds.catalog(back)
        try:
            conversion = self._convert(back)
            catalog.asked = set()
            judgement = judge(conversion, catalog, self._worlds.inventory(back))
            self.asked |= catalog.asked
            verdict, findings = judgement.verdict, judgement.findings
        except WorkflowError as error:
            damaged = error.finding.severity is Severity.ERROR
            verdict = Verdict.BROKEN if damaged else Verdict.UNKNOWN
            findings = [error.finding]
        report = WorkflowReport(path=was.path, name=was.name, verdict=verdict, findings=findings)
        return Judged.of(identified(report))

    def _convert(self, back: Back) -> Conversion:
        old = WORKFLOW in back and self.edited
        depth, size = self._worlds.limits(back)
        raw = self._raw[old]
        assert raw is not None  # noqa: S101
        if len(raw) > size:
            raise WorkflowError(
                WORKFLOW_TOO_LARGE.finding(f"the file has more than {size:,} bytes")
            )
        if (old, depth) not in self._documents:
            self._documents[old, depth] = load(raw, max_depth=depth)
        known = frozenset(name for kind, name in back if kind is Kind.NODE_TYPE)
        catalog = self._worlds.catalog(back)
        for made in self._converted:
            if (made.old, made.depth, made.packs) == (old, depth, catalog.packs) and (
                made.given == known & made.asked
                and made.defaults == self._worlds.defaults(catalog, made.asked)
            ):
                return made.conversion
        catalog.asked = set()
        conversion = convert(self._documents[old, depth], catalog, Budget(len(raw)))
        asked = frozenset(catalog.asked)
        self.asked |= asked
        defaults = self._worlds.defaults(catalog, asked)
        self._converted.append(
            _Converted(conversion, old, depth, catalog.packs, asked, known & asked, defaults)
        )
        if old not in self._read:
            self._read.add(old)
            self.texts.update(_texts(conversion))
        return conversion


@dataclass(frozen=True, slots=True)
class _Converted:
    """A conversion, and what it rests on."""

    conversion: Conversion
    old: bool
    depth: int
    packs: frozenset[str]
    asked: frozenset[str]
    given: frozenset[str]
    defaults: tuple[Any, ...]


def _texts(conversion: Conversion) -> Iterator[str]:
    """Every text that stands in a prompt as a value, or within one."""
    waiting: list[Any] = [node.get("inputs") for node in _nodes(conversion)]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _nodes(conversion: Conversion) -> Iterator[dict[str, Any]]:
    for prompt in (conversion.prompt, conversion.meant or {}):
        yield from (node for node in prompt.values() if isinstance(node, dict))
