r"""The fleet as data: the content of ``fleet.json``, in a versioned schema.

Markdown and HTML are drawn from it. Its JSON Schema is published as ``docs/schema/fleet-1.json``.
Fields are only ever added within one major schema version. All text is as others wrote it, save
that control, invisible and direction-changing characters are written out (``\x1b``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

FLEET_SCHEMA_VERSION: Literal[1] = 1
WHERE_SCHEMA_VERSION: Literal[1] = 1

State = Literal["runnable", "partial", "broken", "unknown", "stale", "silent"]
Verdict = Literal["runnable", "partial", "broken", "unknown"]
HostState = Literal["well", "problem", "stale", "silent"]

STATES: tuple[State, ...] = ("broken", "partial", "unknown", "stale", "silent", "runnable")
"""What a workflow can be on a host; the one that needs a person first."""
HOST_STATES: tuple[HostState, ...] = ("silent", "stale", "problem", "well")


@dataclass(frozen=True, slots=True)
class Remark:
    """Something to say about a host."""

    code: str
    """Stable code; see docs/fleet.md."""
    message: str
    """One sentence: what was found and, where it is known, what to do about it."""
    problem: bool
    """Whether the host is not well because of it."""


@dataclass(frozen=True, slots=True)
class Timer:
    """The host's timer, as its service manager told it."""

    sub: str
    """systemd's sub-state; ``waiting`` and ``running`` are as they should be."""
    enabled: bool
    next_at: float | None
    """When it next elapses, by the host's clock, in seconds since 1970; null for never."""


@dataclass(frozen=True, slots=True)
class Cycle:
    """The last cycle of a host, also one that was skipped or failed."""

    outcome: str
    """``done``, ``skipped``, ``failed``, or ``running``."""
    reason: str
    age_s: float | None
    """Seconds since it ended or, if it has not, began."""


@dataclass(frozen=True, slots=True)
class Host:
    """One host entry of the inventory, or one named instance."""

    name: str
    """Its name in the inventory."""
    state: HostState
    """``silent``: it could not be reached, or there is no report of it; ``stale``: its last full
    report is too old, or there is none because cycles are skipped; ``problem``: something else is
    wrong; ``well``."""
    remarks: list[Remark]
    collected_age_s: float | None
    """Seconds since it last answered; null if it never did."""
    report_age_s: float | None
    """Seconds since its last full report was begun; null if there is none."""
    release: str | None
    """Id of the release that is active on it."""
    comfywatchman_version: str | None
    """Version that made its last full report."""
    comfyui_version: str | None
    timer: Timer | None
    cycle: Cycle | None
    runnable: int = 0
    """How many of its workflows its last full report called so; likewise below."""
    partial: int = 0
    broken: int = 0
    unknown: int = 0
    accepted: int = 0
    """How many of them somebody has accepted as they are."""
    will_fail: int = 0
    """How many of them name a damaged model file and nobody has accepted as they are: ComfyUI takes
    them, wholly or in part, and fails."""
    damaged_models: int = 0
    """How many model files on it are damaged."""

    @property
    def needs_attention(self) -> bool:
        """Whether something is wrong with it that does not end by itself."""
        return any(remark.problem for remark in self.remarks)


@dataclass(frozen=True, slots=True)
class FleetFinding:
    """What is wrong with a workflow on some hosts, merged over the nodes it shows at."""

    code: str
    severity: str
    message: str
    fix: str | None
    where: str
    """The nodes and inputs it shows at, e.g. ``KSampler #4 (seed)``; may be empty."""


