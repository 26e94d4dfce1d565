"""Writes changelog.yaml, which Ansible's tools read: ``python changelogs/generate.py``.

It is made of CHANGELOG.md, which is what people write and read: each section of a release, such as
``## [1.2.3] - 2026-01-31``, becomes an entry in the form of antsibull-changelog. What is not
released yet does not. A test holds the two together.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
CHANGES = HERE.parent / "CHANGELOG.md"
SECTIONS = {
    "Added": "minor_changes",
    "Changed": "major_changes",
    "Deprecated": "deprecated_features",
    "Removed": "removed_features",
    "Fixed": "bugfixes",
    "Security": "security_fixes",
}
"""Those of Keep a Changelog, and what Ansible calls them."""
RELEASE = re.compile(r"\[(\d+\.\d+\.\d+\S*)\] - (\d{4}-\d\d-\d\d)$")


def releases(changes: str) -> dict[str, Any]:
    """The releases in the text of CHANGELOG.md, by version.

    Raises:
        ValueError: a heading is none of those that there can be.
    """
    found = {}
    for part in re.split(r"^## ", changes, flags=re.MULTILINE)[1:]:
        heading, _, body = part.partition("\n")
        if heading == "[Unreleased]":
            continue
        release = RELEASE.match(heading)
        if not release:
            raise ValueError(
                f"CHANGELOG.md: {heading!r} is no heading such as [1.2.3] - 2026-01-31"
            )
        found[release[1]] = {"changes": _sections(body), "release_date": release[2]}
    return found


def _sections(body: str) -> dict[str, Any]:
    summary, *parts = re.split(r"^### ", body, flags=re.MULTILINE)
    found: dict[str, Any] = {"release_summary": _as_rst(summary)} if summary.strip() else {}
    for part in parts:
        heading, _, entries = part.partition("\n")
        if heading not in SECTIONS:
            raise ValueError(f"CHANGELOG.md: {heading!r} is none of {', '.join(SECTIONS)}")
        items = re.split(r"^- ", entries, flags=re.MULTILINE)
        found[SECTIONS[heading]] = [_as_rst(item) for item in items if item.strip()]
    return found


def _as_rst(text: str) -> str:
    """A paragraph of Markdown as the same in reStructuredText; a link becomes its words."""
    text = " ".join(text.split())
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return re.sub(r"(?<!`)`([^`]+)`(?!`)", r"``\1``", text)


def changelog(changes: str) -> str:
    """The text of changelog.yaml for the text of CHANGELOG.md."""
    return "---\n" + yaml.safe_dump(
        {"ancestor": None, "releases": releases(changes)}, allow_unicode=True, width=120
    )


if __name__ == "__main__":
    written = changelog(CHANGES.read_text(encoding="utf-8"))
    (HERE / "changelog.yaml").write_text(written, encoding="utf-8")
