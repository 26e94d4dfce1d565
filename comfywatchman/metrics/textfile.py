"""``metrics.prom``: what a cycle leaves for Prometheus, by node_exporter's textfile collector.

A file replaces the one before, from which it takes over what this cycle cannot tell. No series has
a timestamp: node_exporter would refuse the whole file.
"""

from __future__ import annotations

import errno
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isfinite
from typing import TYPE_CHECKING, Final

from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from comfywatchman import __version__, room, state, state_files
from comfywatchman.catalogue import catalogue
from comfywatchman.errors import ConfigError
from comfywatchman.escape import visible
from comfywatchman.metrics import families
from comfywatchman.metrics.families import INSTANCE, Series, series
from comfywatchman.report.store import ReportStore
from comfywatchman.results import CauseKind, ChangeKind, ModelFiles, Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from comfywatchman.results import Report

PUBLIC: Final = 0o644
"""The mode of the copy: node_exporter runs as another user."""
_SUFFIX: Final = ".prom"
_LARGEST: Final = 2**20
"""Bytes of a file of ours; a hundredth of that is usual."""
_LONGEST: Final = 80
"""Characters of a version, which a server may say to be anything."""

_USUAL_INTERVAL: Final = 7200.0
"""Seconds; where nothing says another."""

Values = dict[Series, float]


@dataclass(frozen=True, slots=True)
class Ending:
    """How a cycle ended, as far as metrics tell of it.

    Attributes:
        outcome: done, skipped or failed.
        report: of a cycle that is done, its full report.
        interval_s: seconds from one cycle to the next; None: as it was.
        commit: of ComfyUI's code, where it is known.
        notifications: messages since the last cycle, by kind of channel and by result.
        at: when it ended.
    """

    outcome: Outcome
    report: Report | None = None
    interval_s: float | None = None
    commit: str = ""
    notifications: Mapping[tuple[str, str], int] = field(default_factory=dict)
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


def write(folder: Path, instance: str, ending: Ending, textfile_dir: Path | None) -> str | None:
    """Write the metrics of a cycle into its state folder and, where it is set, for node_exporter.

    Args:
        folder: the state folder.
        instance: name of the instance.
        ending: how the cycle ended.
        textfile_dir: what node_exporter reads; None: nothing does.

    Returns:
        Why they are not, or not wholly, written: a sentence; None if they are.
    """
    own = folder / state_files.METRICS
    content = rendered(_values(folder, own, ending), state.named(instance))
    troubles = []
    try:
        state.replace_file(own, content)
    except OSError as error:
        troubles.append(f"the metrics are not kept in {folder}: {room.why(error, folder)}")
    if textfile_dir is not None:
        copy = textfile_dir / f"{state.named(instance)}{_SUFFIX}"
        try:
            _remove_leftovers(copy)
            state.replace_file(copy, content, PUBLIC, umask=False)
        except OSError as error:
            troubles.append(_unwritable(copy, error))
    return "; ".join(troubles) or None


def _unwritable(copy: Path, error: OSError) -> str:
    """Why node_exporter's folder could not be written, and what to do about it."""
    folder = copy.parent
    remedy = room.remedy(error, folder)
    if remedy is None:
        remedy = {
            errno.ENOENT: "make the folder, or correct textfile_dir",
            errno.ENOTDIR: "make it a folder, or correct textfile_dir",
            errno.EISDIR: "move what has its place elsewhere, or correct textfile_dir",
            errno.EROFS: "where the role set up the service, deploy again with this textfile_dir",
        }.get(error.errno or 0, "let the user of the cycles write there, or correct textfile_dir")
    return f"{copy} could not be written: {room.why(error, folder)}; {remedy}"


def rendered(values: Values, instance: str) -> bytes:
    """The text that Prometheus reads.

    Args:
        values: of all series.
        instance: the value of the label that all of them get.
    """
    return generate_latest(_Collector(values, instance))


class _Collector:
    """The values, as Prometheus' library asks for them."""

    def __init__(self, values: Values, instance: str) -> None:
        self._values = values
        self._instance = instance

    def collect(self) -> Iterator[Metric]:
        """Each metric with its series."""
        for family in families.families():
            name = family.name
            metric = Metric(name.removesuffix("_total"), family.help, family.kind)
            for (of, labels), value in self._values.items():
                if of == name:
                    metric.add_sample(name, {**dict(labels), INSTANCE: self._instance}, value)
            yield metric


