"""What a checkout is at: made by git itself, and by people who mean harm."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from comfywatchman.history.environment import repository
from comfywatchman.history.environment.repository import Checkout

if TYPE_CHECKING:
    from pathlib import Path

    from comfywatchman.time_limit import Budget

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", folder, "-c", "user.name=A", "-c", "user.email=a@b.example", *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"},
    ).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    (folder / "nodes").mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    (folder / "nodes/a.py").write_text("a = 1\n")
    (folder / "b.py").write_text("b = 1\n")
    (folder / "link").symlink_to("b.py")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message=one")
    return folder


def aged(file: Path) -> None:
    """A time that is not the one in the index."""
    os.utime(file, (1, 1))


def test_a_branch(checkout: Path, budget: Budget) -> None:
    head = git(checkout, "rev-parse", "HEAD")
    assert repository.read(checkout, budget) == Checkout(head, edited=False)
    assert repository.read(checkout, budget).value == {"commit": head, "edited": False}


def test_packed_refs_and_tags(checkout: Path, budget: Budget) -> None:
    git(checkout, "tag", "--annotate", "main-2", "--message=tag")
    git(checkout, "pack-refs", "--all")
    assert not (checkout / ".git/refs/heads/main").exists()
    assert repository.read(checkout, budget).commit == git(checkout, "rev-parse", "HEAD")


def test_a_detached_head(checkout: Path, budget: Budget) -> None:
    git(checkout, "checkout", "--quiet", "--detach")
    assert repository.read(checkout, budget).commit == git(checkout, "rev-parse", "HEAD")


def test_a_worktree(checkout: Path, tmp_path: Path, budget: Budget) -> None:
    other = tmp_path / "other"
    git(checkout, "worktree", "add", "--quiet", "-b", "other", str(other))
    git(checkout, "remote", "add", "origin", "https://github.com/owner/name")
    (other / "b.py").write_text("b = 2\n")
    git(other, "commit", "--quiet", "--all", "--message=two")
    head = git(other, "rev-parse", "HEAD")
    assert head != git(checkout, "rev-parse", "HEAD")
    assert repository.read(other, budget) == Checkout(head, edited=False, remote="owner/name")
    git(checkout, "pack-refs", "--all")
    assert repository.read(other, budget).commit == head


def test_no_checkout(tmp_path: Path, budget: Budget) -> None:
    assert repository.read(tmp_path, budget) == Checkout()
    assert repository.read(tmp_path / "gone", budget).value == {}
    git(tmp_path, "init", "--quiet")
    assert repository.read(tmp_path, budget).value == {}


# Local edits


@pytest.mark.parametrize("version", ["2", "3", "4"])
@pytest.mark.parametrize("edit", ["same size", "other size", "deleted", "no link", "folder gone"])
def test_an_edit_is_seen(checkout: Path, version: str, edit: str, budget: Budget) -> None:
    (checkout / "new.py").write_text("")
    git(checkout, "add", "--intent-to-add", "new.py")  # what only version 3 and later can hold
    git(checkout, "update-index", "--index-version", version)
    git(checkout, "rm", "--quiet", "--cached", "new.py")
    assert repository.read(checkout, budget).edited is False
    match edit:
        case "same size":
            (checkout / "b.py").write_text("b = 2\n")
            aged(checkout / "b.py")
        case "other size":
            (checkout / "nodes/a.py").write_text("a = 10\n")
        case "deleted":
            (checkout / "b.py").unlink()
        case "no link":
            (checkout / "link").unlink()
            (checkout / "link").write_text("b.py")
        case "folder gone":
            (checkout / "nodes").rename(checkout / "other")
            (checkout / "nodes").write_text("")
    assert repository.read(checkout, budget).edited is True


def test_what_git_does_not_know_is_no_edit(checkout: Path, budget: Budget) -> None:
    (checkout / "nodes/__pycache__").mkdir()
    (checkout / "config.json").write_text("{}")
    assert repository.read(checkout, budget).edited is False


def test_a_file_that_was_only_touched_is_no_edit(checkout: Path, budget: Budget) -> None:
    for file in ("b.py", "nodes/a.py"):
        aged(checkout / file)
    os.utime(checkout / "link", (1, 1), follow_symlinks=False)
    assert repository.read(checkout, budget).edited is False


def test_other_ends_of_lines_are_no_edit(checkout: Path, budget: Budget) -> None:
    (checkout / "b.py").write_bytes(b"b = 1\r\n")
    assert repository.read(checkout, budget).edited is False


def test_a_file_that_git_changes_as_it_writes_it_out(checkout: Path, budget: Budget) -> None:
    (checkout / ".gitattributes").write_text("*.py filter=lfs\n")
    (checkout / "b.py").write_text("what the pointer stands for\n")
    assert repository.read(checkout, budget).edited is None


def test_a_conflict_is_an_edit(checkout: Path, budget: Budget) -> None:
    git(checkout, "checkout", "--quiet", "-b", "other")
    (checkout / "b.py").write_text("b = 2\n")
    git(checkout, "commit", "--quiet", "--all", "--message=two")
    git(checkout, "checkout", "--quiet", "main")
    (checkout / "b.py").write_text("b = 3\n")
    git(checkout, "commit", "--quiet", "--all", "--message=three")
    with pytest.raises(subprocess.CalledProcessError):
        git(checkout, "merge", "other")
    assert repository.read(checkout, budget).edited is True


def test_submodules_and_what_is_not_checked_out_are_no_edit(checkout: Path, budget: Budget) -> None:
    git(checkout, "update-index", "--add", "--cacheinfo", f"160000,{COMMIT},sub")
    git(checkout, "update-index", "--skip-worktree", "b.py")
    (checkout / "b.py").unlink()
    assert repository.read(checkout, budget).edited is False


def test_too_much_to_read_is_not_known(checkout: Path, budget: Budget) -> None:
    (checkout / "large.bin").write_bytes(bytes(5 * 1024**2))
    git(checkout, "add", ".")
    assert repository.read(checkout, budget).edited is False
    aged(checkout / "large.bin")
    assert repository.read(checkout, budget).edited is None


def test_a_split_index_is_not_known(checkout: Path, budget: Budget) -> None:
    git(checkout, "update-index", "--split-index")
    assert repository.read(checkout, budget).edited is None


def test_another_hash(tmp_path: Path, budget: Budget) -> None:
    git(tmp_path, "init", "--quiet", "--object-format=sha256")
    (tmp_path / "a").write_text("a")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "--quiet", "--message=one")
    assert repository.read(tmp_path, budget).value == {"commit": git(tmp_path, "rev-parse", "HEAD")}


# Addresses

TOKEN = "ghp_abcdefghijklmnopqrstuvwxyz0123456789"


@pytest.mark.parametrize(
    ("address", "remote"),
    [
        ("https://github.com/Owner/Name.git", "Owner/Name"),
        (f"https://{TOKEN}@github.com/Owner/Name", "Owner/Name"),
        (f"https://x-access-token:{TOKEN}@github.com/Owner/Name.git", "Owner/Name"),
        ("git@github.com:Owner/Name.git", "Owner/Name"),
        ("ssh://git@github.com/Owner/Name.git", "Owner/Name"),
        (f"https://me:{TOKEN}@git.example/o/n.git", "https://git.example/o/n.git"),
        (f"https://git.example/o/n?private_token={TOKEN}", "https://git.example/o/n"),
        (f"https://git.example/o/n#{TOKEN}", "https://git.example/o/n"),
        (f"https://git.example/{TOKEN}/n", "https://git.example/***/n"),
        ("me@git.example:o/n.git", "https://git.example/o/n.git"),
        (f"https://me:{'x' * 1000}{TOKEN}@git.example/o/n", None),
        ("/srv/git/n.git", None),
        ("https://[bad/o/n", None),
        (f"{TOKEN}", None),
        ("", None),
    ],
)
def test_an_address_without_what_logs_in(
    checkout: Path, address: str, remote: str | None, budget: Budget
) -> None:
    config = f'[core]\n\turl = nowhere\n[remote "origin"]\n\turl = {address}\n'
    (checkout / ".git/config").write_text(config)
    found = repository.read(checkout, budget)
    assert found.remote == remote
    assert TOKEN not in repr(found)


def test_origin_before_other_remotes(checkout: Path, budget: Budget) -> None:
    git(checkout, "remote", "add", "fork", "https://github.com/other/fork")
    assert repository.read(checkout, budget).remote == "other/fork"
    git(checkout, "remote", "add", "origin", "https://github.com/owner/name")
    assert repository.read(checkout, budget).remote == "owner/name"


# Harm


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"ref: refs/heads/gone\n",
        b"ref: refs/heads/../../../secret\n",
        b"ref: /etc/hostname\n",
        b"ref: refs/heads/\xed\xa0\x80\n",
        b"ref: refs/heads/a\0b\n",
        b"ref: " + b"refs/" * 1000,
        b"ref: refs/heads/.invalid\n",
        b"\xff" * 5000,
        b"0123\n",
    ],
)
def test_a_head_that_makes_no_sense(checkout: Path, head: bytes, budget: Budget) -> None:
    (checkout / "secret").write_text(COMMIT)
    (checkout / ".git/HEAD").write_bytes(head)
    assert repository.read(checkout, budget).commit is None


def test_refs_in_a_circle(checkout: Path, budget: Budget) -> None:
    (checkout / ".git/refs/heads/a").write_text("ref: refs/heads/b\n")
    (checkout / ".git/refs/heads/b").write_text("ref: refs/heads/a\n")
    (checkout / ".git/HEAD").write_text("ref: refs/heads/a\n")
    assert repository.read(checkout, budget).commit is None


@pytest.mark.parametrize("name", ["HEAD", "index", "config", "packed-refs"])
@pytest.mark.parametrize("harm", ["fifo", "loop", "folder", "huge", "zeros", "noise"])
def test_files_that_are_none(checkout: Path, name: str, harm: str, budget: Budget) -> None:
    file = checkout / ".git" / name
    file.unlink(missing_ok=True)
    match harm:
        case "fifo":
            os.mkfifo(file)
        case "loop":
            file.symlink_to(name)
        case "folder":
            file.mkdir()
        case "huge":
            with file.open("wb") as stream:
                stream.truncate(1024**3)
        case "zeros":
            file.write_bytes(bytes(1000))
        case "noise":
            file.write_bytes(bytes(range(256)) * 100)
    found = repository.read(checkout, budget)
    assert found.edited in (None, False)
    assert found.remote is None


def test_a_git_file_that_points_nowhere(tmp_path: Path, budget: Budget) -> None:
    for content in (b"gitdir: .", b"gitdir: \0", b"gitdir:", b"gitdir: /dev/null\n", b"\xff"):
        (tmp_path / ".git").write_bytes(content)
        assert repository.read(tmp_path, budget) == Checkout()


@pytest.mark.parametrize("name", [b"../../outside", b"/etc/passwd", b"a/../../b"])
def test_an_index_that_leads_out(checkout: Path, name: bytes, budget: Budget) -> None:
    index = checkout / ".git/index"
    raw = index.read_bytes()
    entry = raw[12 : 12 + 60] + len(name).to_bytes(2, "big") + name
    entry += bytes(8 - len(entry) % 8)
    index.write_bytes(raw[:8] + (1).to_bytes(4, "big") + entry + bytes(20))
    assert repository.read(checkout, budget).edited is None


def test_an_index_that_is_cut_off(checkout: Path, budget: Budget) -> None:
    raw = (checkout / ".git/index").read_bytes()
    for length in range(0, len(raw) - 21, 7):
        (checkout / ".git/index").write_bytes(raw[:length])
        assert repository.read(checkout, budget).edited in (None, False)


def test_a_file_that_became_a_pipe_is_not_waited_for(checkout: Path, budget: Budget) -> None:
    (checkout / "b.py").unlink()
    os.mkfifo(checkout / "b.py")
    assert repository.read(checkout, budget).edited is True
