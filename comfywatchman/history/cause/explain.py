"""What made workflows worse: proven by giving changes back, else as far as is known."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from comfywatchman.history.cause import words
from comfywatchman.history.cause.factors import WORKFLOW, Differences, Factor
from comfywatchman.history.cause.search import Search
from comfywatchman.history.cause.suspects import Suspects
from comfywatchman.history.cause.trial import NOTHING, Judged, OutOfTimeError, Trial, Worse
from comfywatchman.history.cause.worlds import Worlds
from comfywatchman.results import Cause, Sureness

if TYPE_CHECKING:
    from comfywatchman.history.facts import FactChange
    from comfywatchman.history.world import World

Copies = Callable[[str], bytes | None]
"""The bytes of a workflow by their digest; None if they are not kept."""


@dataclass
class Explained:
    """What made workflows worse.

    Attributes:
        causes: each once; the one that made most of them worse first.
        by_path: the ids of the causes of each workflow, by its path; the first did most.
        not_known: one sentence for each thing that could not be found out, and why.
    """

    causes: list[Cause] = field(default_factory=list)
    by_path: dict[str, list[str]] = field(default_factory=dict)
    not_known: list[str] = field(default_factory=list)


def explain(
    worse: Sequence[Worse],
    before: World | None,
    now: World,
    facts: Sequence[FactChange],
    *,
    copies: Copies,
    program_changed: bool,
    seconds: float,
) -> Explained:
    """Say what made workflows worse.

    Args:
        worse: the workflows.
        before: what they were judged against before; None if that is not known.
        now: what they were judged against.
        facts: what changed on the host in between.
        copies: the bytes of workflows, of before and of now.
        program_changed: whether another version of the program judged them before.
        seconds: how long it may take. What is not reached is said as far as it is known.
    """
    return _Explaining(before, now, facts, copies, program_changed, seconds).explained(worse)


class _Explaining:
    def __init__(
        self,
        before: World | None,
        now: World,
        facts: Sequence[FactChange],
        copies: Copies,
        program_changed: bool,
        seconds: float,
    ) -> None:
        self._deadline = time.monotonic() + seconds
        self._before, self._now = before, now
        self._copies = copies
        self._program_changed = program_changed
        self._facts = facts
        self._differences: Differences | None = None
        self._worlds: Worlds | None = None
        self._made: dict[Factor, set[str]] = defaultdict(set)
        """For each proven cause the inputs that its errors are at."""
        self._edits: dict[str, Cause] = {}
        self._unkept = 0
        self._unread = 0
        self._late = 0
        self._failed = 0

    def explained(self, worse: Sequence[Worse]) -> Explained:
        if not worse:
            return Explained()
        if self._before is not None:
            self._differences = Differences(self._before, self._now)
            self._worlds = Worlds(self._differences)
        said = words.Words(self._differences, self._facts)
        suspects = Suspects(self._facts, said, program_changed=self._program_changed)
        results: dict[str, list[Factor | Cause]] = {}
        for each in worse:
            results[each.now.path] = self._of(each, suspects)
        causes: dict[str, Cause] = {}
        of: dict[Factor, str] = {}
        for factor, inputs in self._made.items():
            cause = said.cause(factor, Sureness.CERTAIN, sorted(inputs))
            of[factor] = cause.id
            known = causes.get(cause.id)
            if known is not None:
                both = sorted({*known.node_types, *cause.node_types})
                cause = cause.model_copy(update={"node_types": both})
            causes[cause.id] = cause
        by_path: dict[str, list[str]] = {}
        for path, found in results.items():
            ids = []
            for one in found:
                if isinstance(one, Cause):
                    known = causes.get(one.id)
                    if known is None or known.sureness is not Sureness.CERTAIN:
                        causes[one.id] = one
                    ids.append(one.id)
                else:
                    ids.append(of[one])
            by_path[path] = list(dict.fromkeys(ids))
        count: dict[str, int] = defaultdict(int)
        for ids in by_path.values():
            for each_id in ids:
                count[each_id] += 1
        ordered = sorted(causes.values(), key=lambda cause: -count[cause.id])
        return Explained(ordered, by_path, list(self._not_known()))

    def _of(self, worse: Worse, suspects: Suspects) -> list[Factor | Cause]:
        """What made one workflow worse."""
        edited = worse.now.content_digest != worse.was.content_digest
        raw = self._bytes(worse.now.content_digest)
        if self._worlds is None or self._differences is None or raw is None:
            self._unread += raw is None
            return list(suspects.of(worse, edited=edited))
        old = self._bytes(worse.was.content_digest) if edited else None
        unkept = edited and old is None
        self._unkept += unkept
        trial = Trial(worse, self._worlds, raw, old, self._deadline)
        try:
            return self._tried(worse, trial, suspects, edited=unkept)
        except OutOfTimeError:
            self._late += 1
        except Exception:  # noqa: BLE001  (as when it is judged: no file costs the others theirs)
            self._failed += 1
        return list(suspects.of(worse, edited=edited))

    def _tried(
        self, worse: Worse, trial: Trial, suspects: Suspects, *, edited: bool
    ) -> list[Factor | Cause]:
        assert self._differences is not None  # noqa: S101
        now = trial.run(NOTHING)
        wanted = now.new_since(trial.was)
        found: list[Factor | Cause] = []
        heard = Judged.of(worse.now).new_since(trial.was).keys() - wanted.keys()
        if heard and worse.now.server_asked:
            found.append(words.server())
            if not wanted:
                return found
        elif not wanted:
            return list(suspects.of(worse, edited=edited))
        if self._program_changed and not edited:
            back = self._differences.everything | ({WORKFLOW} if trial.edited else set())
            if trial.run(back).new_since(trial.was):
                found.append(words.program(Sureness.CERTAIN))
                trial.take_as_given(back)
                wanted = now.new_since(trial.was)
        result = Search(trial, self._differences).causes(wanted)
        by_weight = sorted(result.causes, key=lambda f: (-len(result.causes[f]), f))
        for factor in by_weight:
            if factor == WORKFLOW:
                found.append(words.edited(worse, Sureness.CERTAIN, trial, result.causes[factor]))
            else:
                self._made[factor].update(k[2] for k in result.causes[factor] if k[2])
                found.append(factor)
        if result.left and edited and not self._program_changed:
            found.append(words.edited(worse, Sureness.LIKELY))
        elif result.left:
            found += suspects.of(worse, edited=edited, errors=result.left)
        return found

    def _bytes(self, digest: str | None) -> bytes | None:
        return None if digest is None else self._copies(digest)

    def _not_known(self) -> list[str]:
        said = []
        if self._before is None:
            said.append(
                "what the server offered at the last full cycle was not kept: causes could not be "
                "tried"
            )
        elif self._unread:
            said.append(
                f"the content of {_workflows(self._unread)} was not kept: their causes could not "
                "be tried"
            )
        if self._unkept:
            said.append(
                f"the earlier content of {_workflows(self._unkept)} was not kept: whether its edit "
                "did it could not be tried"
            )
        if self._late:
            said.append(f"there was no time to try the causes of {_workflows(self._late)}")
        if self._failed:
            said.append(f"ComfyWatchman failed on trying the causes of {_workflows(self._failed)}")
        return said


def _workflows(count: int) -> str:
    return "one workflow" if count == 1 else f"{count:,} workflows"
