"""A plan: what a fix changes, to the byte, and the state of all files that this rests on.

Its JSON Schema is published as ``docs/schema/fix-plan-1.json``. Who applies a plan need not trust
it: it names files and values, and each is held against this host before anything is written.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from comfywatchman import redaction, state
from comfywatchman.errors import ConfigError
from comfywatchman.escape import visible
from comfywatchman.fixes.writing import put
from comfywatchman.results import Confidence, FixKind, Sentence, Verdict

PLAN_SCHEMA_VERSION: Literal[1] = 1
LARGEST: Final = 256 * 1024**2
"""Bytes of a plan."""

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Role(StrEnum):
    """What a file is to a plan."""

    WORKFLOW = "workflow"
    MODEL = "model"
    INPUT_FILE = "input_file"


class SeenFile(_Frozen):
    """A file that a plan reads or writes, as it was when the plan was made."""

    path: str
    """Where it is, as people name it."""
    real: str
    """Where it lies, behind whatever links lead there."""
    role: Role
    """What it is to the plan."""
    size: int
    """Bytes."""
    mtime_ns: int
    """When its content was last changed, in nanoseconds of Unix time."""
    ctime_ns: int
    """When anything of it was, likewise."""
    device: int
    """The file system that it is on."""
    inode: int
    """Its number there."""
    sha256: Sha256
    """Of all of it, or of parts; see ``whole``."""
    whole: bool
    """Whether ``sha256`` is of all bytes. Of larger files but workflows it is of the first, middle
    and last five mebibytes."""


class PlannedEdit(_Frozen):
    """One value of a workflow's JSON document that is set to another."""

    pointer: list[str | int]
    """Keys and positions that lead to it."""
    before: Any
    """What stands there."""
    after: Any
    """What shall stand there."""


class PlannedLink(_Frozen):
    """A file that shall also be found in another folder."""

    source: SeenFile
    """The file."""
    target: str
    """Where it shall be found too; nothing is there."""


class PlannedDownload(_Frozen):
    """A file that shall be fetched, only with ``--allow-download``."""

    url: str
    """From where."""
    folder: str
    """The model folder, as the server calls it."""
    name: str
    """What it shall be called there."""
    target: str
    """Where it shall be put; nothing is there."""
    sha256: str | None
    """What it must have, if that is known."""
    size: int | None
    """How many bytes it must have, likewise."""


class PlannedFix(_Frozen):
    """One fix."""

    id: str
    """The same whenever the same fault of the same content is given the same fix."""
    strategy: str
    """What found it."""
    kind: FixKind
    """What following it means."""
    confidence: Confidence
    """``proven`` only if the outcome was judged, and the verdict rose."""
    text: Sentence
    """What it does, in a sentence."""
    proof: Sentence | None
    """What was judged, of one that is ``proven``."""
    fingerprints: list[str]
    """The findings it is for."""
    edits: list[PlannedEdit]
    """What it changes in the workflow."""
    link: PlannedLink | None
    """The file it brings into another folder."""
    download: PlannedDownload | None
    """The file it fetches."""


class Outcome(_Frozen):
    """What becomes of a workflow."""

    fixes: list[str]
    """The ids of the fixes, downloads left out."""
    sha256: Sha256 | None
    """Of the file after them; null if it is not edited."""
    verdict: Verdict
    """The verdict after them, on this host as it was."""


class PlannedWorkflow(_Frozen):
    """A workflow and the fixes for it."""

    workflow: str
    """Its path, as reports name it."""
    file: SeenFile | None
    """The file; null if it is not on this host and not edited."""
    before: Verdict
    """Its verdict as it is."""
    fixes: list[PlannedFix]
    """What the plan does, in this order."""
    all: Outcome
    """What becomes of it with all of them."""
    proven: Outcome | None
    """The same with those alone that are ``proven`` (``--only proven``); null if there are none, or
    they do not raise the verdict without the others."""


class ByHand(_Frozen):
    """What no plan does, and a person may."""

    workflow: str
    """The workflow that it is for."""
    id: str
    """Of the fix."""
    kind: FixKind
    """What it means."""
    confidence: Confidence
    """How sure it is."""
    text: Sentence
    """What to do."""
    command: Sentence | None
    """A command line that does it."""
    why: Sentence | None
    """Why the plan does not do it."""


class PlanHost(_Frozen):
    """The host that a plan is for."""

    name: str
    """As its kernel has it."""
    machine: str
    """Digest of its machine ID; empty if it has none."""
    given: str
    """The name that a person gives it; empty if none is given."""


class Plan(_Frozen):
    """What ``comfywatchman fix --plan FILE`` writes and ``fix --apply FILE`` does."""

    schema_version: Literal[1] = PLAN_SCHEMA_VERSION
    comfywatchman_version: str
    """Which release made it."""
    host: PlanHost
    """The host that it is for."""
    instance: str
    """The instance that it is for; empty for the usual one."""
    comfyui_url: str
    """The server that it was asked of."""
    made_at: AwareDatetime
    """When it was made, UTC."""
    catalog: Sha256
    """Digest of all that the server says of its node types, models and embeddings, without the
    lists of input files of which no fix names one."""
    comfyui_version: str | None
    """Release of ComfyUI; null if it is not known."""
    workflows: list[PlannedWorkflow]
    """What is done."""
    reads: list[SeenFile]
    """The files beside the workflows that this rests on."""
    by_hand: list[ByHand]
    """What is left to a person."""
    not_written: list[Sentence]
    """One sentence for each workflow that needs fixes and is not written, and why."""
    not_checked: list[Sentence]
    """One sentence for each thing that could not be seen."""
    text: list[Sentence] = []
    """All of it for people, line by line, as ``fix`` shows it; nothing rests on it."""

    @property
    def does_nothing(self) -> bool:
        """Whether there is nothing to apply."""
        return not self.workflows


def encoded(plan: Plan) -> bytes:
    """A plan as it is written."""
    return plan.model_dump_json(indent=2).encode() + b"\n"


def write(plan: Plan, file: Path) -> None:
    """Write a plan into a file of its own, for this user alone.

    Raises:
        OSError: it could not be written; also where something is there already.
    """
    put(file, redaction.catch(encoded(plan)))


def read(file: Path) -> Plan:
    """Read a plan.

    Raises:
        ConfigError: it cannot be read, or is none.
    """
    shown = visible(str(file))
    try:
        raw = state.read_file(file, LARGEST)
    except OSError as error:
        raise ConfigError(f"{shown}: cannot be read: {error.strerror}") from None
    return parse(raw, shown)


def parse(raw: bytes, shown: str) -> Plan:
    """Understand a plan.

    Raises:
        ConfigError: it is none.
    """
    try:
        return Plan.model_validate_json(raw, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ConfigError(
            f"{shown}: is no plan of this release: {visible(place, limit=200)}{': ' * bool(place)}"
            f"{visible(first['msg'], limit=200)}; make one with `comfywatchman fix --plan FILE`"
        ) from None
    except RecursionError:
        raise ConfigError(f"{shown}: is no plan: it is nested too deep") from None
