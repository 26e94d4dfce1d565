"""What is published for Python: the sdist and the wheel, checked, and installed as users do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from comfywatchman import __version__
from tests.standin.comfyui import recorded_object_info
from tests.unit.program import PROMPT

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "roles" / "comfywatchman" / "files" / "requirements.txt"
PROGRAMS = Path(sys.executable).parent


def build(source: Path, into: Path, *kinds: str) -> list[Path]:
    command = [sys.executable, "-m", "build", "--no-isolation", f"--outdir={into}", *kinds, source]
    subprocess.run(command, check=True, capture_output=True)
    return sorted(into.iterdir())


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist, and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    wheel, sdist = build(ROOT, folder)
    return sdist, wheel


def files_of_git(*folders: str) -> set[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *folders], cwd=ROOT, capture_output=True, check=True
    )
    return set(listed.stdout.decode().strip("\0").split("\0"))


def without_metadata(names: Iterable[str]) -> set[str]:
    return {name for name in names if ".dist-info/" not in name}


def test_both_are_fit_to_be_published(published: tuple[Path, Path]) -> None:
    assert [file.name for file in published] == [
        f"comfywatchman-{__version__}.tar.gz",
        f"comfywatchman-{__version__}-py3-none-any.whl",
    ]
    checked = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", *published],
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout
    assert checked.stdout.count("PASSED") == 2


def test_the_wheel_has_the_package_and_nothing_else(published: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(published[1]) as wheel:
        assert without_metadata(wheel.namelist()) == files_of_git("comfywatchman")


def test_the_sdist_has_what_the_wheel_is_built_from(published: tuple[Path, Path]) -> None:
    with tarfile.open(published[0]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert names >= files_of_git("comfywatchman", "README.md", "LICENSE", "CHANGELOG.md")
    assert not [name for name in names if name.startswith(("tests", "roles", "inventories"))]


def test_it_is_installed_as_a_tool_and_judges(published: tuple[Path, Path], tmp_path: Path) -> None:
    """``uv tool install``, at the versions that hosts get, with nothing else of this checkout."""
    clean = {name: os.environ[name] for name in os.environ if name.startswith(("UV_", "SSL_"))}
    clean |= {
        "HOME": str(tmp_path),
        "PATH": "/usr/bin:/bin",
        "UV_TOOL_DIR": str(tmp_path / "tools"),
        "UV_TOOL_BIN_DIR": str(tmp_path / "bin"),
    }
    install = [PROGRAMS / "uv", "tool", "install", "--quiet", f"--python={sys.executable}"]
    installed = subprocess.run(
        [*install, f"--constraints={LOCK}", published[1]],
        cwd=tmp_path,
        env=clean,
        capture_output=True,
        text=True,
    )
    assert installed.returncode == 0, installed.stderr
    (tmp_path / "flow.json").write_text(json.dumps(PROMPT))
    (tmp_path / "object_info.json").write_bytes(recorded_object_info("full"))
    command = ["bin/comfywatchman", "check", "flow.json", "--object-info=object_info.json"]
    judged = subprocess.run(
        [*command, "--format=json"], cwd=tmp_path, env=clean, capture_output=True, text=True
    )
    assert judged.returncode == 0, judged.stderr
    (workflow,) = json.loads(judged.stdout)["workflows"]
    assert workflow["verdict"] == "runnable"
