"""A cycle judges as many workflows as there is time for, the oldest verdicts first."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import pytest
from langgraph.runtime import Runtime

from comfywatchman import settings
from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.comfyui.client import ComfyUIClient
from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.comfyui.provenance.inquiry import Inquiry
from comfywatchman.cycle import graph
from comfywatchman.cycle.graph import CycleContext, CycleState, Target
from comfywatchman.report.store import ReportStore
from comfywatchman.workflow.find import WorkflowFile
from comfywatchman.workflow.postponed import not_fetched
from comfywatchman.workflow.prompt import WorkflowError
from tests.standin.comfyui import recorded_node_types

if TYPE_CHECKING:
    from pathlib import Path

    from comfywatchman.clock import CycleClock

CATALOG = Catalog(recorded_node_types("full"), "0.33.0")


class Clock:
    """A second passes each time that somebody looks at it."""

    def __init__(self) -> None:
        self.looked = 0

    def elapsed(self) -> float:
        self.looked += 1
        return self.looked

    def started_at(self) -> datetime:
        return datetime(2026, 5, 3, tzinfo=UTC)


@dataclass(frozen=True)
class NotFetched(WorkflowFile):
    """A workflow that a server did not send in time."""

    def read(self, max_bytes: int) -> bytes:
        raise WorkflowError(not_fetched(f"http://server?{max_bytes}"))


@pytest.fixture
def found(tmp_path: Path) -> list[WorkflowFile]:
    files = []
    for name in "abcde":
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps({"1": {"class_type": "EmptyImage", "inputs": {name: 0}}}))
        files.append(WorkflowFile(file, name))
    return files


def judged(
    folder: Path, found: list[WorkflowFile], *, paths: tuple[Path, ...] = (), **given: Any
) -> tuple[str, list[str]]:
    """What a cycle judges that has time for two, and the names of its report in order."""
    given = {"cycle_time_limit": 3.7, "state_dir": folder / "state", **given}
    read = settings.load(given)
    context = CycleContext(
        read,
        Target(paths),
        ComfyUIClient(read, None),
        ReportStore(folder / "state"),
        None,
        cast("CycleClock", Clock()),
    )
    state: CycleState = {
        "catalog": CATALOG,
        "inventory": Inventory(),
        "inquiry": Inquiry(CATALOG),
        "found": list(found),
    }
    told: list[Any] = []
    made = graph.judge(state, Runtime(context=context, stream_writer=told.append))
    made["verdicts"].save()
    reports = made["workflows"]
    assert sum(len(event.workflows) for event in told if hasattr(event, "workflows")) == len(found)
    in_time = [r.name for r in reports if r.verdict != "unknown"]
    assert all(
        [f.code for f in r.findings] in (["not_judged_in_time"], ["not_fetched_in_time"])
        for r in reports
        if r.verdict == "unknown"
    )
    return "".join(in_time), [r.name for r in reports]


def test_each_has_its_turn(tmp_path: Path, found: list[WorkflowFile]) -> None:
    cycles = [judged(tmp_path, found) for _ in range(5)]
    assert [names for names, _ in cycles] == ["ab", "cd", "ae", "bc", "ad"]
    assert all(order == list("abcde") for _, order in cycles)


def test_a_new_one_comes_first(tmp_path: Path, found: list[WorkflowFile]) -> None:
    judged(tmp_path, found[:4])
    judged(tmp_path, found[:4])
    assert judged(tmp_path, found)[0] == "ae"


def test_one_that_was_not_fetched_keeps_its_turn(tmp_path: Path, found: list[WorkflowFile]) -> None:
    late = [NotFetched(found[0].file, "a"), *found[1:]]
    assert judged(tmp_path, late)[0] == "b"
    assert judged(tmp_path, found)[0] == "ac"


def test_a_check_by_hand_has_no_limit(tmp_path: Path, found: list[WorkflowFile]) -> None:
    assert judged(tmp_path, found, paths=(tmp_path,))[0] == "abcde"


def test_each_has_its_turn_without_a_cache_too(tmp_path: Path, found: list[WorkflowFile]) -> None:
    assert [judged(tmp_path, found, cache=False)[0] for _ in range(3)] == ["ab", "cd", "ae"]
