"""Looks into the model files of a host: those that changed, for as long as there is time."""

from __future__ import annotations

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
    """
    began = time.time_ns()
    budget = Budget(seconds)
    models = [f for f in files if f.folder not in _NO_MODELS and looks_like_model(f.name)]
    conditions: dict[str, Condition] = {}
    written: dict[str, int] = {}
    unknown: dict[int, dict[str, None]] = defaultdict(dict)
    for file in models:
        known = answers.get(file)
        if known is not None:
            conditions[file.path] = known
        else:
            unknown[file.dev][file.path] = None
            written[file.path] = file.mtime_ns
    found: list[tuple[str, Condition]] = []

    def read(paths: Iterable[str]) -> None:
        for path in sorted(paths, key=lambda path: path not in first):
            budget.check()
            found.append((path, _as_it_grows(look(path, time.time()), written[path])))

    trouble = [answers.damage] if answers.damage else []
    readings = [Reading(partial(read, paths), budget) for paths in unknown.values()]
    for reading in readings:
        try:
            reading.result()
        except Blind as reason:
            trouble.append(f"model files: {reason}")
    new = dict(list(found))  # a reader that hangs may add to it still
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


def _as_it_grows(condition: Condition, written_ns: int) -> Condition:
    """What lacks bytes and was written to just now is being downloaded or copied, by whatever."""
    young = abs(time.time_ns() - written_ns) < YOUNG * 10**9
    cut_off = condition.lacking or condition.code == codes.TRUNCATED.name
    # A pointer is all there is of it.
    if cut_off and young and condition.fails and condition.oid_size is None:
        return replace(condition, code=codes.DOWNLOAD_UNFINISHED.name)
    return condition
