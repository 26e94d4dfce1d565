"""A kept verdict is reused where nothing it rests on has changed, and nowhere else."""

from __future__ import annotations

import copy
import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.judging.cache import VerdictCache
from comfywatchman.judging.workflow import judge_workflow
from comfywatchman.results import Verdict, WorkflowReport
from comfywatchman.workflow.find import WorkflowFile
from tests.standin.comfyui import recorded_node_types

if TYPE_CHECKING:
    from pathlib import Path

PROMPT = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "photo.png"}},
    "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
}


@pytest.fixture
def workflow(tmp_path: Path) -> WorkflowFile:
    file = tmp_path / "flow.json"
    file.write_text(json.dumps(PROMPT))
    return WorkflowFile(file, "flow.json")


@pytest.fixture
def node_types() -> dict[str, Any]:
    return copy.deepcopy(recorded_node_types("full"))


HERE = Inventory(files={"input": frozenset({"photo.png"})})
GONE = Inventory(files={"input": frozenset({"another.png"})})


class Cycle:
    """Judges one workflow as a cycle would, and tells whether the verdict was a kept one."""

    def __init__(self, folder: Path, workflow: WorkflowFile) -> None:
        self.file = folder / "verdicts.cache"
        self.workflow = workflow

    def __call__(
        self, node_types: dict[str, Any], inventory: Inventory = HERE, **changes: Any
    ) -> tuple[WorkflowReport, bool]:
        limits = {"depth": changes.pop("depth", 200)}
        cache = VerdictCache(
            self.file, Catalog(node_types, changes.get("version", "0.8.0")), inventory, limits
        )
        digest = hashlib.sha256(self.workflow.read(10**6)).hexdigest()
        kept = cache.get(digest, self.workflow.path, self.workflow.name) is not None
        report = judge_workflow(self.workflow, cache, max_bytes=10**6, max_depth=limits["depth"])
        cache.save()
        return report, kept


@pytest.fixture
def cycle(tmp_path: Path, workflow: WorkflowFile) -> Cycle:
    return Cycle(tmp_path, workflow)


def test_a_verdict_is_kept_while_nothing_changes(cycle: Cycle, node_types: dict[str, Any]) -> None:
    first, kept = cycle(node_types)
    assert (first.verdict, kept) == (Verdict.RUNNABLE, False)
    again, kept = cycle(node_types)
    assert kept
    assert again == first


def test_a_changed_file_is_judged_anew(
    cycle: Cycle, workflow: WorkflowFile, node_types: dict[str, Any]
) -> None:
    cycle(node_types)
    workflow.file.write_text(json.dumps({**PROMPT, "3": {"class_type": "Nowhere", "inputs": {}}}))
    report, kept = cycle(node_types)
    assert (report.verdict, kept) == (Verdict.BROKEN, False)


def test_what_is_no_workflow_is_not_read_again(
    cycle: Cycle, workflow: WorkflowFile, node_types: dict[str, Any]
) -> None:
    workflow.file.write_text('["a list"]')
    first, kept = cycle(node_types)
    assert (first.verdict, kept) == (Verdict.BROKEN, False)
    again, kept = cycle(node_types)
    assert (again, kept) == (first, True)


def test_a_file_that_is_gone_is_noticed(cycle: Cycle, node_types: dict[str, Any]) -> None:
    cycle(node_types)
    report, kept = cycle(node_types, GONE)
    assert (report.verdict, kept) == (Verdict.BROKEN, False)
    report, kept = cycle(node_types, HERE)
    assert (report.verdict, kept) == (Verdict.RUNNABLE, False)


def test_other_files_do_not_matter(cycle: Cycle, node_types: dict[str, Any]) -> None:
    cycle(node_types)
    _, kept = cycle(node_types, Inventory(files={"input": frozenset({"photo.png", "new.png"})}))
    assert kept


def test_a_changed_declaration_of_a_node_type_in_use_is_noticed(
    cycle: Cycle, node_types: dict[str, Any]
) -> None:
    cycle(node_types)
    node_types["PreviewImage"]["input"]["required"]["strength"] = ["FLOAT", {}]
    report, kept = cycle(node_types)
    assert (report.verdict, kept) == (Verdict.BROKEN, False)


def test_a_node_type_that_vanishes_is_noticed(cycle: Cycle, node_types: dict[str, Any]) -> None:
    cycle(node_types)
    del node_types["LoadImage"]
    report, kept = cycle(node_types)
    assert (report.verdict, kept) == (Verdict.BROKEN, False)


def test_new_choices_of_a_node_type_not_in_use_do_not_matter(
    cycle: Cycle, node_types: dict[str, Any]
) -> None:
    cycle(node_types)
    node_types["LoraLoader"]["input"]["required"]["lora_name"][0].append("new.safetensors")
    _, kept = cycle(node_types)
    assert kept


@pytest.mark.parametrize("change", [{"version": "0.12.0"}, {"depth": 100}])
def test_another_version_or_limit_is_judged_anew(
    cycle: Cycle, node_types: dict[str, Any], change: dict[str, Any]
) -> None:
    cycle(node_types)
    _, kept = cycle(node_types, **change)
    assert not kept


@pytest.mark.parametrize("damage", [b"", b"{}", b"\x00" * 100, b"0" * 64 + b"\n{}"])
def test_a_damaged_file_is_rebuilt_and_never_believed(
    cycle: Cycle, node_types: dict[str, Any], damage: bytes
) -> None:
    cycle(node_types)
    cycle.file.write_bytes(damage)
    _, kept = cycle(node_types)
    assert not kept
    _, kept = cycle(node_types)
    assert kept


def test_a_flipped_verdict_in_the_file_is_not_believed(
    cycle: Cycle, node_types: dict[str, Any]
) -> None:
    cycle(node_types)
    content = cycle.file.read_bytes()
    assert b'"runnable"' in content
    cycle.file.write_bytes(content.replace(b'"runnable"', b'"partial"'))
    report, kept = cycle(node_types)
    assert (report.verdict, kept) == (Verdict.RUNNABLE, False)
