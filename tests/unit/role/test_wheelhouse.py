"""The wheelhouse: for each target what the lock names, and nothing that it does not name."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.unit.role import collection

SCRIPT = collection.ROLE / "files" / "wheelhouse.py"
OLD = {"python": "3.11", "machine": "x86_64", "glibc": "2.36"}
NEW = {"python": "3.14", "machine": "aarch64", "glibc": "2.41"}
MANYLINUX = "manylinux_2_28_x86_64.manylinux2014_x86_64"
WHEELS = [
    "pure-1.0-py3-none-any.whl",
    "only_old-2.0-py3-none-any.whl",
    f"fast-3.0-cp311-cp311-{MANYLINUX}.whl",
    "fast-3.0-cp314-cp314-manylinux_2_34_aarch64.whl",
    "fast-3.0-cp314-cp314-manylinux_2_99_aarch64.whl",
    "fast-3.0-cp314-cp314-win_amd64.whl",
    "stable-4.0-cp310-abi3-manylinux_2_17_x86_64.whl",
    "stable-4.0-cp310-abi3-manylinux_2_17_aarch64.whl",
]
MARKERS = {"only-old": ' ; python_full_version < "3.12"', "windows": ' ; sys_platform == "win32"'}


class Place:
    """An index, a lock over it, and a wheelhouse to be."""

    def __init__(self, folder: Path) -> None:
        self.index = folder / "index"
        self.index.mkdir()
        self.lock = folder / "requirements.txt"
        self.folder = folder / "wheel house"
        for name in WHEELS:
            self.publish(name)

    def publish(self, name: str) -> None:
        package, version, *_ = name.split("-")
        with zipfile.ZipFile(self.index / name, "w") as wheel:
            about = f"{package}-{version}.dist-info"
            wheel.writestr(
                f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n"
            )
            wheel.writestr(f"{about}/WHEEL", f"Wheel-Version: 1.0\nTag: {name}\n")
            wheel.writestr(f"{about}/RECORD", "")

    def write_lock(self, *pins: str) -> None:
        lines = ["# a comment"]
        for pin in pins:
            name, _, version = pin.partition("==")
            wheels = self.index.glob(f"{name.replace('-', '_')}-{version}-*")
            hashes = [hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in wheels]
            lines.append(f"{pin}{MARKERS.get(name, '')} \\")
            lines += [f"    --hash=sha256:{value} \\" for value in hashes[:-1]]
            lines += [f"    --hash=sha256:{(hashes or ['0' * 64])[-1]}", "    # via something"]
        self.lock.write_text("\n".join(lines) + "\n")

    def run(self, command: str, given: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, SCRIPT, command, self.folder, self.lock],
            input=json.dumps(given),
            capture_output=True,
            text=True,
        )

    def make(self, hosts: dict[str, Any], *targets: Any, **environment: str | int) -> Any:
        offline = {
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": self.index.as_uri(),
            "PIP_CONFIG_FILE": "/dev/null",
        }
        given = {"hosts": hosts, "targets": targets, "environment": offline | environment}
        done = self.run("make", given)
        assert "Traceback" not in done.stderr
        return json.loads(done.stdout) if done.returncode == 0 else done.stderr

    def pack(self, target: dict[str, str]) -> Any:
        return json.loads(self.run("pack", target).stdout)

    @property
    def wheels(self) -> set[str]:
        return {path.name for path in self.folder.glob("*.whl")}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path)
    place.write_lock("pure==1.0", "only-old==2.0", "fast==3.0", "stable==4.0", "windows==5.0")
    return place


def test_each_target_gets_what_fits_it(place: Place) -> None:
    made = place.make({"old": {**OLD, "path": "/usr/bin/python3"}, "gone": None}, NEW)
    assert (made["not_asked"], made["changed"]) == (["gone"], True)
    assert place.wheels == set(WHEELS) - {
        name for name in WHEELS if "2_99" in name or "win" in name
    }
    packed = {}
    for target in (OLD, NEW):
        with tarfile.open(place.pack(target)["archive"]) as archive:
            packed[target["python"]] = set(archive.getnames())
    assert packed["3.11"] == {
        name for name in WHEELS if "none-any" in name or name.endswith("x86_64.whl")
    }
    assert packed["3.14"] == place.wheels - packed["3.11"] | {"pure-1.0-py3-none-any.whl"}


def test_a_second_run_has_nothing_to_do(place: Place) -> None:
    first = place.make({"old": OLD})
    assert len(first["downloaded"]) == 4
    # Nothing is asked for any more: the index is gone.
    for wheel in place.index.iterdir():
        wheel.unlink()
    again = place.make({"old": None})  # unreachable this time; its target is remembered
    assert (again["changed"], again["downloaded"], again["removed"]) == (False, [], [])
    assert (again["not_asked"], again["wheels"]) == (["old"], 4)


def test_what_the_lock_drops_is_removed_and_nothing_else(place: Place) -> None:
    place.make({"old": OLD})
    (place.folder / "ours-1-py3-none-any.whl").write_bytes(b"of somebody else")
    place.write_lock("pure==1.0")
    made = place.make({"old": OLD})
    assert len(made["removed"]) == 3
    assert place.wheels == {"pure-1.0-py3-none-any.whl", "ours-1-py3-none-any.whl"}


def test_a_changed_byte_is_refused_until_it_is_mended(place: Place) -> None:
    place.make({"old": OLD})
    wheel = place.folder / "pure-1.0-py3-none-any.whl"
    content = bytearray(wheel.read_bytes())
    content[len(content) // 2] ^= 1
    wheel.write_bytes(content)
    refused = place.pack(OLD)
    assert refused["archive"] == ""
    assert str(wheel) in refused["problem"]
    assert "the playbook wheelhouse with -e comfywatchman_wheelhouse=" in refused["problem"]
    assert place.make({"old": OLD})["downloaded"] == [wheel.name]
    assert place.pack(OLD)["problem"] == ""


def test_a_wheel_of_somebody_else_does_not_stand_in_the_way(place: Place) -> None:
    place.make({"old": OLD})
    closer = place.folder / "pure-1.0-cp311-cp311-manylinux_2_28_x86_64.whl"
    closer.write_bytes(b"of somebody else")
    assert place.make({"old": OLD})["changed"] is False
    with tarfile.open(place.pack(OLD)["archive"]) as archive:
        names = archive.getnames()
    assert "pure-1.0-py3-none-any.whl" in names
    assert closer.name not in names


def test_a_damaged_archive_is_mended_with_the_rest(place: Place) -> None:
    place.make({"old": OLD})
    archive = Path(place.pack(OLD)["archive"])
    whole = archive.read_bytes()
    archive.write_bytes(whole[:100])
    place.make({"old": OLD})
    assert Path(place.pack(OLD)["archive"]).read_bytes() == whole


@pytest.mark.parametrize("manifest", ['{"hosts": [], "wheels": {}}', "[" * 100_000, "[1]"])
def test_a_damaged_manifest_is_a_sentence(place: Place, manifest: str) -> None:
    place.folder.mkdir()
    (place.folder / "wheelhouse.json").write_text(manifest)
    said = place.make({"old": None})
    assert str(place.folder / "wheelhouse.json") in said
    assert said.endswith("remove it.\n")


def test_a_wheel_that_does_not_exist_is_named(place: Place) -> None:
    said = place.make({}, {**NEW, "glibc": "2.28"})
    assert "no wheel of fast 3.0 for Python 3.14 on aarch64 with glibc 2.28" in said
    assert place.wheels == set()


def test_what_a_host_lacks_is_named(place: Place) -> None:
    nowhere = place.pack(OLD)["problem"]
    assert f"no folder on the controller: {place.folder}" in nowhere
    place.make({"old": OLD})
    lacking = place.pack(NEW)["problem"]
    assert "no wheel for Python 3.14 on aarch64 with glibc 2.41 of fast 3.0, stable 4.0" in lacking
    assert "the playbook wheelhouse with -e comfywatchman_wheelhouse=" in nowhere
    assert "the playbook wheelhouse with -e comfywatchman_wheelhouse=" in lacking


@pytest.mark.parametrize(
    ("hosts", "targets", "sentence"),
    [
        ({"far": None}, [], "comfywatchman_wheelhouse_targets"),
        ({}, [{**OLD, "python": "3.10"}], "python is '3.10'"),
        ({}, [{**OLD, "machine": "amd64"}], "machine is 'amd64'"),
        ({"alpine": {**OLD, "glibc": ""}}, [], "alpine: glibc is ''"),
        ({}, ["3.13"], "'3.13' is no target"),
        ({}, [{**OLD, "glibc": 2.4}], "if it is 2.40, write it in quotes"),
    ],
)
def test_a_target_that_cannot_be_is_refused(
    place: Place, hosts: dict[str, Any], targets: list[Any], sentence: str
) -> None:
    assert sentence in place.make(hosts, *targets)


@pytest.mark.parametrize("bad", ["PIP_INDEX_URL", "HTTP_PROXY"])
def test_a_password_is_not_repeated(place: Place, bad: str) -> None:
    environment = {
        "PIP_NO_INDEX": "0",
        "PIP_FIND_LINKS": "",
        "PIP_INDEX_URL": "http://127.0.0.1:9",
        "PIP_RETRIES": 0,
    }
    said = place.make({"old": OLD}, **environment | {bad: "http://someone:s3cret@[bad"})
    assert "for Python 3.11 on x86_64 with glibc 2.36: " in said
    assert "s3cret" not in said


def test_hosts_that_cannot_be_asked_do_not_stop_it(place: Place, tmp_path: Path) -> None:
    files = tmp_path / "role" / "files"
    files.mkdir(parents=True)
    files.joinpath("wheelhouse.py").symlink_to(SCRIPT)
    files.joinpath("requirements.txt").symlink_to(place.lock)
    given = {
        "comfywatchman_user": "nobody-of-this-name",
        "comfywatchman_wheelhouse": str(place.folder),
        "comfywatchman_wheelhouse_targets": [OLD],
        "comfywatchman_pip_environment": {
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": place.index.as_uri(),
            "PIP_CONFIG_FILE": "/dev/null",
        },
        "ansible_become": False,
    }
    hosts = {
        "gone": {"ansible_host": "127.0.0.1", "ansible_port": 9, "ansible_ssh_retries": 0},
        "mute": {"ansible_connection": "local", "ansible_python_interpreter": "/nowhere"},
    }
    inventory = {"comfyui": {"hosts": hosts, "vars": given}}
    (tmp_path / "hosts.json").write_text(json.dumps(inventory))
    done = subprocess.run(
        [
            Path(sys.executable).with_name("ansible-playbook"),
            "--inventory=hosts.json",
            f"--extra-vars={json.dumps({'role': str(tmp_path / 'role')})}",
            collection.ROLE.parents[1] / "playbooks" / "wheelhouse.yml",
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(collection.COLLECTIONS)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Not asked: gone, mute." in done.stdout
    assert len(place.wheels) == 4
