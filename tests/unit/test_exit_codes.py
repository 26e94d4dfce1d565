"""The table of exit codes in docs/operating.md: every cell that is filled is caused here."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from comfywatchman import commands, discovery, state_files
from comfywatchman.errors import Exit
from comfywatchman.gate import lock
from comfywatchman.report.store import ReportStore
from tests.standin.comfyui import recorded, recorded_object_info
from tests.unit.fleet import sample
from tests.unit.healthy import healthy_state
from tests.unit.history import cycles
from tests.unit.program import PROMPT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.standin.comfyui import StandIn

OPERATING = Path(__file__).parents[2] / "docs" / "operating.md"
# What a broken installation is like: a part that a command needs cannot be imported.
BROKEN = "import sys; sys.modules[{!r}] = None; from comfywatchman.cli import main; main()"


@dataclass
class Case:
    """A call of the program, in a folder of its own with a workflow, a catalog and a fleet."""

    arguments: str
    prepare: Callable[[Path, ExitStack], object] = lambda _, __: None
    into: str = os.devnull
    lacking: str = ""
    stopped: bool = False


def hold_the_lock(name: str) -> Callable[[Path, ExitStack], object]:
    def hold(folder: Path, until: ExitStack) -> None:
        (folder / "state").mkdir(mode=0o700)
        until.enter_context(lock.make(folder / "state" / name))

    return hold


def wrong_settings(folder: Path, _: ExitStack) -> None:
    (folder / "config.toml").write_text("min_free_vram = 'plenty'\n")


def no_toml(folder: Path, _: ExitStack) -> None:
    (folder / "config.toml").write_text("state_dir =\n")


def no_fleet(folder: Path, _: ExitStack) -> None:
    for file in (folder / "fleet").rglob("*.json"):
        file.unlink()


def healthy(folder: Path, until: ExitStack) -> None:
    until.enter_context(healthy_state(folder / "state"))


def a_report(folder: Path, _: ExitStack) -> None:
    command = [sys.executable, "-m", "comfywatchman.cli", "check", "--state-dir=state"]
    subprocess.run([*command, "--config=server.toml"], cwd=folder, check=True, capture_output=True)


def a_history(folder: Path, _: ExitStack) -> None:
    (folder / "state").mkdir(mode=0o700)
    cycles.remember(folder / "state", 0, [cycles.workflow("/w/a.json")])


def a_broken_report(folder: Path, until: ExitStack) -> None:
    (folder / "broken.json").rename(folder / "flows" / "broken.json")
    a_report(folder, until)


def a_read_only_place(folder: Path, until: ExitStack) -> None:
    a_broken_report(folder, until)
    (folder / "accepted.toml").symlink_to("/proc/accepted.toml")


def a_cycle_that_failed(folder: Path, until: ExitStack) -> None:
    a_report(folder, until)
    ReportStore(folder / "state").refuse("it was not to be")


def a_model_that_differs(folder: Path, _: ExitStack) -> None:
    name = Path(recorded("full")["/models/loras"][0])
    (loras := folder / "ComfyUI" / "models" / "loras").mkdir(parents=True)
    (loras / name).write_bytes(b"weights")
    (loras / name).with_suffix(".metadata.json").write_text(json.dumps({"sha256": "ab" * 32}))


def another_catalog(folder: Path, _: ExitStack) -> None:
    (folder / "flow.json").rename(folder / "flows" / "flow.json")
    declared = json.loads((folder / "object_info.json").read_bytes())
    del declared["EmptyImage"]
    (folder / "object_info.json").write_text(json.dumps(declared))


def a_bill(folder: Path, _: ExitStack) -> None:
    command = [sys.executable, "-m", "comfywatchman.cli", "bom", "broken.json"]
    options = ["--config=server.toml", "--state-dir=state"]
    with (folder / "bom.json").open("wb") as file:
        subprocess.run([*command, *options], cwd=folder, check=True, stdout=file)


OFFLINE = "--object-info object_info.json --state-dir state"
FULL = "/dev/full"
CHECK = f"check flow.json {OFFLINE}"
CONVERT = f"convert flow.json {OFFLINE.split(' --state')[0]}"
GONE = "--comfyui-url http://127.0.0.1:9"
ACCEPT = "accept broken.json --reason known --until {} --state-dir state --config server.toml"
SOON = (datetime.now(UTC) + timedelta(days=9)).date()
MODELS = "models --config server.toml --state-dir state"
FORECAST = "forecast object_info.json --config server.toml --state-dir state"
BOM = "bom flow.json --config server.toml --state-dir state"
FIX = "fix --config server.toml --state-dir state"
CASES = {
    ("accept", 0): Case(ACCEPT.format(SOON), a_broken_report),
    ("accept", 2): Case(ACCEPT.format("soon"), a_broken_report),
    ("accept", 70): Case(ACCEPT.format(SOON), a_broken_report, lacking="tomlkit"),
    ("accept", 74): Case(ACCEPT.format(SOON), a_read_only_place),
    ("accept", 78): Case(ACCEPT.format(SOON)),
    ("bom", 0): Case(BOM),
    ("bom", 1): Case("bom --check bom.json --config server.toml --state-dir state", a_bill),
    ("bom", 2): Case("bom gone.json --config server.toml --state-dir state"),
    ("bom", 70): Case(BOM, lacking="comfywatchman.bom"),
    ("bom", 74): Case(BOM, into=FULL),
    ("bom", 78): Case("bom --check flow.json --config server.toml --state-dir state"),
    ("check", 0): Case(CHECK),
    ("check", 1): Case(f"check broken.json {OFFLINE} --fail-on broken"),
    ("check", 2): Case("check gone.json"),
    ("check", 70): Case(CHECK, lacking="langgraph.graph"),
    ("check", 74): Case(CHECK, into=FULL),
    ("check", 75): Case(f"--run-check --state-dir state {GONE}", hold_the_lock(state_files.LOCK)),
    ("check", 78): Case("--run-check --config config.toml", wrong_settings),
    ("catalog", 0): Case("catalog --save catalog.json --config server.toml"),
    ("catalog", 2): Case(f"catalog --save catalog.json {GONE}"),
    ("catalog", 70): Case("catalog --save catalog.json", lacking="httpx"),
    ("catalog", 74): Case("catalog --save /dev/full/x --config server.toml"),
    ("catalog", 78): Case("catalog --save catalog.json --config config.toml", wrong_settings),
    ("convert", 0): Case(CONVERT),
    ("convert", 2): Case("convert gone.json"),
    ("convert", 70): Case(CONVERT, lacking="orjson"),
    ("convert", 74): Case(CONVERT, into=FULL),
    ("convert", 78): Case("convert flow.json --config config.toml", wrong_settings),
    ("doctor", 0): Case("doctor --state-dir state --config server.toml", healthy),
    ("doctor", 1): Case("doctor --state-dir state"),
    ("doctor", 2): Case("doctor --format pdf"),
    ("doctor", 70): Case("doctor --state-dir state", lacking="comfywatchman.doctor"),
    ("doctor", 74): Case("doctor --state-dir state", into=FULL),
    ("fix", 0): Case(FIX),
    ("fix", 1): Case(f"fix --state-dir state {GONE}"),
    ("fix", 2): Case("fix --only proven"),
    ("fix", 70): Case(FIX, lacking="comfywatchman.fixing"),
    ("fix", 74): Case(f"{FIX} --plan object_info.json"),
    ("fix", 75): Case("fix --undo x --state-dir state", hold_the_lock(state_files.FIX_LOCK)),
    ("fix", 78): Case("fix --undo x --state-dir state"),
    ("fleet", 0): Case("fleet fleet --fail-on never"),
    ("fleet", 1): Case("fleet fleet"),
    ("fleet", 2): Case("fleet"),
    ("fleet", 70): Case("fleet fleet", lacking="markupsafe"),
    ("fleet", 74): Case("fleet fleet", into=FULL),
    ("fleet", 78): Case("fleet fleet", no_fleet),
    ("forecast", 0): Case(FORECAST),
    ("forecast", 1): Case(f"{FORECAST} --fail-on broken", another_catalog),
    ("forecast", 2): Case("forecast gone.json"),
    ("forecast", 70): Case(FORECAST, lacking="comfywatchman.forecast"),
    ("forecast", 74): Case(FORECAST, into=FULL),
    ("forecast", 78): Case(f"forecast object_info.json --state-dir state {GONE}"),
    ("graph", 0): Case("graph"),
    ("graph", 2): Case("graph --nonsense"),
    ("graph", 70): Case("graph", lacking="langgraph.graph"),
    ("graph", 74): Case("graph", into=FULL),
    ("history", 0): Case("history --state-dir state", a_history),
    ("history", 2): Case("history --since soon"),
    ("history", 70): Case("history --state-dir state", lacking="comfywatchman.history.store"),
    ("history", 74): Case("history --state-dir state", a_history, into=FULL),
    ("history", 78): Case("history --state-dir state"),
    ("models", 0): Case(MODELS),
    ("models", 1): Case(f"{MODELS} verify --comfyui-dir ComfyUI", a_model_that_differs),
    ("models", 2): Case(f"{MODELS} --budget 1GiB"),
    ("models", 70): Case(MODELS, lacking="comfywatchman.modelfiles.survey"),
    ("models", 74): Case(MODELS, into=FULL),
    ("models", 75): Case(f"{MODELS} verify", hold_the_lock(state_files.MODEL_HASHES_LOCK)),
    ("models", 78): Case(f"models --state-dir state {GONE}"),
    ("notify", 0): Case("notify --failed-unit comfywatchman.service --state-dir state"),
    ("notify", 1): Case("notify --test --state-dir state"),
    ("notify", 2): Case("notify"),
    ("notify", 70): Case(
        "notify --failed-unit x.service", lacking="comfywatchman.schedule.failure"
    ),
    ("notify", 74): Case("notify --test --state-dir state", into=FULL),
    ("notify", 78): Case("notify --send --config config.toml", wrong_settings),
    ("quiet", 0): Case("quiet until 2h --state-dir state"),
    ("quiet", 2): Case("quiet until yesterday --state-dir state"),
    ("quiet", 70): Case("quiet --state-dir state", lacking="comfywatchman.events.quiet"),
    ("quiet", 74): Case("quiet until 2h --state-dir /proc/self"),
    ("quiet", 78): Case("quiet --config config.toml", no_toml),
    ("report", 0): Case("report --state-dir state", a_report),
    ("report", 2): Case("report --nonsense"),
    ("report", 70): Case("report --state-dir state", lacking="comfywatchman.report.store"),
    ("report", 74): Case("report --state-dir state", a_report, into=FULL),
    ("report", 78): Case("report --state-dir state"),
    ("schedule", 0): Case("schedule --state-dir state", stopped=True),
    ("schedule", 2): Case("schedule --nonsense"),
    ("schedule", 70): Case("schedule --state-dir state", lacking="apscheduler.schedulers.blocking"),
    ("schedule", 75): Case("schedule --state-dir state", hold_the_lock(state_files.SCHEDULE_LOCK)),
    ("schedule", 78): Case("schedule --config config.toml", wrong_settings),
    ("status", 0): Case("status --state-dir state"),
    ("status", 1): Case("status --format nagios --state-dir state", a_cycle_that_failed),
    ("status", 2): Case("status --format pdf"),
    ("status", 3): Case("status --format nagios --state-dir state"),
    ("status", 70): Case("status", lacking="comfywatchman.status"),
    ("status", 74): Case("status --state-dir state", into=FULL),
}


def wait_for(file: Path) -> None:
    until = time.monotonic() + 30
    while not file.exists():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.fixture
def place(tmp_path: Path, comfyui: StandIn) -> Path:
    """Where a case is caused."""
    flow = json.dumps(PROMPT)
    (tmp_path / "flow.json").write_text(flow)
    (tmp_path / "broken.json").write_text(flow.replace("EmptyImage", "Gone"))
    (tmp_path / "object_info.json").write_bytes(recorded_object_info("full"))
    (tmp_path / "flows").mkdir()
    (tmp_path / "server.toml").write_text(
        f'comfyui_url = "{comfyui.url}"\nworkflow_dirs = ["{tmp_path}/flows"]\nmin_free_vram = 0\n'
    )
    hosts = [sample.host("a"), sample.host("b", unreachable=True, failure="no route")]
    sample.write(tmp_path / "fleet", hosts, expected=["a", "b"])
    return tmp_path


@pytest.mark.parametrize(("command", "code"), CASES, ids=str)
def test_each_is_caused(place: Path, command: str, code: int) -> None:
    case = CASES[command, code]
    program = ["-c", BROKEN.format(case.lacking)] if case.lacking else ["-m", "comfywatchman.cli"]
    with ExitStack() as until, Path(case.into).open("w") as output:
        case.prepare(place, until)
        process = subprocess.Popen(
            [sys.executable, *program, *case.arguments.split()],
            cwd=place,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
        )
        if case.stopped:
            wait_for(place / "state" / state_files.SCHEDULE)
            process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    assert process.returncode == code, said
    assert "Traceback" not in said


def documented() -> dict[tuple[str, int], str]:
    """What the table says, by command and code."""
    text = OPERATING.read_text(encoding="utf-8")
    (table,) = re.findall(r"^\| command \|.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE)
    (header,) = re.findall(r"^\| command \|(.*)\|$", text, re.MULTILINE)
    codes = [int(code) for code in header.split("|")]
    rows = {}
    for line in table.splitlines():
        command, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        rows |= {
            (command.strip("`"), code): cell
            for code, cell in zip(codes, cells, strict=True)
            if cell
        }
    return rows


def test_the_table_says_what_is_caused_and_nothing_else() -> None:
    assert documented().keys() == CASES.keys()


def test_every_command_and_every_code_is_in_the_table() -> None:
    assert {command for command, _ in CASES} == set(discovery.names(commands))
    assert {code for _, code in CASES} == {int(code) for code in Exit}
