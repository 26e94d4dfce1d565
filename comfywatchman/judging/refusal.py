"""What a server's refusal of a poisoned prompt says of the nodes that lead to its outputs.

Only a refusal that reads as ComfyUI's own is an answer. What it finds wrong with a node counts.
That it says nothing of one counts only where it must have come to look at it: it tells of an output
node's poison, so it went through that node's inputs, and from there from link to link, unless what
it found ended its way there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from comfywatchman import lenient_json
from comfywatchman.judging.question import CALIBRATED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from comfywatchman.judging.question import Question

_REFUSED: Final = 400
_SUCCESSES: Final = range(200, 300)
_FAILED_OUTPUTS: Final = "prompt_outputs_failed_validation"
_POISONED: Final = "bad_linked_input"
_NOT_FOLLOWED: Final = frozenset({_POISONED, "return_type_mismatch", "required_input_missing"})
"""Errors of an input after which the server does not go on along its link."""
_ENDS: Final = frozenset(
    {
        "exception_during_validation",
        "exception_during_inner_validation",
        "dependency_cycle",
    }
)
"""Errors after which it cannot be told which of a node's inputs the server has looked at."""
_LONGEST: Final = 2_000


class ServerError(NamedTuple):
    """One thing that the server finds wrong with a node.

    Attributes:
        type: its own name of it, such as ``value_not_in_list``.
        input: the input that it names, or None.
        message: what that means, in its words.
        details: the same of this case.
    """

    type: str
    input: str | None
    message: str
    details: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """The server refused the prompt, and queued nothing.

    Attributes:
        type: its name of the refusal as a whole.
        errors: by node.
    """

    type: str
    errors: Mapping[str, tuple[ServerError, ...]]

    def as_json(self) -> dict[str, Any]:
        """The refusal as it is kept."""
        return {"type": self.type, "errors": {n: list(e) for n, e in self.errors.items()}}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Refusal:
        """Read what :meth:`as_json` gave."""
        return cls(
            kept["type"],
            {n: tuple(ServerError(*e) for e in errors) for n, errors in kept["errors"].items()},
        )


@dataclass(frozen=True, slots=True)
class Accepted:
    """The server did not refuse the prompt: it may be in the queue.

    Attributes:
        prompt_id: the id that the server gave it; None if it named none.
    """

    prompt_id: str | None


def read(status: int, body: bytes) -> Refusal | Accepted | None:
    """Read the answer to a poisoned prompt.

    Args:
        status: the HTTP status.
        body: the body.

    Returns:
        None for what is no answer of ComfyUI's, such as the page of a proxy: nothing is known.
    """
    try:
        said = lenient_json.parse(body)
    except ValueError:
        return None
    if isinstance(said, dict) and "prompt_id" in said:
        prompt_id = said["prompt_id"]
        return Accepted(prompt_id if isinstance(prompt_id, str) else None)
    if status in _SUCCESSES:
        return Accepted(None)
    error = said.get("error") if isinstance(said, dict) else None
    node_errors = said.get("node_errors") if isinstance(said, dict) else None
    kind = error.get("type") if isinstance(error, dict) else None
    if status != _REFUSED or not isinstance(kind, str):
        return None
    if not node_errors:  # an empty list where there are none, in some releases
        return Refusal(kind, {})
    if not isinstance(node_errors, dict):
        return None
    return Refusal(kind, {node: _errors(found) for node, found in node_errors.items()})


def heard(question: Question, refusal: Refusal) -> dict[str, tuple[ServerError, ...]]:
    """What the server said of the nodes that lead to the outputs; nothing wrong is empty.

    Output nodes themselves are left out, as their own inputs are poisoned; so is every node of
    which it says nothing and is not certain to have come to look at it.
    """
    if refusal.type != _FAILED_OUTPUTS:
        return {}
    pending = [
        node
        for node, poisons in question.poisons.items()
        if poisons <= {e.input for e in refusal.errors.get(node, ()) if e.type == _POISONED}
    ]
    seen: set[str] = set()
    while pending:
        node = pending.pop()
        if node in seen:
            continue
        seen.add(node)
        errors = refusal.errors.get(node, ())
        if any(error.type in _ENDS for error in errors):
            continue
        closed = {error.input for error in errors if error.type in _NOT_FOLLOWED}
        ways = question.needs.get(node, {})
        pending += [origin for name, origin in ways.items() if name not in closed]
    spoken_of = seen.union(refusal.errors).difference(question.poisons)
    return {node: refusal.errors.get(node, ()) for node in spoken_of}


def is_as_calibrated(refusal: Refusal) -> bool:
    """Whether the answer to the calibration is the one that it must be."""
    found = {n: sorted((e.type, e.input or "") for e in es) for n, es in refusal.errors.items()}
    return refusal.type == _FAILED_OUTPUTS and found == CALIBRATED


def _errors(found: Any) -> tuple[ServerError, ...]:
    errors = found.get("errors") if isinstance(found, dict) else None
    listed = errors if isinstance(errors, list) else ()
    return tuple(_error(error) for error in listed if isinstance(error, dict))


def _error(error: dict[str, Any]) -> ServerError:
    extra = error.get("extra_info")
    name = extra.get("input_name") if isinstance(extra, dict) else None
    return ServerError(
        _text(error.get("type")),
        _text(name) if isinstance(name, str) else None,
        _text(error.get("message")),
        _text(error.get("details")),
    )


def _text(value: object) -> str:
    return value[:_LONGEST] if isinstance(value, str) else ""
