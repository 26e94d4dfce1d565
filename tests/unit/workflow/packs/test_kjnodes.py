"""Values that are named in one place and used in another."""

from __future__ import annotations

from tests.unit.workflow.packs.common import sent, with_pack
from tests.unit.workflow.saved import node

CATALOG = with_pack("ComfyUI-KJNodes")

NODES = [
    node(1, "Source"),
    node(2, "SetNode", {"IMAGE": 10}, ["name"]),
    node(3, "GetNode", values=["name"]),
    node(4, "Sink", {"image": 11}),
]
LINKS = [[10, 1, 0, 2, 0, "IMAGE"], [11, 3, 0, 4, 0, "IMAGE"]]


def test_a_value_is_followed_by_its_name() -> None:
    assert sent(CATALOG, NODES, LINKS) == {"1": {}, "4": {"image": ["1", 0]}}


def test_without_the_pack_they_are_missing_nodes() -> None:
    assert set(sent(with_pack("other"), NODES, LINKS)) == {"1", "2", "3", "4"}
