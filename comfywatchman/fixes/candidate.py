"""What a strategy found: what may be done about a fault, before it is known whether that helps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from comfywatchman.findings import NAME_LENGTH, quoted
from comfywatchman.fixes.fault import ABSENT
from comfywatchman.results import Confidence, FixKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from comfywatchman.fixes.fault import Fault
    from comfywatchman.fixes.proposal import Download, Placement


@dataclass(frozen=True, slots=True)
class Candidate:
    """One thing that may be done.

    Attributes:
        kind: what kind of thing.
        text: it, in a sentence.
        confidence: how sure it is that this is what was meant, before it is judged: ``ask`` stays
            so, whatever comes of it.
        after: the value to set the input to, if that is it.
        node_type: the type to give the node, if that is it.
        renamed: with that, the new names of its inputs.
        placement: the file to bring into another folder, if that is it.
        download: the file to fetch, if that is it.
    """

    kind: FixKind
    text: str
    confidence: Confidence = Confidence.LIKELY
    after: Any = ABSENT
    node_type: str | None = None
    renamed: Mapping[str, str] = field(default_factory=dict)
    placement: Placement | None = None
    download: Download | None = None


class Strategy(Protocol):
    """A module of :mod:`comfywatchman.fixes.strategies`."""

    ORDER: int
    """The lower, the better is what it finds."""

    def candidates(self, fault: Fault) -> Iterable[Candidate]:
        """What may be done about a fault, the best first."""


def set_to(fault: Fault, after: Any, why: str, *, ask: bool = False) -> Candidate:
    """Set the input of a fault to another value.

    Args:
        fault: what is wrong.
        after: the other value.
        why: what speaks for it, as an addition to the sentence.
        ask: whether it is for a person to decide.
    """
    before = quoted(fault.value, NAME_LENGTH)
    name = quoted(fault.input)
    text = (
        f"Set {name} of node {quoted(fault.node_id)} from {before} to {quoted(after, NAME_LENGTH)}"
    )
    confidence = Confidence.ASK if ask else Confidence.LIKELY
    return Candidate(FixKind.SET_VALUE, f"{text}: {why}.", confidence, after=after)
