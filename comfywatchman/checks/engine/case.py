"""What a check sees, and what it can answer."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from comfywatchman.findings import printable, quoted
from comfywatchman.results import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from comfywatchman.checks.engine.choices import Choices
    from comfywatchman.checks.engine.rulebook import NodePlan, Rulebook
    from comfywatchman.checks.known.model_folders import ModelFolder
    from comfywatchman.checks.known.own_rules import OwnRules
    from comfywatchman.comfyui.catalog import Catalog, InputSpec, NodeType
    from comfywatchman.comfyui.inventory import Inventory
    from comfywatchman.comfyui.provenance.origin import Provenance
    from comfywatchman.findings import Advice, Code
    from comfywatchman.results import Finding, Subject
    from comfywatchman.workflow.prompt import Prompt, SavedNode

Fixes: TypeAlias = "str | Advice | Sequence[Advice] | None"
"""What a check advises; see :meth:`comfywatchman.findings.Code.finding`."""

MAX_FINDINGS: Final = 200
"""Most findings of each severity that are kept about one workflow."""

MOST_SEARCHES: Final = 100
"""Most searches for similar names that one workflow can cause."""


class Tally:
    """Counts the findings about one workflow, so that a hostile one cannot fill the memory."""

    def __init__(self) -> None:
        self.counts: Counter[Severity] = Counter()

    def has_room_for(self, finding: Finding) -> bool:
        """Count a finding; whether it is one of those to be kept."""
        self.counts[finding.severity] += 1
        return self.counts[finding.severity] <= MAX_FINDINGS


@dataclass(frozen=True, slots=True)
class Doubt:
    """The server may refuse this or not: what decides cannot be seen from outside.

    Attributes:
        finding: what was noticed; a warning.
        blind_spot: the sentence for the report's ``not_checked``.
    """

    finding: Finding
    blind_spot: str


@dataclass(frozen=True, slots=True)
class Crash:
    """The server's own validation raises an exception here.

    The server then forgets what else it found wrong with the node and reports the exception.

    Attributes:
        reason: a clause that says what is wrong, e.g. ``the link of input 'model' leads to …``.
        fix: what to do about it.
        subject: what it is about; None: the node.
    """

    reason: str
    fix: str
    subject: Subject | None = None


@dataclass(frozen=True, slots=True)
class BlindSpot:
    """Something that could not be seen, and that the server's answer does not depend on."""

    sentence: str


Answer: TypeAlias = "Finding | Doubt | Crash | BlindSpot | None"
"""What a check says about a node or an input; None: nothing to say.

A finding of severity ``error`` makes the node invalid.
"""


@dataclass(frozen=True, slots=True)
class PromptCase:
    """A whole prompt, and what it is judged by.

    Attributes:
        prompt: the prompt, as hostile as it may be.
        nodes: what the saved file says of its nodes, by id.
        outputs: ids of the output nodes that are asked for, in the prompt's order.
        catalog: the server's node types.
        inventory: the server's files.
        book: what else the catalog's node types and the server's version say.
        provenance: what is known of where node types come from.
        plans: by id, what the book says of each node of a type that the server offers.
        explained: ids of nodes that converting the workflow found wrong already.
        tally: how many findings there are.
        folders: which model folder an input of a node type lists, as far as that was looked up.
    """

    prompt: Prompt
    nodes: Mapping[str, SavedNode]
    outputs: tuple[str, ...]
    catalog: Catalog
    inventory: Inventory
    book: Rulebook
    provenance: Provenance
    plans: Mapping[str, NodePlan]
    explained: frozenset[str] = frozenset()
    tally: Tally = field(default_factory=Tally)
    folders: dict[tuple[str, str], ModelFolder | None] = field(default_factory=dict)
    _said: set[tuple[str, str]] = field(default_factory=set)
    _searches: Iterator[int] = field(default_factory=lambda: iter(range(MOST_SEARCHES)))

    def may_search(self) -> bool:
        """Whether one more search through long lists may be made for this prompt."""
        return next(self._searches, None) is not None

    def first(self, code: Code, subject: str) -> bool:
        """Whether nothing was said yet, under this code, about the subject in this prompt."""
        if (code.name, subject) in self._said:
            return False
        self._said.add((code.name, subject))
        return True


