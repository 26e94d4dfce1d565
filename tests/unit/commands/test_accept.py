"""``comfywatchman accept``, and what the cycles after it make of it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman.errors import Exit
from tests.unit.program import PROMPT, run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.standin.comfyui import StandIn

TODAY = datetime.now(UTC).astimezone().date()
SOON = str(TODAY + timedelta(days=30))
GONE = {"class_type": "Gone", "inputs": {}}
GONE_TOO = {"class_type": "GoneToo", "inputs": {}}


class Host:
    """A server, a folder with a workflow that is broken, and one check that has seen it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.flows = folder / "flows"
        self.flows.mkdir()
        self.config = folder / "config.toml"
        self.own = folder / "accepted.toml"
        self.config.write_text(
            f'comfyui_url = "{url}"\nworkflow_dirs = ["{self.flows}"]\nmin_free_vram = 0\n'
            f'state_dir = "{folder}/state"\nuserdata = false\n'
        )
        self.save("flow.json", {"3": GONE})
        self.save("well.json", {})
        assert self.check().returncode == Exit.FAIL_ON

    def save(self, name: str, more: dict[str, object]) -> None:
        (self.flows / name).write_text(json.dumps({**PROMPT, **more}))

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        return run(*arguments, "--config", self.config)

    def check(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        return self.run("check", "--fail-on", "broken", *arguments)

    def accept(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        return self.run("accept", "flow.json", "--reason", "known", "--until", SOON, *arguments)

    def report(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads((self.folder / "state" / "latest.json").read_bytes())
        return report

    def states(self) -> list[str]:
        return [each["state"] for each in self.report()["acceptances"]]

    @property
    def id(self) -> str:
        (found,) = re.findall(r'^id = "(\w+)"', self.own.read_text(), re.MULTILINE)
        return str(found)


@pytest.fixture
def host(tmp_path: Path, comfyui: StandIn) -> Host:
    return Host(tmp_path, comfyui.url)


def test_what_is_accepted_fails_nothing_until_a_new_fault_or_the_day(host: Host) -> None:
    done = host.accept()
    assert (done.returncode, done.stderr) == (Exit.OK, "")
    assert done.stdout == (
        f"{host.id}: 1 error of {host.flows}/flow.json accepted until {SOON}, from the next check "
        f"on; written in {host.own}\n"
    )
    ended = host.check()
    assert ended.returncode == Exit.OK
    assert "Accepted (1)" in ended.stdout
    report = host.report()
    assert (report["summary"]["broken"], report["accepted"]["broken"]) == (1, 1)
    assert report["reason"] == "2 workflows: 1 runnable, 1 broken; 1 accepted"
    (flow, _) = report["workflows"]
    assert (flow["verdict"], flow["accepted"]["reason"]) == ("broken", "known")
    assert "Accepted (1)" in host.run("report").stdout
    for paths in ([host.flows], [host.flows / "flow.json"]):
        assert host.check(*paths).returncode == Exit.OK

    host.save("flow.json", {"3": GONE, "4": GONE_TOO})
    ended = host.check()
    assert ended.returncode == Exit.FAIL_ON
    assert host.states() == ["void"]
    assert f"acceptance {host.id} of 'flow.json' holds no more" in ended.stderr

    host.save("flow.json", {"3": GONE})  # just what was accepted
    ended = host.check()
    assert ended.returncode == Exit.OK
    assert host.states() == ["applied"]
    said = [line for line in ended.stderr.splitlines() if line.startswith("broken: flow.json: ")]
    (told,) = (line.partition("; accepted until ")[2] for line in said)
    assert told.startswith(SOON)
    assert told.endswith(f": known ({host.id})")
    host.save("flow.json", {"3": GONE, "4": GONE_TOO})
    assert host.check().returncode == Exit.FAIL_ON

    assert "renewed in" in host.accept().stdout
    assert host.check().returncode == Exit.OK
    yesterday = TODAY - timedelta(days=1)
    host.own.write_text(host.own.read_text().replace(SOON, str(yesterday)))
    assert host.check().returncode == Exit.FAIL_ON
    assert host.states() == ["expired"]
    assert f"until {yesterday} (ended)" in host.run("accept", "--list").stdout


def test_what_is_mended_or_renamed_is_accepted_for_nothing(host: Host) -> None:
    host.accept()
    host.save("flow.json", {})
    assert host.check().returncode == Exit.OK
    assert host.states() == ["unused"]
    host.save("flow.json", {"3": GONE})
    (host.flows / "flow.json").rename(host.flows / "renamed.json")
    ended = host.check()
    assert ended.returncode == Exit.FAIL_ON
    assert "if it was renamed, accept it under its new name" in ended.stderr
    assert host.check(host.flows / "well.json", "--format", "json").stdout.count('"state"') == 0


def test_an_acceptance_is_withdrawn(host: Host) -> None:
    host.accept()
    name = host.id
    done = host.run("accept", "--withdraw", name)
    assert (done.returncode, done.stdout) == (0, f"{name} is withdrawn from {host.own}\n")
    assert host.check().returncode == Exit.FAIL_ON
    again = host.run("accept", "--withdraw", "x\x1b[2J")
    assert again.returncode == Exit.USAGE
    assert "there is no acceptance 'x\\x1b[2J'; there are: none" in again.stderr
    assert "nothing is accepted" in host.run("accept", "--list").stdout


def test_a_teams_entry_is_printed_and_withdrawn_where_it_comes_from(host: Host) -> None:
    printed = host.accept("--team")
    assert not host.own.exists()
    team = host.folder / "accepted.team.toml"
    team.write_text(printed.stdout)
    assert host.check().returncode == Exit.OK
    assert "faults" in printed.stdout
    assert "fingerprints" not in printed.stdout
    (name,) = re.findall(r'^id = "(\w+)"', printed.stdout, re.MULTILINE)
    refused = host.run("accept", "--withdraw", name)
    assert refused.returncode == Exit.USAGE
    assert f"{name} is a team's, in {team}, which the next deploy writes anew" in refused.stderr
    host.accept()
    listed = host.run("accept", "--list").stdout
    assert f"1 error, in {team}" in listed
    assert f"1 error, in {host.own}" in listed


def test_a_damaged_file_is_told_and_costs_neither_report_nor_the_other_file(host: Host) -> None:
    (host.folder / "accepted.team.toml").write_text(host.accept("--team").stdout)
    host.own.write_text("[[accepted]\n")
    ended = host.check()
    assert ended.returncode == Exit.OK
    assert host.states() == ["wrong", "applied"]
    assert f"{host.own}: is not valid TOML: " in ended.stderr
    refused = host.accept()
    assert refused.returncode == Exit.CONFIG
    assert "correct it first; nothing was written" in refused.stderr


def test_offline_it_holds_too(host: Host, object_info: Path) -> None:
    host.accept()
    offline = ["--object-info", object_info, host.flows]
    assert host.check(*offline).returncode == Exit.OK
    host.own.unlink()
    assert host.check(*offline).returncode == Exit.FAIL_ON


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "say one thing: accept WORKFLOW"),
        (["--list", "--withdraw", "x"], "say one thing: accept WORKFLOW"),
        (["--list", "--reason", "x"], "say one thing: accept WORKFLOW"),
        (["flow.json", "--until", SOON], "--reason is required: why, and until which day"),
        (["flow.json", "--reason", "x"], "--until is required: why, and until which day"),
        (["low.json", "--reason", "x", "--until", SOON], "near it: 'flow.json'"),
    ],
)
def test_wrong_usage_is_a_sentence(host: Host, arguments: list[str], said: str) -> None:
    ended = host.run("accept", *arguments)
    assert ended.returncode == Exit.USAGE
    assert ended.stderr.startswith("comfywatchman: ")
    assert said in ended.stderr
    assert not host.own.exists()


def test_a_cycle_imports_no_writer_of_toml(flow: Path, object_info: Path) -> None:
    script = (
        "import sys; from comfywatchman.cli import app\n"
        f"sys.argv = ['x', 'check', {str(flow)!r}, '--object-info', {str(object_info)!r}]\n"
        "try: app()\nexcept SystemExit: pass\n"
        "assert 'comfywatchman.acceptances.file' in sys.modules\n"
        "assert 'tomlkit' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, timeout=60)
