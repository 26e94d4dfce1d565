"""Files that lost most of what was in them."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from comfywatchman.workflow import shrunk


def saved(count: int, within: int = 0) -> bytes:
    node = {"id": 1, "type": "Note"}
    subgraphs = [{"id": "a", "nodes": [node] * within}] if within else []
    return json.dumps(
        {"nodes": [node] * count, "links": [], "definitions": {"subgraphs": subgraphs}}
    ).encode()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (saved(7), 7),
        (saved(1, within=9), 10),
        (json.dumps({"1": {"class_type": "A", "inputs": {}}}).encode(), 1),
        (b"", 0),
        (saved(7)[:-20], 0),
        (b"\x89PNG", 0),
        (b"[]", 0),
        (b'{"nodes": [1, 2], "definitions": 7, "links": []}', 2),
        (b"[" * 100_000, 0),
    ],
)
def test_nodes_are_counted_in_whatever_lies_there(raw: bytes, expected: int) -> None:
    assert shrunk.nodes(raw) == expected


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [(10, 4, True), (10, 5, False), (10, 0, True), (3, 0, False), (4, 1, True), (0, 0, False)],
)
def test_more_than_half_must_be_gone(before: int, now: int, *, expected: bool) -> None:
    assert shrunk.has_shrunk(before, now) is expected


def test_it_says_how_much_is_left_and_where_the_rest_is() -> None:
    mark = shrunk.Mark(datetime(2026, 11, 25, tzinfo=UTC), 20, "0" * 64)
    some, none = (shrunk.finding(mark, left, "/w/a b.json") for left in (3, 0))
    assert some.message.endswith("3 of 20 nodes are left")
    assert "comfywatchman history --restore-copy '/w/a b.json' --to FILE" in (some.fix or "")
    assert none.message.endswith("none of 20 nodes is left")
