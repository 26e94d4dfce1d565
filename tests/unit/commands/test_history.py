"""``history``: what changed, what that did, and reports of the past."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from comfywatchman import state_files
from comfywatchman.results import (
    Cause,
    CauseKind,
    ChangeKind,
    Changes,
    HistoryReport,
    HostChange,
    Report,
    Sureness,
    Verdict,
    WorkflowChange,
)
from tests.unit.history import cycles

if TYPE_CHECKING:
    from pathlib import Path

PACK = Cause(
    id="pack",
    kind=CauseKind.PACK,
    sureness=Sureness.CERTAIN,
    name="PACK",
    text="KSampler of PACK 1.2.0 → 1.3.0 dropped output 2",
)


def became(kind: ChangeKind, name: str, folder: str = "/w") -> WorkflowChange:
    before, after = Verdict.RUNNABLE, Verdict.BROKEN
    if kind is ChangeKind.MENDED:
        before, after = after, before
    return WorkflowChange(
        path=f"{folder}/{name}",
        name=name,
        kind=kind,
        before=before,
        after=after,
        causes=["pack"] if kind is ChangeKind.WORSE else [],
    )


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Three cycles of January 2026, at 00:00, 02:00 and 04:00: two break, one is mended."""
    names = ("a.json", "b.json", "c.json")
    fine = [cycles.workflow(f"/w/{name}") for name in names]
    fine.append(cycles.workflow("/other/c.json"))
    cycles.remember(tmp_path, 0, fine)
    worse = Changes(
        since=cycles.when(0),
        workflows=[became(ChangeKind.WORSE, "a.json"), became(ChangeKind.WORSE, "b.json")],
        causes=[PACK],
        host=[HostChange(kind="pack", name="PACK", text="PACK 1.2.0 → 1.3.0")],
    )
    broken = [cycles.broken(f"/w/{name}") for name in names[:2]]
    cycles.remember(tmp_path, 1, [*broken, *fine[2:]], changes=worse)
    mended = Changes(since=cycles.when(1), workflows=[became(ChangeKind.MENDED, "a.json")])
    cycles.remember(tmp_path, 2, [fine[0], broken[1], *fine[2:]], changes=mended)
    return tmp_path


def run(state: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "comfywatchman.cli", "history", f"--state-dir={state}"]
    return subprocess.run(
        [*command, *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def test_the_newest_comes_first(state: Path) -> None:
    shown = run(state, "--since", "2026-01-01T00:00Z")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.endswith(
        """since 2026-01-01 00:00 UTC, the newest first

── 2026-01-01 04:00 UTC ────────────────────────────────────────────────────────────────────────────
1 mended; since 2026-01-01 02:00 UTC
mended 1 workflow runs again
       a.json

── 2026-01-01 02:00 UTC ────────────────────────────────────────────────────────────────────────────
2 worse; since 2026-01-01 00:00 UTC
worse  2 workflows broke because KSampler of PACK 1.2.0 → 1.3.0 dropped output 2
       a.json, b.json

On the host:
· PACK 1.2.0 → 1.3.0
"""
    )


@pytest.mark.parametrize("called", ["b.json", "/w/b.json"])
def test_one_workflow(state: Path, called: str) -> None:
    shown = run(state, "--workflow", called)
    assert "\n/w/b.json\n✗ broken since 2026-01-01 02:00 UTC\n✓ runnable since" in shown.stdout
    assert "1 workflow broke because" in shown.stdout
    assert "a.json" not in shown.stdout


def test_for_programs(state: Path) -> None:
    shown = run(state, "--workflow=a.json", "--format=json")
    found = HistoryReport.model_validate_json(shown.stdout)
    assert found.workflow == "/w/a.json"
    assert [verdict.verdict for verdict in found.verdicts] == ["runnable", "broken", "runnable"]
    assert [event.at for event in found.events] == [cycles.when(2), cycles.when(1)]
    assert found.events[1].changes.causes == [PACK]
    assert json.loads(shown.stdout)["schema_version"] == 1


def test_nothing_changed_since(state: Path) -> None:
    shown = run(state, "--since=2026-01-02T00:00Z").stdout
    assert shown.startswith("Nothing changed on ")
    assert shown.endswith(" since 2026-01-02 00:00 UTC\n")


def test_a_report_of_the_past(state: Path) -> None:
    shown = run(state, "--at", "2026-01-01T03:30:00+00:00")
    assert shown.stderr == (
        "comfywatchman: the report of 2026-01-01 02:00 UTC, as of 2026-01-01 03:30 UTC\n"
    )
    assert "2 broken, 2 runnable of 4 workflows" in shown.stdout
    as_json = run(state, "--at=2026-01-01 05:00 UTC", "--format=json")
    assert Report.model_validate_json(as_json.stdout).started_at == cycles.when(2)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--since", "x\x1b[2J"], "--since: 'x\\x1b[2J' is no time: give an age such as 12h"),
        (["--at", "9999-01-01"], "--at: '9999-01-01' is still to come: it is 20"),
        (["--at", "2025-12-31"], "--at: the history begins later than 20"),
        (["--at", "2d", "--since", "7d"], "--at shows one report as a whole: leave --workflow"),
        (["--workflow", "gone.json"], "--workflow: the history has no workflow 'gone.json'; "),
        (
            ["--workflow", "c.json"],
            (
                "--workflow: 2 workflows are called 'c.json': name one by its path: "
                "'/other/c.json', '/w/c.json'"
            ),
        ),
        (["--format", "pdf"], ""),
    ],
)
def test_what_cannot_be_shown(state: Path, arguments: list[str], said: str) -> None:
    refused = run(state, *arguments)
    assert refused.returncode == 2
    assert f"comfywatchman: {said}" in refused.stderr if said else refused.stderr
    assert refused.stdout == ""


def test_without_a_history(tmp_path: Path) -> None:
    refused = run(tmp_path)
    assert refused.returncode == 78
    assert "there is no history yet; it begins with the first cycle" in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_history_is_a_sentence_and_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / state_files.HISTORY
    file.write_bytes(b"no database" * 1000)
    refused = run(tmp_path)
    assert refused.returncode == 78
    assert "Traceback" not in refused.stderr
    assert str(file) in refused.stderr
    assert file.read_bytes() == b"no database" * 1000
