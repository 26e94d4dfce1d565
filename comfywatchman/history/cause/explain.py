"""What made workflows worse: proven by giving changes back, else as far as is known."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
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

    def with_more(self, other: Explained) -> Explained:
        """Both together, each cause once; where they differ this one's word counts, or is first."""
        causes = {cause.id: cause for cause in (*other.causes, *self.causes)}
        by_path = {
            path: list(dict.fromkeys([*self.by_path.get(path, []), *other.by_path.get(path, [])]))
            for path in {**other.by_path, **self.by_path}
        }
        return Explained(
            list(causes.values()),
            by_path,
            [*self.not_known, *other.not_known],
        )


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
        self._copies = copies
        self._program_changed = program_changed
        self._not_known: list[str] = []
        self._differences = self._compared(before, now)
        self._worlds = None if self._differences is None else Worlds(self._differences)
        self._said = words.Words(self._differences, facts)
        self._suspects = Suspects(facts, self._said, program_changed=program_changed)
        self._proven: dict[Factor, set[str]] = defaultdict(set)
        """For each proven cause but edits, the inputs that its errors are at."""
        self._untried: dict[str, int] = defaultdict(int)
        """How many workflows could not be tried, by why."""

    def explained(self, worse: Sequence[Worse]) -> Explained:
        # Those with the same errors after each other, as they need the same worlds.
        alike = sorted(worse, key=lambda each: [f.fault_id for f in each.now.findings])
        found = {each.now.path: self._of(each) for each in alike}
        causes: dict[str, Cause] = {}
        ids: dict[Factor, str] = {}
        for factor, inputs in self._proven.items():
            cause = self._said.cause(factor, Sureness.CERTAIN, sorted(inputs))
            ids[factor] = cause.id
            if cause.id in causes:  # another node type of the same pack
                both = sorted({*causes[cause.id].node_types, *cause.node_types})
                cause = cause.model_copy(update={"node_types": both})
            causes[cause.id] = cause
        for cause in (one for each in found.values() for one in each if isinstance(one, Cause)):
            if cause.id not in causes or cause.sureness is Sureness.CERTAIN:
                causes[cause.id] = cause
        by_path = {
            each.now.path: list(
                dict.fromkeys(
                    one.id if isinstance(one, Cause) else ids[one] for one in found[each.now.path]
                )
            )
            for each in worse
        }
        count = Counter(each for of in by_path.values() for each in of)
        ordered = sorted(causes.values(), key=lambda cause: -count[cause.id])
        untried = [f"{why} {_workflows(n)}" for why, n in self._untried.items()]
        return Explained(ordered, by_path, self._not_known + untried)

    def _compared(self, before: World | None, now: World) -> Differences | None:
        if before is None:
            self._not_known.append(
                "what the server offered at the last full cycle was not kept: no cause can be tried"
            )
            return None
        try:
            return Differences(before, now)
        except Exception:  # noqa: BLE001  (a server may send anything)
            self._not_known.append(
                "what the server offers cannot be compared to what it offered at the last full "
                "cycle: no cause can be tried"
            )
            return None

    def _of(self, worse: Worse) -> list[Factor | Cause]:
        """What made one workflow worse."""
        edited = worse.now.content_digest != worse.was.content_digest
        raw = self._bytes(worse.now.content_digest)
        if self._worlds is not None and raw is None:
            self._untried["no cause could be tried, as their content was not kept, for"] += 1
        elif self._worlds is not None and raw is not None:
            old = self._bytes(worse.was.content_digest) if edited else None
            if edited and old is None:
                self._untried[
                    "it could not be tried whether an edit did it, as"
                    " the content before was not kept, for"
                ] += 1
            trial = Trial(worse, self._worlds, raw, old, self._deadline)
            try:
                return self._tried(worse, trial, edited=edited and old is None)
            except OutOfTimeError:
                self._untried["there was no time to try the causes for"] += 1
            except Exception:  # noqa: BLE001  (no file may cost the others their causes)
                self._untried["ComfyWatchman failed on trying the causes for"] += 1
        return list(self._suspects.of(worse, edited=edited))

    def _tried(self, worse: Worse, trial: Trial, *, edited: bool) -> list[Factor | Cause]:
        assert self._differences is not None  # noqa: S101
        now = trial.run(NOTHING)
        wanted = now.new_since(trial.was)
        found: list[Factor | Cause] = []
        heard = Judged.of(worse.now).new_since(trial.was).keys() - wanted.keys()
        if not wanted or (heard and worse.now.server_asked):
            found += self._suspects.of(worse, edited=edited or trial.edited, errors=heard)
        if not wanted:
            return found
        if self._program_changed and not edited:
            back = self._differences.everything | ({WORKFLOW} if trial.edited else set())
            if trial.run(back).new_since(trial.was):
                found.append(self._said.program(Sureness.CERTAIN))
                trial.take_as_given(back)
                wanted = now.new_since(trial.was)
        result = Search(trial, self._differences).causes(wanted)
        for factor in sorted(result.causes, key=lambda f: (-len(result.causes[f]), f)):
            errors = result.causes[factor]
            sureness = Sureness.LIKELY if factor in result.unsure else Sureness.CERTAIN
            inputs = {key[2] for key in errors if key[2] is not None}
            if factor == WORKFLOW:
                found.append(words.edited(worse, sureness, trial, errors))
            elif sureness is Sureness.LIKELY:
                found.append(self._said.cause(factor, sureness, sorted(inputs)))
            else:
                self._proven[factor] |= inputs
                found.append(factor)
        if result.left and edited and not self._program_changed:
            found.append(words.edited(worse, Sureness.LIKELY))
        elif result.left:
            found += self._suspects.of(worse, edited=edited, errors=result.left)
        return found

    def _bytes(self, digest: str | None) -> bytes | None:
        return None if digest is None else self._copies(digest)


def _workflows(count: int) -> str:
    return "one workflow" if count == 1 else f"{count:,} workflows"
