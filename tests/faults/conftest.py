from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import comfywatchman
from tests.faults import clock as wall_clock
from tests.faults import disk as disk_that_fails
from tests.faults import mount as mount_that_hangs

if TYPE_CHECKING:
    from tests.faults.clock import Clock
    from tests.faults.disk import FailingDisk
    from tests.faults.mount import HangingMount

RUNNABLE = {
    "1": {
        "class_type": "EmptyImage",
        "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": 0},
    },
    "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
}
NEEDS_A_MODEL = {
    "1": {"class_type": "VAELoader", "inputs": {"vae_name": "ae.safetensors"}},
    "2": {
        "class_type": "EmptyLatentImage",
        "inputs": {"width": 64, "height": 64, "batch_size": 1},
    },
    "3": {"class_type": "VAEDecode", "inputs": {"samples": ["2", 0], "vae": ["1", 0]}},
    "4": {"class_type": "SaveImage", "inputs": {"images": ["3", 0], "filename_prefix": "x"}},
}
BROKEN = {"1": {"class_type": "NoSuchNode", "inputs": {}}}

REPORTS = {"latest.json", "report.md", "report.html", "inventory.json"}
HISTORY = {"history.sqlite3", "history.sqlite3-journal"}
COPIES = {"workflow-copies.sqlite3", "workflow-copies.sqlite3-journal"}
UNFINISHED = {"last-run.json", "cycle.lock", "host.json", "metrics.prom", *HISTORY}
"""What a cycle leaves that was skipped."""
KEPT = {*REPORTS, *UNFINISHED, *COPIES, "verdicts.cache"}


@dataclass
class Host:
    """A host on which cycles run as the timer runs them: a process each, set up by environment.

    Attributes:
        state: the state folder.
        workflows: the folder of saved workflows; holds a runnable and a broken one.
        environment: settings and other variables of the processes.
        prefix: a command that runs them.
        program: what Python is told to run.
    """

    state: Path
    workflows: Path
    environment: dict[str, str] = field(default_factory=dict)
    prefix: list[str] = field(default_factory=list)
    program: list[str] = field(default_factory=lambda: ["-m", "comfywatchman.cli"])

    @property
    def reports(self) -> dict[str, bytes]:
        """The last full report, in each of its forms, by the name of its file."""
        return {name: (self.state / name).read_bytes() for name in sorted(REPORTS)}

    def start(self, *arguments: str, **settings: str | Path) -> subprocess.Popen[str]:
        """Start ``comfywatchman`` with more settings, by default one cycle."""
        given = {f"COMFYWATCHMAN_{name.upper()}": str(v) for name, v in settings.items()}
        return subprocess.Popen(
            [
                *self.prefix,
                sys.executable,
                *self.program,
                *(arguments or ["--run-check"]),
            ],
            cwd=self.workflows.parent,
            env=self.environment | given,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **settings: str | Path) -> subprocess.CompletedProcess[str]:
        """Run ``comfywatchman`` to its end; it must not end with a traceback."""
        process = self.start(*arguments, **settings)
        try:
            stdout, stderr = process.communicate(timeout=180)
        except BaseException:
            process.kill()
            process.communicate()
            raise
        assert "Traceback" not in stderr
        assert "Traceback" not in stdout
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    @property
    def last_run(self) -> dict[str, Any]:
        """The content of ``last-run.json``."""
        content: dict[str, Any] = json.loads((self.state / "last-run.json").read_bytes())
        return content

    @property
    def latest(self) -> dict[str, Any]:
        """The content of ``latest.json``."""
        content: dict[str, Any] = json.loads((self.state / "latest.json").read_bytes())
        return content

    def files(self) -> set[str]:
        """Names of what is in the state folder."""
        return {entry.name for entry in self.state.iterdir()}


def make_host(folder: Path) -> Host:
    """Make a host in an empty folder."""
    workflows, home, state = folder / "saved workflows", folder / "home", folder / "state"
    workflows.mkdir()
    home.mkdir()
    (workflows / "good.json").write_text(json.dumps(RUNNABLE))
    (workflows / "bad.json").write_text(json.dumps(BROKEN))
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "PYTHONPATH": str(Path(comfywatchman.__file__).parents[1]),
        "COMFYWATCHMAN_STATE_DIR": str(state),
        "COMFYWATCHMAN_WORKFLOW_DIRS": str(workflows),
    }
    return Host(state, workflows, environment)


def bind(host: Host) -> None:
    """Have permissions bind whoever runs the cycles of a host, root too."""
    if os.geteuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("without setpriv, permissions do not bind root")
        overruling = "-dac_override,-dac_read_search,-fowner,-chown"
        host.prefix = ["setpriv", f"--bounding-set={overruling}"]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host of the test's own, in ``tmp_path``."""
    return make_host(tmp_path)


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    """A wall clock that the test may set, for processes that it starts."""
    return wall_clock.build(tmp_path)


@pytest.fixture(scope="session")
def failing_disk(tmp_path_factory: pytest.TempPathFactory) -> FailingDisk:
    """A disk that fails, for processes that the test starts."""
    return disk_that_fails.build(tmp_path_factory.mktemp("disk"))


@pytest.fixture(scope="session")
def hanging_mount(tmp_path_factory: pytest.TempPathFactory) -> HangingMount:
    """A mount that hangs, for processes that the test starts."""
    return mount_that_hangs.build(tmp_path_factory.mktemp("mount"))
