r"""The fleet as data: the content of ``fleet.json``, in a versioned schema.

Markdown and HTML are drawn from it. Its JSON Schema is published as ``docs/schema/fleet-1.json``.
Fields are only ever added within one major schema version. All text is as others wrote it, save
that control, invisible and direction-changing characters are written out (``\x1b``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

FLEET_SCHEMA_VERSION: Literal[1] = 1

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
class PackVariant:
    """The hosts on which a pack has the same number of node types."""

    node_types: int
    """0: it is not installed, or did not import."""
    hosts: list[str]


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
    schema_version: Literal[1] = FLEET_SCHEMA_VERSION
