"""What is told of a host's model files, as data: ``models --format json`` and ``models verify``."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  (pydantic needs it)
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from comfywatchman.results import Sentence  # noqa: TC001  (pydantic needs it)

MODELS_SCHEMA_VERSION: Literal[1] = 1
VERIFICATION_SCHEMA_VERSION: Literal[1] = 1
NOT_LOOKED_AT: Final = "not_looked_at"
NOT_FOUND: Final = "not_found"
WELL: Final = "ok"

Count = Annotated[int, Field(ge=0)]


class _Frozen(BaseModel):
    # schemas.py puts the fields' docstrings into the schema, as for the reports.
    model_config = ConfigDict(frozen=True, extra="forbid")


class LedgerFile(_Frozen):
    """A model file that the server lists."""

    folder: Sentence
    """The model folder that lists it (``checkpoints``, …)."""
    name: Sentence
    """The file as the server lists it."""
    path: Sentence | None = None
    """Where it lies on this host; null if it was not found there."""
    size: Count | None = None
    """In bytes; null if that is not known."""
    modified: datetime | None = None
    """When its content was last changed, UTC."""
    state: str
    """``ok``; a finding's code such as ``model_truncated``; ``not_looked_at``; ``not_found``: the
    server lists it, and it was not seen on this host."""
    detail: Sentence = ""
    """What is wrong with it, in a sentence."""
    sha256: str | None = None
    """Of its content as it was last read as a whole, if that was since it was last changed."""
    verified_at: datetime | None = None
    """When that was, UTC."""
    needed_by: list[int] = []
    """The workflows whose nodes need it, under this name or another that it has by links, by their
    places in ``workflows``; muted nodes aside."""
    named_by: list[int] = []
    """The same of those that name it anywhere: in nodes, muted ones too, in texts and in notes."""


class MissingModel(_Frozen):
    """A model file that a workflow needs, and the server does not have."""

    folder: Sentence | None = None
    """Its folder below ComfyUI's ``models``; null if that is not known."""
    name: Sentence
    size: Count | None = None
    """In bytes, where another host that was compared has it."""


class LedgerWorkflow(_Frozen):
    """A workflow that was read."""

    path: Sentence
    name: Sentence
    bytes_needed: Count = 0
    """Of the files that it needs and that are there, each counted once."""
    bytes_missing: Count = 0
    """What lacks, as far as its size is known: files that are missing, parts of damaged ones."""
    missing: list[MissingModel] = []
    largest: int | None = None
    """The largest single file that it needs, by its place in ``files``."""


class SameFile(_Frozen):
    """One content under several names."""

    kind: Literal["linked", "copied"]
    """``linked``: one file by hard or symbolic links; ``copied``: files with one SHA-256."""
    size: Count
    """Bytes of one of them."""
    files: list[int]
    """Their places in ``files``."""


class Ledger(_Frozen):
    """The model files of a host, what they are, and which workflows need them."""

    schema_version: Literal[1] = MODELS_SCHEMA_VERSION
    comfywatchman_version: str
    host: Sentence
    instance: str = ""
    made_at: datetime
    """UTC."""
    source: Sentence
    """Where the names of the files are from: the server, or the last full check."""
    workflows_read: Count
    workflows_unread: Count = 0
    """How many could not be read: what they name is not known."""
    workflows_excluded: Count = 0
    """How many were not read, as ``workflow_exclude`` says: what they name is not known."""
    files: list[LedgerFile]
    """Sorted by folder and name."""
    workflows: list[LedgerWorkflow]
    same: list[SameFile] = []
    total_bytes: Count = 0
    """Of all files, each counted once however many names it has."""
    not_named: Count = 0
    """How many files no workflow that was read names; others may need them all the same."""
    not_named_bytes: Count = 0
    not_checked: list[Sentence] = []
    """What could not be seen."""


class Outcome(StrEnum):
    """What came of reading one file as a whole."""

    AGREES = "agrees"
    """What is written down of it says the same."""
    FIRST = "first"
    """Nothing is written down of it: its hash is kept, to be compared with later."""
    DIFFERS = "differs"
    """What is written down of it says otherwise."""
    ROTTEN = "rotten"
    """It holds something else than when it was read before, and was not changed since."""
    CHANGED = "changed"
    """It was changed while it was read, so that nothing can be said."""
    UNREADABLE = "unreadable"


class Said(_Frozen):
    """What one source says of a file."""

    source: Sentence
    sha256: list[str]
    """Each of which would do."""
    agrees: bool


class VerifiedFile(_Frozen):
    """A file that was read as a whole."""

    folder: Sentence
    name: Sentence
    path: Sentence
    size: Count
    outcome: Outcome
    sha256: str | None = None
    said: list[Said] = []
    text: Sentence
    """What came of it, in a sentence."""


class Verification(_Frozen):
    """What came of ``models verify``."""

    schema_version: Literal[1] = VERIFICATION_SCHEMA_VERSION
    comfywatchman_version: str
    host: Sentence
    started_at: datetime
    """UTC."""
    duration_s: Annotated[float, Field(ge=0)]
    budget: Count
    """Bytes that might be read."""
    bytes_read: Count
    files: list[VerifiedFile]
    """Those that were read now."""
    ended: Sentence
    """Why no more were read."""
    files_left: Count = 0
    """How many were not read now, of all that were found."""
    never_read: Count = 0
    """How many have never been read since they were last changed."""
    too_large: Count = 0
    """How many of these are larger than the budget."""
    not_checked: list[Sentence] = []

    @property
    def bad(self) -> list[VerifiedFile]:
        """Those whose content is not what it should be."""
        return [f for f in self.files if f.outcome in (Outcome.DIFFERS, Outcome.ROTTEN)]
