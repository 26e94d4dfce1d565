"""Values that are named in one place and used in another."""

from __future__ import annotations

from tests.unit.workflow.packs.common import by_name, sent, with_pack
from tests.unit.workflow.saved import node


def test_a_value_is_followed_by_its_name() -> None:
    found = by_name("comfyui_easy-use", "easy setNode", "easy getNode")
    assert found == {"1": {}, "4": {"image": ["1", 0]}}


def test_without_the_pack_they_are_missing_nodes() -> None:
    assert set(by_name("other", "easy setNode", "easy getNode")) == {"1", "2", "3", "4"}


def test_a_bookmark_is_not_sent() -> None:
    nodes = [node(1, "Source"), node(2, "easy bookmark")]
    assert sent(with_pack("comfyui_easy-use"), nodes) == {"1": {}}
