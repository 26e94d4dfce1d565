"""The archive: what git tracks and nothing else, the same bytes from the same files."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest
import yaml

import comfywatchman
from tests.unit.collection import ansible
from tests.unit.collection.conftest import Checkout, archive, digests, git

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "hunter2-and-nobody-else"


def holdings(archive: Path) -> dict[str, bytes]:
    """Every file of the archive by its name, those inside the wheel too."""
    found = {}
    with tarfile.open(archive) as opened:
        for member in opened:
            if member.isfile():
                content = opened.extractfile(member)
                assert content is not None
                found[member.name] = content.read()
    (wheel,) = (name for name in found if name.endswith(".whl"))
    with zipfile.ZipFile(io.BytesIO(found[wheel])) as packed:
        found |= {f"{wheel}/{name}": packed.read(name) for name in packed.namelist()}
    return found


def plant(checkout: Path, outside: Path) -> None:
    """Put a secret wherever one may lie in a checkout."""
    outside.mkdir()
    (outside / "key").write_text(SECRET)
    ignored = [".venv/pip.conf", "wheelhouse/x", "fleet-report/hosts/a.json", "dist/old.whl"]
    untracked = [
        "inventories/mine/group_vars/all.yml",
        "comfywatchman/secret.py",
        "docs/notes.md",
        "meta/notes.yml",
        "playbooks/group_vars/all.yml",
        "plugins/modules/mine.py",
        "roles/comfywatchman/files/comfywatchman-9-py3-none-any.whl",
        "roles/comfywatchman/vars/mine.yml",
        "roles/mine/tasks/main.yml",
        "tests/sanity/mine.txt",
        ".env",
        "vault-password",
    ]
    for name in ignored + untracked:
        file = checkout / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(SECRET)
    (checkout / ".git" / "secret").write_text(SECRET)
    for name in ("docs/link.md", "roles/comfywatchman/files/link", "comfywatchman/link.py"):
        (checkout / name).symlink_to(outside / "key")
    (checkout / "roles" / "linked").symlink_to(outside)


def test_what_git_does_not_track_is_not_in_it(
    checkout: Checkout, tmp_path: Path, built: Path
) -> None:
    plant(checkout.folder, tmp_path / "outside")
    done = checkout.build(tmp_path / "out")
    assert done.returncode == 0, done.stderr
    packed = holdings(archive(tmp_path / "out"))
    assert [name for name, content in packed.items() if SECRET.encode() in content] == []
    assert archive(tmp_path / "out").read_bytes() == built.read_bytes()


def test_what_was_planted_would_have_been_found(checkout: Checkout, tmp_path: Path) -> None:
    (checkout.folder / "comfywatchman" / "secret.py").write_text(f"'{SECRET}'\n")
    (checkout.folder / "roles" / "comfywatchman" / "vars" / "mine.yml").write_text(SECRET)
    checkout.commit()
    assert checkout.build(tmp_path / "out").returncode == 0
    packed = holdings(archive(tmp_path / "out"))
    found = sorted(name.rpartition("/")[2] for name, c in packed.items() if SECRET.encode() in c)
    assert found == ["mine.yml", "secret.py"]


def a_link_that_is_tracked(checkout: Checkout, outside: Path) -> None:
    (checkout.folder / "docs" / "link.md").symlink_to(outside)
    checkout.commit()


def a_link_to_what_is_not_tracked(checkout: Checkout, outside: Path) -> None:
    (checkout.folder / "docs" / "link.md").symlink_to("../.git/config")
    checkout.commit()


def a_link_in_the_place_of_a_file(checkout: Checkout, outside: Path) -> None:
    (checkout.folder / "docs" / "link.md").write_text("a file")
    checkout.commit()
    (checkout.folder / "docs" / "link.md").unlink()
    (checkout.folder / "docs" / "link.md").symlink_to(outside)


@pytest.mark.parametrize(
    "lay", [a_link_that_is_tracked, a_link_to_what_is_not_tracked, a_link_in_the_place_of_a_file]
)
def test_a_link_that_leads_out_is_refused(checkout: Checkout, tmp_path: Path, lay: object) -> None:
    assert callable(lay)
    (tmp_path / "outside").write_text(SECRET)
    lay(checkout, tmp_path / "outside")
    done = checkout.build(tmp_path / "out")
    assert done.returncode == 1
    assert "docs/link.md is not, or does not lead to, a file that git tracks" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_a_link_now_is_refused(checkout: Checkout, tmp_path: Path) -> None:
    (checkout.folder / "docs").rename(tmp_path / "docs")
    (checkout.folder / "docs").symlink_to(tmp_path / "docs")
    done = checkout.build(tmp_path / "out")
    assert done.returncode == 1
    assert "a file that git tracks" in done.stderr


def test_who_builds_it_where_and_when_makes_no_difference(tmp_path: Path, built: Path) -> None:
    elsewhere = tmp_path / "deep" / "ñ and a space"
    mask = os.umask(0o077)
    try:
        other = Checkout(elsewhere)
        for number, file in enumerate(sorted(elsewhere.rglob("*"), reverse=True)):
            if file.is_file() and not file.is_symlink() and ".git" not in file.parts:
                os.utime(file, (number, number))
        settings = {"TZ": "WEST+11", "LC_ALL": "C", "SOURCE_DATE_EPOCH": "99999999"}
        done = other.build(tmp_path / "out", **settings)
    finally:
        os.umask(mask)
    assert done.returncode == 0, done.stderr
    again = archive(tmp_path / "out").read_bytes()
    assert hashlib.sha256(again).hexdigest() == hashlib.sha256(built.read_bytes()).hexdigest()
    assert done.stdout.split()[0] == hashlib.sha256(again).hexdigest()
    assert done.stderr == ""


def test_what_is_in_it(built: Path) -> None:
    with tarfile.open(built) as opened:
        members = opened.getmembers()
    assert {(m.uid, m.gid, m.uname, m.gname, int(m.mtime)) for m in members} == {(0, 0, "", "", 0)}
    assert {m.type for m in members} == {tarfile.REGTYPE, tarfile.DIRTYPE}
    assert {m.mode for m in members if m.isfile()} <= {0o644, 0o755}
    names = [m.name for m in members]
    assert names[:2] == ["MANIFEST.json", "FILES.json"]
    assert names[2:] == sorted(names[2:])
    version = comfywatchman.__version__
    assert f"roles/comfywatchman/files/comfywatchman-{version}-py3-none-any.whl" in names
    tops = {name.split("/")[0] for name in names}
    assert tops == {
        *("MANIFEST.json", "FILES.json", "CHANGELOG.md", "LICENSE", "README.md", "changelogs"),
        *("docs", "meta", "monitoring", "playbooks", "plugins", "roles", "tests"),
    }


def test_its_own_list_of_files_is_true(built: Path) -> None:
    with tarfile.open(built) as opened:
        manifest, listed = (
            opened.extractfile(name).read()  # type: ignore[union-attr]
            for name in ("MANIFEST.json", "FILES.json")
        )
        about = json.loads(manifest)
        assert about["collection_info"]["namespace"] == "comfywatchman"
        assert about["file_manifest_file"]["chksum_sha256"] == hashlib.sha256(listed).hexdigest()
        entries = {entry["name"]: entry for entry in json.loads(listed)["files"]}
        assert set(entries) - {"."} == {*opened.getnames()} - {"MANIFEST.json", "FILES.json"}
        for member in opened:
            if member.isfile() and member.name in entries:
                content = opened.extractfile(member).read()  # type: ignore[union-attr]
                digest = hashlib.sha256(content).hexdigest()
                assert entries[member.name]["chksum_sha256"] == digest


def test_changes_that_are_not_committed_are_in_it_and_told(
    checkout: Checkout, tmp_path: Path
) -> None:
    (checkout.folder / "LICENSE").write_text("another")
    (checkout.folder / "docs" / "fleet.md").unlink()
    done = checkout.build(tmp_path / "out")
    assert done.returncode == 0
    assert "It holds changes that are not committed: LICENSE, docs/fleet.md" in done.stderr
    packed = holdings(archive(tmp_path / "out"))
    assert packed["LICENSE"] == b"another"
    assert "docs/fleet.md" not in packed


def test_versions_that_differ_are_refused(checkout: Checkout, tmp_path: Path) -> None:
    description = checkout.folder / "galaxy.yml"
    about = yaml.safe_load(description.read_text())
    description.write_text(yaml.safe_dump(about | {"version": "9.9.9"}))
    done = checkout.build(tmp_path / "out")
    assert done.returncode == 1
    version = comfywatchman.__version__
    assert f"galaxy.yml says version 9.9.9, and the package is {version}" in done.stderr


def test_without_git_there_is_a_sentence(checkout: Checkout, tmp_path: Path) -> None:
    shutil.rmtree(checkout.folder / ".git")
    done = checkout.build(tmp_path / "out", GIT_CEILING_DIRECTORIES=str(tmp_path))
    assert done.returncode == 1
    assert "The archive holds what git tracks, and git does not tell: " in done.stderr
    assert "Traceback" not in done.stderr


def test_ansible_galaxy_alone_packs_nothing_that_is_made_or_kept_here(
    checkout: Checkout, tmp_path: Path
) -> None:
    """``ansible-galaxy collection build`` knows no git; galaxy.yml says what it leaves out."""
    for name in [
        *(".venv/lib/x.py", ".hosts/id_ed25519", ".env", "inventories/mine/hosts.yml"),
        *("wheelhouse/x", "wheelhouse2/x", "fleet-report/x", "playbooks/fleet-report/x"),
        *("dist/x", "build/x", "demo-report/x", "comfywatchman.egg-info/PKG-INFO", "old.whl"),
        *("roles/comfywatchman/.env", "comfywatchman/__pycache__/x.pyc", "deploy.log"),
    ]:
        (checkout.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout.folder / name).write_text(SECRET)
    done = ansible.run(
        "ansible-galaxy",
        *("collection", "build", "--output-path", tmp_path / "out"),
        cwd=checkout.folder,
        home=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    with tarfile.open(archive(tmp_path / "out")) as opened:
        names = {member.name for member in opened if not member.isdir()}
        held = [m for m in opened if m.isfile() and SECRET.encode() in opened.extractfile(m).read()]  # type: ignore[union-attr]
    assert held == []
    tracked = set(filter(None, git(checkout.folder, "ls-files", "-z").split("\0")))
    assert names - tracked == {"MANIFEST.json", "FILES.json"}
    tops = {name.split("/")[0] for name in names & tracked}
    assert tops == {
        *("CHANGELOG.md", "LICENSE", "README.md", "changelogs", "comfywatchman", "docs", "meta"),
        *("monitoring", "playbooks", "plugins", "pyproject.toml", "roles"),
    }


def test_package_and_collection_have_one_version() -> None:
    about = yaml.safe_load((ansible.CHECKOUT / "galaxy.yml").read_text())
    assert about["version"] == comfywatchman.__version__


def test_building_writes_nothing_into_the_checkout(checkout: Checkout, tmp_path: Path) -> None:
    before = digests(checkout.folder)
    assert checkout.build(tmp_path / "out").returncode == 0
    after = digests(checkout.folder)
    assert {n for n in after if not n.startswith(".git/")} == {
        n for n in before if not n.startswith(".git/")
    }
