"""The verdict on a prompt: what ComfyUI would say of a converted workflow, queued now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from comfywatchman.checks import server_fails
from comfywatchman.checks.engine.case import MAX_FINDINGS, PromptCase
from comfywatchman.checks.engine.registry import registered
from comfywatchman.checks.engine.replacement import Replacement, replaced
from comfywatchman.checks.engine.rulebook import rulebook
from comfywatchman.checks.engine.walk import walk
from comfywatchman.checks.versions import Rule
from comfywatchman.comfyui.provenance.knowledge import Knowledge
from comfywatchman.comfyui.provenance.origin import Provenance
from comfywatchman.findings import NAME_LENGTH, declare, printable
from comfywatchman.judging.needs import needs
from comfywatchman.judging.overruled import overruled
from comfywatchman.judging.question import Question, question
from comfywatchman.judging.refusal import Refusal, heard
from comfywatchman.results import Output, Severity, Verdict

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

    from comfywatchman.checks.engine.case import Tally
    from comfywatchman.checks.engine.rulebook import NodePlan
    from comfywatchman.checks.engine.walk import Walk
    from comfywatchman.comfyui.catalog import Catalog
    from comfywatchman.comfyui.inventory import Inventory
    from comfywatchman.results import Finding, UsedModel, UsedPack
    from comfywatchman.workflow.prompt import Conversion, SavedNode

Ask = Callable[[Question], Refusal | None]
"""Asks the server; None where there is no answer."""

MAX_NOT_CHECKED: Final = 50
"""Most blind spots reported about one workflow."""

FINDINGS_LEFT_OUT = declare(
    "findings_left_out",
    Severity.INFO,
    title="More findings than are reported",
    explanation="The workflow gave rise to more findings than a report should hold. Errors are "
    "kept first. The verdict rests on all of them.",
    remedy="Mend what is reported; the rest shows in the next report.",
)

_ORDER: Final = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What would happen if a workflow were queued, and why.

    Attributes:
        verdict: ``unknown`` if any output depends on what could not be seen.
        outputs: output nodes the server would run.
        outputs_lost: output nodes it would leave out.
        findings: errors first, then warnings, then remarks; in the workflow's order.
        not_checked: one sentence for each thing the verdict does not rest on.
        models: the model files it names.
        packs: the custom node packs it needs.
        server_asked: whether the server's own word is in it.
        unanswered: whether the server's own word is wanted, and lacks.
    """

    verdict: Verdict
    outputs: list[Output]
    outputs_lost: list[Output]
    findings: list[Finding]
    not_checked: list[str]
    models: list[UsedModel]
    packs: list[UsedPack]
    server_asked: bool = False
    unanswered: bool = False


def judge(
    conversion: Conversion,
    catalog: Catalog,
    inventory: Inventory,
    provenance: Provenance | None = None,
    *,
    ask: Ask | None = None,
) -> Judgement:
    """Say what ComfyUI would say about a workflow, asking it only where that cannot be seen.

    Args:
        conversion: the workflow as a prompt; nothing about the prompt's shape is taken for granted.
        catalog: the node types of the server.
        inventory: the files it has, as far as they could be seen.
        provenance: what is known of where node types come from; else what can be known without
            asking anybody.
        ask: asks the server; None: it is never asked.
    """
    book = rulebook(catalog)
    prompt = conversion.prompt if conversion.meant is None else conversion.meant
    replacement = Replacement(prompt)
    if Rule.NODES_REPLACED in book.rules:
        replacement = replaced(prompt, catalog)
    plans = given_plans = book.plans(prompt, catalog)
    if replacement.prompt is not prompt:
        plans = book.plans(replacement.prompt, catalog)
    whole = PromptCase(
        replacement.prompt,
        conversion.nodes,
        tuple(_outputs(plans, conversion.targets)),
        catalog,
        inventory,
        book,
        provenance or Provenance(Knowledge(), catalog),
        plans,
        frozenset(
            f.node_id for f in conversion.findings if f.node_id and f.severity is Severity.ERROR
        ),
    )
    refusals = [
        finding
        for check in registered().prompt
        for finding in check(whole)
        if whole.tally.has_room_for(finding)
    ]
    failure = server_fails.finding(prompt, whole)
    if failure is not None and whole.tally.has_room_for(failure):
        refusals.insert(0, failure)
    refused = any(f.severity is Severity.ERROR for f in refusals + conversion.findings)
    walked = walk(whole)
    asked = None
    if ask is not None and not refused and _may_help(whole, walked):
        links = {node_id: node.needs for node_id, node in walked.judged.items()}
        asked = question(whole.prompt, links, catalog)
    refusal = ask(asked) if ask is not None and asked is not None else None
    said = heard(asked, refusal) if asked is not None and refusal is not None else {}
    walked = overruled(walked, said, whole) if said else walked
    judged = walked.judged.values()
    below = [f for node in judged for f in node.findings]
    below += [doubt.finding for node in judged for doubt in node.doubts]
    if refused:
        # The server does not get as far as these.
        below = [_as_warning(finding) for finding in below]
    findings = [*conversion.findings, *replacement.findings, *refusals, *below]
    findings.sort(key=lambda f: _ORDER[f.severity])
    run = [] if refused else [o for o in whole.outputs if o in walked.valid]
    doubtful = [] if refused else [o for o in whole.outputs if o in walked.doubtful]
    not_checked = list(conversion.not_checked)
    if replacement.unsure is not None:
        not_checked.append(replacement.unsure)
        run, doubtful = [], run + doubtful
    kept = {*run, *doubtful}
    models, packs = needs(prompt, conversion.nodes, given_plans, inventory)
    return Judgement(
        verdict=_verdict(len(whole.outputs), len(run), len(doubtful)),
        outputs=[_output(whole, o) for o in run],
        outputs_lost=[_output(whole, o) for o in whole.outputs if o not in kept],
        findings=[_titled(f, conversion.nodes) for f in _capped(findings, whole.tally)],
        not_checked=_not_checked(whole, walked, not_checked, said, refused=refused),
        models=models,
        packs=packs,
        server_asked=refusal is not None,
        unanswered=asked is not None and refusal is None,
    )


