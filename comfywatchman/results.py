"""The report as data: what a cycle found, in a versioned schema.

The JSON form of :class:`Report` is the truth that every other form (text, Markdown, HTML) is drawn
from. Its JSON Schema is published as ``docs/schema/report-2.json``; that of :class:`LastRun` as
``docs/schema/last-run-1.json``, that of :class:`HistoryReport` as ``docs/schema/history-1.json``.
Fields are only ever added within one major schema version.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from comfywatchman.escape import visible
from comfywatchman.moments import shown

REPORT_SCHEMA_VERSION: Literal[2] = 2
FORECAST_SCHEMA_VERSION: Literal[1] = 1
LAST_GOOD_SCHEMA_VERSION: Literal[1] = 1
HISTORY_SCHEMA_VERSION: Literal[1] = 1
BOM_SCHEMA_VERSION: Literal[1] = 1
BOM_CHECK_SCHEMA_VERSION: Literal[1] = 1

Sentence = Annotated[str, AfterValidator(visible)]
"""May name files of this host and of the server, whatever they are called."""


Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
"""In hexadecimal."""


class Verdict(StrEnum):
    """What would happen if the workflow were queued on this host now."""

    RUNNABLE = "runnable"
    PARTIAL = "partial"
    BROKEN = "broken"
    UNKNOWN = "unknown"


RANK: Final = {Verdict.BROKEN: 0, Verdict.PARTIAL: 1, Verdict.RUNNABLE: 2}
"""How much a workflow can do; of one that is unknown nobody can say."""


class Severity(StrEnum):
    """How much a finding matters; only an error can change a verdict."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class SubjectKind(StrEnum):
    """What kind of thing a finding is about."""

    MODEL = "model"
    INPUT_FILE = "input_file"
    PACK = "pack"
    NODE_TYPE = "node_type"
    INPUT = "input"
    VALUE = "value"
    SERVER = "server"
    WORKFLOW = "workflow"


class FixKind(StrEnum):
    """What following a fix means; the kinds that have a ``before`` and ``after`` are mechanical."""

    SET_VALUE = "set_value"
    """Set the input from ``before`` to ``after``."""
    MOVE_FILE = "move_file"
    """Move or link the file from ``before`` to ``after``, both below ComfyUI's folder."""
    PUT_FILE = "put_file"
    """Put the file that lacks where ``after`` says, below ComfyUI's folder."""
    DOWNLOAD = "download"
    """The same, from the address in ``before``, which the workflow names."""
    INSTALL_PACK = "install_pack"
    """Install the custom node pack that ``after`` names."""
    ENABLE_PACK = "enable_pack"
    UPDATE_SERVER = "update_server"
    RESTART_SERVER = "restart_server"
    REPLACE_NODE = "replace_node"
    """Replace the node by a fresh one, or by one of the type in ``after``."""
    BY_HAND = "by_hand"
    """What only a person can do, in ComfyUI or on the host."""


_MECHANICAL = frozenset({FixKind.SET_VALUE, FixKind.MOVE_FILE, FixKind.PUT_FILE, FixKind.DOWNLOAD})


class Confidence(StrEnum):
    """How sure it is that a fix makes its finding go away."""

    PROVEN = "proven"
    """The mended copy was judged, and its verdict rose."""
    LIKELY = "likely"
    ASK = "ask"
    """It is for a person to decide."""


class Outcome(StrEnum):
    """How a cycle ended. ``running`` in a file whose writer is gone means it was interrupted."""

    RUNNING = "running"
    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"


class ChangeKind(StrEnum):
    """What has become of a workflow since the last full cycle."""

    WORSE = "worse"
    """A lower verdict, or an error that it did not have."""
    MENDED = "mended"
    """A higher verdict, or fewer errors and no new one."""
    NEW = "new"
    GONE = "gone"
    OTHER = "other"
    """Judged now and not before, or the other way round; or other errors than before."""


