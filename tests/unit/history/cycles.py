"""Cycles to remember: a small host on which one thing after another changes."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.history.facts import Environment, FactKind
from comfywatchman.history.records import CycleRow, Full
from comfywatchman.history.store import History
from comfywatchman.history.world import World
from comfywatchman.results import (
    Changes,
    Finding,
    GateAnswer,
    Outcome,
    Report,
    Server,
    Severity,
    Subject,
    SubjectKind,
    Summary,
    Verdict,
    WorkflowReport,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

START = datetime(2026, 1, 1, 0, 0, 0, 123456, tzinfo=UTC)
PERIOD = timedelta(hours=2)


def when(number: int) -> datetime:
    """The start of a cycle."""
    return START + number * PERIOD


def digest(content: str) -> str:
    """SHA-256 as a report has it."""
    return hashlib.sha256(content.encode()).hexdigest()


def finding(about: str, code: str = "value_not_in_list") -> Finding:
    """A finding whose fingerprint hangs on what it is about."""
    found = Finding(
        code=code,
        severity=Severity.ERROR,
        message=f"model '{about}' is not there",
        subject=Subject(kind=SubjectKind.MODEL, name=about, folder="checkpoints"),
    )
    found.identify(fingerprint=digest(about), fault_id=digest(about)[:16], cause_id="")
    return found


def workflow(
    path: str,
    verdict: Verdict = Verdict.RUNNABLE,
    *findings: Finding,
    content: str = "",
    **fields: Any,
) -> WorkflowReport:
    """What was found of a workflow."""
    return WorkflowReport(
        path=path,
        name=path.rpartition("/")[2],
        verdict=verdict,
        findings=list(findings),
        content_digest=digest(content or path),
        **fields,
    )


def broken(path: str, about: str = "a.safetensors", **fields: Any) -> WorkflowReport:
    """A workflow that lacks a model."""
    return workflow(path, Verdict.BROKEN, finding(about), **fields)


def report(
    number: int, workflows: Sequence[WorkflowReport], changes: Changes | None = None
) -> Report:
    """The report of a cycle."""
    counts = [each.verdict.value for each in workflows]
    return Report(
        comfywatchman_version="1.0",
        host="host",
        started_at=when(number),
        duration_s=1.5,
        reason=f"cycle {number}",
        server=Server(url="http://comfyui:8188", version="0.8.0", node_types=1),
        gate=[GateAnswer(name="disk", ok=True, reason=f"{number} MiB free")],
        summary=Summary(**{verdict.value: counts.count(verdict.value) for verdict in Verdict}),
        workflows=list(workflows),
        changes=changes,
    )


def environment(**packs: str) -> Environment:
    """What is known of a host with these packs."""
    values = {name: {"version": version} for name, version in packs.items()}
    return Environment({FactKind.PACK: dict(values)})


def world(*names: str, **declaration: Any) -> World:
    """A server with these node types."""
    declared = {"input": {"required": {}}, "output": ["IMAGE"], **declaration}
    catalog = Catalog(dict.fromkeys(sorted(names), declared), "0.8.0")
    return World(catalog, Inventory(models={"vae": ("b", "a")}), depth=200, size=1000)


def row(number: int, outcome: Outcome = Outcome.DONE) -> CycleRow:
    """How a cycle went."""
    return CycleRow(when(number), 1.5, outcome, f"cycle {number}", "1.0")


def full(
    number: int,
    workflows: Sequence[WorkflowReport],
    *,
    changes: Changes | None = None,
    facts: Environment | None = None,
    rests_on: World | None = None,
    program: str = "program",
) -> Full:
    """What a cycle found."""
    return Full(report(number, workflows, changes), facts or Environment(), rests_on, program)


def opened(folder: Path, **options: Any) -> History:
    """The history of a folder."""
    return History.open(folder, **{"days": 730, "copies_room": 10**6, **options})


def remember(folder: Path, number: int, workflows: Sequence[WorkflowReport], **found: Any) -> None:
    """Put a cycle on record."""
    with opened(folder) as history:
        history.remember(row(number), full(number, workflows, **found))
        assert history.notes == []