@dataclass(slots=True)
class NodeCase:
    """One node that the server would validate.

    Attributes:
        whole: the prompt it is in.
        id: its id there.
        type: its node type.
        inputs: its inputs in the prompt.
        own_rules: what its code checks itself; None if that is unknown.
        declared: the inputs the server takes notice of, with those that its dynamic inputs open up.
        received: by wired input, the type that its link delivers.
        dynamic: its inputs that stand for others, as declared or opened by what the prompt gives.
    """

    whole: PromptCase
    id: str
    type: NodeType
    inputs: Mapping[str, Any]
    own_rules: OwnRules | None
    declared: tuple[InputSpec, ...] = ()
    received: dict[str, Any] = field(default_factory=dict)
    dynamic: tuple[InputSpec, ...] = ()

    @property
    def saved(self) -> SavedNode | None:
        """What the saved file says of it; None in an API-format workflow."""
        return self.whole.nodes.get(self.id)

    def finding(
        self,
        code: Code,
        message: str,
        fix: Fixes = None,
        *,
        input_name: str | None = None,
        severity: Severity | None = None,
        subject: Subject | None = None,
    ) -> Finding:
        """Report something about the node, or one of its inputs."""
        return code.finding(
            message,
            fix=fix,
            severity=severity,
            subject=subject,
            node_id=self.id,
            node_type=self.type.name,
            input=input_name,
        )


@dataclass(slots=True)
class InputCase:
    """One declared input of a node.

    Attributes:
        node: the node.
        spec: how the input is declared.
        choices: the choices of a combo, ready to be searched.
        given: the value in the prompt, taken out of its ``__value__`` wrapper.
        value: what the server makes of it (``'7'`` for an INT is 7).
        unreadable: whether it can make nothing of it.
    """

    node: NodeCase
    spec: InputSpec
    choices: Choices | None = None
    given: Any = None
    value: Any = None
    unreadable: bool = False

    @property
    def excused(self) -> bool:
        """Whether the node's code judges this input, so that the server does not."""
        own = self.node.own_rules
        return own is not None and own.judge(self.spec.name)

    def finding(
        self,
        code: Code,
        message: str,
        fix: Fixes = None,
        *,
        subject: Subject | None = None,
        severity: Severity | None = None,
    ) -> Finding:
        """Report something about this input."""
        return code.finding(
            message,
            fix=fix,
            subject=subject,
            node_id=self.node.id,
            node_type=self.node.type.name,
            input=self.spec.name,
            severity=severity,
        )

    def doubt(
        self,
        code: Code,
        message: str,
        fix: Fixes,
        *,
        because: str,
        subject: Subject | None = None,
    ) -> Doubt:
        """Report what the server would refuse, unless what cannot be seen excuses it.

        Args:
            code: the code of the error it would be.
            message: what was noticed.
            fix: what to do about it.
            because: a clause: what cannot be seen.
            subject: what it is about; else the input.
        """
        where = f"input {quoted(self.spec.name)} of node {quoted(self.node.id)}"
        return Doubt(
            self.finding(code, message, fix, subject=subject, severity=Severity.WARNING),
            f"whether the server accepts {where} ({printable(self.node.type.name)}): {because}",
        )


@dataclass(slots=True, kw_only=True)
class LinkCase(InputCase):
    """One declared input that a link is given for.

    Attributes:
        source: the node type the link comes from.
        slot: the output slot, as given; negative ones count from the end.
        received: the type of that output, a list if it is declared as a list of choices.
    """

    source: NodeType
    slot: int
    received: Any
