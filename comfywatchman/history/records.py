"""What goes into the history, and what comes out of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

    from comfywatchman.history.facts import Environment
    from comfywatchman.history.world import World
    from comfywatchman.results import Changes, Outcome, Report, Verdict, WorkflowReport

_OF_ACCEPTANCES: Final = frozenset({"accept_expired", "accept_unused"})


@dataclass(frozen=True, slots=True)
class CycleRow:
    """How a cycle went.

    Attributes:
        started_at: its start, UTC.
        duration_s: seconds; None if it never came to its end.
        outcome: ``running`` is a cycle that was killed.
        reason: one sentence.
        version: of ComfyWatchman.
        others: of a day that is long ago: how many more cycles there were, whose rows are gone.
    """

    started_at: datetime
    duration_s: float | None
    outcome: Outcome
    reason: str
    version: str
    others: int = 0


@dataclass(frozen=True, slots=True)
class Full:
    """What a cycle over everything found.

    Attributes:
        report: with what changed; what it says of the weeks before is not kept again.
        environment: the facts of the host.
        world: what the verdicts rest on; None keeps none.
        program: digest of the code that makes verdicts.
        unseen: paths of workflows that may be there, and could not be looked for: they go on as
            they were.
    """

    report: Report
    environment: Environment
    world: World | None
    program: str
    unseen: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class State:
    """What was found of a workflow, in short.

    Attributes:
        path: where it is saved.
        name: what it is called.
        verdict: what would happen to it.
        since: start of the cycle since which it has this verdict, UTC.
        key: see :func:`state_key`.
        content_digest: SHA-256 of its bytes in hexadecimal; None if it could not be read.
    """

    path: str
    name: str
    verdict: Verdict
    since: datetime
    key: str
    content_digest: str | None


@dataclass(frozen=True, slots=True)
class Event:
    """A cycle that found something changed.

    Attributes:
        at: its start, UTC.
        changes: what it found; where one workflow was asked about, of the workflows that one alone.
    """

    at: datetime
    changes: Changes


def state_key(report: WorkflowReport) -> str:
    """What is the same as long as nothing has become of a workflow, in hexadecimal.

    It rests on the verdict, the content, which findings there are and how grave they are, and on
    the outputs that are lost; not on the wording of anything, nor on what people have accepted.
    """
    parts = [report.verdict, report.content_digest or ""]
    parts += sorted(
        f"{each.fingerprint} {each.severity}"
        for each in report.findings
        if each.code not in _OF_ACCEPTANCES
    )
    parts += sorted(f"lost {each.node_id}" for each in report.outputs_lost)
    content = "\n".join(parts).encode(errors="surrogatepass")
    return hashlib.blake2b(content, digest_size=16).hexdigest()
