"""The ledger: each model file with its state and who needs it; each workflow with what it needs."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from comfywatchman import __version__
from comfywatchman.comfyui.names import last_part
from comfywatchman.escape import visible
from comfywatchman.modelfiles.expected import OnAnotherHost
from comfywatchman.modelfiles.model import (
    NOT_FOUND,
    NOT_LOOKED_AT,
    WELL,
    Ledger,
    LedgerFile,
    LedgerWorkflow,
    MissingModel,
    SameFile,
)
from comfywatchman.modelfiles.usage import EMBEDDINGS, Usage, Vocabulary, sub_paths, without_ending

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from comfywatchman.comfyui.model_files import ModelFile
    from comfywatchman.modelfiles.condition import Condition
    from comfywatchman.modelfiles.hashes import Hashes
    from comfywatchman.modelfiles.survey import Survey
    from comfywatchman.results import UsedModel, WorkflowReport

_Name = tuple[str, str]
"""Folder and name of a file, as the server lists it."""
NOTHING_KNOWN: Final[OnAnotherHost] = OnAnotherHost()


@dataclass(slots=True)
class _Files:
    """The files of a ledger by their names, in its order."""

    names: tuple[_Name, ...]
    found: Mapping[_Name, ModelFile]
    sizes: Mapping[_Name, int]
    _by_name: dict[str, list[int]] = field(init=False, default_factory=dict)
    _embeddings: dict[str, list[int]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        for place, (folder, name) in enumerate(self.names):
            self._by_name.setdefault(_shown(name), []).append(place)
            if folder == EMBEDDINGS:
                for path in sub_paths(_shown(name).replace("\\", "/")):
                    self._embeddings.setdefault(path, []).append(place)

    def size(self, place: int) -> int | None:
        """Bytes of a file, if that is known: none of a folder, or of a link that leads nowhere."""
        file = self.found.get(self.names[place])
        if file is None:
            return self.sizes.get(_both_shown(self.names[place]))
        return file.size if file.is_file else None

    def content(self, place: int) -> object:
        """What a file has in common with every other name of it."""
        file = self.found.get(self.names[place])
        return place if file is None else (file.dev, file.inode)

    def under_any_name(self, workflows: list[list[int]]) -> list[list[int]]:
        """Of each file, the workflows of every name that it has: a link needs what it leads to."""
        by_content: dict[object, set[int]] = {}
        for place, of_name in enumerate(workflows):
            by_content.setdefault(self.content(place), set()).update(of_name)
        return [sorted(by_content[self.content(place)]) for place in range(len(workflows))]

    def of(self, used: UsedModel) -> list[int]:
        """The files that a workflow's node means: one, unless its folder is not known.

        Where it was seen to lack, a file of its name in another folder is not meant.
        """
        if used.folder == EMBEDDINGS:
            path = used.name.replace("\\", "/")
            return self._embeddings.get(path) or self._embeddings.get(without_ending(path), [])
        places = self._by_name.get(used.name, [])
        if used.folder is None:
            return places
        meant = [place for place in places if _shown(self.names[place][0]) == used.folder]
        return meant if meant or used.present is False else places


def make(
    survey: Survey,
    conditions: Mapping[str, Condition],
    hashes: Hashes,
    other_host: OnAnotherHost = NOTHING_KNOWN,
    *,
    instance: str = "",
) -> Ledger:
    """Make the ledger of what is there.

    Args:
        survey: what is there.
        conditions: by path, what cycles found of the files' first MiB.
        hashes: what is known of their content.
        other_host: tells the size of files that are missing here.
        instance: name of the instance.
    """
    found = {(file.folder, file.name): file for file in survey.listing.files}
    files = _Files(survey.names, found, survey.sizes)
    reports = {each.path: each for each in survey.report.workflows} if survey.report else {}
    vocabulary, usage = Vocabulary(survey.names), Usage()
    workflows: list[tuple[str, str]] = []
    unread = 0
    for workflow, raw in survey.workflows():
        if raw is None:
            unread += 1
            continue
        usage.add(len(workflows), vocabulary.named_in(raw))
        workflows.append((workflow.path, workflow.name))
    named = files.under_any_name([usage.of(folder, name) for folder, name in survey.names])
    needs = _Needs(files, [reports.get(path) for path, _ in workflows], named)
    needed_by = files.under_any_name(needs.by_file)
    rows = [
        _row(survey.names[place], files, place, conditions, hashes, needed_by[place], named)
        for place in range(len(files.names))
    ]
    lacking = {
        place: condition.lacking or condition.oid_size or 0
        for place, name in enumerate(files.names)
        if (file := found.get(name)) and (condition := conditions.get(file.path)) is not None
    }
    not_named = [place for place, row in enumerate(rows) if not row.named_by and not row.needed_by]
    same = _same(rows, files)
    return Ledger(
        comfywatchman_version=__version__,
        host=socket.gethostname(),
        instance=instance,
        made_at=datetime.now(UTC),
        source=survey.source,
        workflows_read=len(workflows),
        workflows_unread=unread,
        workflows_excluded=survey.excluded,
        files=rows,
        workflows=[
            _workflow(path, name, files, needed, missing, lacking, other_host)
            for (path, name), needed, missing in zip(
                workflows, needs.by_workflow, needs.missing, strict=True
            )
        ],
        same=same,
        total_bytes=_bytes(range(len(rows)), files),
        not_named=len(not_named),
        not_named_bytes=_bytes(not_named, files),
        not_checked=[*survey.not_checked, *filter(None, [hashes.damage])],
    )


class _Needs:
    """Which workflow needs which file: as the last check found, else all that it names.

    Attributes:
        by_file: the workflows of each file.
        by_workflow: the files of each workflow.
        missing: what each workflow needs and the server does not have.
    """

    def __init__(
        self, files: _Files, reports: list[WorkflowReport | None], named: list[list[int]]
    ) -> None:
        self.by_file: list[list[int]] = [[] for _ in files.names]
        self.by_workflow: list[list[int]] = [[] for _ in reports]
        self.missing: list[list[UsedModel]] = [[] for _ in reports]
        for workflow, report in enumerate(reports):
            places: set[int] = set()
            for used in report.models if report else ():
                meant = files.of(used)
                places.update(meant)
                if not meant and used.present is False:
                    self.missing[workflow].append(used)
            self.by_workflow[workflow] = sorted(places)
        for place, by in enumerate(named):
            for workflow in by:
                if reports[workflow] is None:
                    self.by_workflow[workflow].append(place)
        for workflow, needed in enumerate(self.by_workflow):
            for place in needed:
                self.by_file[place].append(workflow)


def _row(
    name: _Name,
    files: _Files,
    place: int,
    conditions: Mapping[str, Condition],
    hashes: Hashes,
    needed_by: list[int],
    named: list[list[int]],
) -> LedgerFile:
    file = files.found.get(name)
    condition = conditions.get(file.path) if file else None
    known = hashes.of(file) if file else None
    state, detail = NOT_FOUND if file is None else NOT_LOOKED_AT, ""
    if condition is not None:
        state, detail = condition.code or WELL, condition.detail
    return LedgerFile(
        folder=name[0],
        name=name[1],
        path=file.path if file else None,
        size=files.size(place),
        modified=_time(file.mtime_ns / 1e9) if file else None,
        state=state,
        detail=detail,
        sha256=known.now if known else None,
        verified_at=_time(known.checked_at) if known else None,
        needed_by=needed_by,
        named_by=sorted({*named[place], *needed_by}),
    )


def _workflow(
    path: str,
    name: str,
    files: _Files,
    needed: list[int],
    missing: list[UsedModel],
    lacking: Mapping[int, int],
    other_host: OnAnotherHost,
) -> LedgerWorkflow:
    lacks = [
        MissingModel(
            folder=used.folder, name=used.name, size=_size_elsewhere(used, other_host.sizes)
        )
        for used in missing
    ]
    parts = {files.content(place): lacking.get(place, 0) for place in needed}
    return LedgerWorkflow(
        path=path,
        name=name,
        bytes_needed=_bytes(needed, files),
        bytes_missing=sum(each.size or 0 for each in lacks) + sum(parts.values()),
        missing=lacks,
        largest=max(needed, key=lambda place: files.size(place) or 0, default=None),
    )


def _size_elsewhere(used: UsedModel, sizes: Mapping[_Name, int]) -> int | None:
    """Bytes of a file on another host, where all that may be meant have the same."""
    if used.folder is not None and (used.folder, used.name) in sizes:
        return sizes[used.folder, used.name]
    meant = {
        size
        for (folder, name), size in sizes.items()
        if used.folder in (None, folder) and last_part(name) == last_part(used.name)
    }
    return meant.pop() if len(meant) == 1 else None


def _same(rows: list[LedgerFile], files: _Files) -> list[SameFile]:
    """The contents that have several names, the largest first."""
    linked: dict[object, list[int]] = {}
    for place, row in enumerate(rows):
        if row.path is not None:
            linked.setdefault(files.content(place), []).append(place)
    groups: list[SameFile] = []
    copied: dict[str, list[int]] = {}
    for places in linked.values():
        if len({rows[place].path for place in places}) > 1:
            groups.append(SameFile(kind="linked", size=rows[places[0]].size or 0, files=places))
        if (sha256 := rows[places[0]].sha256) is not None:
            copied.setdefault(sha256, []).append(places[0])
    groups += [
        SameFile(kind="copied", size=rows[places[0]].size or 0, files=places)
        for places in copied.values()
        if len(places) > 1
    ]
    return sorted(groups, key=lambda group: (-group.size, group.files))


def _bytes(places: Iterable[int], files: _Files) -> int:
    """Of some files, each counted once however many names it has."""
    contents = {files.content(place): files.size(place) or 0 for place in places}
    return sum(contents.values())


def _time(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _shown(name: str) -> str:
    """A name as reports and ``inventory.json`` have it."""
    return visible(name)


def _both_shown(name: _Name) -> _Name:
    return _shown(name[0]), _shown(name[1])