def _values(folder: Path, own: Path, ending: Ending) -> Values:
    values = {each: 0.0 for family in families.families() for each in family.series()}
    values[series(families.LAST_SUCCESS)] = ending.at.timestamp()
    values[series(families.INTERVAL)] = _USUAL_INTERVAL
    kept, last = _kept(own), ending.report
    if not kept and last is None:
        with suppress(ConfigError):
            last = ReportStore.latest(folder)
            values[series(families.LAST_SUCCESS)] = last.started_at.timestamp() + last.duration_s
    infos = [each for each in kept if each[0] == families.COMFYUI_INFO]
    values |= {each: kept[each] for each in [*values, *infos] if each in kept}
    values[series(families.BUILD_INFO, version=__version__)] = 1.0
    values[series(families.LAST_RUN)] = ending.at.timestamp()
    if ending.interval_s is not None:
        values[series(families.INTERVAL)] = ending.interval_s
    if last is not None:
        for info in infos:
            del values[info]
        values |= _gauges(last, ending.commit)
    if ending.report is not None:
        values[series(families.LAST_SUCCESS)] = ending.at.timestamp()
    for each, more in _events(ending).items():
        values[each] = values.get(each, 0.0) + more
    return values


def _gauges(report: Report, commit: str) -> Values:
    """What a full report says of how things are."""
    codes = Counter(finding.code for each in report.workflows for finding in each.findings)
    let_be = Counter(each.verdict for each in report.workflows if each.accepted is not None)
    info = {"version": report.server.version or "", "commit": commit}
    info = {name: visible(value, limit=_LONGEST) for name, value in info.items()}
    return {
        series(families.COMFYUI_INFO, **info): 1.0,
        series(families.DURATION): report.duration_s,
        **{
            series(families.WORKFLOWS, verdict=each): float(getattr(report.summary, each))
            for each in Verdict
        },
        series(families.WILL_FAIL): float(report.will_fail),
        **{
            series(families.MODEL_FILES, state=state): float(number)
            for state, number in (report.model_files or ModelFiles()).model_dump().items()
        },
        **{series(families.ACCEPTED, verdict=each): float(let_be[each]) for each in Verdict},
        **{
            series(families.FINDINGS, code=code.name): float(codes[code.name])
            for code in catalogue()
        },
    }


def _events(ending: Ending) -> Counter[Series]:
    """What is to be added to the counters."""
    events = Counter({series(families.CYCLES, outcome=ending.outcome.value): 1})
    for cause, count in _regressions(ending.report).items():
        events[series(families.REGRESSIONS, cause=cause)] += count
    for (channel, result), count in ending.notifications.items():
        events[series(families.NOTIFICATIONS, channel=channel, result=result)] += count
    return events


def _regressions(report: Report | None) -> Counter[CauseKind]:
    """How many workflows got worse, by the kind of what did most.

    Our own doing is none, nor is what came back as it was accepted.
    """
    if report is None or report.changes is None:
        return Counter()
    kinds = {cause.id: cause.kind for cause in report.changes.causes}
    accepted = {each.path for each in report.workflows if each.accepted is not None}
    worse = (
        each
        for each in report.changes.workflows
        if each.kind is ChangeKind.WORSE and each.path not in accepted
    )
    counts = Counter(
        next((kinds[cause] for cause in each.causes if cause in kinds), CauseKind.UNEXPLAINED)
        for each in worse
    )
    del counts[CauseKind.PROGRAM]
    return counts


def _kept(own: Path) -> Values:
    """What the last file says; nothing where there is none, or it is damaged."""
    kept: Values = {}
    try:
        text = state.read_file(own, _LARGEST).decode()
        for metric in text_string_to_metric_families(text):
            for sample in metric.samples:
                labels = {k: v for k, v in sample.labels.items() if k != INSTANCE}
                if isfinite(sample.value) and sample.value >= 0:
                    kept[series(sample.name, **labels)] = sample.value
    except Exception:  # noqa: BLE001  (whatever a damaged file does to the parser)
        return {}
    return kept


def _remove_leftovers(copy: Path) -> None:
    """Remove what cycles left half written that were killed."""
    for part in copy.parent.glob(f".{copy.name}.*{state_files.PART}"):
        with suppress(OSError):
            part.unlink()
