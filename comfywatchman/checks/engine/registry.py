"""How a check gets asked: it registers itself, and every module of the package is imported.

A check is a function in a file of its own in ``comfywatchman/checks/``, decorated with one of the
functions below. Nothing else has to change for it to be asked and documented.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cache
from typing import TypeVar

from comfywatchman import checks
from comfywatchman.checks.engine.case import Answer, InputCase, LinkCase, NodeCase, PromptCase
from comfywatchman.discovery import import_all
from comfywatchman.results import Finding

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


def on_missing(check: InputCheck) -> InputCheck:
    """Register a check of a required input that the prompt does not give."""
    return _REGISTERED.add(_REGISTERED.missing, check)


def on_link(stage: Stage) -> Callable[[LinkCheck], LinkCheck]:
    """Register a check of a declared input given as a link to an output that exists."""
    return lambda check: _REGISTERED.add(_REGISTERED.link, check, stage)


def on_value(stage: Stage) -> Callable[[InputCheck], InputCheck]:
    """Register a check of a declared input given as a value."""
    return lambda check: _REGISTERED.add(_REGISTERED.value, check, stage)


@cache
def registered() -> Checks:
    """Import every check and return them all."""
    import_all(checks)
    return _REGISTERED
