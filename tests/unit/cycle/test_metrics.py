"""Whatever becomes of a cycle, the program leaves metrics of it, and they never change it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from comfywatchman import doctor, state_files
from comfywatchman.errors import Exit
from comfywatchman.gate import lock
from tests.unit.metrics.test_textfile import read
from tests.unit.program import PROMPT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.standin.comfyui import StandIn


class Host:
    """A host with a server, a workflow, and a folder that node_exporter reads."""

    def __init__(self, folder: Path, comfyui: StandIn) -> None:
        self.comfyui, self.state, self.copies = comfyui, folder / "state", folder / "copies"
        self.flow = folder / "flows" / "flow.json"
        self.flow.parent.mkdir()
        self.flow.write_text(json.dumps(PROMPT))
        self.copies.mkdir()
        self.config = folder / "config.toml"
        self.settings = (
            f'comfyui_url = "{comfyui.url}"\nworkflow_dirs = ["{folder}/flows"]\n'
            f'min_free_vram = 0\nread_timeout = 2\ntextfile_dir = "{self.copies}"\n'
        )
        self.config.write_text(self.settings)

    def cycle(self, *arguments: object, code: str = "") -> subprocess.CompletedProcess[str]:
        program = ["-c", code] if code else ["-m", "comfywatchman.cli"]
        command = [*program, "check", *map(str, arguments), f"--config={self.config}"]
        return subprocess.run(
            [sys.executable, *command, f"--state-dir={self.state}"],
            capture_output=True,
            text=True,
            timeout=60,
        )

    @property
    def metrics(self) -> dict[str, float]:
        own = read(self.state / state_files.METRICS)
        assert own == read(self.copies / "comfywatchman.prom")
        return own

    @property
    def cycles(self) -> dict[str, float]:
        outcomes = ("done", "skipped", "failed")
        return {each: self.metrics[f"cycles_total{{outcome={each}}}"] for each in outcomes}

    @property
    def last_run(self) -> dict[str, object]:
        found: dict[str, object] = json.loads((self.state / state_files.LAST_RUN).read_text())
        return found


@pytest.fixture
def host(tmp_path: Path, comfyui: StandIn) -> Host:
    return Host(tmp_path, comfyui)


def test_done_skipped_and_failed_cycles_are_counted(host: Host) -> None:
    assert host.cycle().returncode == Exit.OK
    assert host.cycles == {"done": 1, "skipped": 0, "failed": 0}
    assert host.metrics["workflows{verdict=runnable}"] == 1
    done_at = host.metrics["cycle_last_success_timestamp_seconds{}"]

    host.config.write_text(host.settings + "min_free_disk = '900TiB'\n")
    assert host.cycle().returncode == Exit.OK
    assert host.cycles == {"done": 1, "skipped": 1, "failed": 0}
    assert host.metrics["workflows{verdict=runnable}"] == 1
    assert host.metrics["cycle_last_success_timestamp_seconds{}"] == done_at
    assert host.metrics["cycle_last_run_timestamp_seconds{}"] > done_at

    host.config.write_text(host.settings + "min_free_disk = 'plenty'\n")
    assert host.cycle().returncode == Exit.CONFIG
    assert host.cycles == {"done": 1, "skipped": 1, "failed": 1}
    assert host.last_run["metrics"] is None


def test_a_credential_that_cannot_be_read_is_a_cycle_that_failed(host: Host) -> None:
    host.config.write_text(host.settings + 'comfyui_token_file = "/nonexistent"\n')
    assert host.cycle().returncode == Exit.CONFIG
    assert host.cycles == {"done": 0, "skipped": 0, "failed": 1}


@pytest.mark.parametrize("broken", ["build", "lock.make"])
def test_a_bug_is_a_cycle_that_failed(host: Host, broken: str) -> None:
    bug = (
        "from comfywatchman.cycle import graph\n"
        f"graph.{broken} = None\n"
        "from comfywatchman.cli import main\nmain()"
    )
    assert host.cycle(code=bug).returncode == Exit.INTERNAL
    assert host.cycles == {"done": 0, "skipped": 0, "failed": 1}
    assert "(TypeError)" in str(host.last_run["reason"])


def test_a_cycle_that_is_stopped_is_one_that_failed(host: Host) -> None:
    stopped = (
        "import os, signal\n"
        "from comfywatchman.cycle import graph\n"
        "graph.inventory_source.take_inventory = "
        "lambda *_: os.kill(os.getpid(), signal.SIGTERM) or signal.pause()\n"
        "from comfywatchman.cli import main\nmain()"
    )
    assert host.cycle(code=stopped).returncode == 128 + signal.SIGTERM
    assert host.cycles == {"done": 0, "skipped": 0, "failed": 1}
    assert host.metrics["cycle_interval_seconds{}"] == 7200


def test_what_is_asked_by_hand_about_some_workflows_is_no_cycle_of_the_schedule(
    host: Host,
) -> None:
    host.cycle()
    before = host.metrics
    assert host.cycle(host.flow).returncode == Exit.OK
    assert host.metrics == before


def test_the_metrics_of_a_cycle_that_runs_are_left_to_it(host: Host) -> None:
    host.cycle()
    before = host.metrics
    with lock.make(host.state / state_files.LOCK):
        assert host.cycle().returncode == Exit.LOCKED
    assert host.metrics == before


def test_the_instance_is_in_name_label_and_report(host: Host) -> None:
    host.config.write_text('instance = "gpu1"\n' + host.settings)
    host.cycle()
    (copy,) = host.copies.iterdir()
    assert copy.name == "comfywatchman-gpu1.prom"
    assert 'comfywatchman_instance="comfywatchman-gpu1"' in copy.read_text()
    assert json.loads((host.state / state_files.LATEST).read_text())["instance"] == "gpu1"


def test_a_folder_that_is_not_there_is_told_everywhere_and_changes_no_outcome(host: Host) -> None:
    host.copies.rmdir()
    ended = host.cycle()
    assert ended.returncode == Exit.OK
    said = f"{host.copies}/comfywatchman.prom could not be written: No such file or directory"
    assert said in ended.stderr
    assert said in str(host.last_run["metrics"])
    assert host.last_run["outcome"] == "done"
    assert read(host.state / state_files.METRICS)["cycles_total{outcome=done}"] == 1
    status = [sys.executable, "-m", "comfywatchman.cli", "status", f"--state-dir={host.state}"]
    assert said in subprocess.run(status, capture_output=True, text=True, check=True).stdout
    points = [p for p in doctor.examine(host.config, host.state) if p.name == "metrics"]
    assert [point.status for point in points] == [doctor.Status.PROBLEM]
    assert str(host.copies) in points[0].said


def test_the_doctor_tells_what_only_the_service_could_not_write(host: Host) -> None:
    host.cycle()
    file = host.state / state_files.LAST_RUN
    file.write_text(json.dumps(host.last_run | {"metrics": "it is a read-only file system"}))
    points = [p for p in doctor.examine(host.config, host.state) if p.name == "metrics"]
    assert "read-only" in points[0].said
    host.cycle()
    points = [p for p in doctor.examine(host.config, host.state) if p.name == "metrics"]
    assert [point.status for point in points] == [doctor.Status.OK]


def test_without_its_library_a_cycle_is_done_all_the_same(host: Host) -> None:
    lacking = (
        "import sys; sys.modules['prometheus_client'] = None\n"
        "from comfywatchman.cli import main; main()"
    )
    ended = host.cycle(code=lacking)
    assert ended.returncode == Exit.OK
    assert "the metrics could not be made (ModuleNotFoundError" in str(host.last_run["metrics"])
    assert "Traceback" not in ended.stderr


def test_no_copy_is_made_where_none_is_set_up(host: Host) -> None:
    host.config.write_text(host.settings.replace(str(host.copies), ""))
    host.cycle()
    assert list(host.copies.iterdir()) == []
    assert (host.state / state_files.METRICS).stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for another user")
def test_what_root_writes_by_hand_the_user_can_replace(host: Host) -> None:
    host.state.mkdir(mode=0o700)
    for folder in (host.state, host.copies):
        os.chown(folder, 65534, 65534)
    host.cycle()
    files = (host.state / state_files.METRICS, host.copies / "comfywatchman.prom")
    assert [file.stat().st_uid for file in files] == [65534, 65534]
