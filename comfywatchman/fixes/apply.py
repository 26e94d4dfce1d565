"""Doing what a plan says, exactly, or refusing it whole.

Everything that the plan rests on is compared with what is there now: the host, what the server
says, and each file. It is judged again what comes of it. Then the new files are prepared, all of
that is compared once more, and they take the place of the old ones.
"""

from __future__ import annotations

import errno
import os
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from comfywatchman import moments
from comfywatchman.errors import ConfigError
from comfywatchman.escape import visible
from comfywatchman.fixes import download_hosts, editing, planning, seeing, undo
from comfywatchman.fixes import record as records
from comfywatchman.fixes.busy import is_at_work
from comfywatchman.fixes.download_order import DownloadError
from comfywatchman.fixes.proof import Court, is_worse
from comfywatchman.fixes.proposal import Edit
from comfywatchman.fixes.record import Fetched, Linked, Progress, Record, Written, digest
from comfywatchman.fixes.writing import (
    Opened,
    RefusedError,
    naming,
    opened,
    put,
    refuse_unwritable,
)
from comfywatchman.results import RANK, Confidence
from comfywatchman.workflow.find import PictureFile, WorkflowFile
from comfywatchman.workflow.prompt import WorkflowError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from comfywatchman.fixes.fetching import Fetcher
    from comfywatchman.fixes.here import Here, Saved
    from comfywatchman.fixes.plan import (
        Outcome,
        Plan,
        PlannedDownload,
        PlannedFix,
        PlannedLink,
        PlannedWorkflow,
        SeenFile,
    )
    from comfywatchman.host import Host

SETTLED: Final = 60.0
"""Seconds for which a file must not have changed: somebody may be at work on it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where and when a plan is applied.

    Attributes:
        here: the host as it is now, all its workflows judged.
        host: its signs.
        instance: the instance that is set up.
        folder: the state folder.
        queue: asks the server what it works on.
    """

    here: Here
    host: Host
    instance: str
    folder: Path
    queue: Callable[[], object]


@dataclass(slots=True)
class _Step:
    """One workflow that is written.

    Attributes:
        saved: it, as it is now.
        seen: its file, as the plan says.
        file: it, in a folder that is held open.
        status: what the system says of it.
        content: what it gets.
    """

    saved: Saved
    seen: SeenFile
    file: Opened
    status: os.stat_result
    content: bytes


@dataclass(slots=True)
class _Work:
    """What is done of a plan.

    Attributes:
        parts: the workflows, what becomes of each, and the fixes that are made.
        steps: the workflows that are written.
        links: the files that get another name.
        downloads: what is fetched.
    """

    parts: list[tuple[PlannedWorkflow, Outcome, list[PlannedFix]]] = field(default_factory=list)
    steps: list[_Step] = field(default_factory=list)
    links: dict[str, PlannedLink] = field(default_factory=dict)
    downloads: dict[str, PlannedDownload] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Applied:
    """What was done.

    Attributes:
        record: it, as it is on record; None if there was nothing to do.
        said: a sentence for each thing that was done.
        failed: a sentence for each download that failed.
    """

    record: Record | None
    said: list[str]
    failed: list[str]


def apply(
    plan: Plan,
    place: Place,
    *,
    only_proven: bool,
    fetcher: Fetcher | None = None,
) -> Applied:
    """Do what a plan says.

    Args:
        plan: it.
        place: where.
        only_proven: leave out what is not.
        fetcher: downloads files; None: nothing is downloaded.

    Raises:
        RefusedError: something is not as the plan says. Nothing was written.
        OSError: something could not be written, likewise.
    """
    _refuse_elsewhere(plan, place)
    work = _Work()
    with ExitStack() as until:
        refusals = list(_trouble(plan, place, work, until, only_proven, fetcher))
        if refusals:
            raise _refused(refusals)
        if not (work.steps or work.links or work.downloads):
            return Applied(None, [], [])
        record = _on_record(place.folder, work)
        _write(plan, place, work, record)
    said = [f"{visible(step.seen.path)} is edited" for step in work.steps]
    said += [
        f"{visible(target)} is there: a link to {visible(link.source.path)}"
        for target, link in work.links.items()
    ]
    failed: list[str] = []
    for download in work.downloads.values():
        try:
            said += [fetcher.fetch(download)] if fetcher is not None else []
        except DownloadError as error:
            failed.append(str(error))
    record = record.now(Progress.DONE)
    records.keep(place.folder, record)
    return Applied(record, said, failed)


