"""From a checkout all works with no ansible.cfg of ours in force, or fails: never 0 for nothing."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tests.unit.collection import ansible

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

PARTS = ("comfywatchman", "meta", "playbooks", "plugins", "roles")
COLLECTION = "ansible_collections/comfywatchman/ops"


@dataclass
class Place:
    """Where playbooks are, and what they are run in."""

    home: Path
    checkout: Path = ansible.CHECKOUT
    cwd: Path = ansible.CHECKOUT
    environment: dict[str, str] = field(default_factory=dict)

    def play(self, playbook: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run one of the playbooks over this machine, as one that has nothing installed."""
        hosts = ansible.inventory(self.home / "hosts.json")
        reports = ["-e", f"comfywatchman_fleet_dir={self.home / 'fleet'}"]
        path = self.checkout / "playbooks" / f"{playbook}.yml"
        return ansible.run(
            "ansible-playbook",
            *["-i", hosts, path, *reports, *arguments],
            cwd=self.cwd,
            home=self.home,
            **self.environment,
        )


def copy(to: Path) -> None:
    for part in PARTS:
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ansible.CHECKOUT / part, to / part, symlinks=True, ignore=ignore)
    for name in ("ansible.cfg", "galaxy.yml", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ansible.CHECKOUT / name, to / name)


def as_it_is(place: Place) -> None:
    """The checkout's own ansible.cfg is in force."""


def another_roles_path(place: Place) -> None:
    """AWX names folders of roles; in this one the Python package looks like an empty role."""
    place.environment["ANSIBLE_ROLES_PATH"] = str(ansible.CHECKOUT)


def an_empty_configuration(place: Place) -> None:
    settings = place.home / "empty.cfg"
    settings.touch()
    place.environment["ANSIBLE_CONFIG"] = str(settings)


def another_folder(place: Place) -> None:
    place.cwd = place.home


def a_world_writable_checkout(place: Place) -> None:
    """Ansible takes no settings from a folder that everybody can write to."""
    place.checkout = place.cwd = place.home / "checkout"
    copy(place.checkout)
    place.checkout.chmod(0o777)


def another_copy_installed(place: Place) -> None:
    """One that would do nothing, in both places where Ansible looks."""
    for top in (".ansible/collections", "named"):
        copy(place.home / top / COLLECTION)
        for tasks in (place.home / top / COLLECTION).glob("roles/*/tasks/*.yml"):
            tasks.write_text("[]\n")
    place.environment["ANSIBLE_COLLECTIONS_PATH"] = str(place.home / "named")


def everything_at_once(place: Place) -> None:
    another_copy_installed(place)
    an_empty_configuration(place)
    another_roles_path(place)
    another_folder(place)


@pytest.fixture(
    params=[
        as_it_is,
        another_roles_path,
        an_empty_configuration,
        another_folder,
        a_world_writable_checkout,
        another_copy_installed,
        everything_at_once,
    ],
    ids=lambda surroundings: surroundings.__name__,
)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    made = Place(tmp_path)
    request.param(made)
    return made


def test_what_is_in_force_makes_no_playbook_an_empty_success(place: Place, tmp_path: Path) -> None:
    verified = place.play("verify")
    assert verified.returncode == 2, verified.stdout + verified.stderr
    assert "No release is active in /nonexistent/.local/share/comfywatchman" in verified.stdout

    shown = place.play("status")
    assert shown.returncode == 2, shown.stdout + shown.stderr
    assert "here: ComfyWatchman is not installed there" in shown.stdout
    assert (tmp_path / "fleet" / "fleet.html").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("playbook", "said"),
    [
        ("deploy", "There is no user 'nobody-of-this-name' on this host"),
        ("rollback", "No release is active"),
        ("run_now", "ComfyWatchman is not installed here"),
        ("fix", "ComfyWatchman is not installed here"),
        ("wheelhouse", "No host of the group comfyui could be asked for its Python"),
        ("uninstall", "comfywatchman.ops.comfywatchman : Absent | Look at the host"),
    ],
)
def test_the_others_do_their_work_too(tmp_path: Path, playbook: str, said: str) -> None:
    place = Place(tmp_path)
    everything_at_once(place)
    done = place.play(playbook, *(["--check"] if playbook == "uninstall" else []))
    assert done.returncode == (0 if playbook == "uninstall" else 2), done.stdout + done.stderr
    assert said in done.stdout


PLAYBOOKS = [file.stem for file in sorted((ansible.CHECKOUT / "playbooks").glob("*.yml"))]


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_no_host_in_the_group_is_a_failure(tmp_path: Path, playbook: str) -> None:
    hosts = ansible.inventory(tmp_path / "hosts.json", hosts={})
    path = ansible.CHECKOUT / "playbooks" / f"{playbook}.yml"
    done = ansible.run("ansible-playbook", "-i", hosts, path, cwd=tmp_path, home=tmp_path)
    assert done.returncode == 2, done.stdout
    assert (
        f"No host was asked to do anything: the group comfyui has no hosts in {hosts}. Name an "
        "inventory with -i that has your hosts in the group comfyui."
    ) in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-i", "others.ini"], "the group comfyui has no hosts in"),
        (["-i", "hosts.json", "-i", "others.ini", "--limit=other"], "--limit leaves none of them."),
        (["--tags=comfywatchman_preflight"], "the group comfyui has no hosts in"),
    ],
)
def test_hosts_that_are_none_of_the_group_are_no_work(
    tmp_path: Path, arguments: list[str], said: str
) -> None:
    ansible.inventory(tmp_path / "hosts.json")
    (tmp_path / "others.ini").write_text("other\n")
    path = ansible.CHECKOUT / "playbooks" / "deploy.yml"
    done = ansible.run("ansible-playbook", *arguments, path, cwd=tmp_path, home=tmp_path)
    assert done.returncode == 2, done.stdout
    assert said in done.stdout


def test_a_limit_leaves_the_wheelhouse_to_be_made_where_it_is_run(tmp_path: Path) -> None:
    place = Place(tmp_path, cwd=tmp_path)
    targets = 'comfywatchman_wheelhouse_targets: [{python: "3.13", machine: x86_64}]'
    (tmp_path / "wheelhouse").touch()
    done = place.play("wheelhouse", "--limit=here", "-e", f"{{{targets}}}")
    assert done.returncode == 2, done.stdout
    assert f"{tmp_path / 'wheelhouse'}" in done.stdout