@dataclass(frozen=True, slots=True)
class Group:
    """The hosts on which a workflow is the same, for the same reasons."""

    state: State
    """``stale`` and ``silent`` hosts have their own state, whatever they last said."""
    verdict: Verdict
    """What each host's last full report says."""
    findings: list[int]
    """Places in the fleet's ``findings``; errors come first."""
    findings_left_out: int
    """How many findings are beyond the limit; the host's own report has them."""
    outputs_lost: list[str]
    not_checked: list[str]
    """Why it is unknown, if it is."""
    hosts: list[str]
    will_fail: bool = False
    """Whether it names a damaged model file: ComfyUI takes it, and fails."""
    accepted: str | None = None
    """That somebody has accepted it as it is, until when, who, and why, in one sentence; null if
    nobody has."""
    damaged: list[str] = field(default_factory=list)
    """The model files for which it will fail, e.g. ``vae/ae.safetensors``: the first of them."""


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow, and where it runs."""

    name: str
    """Its path below the folder that was searched, or below its user's on the server; this is what
    makes workflows of two hosts the same."""
    runnable_on: list[str]
    """The hosts that can run it now, by a report that is fresh."""
    groups: list[Group]


@dataclass(frozen=True, slots=True)
class ModelDifference:
    """Model files that some hosts have and others lack: those of one folder, on the same hosts."""

    folder: str
    names: list[str]
    on: list[str]
    missing_on: list[str]


@dataclass(frozen=True, slots=True)
class ModelSize:
    """The hosts on which a model file has the same size and, as far as is known, content."""

    size: int
    """Bytes."""
    hosts: list[str]
    sha256: str | None = None
    """Of its content, where files of one size differ in that; null where nobody has read it."""


@dataclass(frozen=True, slots=True)
class ModelSizes:
    """A model file that has the same name on several hosts, and not the same size or content."""

    folder: str
    name: str
    sizes: list[ModelSize]
    """That of most hosts first."""


@dataclass(frozen=True, slots=True)
class Damage:
    """The hosts on which a model file is damaged in the same way."""

    message: str
    """What is wrong with it, in a sentence."""
    fix: str | None
    hosts: list[str]


@dataclass(frozen=True, slots=True)
class DamagedFile:
    """A model file that is damaged on one or more hosts."""

    folder: str
    name: str
    workflows: int
    """How many workflows name it, on the host with most."""
    damages: list[Damage]
    """That of most hosts first."""


@dataclass(frozen=True, slots=True)
class PackVariant:
    """The hosts on which a pack is the same."""

    node_types: int
    """0: it is not installed, is disabled, or did not import."""
    hosts: list[str]
    version: str | None = None
    """Null where it is not known; likewise below."""
    commit: str | None = None
    enabled: bool | None = None
    import_failed: bool | None = None


@dataclass(frozen=True, slots=True)
class PackDifference:
    """A custom node pack that is not the same on all hosts."""

    name: str
    variants: list[PackVariant]


@dataclass(frozen=True, slots=True)
class Version:
    """The hosts that have the same version of something."""

    value: str
    """Empty: not known."""
    hosts: list[str]


@dataclass(frozen=True, slots=True)
class FleetChange:
    """Something that changed on one or more hosts; the same change on several hosts is one."""

    kind: str
    """What kind of thing: ``pack``, ``comfyui``, ``model``, ``input_file``, ``workflow``,
    ``settings``, ``server``, ``program`` (ComfyWatchman itself: nothing of the hosts),
    ``unexplained``, or a kind of fact, e.g. ``package``; empty if a report does not say it."""
    text: str
    """What changed, in a sentence."""
    cause: bool
    """Whether workflows got worse by it or, of ``program``, were judged anew."""
    first_at: str
    """Start of the first cycle that found it, by the controller's clock, in ISO 8601 and UTC."""
    last_at: str
    """Start of the last one."""
    hosts: list[str]
    worse: int = 0
    """How many workflows got worse by it: those of one name on several hosts are one, as far as
    the hosts still say which they are, else as many as on the host with most."""
    workflows: list[str] = field(default_factory=list)
    """Names of some of them."""
    id: str | None = None
    """Of a cause, the same as in the hosts' reports; null for several taken together."""
    sureness: str | None = None
    """Of a cause, how sure it is where it is least sure: ``certain``, ``likely`` or ``one_of``."""
    candidates: list[str] = field(default_factory=list)
    """Of ``one_of``: what may have done it."""
    parts: list[str] = field(default_factory=list)
    """Of several taken together, such as the files of a share that was lost: some of them."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """Every host, every workflow, and how the hosts differ."""

    comfywatchman_version: str
    made_at: str
    """When, by the controller's clock, in ISO 8601 and UTC."""
    well: bool
    """Whether every host is well."""
    hosts: list[Host]
    """In the inventory's order of names."""
    workflows: list[Workflow]
    findings: list[FleetFinding]
    """Each distinct finding, once."""
    releases: list[Version]
    comfyui_versions: list[Version]
    compared: list[str]
    """The hosts whose models and packs were compared."""
    models: list[ModelDifference]
    models_left_out: int
    """Differences beyond the limit."""
    packs: list[PackDifference]
    remarks: list[str] = field(default_factory=list)
    """What is to be said of the folder itself."""
    model_sizes: list[ModelSizes] = field(default_factory=list)
    """Models of one name and another size or content, by folder and name."""
    model_sizes_left_out: int = 0
    """How many of them are beyond the limit."""
    damaged: list[DamagedFile] = field(default_factory=list)
    """Model files that are damaged; those that workflows name, and on most hosts, first."""
    damaged_left_out: int = 0
    """How many of them are beyond the limit."""
    changes: list[FleetChange] = field(default_factory=list)
    """What changed on the hosts in the last weeks, the newest first."""
    changes_left_out: int = 0
    """How many changes are beyond the limits; the hosts' own reports have them."""
    worse_hosts: list[str] = field(default_factory=list)
    """The hosts on which a workflow got worse in the last 24 hours."""
    changes_unknown: list[str] = field(default_factory=list)
    """The hosts that may have changed since without anybody knowing: no history is kept there, or
    the last full report is old."""
    schema_version: Literal[1] = FLEET_SCHEMA_VERSION