def _refused(refusals: Iterable[str]) -> RefusedError:
    """All that speaks against it and, where something moved, what to do."""
    lines = list(dict.fromkeys(refusals))
    if any(line.startswith("stale: ") for line in lines):
        lines.append("make another plan, of what is there now: `comfywatchman fix --plan FILE`")
    return RefusedError("\n".join(lines))


def _refuse_elsewhere(plan: Plan, place: Place) -> None:
    pairs = (
        (plan.host.given, place.host.given),
        (plan.host.machine, place.host.machine),
        (plan.host.name, place.host.name),
    )
    if any(planned and here and planned != here for planned, here in pairs):
        planned, this = plan.host.given or plan.host.name, place.host.shown
        which = "another one of that name" if planned == this else visible(this)
        raise RefusedError(
            f"this plan is for the host {visible(planned)}, and this is {which}: make one here"
        )
    if plan.instance != place.instance:
        raise RefusedError(
            f"this plan is for {_instance(plan.instance)}, and this is "
            f"{_instance(place.instance)}: name the configuration with --config"
        )


def _instance(name: str) -> str:
    return f"the instance {visible(name)}" if name else "the usual instance"


def _trouble(
    plan: Plan,
    place: Place,
    work: _Work,
    until: ExitStack,
    only_proven: bool,
    fetcher: Fetcher | None,
) -> Iterator[str]:
    """Find out what is to be done, and yield a sentence for all that speaks against it."""
    if seeing.catalog_digest(place.here.world, plan.workflows) != plan.catalog:
        yield (
            "stale: the server offers other node types, models or lists of files than at the plan "
            f"({moments.shown(plan.made_at)}; ComfyUI {plan.comfyui_version or 'unknown'} then, "
            f"{place.here.world.catalog.version or 'unknown'} now)"
        )
    for planned in plan.workflows:
        outcome = planned.proven if only_proven else planned.all
        if outcome is None:
            continue
        known = {fix.id: fix for fix in planned.fixes}
        if any(name not in known for name in outcome.fixes):
            yield f"{visible(planned.workflow)}: the plan names a fix that it does not hold"
            continue
        fixes = [known[name] for name in outcome.fixes]
        if only_proven and any(fix.confidence is not Confidence.PROVEN for fix in fixes):
            yield f"{visible(planned.workflow)}: the plan calls a fix proven that is not"
            continue
        work.parts.append((planned, outcome, fixes))
        for link in (fix.link for fix in fixes if fix.link is not None):
            if work.links.setdefault(link.target, link).source.real != link.source.real:
                yield f"the plan puts two files at {visible(link.target)}"
        if fetcher is not None and not only_proven:
            work.downloads |= {
                fix.download.target: fix.download
                for fix in planned.fixes
                if fix.download is not None
            }
    moved = dict(_stale(plan, work))
    yield from moved.values()
    for download in work.downloads.values():
        if fetcher is not None and (why := fetcher.trouble(download)):
            yield why
    for link in work.links.values():
        if why := _link_trouble(link, place.here):
            yield why
    saved_by_path = {saved.report.path: saved for saved in place.here.workflows}
    for planned, outcome, fixes in work.parts:
        if planned.file is not None and planned.file.path in moved:
            continue  # which says it all
        try:
            saved = saved_by_path.get(planned.workflow)
            if saved is None:
                raise RefusedError(f"{visible(planned.workflow)} is no workflow of this host now")
            _add_step(place, work, until, saved, planned, outcome, fixes)
        except RefusedError as refusal:
            yield str(refusal)
        except OSError as error:
            yield f"{visible(planned.workflow)} cannot be read: {error.strerror}"
    if targets := [*work.links, *work.downloads]:
        names = [n for t in targets for n in planning.names_of(t, place.here.places)]
        for worse in Court(place.here).made_worse(frozenset(names)):
            yield f"{visible(worse)} would get worse by the new files"
    if work.steps:
        yield from _at_work(place, work)


