"""``./dev install`` and ``./dev uninstall`` themselves: whose they concern, and what they show."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from comfywatchman.workstation import accounts, command, installed
from comfywatchman.workstation.accounts import Account
from tests.unit.role.test_accounts import let_all_pass
from tests.unit.workstation.machine import close
from tests.unit.workstation.test_installed import lay_out

ANNA = Account("anna", 54321, 54321, Path("/nonexistent"))


@pytest.fixture
def bob(tmp_path: Path) -> Account:
    return Account("bob", 54322, 54322, tmp_path / "bob")


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Root's notes, in which the usual instance is anna's."""
    folder = tmp_path / "records"
    folder.mkdir()
    noted = {"user": "anna", "scope": "user", "paths": {"root": "/a/c", "config": "/a/e"}}
    (folder / "installation.json").write_text(json.dumps(noted))
    find = installed.find
    monkeypatch.setattr(installed, "find", lambda user, home: find(user, home, folder))
    return folder


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """The variables of each run of Ansible, which does nothing here."""
    given: list[dict[str, object]] = []
    monkeypatch.setattr(
        command, "_play", lambda _, variables, *__: (given.append(variables), (0, True))[1]
    )
    return given


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["workstation", *arguments])
    return command.main()


def act_as(monkeypatch: pytest.MonkeyPatch, caller: Account, uid: int) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    monkeypatch.setattr(accounts, "caller", lambda *_: caller)
    known = {account.name: account for account in (ANNA, caller)}
    monkeypatch.setattr(accounts, "of_name", known.get)


