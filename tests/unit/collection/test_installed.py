"""The collection installed from its archive and from git, where nobody may write to it.

On real hosts, from a controller with ansible-core alone: the Molecule scenario ``collection``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.unit.collection import ansible
from tests.unit.collection.conftest import Checkout, digests

if TYPE_CHECKING:
    from pathlib import Path

MODULES = sorted(file.stem for file in (ansible.CHECKOUT / "plugins" / "modules").glob("[!_]*.py"))
# Those of ansible-test's that need neither a container nor a package index.
SANITY = [
    "action-plugin-docs",
    "compile",
    "empty-init",
    "ignores",
    "line-endings",
    "no-assert",
    "no-get-exception",
    "no-illegal-filenames",
    "no-smart-quotes",
    "replace-urlopen",
    "shebang",
    "symlinks",
    "use-argspec-type-path",
    "use-compat-six",
]


@dataclass
class Installed:
    """Where the collection is."""

    top: Path
    home: Path

    @property
    def folder(self) -> Path:
        return self.top / "ansible_collections" / "comfywatchman" / "ops"

    def run(self, program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        path = {"ANSIBLE_COLLECTIONS_PATH": str(self.top)}
        return ansible.run(program, *arguments, cwd=self.home, home=self.home, **path)


def from_archive(top: Path, built: Path) -> str:
    return str(built)


def from_git(top: Path, built: Path) -> str:
    return f"git+{Checkout(top / 'repository').folder.as_uri()}"


@pytest.fixture(scope="module", params=[from_archive, from_git], ids=lambda way: way.__name__)
def installed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, built: Path
) -> Installed:
    top = tmp_path_factory.mktemp("installed")
    made = Installed(top / "collections", top / "home")
    made.home.mkdir()
    source = request.param(top, built)
    done = made.run("ansible-galaxy", "collection", "install", "-p", made.top, source)
    assert done.returncode == 0, done.stderr
    for path in [made.top, *made.top.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~0o222)
    return made


def test_playbooks_work_and_write_nothing_into_it(installed: Installed) -> None:
    before = digests(installed.folder)
    hosts = ansible.inventory(installed.home / "hosts.json")
    for playbook, said in {
        "deploy": "There is no user 'nobody-of-this-name' on this host",
        "status": "here: ComfyWatchman is not installed there",
    }.items():
        done = installed.run("ansible-playbook", "-i", hosts, f"comfywatchman.ops.{playbook}")
        assert done.returncode == 2, done.stdout + done.stderr
        assert said in done.stdout
    assert (installed.home / "fleet-report" / "fleet.html").stat().st_size > 10_000
    done = installed.run("ansible-playbook", "-i", hosts, "comfywatchman.ops.monitoring")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ComfyWatchmanMissing" in (installed.home / "comfywatchman-rules.yml").read_text()
    assert digests(installed.folder) == before


def test_all_of_it_is_documented(installed: Installed) -> None:
    role = installed.run("ansible-doc", "--type=role", "comfywatchman.ops.comfywatchman")
    assert "comfywatchman_comfyui_dir" in role.stdout, role.stderr
    names = [f"comfywatchman.ops.{name}" for name in MODULES]
    shown = installed.run("ansible-doc", "--type=module", *names)
    assert shown.returncode == 0, shown.stderr
    assert shown.stderr == ""
    for name in names:
        assert f"> MODULE {name} " in shown.stdout
    assert shown.stdout.count("\nEXAMPLES:") == shown.stdout.count("\nRETURN VALUES:") == len(names)


def test_each_action_has_a_module_that_documents_it() -> None:
    actions = {file.stem for file in (ansible.CHECKOUT / "plugins" / "action").glob("*.py")}
    assert actions <= set(MODULES)


def test_the_fleet_is_shown_out_of_a_wheel(built: Path, tmp_path: Path) -> None:
    """As the action does, by a Python that has no more than Ansible needs."""
    shutil.unpack_archive(built, tmp_path)
    (wheel,) = (tmp_path / "roles" / "comfywatchman" / "files").glob("*.whl")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "comfywatchman.fleet", tmp_path / "nothing"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(wheel)},
    )
    assert done.returncode == 78
    assert "nothing was collected there" in done.stderr


def test_ansible_test_finds_nothing(built: Path, tmp_path: Path) -> None:
    folder = tmp_path / "ansible_collections" / "comfywatchman" / "ops"
    folder.mkdir(parents=True)
    shutil.unpack_archive(built, folder)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    known = ansible.run("ansible-test", "sanity", "--list-tests", cwd=folder, home=tmp_path)
    tests = [f"--test={name}" for name in SANITY if name in known.stdout.split()]
    assert len(tests) > len(SANITY) / 2  # releases of Ansible differ in a few
    done = ansible.run(
        "ansible-test", "sanity", f"--python={version}", *tests, cwd=folder, home=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_excepted_is_the_same_for_each_release_of_ansible() -> None:
    exceptions = list((ansible.CHECKOUT / "tests" / "sanity").glob("ignore-*.txt"))
    assert {file.stem for file in exceptions} >= {"ignore-2.19", "ignore-2.21"}
    assert len({file.read_text() for file in exceptions}) == 1
    lines = exceptions[0].read_text().splitlines()
    for line in lines:
        excepted, _, reason = line.partition(" # ")
        path, _, test = excepted.partition(" ")
        assert (ansible.CHECKOUT / path).is_file(), line
        assert test, line
        assert reason, line
    licence = {f"plugins/modules/{name}.py" for name in MODULES}
    assert {line.split()[0] for line in lines if ":missing-gplv3-license" in line} == licence
