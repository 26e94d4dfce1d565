"""What judging one file may cost: steps of work, counted where a small file can cause much of it.

What is saved once is read once, and needs no counting: its cost grows with the file. Counted is
what a file can have done again and again: unfolding a sub-graph for each of its instances,
following links, giving values to instances. A step is about a microsecond of work, or fifty bytes
of memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from comfywatchman.findings import declare
from comfywatchman.results import Severity
from comfywatchman.workflow.prompt import WorkflowError

if TYPE_CHECKING:
    from comfywatchman.findings import Code

LEAST_STEPS: Final = 500_000
"""Steps that any file may take; the official workflows need less than a fiftieth."""

STEPS_A_BYTE: Final = 2
"""Steps more for each byte of the file."""

MOST_STEPS: Final = 10_000_000
"""Steps that no file may exceed: with 50 bytes each, a quarter of what the service may use."""

NODE: Final = 20
"""Steps for one more node of the prompt, its inputs and values aside."""

_LETTERS_A_STEP: Final = 50
_LETTERS_A_VALUE: Final = 8

_REMEDY: Final = (
    "If people use it, divide it into several workflows; else move it out of the workflow folder:"
    " it is damaged or made to do harm."
)
_LIMIT: Final = (
    f"A file may take {LEAST_STEPS:,} steps of work and {STEPS_A_BYTE} more for each of its bytes,"
    f" but {MOST_STEPS:,} at most; real workflows need a small part of that. The verdict is"
    " `unknown`: it was not judged, so that the others could be."
)

TOO_MUCH_UNFOLDED: Final = declare(
    "workflow_too_many_nodes",
    Severity.WARNING,
    title="Workflow that unfolds into too many nodes",
    explanation="With its sub-graphs and group nodes unfolded the workflow is far larger than its"
    f" file, or has more than 100,000 nodes. {_LIMIT}",
    remedy=_REMEDY,
)
TOO_TANGLED: Final = declare(
    "workflow_too_tangled",
    Severity.WARNING,
    title="Workflow whose links cannot be followed",
    explanation="Following the links through bypassed nodes, reroutes, sub-graphs and broadcasts"
    f" took too many steps. {_LIMIT}",
    remedy=_REMEDY,
)
TOO_MANY_PROMOTED: Final = declare(
    "workflow_too_many_promoted",
    Severity.WARNING,
    title="Workflow with too many values handed into its sub-graphs",
    explanation="Instances of sub-graphs give values to the nodes inside them, and here those are"
    f" too many to be worked out. {_LIMIT}",
    remedy=_REMEDY,
)

_DOING: Final = {
    TOO_MUCH_UNFOLDED.name: "unfolding its sub-graphs and group nodes",
    TOO_TANGLED.name: "following its links",
    TOO_MANY_PROMOTED.name: "handing values into its sub-graphs",
}


class Budget:
    """The steps that one file has.

    Args:
        size: of the file, in bytes.
    """

    __slots__ = ("_left", "_size", "steps")

    def __init__(self, size: int = 0) -> None:
        self._size = size
        self.steps = self._left = min(LEAST_STEPS + STEPS_A_BYTE * size, MOST_STEPS)

    @property
    def spent(self) -> int:
        """How many are used up."""
        return self.steps - self._left

    def spend(self, steps: int, on: Code) -> None:
        """Use up some.

        Args:
            steps: how many.
            on: what is said of a file that has fewer left.

        Raises:
            WorkflowError: there are fewer left.
        """
        self._left -= steps
        if self._left < 0:
            raise WorkflowError(
                on.finding(
                    f"{_DOING[on.name]} takes more than {self.steps:,} steps, the most for a file"
                    f" of {self._size:,} bytes",
                    fix=on.remedy,
                )
            )


def steps_of_values(*saved: Any) -> int:
    """Steps for reading saved values once more, however they lie within one another."""
    letters = 0
    pending = list(saved)
    while pending:
        value = pending.pop()
        letters += _LETTERS_A_VALUE
        if isinstance(value, str):
            letters += len(value)
        elif isinstance(value, dict):
            letters += sum(map(len, value))
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)
    return letters // _LETTERS_A_STEP
