"""What a saved workflow becomes before it is judged: a prompt in ComfyUI's API format."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from comfywatchman.results import Finding

Prompt = dict[str, dict[str, Any]]
"""``{node id: {"class_type": str, "inputs": {name: value or [origin id, slot]}}}``."""


class SavedNode(NamedTuple):
    """What the saved file says about a node that the prompt does not.

    Attributes:
        type: the node's type as saved; the prompt leaves ``class_type`` out when it is unknown.
        title: the title a person gave it, or None.
        pack: id of the custom node pack it came from (``cnr_id``, else ``aux_id``), or None.
        pack_version: the pack's version or commit then (``ver``), or None.
        models: file name → download address, from ``properties.models``.
    """

    type: str
    title: str | None = None
    pack: str | None = None
    pack_version: str | None = None
    models: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Conversion:
    """A prompt, where its nodes came from, and what was noticed on the way.

    Attributes:
        prompt: the API prompt.
        nodes: by prompt node id, what the saved file says of it.
        findings: what converting it brought to light (a legacy group node, a broken sub-graph, …).
        not_checked: one sentence for each thing that could not be seen.
        meant: the prompt with the values that were meant, where the frontend gives them to the
            wrong inputs because it does not know a node's type; None where it does not. The server
            refuses the one like the other.
        targets: ids of the only outputs that are asked for, as a request to the server may say;
            None for all of them.
    """

    prompt: Prompt
    nodes: dict[str, SavedNode] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    not_checked: list[str] = field(default_factory=list)
    targets: frozenset[str] | None = None
    meant: Prompt | None = None


class WorkflowError(Exception):
    """A file that cannot be judged at all: not a workflow, unreadable, truncated, hostile.

    Attributes:
        finding: what is wrong with it and what to do.
    """

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding
