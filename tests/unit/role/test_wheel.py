"""The controller's wheel: the same for the same sources, a sentence when there can be none."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.unit.role import collection

CHECKOUT = Path(__file__).parents[3]
SCRIPT = CHECKOUT / "roles" / "comfywatchman" / "files" / "wheel.py"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "comfywatchman" / "wheels"


def wheel(
    *arguments: str | Path, python: str | Path = sys.executable, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, SCRIPT, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def content(folder: Path) -> dict[str, tuple[int, bytes | None]]:
    return {
        str(path.relative_to(folder)): (
            path.lstat().st_mtime_ns,
            path.read_bytes() if path.is_file() else None,
        )
        for path in [folder, *folder.rglob("*")]
    }


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


@pytest.fixture
def bare_python(tmp_path: Path) -> Path:
    """A Python that has neither hatchling nor pip, and no uv beside it."""
    venv.create(tmp_path / "bare", with_pip=False)
    return tmp_path / "bare" / "bin" / "python"


def test_the_same_sources_give_the_same_wheel(checkout: Path, tmp_path: Path) -> None:
    first = json.loads(wheel(checkout).stdout)
    for file in checkout.rglob("*.py"):
        os.utime(file, (1, 1))
        file.chmod(0o600)
    (checkout / ".gitignore").write_text("*\n")
    second = json.loads(wheel(checkout, "").stdout)
    third = json.loads(wheel(checkout, XDG_CACHE_HOME=str(tmp_path / "other")).stdout)
    assert first == second == {**third, "path": first["path"]} != third
    built = Path(first["path"])
    assert hashlib.sha256(built.read_bytes()).hexdigest() == first["sha256"]
    assert "comfywatchman/cli.py" in zipfile.ZipFile(built).namelist()


def test_nothing_is_written_where_the_sources_are(checkout: Path, cache: Path) -> None:
    before = content(checkout)
    built = Path(json.loads(wheel(checkout).stdout)["path"])
    assert content(checkout) == before
    assert built.parent.parent == cache
    assert {stat.S_IMODE(path.stat().st_mode) for path in (cache, built.parent)} == {0o700}
    assert list(cache.iterdir()) == [built.parent]


def test_a_wheel_of_which_a_half_is_left_is_built_again(checkout: Path) -> None:
    first = json.loads(wheel(checkout).stdout)
    os.truncate(first["path"], 1000)
    assert json.loads(wheel(checkout).stdout) == first


def test_wheels_that_nobody_asked_for_in_a_month_are_gone(checkout: Path, cache: Path) -> None:
    old = Path(json.loads(wheel(checkout).stdout)["path"]).parent
    os.utime(old, (1, 1))
    (checkout / "comfywatchman" / "more.py").write_text("")
    new = Path(json.loads(wheel(checkout).stdout)["path"]).parent
    assert list(cache.iterdir()) == [new] != [old]


def test_what_a_link_leads_to_is_no_source(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.py").write_text("SECRET = 'hunter2'\n")
    (checkout / "comfywatchman" / "secret.py").symlink_to(tmp_path / "secret.py")
    (checkout / "comfywatchman" / "around").symlink_to(checkout)
    built = json.loads(wheel(checkout).stdout)["path"]
    assert not [name for name in zipfile.ZipFile(built).namelist() if "secret" in name]
    assert not [name for name in zipfile.ZipFile(built).namelist() if "around" in name]


def test_a_folder_that_others_can_write_to_is_not_used(checkout: Path, cache: Path) -> None:
    cache.mkdir(parents=True)
    cache.chmod(0o777)
    done = wheel(checkout)
    assert (done.returncode, list(cache.iterdir())) == (1, [])
    assert f"{cache}, where the wheel is to be built, can be written by others" in done.stderr


def test_a_folder_that_cannot_be_made_is_named(checkout: Path, cache: Path) -> None:
    cache.parents[1].write_text("a file")
    done = wheel(checkout)
    assert done.returncode == 1
    assert f"{cache}, where the wheel is to be built, cannot be made" in done.stderr


def test_a_collection_from_an_archive_brings_its_wheel(checkout: Path, tmp_path: Path) -> None:
    built = Path(json.loads(wheel(checkout).stdout)["path"])
    files = tmp_path / "ops" / "roles" / "comfywatchman" / "files"
    files.mkdir(parents=True)
    shutil.copy(built, files)
    found = json.loads(wheel(tmp_path / "ops", XDG_CACHE_HOME="/nowhere").stdout)
    assert found["path"] == str(files / built.name)


def test_where_nothing_can_build_it_a_sentence_says_what_to_do(
    checkout: Path, bare_python: Path, cache: Path
) -> None:
    done = wheel(checkout, python=bare_python, PATH="/nowhere")
    assert done.returncode == 1
    assert (
        "cannot be built: hatchling is not there; pip is not there; uv is not there. Install "
        f"hatchling for the Python that runs Ansible ({bare_python} -m pip install hatchling)"
    ) in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(cache.iterdir()) == []


def test_a_builder_that_fails_is_told_without_the_password_of_the_index(
    checkout: Path, bare_python: Path, tmp_path: Path
) -> None:
    uv = tmp_path / "programs" / "uv"
    uv.parent.mkdir()
    uv.write_text("#!/bin/sh\necho '  cannot reach https://me:secret@index/simple' >&2; exit 2\n")
    uv.chmod(0o755)
    done = wheel(checkout, python=bare_python, PATH=f"{uv.parent}:/usr/bin:/bin")
    assert "uv failed (cannot reach https://***@index/simple)" in done.stderr
    assert "Traceback" not in done.stderr


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
        (["/nowhere"], "/nowhere holds neither the wheel of ComfyWatchman nor the sources"),
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
