"""Judging what fixes would make of a workflow, and of all others."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

from comfywatchman.fixes.document import dump
from comfywatchman.fixes.world import File, Lists
from comfywatchman.history.comparison import kind_of_change
from comfywatchman.judging.cache import VerdictCache
from comfywatchman.judging.workflow import judge_workflow
from comfywatchman.results import RANK, ChangeKind, Severity, Verdict
from comfywatchman.workflow.find import WorkflowCopy

if TYPE_CHECKING:
    from collections.abc import Collection

    from comfywatchman.fixes.document import Document
    from comfywatchman.fixes.here import Here, Saved
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
        self._verdicts: dict[Files, VerdictCache] = {}
        self._as_they_are: dict[str, tuple[WorkflowReport, frozenset[str]]] = {}

    def judge(
        self,
        saved: Saved,
        content: Document | None = None,
        files: Files = NOTHING,
    ) -> WorkflowReport:
        """Judge a workflow.

        Args:
            saved: it.
            content: what it would hold; None: what it holds.
            files: the model files that there would be too.
        """
        raw = saved.raw if content is None else dump(content)
        world = self._here.world
        copy = WorkflowCopy(saved.report.path, saved.report.name, raw)
        verdicts = self._verdicts_with(files)
        return judge_workflow(copy, verdicts, max_bytes=world.size, max_depth=world.depth)

    def harmful(self, brought: Collection[Files]) -> set[Files]:
        """Those of several changes that would make any workflow of the host worse.

        All are tried at once; which of them it is, only if they do harm.
        """
        together = frozenset[File]().union(*brought)
        if not together or not self.made_worse(together):
            return set()
        return {files for files in brought if self.made_worse(files)}

    def made_worse(self, files: Files) -> list[str]:
        """The names of the workflows of the host that would be worse then.

        Args:
            files: the model files that there would be too.
        """
        folders = {folder for folder, _ in files}
        types = frozenset[str]().union(*map(self._lists.types, folders))
        worse = []
        for saved in self._here.workflows:
            was, asked = self._as_it_is(saved)
            # What rests on no list that changes, and on no embedding, stays what it is.
            if not (asked & types or "embeddings" in folders):
                continue
            if is_worse(self.judge(saved, files=files), was):
                worse.append(saved.report.name)
        return worse

    def _as_it_is(self, saved: Saved) -> tuple[WorkflowReport, frozenset[str]]:
        """The verdict on a workflow, and the node types that it rests on."""
        path = saved.report.path
        if path not in self._as_they_are:
            report = self.judge(saved)
            asked = frozenset(self._verdicts_with(NOTHING).catalog.asked)
            self._as_they_are[path] = report, asked
        return self._as_they_are[path]

    @cached_property
    def _lists(self) -> Lists:
        return Lists(self._here.world)

    def _verdicts_with(self, files: Files) -> VerdictCache:
        if files not in self._verdicts:
            world = self._lists.with_files(files) if files else self._here.world
            if len(self._verdicts) > _MOST_WORLDS:
                self._verdicts = {k: v for k, v in self._verdicts.items() if not k}
            # What is kept nowhere is judged anew each time.
            self._verdicts[files] = VerdictCache(None, world.catalog, world.inventory, {})
        return self._verdicts[files]


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
