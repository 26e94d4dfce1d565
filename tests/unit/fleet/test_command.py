"""``comfywatchman fleet DIR`` as it is run."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.fleet import sample
from tests.unit.fleet.sample import host, report

FILES = {"fleet.json", "fleet.md", "fleet.html"}
DAYS = "--stale-after=999999999"  # the samples are of long ago


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "comfywatchman.cli", "fleet", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_it_writes_the_picture_and_prints_it(tmp_path: Path) -> None:
    sample.studio(tmp_path)
    done = run(tmp_path, DAYS)
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "9 hosts: 6 well, 1 with a problem, 2 silent"
    assert "render03.example.com: it could not be reached: Connection timed out" in lines
    assert lines[-1] == f"For a browser: {tmp_path / 'fleet.html'}"
    for name in FILES:
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_json_is_what_is_written(tmp_path: Path) -> None:
    sample.write(tmp_path / "in", [host("a")])
    done = run(tmp_path / "in", "--format", "json", "--output", tmp_path / "out" / "new", DAYS)
    assert done.returncode == 0
    assert json.loads(done.stdout)["well"] is True
    assert {f.name for f in (tmp_path / "out" / "new").iterdir()} == FILES
    assert (tmp_path / "out" / "new" / "fleet.json").read_text() == done.stdout


@pytest.mark.parametrize(
    ("verdict", "fail_on", "code"),
    [
        ("broken", "hosts", 0),
        ("broken", "broken", 1),
        ("partial", "broken", 0),
        ("partial", "partial", 1),
        ("runnable", "partial", 0),
    ],
)
def test_exit_code(tmp_path: Path, verdict: str, fail_on: str, code: int) -> None:
    sample.write(tmp_path, [host("a", report=report({"a.json": verdict}))])
    assert run(tmp_path, DAYS, "--fail-on", fail_on).returncode == code


@pytest.mark.parametrize("verdict", ["broken", "partial"])
def test_what_is_accepted_fails_nothing(tmp_path: Path, verdict: str) -> None:
    both = {"a.json": verdict, "b.json": verdict}
    sample.write(tmp_path, [host("a", report=sample.accepting(both, "a.json", "b.json"))])
    assert run(tmp_path, DAYS, "--fail-on", verdict).returncode == 0
    sample.write(tmp_path, [host("b", report=sample.accepting(both, "a.json"))])
    assert run(tmp_path, DAYS, "--fail-on", verdict).returncode == 1


def test_a_host_that_is_not_well_can_be_let_pass(tmp_path: Path) -> None:
    sample.write(tmp_path, [host("a", report=None)])
    assert run(tmp_path, DAYS).returncode == 1
    assert run(tmp_path, DAYS, "--fail-on=never").returncode == 0


@pytest.mark.parametrize("hours", ["nan", "-1"])
def test_what_is_no_length_of_time_lets_nothing_pass(tmp_path: Path, hours: str) -> None:
    sample.write(tmp_path, [host("a")])
    done = run(tmp_path, f"--stale-after={hours}")
    assert (done.returncode, done.stdout) == (78, "")
    assert "give a number of hours" in done.stderr


def test_nothing_collected_is_a_sentence(tmp_path: Path) -> None:
    done = run(tmp_path / "none")
    assert (done.returncode, done.stdout) == (78, "")
    assert "nothing was collected there" in done.stderr
    assert "Traceback" not in done.stderr


def test_output_that_cannot_be_written(tmp_path: Path) -> None:
    sample.write(tmp_path, [host("a")])
    command = [sys.executable, "-m", "comfywatchman.fleet", tmp_path]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 74
    assert done.stderr.endswith("standard output cannot be written: No space left on device\n")
    assert {f.name for f in tmp_path.iterdir()} >= FILES


def test_where_only_ansible_is(tmp_path: Path) -> None:
    """A controller has Jinja from Ansible, and none of what the program needs on a host."""
    sample.studio(tmp_path)
    lacking = ("pydantic", "orjson", "typer", "rich", "platformdirs", "langgraph", "httpx")
    code = (
        "import sys, runpy\n"
        f"sys.modules.update(dict.fromkeys({lacking!r}))\n"
        "runpy.run_module('comfywatchman.fleet', run_name='__main__', alter_sys=True)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), DAYS],
        capture_output=True,
        text=True,
        env={**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0"},
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == run(tmp_path, DAYS).stdout
