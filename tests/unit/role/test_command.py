"""The command on the PATH and its completion: made, kept and removed by the role's modules."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit import release_folder
from tests.unit.role import collection
from tests.unit.role.test_activation import USER, Host

SCRIPT = "../../../bin/comfywatchman"
COMPLETIONS = {
    "share/bash-completion/completions/comfywatchman",
    "share/zsh/site-functions/_comfywatchman",
    "share/fish/vendor_completions.d/comfywatchman.fish",
}


class Home(Host):
    """A host with folders for commands and completions, in an awkward place."""

    def __init__(self, top: Path, instance: str = "") -> None:
        super().__init__(top)
        self.top = top
        self.instance = instance
        self.paths |= {"bin": str(top / "bin"), "share": str(top / "share")}
        self.command = top / "bin" / ("comfywatchman" + ("-" + instance if instance else ""))

    def build(self, release: str, told: str = "good") -> None:
        super().build(release, told)
        python = self.release(release) / "venv" / "bin" / "python"
        program = f"#!/bin/sh\necho \"{release} $COMFYWATCHMAN_CONFIG $*\"\n# '''exec' {python} \n"
        files = {**release_folder.FILES["comfywatchman"], SCRIPT: program.encode()}
        release_folder.install(self.release(release), "comfywatchman", files)
        (python.parent / "comfywatchman").chmod(0o755)
        release_folder.complete(self.release(release))

    def activate(self, release: str, **arguments: Any) -> dict[str, Any]:
        return super().activate(release, **{"instance": self.instance, **arguments})

    def remove(self) -> dict[str, Any]:
        arguments = {
            "scope": "user",
            "user": USER,
            "instance": self.instance,
            "paths": self.paths,
            "home": str(self.top / "home"),
        }
        found: dict[str, Any] = json.loads(collection.run("removal", arguments).stdout)
        return found

    def run_command(self, *arguments: str) -> str:
        return subprocess.run(
            [self.command, *arguments],
            capture_output=True,
            text=True,
            check=True,
            env={"PATH": "/usr/bin:/bin"},
        ).stdout

    def made(self) -> set[str]:
        """What there is in the folders for commands and completions."""
        return {
            str(path.relative_to(self.top))
            for path in [*(self.top / "bin").rglob("*"), *(self.top / "share").rglob("*")]
            if not path.is_dir()
        }


def warnings(result: dict[str, Any]) -> str:
    return json.dumps(result["warnings"], ensure_ascii=False)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "an $A é`")
    home.top.mkdir()
    home.build("1")
    return home


def test_the_command_runs_the_active_release_with_the_settings_of_the_instance(home: Home) -> None:
    told = home.activate("1", _ansible_check_mode=True)["actions"]
    assert not home.command.exists()
    assert home.activate("1")["actions"] == told
    assert f"link {home.command} to {home.root}/comfywatchman" in told
    assert home.made() == {"bin/comfywatchman", *COMPLETIONS}
    assert home.run_command("status", "a b") == f"1 {home.config}/config.toml status a b\n"
    assert home.activate("1")["changed"] is False

    before = os.lstat(home.command).st_mtime_ns
    home.build("2")
    home.activate("2")
    assert home.run_command().startswith("2 ")
    home.go_back()
    assert home.run_command().startswith("1 ")
    assert os.lstat(home.command).st_mtime_ns == before


def test_two_instances_have_a_command_each_and_go_alone(home: Home) -> None:
    second = Home(home.top / "second", "gpu1")
    second.paths |= {name: home.paths[name] for name in ("bin", "share")}
    second.command = home.top / "bin" / "comfywatchman-gpu1"
    second.build("7")
    home.activate("1")
    second.activate("7")
    assert second.run_command() == f"7 {second.config}/config.toml \n"
    second.remove()
    assert home.made() == {"bin/comfywatchman", *COMPLETIONS}
    home.remove()
    assert home.made() == set()
    assert not (home.root / "comfywatchman").exists()


@pytest.mark.parametrize("stranger", ["file", "link", "dangling"])
def test_what_is_not_ours_is_neither_overwritten_nor_removed(home: Home, stranger: str) -> None:
    home.command.parent.mkdir()
    if stranger == "file":
        home.command.write_text("#!/bin/sh\n")
    else:
        home.command.symlink_to("/bin/true" if stranger == "link" else "/nowhere/comfywatchman")
    completion = home.top / "share/bash-completion/completions/comfywatchman"
    completion.parent.mkdir(parents=True)
    completion.write_text("complete -W mine comfywatchman\n")
    before = os.lstat(home.command)[:2], completion.read_text()
    for step in (lambda: home.activate("1"), home.remove):
        told = warnings(step())
        assert [f"{path} is not of" in told for path in (home.command, completion)] == [True, True]
        assert (os.lstat(home.command)[:2], completion.read_text()) == before


def test_it_is_taken_off_when_it_is_not_wanted_any_more(home: Home) -> None:
    home.activate("1")
    gone = home.activate("1", command_link=False)
    assert gone["actions"][0] == f"remove {home.command}"
    assert "run one check as a proof" not in gone["actions"]
    assert home.made() == set()


def test_a_folder_that_takes_no_command_spoils_no_deploy(home: Home) -> None:
    (home.top / "bin").write_text("a file\n")
    result = home.activate("1")
    assert home.links()[0] == "1"
    assert f"{home.command} was left as it is: " in warnings(result)


def test_what_was_damaged_is_made_anew(home: Home) -> None:
    home.activate("1")
    launcher = home.root / "comfywatchman"
    launcher.write_text(launcher.read_text() + "exit 3\n")
    home.command.unlink()
    assert home.activate("1")["actions"] == [
        f"write {launcher}",
        f"link {home.command} to {launcher}",
    ]
    assert home.run_command().startswith("1 ")


def test_bash_completes_without_the_program_on_the_path(home: Home) -> None:
    home.activate("1")
    program = home.release("1") / "venv" / "bin" / "comfywatchman"
    program.unlink()
    program.symlink_to(Path(sys.executable).parent / "comfywatchman")
    script = home.top / "share/bash-completion/completions/comfywatchman"
    press = """source "$1"; COMP_WORDS=(comfywatchman check --forma) COMP_CWORD=2
        complete -p comfywatchman; _comfywatchman; echo "${COMPREPLY[*]}" """
    asked = subprocess.run(
        ["bash", "-c", press, "bash", script],
        capture_output=True, text=True, check=True, env={"PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert asked.stdout == "complete -o default -F _comfywatchman comfywatchman\n--format\n"
    assert asked.stderr == ""
