"""The walk from the outputs to everything they need, as the server takes it.

Only output nodes and what leads to them through *declared* inputs counts. Each node is judged once,
without regard to those before it; then validity spreads along the links. There is no recursion, so
that no depth of a workflow can exhaust the stack. The server does recur, and its stack has an end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from comfywatchman.checks import bad_linked_input, dependency_cycle, validation_exception
from comfywatchman.checks.engine.case import BlindSpot, Crash, Doubt, InputCase, LinkCase, NodeCase
from comfywatchman.checks.engine.declared import dynamic, expand
from comfywatchman.checks.engine.reading import UnreadableError, read, unwrapped
from comfywatchman.checks.engine.registry import registered
from comfywatchman.checks.versions import Rule
from comfywatchman.findings import about, quoted
from comfywatchman.results import Severity, SubjectKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from comfywatchman.checks.engine.case import Answer, PromptCase
    from comfywatchman.checks.engine.registry import Checks
    from comfywatchman.checks.engine.rulebook import NodePlan
    from comfywatchman.comfyui.catalog import InputSpec
    from comfywatchman.results import Finding

Case = TypeVar("Case", bound=InputCase)

_ABSENT: Final = object()
# Python ends a recursion at 1,000 calls, of which the server needs some for other things: a real
# one gave up at the 967th node of a chain.
_ALWAYS_TOO_DEEP: Final = 1000
_NEVER_TOO_DEEP: Final = 900
_MAKE_AGAIN: Final = "delete the link and connect the input again"
_TOO_DEEP: Final = Crash(
    f"a chain of more than {_ALWAYS_TOO_DEEP:,} nodes leads from here to an output, which is "
    "longer than the server can follow",
    "split the workflow, so that an output needs fewer nodes one after the other",
)


@dataclass(slots=True)
class Judged:
    """What was found out about one node.

    Attributes:
        findings: about the node itself, as far as they were kept.
        wrong: whether any of them is an error.
        doubts: what the server may or may not refuse about it, as far as it was kept.
        doubtful: whether there is any such thing.
        blind_spots: what else could not be seen.
        crash: why the server's validation of it raises an exception, else None.
        needs: by input, the node it is wired to, where the server follows the link.
    """

    findings: list[Finding] = field(default_factory=list)
    wrong: bool = False
    doubts: list[Doubt] = field(default_factory=list)
    doubtful: bool = False
    blind_spots: list[str] = field(default_factory=list)
    crash: Crash | None = None
    needs: dict[str, str] = field(default_factory=dict)

    @property
    def refused(self) -> bool:
        """Whether the server finds this node itself invalid."""
        return self.crash is not None or self.wrong


@dataclass(frozen=True, slots=True)
class Walk:
    """The nodes the server would validate, and what becomes of the outputs."""

    judged: dict[str, Judged]
    valid: frozenset[str]
    """Nodes that pass, with everything they need."""
    doubtful: frozenset[str]
    """Nodes that pass or not, depending on what cannot be seen."""
    looped: frozenset[str]
    """Nodes that need each other in a circle."""


def walk(whole: PromptCase) -> Walk:
    """Judge the output nodes and all that they need."""
    judged: dict[str, Judged] = {}
    wanted_by: dict[str, tuple[str, str] | None] = {}
    # Which of the nodes that need a broken one the server names is up to the order of a Python set;
    # the order here is as good as any, and the same each time.
    checks = registered()
    pending: list[tuple[str, tuple[str, str] | None]] = [(o, None) for o in whole.outputs]
    while pending:
        node_id, user = pending.pop()
        if node_id in judged:
            continue
        wanted_by[node_id] = user
        node = judged[node_id] = _judge(whole, node_id, checks)
        for name, source in sorted(node.needs.items()):
            if source not in judged:
                pending.append((source, (node_id, name)))
    for node_id in _out_of_reach(whole, judged):
        judged[node_id] = Judged(crash=_TOO_DEEP)
    for node_id, node in judged.items():
        if node.crash is not None:
            node.findings = [f for f in node.findings if f.severity is not Severity.ERROR]
            _keep(
                validation_exception.finding(whole, node_id, node.crash, wanted_by[node_id]),
                node,
                whole,
            )
    walked = spread(whole, {n: judged[n] for n in whole.prompt if n in judged})
    looped = walked.looped
    for node_id, finding in dependency_cycle.findings(
        whole, {n: [s for s in judged[n].needs.values() if s in looped] for n in looped}
    ):
        _keep(finding, judged[node_id], whole)
    return walked


def _out_of_reach(whole: PromptCase, judged: Mapping[str, Judged]) -> list[str]:
    """The nodes at which the server's recursion surely ends: so far from every output, however."""
    if len(judged) <= _ALWAYS_TOO_DEEP:
        return []
    level = list(whole.outputs)
    met = set(level)
    for _ in range(_ALWAYS_TOO_DEEP):
        needed = (source for node_id in level for source in judged[node_id].needs.values())
        level = [source for source in dict.fromkeys(needed) if source not in met]
        met.update(level)
    return level


