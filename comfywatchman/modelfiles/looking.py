"""Looks into the model files of a host: those that changed, for as long as there is time."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from comfywatchman.comfyui.names import looks_like_model
from comfywatchman.modelfiles import codes
from comfywatchman.modelfiles.inspecting import YOUNG, inspect
from comfywatchman.time_limit import Blind, Budget, Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from comfywatchman.comfyui.model_files import ModelFile
    from comfywatchman.modelfiles.answers import Answers
    from comfywatchman.modelfiles.condition import Condition

_PAUSE_S: Final = 3.0
"""Seconds that a file which may be growing is watched: what writes one does not stop so long."""
_NO_MODELS: Final = frozenset({"configs", "custom_nodes"})
"""What the server lists beside models, by its folders' names."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What is known of the model files.

    Attributes:
        conditions: by path, of those of which something is.
        files: the model files that were to be looked into.
        trouble: one sentence for each thing that went wrong; they are for the journal.
        not_checked: one sentence for each thing that could not be looked at.
    """

    conditions: Mapping[str, Condition] = field(default_factory=dict)
    files: Sequence[ModelFile] = ()
    trouble: Sequence[str] = ()
    not_checked: Sequence[str] = ()


def looked_into(
    files: Iterable[ModelFile],
    answers: Answers,
    seconds: float,
    *,
    first: Collection[str] = (),
    whole: bool = True,
    look: Callable[[str, float], Condition] = inspect,
    pause: float = _PAUSE_S,
) -> Looked:
    """Find out how model files are. Never raises for what lies there.

    Each file system is read by a reader of its own: one that hangs takes the time that there is,
    and no other along.

    Args:
        files: those of this host.
        answers: what is known of them; it is kept up to date.
        seconds: how long it may take; what is not reached is left to the next cycles.
        first: paths of those that matter most.
        whole: whether these are all files of the host.
        look: looks into one.
        pause: for how many seconds what may be growing is watched, if there is such.
    """
    began = time.time_ns()
    budget = Budget(seconds)
    models = [f for f in files if f.folder not in _NO_MODELS and looks_like_model(f.name)]
    conditions: dict[str, Condition] = {}
    unknown: dict[int, dict[str, None]] = defaultdict(dict)
    for file in models:
        known = answers.get(file)
        if known is not None:
            conditions[file.path] = known
        else:
            unknown[file.dev][file.path] = None
    found: list[tuple[str, Condition]] = []

    def read(paths: Iterable[str]) -> None:
        for path in sorted(paths, key=lambda path: path not in first):
            budget.check()
            found.append((path, look(path, time.time())))

    trouble = [answers.damage] if answers.damage else []
    readings = [Reading(partial(read, paths), budget) for paths in unknown.values()]
    for reading in readings:
        try:
            reading.result()
        except Blind as reason:
            trouble.append(f"model files: {reason}")
    new = dict(list(found))  # a reader that hangs may add to it still
    for path in _growing([f for f in models if _may_grow(f, new.get(f.path))], pause, budget):
        new[path] = replace(new[path], code=codes.DOWNLOAD_UNFINISHED.name)
    conditions |= new
    not_kept = answers.keep(new, models, began, whole=whole)
    left = sum(map(len, unknown.values())) - len(new)
    not_checked = []
    if left:
        not_checked.append(
            f"{left:,} of {len(models):,} model files have not been looked into yet: the next "
            f"cycles go on ({'; '.join(trouble[-1:])})"
        )
    return Looked(conditions, models, [*trouble, *filter(None, [not_kept])], not_checked)


def _may_grow(file: ModelFile, condition: Condition | None) -> bool:
    """Whether somebody may be downloading or copying it: its end lacks, and it was just written."""
    if condition is None or not condition.fails or condition.oid_size is not None:
        return False  # a pointer is all there is of it
    young = abs(time.time_ns() - file.mtime_ns) < YOUNG * 10**9
    return young and bool(condition.lacking or condition.code == codes.TRUNCATED.name)


def _growing(files: Sequence[ModelFile], pause: float, budget: Budget) -> list[str]:
    """Those that are written to while they are watched; all of them, if they cannot be."""

    def watch() -> list[str]:
        time.sleep(pause)
        return [file.path for file in files if not _stands(file)]

    if not files:
        return []
    try:
        return Reading(watch, budget).result()
    except Blind:
        return [file.path for file in files]


def _stands(file: ModelFile) -> bool:
    """Whether a file is as it was seen."""
    try:
        status = os.stat(file.path)  # noqa: PTH116  (a name that may be no text)
    except (OSError, ValueError):
        return False
    return (status.st_size, status.st_mtime_ns) == (file.size, file.mtime_ns)
