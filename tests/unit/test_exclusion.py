"""Exclusions say of each path what git says."""

from __future__ import annotations

import random
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from comfywatchman.exclusion import Exclusion

if TYPE_CHECKING:
    from pathlib import Path

PIECES = ["a", "b", "ab", "*", "**", "a*", "?", "x.json", "*.json", "[ab]", "[!a]", "**b"]
FOLDERS = ["a", "b", "ab"]
FILES = ["x.json", "b.json", "b"]


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@pytest.mark.parametrize("seed", range(40))
def test_git_agrees(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    patterns = [_pattern(rng) for _ in range(rng.randint(1, 4))]
    paths = {
        "/".join([*rng.choices(FOLDERS, k=rng.randint(0, 3)), rng.choice(FILES)]) for _ in range(20)
    }
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    (tmp_path / ".gitignore").write_text("\n".join(patterns) + "\n")
    told = subprocess.run(
        ["git", "-C", tmp_path, "check-ignore", "--no-index", "-z", "--stdin"],
        input="\0".join(paths),
        capture_output=True,
        text=True,
    )
    exclusion = Exclusion(patterns)
    left_out = {path for path in paths if exclusion.leaves_out(path)}
    assert left_out == set(told.stdout.split("\0")) - {""}, patterns


def _pattern(rng: random.Random) -> str:
    pattern = "/".join(rng.choices(PIECES, k=rng.randint(1, 3)))
    pattern += "/" * (rng.random() < 0.3)
    pattern = "/" * (rng.random() < 0.2) + pattern
    return "!" * (rng.random() < 0.35) + pattern


def test_comments_empty_lines_and_names_with_line_breaks() -> None:
    exclusion = Exclusion(["# all", "", "  ", "a/", "*.json", "\\#b"])
    assert exclusion.leaves_out("b\nc/a\nb.json")
    assert exclusion.leaves_out("x\ny/a/z")
    assert exclusion.leaves_out("#b")
    assert not exclusion.leaves_out("# all")
    assert exclusion.leaves_out("x/a", is_folder=True)
    assert not exclusion.leaves_out("x/a")


@pytest.mark.parametrize("pattern", ["!", "/", "a\\", "[", "[z-a]", "[[:alpha:]]", "a\nb", "\0"])
def test_what_git_makes_nothing_of_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="is no pattern"):
        Exclusion([pattern])
