"""Judging what fixes would make of a workflow, and of all others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from comfywatchman.fixes.document import dump
from comfywatchman.fixes.world import Lists
from comfywatchman.history.comparison import kind_of_change
from comfywatchman.judging.cache import VerdictCache
from comfywatchman.judging.workflow import judge_workflow
from comfywatchman.results import RANK, ChangeKind, Severity, Verdict
from comfywatchman.workflow.find import WorkflowCopy

if TYPE_CHECKING:
    from comfywatchman.fixes.document import Document
    from comfywatchman.fixes.here import Here, Saved
    from comfywatchman.results import WorkflowReport

File = tuple[str, str]
"""A model folder, and what a file is called in it."""
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
        self._lists: Lists | None = None
        self._verdicts: dict[Files, VerdictCache] = {}
        self._as_they_are: dict[str, tuple[WorkflowReport, frozenset[str]]] = {}

    def judge(
        self, saved: Saved, content: Document | None = None, files: Files = NOTHING
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

    def made_worse(self, files: Files) -> list[str]:
        """The names of the workflows of the host that some more model files would make worse."""
        folders = {folder for folder, _ in files}
        lists = self._listed
        types = frozenset[str]().union(*map(lists.types, folders))
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

    @property
    def _listed(self) -> Lists:
        if self._lists is None:
            self._lists = Lists(self._here.world)
        return self._lists

    def _verdicts_with(self, files: Files) -> VerdictCache:
        if files not in self._verdicts:
            world = self._here.world
            for folder, name in sorted(files):
                world = self._listed.with_file(folder, name, world)
            for known in [f for f in self._verdicts if f][: len(self._verdicts) - _MOST_WORLDS]:
                del self._verdicts[known]
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