def spread(whole: PromptCase, judged: dict[str, Judged]) -> Walk:
    """Let validity spread along the links, from what needs nothing to the outputs."""
    waiting: dict[str, int] = {}
    needed_by: dict[str, list[str]] = {}
    for node_id, node in judged.items():
        sources = set(node.needs.values())
        waiting[node_id] = len(sources)
        for source in sources:
            needed_by.setdefault(source, []).append(node_id)
    valid: set[str] = set()
    doubtful: set[str] = set()
    length: dict[str, int] = {}
    ready = [node_id for node_id, count in waiting.items() if count == 0]
    while ready:
        node_id = ready.pop()
        node = judged[node_id]
        sources = set(node.needs.values())
        length[node_id] = 1 + max([length[s] for s in sources], default=0)
        if not node.refused:
            if not node.doubtful and sources <= valid:
                valid.add(node_id)
            elif all(s in valid or s in doubtful for s in sources):
                doubtful.add(node_id)
        for user in needed_by.get(node_id, ()):
            waiting[user] -= 1
            if waiting[user] == 0:
                ready.append(user)
    for output in valid.intersection(whole.outputs):
        if length[output] > _NEVER_TOO_DEEP:
            valid.remove(output)
            doubtful.add(output)
            judged[output].blind_spots.append(
                f"whether the server can follow the chain of {length[output]:,} nodes that ends at "
                f"node {quoted(output)}: long ones exhaust it"
            )
    looped = frozenset(node_id for node_id, count in waiting.items() if count > 0)
    return Walk(judged, frozenset(valid), frozenset(doubtful), looped)


def _judge(whole: PromptCase, node_id: str, checks: Checks) -> Judged:
    given, plan = whole.prompt[node_id], whole.plans[node_id]
    result = Judged()
    if "inputs" not in given:
        result.crash = Crash("the node has no 'inputs'", "save the workflow again from ComfyUI")
        return result
    inputs = given["inputs"]
    if not isinstance(inputs, dict):
        if plan.declared and not isinstance(inputs, (list, str)):
            result.crash = Crash(
                f"the node's 'inputs' are {quoted(inputs)} instead of an object",
                "save the workflow again from ComfyUI",
            )
            return result
        inputs = {}
    declared = _declared(whole, plan, inputs)
    case = NodeCase(whole, node_id, plan.type, inputs, plan.own_rules, declared)
    if plan.dynamic:
        case.dynamic = tuple(dynamic(plan.declared, inputs))
    for spec in declared:
        value = inputs.get(spec.name, _ABSENT)
        if value is _ABSENT:
            if spec.required:
                _ask(checks.missing, InputCase(case, spec), result)
        elif isinstance(value, list):
            _judge_link(case, spec, value, checks, result)
        else:
            _judge_value(InputCase(case, spec, plan.choices(spec)), value, checks, result)
    for node_check in checks.node_of(plan.traits):
        for answer in node_check(case):
            if answer is not None:
                _note(answer, result, whole)
    return result


