"""Values that are named in one place and used in another."""

from __future__ import annotations

from tests.unit.workflow.packs.common import by_name


def test_a_value_is_followed_by_its_name() -> None:
    found = by_name("ComfyUI-KJNodes", "SetNode", "GetNode")
    assert found == {"1": {}, "4": {"image": ["1", 0]}}


def test_without_the_pack_they_are_missing_nodes() -> None:
    assert set(by_name("other", "SetNode", "GetNode")) == {"1", "2", "3", "4"}
