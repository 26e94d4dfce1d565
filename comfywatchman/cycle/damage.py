"""Damaged model files as causes: what made workflows fail, and what mended them.

Nothing is tried: the error is about the file itself, and is there exactly as long as its damage.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING

from comfywatchman.findings import NAME_LENGTH, printable
from comfywatchman.history.cause import Explained, Judged, Worse
from comfywatchman.judging.identity import identified
from comfywatchman.modelfiles import marking
from comfywatchman.modelfiles.marking import is_damage
from comfywatchman.results import Cause, CauseKind, Severity, Sureness

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from comfywatchman.comfyui.model_files import Listing
    from comfywatchman.modelfiles.condition import Condition
    from comfywatchman.results import Finding, Subject, WorkflowReport


class Now:
    """How the files are of which something was found before.

    Args:
        listing: the model files of this host.
        conditions: what is known of them, by path.
    """

    def __init__(self, listing: Listing, conditions: Mapping[str, Condition]) -> None:
        self._listing = listing
        self._conditions = conditions

    @cached_property
    def _states(self) -> dict[tuple[str, str], str]:
        return {
            (printable(file.folder, NAME_LENGTH), printable(file.name, NAME_LENGTH)): state
            for file in self._listing.files
            if (state := marking.state_of(self._conditions.get(file.path)))
        }

    def is_whole(self, subject: Subject) -> bool:
        """Whether a file was looked into, and nothing was found."""
        return self._state(subject) == "sound"

    def is_hidden(self, subject: Subject) -> bool:
        """Whether nobody can say how a file is now: it is written to, or cannot be read."""
        hidden = {printable(folder, NAME_LENGTH) for folder in self._listing.blind}
        return subject.folder in hidden or self._state(subject) in ("unread", "unfinished")

    def _state(self, subject: Subject) -> str | None:
        return self._states.get((subject.folder or "", subject.name))


def held(now: WorkflowReport, was: WorkflowReport, files: Now) -> WorkflowReport:
    """A workflow, with the damage that it had and that nobody can say to be over.

    Args:
        now: as it is.
        was: as it was judged last.
        files: how the files are.
    """
    if now.verdict not in marking.OTHERWISE_WELL:
        return now
    named = {used.name for used in now.models}
    kept = [f for f in _new(was, now) if f.subject.name in named and files.is_hidden(f.subject)]
    if not kept:
        return now
    findings = [*now.findings, *kept]
    return identified(now.model_copy(update={"findings": findings, "will_fail": True}))


def explained(worse: Iterable[Worse]) -> tuple[Explained, list[Worse]]:
    """Say which workflows got worse for a file that was damaged.

    Returns:
        That, and what is left to explain: workflows with the errors that they have beside.
    """
    found = Explained()
    left: list[Worse] = []
    for each in worse:
        new = list(_new(each.now, each.was))
        own = [finding for finding in new if _was_named(finding.subject, each)]
        _add(found, each.now.path, (_cause(f.subject, "is damaged") for f in own))
        if own:
            others = [finding for finding in each.now.findings if finding not in own]
            rest = Worse(each.now.model_copy(update={"findings": others}), each.was)
            if not Judged.of(rest.now).new_since(Judged.of(rest.was)):
                continue
            left.append(rest)
        else:
            left.append(each)
    return found, left


def mended(workflows: Iterable[Worse], files: Now) -> Explained:
    """Say which workflows were mended by a file that is whole again.

    Args:
        workflows: each as it is, and as it was when it was worse.
        files: how the files are.
    """
    found = Explained()
    for each in workflows:
        named = {used.name for used in each.now.models}
        over = (f.subject for f in _new(each.was, each.now) if f.subject.name in named)
        whole = filter(files.is_whole, over)
        _add(found, each.now.path, (_cause(subject, "is whole again") for subject in whole))
    return found


def _new(now: WorkflowReport, was: WorkflowReport) -> Iterator[Finding]:
    """The damage that one verdict tells of and the other does not."""
    known = {finding.fingerprint for finding in was.findings}
    for finding in now.findings:
        new = finding.severity is Severity.ERROR and finding.fingerprint not in known
        if new and is_damage(finding):
            yield finding


def _was_named(subject: Subject, worse: Worse) -> bool:
    """Whether the workflow named the file before; else it is the edit that made it worse."""
    edited = worse.now.content_digest != worse.was.content_digest
    return not edited or any(used.name == subject.name for used in worse.was.models)


def _add(found: Explained, path: str, causes: Iterable[Cause]) -> None:
    by_id = {cause.id: cause for cause in causes}
    known = {cause.id for cause in found.causes}
    found.causes += [cause for cause in by_id.values() if cause.id not in known]
    if by_id:
        found.by_path[path] = list(by_id)


def _cause(subject: Subject, became: str) -> Cause:
    name = "/".join(filter(None, (subject.folder, subject.name)))
    identity = "\0".join((CauseKind.MODEL, name, became)).encode(errors="surrogatepass")
    return Cause(
        id=hashlib.sha256(identity).hexdigest()[:16],
        kind=CauseKind.MODEL,
        sureness=Sureness.CERTAIN,
        name=printable(name, 1000),
        text=f"{printable(name)} {became}",
    )
