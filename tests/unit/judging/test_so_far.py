"""Verdicts are kept as they are reached, so that a kill costs no more than the last of them."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.judging import so_far
from comfywatchman.judging.cache import VerdictCache
from comfywatchman.judging.so_far import SoFar
from comfywatchman.judging.workflow import judge_workflow, postpone
from comfywatchman.workflow.find import WorkflowFile
from tests.standin.comfyui import recorded_node_types

if TYPE_CHECKING:
    from pathlib import Path

NODE_TYPES = recorded_node_types("full")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(so_far, "_EVERY", 0)


@pytest.fixture
def workflows(tmp_path: Path) -> list[WorkflowFile]:
    found = []
    for number in range(5):
        file = tmp_path / f"{number}.json"
        file.write_text(json.dumps({"1": {"class_type": "EmptyImage", "inputs": {"n": number}}}))
        found.append(WorkflowFile(file, file.name))
    return found


class Cycle:
    """A cycle that may be killed at any moment: then :meth:`save` is not called."""

    def __init__(self, folder: Path, *, version: str = "0.33.0", adds: bool = True) -> None:
        self.file = folder / "verdicts.cache"
        self.added = folder / "verdicts-so-far.cache"
        kept = SoFar(self.added, adds=adds)
        catalog = Catalog(NODE_TYPES, version)
        self.verdicts = VerdictCache(self.file, catalog, Inventory(), {}, so_far=kept)

    def judge(self, *workflows: WorkflowFile) -> None:
        for workflow in workflows:
            report = judge_workflow(workflow, self.verdicts, max_bytes=10**6, max_depth=200)
            self.verdicts.reached(report)

    def postpone(self, *workflows: WorkflowFile) -> None:
        for workflow in workflows:
            self.verdicts.reached(postpone(workflow))

    def knows(self, workflow: WorkflowFile) -> bool:
        digest = sha256(workflow.read(10**6)).hexdigest()
        return self.verdicts.get(digest, workflow.path, workflow.name) is not None

    def order(self, workflows: list[WorkflowFile]) -> list[int]:
        return self.verdicts.oldest_first(workflows)


def test_a_killed_cycle_keeps_what_it_reached(
    tmp_path: Path, workflows: list[WorkflowFile]
) -> None:
    Cycle(tmp_path).judge(*workflows[:3])
    after = Cycle(tmp_path)
    assert [after.knows(w) for w in workflows] == [True, True, True, False, False]
    assert after.order(workflows) == [3, 4, 0, 1, 2]
    after.judge(*workflows)
    after.verdicts.save()
    assert not after.added.exists()
    last = Cycle(tmp_path)
    assert all(map(last.knows, workflows))
    assert last.order(workflows) == [0, 1, 2, 3, 4]


def test_so_do_several_in_a_row(tmp_path: Path, workflows: list[WorkflowFile]) -> None:
    for _ in workflows:
        killed = Cycle(tmp_path)
        killed.judge(workflows[killed.order(workflows)[0]])
    assert all(map(Cycle(tmp_path).knows, workflows))


def test_what_was_half_written_is_passed_over_and_written_over(
    tmp_path: Path, workflows: list[WorkflowFile]
) -> None:
    killed = Cycle(tmp_path)
    killed.judge(*workflows[:3])
    killed.added.write_bytes(killed.added.read_bytes()[:-20])
    after = Cycle(tmp_path)
    assert [after.knows(w) for w in workflows] == [True, True, False, False, False]
    after.judge(*workflows[3:])
    again = Cycle(tmp_path)
    assert [again.knows(w) for w in workflows] == [True, True, False, True, True]


@pytest.mark.parametrize("damage", [b"", b"\0", b"x" * 100, b"\xff\n\n\n", b"a b\n" * 9])
def test_whatever_lies_there(tmp_path: Path, workflows: list[WorkflowFile], damage: bytes) -> None:
    Cycle(tmp_path).added.write_bytes(damage)
    Cycle(tmp_path).judge(*workflows)
    assert all(map(Cycle(tmp_path).knows, workflows))


def test_a_folder_or_link_in_its_place_costs_nothing_else(
    tmp_path: Path, workflows: list[WorkflowFile]
) -> None:
    other = tmp_path / "somebody's"
    other.write_text("kept")
    Cycle(tmp_path).added.symlink_to(other)
    linked = Cycle(tmp_path)
    linked.judge(*workflows)
    linked.verdicts.save()
    assert other.read_text() == "kept"
    Cycle(tmp_path).added.mkdir()
    Cycle(tmp_path).judge(*workflows)


def test_verdicts_that_rest_on_something_else_are_not_used(
    tmp_path: Path, workflows: list[WorkflowFile]
) -> None:
    Cycle(tmp_path).judge(*workflows[:3])
    newer = Cycle(tmp_path, version="0.8.0")
    assert not any(map(newer.knows, workflows))
    assert newer.order(workflows) == [3, 4, 0, 1, 2]
    newer.judge(workflows[4])
    assert [Cycle(tmp_path, version="0.8.0").knows(w) for w in workflows[3:]] == [False, True]


def test_a_check_by_hand_adds_nothing(tmp_path: Path, workflows: list[WorkflowFile]) -> None:
    Cycle(tmp_path).judge(workflows[0])
    before = Cycle(tmp_path).added.read_bytes()
    by_hand = Cycle(tmp_path, adds=False)
    assert by_hand.knows(workflows[0])
    by_hand.judge(*workflows)
    assert by_hand.added.read_bytes() == before


def test_short_cycles_write_nothing(
    tmp_path: Path, workflows: list[WorkflowFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(so_far, "_EVERY", 3_600)
    short = Cycle(tmp_path)
    short.judge(*workflows)
    assert not short.added.exists()


def test_what_was_postponed_comes_first_and_keeps_its_verdict(
    tmp_path: Path, workflows: list[WorkflowFile]
) -> None:
    orders = []
    for _ in range(5):
        cycle = Cycle(tmp_path)
        order = cycle.order(workflows)
        orders.append(order)
        cycle.judge(*(workflows[at] for at in order[:2]))
        cycle.postpone(*(workflows[at] for at in order[2:]))
        cycle.verdicts.save()
    assert [order[:2] for order in orders] == [[0, 1], [2, 3], [4, 0], [1, 2], [3, 0]]
    assert all(map(Cycle(tmp_path).knows, workflows))


def test_what_changes_all_the_time_does_not_pile_up(
    tmp_path: Path, workflows: list[WorkflowFile]
) -> None:
    for number in range(20):
        workflows[0].file.write_text(json.dumps({"1": {"class_type": f"T{number}"}}))
        cycle = Cycle(tmp_path)
        cycle.judge(workflows[0])
        cycle.postpone(*workflows[1:])
        cycle.verdicts.save()
    kept = json.loads(Cycle(tmp_path).file.read_bytes().partition(b"\n")[2])
    assert len(kept["entries"]) == 1 + 2 * 4


def test_what_is_gone_is_forgotten(tmp_path: Path, workflows: list[WorkflowFile]) -> None:
    for judged in (workflows, workflows[1:]):
        cycle = Cycle(tmp_path)
        cycle.judge(*judged)
        cycle.verdicts.save()
    after = Cycle(tmp_path)
    assert not after.knows(workflows[0])
    assert after.order(workflows) == [0, 1, 2, 3, 4]
