"""Judging what fixes would make of a workflow, and of all others."""

from __future__ import annotations

from functools import cached_property
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from comfywatchman.fixes.document import dump
from comfywatchman.fixes.world import File, Lists
from comfywatchman.history.comparison import kind_of_change
from comfywatchman.judging.cache import VerdictCache
from comfywatchman.judging.workflow import judge_workflow
from comfywatchman.results import RANK, ChangeKind, Severity, Verdict
from comfywatchman.workflow.find import WorkflowCopy

if TYPE_CHECKING:
    from comfywatchman.fixes.document import Document
    from comfywatchman.fixes.here import Here, Saved
    from comfywatchman.fixes.proposal import Placement
    from comfywatchman.results import WorkflowReport

Files = frozenset[File]

NOTHING: Final[Files] = frozenset()
_MOST_WORLDS: Final = 4


class Court:
    """Judges workflows of a host, as they are and as they would be.

    Args:
        here: the host.
    """

    def __init__(self, here: Here) -> None:
        self._here = here
        self._verdicts: dict[tuple[Files, Files], VerdictCache] = {}
        self._as_they_are: dict[str, tuple[WorkflowReport, frozenset[str]]] = {}

    def judge(
        self,
        saved: Saved,
        content: Document | None = None,
        files: Files = NOTHING,
        removed: Files = NOTHING,
    ) -> WorkflowReport:
        """Judge a workflow.

        Args:
            saved: it.
            content: what it would hold; None: what it holds.
            files: the model files that there would be too.
            removed: those that there would be no more.
        """
        raw = saved.raw if content is None else dump(content)
        world = self._here.world
        copy = WorkflowCopy(saved.report.path, saved.report.name, raw)
        verdicts = self._verdicts_after(files, removed)
        return judge_workflow(copy, verdicts, max_bytes=world.size, max_depth=world.depth)

    def made_worse(self, files: Files, removed: Files = NOTHING) -> list[str]:
        """The names of the workflows of the host that would be worse then.

        Args:
            files: the model files that there would be too.
            removed: those that there would be no more.
        """
        folders = {folder for folder, _ in files | removed}
        types = frozenset[str]().union(*map(self._lists.types, folders))
        worse = []
        for saved in self._here.workflows:
            was, asked = self._as_it_is(saved)
            # What rests on no list that changes, and on no embedding, stays what it is.
            if not (asked & types or "embeddings" in folders):
                continue
            if is_worse(self.judge(saved, files=files, removed=removed), was):
                worse.append(saved.report.name)
        return worse

    def made_worse_by_moving(self, placement: Placement) -> list[str]:
        """The same, if a file were not linked to its other place, but moved there."""
        removed = {(f.folder, f.name) for f in self._here.files if f.path == placement.source}
        target = PurePath(placement.target)
        files = {
            (folder, str(target.relative_to(place)))
            for folder, places in self._here.places.items()
            for place in places
            if target.is_relative_to(place)
        }
        return self.made_worse(frozenset(files), frozenset(removed))

    def _as_it_is(self, saved: Saved) -> tuple[WorkflowReport, frozenset[str]]:
        """The verdict on a workflow, and the node types that it rests on."""
        path = saved.report.path
        if path not in self._as_they_are:
            report = self.judge(saved)
            asked = frozenset(self._verdicts_after(NOTHING, NOTHING).catalog.asked)
            self._as_they_are[path] = report, asked
        return self._as_they_are[path]

    @cached_property
    def _lists(self) -> Lists:
        return Lists(self._here.world)

    def _verdicts_after(self, files: Files, removed: Files) -> VerdictCache:
        key = files, removed
        if key not in self._verdicts:
            changed = bool(files or removed)
            world = self._lists.after(files, removed) if changed else self._here.world
            if len(self._verdicts) > _MOST_WORLDS:
                self._verdicts = {k: v for k, v in self._verdicts.items() if not any(k)}
            # What is kept nowhere is judged anew each time.
            self._verdicts[key] = VerdictCache(None, world.catalog, world.inventory, {})
        return self._verdicts[key]


def is_worse(now: WorkflowReport, was: WorkflowReport) -> bool:
    """Whether a workflow can do less than it could, or has an error that it did not have."""
    if now.verdict is Verdict.UNKNOWN:
        return was.verdict is Verdict.RUNNABLE
    known = {finding.fingerprint for finding in was.findings}
    if any(f.severity is Severity.ERROR and f.fingerprint not in known for f in now.findings):
        return True
    return kind_of_change(now, was) is ChangeKind.WORSE


def rose(now: WorkflowReport, was: WorkflowReport) -> bool:
    """Whether its verdict is certainly higher; of one that is unknown nobody can say."""
    if now.verdict not in RANK or was.verdict not in RANK:
        return False
    return RANK[now.verdict] > RANK[was.verdict]