class CauseKind(StrEnum):
    """What kind of thing changed, and so changed what workflows can do."""

    WORKFLOW = "workflow"
    """The workflow's own file."""
    PACK = "pack"
    COMFYUI = "comfyui"
    """ComfyUI's own node types, its version, or its rules for replacing node types."""
    MODEL = "model"
    INPUT_FILE = "input_file"
    SETTINGS = "settings"
    """Limits that a verdict depends on."""
    PROGRAM = "program"
    """ComfyWatchman itself: no fault of the host's."""
    SERVER = "server"
    """What the server said when it was asked (``ask_server``)."""
    UNEXPLAINED = "unexplained"


class Sureness(StrEnum):
    """How sure a cause is."""

    CERTAIN = "certain"
    """Proven: with this given back as it was, the workflow is judged as it was."""
    LIKELY = "likely"
    """What the new error is about has changed; it could not be tried."""
    ONE_OF = "one_of"
    """One of several things that changed; nobody can tell which."""


class _Frozen(BaseModel):
    # schema.py puts the fields' docstrings into the schema; pydantic would search the source for
    # them each time the program starts.
    model_config = ConfigDict(frozen=True, extra="forbid")


class Subject(_Frozen):
    """What a finding is about: the thing that is missing, wrong or old."""

    kind: SubjectKind
    name: str
    """A file as the workflow names it, a pack's id, a node type, an input, a value; of the
    ``workflow`` itself, and of the ``server``, empty unless a part of it is meant."""
    folder: str | None = None
    """Of a model: its folder below ComfyUI's ``models``, null if that is not known; of an input
    file: ``input``, ``output`` or ``temp``."""
    version: str | None = None
    """Of a pack: the version the workflow was saved with, if it says so."""


class Fix(_Frozen):
    """One way to make a finding go away."""

    id: str
    """Names this fix among all of a host's reports, as long as the finding stays what it is."""
    kind: FixKind
    confidence: Confidence
    text: str
    """What exactly to do, in a sentence."""
    before: str | int | float | bool | None = None
    """What is there now, or where a file comes from; see the kinds."""
    after: str | int | float | bool | None = None
    """What shall be there instead; see the kinds."""
    command: str | None = None
    """A command line that does it, to be run by a person."""
    proof: str | None = None
    """What was judged, of a fix that is ``proven``."""

    @property
    def mechanical(self) -> bool:
        """Whether a program can follow it: set a value, or put or move a file."""
        return self.after is not None and self.kind in _MECHANICAL


class Finding(_Frozen):
    """One thing that is wrong, or worth knowing, about a workflow."""

    code: str
    """Stable code; codes that mirror the server's keep the server's name. See docs/findings.md."""
    severity: Severity
    """``error``: with this, the server refuses the prompt or loses an output."""
    message: str
    """One sentence that says what is wrong."""
    subject: Subject
    """What it is about."""
    fixes: list[Fix] = []
    """What to do about it, when that is known; the best first."""
    node_id: str | None = None
    """Id of the node; inside sub-graphs the path of ids, outermost first, joined by ``:``."""
    node_type: str | None = None
    """The node's type as saved in the workflow."""
    title: str | None = None
    """The title a person gave the node, null if it has none of its own."""
    input: str | None = None
    """Name of the node's input."""
    fingerprint: str = ""
    """The same from one cycle to the next, and on every host, as long as this workflow has this
    fault at this place; severity and wording do not count. Never twice in a report."""
    fault_id: str = ""
    """The same for this fault in whatever workflow and at whatever node, on every host."""
    cause_id: str = ""
    """Shared by the findings of a report that have one cause, such as one missing file."""

    def identify(self, *, fingerprint: str, fault_id: str, cause_id: str) -> None:
        """Fill in what makes it the same one: once, before anybody else has seen it.

        A copy of each finding with a copy of each fix would cost a cycle more than finding them.
        """
        self.__dict__.update(fingerprint=fingerprint, fault_id=fault_id, cause_id=cause_id)
        if any(fix.id for fix in self.fixes):  # the same refusal, repeated at another input
            self.__dict__["fixes"] = [fix.model_copy() for fix in self.fixes]
        for rank, fix in enumerate(self.fixes, start=1):
            fix.__dict__["id"] = f"{fingerprint[:12]}-{rank}"

    @property
    def fix(self) -> str | None:
        """The best fix in words, when one is known."""
        return self.fixes[0].text if self.fixes else None


