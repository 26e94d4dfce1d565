"""How a check gets asked: it registers itself, and every module of the package is imported.

A check is a function in a file of its own in ``comfywatchman/checks/``, decorated with one of the
functions below. Nothing else has to change for it to be asked and documented.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from comfywatchman import checks
from comfywatchman.checks.engine.case import Answer, InputCase, LinkCase, NodeCase, PromptCase
from comfywatchman.discovery import import_all
from comfywatchman.results import Finding

if TYPE_CHECKING:
    from comfywatchman.checks.engine.traits import Trait

PromptCheck = Callable[[PromptCase], Iterable[Finding]]
NodeCheck = Callable[[NodeCase], Iterable[Answer]]
InputCheck = Callable[[InputCase], Answer]
LinkCheck = Callable[[LinkCase], Answer]

_Check = TypeVar("_Check", bound=Callable[..., object])


class Stage(IntEnum):
    """When an input is asked about. An error, doubt or crash ends the questions about it.

    All but the last follow the server's own order.
    """

    LINK_TYPE = 0
    READING = 1
    MINIMUM = 2
    MAXIMUM = 3
    CHOICE = 4
    ADVICE = 9


@dataclass(slots=True)
class Checks:
    """All registered checks, in the order they are asked."""

    prompt: list[PromptCheck] = field(default_factory=list)
    node: list[NodeCheck] = field(default_factory=list)
    missing: list[InputCheck] = field(default_factory=list)
    link: list[LinkCheck] = field(default_factory=list)
    value: list[InputCheck] = field(default_factory=list)
    _stages: dict[object, tuple[Stage, str]] = field(default_factory=dict)
    _traits: dict[NodeCheck, Trait] = field(default_factory=dict)
    _types: dict[InputCheck, tuple[str, ...]] = field(default_factory=dict)
    _node_of: dict[frozenset[Trait], list[NodeCheck]] = field(default_factory=dict)
    _value_of: dict[str, list[InputCheck]] = field(default_factory=dict)
    _value_of_others: list[InputCheck] = field(default_factory=list)

    # Most checks are about few nodes and inputs, and to ask them all of each would take as long as
    # the rest of judging it.

    def node_of(self, traits: frozenset[Trait]) -> list[NodeCheck]:
        """The checks of a node whose type has these traits."""
        known = self._node_of.get(traits)
        if known is None:
            known = self._node_of[traits] = [
                check for check in self.node if self._traits.get(check) in (None, *traits)
            ]
        return known

    def value_of(self, declared: str) -> list[InputCheck]:
        """The checks of a value for an input of a declared type."""
        return self._value_of.get(declared, self._value_of_others)

    def settle(self) -> None:
        """Make ready for being asked, once all checks are there."""
        self._node_of.clear()
        named = {kind for kinds in self._types.values() for kind in kinds}
        self._value_of = {
            kind: [check for check in self.value if kind in self._types.get(check, (kind,))]
            for kind in named
        }
        self._value_of_others = [check for check in self.value if check not in self._types]

    def add(self, checks: list[_Check], check: _Check, stage: Stage = Stage.ADVICE) -> _Check:
        """Register a check in one of the lists above."""
        self._stages[check] = (stage, check.__module__)
        checks.append(check)
        checks.sort(key=self._stages.__getitem__)
        return check


_REGISTERED = Checks()


def on_prompt(check: PromptCheck) -> PromptCheck:
    """Register a check of the whole prompt; an error refuses it as a whole."""
    return _REGISTERED.add(_REGISTERED.prompt, check)


def on_node(check: NodeCheck) -> NodeCheck:
    """Register a check of a node that the server validates, asked after those of its inputs."""
    return _REGISTERED.add(_REGISTERED.node, check)


def on_node_with(trait: Trait) -> Callable[[NodeCheck], NodeCheck]:
    """The same for a check that is asked only where the node's type has a trait."""

    def register(check: NodeCheck) -> NodeCheck:
        _REGISTERED._traits[check] = trait
        return on_node(check)

    return register


def on_missing(check: InputCheck) -> InputCheck:
    """Register a check of a required input that the prompt does not give."""
    return _REGISTERED.add(_REGISTERED.missing, check)


def on_link(stage: Stage) -> Callable[[LinkCheck], LinkCheck]:
    """Register a check of a declared input given as a link to an output that exists."""
    return lambda check: _REGISTERED.add(_REGISTERED.link, check, stage)


def on_value(stage: Stage, *types: str) -> Callable[[InputCheck], InputCheck]:
    """Register a check of a declared input given as a value.

    Args:
        stage: when it is asked.
        types: the declared types it is asked of; none: all.
    """

    def register(check: InputCheck) -> InputCheck:
        if types:
            _REGISTERED._types[check] = types
        return _REGISTERED.add(_REGISTERED.value, check, stage)

    return register


@cache
def registered() -> Checks:
    """Import every check and return them all."""
    import_all(checks)
    _REGISTERED.settle()
    return _REGISTERED
