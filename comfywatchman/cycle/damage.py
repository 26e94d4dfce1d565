"""Damaged model files as causes: what made workflows fail, and what mended them.

Nothing is tried: the error is about the file itself, and is there exactly as long as its damage.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from comfywatchman.findings import printable
from comfywatchman.history.cause import Explained, Judged, Worse
from comfywatchman.modelfiles.marking import is_damage
from comfywatchman.results import Cause, CauseKind, Severity, Sureness

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from comfywatchman.results import Finding, Subject, WorkflowReport


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


def mended(workflows: Iterable[Worse]) -> Explained:
    """Say which workflows were mended by a file that is whole again.

    Args:
        workflows: each as it is, and as it was when it was worse.
    """
    found = Explained()
    for each in workflows:
        named = {used.name for used in each.now.models}
        whole = (f.subject for f in _new(each.was, each.now) if f.subject.name in named)
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
