"""From one saved workflow to its verdict: read, load, convert, check."""

from __future__ import annotations

import hashlib
import traceback
from typing import TYPE_CHECKING

from comfywatchman.checks.missing_node_type import missing_types
from comfywatchman.comfyui.client import ComfyUIError
from comfywatchman.findings import declare
from comfywatchman.judging.identity import identified
from comfywatchman.judging.prompt import judge
from comfywatchman.results import Severity, Verdict, WorkflowReport
from comfywatchman.workflow.budget import Budget
from comfywatchman.workflow.convert import convert
from comfywatchman.workflow.load import load
from comfywatchman.workflow.postponed import not_judged
from comfywatchman.workflow.prompt import WorkflowError

if TYPE_CHECKING:
    from comfywatchman.judging.cache import VerdictCache
    from comfywatchman.judging.prompt import Ask
    from comfywatchman.results import Finding
    from comfywatchman.workflow.find import Workflow

INTERNAL_ERROR = declare(
    "internal_error",
    Severity.WARNING,
    title="Workflow that ComfyWatchman failed on",
    explanation="Judging this workflow ran into a bug of ComfyWatchman. The others were judged all "
    "the same. The verdict is `unknown`.",
    remedy="Report it, with the workflow if you can share it.",
)

OUT_OF_MEMORY = declare(
    "out_of_memory",
    Severity.WARNING,
    title="Workflow that there was no memory for",
    explanation="Judging this workflow needed more memory than the check may use or the host has "
    "left. The others were judged all the same. The verdict is `unknown`.",
    remedy="See what else uses the host's memory, or raise the limit that the check runs under "
    "(`MemoryMax=` of its service, `ulimit -v`); if the file is none that people use, move it out "
    "of the workflow folder.",
)


def judge_workflow(
    workflow: Workflow,
    verdicts: VerdictCache,
    *,
    max_bytes: int,
    max_depth: int,
    ask: Ask | None = None,
) -> WorkflowReport:
    """Judge one saved workflow, or reuse the verdict of the last cycle if all it rests on stands.

    A file that cannot be judged gets a verdict too: ``broken`` when the file itself is damaged,
    ``unknown`` when it could not be read or is beyond the limits.

    Args:
        workflow: the file.
        verdicts: those of the last cycle, and the catalog and inventory of this one. A verdict that
            the server's word lacks of is not kept.
        max_bytes: do not read a larger file.
        max_depth: do not judge one that is nested deeper.
        ask: asks the server about a poisoned copy of the prompt; None: it is never asked.

    Raises:
        ComfyUIError: the server that keeps it is gone.
    """
    return identified(_judge(workflow, verdicts, max_bytes, max_depth, ask))


def postpone(workflow: Workflow) -> WorkflowReport:
    """Name a workflow that there is no time for in this cycle."""
    return identified(_refused(workflow, not_judged(), None))


def failure(bug: Exception) -> Finding:
    """What is said of a workflow at which the program failed, or for which it had no memory."""
    if isinstance(bug, MemoryError):
        return OUT_OF_MEMORY.finding(
            "there was not enough memory to judge it", fix=OUT_OF_MEMORY.remedy
        )
    return INTERNAL_ERROR.finding(
        f"ComfyWatchman failed on this workflow ({type(bug).__name__} in {_place(bug)})",
        fix="Report this, with the workflow if you can share it.",
    )


def _judge(
    workflow: Workflow, verdicts: VerdictCache, max_bytes: int, max_depth: int, ask: Ask | None
) -> WorkflowReport:
    digest = None
    try:
        known = workflow.digest(max_bytes)
        if known is not None and (kept := verdicts.get(known, workflow.path, workflow.name)):
            return kept
        raw = workflow.read(max_bytes)
        digest = hashlib.sha256(raw).hexdigest()
        if digest != known and (kept := verdicts.get(digest, workflow.path, workflow.name)):
            return kept
        return _judged(workflow, raw, digest, verdicts, max_depth, ask)
    except WorkflowError as unread:
        return _refused(workflow, unread.finding, digest)
    except ComfyUIError:
        raise
    except Exception as bug:  # noqa: BLE001  (no file may cost the others their verdicts)
        finding = failure(bug)
    # Here, what the failed attempt held is free again.
    return _refused(workflow, finding, digest)


def _judged(
    workflow: Workflow,
    raw: bytes,
    digest: str,
    verdicts: VerdictCache,
    max_depth: int,
    ask: Ask | None,
) -> WorkflowReport:
    try:
        document = load(raw, max_depth=max_depth)
        conversion = convert(document, verdicts.catalog, Budget(len(raw)))
        for missing in missing_types(conversion.prompt, conversion.nodes, verdicts.catalog):
            verdicts.inquiry.look_into(*missing)
        judgement = judge(
            conversion, verdicts.catalog, verdicts.inventory, verdicts.provenance, ask=ask
        )
    except WorkflowError as error:
        report = _refused(workflow, error.finding, digest)
    else:
        report = WorkflowReport(
            path=workflow.path,
            name=workflow.name,
            verdict=judgement.verdict,
            outputs=judgement.outputs,
            outputs_lost=judgement.outputs_lost,
            findings=judgement.findings,
            not_checked=judgement.not_checked,
            content_digest=digest,
            models=judgement.models,
            packs=judgement.packs,
            server_asked=judgement.server_asked,
        )
        if judgement.unanswered:
            return report
    verdicts.put(report)
    return report


def _refused(workflow: Workflow, finding: Finding, digest: str | None) -> WorkflowReport:
    damaged = finding.severity is Severity.ERROR
    return WorkflowReport(
        path=workflow.path,
        name=workflow.name,
        verdict=Verdict.BROKEN if damaged else Verdict.UNKNOWN,
        findings=[finding],
        not_checked=[] if damaged else [finding.message],
        content_digest=digest,
    )


def _place(bug: BaseException) -> str:
    place = traceback.extract_tb(bug.__traceback__)[-1]
    return f"{place.filename.rsplit('/', 1)[-1]}:{place.lineno}"
