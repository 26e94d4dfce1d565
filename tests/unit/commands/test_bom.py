"""``comfywatchman bom`` as it is called; what it prints is tested where it is made."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from comfywatchman import cli
from comfywatchman.results import Bom, BomCheck
from tests.unit.program import PROMPT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.standin.comfyui import StandIn


@pytest.fixture
def place(tmp_path: Path, comfyui: StandIn, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to be in, with a host's configuration and its one workflow."""
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "flow.json").write_text(json.dumps(PROMPT))
    (tmp_path / "config.toml").write_text(
        f'comfyui_url = "{comfyui.url}"\nworkflow_dirs = ["{tmp_path}/flows"]\nuserdata = false\n'
        f'state_dir = "{tmp_path}/state"\n'
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(cli.app, ["bom", *arguments, "--config", "config.toml"])
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.parametrize("given", ["flow.json", "flows/flow.json", "./flows/flow.json"])
def test_a_workflow_is_named_or_a_file(place: Path, given: str) -> None:
    code, out, err = run(given)
    assert code == 0, err
    assert Bom.model_validate_json(out).workflow.name == "flow.json"
    assert not (place / "state").exists()


def test_a_bill_is_held_against_this_host(place: Path) -> None:
    (place / "bill").write_text(run("flow.json")[1])
    code, out, _ = run("--check", "bill", "--format", "json")
    assert (code, BomCheck.model_validate_json(out).differences) == (0, [])
    other = json.loads((place / "bill").read_text())
    other["models"] = [{"folder": "checkpoints", "name": "gone.safetensors", "present": True}]
    (place / "bill").write_text(json.dumps(other))
    code, out, _ = run("--check", "bill")
    assert code == 1
    assert "model 'gone.safetensors' in 'checkpoints' is not here" in " ".join(out.split())


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "name a workflow"),
        (["flow.json", "--check", "bill"], 2, "name a workflow"),
        (["--check", "bill", "--as", "snapshot"], 2, "--as is for a bill that is made"),
        (["--check", "gone"], 2, "gone: there is no such file"),
        (["flwo.json"], 2, "this host has no workflow 'flwo.json'; near it: 'flow.json'"),
        (["\x1b[2J\n" * 99], 2, "this host has no workflow '\\x1b[2J"),
        (["config.toml"], 78, "'config.toml': "),
        (["--check", "config.toml"], 78, "config.toml is not JSON"),
        (["--check", "flows"], 78, "flows cannot be read: "),
    ],
)
def test_what_cannot_be_is_said(place: Path, arguments: list[str], code: int, said: str) -> None:
    assert place
    ended, _, err = run(*arguments)
    assert (ended, "Traceback" in err) == (code, False)
    assert said in err
