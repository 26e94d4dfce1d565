"""Acting wholly as an account, and what logind calls it; for real, as root."""

from __future__ import annotations

import importlib
import json
import os
import pwd
import signal
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.role import collection

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")
NOBODY = pwd.getpwnam("nobody")
GONE = 54321  # nobody's


def let_all_pass(folder: Path) -> None:
    """Let every account get to a folder of a test's own; pytest closes those above it."""
    for above in (folder, *folder.parents):
        if not above.stat().st_mode & stat.S_IXOTH:
            above.chmod(0o755)


@pytest.fixture
def accounts(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(collection.COLLECTIONS))
    return importlib.import_module(f"{collection.PACKAGE}.module_utils.accounts")


@pytest.mark.parametrize(
    ("user", "name"),
    [
        ("artist", "artist"),
        ("anna@corp.example", "anna@corp.example"),
        (r"CORP\anna", r"CORP\\anna"),
        ("änna", r"\303\244nna"),
        ("o'neil", r"o\'neil"),
    ],
)
def test_lingering_is_noted_under_the_name_that_logind_gives_it(
    accounts: Any, user: str, name: str
) -> None:
    assert accounts.linger_file(user) == "/var/lib/systemd/linger/" + name
    # The one file that the program, the installer and the modules know it from.
    assert (collection.PLUGINS / "module_utils/lingering.py").is_symlink()


def test_what_is_ones_own_is_done_by_oneself(accounts: Any) -> None:
    me = pwd.getpwuid(os.getuid())
    assert accounts.as_account(None, os.getpid) == os.getpid()
    assert accounts.as_account(me, os.getpid) == os.getpid()
    assert accounts.as_user(me) == accounts.starting_as(me) == []


@as_root
def test_another_account_is_become_in_every_respect(accounts: Any, tmp_path: Path) -> None:
    def about() -> Any:
        return [os.getresuid(), os.getresgid(), os.getgroups(), str(Path.cwd()), os.environ["HOME"]]

    uid, gid = NOBODY.pw_uid, NOBODY.pw_gid
    was = accounts.as_account(NOBODY, about)
    assert was == [[uid] * 3, [gid] * 3, os.getgrouplist("nobody", gid), "/", NOBODY.pw_dir]
    assert os.getuid() == 0
    vanished = accounts.Vanished("gone", GONE, GONE, "/home/gone")
    assert accounts.as_account(vanished, about) == [[GONE] * 3, [GONE] * 3, [], "/", "/home/gone"]

    tmp_path.chmod(0o700)
    with pytest.raises(PermissionError) as refusal:
        accounts.as_account(NOBODY, lambda: list(map(str, tmp_path.iterdir())))
    assert refusal.value.filename == str(tmp_path)


@as_root
def test_a_bad_end_is_told(accounts: Any) -> None:
    def blunder() -> None:
        raise ValueError("no such thing")

    with pytest.raises(accounts.AccountError, match="ValueError: no such thing"):
        accounts.as_account(NOBODY, blunder)
    with pytest.raises(accounts.AccountError, match="as nobody was ended in the middle"):
        accounts.as_account(NOBODY, lambda: os.kill(os.getpid(), signal.SIGKILL))


