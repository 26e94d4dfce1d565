"""Inputs that a node type no longer has, and links that no input knows."""

from __future__ import annotations

from typing import Any

import pytest

from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.workflow.convert import convert
from tests.unit.workflow.saved import INT, declaration, node, workflow

MODEL: list[Any] = [
    "COMFY_DYNAMICCOMBO_V3",
    {
        "options": [
            {"key": "new", "inputs": {"required": {"image": ["IMAGE", {}], "size": INT}}},
            {"key": "plain", "inputs": {}},
        ]
    },
]

CATALOG = Catalog(
    {
        "Source": declaration(output=("IMAGE", "INT", "INT")),
        "Video": declaration({"images": ["IMAGE", {}], "fps": INT}),
        "Edit": declaration({"prompt": ["STRING", {}], "model": MODEL, "n": INT}),
        "First": declaration({"model": MODEL, "n": INT}),
        "Pack": declaration({"fps": INT}, module="custom_nodes.pack"),
    },
    "0.33.0",
)


def links_sent(node_type: str, inputs: dict[str, Any], values: list[Any]) -> dict[str, Any]:
    """The links sent to a node whose inputs are all wired to one source, in their order."""
    wired = {n: (at, True) if widget else at for at, (n, widget) in enumerate(inputs.items(), 10)}
    links = [[at, 1, 0, 2, at - 10, "IMAGE"] for at in range(10, 10 + len(inputs))]
    nodes = [node(1, "Source"), node(2, node_type, wired, values)]
    prompt = convert(workflow(nodes, links), CATALOG).prompt
    return {n: v for n, v in prompt["2"]["inputs"].items() if isinstance(v, list)}


LINK = ["1", 0]


@pytest.mark.parametrize(
    ("gone", "still_sent"),
    [
        (["style_id"], []),
        (["bit_depth", "color_space"], ["color_space"]),
        (["story.a", "story.b", "story.c"], ["story.b"]),
    ],
    ids=["one", "two in a row", "three of an input that is gone"],
)
def test_a_link_to_a_widget_that_is_gone_is_not_sent(
    gone: list[str], still_sent: list[str]
) -> None:
    """Of several in a row the frontend passes over every second one."""
    saved = {"images": False, "fps": True, **dict.fromkeys(gone, True)}
    found = links_sent("Video", saved, [24])
    assert found == dict.fromkeys(["images", "fps", *still_sent], LINK)


def test_a_link_to_a_socket_that_is_not_declared_is_sent() -> None:
    """JavaScript may have added it; the frontend keeps it."""
    assert links_sent("Video", {"images": False, "more": False}, [24]) == {
        "images": LINK,
        "more": LINK,
    }


def test_widgets_that_a_packs_javascript_may_have_added_keep_their_links() -> None:
    assert links_sent("Pack", {"fps": True, "added": True}, [24]) == {"fps": LINK, "added": LINK}


class TestDynamicCombos:
    def test_inputs_of_the_option_it_holds_are_sent(self) -> None:
        found = links_sent("First", {"model.image": False, "model.size": True}, ["new", 1, 2])
        assert found == {"model.image": LINK, "model.size": LINK}

    @pytest.mark.parametrize("key", ["plain", "unknown"])
    def test_inputs_of_another_option_are_not(self, key: str) -> None:
        assert links_sent("First", {"model.image": False, "model.size": True}, [key, 2]) == {}

    def test_their_links_land_on_an_input_before_the_combo(self) -> None:
        """As in the official api_openai_gpt_image_25_flare_image_edit."""
        assert links_sent("Edit", {"model.image": False}, ["x", "unknown", 1]) == {"prompt": LINK}
        assert links_sent("Edit", {"n": True, "model.image": False}, ["x", "unknown", 1]) == {
            "n": LINK
        }
