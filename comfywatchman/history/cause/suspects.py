"""What may have made a workflow worse where that could not be tried."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfywatchman.comfyui.names import last_part
from comfywatchman.comfyui.provenance.pack import alike, pack
from comfywatchman.history.cause import words
from comfywatchman.history.cause.trial import Judged, key_of
from comfywatchman.history.facts import FILES, FactKind
from comfywatchman.results import Severity, SubjectKind, Sureness

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from comfywatchman.history.cause.trial import Key, Worse
    from comfywatchman.history.facts import FactChange
    from comfywatchman.results import Cause, Finding, WorkflowReport

_ALWAYS = frozenset(
    {FactKind.COMFYUI, FactKind.ARGUMENTS, FactKind.RUNTIME, FactKind.SETTING, FactKind.PROGRAM}
)


class Suspects:
    """Names what changed on the host that may have made a workflow worse.

    Args:
        facts: what changed on the host.
        said: puts it into words.
        program_changed: whether another version of the program judged before.
    """

    def __init__(
        self, facts: Sequence[FactChange], said: words.Words, *, program_changed: bool
    ) -> None:
        self._facts = facts
        self._said = said
        self._program_changed = program_changed

    def of(
        self, worse: Worse, *, edited: bool, errors: Collection[Key] | None = None
    ) -> Iterator[Cause]:
        """The likely cause, or that it is one of several.

        Args:
            worse: the workflow.
            edited: whether its file is another one.
            errors: what is to be explained; None: all that is new.
        """
        if errors is None:
            errors = Judged.of(worse.now).new_since(Judged.of(worse.was))
        found = [
            f for f in worse.now.findings if key_of(f) in errors and f.severity is Severity.ERROR
        ]
        likely = [fact for fact in self._facts if any(self._about(fact, f, worse) for f in found)]
        if likely and not edited:
            yield from (self._said.cause_of_fact(fact, Sureness.LIKELY) for fact in likely)
            return
        matter = likely or [fact for fact in self._facts if self._matters(fact, worse.now)]
        texts = [self._said.fact(fact) for fact in matter]
        if self._program_changed and not any(f.kind is FactKind.PROGRAM for f in matter):
            texts.append("ComfyWatchman is another version")
        if edited:
            texts.insert(0, f"{words.name_of(worse.now)} was edited")
        if len(texts) == 1:
            if matter:
                yield self._said.cause_of_fact(matter[0], Sureness.LIKELY)
            elif edited:
                yield words.edited(worse, Sureness.LIKELY)
            else:
                yield self._said.program(Sureness.LIKELY)
        else:
            heard = worse.now.server_asked or worse.was.server_asked
            nothing = words.server() if heard else words.unexplained()
            yield words.one_of(texts) if texts else nothing

    def _about(self, fact: FactChange, finding: Finding, worse: Worse) -> bool:
        """Whether an error is about what a change took away."""
        subject = finding.subject
        if fact.kind in FILES:
            return fact.after is None and (
                subject.kind in (SubjectKind.MODEL, SubjectKind.INPUT_FILE, SubjectKind.VALUE)
                and last_part(fact.name) == last_part(subject.name)
            )
        if fact.kind is FactKind.NODE_TYPE:
            return fact.after is None and fact.name in (subject.name, finding.node_type)
        if fact.kind is FactKind.PACK and (fact.after is None or _is_off(fact)):
            told = {f.subject for f in worse.now.findings if f.subject.kind is SubjectKind.PACK}
            return any(is_pack(fact, each.name) for each in told)
        return False

    def _matters(self, fact: FactChange, report: WorkflowReport) -> bool:
        if fact.kind in FILES:
            named = {last_part(model.name) for model in report.models}
            named |= {last_part(f.subject.name) for f in report.findings}
            return last_part(fact.name) in named
        if fact.kind is FactKind.PACK:
            return not report.packs or any(is_pack(fact, used.name) for used in report.packs)
        if fact.kind is FactKind.NODE_TYPE:
            return any(fact.name in (f.node_type, f.subject.name) for f in report.findings)
        return fact.kind in _ALWAYS


def is_pack(fact: FactChange, name: str) -> bool:
    """Whether a name, be it a folder, an id or that of a repository, means the pack of a fact."""
    ids = (pack((value or {}).get("id")) for value in (fact.before, fact.after))
    named = pack(name)
    return named is not None and named.key in {alike(fact.name), *(i.key for i in ids if i)}


def _is_off(fact: FactChange) -> bool:
    old, new = fact.before or {}, fact.after or {}
    disabled = old.get("enabled") is not False and new.get("enabled") is False
    return disabled or bool(new.get("import_failed") and not old.get("import_failed"))