@as_root
def test_the_first_on_the_way_who_is_not_root_decides(accounts: Any, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    (theirs / "of root").mkdir(parents=True)
    os.chown(theirs, GONE, GONE + 1)
    assert accounts.first_owner([str(theirs / "of root" / "missing")]) == (GONE, GONE + 1)
    assert accounts.first_owner(["/nowhere", str(theirs)]) == (GONE, GONE + 1)
    assert accounts.first_owner([str(tmp_path), "/nowhere"]) is None
    assert accounts.owner_of("nobody-here", "/nowhere", []) is None
    left = accounts.owner_of("nobody-here", str(theirs), [])
    assert left == accounts.Vanished("nobody-here", GONE, GONE + 1, str(theirs))


@as_root
def test_a_file_is_written_as_its_owner_and_through_no_link_of_theirs(tmp_path: Path) -> None:
    theirs, of_root = tmp_path / "theirs", tmp_path / "of root"
    theirs.mkdir()
    of_root.mkdir(mode=0o755)
    let_all_pass(tmp_path)
    os.chown(theirs, NOBODY.pw_uid, NOBODY.pw_gid)

    def put(folder: Path) -> Any:
        given = {"owner": "nobody", "directory": str(folder), "files": {"a": "A"}}
        return json.loads(collection.run("files", given).stdout)

    assert put(theirs / "new")["changed"]
    written = (theirs / "new" / "a").stat()
    assert (written.st_uid, stat.S_IMODE(written.st_mode)) == (NOBODY.pw_uid, 0o600)
    (theirs / "link").symlink_to(of_root)
    assert "Permission denied" in put(theirs / "link")["msg"]
    assert list(of_root.iterdir()) == []


@as_root
def test_what_a_vanished_account_left_is_removed_with_its_rights(tmp_path: Path) -> None:
    let_all_pass(tmp_path)
    home, precious = tmp_path / "home", tmp_path / "precious"
    paths = {name: str(home / name) for name in ("root", "config", "state", "units")}
    for path in paths.values():
        Path(path).mkdir(parents=True)
    (home / "units" / "comfywatchman.timer").touch()
    (home / "state" / "latest.json").touch()
    (home / "root" / "releases" / "1").mkdir(parents=True)
    precious.mkdir()
    (precious / "current").touch()
    (home / "elsewhere").symlink_to(precious)
    for path in (home, *home.rglob("*")):
        os.lchown(path, GONE, GONE)

    def remove(**more: str) -> Any:
        given = {
            "scope": "user",
            "user": "nobody-here",
            "home": str(home),
            "paths": {**paths, **more},
            "made": [paths["state"]],
        }
        return json.loads(collection.run("removal", given).stdout)

    removed = remove()
    assert f"remove {home}/root/releases" in removed["actions"]
    assert sorted(path.name for path in home.iterdir()) == ["elsewhere", "units"]
    assert list((home / "units").iterdir()) == []

    refused = remove(root=str(home / "elsewhere"))
    assert refused["msg"] == f"{home}/elsewhere/current: Permission denied"
    assert (precious / "current").exists()


def test_what_lay_in_a_home_that_was_moved_moved_along(accounts: Any) -> None:
    relocated = importlib.import_module(f"{collection.PACKAGE}.module_utils.installation").relocated
    assert relocated("/home/a/.config", "/home/a", "/data/a") == "/data/a/.config"
    assert relocated("/home/a", "/home/a", "/data/a") == "/data/a"
    assert relocated("/home/ab", "/home/a", "/data/a") == "/home/ab"
    assert relocated("/opt/of it", "/home/a", "/data/a") == "/opt/of it"


def test_the_command_is_known_in_a_home_that_was_moved(accounts: Any, tmp_path: Path) -> None:
    command = importlib.import_module(f"{collection.PACKAGE}.module_utils.command").Command
    then, now = (
        {name: str(tmp_path / home / name) for name in ("root", "config", "bin", "share")}
        for home in ("then", "now")
    )
    command("user", then, "").put(True, False)
    (tmp_path / "then").rename(tmp_path / "now")
    moved = command("user", now, "", then["root"])
    assert moved.ours() == list(reversed(moved.paths))
    assert command("user", now, "").ours() == []


def tasks_of(role: Any) -> Any:
    """Every task of the role, also those in blocks."""
    for task in role:
        yield task
        for part in ("block", "rescue", "always"):
            yield from tasks_of(task.get(part, []))


def test_no_task_needs_sudo_or_a_shell_to_become_the_user() -> None:
    for file in (collection.ROLE / "tasks").glob("*.yml"):
        for task in tasks_of(yaml.safe_load(file.read_text())):
            assert "become_user" not in task, file


MODULES = sorted(file.stem for file in (collection.PLUGINS / "modules").glob("*.py"))


def test_names_of_files_are_utf8_to_every_module_whatever_the_locale() -> None:
    for file in (collection.ROLE / "tasks").glob("*.yml"):
        text = file.read_text()
        for name in MODULES:
            if f"comfywatchman.ops.{name}:" in text:
                assert text.count("become: true") == text.count("__comfywatchman_in_utf8"), file
