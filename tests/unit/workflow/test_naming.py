"""Which workflow a person means."""

from __future__ import annotations

import pytest

from comfywatchman.workflow.naming import NotNamedError, named

KNOWN = {
    "/w/a.json": "a.json",
    "/w/deep/b.json": "deep/b.json",
    "/v/a.json": "twin.json",
    "/u/twin.json": "twin.json",
}


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("/w/a.json", "/w/a.json"),
        ("a.json", "/w/a.json"),
        ("deep/b.json", "/w/deep/b.json"),
        ("b.json", "/w/deep/b.json"),
    ],
)
def test_by_path_name_or_end(given: str, path: str) -> None:
    assert named(given, KNOWN, "the history") == path


@pytest.mark.parametrize(
    ("given", "by_end", "said"),
    [
        ("b.json", False, "it has no workflow 'b.json'; near it: 'deep/b.json'; name it as"),
        ("twin.json", True, "2 workflows are called 'twin.json': name one by its path: '/u/twin"),
        ("x\n\x1b[2J", True, "it has no workflow 'x\\n\\x1b[2J'; none is near it"),
        ("j" * 100_000, True, "none is near it"),
    ],
)
def test_what_is_not_clear_is_said(given: str, by_end: bool, said: str) -> None:
    with pytest.raises(NotNamedError) as refused:
        named(given, KNOWN, "it", by_end=by_end)
    assert said in str(refused.value)
