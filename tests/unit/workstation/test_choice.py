"""Which ComfyUI is meant: by flags, by what is installed, what runs, what lies on the disk."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from comfywatchman.workstation import accounts, choice, command, places, servers
from comfywatchman.workstation.accounts import Account
from comfywatchman.workstation.choice import Given, Target, Unsure
from comfywatchman.workstation.installed import Installation
from comfywatchman.workstation.servers import Server
from tests.standin import main as standin
from tests.unit.workstation.machine import close

if TYPE_CHECKING:
    from pathlib import Path

ROOT = accounts.of_uid(0)
assert ROOT is not None
NOBODY = accounts.of_name("nobody")
assert NOBODY is not None


@pytest.fixture
def anna(tmp_path: Path) -> Account:
    return Account("anna", 54321, 54321, tmp_path)


def server(folder: Path | None, port: int | None = 8188, uid: int | None = 54321) -> Server:
    url = None if port is None else f"http://127.0.0.1:{port}"
    return Server(4000 + (port or 0), uid, folder, "/app/ComfyUI", url, answers=True)


def choose(
    caller: Account,
    *servers: Server,
    given: Given | None = None,
    before: Installation | None = None,
    is_root: bool = False,
) -> Target:
    return choice.choose(
        given or Given(),
        caller,
        is_root=is_root,
        servers=servers,
        search=lambda homes: places.find(homes, elsewhere=()),
        before=before,
    )


def refusal(*arguments: Server, caller: Account, **more: object) -> str:
    with pytest.raises(Unsure) as raised:
        choose(caller, *arguments, **more)  # type: ignore[arg-type]
    sentence = str(raised.value)
    assert "\n" not in sentence
    return sentence


def test_the_one_server_that_runs_is_meant(anna: Account, tmp_path: Path) -> None:
    here = standin.lay_out(tmp_path / "somewhere")
    standin.lay_out(tmp_path / "ComfyUI")  # lies about, and does not run
    assert choose(anna, server(here, 8190)) == Target(
        anna, here, "http://127.0.0.1:8190", "of process 12190, which answers"
    )


def test_of_two_servers_one_has_to_be_named(anna: Account, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two $HOME"
    for folder in (one, two):
        standin.lay_out(folder)
    both = server(one), server(two, 8189)
    assert refusal(*both, caller=anna) == (
        "2 ComfyUI servers run here; say which one: "
        f"--user anna --comfyui-dir {one} --comfyui-url http://127.0.0.1:8188, or "
        f"--user anna --comfyui-dir '{two}' --comfyui-url http://127.0.0.1:8189."
    )
    assert choose(anna, *both, given=Given(folder=two)).url == "http://127.0.0.1:8189"
    assert choose(anna, *both, given=Given(url="http://127.0.0.1:8188")).folder == one
    same = server(one), server(one, 8189)
    assert "--comfyui-url http://127.0.0.1:8189." in refusal(*same, caller=anna)


def test_without_a_server_the_usual_places_are_looked_at(anna: Account, tmp_path: Path) -> None:
    assert refusal(caller=anna).startswith("No ComfyUI was found for anna: ")
    assert "--comfyui-dir" in refusal(caller=anna)
    folder = standin.lay_out(tmp_path / "comfy/ComfyUI")
    assert choose(anna).folder == folder
    assert choose(anna).url is None
    (tmp_path / "ComfyUI").symlink_to(folder)  # the same one by another name
    assert choose(anna).folder.samefile(folder)
    standin.lay_out(tmp_path / "StabilityMatrix/Packages/ComfyUI")
    assert refusal(caller=anna).startswith("2 ComfyUI folders are here; say which one: ")


def test_desktop_says_where_its_folder_is(anna: Account, tmp_path: Path) -> None:
    base = tmp_path / "AI stuff"
    for name in ("models", "input", "user"):
        (base / name).mkdir(parents=True)
    config = tmp_path / ".config/ComfyUI/config.json"
    config.parent.mkdir(parents=True)
    config.write_text(json.dumps({"installState": "installed", "basePath": str(base)}))
    assert (choose(anna).folder, choose(anna).url) == (base, places.DESKTOP_URL)
    for text in ("{", "[]", '{"basePath": 7}', '{"basePath": "../x"}', '{"basePath": "/\\u0000"}'):
        config.write_text(text)
        refusal(caller=anna)
    config.unlink()
    os.mkfifo(config)
    refusal(caller=anna)


def test_comfy_cli_says_where_its_workspace_is(anna: Account, tmp_path: Path) -> None:
    folder = standin.lay_out(tmp_path / "workspace")
    config = tmp_path / ".config/comfy-cli/config.ini"
    config.parent.mkdir(parents=True)
    config.write_text(f"[DEFAULT]\nenable_tracking = False\ndefault_workspace = {folder}\n")
    assert choose(anna).folder == folder
    config.write_text("default_workspace: no section\n%(")
    refusal(caller=anna)


def test_on_a_terminal_it_is_asked(
    anna: Account,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = standin.lay_out(tmp_path / "one")
    options = command._parser().parse_args(["install"])

    def asked(*servers_: Server, answers: list[str]) -> Target:
        monkeypatch.setattr(command, "_is_terminal", lambda: True)
        monkeypatch.setattr(servers, "find", lambda *_: list(servers_))
        monkeypatch.setattr("builtins.input", lambda _: answers.pop(0))
        return command._target(options, anna, None)

    two = server(folder), server(folder, 8189)
    assert asked(*two, answers=["2"]).url == "http://127.0.0.1:8189"
    assert "  1  " in capsys.readouterr().out
    assert asked(server(None, uid=None), answers=[f" {folder} "]).folder == folder
    url = "http://127.0.0.1:9"
    assert asked(server(folder, None, uid=None), answers=[url]).url == url
    nothing = asked(server(None, None, uid=None), answers=[str(folder), url])
    assert (nothing.folder, nothing.url) == (folder, url)
    for no_answer in ("", "3", "0", "٢", "/no such folder"):
        with pytest.raises(Unsure):
            asked(*two, answers=[no_answer])
    for no_answer in ("", "localhost:8188"):
        with pytest.raises(Unsure):
            asked(server(folder, None, uid=None), answers=[no_answer])


def test_only_root_takes_the_servers_of_others(anna: Account, tmp_path: Path) -> None:
    here = standin.lay_out(tmp_path / "theirs")
    of_nobody = server(here, uid=NOBODY.uid)
    told = refusal(of_nobody, caller=anna)
    assert "is a ComfyUI of somebody else" in told
    assert "--user" in told
    assert choose(anna, of_nobody, is_root=True).user == NOBODY
    of_root = server(here, 8189, uid=0)
    assert choose(ROOT, of_root, of_nobody, is_root=True).user == ROOT
    assert choose(anna, of_root, server(here), is_root=True).user == anna
    named = Given(user="nobody")
    assert choose(ROOT, of_root, of_nobody, given=named, is_root=True).user == NOBODY


def test_root_itself_installs_for_the_owner_of_the_folder(tmp_path: Path) -> None:
    home = Account("root", 0, 0, tmp_path)
    folder = standin.lay_out(tmp_path / "ComfyUI")
    owner = accounts.of_uid(folder.stat().st_uid)
    assert choose(home, is_root=True).user == owner


def test_a_container_of_which_not_all_is_seen_is_asked_about(anna: Account, tmp_path: Path) -> None:
    unseen = server(None, uid=None)
    told = refusal(unseen, caller=anna)
    assert "not seen from here (/app/ComfyUI)" in told
    assert "--comfyui-dir" in told
    assert choose(anna, unseen, given=Given(folder=tmp_path)).url == "http://127.0.0.1:8188"
    told = refusal(server(tmp_path, None, uid=None), caller=anna)
    assert "--comfyui-url" in told
    url = "http://127.0.0.1:9"
    assert choose(anna, server(tmp_path, None, None), given=Given(url=url)).url == url


def test_what_is_given_needs_no_looking(anna: Account, tmp_path: Path) -> None:
    url = "http://127.0.0.1:9"
    given = Given(folder=tmp_path, url=url)
    assert choose(anna, server(tmp_path / "x"), given=given) == Target(
        anna, tmp_path, url, "as it was given"
    )
    assert "--comfyui-dir" in refusal(caller=anna, given=Given(folder=tmp_path / "no"))
    assert "--user" in refusal(caller=anna, given=Given(user="no such\x1b user"))


def test_a_second_run_keeps_what_is_installed(anna: Account, tmp_path: Path) -> None:
    folder, url = standin.lay_out(tmp_path / "ComfyUI"), "http://127.0.0.1:8000"
    before = Installation("", "nobody", "user", True, tmp_path, tmp_path, folder, url)
    standin.lay_out(tmp_path / "comfy/ComfyUI")
    kept = choose(anna, before=before)
    assert (kept.user, kept.folder, kept.url) == (NOBODY, folder, url)
    # It runs at another address by now.
    moved = choose(anna, server(folder, 8190, NOBODY.uid), before=before)
    assert (moved.folder, moved.url) == (folder, "http://127.0.0.1:8190")
    two = server(folder, 8190, NOBODY.uid), server(folder, 8191, NOBODY.uid)
    assert choose(anna, *two, before=before).url == url
    gone = Installation("", "nobody", "user", True, tmp_path, tmp_path, tmp_path / "gone", url)
    here = server(folder, uid=NOBODY.uid)
    assert choose(anna, here, before=gone, is_root=True).url == "http://127.0.0.1:8188"


def test_a_folder_that_may_not_be_entered_is_said(
    anna: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "closed/ComfyUI"
    close(folder.parent, monkeypatch)
    before = Installation("", "anna", "user", False, tmp_path, tmp_path, folder, None)
    for told in (
        refusal(caller=anna, given=Given(folder=folder)),
        refusal(caller=anna, before=before),
    ):
        assert told.startswith(f"{folder} may not be entered ")
        assert "--comfyui-dir" in told