def _stale(plan: Plan, work: _Work, *, linked: bool = False) -> Iterator[tuple[str, str]]:
    """Each file that the plan rests on and that is not as it was, and what became of it."""
    files = {seen.path: seen for seen in plan.reads}
    files |= {planned.file.path: planned.file for planned, _, _ in work.parts if planned.file}
    sources = {link.source.real for link in work.links.values()}
    for seen in (*files.values(), *(link.source for link in work.links.values())):
        if why := seeing.moved(seen, plan.made_at, linked=linked and seen.real in sources):
            yield seen.path, why


def _add_step(
    place: Place,
    work: _Work,
    until: ExitStack,
    saved: Saved,
    planned: PlannedWorkflow,
    outcome: Outcome,
    fixes: list[PlannedFix],
) -> None:
    """Work out what a workflow gets, and judge it.

    Raises:
        RefusedError: it is not as the plan says, or must be left alone.
        OSError: it cannot be read.
    """
    name, here = visible(planned.workflow), place.here
    edits = [Edit(tuple(e.pointer), e.before, e.after) for fix in fixes for e in fix.edits]
    content = saved.raw
    if edits:
        try:
            content = editing.edited(saved.raw, edits, max_depth=here.world.depth)
        except editing.NotEditedError as error:
            raise RefusedError(f"{name}: {error}") from None
        except WorkflowError as error:
            raise RefusedError(f"{name}: {error.finding.message}") from None
        if digest(content) != outcome.sha256:
            raise RefusedError(f"{name}: the plan's edits do not make of it what the plan says")
    targets = [fix.link.target for fix in fixes if fix.link is not None]
    world = planning.with_files(here.world, here.places, targets)
    report = planning.judged(world, saved.report.path, saved.report.name, content)
    if is_worse(report, saved.report) or RANK.get(report.verdict, -1) < RANK.get(
        outcome.verdict, -1
    ):
        raise RefusedError(
            f"{name} would be {report.verdict} after the fix, where the plan says {outcome.verdict}"
        )
    if not edits:
        return
    workflow, seen = saved.workflow, planned.file
    if not isinstance(workflow, WorkflowFile) or isinstance(workflow, PictureFile):
        raise RefusedError(f"{name} is no file of its own on this host: it is not written")
    if seen is None or str(workflow.file) != seen.path:
        raise RefusedError(f"{name} does not lie where the plan says")
    file = until.enter_context(opened(seen.real))
    raw, status = file.read(here.world.size)
    if digest(raw) != digest(saved.raw):
        raise RefusedError(f"stale: {name} was saved while it was judged")
    refuse_unwritable(name, status)
    _refuse_unsettled(name, status)
    work.steps.append(_Step(saved, seen, file, status, content))


def _refuse_unsettled(name: str, status: os.stat_result) -> None:
    age = time.time() - status.st_mtime
    if age < 0:
        saved = moments.shown(datetime.fromtimestamp(status.st_mtime, UTC))
        raise RefusedError(
            f"{name} was saved in the future ({saved}), by this host's clock: nobody can tell "
            "whether somebody is at work on it; correct the clock, or `touch` the file and wait"
        )
    if age < SETTLED:
        raise RefusedError(
            f"{name} was saved {age:.0f} s ago: somebody may be at work on it; wait a minute"
        )


def _at_work(place: Place, work: _Work) -> Iterator[str]:
    queue = place.queue()
    for step in work.steps:
        if why := is_at_work(queue, step.saved.raw, place.here.world):
            yield f"{visible(step.saved.report.path)} {why}"