class Output(_Frozen):
    """A node of a workflow that produces a result (an output node of the server)."""

    node_id: str
    node_type: str


class UsedModel(_Frozen):
    """A model file that a workflow names."""

    folder: str | None
    """Its folder below ComfyUI's ``models``; null if that is not known."""
    name: str
    """The file as the workflow names it."""
    present: bool | None
    """Whether the server has it; null if that cannot be told."""


class UsedPack(_Frozen):
    """A custom node pack that a workflow needs."""

    name: str
    """Its id where the workflow says it, else its folder below ``custom_nodes``."""
    version: str | None
    """What the workflow was saved with (a version or a commit), if it says so."""


class PastVerdict(_Frozen):
    """A verdict that a workflow had for a while."""

    since: datetime
    """Start of the cycle that first gave it, UTC."""
    verdict: Verdict


class Cause(_Frozen):
    """A change that did something to workflows."""

    id: str
    """The same for the same change, in every report and on every host."""
    kind: CauseKind
    sureness: Sureness
    name: str
    """A pack's folder, a file as the server lists it, a workflow's path; else empty."""
    text: Sentence
    """What changed, in one sentence, e.g. ``KSampler of PACK 1.2.0 → 1.3.0 dropped output 2``."""
    before: str | None = None
    """The version, commit or place before; null where there was or is none to tell."""
    after: str | None = None
    node_types: list[str] = []
    """The node types in it that did it, sorted."""
    candidates: list[Sentence] = []
    """Of ``one_of``: what changed, any of which may have done it."""


class WorkflowChange(_Frozen):
    """What has become of one workflow since the last full cycle."""

    path: str
    name: str
    kind: ChangeKind
    before: Verdict | None = None
    """Null for one that is new."""
    after: Verdict | None = None
    """Null for one that is gone."""
    causes: list[str] = []
    """Ids of :class:`Cause`, the one that did most first; several did it together or one each."""
    will_fail: bool = False
    """See :class:`WorkflowReport`."""


class HostChange(_Frozen):
    """Something that changed on the host, whether or not it did anything to a workflow."""

    kind: str
    """What kind of fact it is; see :class:`comfywatchman.history.facts.FactKind`."""
    name: str
    before: str | None = None
    """Null for what was not there."""
    after: str | None = None
    """Null for what is there no more."""
    text: Sentence


class RestartPending(_Frozen):
    """A pack that is another one on the disk than the server has loaded."""

    pack: str
    """Its folder below ``custom_nodes``."""
    before: str | None = None
    """Its version, or the begin of its commit, as the server has loaded it, if that is known."""
    after: str | None = None
    """The same on the disk; null for a pack that is gone."""
    sure: bool
    """Whether the server's Manager says so; else it is told by times on the disk."""
    text: Sentence
    """What has become of it, in a sentence."""
    workflows: list[str] = []
    """Paths of the workflows that rest on it: they may be judged otherwise after a restart."""


class Changes(_Frozen):
    """What changed since the last full cycle, and what that did."""

    since: datetime
    """Start of the last full cycle, UTC."""
    skipped: Annotated[int, Field(ge=0)] = 0
    """Cycles in between that were skipped or failed."""
    workflows: list[WorkflowChange] = []
    """Worse first, then mended, new, gone, other."""
    causes: list[Cause] = []
    """The one that made most workflows worse first."""
    host: list[HostChange] = []
    host_left_out: Annotated[int, Field(ge=0)] = 0
    """How many more changes of the host there were than are listed."""
    not_known: list[Sentence] = []
    """What could not be compared, and why."""


class PastCause(_Frozen):
    """A :class:`Cause` in a cycle of the last weeks, in short."""

    id: str
    kind: CauseKind
    sureness: Sureness
    name: str
    text: Sentence
    worse: Annotated[int, Field(ge=0)] = 0
    """How many workflows it made worse; of ``program``, judged anew."""