def test_without_a_name_ones_own_is_taken_off(
    bob: Account,
    records: Path,
    calls: list[dict[str, object]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    act_as(monkeypatch, bob, bob.uid)
    assert call(monkeypatch, "uninstall") == 0
    assert capsys.readouterr().out == (
        "ComfyWatchman is not installed here for bob, but for anna: --user anna.\n"
    )
    assert call(monkeypatch, "uninstall", "--instance", "gpu1") == 0
    assert capsys.readouterr().out == "ComfyWatchman is not installed here for bob.\n"
    assert calls == []
    lay_out(bob.home)
    assert call(monkeypatch, "uninstall") == 0
    assert [call["comfywatchman_user"] for call in calls] == ["bob"]

    # Root's run would follow the note, and take off anna's.
    act_as(monkeypatch, bob, 0)
    assert call(monkeypatch, "uninstall") == 2
    assert "Root would remove that of anna" in capsys.readouterr().err
    assert call(monkeypatch, "uninstall", "--user", "anna") == 0
    assert "goes with: sudo ./dev clean\n" in capsys.readouterr().out
    act_as(monkeypatch, Account("root", 0, 0, bob.home / "no"), 0)
    assert call(monkeypatch, "uninstall") == 0
    assert [call["comfywatchman_user"] for call in calls] == ["bob", "anna", "anna"]


def test_what_stays_and_what_goes_is_said_to_the_role(
    bob: Account, records: Path, calls: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    act_as(monkeypatch, bob, bob.uid)
    lay_out(bob.home)
    for arguments in ([], ["--keep-state"], ["--remove-copies"]):
        assert call(monkeypatch, "uninstall", *arguments) == 0
    chosen = ("comfywatchman_keep_state", "comfywatchman_remove_copies")
    assert [tuple(call[name] for name in chosen) for call in calls] == [
        (False, False),
        (True, False),
        (False, True),
    ]


def test_without_a_name_one_installs_for_oneself(
    bob: Account,
    records: Path,
    calls: list[dict[str, object]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["install", "--comfyui-dir", str(tmp_path), "--comfyui-url", "http://127.0.0.1:1"]
    monkeypatch.setattr(command.rights, "reason", lambda *_: None)
    act_as(monkeypatch, bob, bob.uid)
    assert call(monkeypatch, *arguments) == 0
    assert [call["comfywatchman_user"] for call in calls] == ["bob"]
    act_as(monkeypatch, bob, 0)
    assert call(monkeypatch, *arguments) == 2
    told = capsys.readouterr().err
    assert told.startswith("It is installed here for anna, and would be removed there: ")
    assert "--instance bob" in told


def test_who_has_none_is_told_for_whom_root_has_noted_one_down(
    bob: Account,
    records: Path,
    calls: list[dict[str, object]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """ComfyUI is off, and it is the caller of sudo who asks."""
    (tmp_path / "config.toml").write_text(f'comfyui_dir = "{tmp_path}"\n')
    paths = {"root": "/a/c", "config": str(tmp_path)}
    noted = {"user": "anna", "scope": "user", "paths": paths}
    for name in ("installation.json", "installation-gpu1.json"):
        (records / name).write_text(json.dumps(noted))
    monkeypatch.setattr(command.servers, "find", lambda *_: [])
    monkeypatch.setattr(command.choice, "search", lambda _: [])
    monkeypatch.setattr(command.rights, "reason", lambda *_: None)
    monkeypatch.setattr(command, "_show_report", lambda *_: None)
    act_as(monkeypatch, bob, 0)
    for more in ([], ["--instance", "gpu1"]):
        assert call(monkeypatch, "install", *more) == 2
        told = capsys.readouterr().err
        assert told.startswith("No ComfyUI was found for bob: ")
        assert "(ComfyWatchman is installed here for anna: --user anna.)" in told
        assert call(monkeypatch, "install", *more, "--user", "anna") == 0
    assert call(monkeypatch, "install", "--user", "bob") == 2
    assert call(monkeypatch, "install", "--instance", "other") == 2
    # What may not be read could not be gone on with by that name either.
    (tmp_path / "config.toml").unlink()
    assert call(monkeypatch, "install") == 2
    assert "--user anna" not in capsys.readouterr().err
    assert [call["comfywatchman_user"] for call in calls] == ["anna", "anna"]


def test_what_cannot_be_opened_is_shown_as_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> Account:
        raise PermissionError(13, "Permission denied", "/x/\x1b[2J")

    monkeypatch.setattr(command, "_caller", fail)
    assert call(monkeypatch, "uninstall") == 1
    assert capsys.readouterr().err == "/x/\\x1b[2J: Permission denied.\n"


@pytest.mark.parametrize(
    "flag", ["--check", "-C", "--ch", "-vCD", "--syntax-check", "--list-tasks"]
)
def test_a_trial_is_told_as_one(
    flag: str,
    bob: Account,
    records: Path,
    calls: list[dict[str, object]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    act_as(monkeypatch, bob, bob.uid)
    monkeypatch.setattr(command.rights, "reason", lambda *_: None)
    given = ["--comfyui-dir", str(tmp_path), "--comfyui-url", "http://127.0.0.1:1"]
    for happens in ("installed", "brought up to date"):
        assert call(monkeypatch, "install", *given, "--", flag) == 0
        said = capsys.readouterr().out
        assert f"==> A trial ({flag}): nothing was {happens}" in said
        assert "check" not in said.replace(flag, "").lower()
        if happens == "installed":
            lay_out(bob.home)
    assert call(monkeypatch, "uninstall", "--", flag) == 0
    said = capsys.readouterr().out
    assert f"==> A trial ({flag}): nothing was removed" in said
    assert "Removed." not in said
    assert len(calls) == 3


def test_what_may_not_be_seen_is_not_said_not_to_be_there(
    bob: Account,
    records: Path,
    calls: list[dict[str, object]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root, _ = lay_out(bob.home)
    close(root, monkeypatch)
    act_as(monkeypatch, bob, 54323)
    assert call(monkeypatch, "uninstall", "--user", "bob") == 0
    assert capsys.readouterr().out == (
        "ComfyWatchman is not installed here for bob, as far as may be seen without root; to look "
        "again as root: sudo ./dev uninstall --user bob\n"
    )
    assert calls == []


def test_whose_service_manager_is_no_question_of_uninstall(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "uninstall", "--scope", "system") == 2
    assert "unrecognized arguments: --scope system" in capsys.readouterr().err


def test_what_is_for_ansible_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = ["--", "-e", "comfywatchman_comfyui_token=s3cret"]
    monkeypatch.setattr(sys, "argv", ["workstation", "--log-dir", "x", "install", "--user", "a b"])
    assert command._called("install") == "install --user 'a b'"
    monkeypatch.setattr(sys, "argv", [*sys.argv, *secret])
    assert command._called("install") == "install --user 'a b' -- ..."


PROGRAM = """\
#!/bin/sh
echo "$1 $(id -u) $(id -G) $HOME"
test -t 0 || read line || echo 'no input'
ps -o sid= -p $$ | grep -qw $$ && echo 'its own session'
printf '\\033]0;owned\\007\\n'
"""


def test_the_report_is_shown_as_its_user_and_as_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    user = accounts.of_name("nobody") if os.geteuid() == 0 else accounts.of_uid(os.geteuid())
    assert user is not None
    if os.geteuid() == 0:
        let_all_pass(tmp_path)
    program = tmp_path / "comfywatchman"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    now = installed.Installation("", user.name, "user", False, tmp_path, tmp_path)
    monkeypatch.setenv("HOME", str(user.home))
    command._show_report(user, now)
    first, *rest = capsys.readouterr().out.splitlines()
    groups = " ".join(map(str, os.getgrouplist(user.name, user.gid)))
    assert first == f"status {user.uid} {groups} {user.home}"
    assert rest[:3] == ["no input", "its own session", r"\x1b]0;owned\x07"]
    program.write_text("#!/bin/sh\nexec yes\n")
    monkeypatch.setattr(command, "REPORT_BYTES", 5)
    command._show_report(user, now)
    assert capsys.readouterr().out == "".join(
        f"y\ny\ny\nThe rest is not shown here: {program} {form}\n\n"
        for form in ("status", "report")
    )
    program.unlink()
    command._show_report(user, now)
    told = f"{program} status cannot be started: No such file or directory.\n"
    assert capsys.readouterr().out == told
