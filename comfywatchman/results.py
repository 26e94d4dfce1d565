"""The report as data: what a cycle found, in a versioned schema.

The JSON form of :class:`Report` is the truth that every other form (text, Markdown, HTML) is drawn
from. Its JSON Schema is published as ``docs/schema/report-1.json``; that of :class:`LastRun` as
``docs/schema/last-run-1.json``. Fields are only ever added within one major schema version.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from comfywatchman.escape import visible

REPORT_SCHEMA_VERSION: Literal[1] = 1

Sentence = Annotated[str, AfterValidator(visible)]
"""May name files of this host and of the server, whatever they are called."""


class Verdict(StrEnum):
    """What would happen if the workflow were queued on this host now."""

    RUNNABLE = "runnable"
    PARTIAL = "partial"
    BROKEN = "broken"
    UNKNOWN = "unknown"


class Severity(StrEnum):
    """How much a finding matters; only an error can change a verdict."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Outcome(StrEnum):
    """How a cycle ended. ``running`` in a file whose writer is gone means it was interrupted."""

    RUNNING = "running"
    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"


class _Frozen(BaseModel):
    # schema.py puts the fields' docstrings into the schema; pydantic would search the source for
    # them each time the program starts.
    model_config = ConfigDict(frozen=True, extra="forbid")


class Finding(_Frozen):
    """One thing that is wrong, or worth knowing, about a workflow."""

    code: str
    """Stable code; codes that mirror the server's keep the server's name. See docs/findings.md."""
    severity: Severity
    """``error``: with this, the server refuses the prompt or loses an output."""
    message: str
    """One sentence that says what is wrong."""
    fix: str | None = None
    """What exactly to do about it, when that is known."""
    node_id: str | None = None
    """Id of the node; inside sub-graphs the path of ids, outermost first, joined by ``:``."""
    node_type: str | None = None
    """The node's type as saved in the workflow."""
    input: str | None = None
    """Name of the node's input."""


class Output(_Frozen):
    """A node of a workflow that produces a result (an output node of the server)."""

    node_id: str
    node_type: str


class WorkflowReport(_Frozen):
    """The verdict on one saved workflow."""

    path: str
    """Where it is saved: a path on the host, or ``userdata:USER/workflows/NAME`` on the server."""
    name: str
    """The short name to show a person: the path below the folder that was searched."""
    verdict: Verdict
    outputs: list[Output] = []
    """Outputs the server would run."""
    outputs_lost: list[Output] = []
    """Outputs the server would silently leave out."""
    findings: list[Finding] = []
    not_checked: list[str] = []
    """What this verdict does not rest on: one sentence for each blind spot."""


class GateAnswer(_Frozen):
    """What one gate probe found before the cycle went on."""

    name: Literal["gpu", "comfyui", "disk", "lock"]
    ok: bool
    reason: Sentence
    """One sentence: what was found and, when not ok, what to do about it."""


class Server(_Frozen):
    """The ComfyUI instance that was asked, or the saved catalog that stood in for it."""

    url: str | None = None
    """Its address without credentials; null when a saved catalog was used."""
    catalog_file: str | None = None
    """The saved ``/object_info`` a check with ``--object-info`` used."""
    version: str | None = None
    """``comfyui_version`` of ``/system_stats``."""
    node_types: Annotated[int, Field(ge=0)] = 0
    """How many node types it offers."""


class Summary(_Frozen):
    """How many workflows got each verdict."""

    runnable: Annotated[int, Field(ge=0)] = 0
    partial: Annotated[int, Field(ge=0)] = 0
    broken: Annotated[int, Field(ge=0)] = 0
    unknown: Annotated[int, Field(ge=0)] = 0

    @property
    def total(self) -> int:
        """Number of workflows judged."""
        return self.runnable + self.partial + self.broken + self.unknown


class Report(_Frozen):
    """A full report: every workflow that was found, and the verdict on each."""

    schema_version: Literal[1] = REPORT_SCHEMA_VERSION
    comfywatchman_version: str
    host: str
    """Host name of the machine the cycle ran on."""
    started_at: datetime
    """Start of the cycle, UTC."""
    duration_s: Annotated[float, Field(ge=0)]
    """Seconds from the start of the cycle to the making of this report."""
    outcome: Literal["done", "skipped", "failed"] = "done"
    """``latest.json`` is always ``done``; ``check --format json`` prints the others too."""
    reason: Sentence = ""
    """One sentence: what was found, or why the cycle was skipped or failed."""
    server: Server
    gate: list[GateAnswer] = []
    summary: Summary
    workflows: list[WorkflowReport]
    not_checked: list[Sentence] = []
    """What the whole cycle could not see, e.g. a folder that could not be read."""


class LastRun(_Frozen):
    """``last-run.json``: what became of the last cycle, also of one skipped, failed or killed."""

    schema_version: Literal[1] = 1
    comfywatchman_version: str
    host: str
    pid: int
    """Process id of the cycle on its host."""
    outcome: Outcome
    reason: str
    """One sentence: why it was skipped or failed, or what it found."""
    paths: list[str] = []
    """What was asked for by hand; empty for a cycle over everything."""
    started_at: datetime
    finished_at: datetime | None = None
    """Null while the cycle runs, and for ever if it was killed."""
    duration_s: float | None = None
    gate: list[GateAnswer] = []
    summary: Summary | None = None
    """Null unless the outcome is ``done``."""
