"""Which packs count, and which nodes only their JavaScript knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from comfywatchman import discovery
from comfywatchman.workflow import packs
from comfywatchman.workflow.pack import known, loaded
from tests.unit.workflow.packs.common import converted, with_pack
from tests.unit.workflow.saved import node

S_AND_R = "Node name for S&R"


@pytest.mark.parametrize("module", discovery.import_all(packs), ids=lambda m: m.__name__)
def test_every_pack_says_what_it_is_and_is_tested(module: Any) -> None:
    pack = module.PACK
    assert module.__doc__
    assert all((pack.name, pack.seen, pack.evidence))
    assert all(folder == folder.lower() and "_" not in folder for folder in pack.folders)
    assert pack.setters | pack.getters | pack.reroutes | pack.primitives <= pack.drawn
    name = module.__name__.rpartition(".")[2]
    assert (Path(__file__).parent / "packs" / f"test_{name}.py").exists()


def test_only_packs_that_the_server_has_loaded_count() -> None:
    assert {p.name for p in known()} > {"ComfyUI", "KJNodes"}
    assert not loaded(frozenset()).setters
    assert loaded(frozenset({"comfyui-kjnodes"})).setters == {"SetNode"}
    assert loaded(frozenset({"ComfyUI_KJNodes"})).getters == {"GetNode"}


class TestTypesThatNobodyLists:
    """A node that is not offered, not wired, of a loaded pack, and that no server ever offered."""

    CATALOG = with_pack("Some_Pack")

    def sent(self, *nodes: dict[str, Any], links: list[Any] | None = None) -> set[str]:
        return set(converted(self.CATALOG, [node(1, "Source"), *nodes], links).prompt)

    @pytest.mark.parametrize(
        "properties",
        [{"cnr_id": "some-pack"}, {"aux_id": "somebody/Some_Pack"}, {"cnr_id": "SOME_PACK"}],
    )
    def test_is_left_out_and_told(self, properties: dict[str, Any]) -> None:
        nodes = [node(1, "Source"), node(2, "Board", properties=properties, values=["x"])]
        found = converted(self.CATALOG, nodes)
        assert set(found.prompt) == {"1"}
        [sentence] = found.not_checked
        assert sentence.startswith("whether node type 'Board' exists only in the browser")

    @pytest.mark.parametrize(
        "properties",
        [
            {},
            {"cnr_id": "other"},
            {"cnr_id": 5},
            {"cnr_id": "some-pack", S_AND_R: "Board"},
            {"cnr_id": "comfy-core"},
        ],
    )
    def test_others_are_missing_nodes(self, properties: dict[str, Any]) -> None:
        assert self.sent(node(2, "Board", properties=properties)) == {"1", "2"}

    def test_a_wired_one_is_a_missing_node(self) -> None:
        board = node(2, "Board", {"x": 10}, properties={"cnr_id": "some-pack"})
        assert self.sent(board, links=[[10, 1, 0, 2, 0, "*"]]) == {"1", "2"}

    def test_so_is_one_that_something_is_wired_to(self) -> None:
        board = node(2, "Board", properties={"cnr_id": "some-pack"})
        sink = node(3, "Sink", {"image": 10})
        assert self.sent(board, sink, links=[[10, 2, 0, 3, 0, "*"]]) == {"1", "2", "3"}

    def test_its_name_may_tell_its_pack(self) -> None:
        nodes = [node(1, "Source"), node(2, "New Board (rgthree)")]
        assert set(converted(with_pack("rgthree-comfy"), nodes).prompt) == {"1"}
        assert set(converted(with_pack("other"), nodes).prompt) == {"1", "2"}
