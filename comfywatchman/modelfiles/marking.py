"""What the state of model files makes of a cycle's verdicts: which workflows will fail, and why.

The verdict stays the server's: it takes a workflow whose model is damaged, and fails on it later.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Final

from comfywatchman.comfyui.names import looks_like_model
from comfywatchman.escape import visible
from comfywatchman.findings import NAME_LENGTH, Code, printable
from comfywatchman.judging.identity import identified
from comfywatchman.modelfiles import codes, inspecting
from comfywatchman.modelfiles.condition import NOT_SURE
from comfywatchman.modelfiles.telling import finding
from comfywatchman.results import DamagedModel, ModelFiles, Severity, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from comfywatchman.comfyui.model_files import ModelFile
    from comfywatchman.modelfiles.condition import Condition
    from comfywatchman.modelfiles.looking import Looked
    from comfywatchman.results import Finding, UsedModel, WorkflowReport

EMBEDDINGS: Final = "embeddings"
MOST_LISTED: Final = 1_000
"""Damaged files that a report lists, and workflows that it names with one of them."""
OTHERWISE_WELL: Final = (Verdict.RUNNABLE, Verdict.PARTIAL)
"""Verdicts of workflows that a damaged file has fail."""


@dataclass(frozen=True, slots=True)
class Marked:
    """What a report says of model files.

    Attributes:
        workflows: the verdicts, with what is wrong with the files that they name.
        counts: how the files are.
        damaged: those that cannot be loaded, or not by every ComfyUI.
        conditions: what is known of each, by path.
    """

    workflows: list[WorkflowReport]
    counts: ModelFiles
    damaged: list[DamagedModel] = field(default_factory=list)
    conditions: Mapping[str, Condition] = field(default_factory=dict)


class Names:
    """Finds the files that workflows name.

    Args:
        files: those of this host.
        folders: the model folders that the server lists.
    """

    def __init__(self, files: Iterable[ModelFile], folders: Iterable[str] = ()) -> None:
        self._folders = frozenset(folders)
        self._by_place: dict[tuple[str, str], list[ModelFile]] = defaultdict(list)
        self._by_name: dict[str, list[ModelFile]] = defaultdict(list)
        for file in files:
            shown = printable(file.name, NAME_LENGTH)  # as reports name them
            self._by_place[file.folder, shown].append(file)
            self._by_name[shown].append(file)
            if file.folder == EMBEDDINGS:
                parts = _stem(file.name.replace("\\", "/")).split("/")
                for begin in range(len(parts)):  # as a text may name it: in each folder above it
                    name = "/".join(parts[begin:])
                    self._by_place[EMBEDDINGS, printable(name, NAME_LENGTH)].append(file)

    def of(self, used: UsedModel) -> Sequence[ModelFile]:
        """The files that a workflow may mean by a name; none where that is not known."""
        for name in (used.name, _stem(used.name)) if used.folder == EMBEDDINGS else (used.name,):
            if used.folder is not None and (found := self._by_place.get((used.folder, name))):
                return found
        # In a folder that the server has, it is hidden from here; else it may have another name.
        return () if used.folder in self._folders else self._by_name.get(used.name, ())


def marked(
    reports: Sequence[WorkflowReport], looked: Looked, folders: Iterable[str] = ()
) -> Marked:
    """Mark the workflows that will fail.

    Args:
        reports: the verdicts.
        looked: what is known of the model files.
        folders: the model folders that the server lists.
    """
    conditions = looked.conditions
    states = Counter(state_of(conditions.get(file.path)) for file in looked.files)
    wrong = {file.path for file in looked.files if _is_told(conditions.get(file.path))}
    named: dict[str, list[str]] = defaultdict(list)
    workflows = list(reports)
    if wrong:
        names = Names(looked.files, folders)
        for position, report in enumerate(reports):
            files = dict.fromkeys(_wrong_of(report, names, wrong))
            for file in files:
                named[file.path].append(report.path)
            if files:
                workflows[position] = _with(report, files, conditions)
    damaged = [f for f in looked.files if state_of(conditions.get(f.path)) == "damaged"]
    damaged.sort(key=lambda file: (-len(named[file.path]), file.folder, file.name))
    return Marked(
        workflows,
        ModelFiles(**states),
        list(_damaged(damaged[:MOST_LISTED], conditions, named)),
        conditions,
    )


def is_damage(finding: Finding) -> bool:
    """Whether a finding is about a model file that cannot be loaded."""
    return finding.code in _codes() and finding.code not in NOT_SURE


def unmarked(report: WorkflowReport) -> WorkflowReport:
    """The report as it was before it was marked."""
    findings = [finding for finding in report.findings if finding.code not in _codes()]
    return report.model_copy(update={"findings": findings, "will_fail": False})


@cache
def _codes() -> frozenset[str]:
    """The codes of what can be wrong with a model file."""
    declared = (vars(module).values() for module in (codes, *inspecting.found()))
    return frozenset(each.name for of in declared for each in of if isinstance(each, Code))


def _wrong_of(report: WorkflowReport, names: Names, wrong: set[str]) -> Iterator[ModelFile]:
    for used in report.models:
        files = names.of(used) if used.present is not False else ()
        # Of several that may be meant, nobody can say that it is the damaged one.
        if files and all(file.path in wrong for file in files):
            yield from files[:1]


def _with(
    report: WorkflowReport, files: Iterable[ModelFile], conditions: Mapping[str, Condition]
) -> WorkflowReport:
    """The report with a finding for each file."""
    told: list[Finding] = []
    will_fail = False
    for file in files:
        condition = conditions[file.path]
        fails = condition.fails and report.verdict in OTHERWISE_WELL
        severity = Severity.ERROR if fails else Severity.WARNING
        found = finding(condition, file.folder, file.name)
        if found is not None:
            told.append(found.model_copy(update={"severity": severity}))
        will_fail |= fails
    findings = [*report.findings, *told]
    return identified(report.model_copy(update={"findings": findings, "will_fail": will_fail}))


def _damaged(
    files: Sequence[ModelFile],
    conditions: Mapping[str, Condition],
    named: Mapping[str, Sequence[str]],
) -> Iterator[DamagedModel]:
    for file in files:
        condition = conditions[file.path]
        found = finding(condition, file.folder, file.name)
        if found is not None:
            yield DamagedModel(
                folder=visible(file.folder),
                name=visible(file.name),
                code=found.code,
                message=found.message,
                fix=found.fix,
                lacking=condition.lacking,
                workflows=list(named[file.path][:MOST_LISTED]),
            )


def state_of(condition: Condition | None) -> str:
    """How a file is, in the word that reports count it by."""
    if condition is None or condition.code == codes.UNREADABLE.name:
        return "unread"
    if condition.code == codes.DOWNLOAD_UNFINISHED.name:
        return "unfinished"
    return "damaged" if condition.code else "sound"


def _is_told(condition: Condition | None) -> bool:
    return condition is not None and bool(condition.code)


def _stem(name: str) -> str:
    """A name without the ending of a model file."""
    return name.rpartition(".")[0] if looks_like_model(name) else name