def _declared(
    whole: PromptCase, plan: NodePlan, inputs: Mapping[str, Any]
) -> tuple[InputSpec, ...]:
    if not plan.dynamic:
        return plan.declared
    minimum = Rule.AUTOGROW_MINIMUM in whole.book.rules
    return tuple(expand(plan.declared, inputs, autogrow_minimum=minimum))


def _judge_value(case: InputCase, value: object, checks: Checks, result: Judged) -> None:
    case.given = unwrapped(value)
    try:
        case.value = read(case.spec.type, case.given)
    except UnreadableError:
        case.value = case.given
        case.unreadable = True
    _ask(checks.value_of(case.spec.type), case, result)


def _judge_link(
    node: NodeCase, spec: InputSpec, link: list[Any], checks: Checks, result: Judged
) -> None:
    if len(link) != 2:
        _keep(bad_linked_input.finding(InputCase(node, spec, given=link)), result, node.whole)
        return
    origin, slot = link
    whole = node.whole
    if not isinstance(origin, str) or origin not in whole.prompt:
        result.crash = Crash(
            f"input {quoted(spec.name)} is linked to node {quoted(origin)}, which is not there",
            _MAKE_AGAIN,
            about(SubjectKind.INPUT, spec.name),
        )
        return
    plan = whole.plans.get(origin)
    if plan is None:
        # The server refuses the whole prompt for this; nothing more can be said of the link.
        return
    if not isinstance(slot, int) or not -len(plan.outputs) <= slot < len(plan.outputs):
        result.crash = Crash(
            f"input {quoted(spec.name)} is linked to output {quoted(slot)} of node "
            f"{quoted(origin)}, but {quoted(plan.type.name)} has {_count(len(plan.outputs))}",
            f"update what brings {quoted(plan.type.name)}, which may have had other outputs when "
            f"the workflow was saved, or {_MAKE_AGAIN}",
            about(SubjectKind.NODE_TYPE, plan.type.name),
        )
        return
    received = node.received[spec.name] = plan.outputs[slot]
    linked = LinkCase(node, spec, given=link, source=plan.type, slot=slot, received=received)
    if _ask(checks.link, linked, result):
        result.needs[spec.name] = origin


def _count(outputs: int) -> str:
    if outputs == 0:
        return "no outputs"
    return "1 output" if outputs == 1 else f"{outputs} outputs"


def _ask(checks: Iterable[Callable[[Case], Answer]], case: Case, result: Judged) -> bool:
    """Note what checks answer, up to the first that settles the matter.

    Returns:
        Whether the server goes on with what was asked about, as far as can be seen.
    """
    for check in checks:
        answer = check(case)
        if answer is not None and _note(answer, result, case.node.whole):
            return isinstance(answer, Doubt)
    return True


def _note(answer: Finding | Doubt | Crash | BlindSpot, result: Judged, whole: PromptCase) -> bool:
    """Note one answer; whether it settles the matter."""
    if isinstance(answer, Doubt):
        if whole.tally.has_room_for(answer.finding):
            result.doubts.append(answer)
        result.doubtful = True
        return True
    if isinstance(answer, Crash):
        result.crash = result.crash or answer
        return True
    if isinstance(answer, BlindSpot):
        if answer.sentence not in result.blind_spots:
            result.blind_spots.append(answer.sentence)
        return False
    _keep(answer, result, whole)
    return answer.severity is Severity.ERROR


def _keep(finding: Finding, result: Judged, whole: PromptCase) -> None:
    if finding.severity is Severity.ERROR:
        result.wrong = True
    if whole.tally.has_room_for(finding):
        result.findings.append(finding)