class Milestone(_Frozen):
    """A cycle of the last weeks that found something changed."""

    at: datetime
    """Its start, UTC."""
    texts: list[Sentence]
    """What changed, the causes first; cut where there is much."""
    causes: list[PastCause] = []
    """Its causes, by which other hosts' are known to be the same; cut where there are many."""
    worse: Annotated[int, Field(ge=0)] = 0
    mended: Annotated[int, Field(ge=0)] = 0


class Acceptance(_Frozen):
    """A person's word that a workflow may stay as bad as it is, for a while."""

    id: str
    reason: Sentence
    until: date
    """The last day on which it holds, as the host's clock has it."""
    by: Sentence | None = None
    """Who gave it, if that is on record."""
    code: str | None = None
    """Given for the errors of this code alone."""


class AcceptanceState(StrEnum):
    """What has become of an acceptance."""

    APPLIED = "applied"
    VOID = "void"
    """The workflow has an error that was not accepted, so that none is."""
    EXPIRED = "expired"
    UNUSED = "unused"
    """No workflow here has what it is for."""
    WRONG = "wrong"
    """It is not written as it must be, and heeded in nothing."""


class AcceptanceResult(_Frozen):
    """What an acceptance, or a file of them, has come to in a cycle; one for each workflow."""

    id: str
    """Empty where it has none, or the whole file cannot be read."""
    state: AcceptanceState
    text: Sentence
    """What that means, and what to do, in one sentence."""
    file: Sentence
    """Where it is written."""
    team: bool = False
    """Whether that is the file of a team, which many hosts have: not all in it is for each."""
    workflow: str | None = None
    """The path of the workflow; null where there is none."""


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
    content_digest: str | None = None
    """SHA-256 of the file's bytes, in hexadecimal (in a picture: of the workflow in it); null if it
    could not be read."""
    models: list[UsedModel] = []
    """The model files it names, muted nodes aside; sorted."""
    packs: list[UsedPack] = []
    """The custom node packs it needs, muted nodes aside; sorted."""
    server_asked: bool = False
    """Whether the server's own word is in the verdict (``ask_server``), of this cycle or before."""
    since: datetime | None = None
    """Start of the cycle since which it has this verdict, UTC; null without a history."""
    past: list[PastVerdict] = []
    """Its verdicts of the last weeks, the oldest first, this one last; empty without a history."""
    accepted: Acceptance | None = None
    """By which it counts no more for ``--fail-on`` and alerts: every error that it has is accepted;
    of several acceptances the one that ends first."""
    will_fail: bool = False
    """Whether the server would take it, wholly or in part, and fail while it runs: it names a model
    file that is damaged."""

    @property
    def is_bad(self) -> bool:
        """Whether it cannot do all that it was saved for."""
        return self.will_fail or self.verdict in (Verdict.BROKEN, Verdict.PARTIAL)

    @property
    def errors(self) -> list[Finding]:
        """Those of its findings that are errors."""
        return [finding for finding in self.findings if finding.severity is Severity.ERROR]


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
    """The saved catalog, or ``/object_info``, that a check with ``--object-info`` used."""
    version: str | None = None
    """``comfyui_version`` of ``/system_stats``, of the saved catalog, or as ``--comfyui-version``
    says."""
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


class FailingChannel(_Frozen):
    """A channel, or one address of it, that could not be reached when it was tried last."""

    name: Sentence
    """What people know it by; holds no secret."""
    since: datetime | None
    """Since when, UTC; null if that is not known."""
    why: Sentence
    """Without secrets."""

    @property
    def text(self) -> str:
        """What there is to say of it."""
        since = "an unknown time" if self.since is None else shown(self.since)
        return f"{self.name} could not be reached since {since}: {self.why}"


class Notices(_Frozen):
    """What people had been told when a report was made, and what was still to be sent."""

    pending: Annotated[int, Field(ge=0)] = 0
    """How many messages wait for a channel."""
    last_told: datetime | None = None
    """Start of the cycle whose message was sent last, UTC; null if none of the last month was."""
    failing: list[FailingChannel] = []
    """The channels by which nobody could be told when they were tried last."""


