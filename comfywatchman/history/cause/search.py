"""Which of several changes made a workflow worse: found by giving them back, one and several."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from comfywatchman.history.cause.factors import LIMITS, RELEASE, WORKFLOW, Factor, Kind
from comfywatchman.history.cause.trial import NOTHING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from comfywatchman.history.cause.factors import Differences
    from comfywatchman.history.cause.trial import Back, Key, Trial

Errors = dict["Key", str]

_FOR_ALL = frozenset({WORKFLOW, RELEASE, LIMITS})


@dataclass
class Found:
    """What made a workflow worse.

    Attributes:
        causes: each proven cause, with the errors that it has; the first found first.
        left: errors that nothing explains that could be given back.
        unsure: causes of which the proof is not whole.
    """

    causes: dict[Factor, Errors] = field(default_factory=dict)
    left: Errors = field(default_factory=dict)
    unsure: set[Factor] = field(default_factory=set)


class Search:
    """Looks for what made one workflow worse.

    Args:
        trial: judges it.
        differences: what changed.
    """

    def __init__(self, trial: Trial, differences: Differences) -> None:
        self._trial = trial
        self._differences = differences
        self._all = False
        self._veiled: dict[Factor, Errors] = {}
        """What takes errors away, but brings others, and is not proven to have made them."""

    def causes(self, wanted: Errors) -> Found:
        """Find the causes of errors that it has now, and of what they hide.

        Args:
            wanted: what is to be explained.

        Raises:
            OutOfTimeError: there is no time left.
        """
        found = Found()
        given = NOTHING
        left = wanted
        while left:
            causes = self._alone(given, left) or self._several(given, left, found)
            if not causes:
                found.left = left
                break
            for factor, errors in causes.items():
                found.causes.setdefault(factor, {}).update(errors)
            given = given.union(causes)
            left = self._trial.run(given).new_since(self._trial.was)
        return found

    def candidates(self) -> list[Factor]:
        """What may matter to the workflow, that which its errors are about first."""
        differences, trial = self._differences, self._trial
        if self._all:
            found = set(differences.everything)
        else:
            found = {Factor(Kind.NODE_TYPE, name) for name in trial.asked & differences.types}
            found |= differences.unseen
            if differences.files:
                found |= differences.named_in(trial.texts)
            if differences.release:
                found.add(RELEASE)
            if differences.limits:
                found.add(LIMITS)
        if trial.edited:
            found.add(WORKFLOW)
        return sorted(found)

    def _alone(self, given: Back, wanted: Errors) -> dict[Factor, Errors]:
        """The changes of which each, given back alone, takes errors away."""
        trial = self._trial
        base = trial.run(given)
        found: dict[Factor, Errors] = {}
        self._veiled = {}
        mends: set[Factor] = set()

        def look(group: list[Factor]) -> None:
            back = given.union(group)
            gone = trial.missing(back, wanted)
            brought = {k: m for k, m in trial.run(back).errors.items() if not base.has(k, m)}
            if not gone and not brought:
                return
            if len(group) > 1:
                middle = len(group) // 2
                look(group[:middle])
                look(group[middle:])
            elif not brought:
                found[group[0]] = gone
            else:
                # What comes with it may hide the errors, which then only seem to be gone.
                if gone:
                    self._veiled[group[0]] = gone
                if all(trial.was.has(key, mark) for key, mark in brought.items()):
                    mends.add(group[0])

        def prove() -> set[Key]:
            for factor in list(self._veiled):
                proven = self._makes(given, [factor], self._veiled[factor], mends - {factor})
                if proven:
                    found[factor] = proven
                    del self._veiled[factor]
            return set().union(*found.values())

        near, far = self._near_and_far(given, wanted)
        for factor in near:
            look([factor])
        # What an error at a node rests on is all near: nothing else can have had a part in it.
        if not (prove() >= wanted.keys() and all(key[1] for key in wanted)) and far:
            look(far)
            prove()
        return found

    def _several(self, given: Back, wanted: Errors, found: Found) -> dict[Factor, Errors]:
        """Of changes that take nothing away when given back one by one, those that do together."""
        whole = given.union(self.candidates())
        healed = self._trial.missing(whole, wanted)
        if not healed:
            if self._all:
                return {}
            self._all = True
            return self._alone(given, wanted) or self._several(given, wanted, found)
        causes: dict[Factor, Errors] = {}

        def look(group: list[Factor]) -> None:
            made = self._makes(given, group, healed)
            if not made:
                return
            if len(group) > 1:
                middle = len(group) // 2
                look(group[:middle])
                look(group[middle:])
            else:
                causes[group[0]] = made

        near, far = self._near_and_far(given, wanted)
        for group in (near, far):
            if group:
                look(group)
        if not causes and self._veiled:
            found.unsure |= self._veiled.keys()
            return self._veiled
        return causes or dict.fromkeys(self._least(given, sorted(whole - given), healed), healed)

    def _makes(
        self, given: Back, group: list[Factor], wanted: Errors, stay: Iterable[Factor] = ()
    ) -> Errors:
        """Those of some errors that a group of changes makes in the old world.

        Args:
            given: what is given back anyway.
            group: the changes.
            wanted: the errors.
            stay: what else is not given back: what mended errors that would hide these.
        """
        without = given.union(self.candidates()).difference(stay)
        there = self._trial.missing(without.difference(group), wanted)
        made = {key: mark for key, mark in wanted.items() if key not in there}
        return self._trial.missing(without, made) if made else made

    def _least(self, given: Back, whole: list[Factor], wanted: Errors) -> set[Factor]:
        """As few changes as possible that take errors away when they are given back together."""
        kept = list(whole)
        known = {**self._trial.run(given).found, **self._trial.run(given.union(whole)).found}

        def heals(back: list[Factor]) -> bool:
            result = self._trial.run(given.union(back))
            missing = self._trial.missing(given.union(back), wanted)
            return missing.keys() == wanted.keys() and result.errors.keys() <= known.keys()

        size = max(1, len(kept) // 2)
        while True:
            at = 0
            while at < len(kept):
                fewer = kept[:at] + kept[at + size :]
                if fewer and heals(fewer):
                    kept = fewer
                else:
                    at += size
            if size == 1:
                return set(kept)
            size //= 2

    def _near_and_far(self, given: Back, wanted: Errors) -> tuple[list[Factor], list[Factor]]:
        """What is left to try: what errors rest on where they are, and the rest."""
        near = self._near(given, wanted)
        left = [factor for factor in self.candidates() if factor not in given]
        return [f for f in left if f in near], [f for f in left if f not in near]

    def _near(self, given: Back, wanted: Errors) -> set[Factor]:
        """What errors are about, and what their nodes and those linked to them rest on."""
        about = self._trial.run(given).about
        names = {name for key in wanted for name in about.get(key, ())}
        types = {kind for _, node_id, _ in wanted for kind in self._trial.types_around(node_id)}
        found = {Factor(Kind.NODE_TYPE, name) for name in names | types}
        return found | self._differences.named_in(names) | _FOR_ALL
