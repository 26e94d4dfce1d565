"""CHANGELOG.md and what Ansible's tools read are one truth."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import comfywatchman
from tests.unit.collection.ansible import CHECKOUT

CHANGES = """# Changes

## [Unreleased]

### Added

- Not yet.

## [1.2.0] - 2026-01-31

The one with `everything`.

### Added

- **A thing** that
  takes [two lines](docs/x.md).
- Another.

### Changed

- `x` is ``y``.

### Fixed

- It was broken.

## [1.1.0-rc1] - 2026-01-01

### Security

- A hole.
"""


@pytest.fixture(scope="module")
def generate() -> dict[str, Any]:
    return runpy.run_path(str(CHECKOUT / "changelogs" / "generate.py"))


def lint(file: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("antsibull-changelog")
    return subprocess.run(
        [program, "lint-changelog-yaml", file], capture_output=True, text=True, check=False
    )


def test_what_is_committed_is_what_changelog_md_says(generate: dict[str, Any]) -> None:
    text = (CHECKOUT / "CHANGELOG.md").read_text(encoding="utf-8")
    committed = CHECKOUT / "changelogs" / "changelog.yaml"
    assert committed.read_text(encoding="utf-8") == generate["changelog"](text)
    done = lint(committed)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_newest_release_is_this_version_or_it_is_not_released(generate: dict[str, Any]) -> None:
    text = (CHECKOUT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = next(iter(generate["releases"](text)), None)
    assert "## [Unreleased]" in text or newest == comfywatchman.__version__


def test_each_release_is_an_entry_that_antsibull_takes(
    generate: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "changelog.yaml").write_text(generate["changelog"](CHANGES))
    done = lint(tmp_path / "changelog.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    releases = yaml.safe_load((tmp_path / "changelog.yaml").read_text())["releases"]
    assert releases == {
        "1.2.0": {
            "release_date": "2026-01-31",
            "changes": {
                "release_summary": "The one with ``everything``.",
                "minor_changes": ["**A thing** that takes two lines.", "Another."],
                "major_changes": ["``x`` is ``y``."],
                "bugfixes": ["It was broken."],
            },
        },
        "1.1.0-rc1": {
            "release_date": "2026-01-01",
            "changes": {"security_fixes": ["A hole."]},
        },
    }


@pytest.mark.parametrize(
    "heading", ["## 1.2.3", "## [1.2.3] - soon", "## [1.2.3] - 2026-01-31\n\n### New"]
)
def test_a_heading_that_is_none_is_named(generate: dict[str, Any], heading: str) -> None:
    with pytest.raises(ValueError, match=r"^CHANGELOG\.md: '.*' is no"):
        generate["changelog"](f"# Changes\n\n{heading}\n\n- x\n")


def test_antsibull_takes_the_settings() -> None:
    program = Path(sys.executable).with_name("antsibull-changelog")
    done = subprocess.run([program, "lint"], cwd=CHECKOUT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
