"""The list of the files that are ours in a state folder; program and role have it in common."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from comfywatchman import state_files

MODULE = Path(state_files.__file__)
PLUGINS = Path(__file__).parents[2] / "plugins"


@pytest.mark.parametrize(
    "name",
    [
        *state_files.FILES,
        *state_files.OF_OTHER_RELEASES,
        "verdicts.cache.damaged",
        "schedule.log.1",
        "schedule.log.12",
        "history.sqlite3-journal",
        "server-workflows.sqlite3-journal",
        "server-workflows.sqlite3.damaged",
        "history.sqlite3.before-1",
        "history.sqlite3.before-1.damaged",
        ".history.sqlite3.before-12.77.part",
        "workflow-copies.sqlite3-journal",
        ".latest.json.7.8.part",
        ".report.md.7.part",
        "fix-20261126-140203-0a1b2c3d.json",
        "fix-20261126-140203-0a1b2c3d-12.before",
        ".fix-20261126-140203-0a1b2c3d.json.7.8.part",
    ],
)
def test_it_is_ours(name: str) -> None:
    assert state_files.is_ours(name)


@pytest.mark.parametrize(
    "name",
    [
        *("report.pdf", "report.md.orig", "my report.md", "Report.md", "report", "report.md\n"),
        *("history.txt", "history.json.1", "inventory.csv", "last-will.odt", "schedule.ics"),
        *(".latest.json", ".download.7.8.part", "latest.json.part", "..", "", "schedule.log.old"),
        *("fix-me.json", "fix-20261126-140203-0a1b2c3d.before", "fix-2026.json"),
        *("history.sqlite3.before-", "history.sqlite3.before-x", "latest.json.before-1"),
    ],
)
def test_it_is_of_somebody_else(name: str) -> None:
    assert not state_files.is_ours(name)


@pytest.mark.parametrize("ending", ["", "-journal", ".damaged", ".before-1"])
def test_what_people_made_is_told_from_the_rest(ending: str) -> None:
    assert state_files.holds_peoples_work(f"workflow-copies.sqlite3{ending}")
    assert not state_files.holds_peoples_work(f"history.sqlite3{ending}")
    assert not state_files.holds_peoples_work(f"my workflow-copies.sqlite3{ending}")
    assert not state_files.holds_peoples_work("workflow-copies.sqlite3.zip")


def test_what_workflows_held_before_a_fix_is_peoples_work_and_remembered() -> None:
    fix = "fix-20261126-140203-0a1b2c3d"
    assert state_files.holds_peoples_work(f"{fix}-1.before")
    assert not state_files.holds_peoples_work(f"{fix}.json")
    assert state_files.is_remembered(f"{fix}-1.before")
    assert state_files.is_remembered(f"{fix}.json")


@pytest.mark.parametrize("name", ["history.sqlite3", "workflow-copies.sqlite3"])
def test_what_is_remembered_is_told_from_what_the_next_cycle_finds_again(name: str) -> None:
    for ending in ("", "-journal", ".damaged", ".before-1"):
        assert state_files.is_remembered(name + ending)
    assert state_files.database_of(f"{name}-journal") == state_files.database_of(name) == name
    assert state_files.database_of(f"{name}.before-1") == f"{name}.before-1"
    for other in ("server-workflows.sqlite3", "latest.json", f"my {name}", f"{name}.zip"):
        assert not state_files.is_remembered(other)


def test_the_collection_has_this_very_file() -> None:
    assert (PLUGINS / "module_utils" / "state_files.py").resolve() == MODULE.resolve()


def test_a_host_needs_nothing_of_ours_to_read_it() -> None:
    imports = [
        [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module]
        for node in ast.walk(ast.parse(MODULE.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert sorted(name for names in imports for name in names) == ["__future__", "re"]
