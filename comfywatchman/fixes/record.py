"""What fixes have written: a record each, made before anything is written, with the old bytes.

A record and the files that it names tell together how far a fix came that was killed: each file
holds the bytes from before it, or those from after it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from comfywatchman import state, state_files
from comfywatchman.errors import ConfigError
from comfywatchman.escape import visible
from comfywatchman.findings import quoted
from comfywatchman.fixes.writing import naming
from comfywatchman.results import Sentence

if TYPE_CHECKING:
    from collections.abc import Iterable

FIX_LIST_SCHEMA_VERSION: Literal[1] = 1
MOST: Final = 200
"""Fixes on record; of older ones nothing is kept."""
ROOM: Final = 256 * 1024**2
"""Bytes of the old content that is kept. The newest fix is kept in any case."""
_LARGEST: Final = 64 * 1024**2


class Progress(StrEnum):
    """How far a fix came."""

    BEGUN = "begun"
    """It was on record before it wrote; if it stands there, it was cut off."""
    DONE = "done"
    UNDONE = "undone"


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Written(_Kept):
    """A workflow that a fix edits."""

    path: str
    """Where it is, as people name it."""
    real: str
    """Where it lies, behind links."""
    before: str
    """SHA-256 of its bytes before."""
    after: str
    """SHA-256 of its bytes after."""
    copy_name: str
    """The file in the state folder that has those from before."""


class Linked(_Kept):
    """A link that a fix makes."""

    source: str
    """The file that it leads to."""
    target: str
    """Where it is."""
    device: int
    """The file system of the file."""
    inode: int
    """The file's number there."""


class Fetched(_Kept):
    """A file that a fix downloads."""

    target: str
    """Where it is put."""
    url: str
    """From where, without secrets."""


class Record(_Kept):
    """A fix."""

    id: str
    """Its name."""
    at: datetime
    """When, UTC."""
    progress: Progress
    """How far it came, by its own account; ``how_far`` in a list holds that against the files."""
    fixes: list[str]
    """The ids of what was proposed."""
    written: list[Written]
    """The workflows."""
    linked: list[Linked]
    """The links."""
    made: list[str]
    """The folders that were made for them, the outermost first."""
    fetched: list[Fetched]
    """The downloads."""

    def now(self, progress: Progress) -> Record:
        """The same, further on."""
        return self.model_copy(update={"progress": progress})


class ListedFix(Record):
    """A fix, as ``fix --list`` shows it."""

    how_far: str
    """How far it came, in words."""


class FixList(_Kept):
    """What ``comfywatchman fix --list --format json`` prints."""

    schema_version: Literal[1] = FIX_LIST_SCHEMA_VERSION
    fixes: list[ListedFix]
    """What was applied, the newest first."""
    problems: list[Sentence]
    """One sentence for each record that makes no sense."""


def new_id(now: datetime) -> str:
    """A name that sorts by time."""
    return f"{now.astimezone(UTC):%Y%m%d-%H%M%S}-{now.microsecond:05x}{secrets.randbits(12):03x}"


def copy_name(name: str, number: int) -> str:
    """The file of a fix that has the old bytes of its so-manieth workflow."""
    return f"{state_files.FIX}{name}-{number}{state_files.FIX_COPY}"


def keep(folder: Path, record: Record) -> None:
    """Write a record, in place of the one of the same name.

    Raises:
        OSError: it could not be written.
    """
    content = record.model_dump_json(indent=2).encode() + b"\n"
    file = folder / f"{state_files.FIX}{record.id}.json"
    with naming(str(file)):
        state.replace_file(file, content)


def find(folder: Path, name: str) -> Record:
    """The record of a fix.

    Raises:
        ConfigError: there is none, or it makes no sense.
    """
    file = folder / f"{state_files.FIX}{name}.json"
    if not state_files.is_ours(file.name):
        raise ConfigError(f"{quoted(name, 100)} is no id of a fix: fix --list shows them")
    try:
        record = Record.model_validate_json(state.read_file(file, _LARGEST))
    except FileNotFoundError:
        raise ConfigError(
            f"there is no fix {name} on record in {visible(str(folder))}: fix --list shows them"
        ) from None
    except OSError as error:
        raise ConfigError(f"{visible(str(file))}: cannot be read: {error.strerror}") from None
    except (ValidationError, RecursionError):
        raise ConfigError(f"{visible(str(file))}: is damaged, or of another release") from None
    if record.id != name:
        raise ConfigError(f"{visible(str(file))}: is the record of another fix")
    return record


def everything(folder: Path) -> tuple[list[Record], list[str]]:
    """All records, the oldest first, and a sentence for each that makes no sense."""
    records: list[Record] = []
    problems: list[str] = []
    for name in _names(folder):
        try:
            records.append(find(folder, name))
        except ConfigError as error:
            problems.append(str(error))
    return records, problems


def listed(known: Iterable[Record], problems: list[str]) -> FixList:
    """Records as data; see :func:`everything`."""
    fixes = [ListedFix(**each.model_dump(), how_far=how_far(each)) for each in known]
    return FixList(fixes=fixes[::-1], problems=problems)


def copied(folder: Path, written: Written) -> bytes:
    """The bytes of a workflow from before a fix.

    Raises:
        ConfigError: they are not there, or others.
    """
    file = folder / written.copy_name
    shown = visible(str(file))
    if not state_files.is_ours(written.copy_name):
        raise ConfigError(f"{shown}: is no copy of ours")
    try:
        raw = state.read_file(file)
    except OSError as error:
        raise ConfigError(f"{shown}: cannot be read: {error.strerror}") from None
    if digest(raw) != written.before:
        raise ConfigError(f"{shown}: does not hold what {visible(written.path)} held")
    return raw


def forget_old(folder: Path) -> None:
    """Remove the oldest fixes beyond what is kept."""
    sizes: dict[str, int] = {}
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            if entry.name.startswith(state_files.FIX) and entry.name.endswith(state_files.FIX_COPY):
                with contextlib.suppress(OSError):
                    name = entry.name.removeprefix(state_files.FIX).rpartition("-")[0]
                    sizes[name] = sizes.get(name, 0) + entry.stat(follow_symlinks=False).st_size
    names = _names(folder)
    total = 0
    for age, name in enumerate(sorted({*names, *sizes}, reverse=True)):
        total += sizes.get(name, 0)
        if age and (age >= MOST or total > ROOM):
            forget(folder, name)


def forget(folder: Path, name: str) -> None:
    """Remove all that is kept of a fix."""
    for file in folder.glob(f"{state_files.FIX}{name}*"):
        if state_files.is_ours(file.name):
            with contextlib.suppress(OSError):
                file.unlink()


def digest(raw: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(raw).hexdigest()


def _names(folder: Path) -> list[str]:
    names = (file.stem for file in folder.glob(f"{state_files.FIX}*.json"))
    return sorted(
        name.removeprefix(state_files.FIX) for name in names if state_files.is_ours(f"{name}.json")
    )


def how_far(record: Record) -> str:
    """How far a fix came, also one that was killed: its files tell."""
    if record.progress is not Progress.BEGUN:
        return record.progress.value
    states = {_holds(written) for written in record.written}
    if states <= {"old"} and not any(os.path.lexists(each.target) for each in record.linked):
        return "cut off before anything was written"
    if states == {"new"}:
        return "cut off when all was written"
    return "cut off in between: --undo takes back what was written"


def _holds(written: Written) -> str:
    try:
        raw = state.read_file(Path(written.real))
    except OSError:
        return "unknown"
    return {written.before: "old", written.after: "new"}.get(digest(raw), "unknown")
