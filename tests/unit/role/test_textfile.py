"""The folder that node_exporter reads: made, tried and cleaned up by the role's modules."""

from __future__ import annotations

import importlib
import json
import os
import pwd
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.role import collection
from tests.unit.role.test_activation import USER, Host
from tests.unit.role.test_templates import HOSTILE, render

if TYPE_CHECKING:
    from types import ModuleType

NOBODY = pwd.getpwnam("nobody")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for another user")


@pytest.fixture
def textfile(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(collection.COLLECTIONS))
    return importlib.import_module(f"{collection.PACKAGE}.module_utils.textfile")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder that anybody may enter, and nobody but its owner write to."""
    for folder in [*tmp_path.parents, tmp_path]:
        if folder != Path("/tmp") and folder.is_relative_to("/tmp"):
            folder.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("path", HOSTILE)
def test_what_the_settings_name_is_found(textfile: ModuleType, path: str) -> None:
    settings = render("config.toml.j2", comfywatchman_textfile_dir=path).encode()
    assert textfile.folder_in(settings) == path


@pytest.mark.parametrize("settings", [None, b"", b'textfile_dir = "a', b'#textfile_dir = "a"\n'])
def test_settings_that_name_none(textfile: ModuleType, settings: bytes | None) -> None:
    assert textfile.folder_in(settings) == ""
    assert textfile.folder_in(render("config.toml.j2").encode()) == ""


def test_only_this_instance_s_files_are_ours(textfile: ModuleType, tmp_path: Path) -> None:
    folder = tmp_path / "a [b]*"
    folder.mkdir()
    ours = ["comfywatchman.prom", ".comfywatchman.prom.7.8.part"]
    for name in [*ours, "comfywatchman-a.prom", ".comfywatchman-a.prom.7.8.part", "node.prom"]:
        (folder / name).touch()
    assert textfile.ours_in(str(folder), "comfywatchman") == [str(folder / name) for name in ours]
    assert textfile.ours_in("", "comfywatchman") == []
    textfile.remove_from(str(folder), "comfywatchman")
    assert textfile.ours_in(str(folder), "comfywatchman") == []
    assert len(list(folder.iterdir())) == 3


@as_root
def test_a_folder_of_its_own_is_made_for_the_user(textfile: ModuleType, place: Path) -> None:
    folder = place / "above" / "metrics"
    assert textfile.problem(NOBODY, str(folder)) is None
    textfile.make(NOBODY, str(folder))
    assert (folder.stat().st_uid, folder.stat().st_mode & 0o777) == (NOBODY.pw_uid, 0o755)
    assert folder.parent.stat().st_uid == 0
    assert textfile.problem(NOBODY, str(folder)) is None


@as_root
def test_in_a_folder_of_the_user_s_it_is_made_by_the_user(
    textfile: ModuleType, place: Path
) -> None:
    home = place / "home"
    home.mkdir()
    os.chown(home, NOBODY.pw_uid, NOBODY.pw_gid)
    assert textfile.problem(NOBODY, str(home / "a" / "b")) is None
    textfile.make(NOBODY, str(home / "a" / "b"))
    assert [(home / part).stat().st_uid for part in ("a", "a/b")] == [NOBODY.pw_uid] * 2


@as_root
def test_what_the_user_may_not_write_is_refused_with_what_helps(
    textfile: ModuleType, place: Path
) -> None:
    theirs = place / "node-exporter"
    theirs.mkdir()
    problem = textfile.problem(NOBODY, str(theirs))
    assert f"nobody may not write to {theirs} (it belongs to root, mode 0755)" in problem
    assert f"setfacl --modify u:nobody:rwx {theirs}" in problem
    theirs.chmod(0o777)
    assert textfile.problem(NOBODY, str(theirs)) is None

    os.chown(theirs, 12345, 12345)
    assert "cannot be made for nobody" in textfile.problem(NOBODY, str(theirs / "mine"))


def test_what_is_no_folder_is_refused(textfile: ModuleType, tmp_path: Path) -> None:
    me = pwd.getpwuid(os.getuid())
    (tmp_path / "file").touch()
    assert "(no folder)" in textfile.problem(me, str(tmp_path / "file"))
    assert "is no absolute path: '~/metrics'" in textfile.problem(me, "~/metrics")
    assert textfile.problem(me, "") is None


def test_the_role_makes_it_once(tmp_path: Path) -> None:
    given = {"user": USER, "textfile_dir": str(tmp_path / "metrics")}

    def register(**more: Any) -> dict[str, Any]:
        done = collection.run("register", {**given, **more})
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    assert register(_ansible_check_mode=True)["actions"] == [f"make {tmp_path}/metrics"]
    assert not (tmp_path / "metrics").exists()
    assert register()["changed"]
    assert (tmp_path / "metrics").stat().st_mode & 0o777 == 0o755
    assert not register()["changed"]


def test_where_metrics_go_no_longer_none_are_left(tmp_path: Path) -> None:
    host, old, new = Host(tmp_path), tmp_path / "old", tmp_path / "new"
    host.build("1")
    for folder in (old, new):
        folder.mkdir()
        (folder / "comfywatchman.prom").touch()
    host.activate("1", settings=f'textfile_dir = "{old}"\n')
    host.activate("1", settings=f'textfile_dir = "{old}"\nmore = 1\n')
    assert (old / "comfywatchman.prom").exists()
    host.activate("1", settings=f'textfile_dir = "{new}"\n')
    assert [(each / "comfywatchman.prom").exists() for each in (old, new)] == [False, True]
    host.activate("1", settings='textfile_dir = ""\n')
    assert not (new / "comfywatchman.prom").exists()


def test_a_deploy_that_fails_leaves_the_metrics(tmp_path: Path) -> None:
    host, old = Host(tmp_path), tmp_path / "old"
    old.mkdir()
    (old / "comfywatchman.prom").touch()
    host.build("1")
    host.build("2", "bad")
    host.activate("1", settings=f'textfile_dir = "{old}"\n')
    assert host.activate("2", settings='textfile_dir = ""\n')["failed"]
    assert (old / "comfywatchman.prom").exists()


@pytest.mark.parametrize("keep_state", [True, False])
def test_an_uninstall_takes_its_file_and_no_other(tmp_path: Path, keep_state: bool) -> None:
    config, metrics = tmp_path / "config", tmp_path / "metrics"
    for folder in (config, metrics):
        folder.mkdir()
    (config / "config.toml").write_text(f'textfile_dir = "{metrics}"\n')
    for name in ("comfywatchman-a.prom", "comfywatchman.prom", "other.prom"):
        (metrics / name).touch()
    paths = {name: str(tmp_path / name) for name in ("root", "config", "state", "units")}
    given = {"scope": "user", "user": USER, "home": str(tmp_path), "paths": paths}
    given |= {"instance": "a", "keep_state": keep_state}
    done = json.loads(collection.run("removal", given).stdout)
    assert f"remove {metrics}/comfywatchman-a.prom" in done["actions"]
    assert sorted(path.name for path in metrics.iterdir()) == ["comfywatchman.prom", "other.prom"]
    assert not json.loads(collection.run("removal", given).stdout)["changed"]