class ModelFiles(_Frozen):
    """How many of the model files that the server lists, and that are on this host, are sound.

    Of each file its head is looked at, and its size; never all that is in it.
    """

    sound: Annotated[int, Field(ge=0)] = 0
    """With nothing wrong that can be seen so."""
    damaged: Annotated[int, Field(ge=0)] = 0
    unfinished: Annotated[int, Field(ge=0)] = 0
    """Still being downloaded or copied."""
    unread: Annotated[int, Field(ge=0)] = 0
    """Not looked into yet: there was no time, or they could not be opened."""


class DamagedModel(_Frozen):
    """A model file that cannot be loaded, or not by every ComfyUI."""

    folder: str
    """Its folder below ComfyUI's ``models``."""
    name: str
    """The file as the server lists it."""
    code: str
    """The code of the finding; see docs/findings.md."""
    message: Sentence
    fix: Sentence | None = None
    lacking: int | None = None
    """How many bytes lack, where that is known."""
    workflows: list[str] = []
    """Paths of the workflows that name it; the first of them where there are many."""


class Report(_Frozen):
    """A full report: every workflow that was found, and the verdict on each."""

    schema_version: Literal[2] = REPORT_SCHEMA_VERSION
    comfywatchman_version: str
    host: str
    """Host name of the machine the cycle ran on."""
    instance: str = ""
    """Name of the instance; empty for the usual one."""
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
    left_out: Annotated[int, Field(ge=0)] = 0
    """How many workflows were found and, as ``workflow_exclude`` says, not judged."""
    not_checked: list[Sentence] = []
    """What the whole cycle could not see, e.g. a folder that could not be read."""
    asked_server: Annotated[int, Field(ge=0)] = 0
    """About how many workflows the server was asked in this cycle (``ask_server``)."""
    alarms: list[Sentence] = []
    """What a person must see at once; see docs/security.md."""
    changes: Changes | None = None
    """What changed since the last full cycle; null for the first one, and without a history."""
    restart_pending: list[RestartPending] = []
    """Packs that ComfyUI's next restart makes others; empty without a history."""
    timeline: list[Milestone] = []
    """The cycles of the last weeks that found something changed, the newest first."""
    accepted: Summary = Summary()
    """How many of the workflows with each verdict are accepted as they are."""
    acceptances: list[AcceptanceResult] = []
    """What has become of each acceptance, those that hold last."""
    notices: Notices | None = None
    """What people had been told before this cycle; null where nobody is to be told."""
    model_files: ModelFiles | None = None
    """How the model files are; null where they are not on this host."""
    damaged_models: list[DamagedModel] = []
    """Those that are damaged: the ones that workflows name first, and the first of them where there
    are many; ``model_files`` counts them all."""

    @property
    def will_fail(self) -> int:
        """How many workflows will fail that nobody has accepted as they are."""
        return sum(each.will_fail and each.accepted is None for each in self.workflows)

    @property
    def not_accepted(self) -> Summary:
        """How many workflows with each verdict nobody has accepted as they are."""
        counts = {v.value: getattr(self.summary, v) - getattr(self.accepted, v) for v in Verdict}
        return Summary(**counts)


class LastRun(_Frozen):
    """``last-run.json``: what became of the last cycle, also of one skipped, failed or killed."""

    schema_version: Literal[1] = 1
    comfywatchman_version: str
    host: str
    pid: int
    """Process id of the cycle on its host."""
    invocation: str = ""
    """systemd's id of the start of the service that this cycle was; empty without systemd."""
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
    history: Sentence | None = None
    """Why the cycle is not, or not wholly, in the history; null if it is, or none is kept."""
    metrics: Sentence | None = None
    """Why the metrics of the cycle are not, or not wholly, written; null if they are."""


class HistoryEvent(_Frozen):
    """A cycle that found something changed."""

    at: datetime
    """Its start, UTC."""
    changes: Changes
    """What it found. Where one workflow was asked about, of the workflows that one alone."""