def _link_trouble(link: PlannedLink, here: Here) -> str | None:
    """Why a link is not made; None if nothing speaks against it."""
    target, shown = link.target, visible(link.target)
    if (
        not target.startswith("/")
        or os.path.normpath(target) != target
        or visible(target) != target
    ):
        return f"{shown} is no plain path: nothing is put there"
    if not planning.names_of(target, here.places):
        return f"{shown} is in none of the server's model folders: nothing is put there"
    roots = [os.path.realpath(root) for each in here.places.values() for root in each]
    folder = os.path.realpath(os.path.dirname(target))  # noqa: PTH120
    if not any(os.path.commonpath((root, folder)) == root for root in roots):
        return f"a link leads from {shown} out of the server's model folders"
    if link.source.path not in {file.path for file in here.files}:
        return f"{visible(link.source.path)} is none of the server's models"
    if os.path.lexists(target):
        return f"stale: {shown} is there by now"
    return None


def _on_record(folder: Path, work: _Work) -> Record:
    """Keep what the workflows hold, and put on record what will be done."""
    name = records.new_id(datetime.now(UTC))
    written = [
        Written(
            path=step.seen.path,
            real=step.seen.real,
            before=digest(step.saved.raw),
            after=digest(step.content),
            copy_name=records.copy_name(name, number),
        )
        for number, step in enumerate(work.steps, 1)
    ]
    record = Record(
        id=name,
        at=datetime.now(UTC),
        progress=Progress.BEGUN,
        fixes=[fix.id for _, _, fixes in work.parts for fix in fixes],
        written=written,
        linked=[
            Linked(
                source=link.source.real,
                target=target,
                device=link.source.device,
                inode=link.source.inode,
            )
            for target, link in work.links.items()
        ],
        made=[folder for target in work.links for folder in _lacking(target)],
        fetched=[
            Fetched(target=t, url=download_hosts.shown(d.url)) for t, d in work.downloads.items()
        ],
    )
    try:
        for step, each in zip(work.steps, written, strict=True):
            put(folder / each.copy_name, step.saved.raw)
        records.keep(folder, record)
    except BaseException:
        records.forget(folder, name)
        raise
    records.forget_old(folder)
    return record


def _lacking(target: str) -> list[str]:
    """The folders that must be made for a file, the outermost first."""
    lacking = []
    folder = os.path.dirname(target)  # noqa: PTH120
    while not os.path.lexists(folder):
        lacking.append(folder)
        folder = os.path.dirname(folder)  # noqa: PTH120
    return lacking[::-1]


def _write(plan: Plan, place: Place, work: _Work, record: Record) -> None:
    """Write all of it, or nothing."""
    linked: list[Linked] = []
    try:
        for step in work.steps:
            step.file.prepare(step.content, step.status)
        for each in record.linked:
            with naming(each.target):
                _link(each, record.made)
            linked.append(each)
        refusals = [*_at_work(place, work), *dict(_stale(plan, work, linked=True)).values()]
        if refusals:
            raise _refused(refusals)
        for step in work.steps:
            raw, _ = step.file.read(place.here.world.size)
            if digest(raw) != digest(step.saved.raw):
                raise RefusedError(f"stale: {step.file.shown} was saved at this very moment")
            step.file.replace()
    except BaseException as failure:
        for step in work.steps:
            step.file.discard()
        try:
            undo.undo(place.folder, record.model_copy(update={"linked": linked}))
        except (RefusedError, ConfigError, OSError) as error:
            raise RefusedError(
                f"{failure}\nIt could not be taken back: {error}\n"
                f"`comfywatchman fix --undo {record.id}` tries that again"
            ) from None
        raise


def _link(linked: Linked, made: list[str]) -> None:
    """Give a file another name: a hard link, else a symbolic one. Nothing is ever replaced.

    Raises:
        OSError: it could not be; also where something is there.
    """
    above = os.path.dirname(linked.target)  # noqa: PTH120
    for folder in made:
        if os.path.commonpath((folder, above)) == folder and not os.path.isdir(folder):  # noqa: PTH112
            os.mkdir(folder)  # noqa: PTH102
    try:
        os.link(linked.source, linked.target)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP):
            raise
        os.symlink(linked.source, linked.target)  # noqa: PTH211
    status = os.stat(linked.target)  # noqa: PTH116
    if (status.st_dev, status.st_ino) != (linked.device, linked.inode):
        os.unlink(linked.target)  # noqa: PTH108
        raise RefusedError(f"stale: {visible(linked.source)} was replaced at this very moment")