def _may_help(whole: PromptCase, walked: Walk) -> bool:
    """Whether the verdict hangs on what the server could say: of output nodes it cannot."""
    return not walked.doubtful.isdisjoint(whole.outputs) and any(
        node.doubtful and not whole.plans[node_id].is_output
        for node_id, node in walked.judged.items()
    )


def _titled(finding: Finding, nodes: Mapping[str, SavedNode]) -> Finding:
    """The finding with the title that a person gave its node."""
    saved = nodes.get(finding.node_id) if finding.node_id is not None else None
    if saved is None or not saved.title or saved.title == saved.type:
        return finding
    return finding.model_copy(update={"title": printable(saved.title, NAME_LENGTH)})


def _outputs(plans: Mapping[str, NodePlan], targets: frozenset[str] | None) -> Iterator[str]:
    for node_id, plan in plans.items():
        if plan.is_output and (targets is None or node_id in targets):
            yield node_id


def _output(whole: PromptCase, node_id: str) -> Output:
    class_type = whole.prompt[node_id]["class_type"]
    return Output(
        node_id=printable(node_id, NAME_LENGTH), node_type=printable(class_type, NAME_LENGTH)
    )


def _verdict(outputs: int, run: int, doubtful: int) -> Verdict:
    if doubtful:
        return Verdict.UNKNOWN
    if run == 0:
        return Verdict.BROKEN
    return Verdict.RUNNABLE if run == outputs else Verdict.PARTIAL


def _not_checked(
    whole: PromptCase,
    walked: Walk,
    before: Iterable[str],
    said: Container[str],
    *,
    refused: bool,
) -> list[str]:
    sentences = list(before)
    if not refused:
        for node in walked.judged.values():
            sentences += [doubt.blind_spot for doubt in node.doubts]
            sentences += node.blind_spots
    customs = sorted(
        {
            printable(whole.plans[node_id].type.name)
            for node_id in walked.judged
            if node_id not in said and not whole.plans[node_id].is_core
        }
    )
    if customs:
        named = ", ".join(customs[:5]) + (
            f" and {len(customs) - 5:,} more" if len(customs) > 5 else ""
        )
        sentences.append(f"what custom nodes check themselves when they are queued: {named}")
    sentences = list(dict.fromkeys(sentences))
    if len(sentences) > MAX_NOT_CHECKED:
        left_out = len(sentences) - MAX_NOT_CHECKED
        sentences = [*sentences[:MAX_NOT_CHECKED], f"{left_out:,} more that are not listed"]
    return sentences


def _as_warning(finding: Finding) -> Finding:
    if finding.severity is not Severity.ERROR:
        return finding
    return finding.model_copy(update={"severity": Severity.WARNING})


def _capped(findings: list[Finding], tally: Tally) -> list[Finding]:
    """The findings a report holds, and one that says how many it does not."""
    kept = findings[:MAX_FINDINGS]
    left_out = len(findings) - len(kept)
    left_out += sum(max(0, count - MAX_FINDINGS) for count in tally.counts.values())
    if left_out:
        kept.append(FINDINGS_LEFT_OUT.finding(f"{left_out:,} more findings are left out"))
    return kept