class Forecast(_Frozen):
    """What another catalog would do to the workflows of a host."""

    schema_version: Literal[1] = FORECAST_SCHEMA_VERSION
    comfywatchman_version: str
    host: str
    """Host name of the machine whose workflows were judged."""
    catalog_file: str
    """The other catalog."""
    against: Sentence
    """What it was compared with: the address of the server, or which kept catalog."""
    comfyui_before: str | None = None
    """Release of ComfyUI here; null if it is not known."""
    comfyui_after: str | None = None
    """Release of ComfyUI in the other catalog; null if it does not say."""
    judged: Annotated[int, Field(ge=0)]
    """How many workflows were judged."""
    changes: Changes
    """What would become of them, and why."""


class LastGood(_Frozen):
    """The environment under which a workflow last ran on a host, as what differs from now."""

    schema_version: Literal[1] = LAST_GOOD_SCHEMA_VERSION
    comfywatchman_version: str
    host: str
    """Host name of the machine it was asked on."""
    workflow: str
    """The path of the workflow."""
    verdict: Verdict
    """That of the last full cycle."""
    at: datetime | None
    """Start of the newest full cycle in which it was ``runnable``, UTC; null if it never was."""
    edited: bool = False
    """Whether its own file is another one than then."""
    host_changes: list[HostChange] = []
    """What changed on the host since then."""


class HistoryReport(_Frozen):
    """What ``comfywatchman history --format json`` prints."""

    schema_version: Literal[1] = HISTORY_SCHEMA_VERSION
    comfywatchman_version: str
    host: str
    """Host name of the machine it was asked on."""
    since: datetime | None
    """From when on, UTC; null: from the beginning."""
    began: datetime | None = None
    """Start of the first cycle on record, UTC: of what was before, nothing is known."""
    workflow: str | None = None
    """The path of the workflow that was asked about; null: all."""
    verdicts: list[PastVerdict] = []
    """The verdicts of that workflow, the oldest first."""
    events: list[HistoryEvent] = []
    """The newest first."""
    notes: list[Sentence] = []
    """What is to be known of the history itself, e.g. that it was damaged and begun anew."""


class BomComfyUI(_Frozen):
    """The ComfyUI that a workflow was looked at with."""

    version: str | None = None
    """Null where it is not known; likewise below."""
    commit: str | None = None
    edited: bool | None = None
    """Whether its files are others than its commit says."""


class BomPack(_Frozen):
    """A custom node pack that a workflow needs."""

    name: str
    """Its id where the workflow or the pack says it, else its folder."""
    folder: str | None = None
    """Its folder below ``custom_nodes``; null where no node type of it is offered."""
    version: str | None = None
    """What is installed; null where it is not known, likewise below."""
    commit: str | None = None
    registry_id: str | None = None
    """Its id in the registry."""
    url: str | None = None
    """The address of its repository."""
    saved_with: list[str] = []
    """Versions or commits that the workflow was saved with, sorted."""
    enabled: bool | None = None
    import_failed: bool | None = None


class BomNodeType(_Frozen):
    """A node type that a workflow needs, and what it needs of it."""

    name: str
    pack: str | None = None
    """The folder below ``custom_nodes`` that it comes from; null if it ships with ComfyUI."""
    digest: Sha256 | None = None
    """SHA-256 of its declaration without what is for show and without names of files; null if it
    was not offered there."""
    declaration: dict[str, Any] | None = None
    """That declaration, so that what differs can be named."""
    nodes: Annotated[int, Field(ge=1)] = 1
    """How many nodes of the workflow are of this type."""
    given: dict[str, Annotated[int, Field(ge=0)]] = {}
    """How many of them have each of its inputs, by link or by value."""
    choices: dict[str, list[Any]] = {}
    """By input, what the workflow chooses of its choices, files too."""
    unlisted: dict[str, list[Any]] = {}
    """By input, what it chooses that was not among its choices there either."""
    outputs_used: list[Annotated[int, Field(ge=0)]] = []
    """Slots of its outputs that other nodes are linked to, sorted."""
    numbers: dict[str, list[float]] = {}
    """By input, the smallest and the largest number that the workflow gives."""


