"""The controller's wheel: the same for the same sources, a sentence when there can be none."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.unit.role import collection

CHECKOUT = Path(__file__).parents[3]
SCRIPT = CHECKOUT / "roles" / "comfywatchman" / "files" / "wheel.py"


def wheel(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, *arguments], capture_output=True, text=True, check=False
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    copy = tmp_path / "a checkout"
    shutil.copytree(
        CHECKOUT / "comfywatchman",
        copy / "comfywatchman",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(CHECKOUT / name, copy)
    return copy


def test_the_same_sources_give_the_same_wheel(checkout: Path) -> None:
    first = json.loads(wheel(checkout).stdout)
    for file in checkout.rglob("*.py"):
        os.utime(file, (1, 1))
    second = json.loads(wheel(checkout, "").stdout)
    assert first == second
    built = Path(first["path"])
    assert built == checkout / "dist" / first["name"]
    assert hashlib.sha256(built.read_bytes()).hexdigest() == first["sha256"]
    assert "comfywatchman/cli.py" in zipfile.ZipFile(built).namelist()


def test_other_sources_give_another_wheel(checkout: Path) -> None:
    first = json.loads(wheel(checkout).stdout)
    (checkout / "comfywatchman" / "more.py").write_text("")
    assert json.loads(wheel(checkout).stdout)["sha256"] != first["sha256"]


def test_a_wheel_that_is_there_is_taken(checkout: Path, tmp_path: Path) -> None:
    built = json.loads(wheel(checkout).stdout)
    elsewhere = shutil.copy(built["path"], tmp_path)
    assert json.loads(wheel("/nowhere", elsewhere).stdout) == {**built, "path": str(elsewhere)}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["/nowhere"], "/nowhere is no checkout of ComfyWatchman"),
        (
            ["/nowhere", "/nowhere/comfywatchman-1-py3-none-any.whl"],
            "comfywatchman_wheel: /nowhere/comfywatchman-1-py3-none-any.whl: No such file",
        ),
        (["/nowhere", str(SCRIPT)], "is no wheel of ComfyWatchman"),
    ],
)
def test_what_is_no_wheel_is_named(arguments: list[str], sentence: str) -> None:
    done = wheel(*arguments)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_each_host_gets_the_wheel_that_it_wants(tmp_path: Path) -> None:
    names = {version: f"comfywatchman-{version}-py3-none-any.whl" for version in ("1", "2")}
    for name in names.values():
        (tmp_path / name).write_text(name)
    hosts = {
        host: {"comfywatchman_wheel": str(tmp_path / names[host[-1]])} for host in ("a1", "b2")
    }
    inventory = {"all": {"hosts": hosts, "vars": {"ansible_connection": "local"}}}
    (tmp_path / "hosts.json").write_text(json.dumps(inventory))
    tasks = [
        {"import_role": {"name": "comfywatchman.ops.comfywatchman", "tasks_from": "wheel"}},
        {"debug": {"msg": "{{ inventory_hostname }} gets {{ __comfywatchman_wheel.name }}"}},
    ]
    play = {"hosts": "all", "gather_facts": False, "tasks": tasks}
    (tmp_path / "play.json").write_text(json.dumps([play]))
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", "hosts.json", "play.json"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(collection.COLLECTIONS)},
    )
    for host in hosts:
        assert f"{host} gets {names[host[-1]]}" in done.stdout, done.stdout + done.stderr
