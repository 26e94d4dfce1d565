"""The module that removes an installation: what of the state folder it takes, what it leaves."""

from __future__ import annotations

import getpass
import json
from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman import host, state_files
from tests.unit.role import collection

if TYPE_CHECKING:
    from pathlib import Path

KINDS = ("", "-journal", ".before-1", ".damaged")
COPIES = {f"{state_files.WORKFLOW_COPIES}{kind}" for kind in KINDS}
REST = {
    *state_files.FILES,
    *(f"{state_files.HISTORY}{kind}" for kind in KINDS),
    *(f"{state_files.SERVER_WORKFLOWS}{kind}" for kind in KINDS),
    ".latest.json.7.8.part",
} - COPIES


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder with everything in it that is ever ours."""
    folder = tmp_path / ".local/state/comfywatchman"
    folder.mkdir(parents=True, mode=0o700)
    for name in COPIES | REST - {host.OWNER}:
        (folder / name).touch(mode=0o600)
    assert host.claim(folder, host.here()) is None
    return folder


def remove(state: Path, **given: Any) -> dict[str, Any]:
    home = state.parents[2]
    paths = {
        "root": str(home / ".local/share/comfywatchman"),
        "config": str(home / ".config/comfywatchman"),
        "state": str(state),
        "units": str(home / ".config/systemd/user"),
    }
    arguments = {"scope": "user", "user": "nobody-of-that-name", "home": str(home), "paths": paths}
    done = collection.run("removal", {**arguments, **given})
    result: dict[str, Any] = json.loads(done.stdout)
    assert "msg" not in result, result
    return result


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


@pytest.mark.parametrize("made_by_the_role", [True, False])
def test_copies_of_workflows_stay_unless_asked(state: Path, made_by_the_role: bool) -> None:
    made = {"made": [str(state)] if made_by_the_role else []}
    first = remove(state, **made)
    assert names(state) == COPIES
    assert first["left"] == sorted(str(state / name) for name in COPIES)
    assert {f"remove {state / name}" for name in REST} <= set(first["actions"])
    (warning,) = first["warnings"]
    assert f"{state / state_files.WORKFLOW_COPIES}, " in str(warning)
    assert "comfywatchman_remove_copies=true" in str(warning)

    again = remove(state, **made)
    assert not again["changed"]
    assert again["left"] == first["left"]

    asked = remove(state, remove_copies=True, **made)
    assert asked["changed"]
    assert asked["left"] == []
    assert "warnings" not in asked
    assert not state.exists()


def test_a_trial_says_what_would_go_and_what_would_stay(state: Path) -> None:
    trial = remove(state, _ansible_check_mode=True, _ansible_diff=True)
    assert names(state) == COPIES | REST
    told = trial["diff"]["prepared"].splitlines()
    assert [line for line in told if line.startswith("leave ")] == [
        f"leave {file}" for file in trial["left"]
    ]
    assert f"remove {state / state_files.HISTORY}" in told
    assert trial["left"] == sorted(str(state / name) for name in COPIES)
    trial = remove(state, _ansible_check_mode=True, remove_copies=True)
    assert trial["left"] == []
    assert f"remove {state / state_files.WORKFLOW_COPIES}" in trial["actions"]
    assert names(state) == COPIES | REST


def test_where_state_is_kept_copies_go_only_if_asked(state: Path) -> None:
    made = [str(state)]
    kept = remove(state, keep_state=True, made=made)
    assert not kept["changed"]
    assert "warnings" not in kept
    assert {*kept["left"]} == {str(state / name) for name in COPIES | REST}
    without = remove(state, keep_state=True, remove_copies=True, made=made)
    assert without["left"] == sorted(str(state / name) for name in REST)
    assert names(state) == REST


def test_what_others_put_beside_copies_stays(state: Path) -> None:
    (state / "notes.txt").touch()
    remove(state, made=[str(state)])
    assert names(state) == COPIES | {"notes.txt"}
    remove(state, made=[str(state)], remove_copies=True)
    assert not state.exists()  # as the whole folder goes that the role has made


def test_a_folder_without_copies_goes_as_a_whole(state: Path) -> None:
    for name in COPIES:
        (state / name).unlink()
    done = remove(state, made=[str(state)])
    assert f"remove {state}" in done["actions"]
    assert done["left"] == []
    assert not state.exists()


def test_copies_of_another_host_are_neither_counted_nor_removed(state: Path) -> None:
    (state / host.OWNER).unlink()
    assert host.claim(state, host.Host("render1", "1" * 32, ("a card",))) is None
    done = remove(state, remove_copies=True, made=[str(state)])
    assert not done["changed"]
    assert done["left"] == []
    assert names(state) == COPIES | REST


@pytest.mark.parametrize(("gone", "stays"), [("", "-a"), ("a", ""), ("a", "-a-notify")])
def test_what_sends_messages_goes_with_its_instance(tmp_path: Path, gone: str, stays: str) -> None:
    names = {f"comfywatchman{'-' * bool(gone)}{gone}", f"comfywatchman{stays}"}
    units, config = tmp_path / "units", tmp_path / "config"
    config.mkdir()
    (units / "graphical-session.target.d").mkdir(parents=True)
    for name in names:
        (units / f"{name}.notify.service").touch()
        (units / f"{name}.models-verify.timer").touch()
        (units / f"{name}.models-verify.service").touch()
        (units / f"{name}.service").touch()
        (units / "graphical-session.target.d" / f"{name}.conf").touch()
    for secret in ("notify_urls", "ping_url", "download_token"):
        (config / secret).touch()
    paths = {name: str(tmp_path / name) for name in ("root", "config", "state", "units")}
    given = {"scope": "user", "user": getpass.getuser(), "home": str(tmp_path), "paths": paths}
    given |= {"instance": gone, "keep_state": False}
    assert json.loads(collection.run("removal", given).stdout)["changed"]
    kept = f"comfywatchman{stays}"
    assert sorted(p.relative_to(units).as_posix() for p in units.rglob("*") if p.is_file()) == [
        *(f"{kept}.models-verify.service", f"{kept}.models-verify.timer"),
        *(f"{kept}.notify.service", f"{kept}.service"),
        f"graphical-session.target.d/{kept}.conf",
    ]
    assert not config.exists()
