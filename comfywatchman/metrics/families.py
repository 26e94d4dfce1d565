"""The metrics: their names, kinds, help texts, and the values that their labels have.

All values of a label are there from the first file on, at 0: Prometheus' ``increase()`` would miss
the first event of a series that begins with it. There is none of a single workflow, as thousands of
series a host would tell no more than the report does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from itertools import product
from typing import TYPE_CHECKING, Final, Literal

from comfywatchman import channels, discovery
from comfywatchman.catalogue import catalogue
from comfywatchman.results import CauseKind, ModelFiles, Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

INSTANCE: Final = "comfywatchman_instance"
"""The label that every series has; ``instance`` is Prometheus' own."""

Series = tuple[str, tuple[tuple[str, str], ...]]
"""A name and its labels, sorted, without :data:`INSTANCE`."""

BUILD_INFO: Final = "comfywatchman_build_info"
COMFYUI_INFO: Final = "comfywatchman_comfyui_info"
LAST_RUN: Final = "comfywatchman_cycle_last_run_timestamp_seconds"
LAST_SUCCESS: Final = "comfywatchman_cycle_last_success_timestamp_seconds"
INTERVAL: Final = "comfywatchman_cycle_interval_seconds"
DURATION: Final = "comfywatchman_cycle_duration_seconds"
CYCLES: Final = "comfywatchman_cycles_total"
WORKFLOWS: Final = "comfywatchman_workflows"
ACCEPTED: Final = "comfywatchman_workflows_accepted"
WILL_FAIL: Final = "comfywatchman_workflows_will_fail"
MODEL_FILES: Final = "comfywatchman_model_files"
FINDINGS: Final = "comfywatchman_findings"
REGRESSIONS: Final = "comfywatchman_regressions_total"
NOTIFICATIONS: Final = "comfywatchman_notifications_total"

CHANNELS: Final = tuple(discovery.names(channels))
RESULTS: Final = ("sent", "failed", "dropped")


@dataclass(frozen=True, slots=True)
class Family:
    """A metric.

    Attributes:
        name: as it is queried; that of a counter ends in ``_total``.
        kind: what Prometheus calls its type.
        help: one sentence, the same in every instance's file.
        labels: the values of each label; none where only a cycle can say them.
    """

    name: str
    kind: Literal["gauge", "counter"]
    help: str
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def series(self) -> Iterator[Series]:
        """Every series that is always there."""
        for values in product(*self.labels.values()):
            yield series(self.name, **dict(zip(self.labels, values, strict=True)))


def series(name: str, **labels: str) -> Series:
    """The series of a metric with these labels."""
    return name, tuple(sorted(labels.items()))


@cache
def families() -> tuple[Family, ...]:
    """All metrics, in the order of the file."""
    verdicts = {"verdict": [verdict.value for verdict in Verdict]}
    outcomes = [outcome.value for outcome in Outcome if outcome is not Outcome.RUNNING]
    causes = [kind.value for kind in CauseKind if kind is not CauseKind.PROGRAM]
    return (
        Family(BUILD_INFO, "gauge", "The version of ComfyWatchman; always 1.", {"version": ()}),
        Family(
            COMFYUI_INFO,
            "gauge",
            "The version of ComfyUI in the last full report; always 1.",
            {"version": (), "commit": ()},
        ),
        Family(LAST_RUN, "gauge", "When the last cycle ended, whatever became of it."),
        Family(
            LAST_SUCCESS,
            "gauge",
            "When the last cycle ended that was done; until there is one, when counting began.",
        ),
        Family(INTERVAL, "gauge", "How long after one cycle the next is due."),
        Family(DURATION, "gauge", "How long the last cycle took that was done."),
        Family(CYCLES, "counter", "Cycles, by how they ended.", {"outcome": outcomes}),
        Family(WORKFLOWS, "gauge", "Saved workflows in the last full report.", verdicts),
        Family(
            ACCEPTED, "gauge", "Those of them that are as bad as somebody has accepted.", verdicts
        ),
        Family(
            WILL_FAIL,
            "gauge",
            "Those of them that name a damaged model file, and that nobody has accepted so.",
        ),
        Family(
            MODEL_FILES,
            "gauge",
            "Model files on this host in the last full report, by their state.",
            {"state": list(ModelFiles.model_fields)},
        ),
        Family(
            FINDINGS,
            "gauge",
            "Findings in the last full report.",
            {"code": [code.name for code in catalogue()]},
        ),
        Family(
            REGRESSIONS,
            "counter",
            "Workflows that got worse, by the kind of what did it.",
            {"cause": causes},
        ),
        Family(
            NOTIFICATIONS,
            "counter",
            "Messages, by channel and what became of them.",
            {"channel": CHANNELS, "result": RESULTS},
        ),
    )
