"""A checkout of its own to build the collection in, and what was built."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.unit.collection.ansible import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path


def git(folder: Path, *arguments: str) -> str:
    """Run git with no settings but these."""
    who = ["-c", "user.name=nobody", "-c", "user.email=nobody@localhost"]
    nothing = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    kept = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    done = subprocess.run(
        ["git", "-C", folder, *who, *arguments],
        capture_output=True,
        text=True,
        env={**kept, **nothing},
        check=True,
    )
    return done.stdout


class Checkout:
    """A repository that holds what this one does, committed."""

    def __init__(self, folder: Path) -> None:
        """Copy what git tracks here, and what would be if it were committed now."""
        self.folder = folder
        here = git(CHECKOUT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        for name in filter(None, here.split("\0")):
            source = CHECKOUT / name
            if name.startswith(("tests/", "molecule/", "bench/")) and "sanity" not in name:
                continue
            if os.path.lexists(source):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, folder / name, follow_symlinks=False)
        git(folder, "init", "--quiet", "--initial-branch=main")
        self.commit()

    def commit(self) -> None:
        git(self.folder, "add", "--all")
        git(self.folder, "commit", "--quiet", "--no-gpg-sign", "--message=All of it")

    def build(self, to: Path, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run the builder of this copy."""
        return subprocess.run(
            [sys.executable, self.folder / "collection" / "build.py", to],
            capture_output=True,
            text=True,
            env={**os.environ, **settings},
        )


def archive(folder: Path) -> Path:
    """The one that was built into a folder."""
    (found,) = folder.glob("*.tar.gz")
    return found


def digests(folder: Path) -> dict[str, str]:
    """All files below a folder, as they are now, but for what Python compiles where it may."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "a checkout")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of what is here now."""
    top = tmp_path_factory.mktemp("collection")
    done = Checkout(top / "checkout").build(top)
    assert done.returncode == 0, done.stderr
    return archive(top)