class BomModel(_Frozen):
    """A model file that a workflow names."""

    folder: str | None = None
    """Its folder below ComfyUI's ``models``; null if that is not known."""
    name: str
    """The file as the workflow names it."""
    present: bool | None = None
    """Whether it was there; null if that could not be told."""
    size: Annotated[int, Field(ge=0)] | None = None
    """Bytes; null if it was not seen."""
    sha256: Sha256 | None = None
    """In hexadecimal; null if nobody knows it. No file is read for it."""
    sha256_from: str | None = None
    """Who says so: ``read`` (``models verify`` has read the file), ``huggingface`` (its client
    noted it down) or ``workflow``."""
    url: str | None = None
    """Where the workflow says it can be had."""


class BomInput(_Frozen):
    """An input file that a workflow names."""

    name: str
    """As the workflow names it, e.g. ``photo.png`` or ``frame.png [output]``."""
    present: bool | None = None
    """Whether it was there; null if that could not be told."""
    size: Annotated[int, Field(ge=0)] | None = None
    sha256: Sha256 | None = None
    """In hexadecimal; null if it was not seen, or is larger than is read for this."""


class BomWorkflow(_Frozen):
    """The workflow that a bill of materials is of."""

    path: str
    name: str
    content_digest: Sha256
    """SHA-256 of its bytes."""
    form: Literal["workflow", "prompt"]
    """Whether it is saved as the browser saves it, or in the form that the API takes."""
    verdict: Verdict
    """On the host where this was made."""


class Bom(_Frozen):
    """What a workflow needs: its bill of materials."""

    format: Literal["comfywatchman-bom"] = "comfywatchman-bom"
    """Tells it from other files."""
    schema_version: Literal[1] = BOM_SCHEMA_VERSION
    comfywatchman_version: str
    host: str
    """Host name of the machine it was made on."""
    generated_at: datetime
    """When, UTC."""
    taken_from: Sentence
    """The address of the server, or which kept catalog."""
    workflow: BomWorkflow
    comfyui: BomComfyUI
    packs: list[BomPack]
    node_types: list[BomNodeType]
    models: list[BomModel]
    inputs: list[BomInput]
    not_known: list[Sentence] = []
    """What could not be seen there."""


class BomKind(StrEnum):
    """What kind of thing is not as a bill of materials says."""

    WORKFLOW = "workflow"
    COMFYUI = "comfyui"
    PACK = "pack"
    NODE_TYPE = "node_type"
    MODEL = "model"
    INPUT_FILE = "input_file"


class BomState(StrEnum):
    """How grave that is."""

    LACKS = "lacks"
    """Without it the workflow does not run here as it did there."""
    NOT_KNOWN = "not_known"
    """It may lack; it cannot be told."""
    DIFFERS = "differs"
    """It is another one here, and as far as can be told the workflow can do with it."""


class BomDifference(_Frozen):
    """One thing that is not as a bill of materials says."""

    kind: BomKind
    state: BomState
    name: Sentence
    """A pack, node type or file, as the bill names it; else empty."""
    text: Sentence
    """What is different, in one sentence."""
    there: Sentence | None = None
    """What it is on the host of the bill: a version, size, hash or digest."""
    here: Sentence | None = None
    """The same here; null where it is not here, or not known."""
    changes: list[Sentence] = []
    """Of a node type, what of it differs here, a phrase each."""


class BomCheck(_Frozen):
    """What of a bill of materials lacks or differs on a host."""

    schema_version: Literal[1] = BOM_CHECK_SCHEMA_VERSION
    comfywatchman_version: str
    host: str
    """Host name of the machine it was compared with."""
    bom_file: Sentence
    made_on: Sentence
    """Host name of the machine that the bill was made on."""
    made_at: datetime
    """When, UTC."""
    workflow: Sentence
    """Name of the workflow."""
    against: Sentence
    """What it was compared with: the address of the server, or which kept catalog."""
    differences: list[BomDifference] = []
    """What lacks first, then what cannot be told, then what differs."""
    not_checked: list[Sentence] = []
    """What could not be seen here."""

    @property
    def lacks(self) -> bool:
        """Whether anything lacks, or may lack."""
        return any(each.state is not BomState.DIFFERS for each in self.differences)
