"""The state of files, as a plan notes it down and holds it against what is there later."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from comfywatchman import state
from comfywatchman.escape import visible
from comfywatchman.fixes.plan import Role, SeenFile
from comfywatchman.history.schema import mapped

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from io import BufferedReader

    from comfywatchman.comfyui.catalog import NodeType
    from comfywatchman.fixes.plan import PlannedWorkflow
    from comfywatchman.history.schema import Key
    from comfywatchman.history.world import World

PART: Final = 5 * 1024**2
"""Bytes that are read at the beginning, in the middle and at the end of what is large."""
WHOLE: Final = 64 * 1024**2
"""Bytes up to which a file that is no workflow is read as a whole."""


def look(path: str, role: Role) -> SeenFile:
    """Look at a file.

    Raises:
        OSError: it is not there, cannot be read, or is no regular file.
        ValueError: nothing can be named so, or it cannot be written down in a plan.
    """
    path.encode()  # half a surrogate stands for a byte that is no UTF-8, which JSON cannot hold
    real = os.path.realpath(path)
    real.encode()
    with state.open_at_once(Path(real)) as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(0, "is no regular file", path)
        whole = role is Role.WORKFLOW or status.st_size <= WHOLE
        return SeenFile(
            path=path,
            real=real,
            role=role,
            size=status.st_size,
            mtime_ns=status.st_mtime_ns,
            ctime_ns=status.st_ctime_ns,
            device=status.st_dev,
            inode=status.st_ino,
            sha256=_digest(stream, status.st_size, whole=whole),
            whole=whole,
        )


def moved(seen: SeenFile, made_at: datetime, *, linked: bool = False) -> str | None:
    """What has become of a file since a plan was made: a sentence, or None if it is as it was.

    Args:
        seen: the file, as it was then.
        made_at: when that was.
        linked: whether it was given another name since, by the plan itself.
    """
    name = visible(seen.path)
    try:
        real = os.path.realpath(seen.path)
        if real != seen.real:
            return f"stale: {name} led to {visible(seen.real)}, and now leads to {visible(real)}"
        now = look(seen.path, seen.role)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        return f"stale: {name} could be read at the plan ({_time(made_at)}), and now not: {why}"
    if now.sha256 != seen.sha256 or now.size != seen.size:
        changed = datetime.fromtimestamp(now.mtime_ns / 1e9, UTC)
        if changed > made_at:
            return f"stale: {name} was saved at {_time(changed)}, after the plan ({_time(made_at)})"
        return (
            f"stale: {name} holds other bytes than at the plan ({_time(made_at)}), though its time "
            f"says {_time(changed)}"
        )
    if seen.role is Role.WORKFLOW:  # which was read from the first to the last byte
        return None
    same = ("mtime_ns", "device", "inode") + (() if linked else ("ctime_ns",))
    if any(getattr(now, key) != getattr(seen, key) for key in same):
        return f"stale: {name} was replaced, moved or touched after the plan ({_time(made_at)})"
    return None


def catalog_digest(world: World, workflows: Iterable[PlannedWorkflow]) -> str:
    """Digest of all that a server says of its node types, its models and its embeddings.

    Input files come and go, as people upload them: a list of them is left out, unless it has one
    that fixes name.

    Args:
        world: what the server says.
        workflows: what is done.
    """
    edits = [edit for each in workflows for fix in each.fixes for edit in fix.edits]
    named = {edit.after for edit in edits if isinstance(edit.after, str)}
    catalog, inventory = world.catalog, world.inventory
    said = {
        "version": catalog.version,
        "replacements": catalog.replacements,
        "node_types": {**catalog.declarations}
        | {t.name: _without_uploads(t, named) for t in catalog.values()},
        "models": {folder: sorted(names) for folder, names in inventory.models.items()},
        "embeddings": sorted(inventory.embeddings or ()),
    }
    try:
        text = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # numbers and texts that are more than JSON should hold
        text = json.dumps(said, sort_keys=True, default=repr).encode()
    return hashlib.sha256(text).hexdigest()


def _without_uploads(node_type: NodeType, named: Collection[str]) -> object:
    """Its declaration, without lists of input files that have none of the named ones."""
    uploads = {spec.name for spec in node_type.inputs.values() if spec.takes_uploads}
    if not uploads:
        return node_type.declaration

    def rest(key: Key, items: list[Any]) -> list[Any]:
        ours = key[:1] and key[0] in uploads and not any(each in items for each in named)
        return [] if ours else items

    return mapped(node_type.declaration, rest)


def _digest(stream: BufferedReader, size: int, *, whole: bool) -> str:
    if whole:
        return hashlib.file_digest(stream, "sha256").hexdigest()
    digest = hashlib.sha256()
    for begin in (0, (size - PART) // 2, size - PART):
        stream.seek(begin)
        digest.update(stream.read(PART))
    return digest.hexdigest()


def _time(moment: datetime) -> str:
    """With its day only where that is not today."""
    here = moment.astimezone()
    today = datetime.now(UTC).astimezone().date()
    return f"{here:%H:%M:%S}" if here.date() == today else f"{here:%Y-%m-%d %H:%M:%S}"