@dataclass(frozen=True, slots=True)
class NeededModel:
    """A model file that a workflow names."""

    folder: str | None
    """Null where no host knows it."""
    name: str
    size: int | None
    """Bytes, as on the hosts that have it, those that can run the workflow first; null where none
    says."""
    sizes_differ: bool
    """Whether hosts have it in several sizes."""
    contents_differ: bool
    """Whether hosts that have read it as a whole found several contents."""
    hosts: list[str]
    """Those that have it."""


@dataclass(frozen=True, slots=True)
class NeededPack:
    """A pack that a workflow needs."""

    name: str
    versions: list[str]
    """Those that it was saved with, sorted."""
    hosts: list[str]
    """Those that have it, enabled and imported."""


@dataclass(frozen=True, slots=True)
class Copy:
    """What would have to come from one host."""

    host: str
    models: list[int]
    """Places in the ``models`` of the whole."""
    size: int
    """Bytes of those whose size is known."""


@dataclass(frozen=True, slots=True)
class HostAnswer:
    """What one host is for a workflow."""

    name: str
    state: State | Literal["not_judged"]
    """``not_judged``: its report has no such workflow, so what lacks is what the others' reports
    name and its inventory does not; ``stale`` and ``silent``: what it last said is too old, or
    unknown."""
    verdict: Verdict | None
    """What its last full report says; null without one of this workflow."""
    found_by: Literal["digest", "name"] | None
    """``digest``: it has the same content, under whatever name; ``name``: the same name, and
    another content or none that is known."""
    workflow: str | None
    """What it is called there."""
    comfyui_version: str | None
    inventory_known: bool
    """Whether its models and packs are known."""
    remarks: list[str]
    """What is to be said of the host, or of its answer."""
    lacks_models: list[int]
    """Places in the ``models`` of the whole."""
    lacks_packs: list[str]
    lacks_node_types: list[str]
    errors: list[str]
    """What else is wrong with the workflow there, in sentences."""
    size: int
    """Bytes of the models it lacks, of those whose size is known."""
    sizes_unknown: int
    """How many of them have none that is known."""
    copies: list[Copy]
    """From which hosts they could come, as few as can be found."""
    nowhere: list[int]
    """Places of those that no host has."""


@dataclass(frozen=True, slots=True)
class Where:
    """Which hosts can run a workflow, and what lacks on the others."""

    comfywatchman_version: str
    made_at: str
    """When, by the controller's clock, in ISO 8601 and UTC."""
    workflow: str
    content_digest: str | None
    """SHA-256 of the content that is meant; null where no host says it."""
    versions: list[Version]
    """By content, the hosts that have a workflow of this name; that of most hosts first."""
    runnable_on: list[str]
    """The hosts that can run it now, by a report that is fresh."""
    models: list[NeededModel]
    packs: list[NeededPack]
    hosts: list[HostAnswer]
    schema_version: Literal[1] = WHERE_SCHEMA_VERSION
