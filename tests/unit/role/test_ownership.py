"""A home that several hosts use: what the collection's modules do on one with what is another's."""

from __future__ import annotations

import importlib
import json
import os
import pwd
from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman import host
from comfywatchman.host import Host
from tests.unit.role import collection

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

USER = pwd.getpwuid(os.getuid()).pw_name
OTHER = Host("render1", "1" * 32, ("a card",))


@pytest.fixture
def ownership(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """What knows whose a folder is, found as on a host."""
    monkeypatch.syspath_prepend(str(collection.COLLECTIONS))
    return importlib.import_module(f"{collection.PACKAGE}.module_utils.ownership")


def here(ownership: ModuleType, home: Path, **given: Any) -> tuple[str, dict[str, str], Any]:
    asked = {"asked": "", "record": None, "root": "", "state_dir": "", **given}
    found: tuple[str, dict[str, str], Any] = ownership.instance_here(
        scope="user", account=pwd.getpwuid(os.getuid()), home=str(home), **asked
    )
    return found


def own(folder: Path, owner: Host) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / host.OWNER).unlink(missing_ok=True)
    assert host.claim(folder, owner) is None
    return folder


def test_the_usual_names_are_those_of_whoever_comes_first(
    ownership: ModuleType, tmp_path: Path
) -> None:
    assert here(ownership, tmp_path)[0] == ""
    own(tmp_path / ".local/share/comfywatchman", host.here())
    assert here(ownership, tmp_path)[0] == ""


@pytest.mark.parametrize("kind", [".local/share", ".config", ".local/state"])
def test_the_second_host_gets_names_of_its_own_and_keeps_them(
    ownership: ModuleType, tmp_path: Path, kind: str
) -> None:
    theirs = own(tmp_path / kind / "comfywatchman", OTHER)
    first, longer = host.instance_name("", host.here())
    instance, paths, others = here(ownership, tmp_path)
    assert (instance, others) == (first, {})
    assert paths["root"] == str(tmp_path / f".local/share/comfywatchman-{first}")
    own(tmp_path / ".config" / f"comfywatchman-{first}", OTHER)
    assert here(ownership, tmp_path)[0] == longer

    (theirs / host.OWNER).unlink()
    assert here(ownership, tmp_path)[0] == ""
    assert here(ownership, tmp_path, record={"instance": longer})[0] == longer


def test_an_instance_that_is_named_gets_the_host_s_name_too(
    ownership: ModuleType, tmp_path: Path
) -> None:
    own(tmp_path / ".local/share/comfywatchman-gpu1", OTHER)
    assert here(ownership, tmp_path)[0] == ""
    assert here(ownership, tmp_path, asked="gpu1")[0] == host.instance_name("gpu1", host.here())[0]


def test_a_folder_that_is_given_to_two_hosts_is_refused_with_what_helps(
    ownership: ModuleType, tmp_path: Path
) -> None:
    root = own(tmp_path / "it's shared", OTHER)
    _, paths, others = here(ownership, tmp_path, root=str(root))
    (problem,) = ownership.ownership_problems(paths, others)
    assert problem.startswith(f"{root} belongs to the host render1, with which this one shares it")
    assert "comfywatchman_root" in problem
    remedy = problem[problem.index("rm ") :]
    assert os.system(remedy) == 0
    assert here(ownership, tmp_path, root=str(root))[2] == {}


def remove(home: Path, **given: Any) -> dict[str, Any]:
    paths = {
        "root": str(home / ".local/share/comfywatchman"),
        "config": str(home / ".config/comfywatchman"),
        "state": str(home / ".local/state/comfywatchman"),
        "units": str(home / ".config/systemd/user"),
    }
    done = collection.run(
        "removal",
        {
            "scope": "user",
            "user": "nobody-of-that-name",
            "home": str(home),
            "paths": paths,
            "made": list(paths.values()),
            **given,
        },
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def installed(home: Path, owner: Host) -> set[Path]:
    for folder in (".local/share", ".config", ".local/state"):
        own(home / folder / "comfywatchman", owner)
    for file in (
        ".local/share/comfywatchman/releases/1/x",
        ".config/comfywatchman/config.toml",
        ".config/comfywatchman/accepted.toml",
        ".config/comfywatchman/accepted.team.toml",
        ".config/systemd/user/comfywatchman.timer",
        ".config/systemd/user/timers.target.wants/comfywatchman.timer",
        ".local/share/systemd/timers/stamp-comfywatchman.timer",
        ".local/share/systemd/timers/stamp-comfywatchman.models-verify.timer",
        ".local/state/comfywatchman/latest.json",
    ):
        (home / file).parent.mkdir(parents=True, exist_ok=True)
        (home / file).touch()
    return files(home)


def files(home: Path) -> set[Path]:
    return {path for path in home.rglob("*") if path.is_file()}


def test_what_is_removed_is_this_host_s_alone(tmp_path: Path) -> None:
    before = installed(tmp_path, OTHER)
    result = remove(tmp_path)
    assert not result["changed"]
    assert files(tmp_path) == before
    told = [str(warning) for warning in result["warnings"]]
    assert len(told) == 3
    assert all("belongs to the host render1: it was left alone" in text for text in told)

    installed(tmp_path, host.here())
    assert remove(tmp_path)["changed"]
    assert files(tmp_path) == set()


def test_what_another_host_keeps_elsewhere_does_not_keep_ours(tmp_path: Path) -> None:
    installed(tmp_path, host.here())
    state = own(tmp_path / ".local/state/comfywatchman", OTHER)
    remove(tmp_path)
    assert files(tmp_path) == {state / host.OWNER, state / "latest.json"}


def test_a_claim_says_who_was_faster(tmp_path: Path) -> None:
    paths = {"root": str(tmp_path / "root"), "config": str(tmp_path / "config")}
    arguments = {"paths": paths, "directory_mode": "0700"}
    told = json.loads(collection.run("claim", {**arguments, "_ansible_check_mode": True}).stdout)
    assert (told["changed"], list(tmp_path.iterdir())) == (True, [])
    assert json.loads(collection.run("claim", arguments).stdout)["taken"] == ""
    assert host.read(paths["root"]) == host.read(paths["config"]) == host.here()
    own(tmp_path / "root", OTHER)
    taken = json.loads(collection.run("claim", arguments).stdout)["taken"]
    assert "belongs to the host render1" in taken
