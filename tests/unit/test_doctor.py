"""The doctor: finds what is wrong, and nothing else, and never ends in a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from comfywatchman import doctor, state_files
from comfywatchman.gate import lock
from comfywatchman.report.store import ReportStore
from comfywatchman.results import Outcome
from tests.standin.nvml import gpus
from tests.unit import release_folder
from tests.unit.healthy import healthy_state

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.standin.comfyui import StandIn
    from tests.standin.nvml import Nvml


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    with healthy_state(tmp_path / "state") as folder:
        yield folder


@pytest.fixture
def config(tmp_path: Path, comfyui: StandIn) -> Path:
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "a.json").write_text("{}")
    file = tmp_path / "config.toml"
    file.write_text(
        f'comfyui_url = "{comfyui.url}"\nworkflow_dirs = ["{tmp_path}/flows"]\nmin_free_vram = 0\n'
    )
    return file


def problems(config: Path, folder: Path) -> list[str]:
    points = doctor.examine(config, folder)
    return [f"{p.name}: {p.said}" for p in points if p.status is doctor.Status.PROBLEM]


def run(*arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "comfywatchman.cli", "doctor", *map(str, arguments)]
    environment = os.environ | more
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert "Traceback" not in ended.stderr
    return ended


def test_what_is_left_out_of_a_folder_is_told(config: Path, folder: Path) -> None:
    with config.open("a") as stream:
        stream.write('workflow_exclude = ["a*"]\n')
    said = [point.said for point in doctor.examine(config, folder)]
    assert f"{config.parent}/flows: 0 saved workflows, and 1 left out by workflow_exclude" in said


def test_nothing_is_wrong_with_a_healthy_host(config: Path, folder: Path) -> None:
    ended = run("--config", config, "--state-dir", folder, "--format", "json")
    found = json.loads(ended.stdout)
    assert [p for p in found["points"] if p["status"] == "problem"] == []
    assert (ended.returncode, found["healthy"]) == (0, True)
    said = {point["name"]: point["said"] for point in found["points"]}
    assert said["ComfyUI"].startswith("ComfyUI 0.8.0 at http://127.0.0.1:")
    assert said["workflow folder"].endswith("flows: 1 saved workflows")
    assert said["timer"].startswith("comfywatchman schedule runs; every 7200 s, up to 120 s late")
    assert said["next cycle"].startswith("due at 20")
    assert said["last cycle"] == "done, begun 1 hour ago: 1 workflow: 1 runnable"


def test_a_wrong_configuration_is_named_and_the_rest_is_examined(
    config: Path, folder: Path
) -> None:
    config.write_text('comfyui_ulr = "http://x"\nread_timeout = 0')
    ended = run("--config", config, "--state-dir", folder)
    assert ended.returncode == 1
    assert f"problem  configuration      {config}: unknown key 'comfyui_ulr'" in ended.stdout
    assert f"problem  configuration      {config}: read_timeout = 0" in ended.stdout
    assert "skipped  comfyui" in ended.stdout
    assert "ok       state folder" in ended.stdout
    config.write_text("comfyui_url = ")
    assert any("is not valid TOML" in line for line in problems(config, folder))
    gone = config.with_name("gone.toml")
    assert any("there is no such file" in line for line in problems(gone, folder))


@pytest.mark.parametrize("module", ["orjson", "pydantic", "langgraph.graph"])
def test_a_missing_package_is_named(config: Path, folder: Path, module: str) -> None:
    program = (
        f"import sys; sys.modules[{module!r}] = None;"
        f"sys.argv = ['x', 'doctor', '--config={config}', '--state-dir={folder}'];"
        "from comfywatchman.cli import main; main()"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr == ""
    package = module.partition(".")[0]
    assert f"problem  packages           {package} " in ended.stdout
    assert "cannot be imported" in ended.stdout


@pytest.mark.parametrize("module", ["schedule.failure", "doctor.schedule", "doctor.state_folder"])
def test_what_tells_of_a_damaged_installation_does_without_pydantic(module: str) -> None:
    program = f"import sys; sys.modules['pydantic'] = None; import comfywatchman.{module}"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.stderr == ""


def test_each_damaged_file_is_named_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: Path, folder: Path
) -> None:
    release = tmp_path / "releases" / "1.0-a"
    release_folder.build(release)
    monkeypatch.setattr(sys, "prefix", str(release / "venv"))

    def told() -> list[tuple[str, str, str]]:
        points = doctor.examine(config, folder)
        return [(p.status.value, p.said, p.remedy) for p in points if p.name == "files"]

    assert told() == [("ok", f"{release} is as it was installed", "")]
    library = release_folder.site_packages(release) / "orjson" / "orjson.so"
    library.write_bytes(bytes(library.stat().st_size))
    file = f"{library.relative_to(release)} of orjson"
    fresh = ": it builds a fresh release"
    deploy = "run the playbook deploy"
    said = f"{file} does not hold what was installed"
    assert told() == [("problem", said, deploy + fresh)]

    late = datetime.now(UTC).timestamp() + 60  # a deploy does not see it by itself
    os.utime(release / ".complete", (late, late))
    thorough = f"{deploy} with -e comfywatchman_compare_hashes=true{fresh}"
    assert told() == [("problem", said, thorough)]

    library.unlink()
    assert told() == [("problem", f"{file} is gone", deploy + fresh)]


@pytest.mark.parametrize("module", ["typer", "comfywatchman.errors", "comfywatchman.command_line"])
def test_without_what_every_command_needs_it_is_a_sentence(module: str) -> None:
    program = f"import sys; sys.modules[{module!r}] = None; import comfywatchman.cli"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.returncode == 70
    assert ended.stderr.startswith("comfywatchman: the installation is damaged (")


def test_what_is_wrong_with_the_state_folder(config: Path, folder: Path) -> None:
    folder.chmod(0o755)
    (folder / state_files.LAST_RUN).write_text('{"outcome":')
    found = problems(config, folder)
    assert f"state folder: {folder} is open to others (mode 0755)" in found
    assert f"last cycle: {folder}/last-run.json is damaged" in found


def test_a_record_without_its_times_is_what_is_damaged(config: Path, folder: Path) -> None:
    (folder / state_files.LAST_RUN).write_text('{"outcome": "running"}')
    with lock.make(folder / state_files.LOCK):
        found = problems(config, folder)
    assert found == [f"last cycle: {folder}/last-run.json is damaged"]


def test_a_pipe_in_the_place_of_the_record_is_not_waited_for(config: Path, folder: Path) -> None:
    (folder / state_files.LAST_RUN).unlink()
    os.mkfifo(folder / state_files.LAST_RUN)
    assert f"last cycle: {folder}/last-run.json is damaged" in problems(config, folder)


def test_a_cycle_that_is_old_and_a_schedule_that_is_gone(config: Path, tmp_path: Path) -> None:
    store = ReportStore(tmp_path / "old")
    store.finish(Outcome.FAILED, "no disk", datetime.now(UTC) - timedelta(hours=5))
    facts = {"pid": 1, "next_run": "2026-01-01", "interval_s": 7200, "jitter_s": 0}
    (store.folder / state_files.SCHEDULE).write_text(json.dumps(facts))
    found = problems(config, store.folder)
    assert "last cycle: failed, begun 5 hours ago: no disk" in found
    assert "last cycle: the last cycle is 5 hours old; one is due every 2 hours" in found
    assert "timer: comfywatchman schedule does not run; every 7200 s, up to 0 s late" in found
    assert any(line.startswith("next cycle: ") and "was killed" in line for line in found)


def test_a_cycle_that_runs_is_told_with_its_process(config: Path, folder: Path) -> None:
    with lock.make(folder / state_files.LOCK):
        ReportStore(folder).begin(datetime.now(UTC) - timedelta(hours=3), [])
        told = [p for p in doctor.examine(config, folder) if p.name == "lock"]
        assert told[0].said == f"a cycle is running (process {os.getpid()}), since 3 hours"
        assert told[0].remedy == f"it hangs: kill {os.getpid()}"
    assert any("was killed in the middle" in line for line in problems(config, folder))


def test_what_is_wrong_with_comfyui_and_its_folders(
    config: Path, folder: Path, comfyui: StandIn, tmp_path: Path
) -> None:
    comfyui.behaviour = "refused"
    config.write_text(
        f'comfyui_url = "{comfyui.url}"\ncomfyui_dir = "{tmp_path}"\nworkflow_dirs = ["/nowhere"]'
    )
    config.chmod(0o666)
    found = problems(config, folder)
    assert any(line.startswith("ComfyUI: nothing listens at ") for line in found)
    assert f"ComfyUI folder: {tmp_path}/input is not there, or no folder" in found
    assert "workflow folder: /nowhere is not there, or no folder" in found
    assert any("others may write" in line for line in found)


def test_each_gpu_is_a_point(config: Path, folder: Path, nvml: Nvml) -> None:
    cards = gpus("NVIDIA L4,24576,20480", "NVIDIA L4,24576,0,memory=15")  # 15: the GPU is lost
    ended = run(
        "--config", config, "--state-dir", folder, LD_LIBRARY_PATH=str(nvml.folder), **cards
    )
    assert "ok       GPU 0              NVIDIA L4: 20.0 of 24.0 GiB free" in ended.stdout
    assert "note     GPU 1              NVIDIA L4: the GPU has fallen off the bus" in ended.stdout


def test_a_state_folder_that_is_none(config: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    points = [p for p in doctor.examine(config, tmp_path / "file") if p.name == "state folder"]
    assert [(p.said, p.remedy) for p in points] == [
        (f"{tmp_path}/file is no folder", "correct state_dir")
    ]


def test_a_secret_that_others_can_read(
    config: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(config.parent))
    secret = config.with_name("comfyui_token")
    secret.write_text("hunter2")
    secret.chmod(0o640)
    found = problems(config, folder)
    assert f"credentials: {secret} can be read by others (mode 0640)" in found
    assert "hunter2" not in str(found)


@pytest.mark.parametrize(
    ("credential", "content", "short"),
    [("token", "seven77", 1), ("basic_auth", "anna:short", 1), ("token", "eight888", 0)],
)
def test_a_secret_that_is_too_short_to_be_hidden(
    config: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    credential: str,
    content: str,
    short: int,
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(config.parent))
    config.with_name(f"comfyui_{credential}").write_text(content)
    config.with_name(f"comfyui_{credential}").chmod(0o600)
    points = [p for p in doctor.examine(config, folder) if p.name == "credentials"]
    assert sum("fewer than 8 characters" in p.said for p in points) == short
    assert content not in str(points)
