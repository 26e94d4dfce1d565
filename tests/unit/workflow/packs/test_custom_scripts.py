"""Custom-Scripts."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.workflow.packs.common import sent, with_pack
from tests.unit.workflow.saved import declaration, node

FOLDER = "ComfyUI-Custom-Scripts"
LORAS: list[Any] = [["a.safetensors", "b.safetensors"], {}]
CATALOG = with_pack(
    FOLDER, **{"LoraLoader|pysssss": declaration({"lora_name": LORAS, "text": ["STRING", {}]})}
)


@pytest.mark.parametrize(
    ("saved", "value"),
    [
        ({"content": "b.safetensors", "image": None}, "b.safetensors"),
        ({"content": "gone.safetensors", "image": "loras/gone.png"}, "gone.safetensors"),
        ("a.safetensors", "a.safetensors"),
        ({"content": 5}, {"content": 5}),
        ({"image": "x"}, {"image": "x"}),
    ],
)
def test_a_choice_saved_with_its_picture_is_its_name(saved: object, value: object) -> None:
    found = sent(CATALOG, [node(1, "LoraLoader|pysssss", values=[saved, "t"])])
    assert found["1"] == {"lora_name": value, "text": "t"}


def test_an_object_that_is_no_choice_stays_one() -> None:
    found = sent(CATALOG, [node(1, "LoraLoader|pysssss", values=["a", {"content": "x"}])])
    assert found["1"]["text"] == {"content": "x"}


def test_a_preset_text_is_not_sent() -> None:
    nodes = [node(1, "Source"), node(2, "PresetText|pysssss", values=["x"])]
    assert sent(CATALOG, nodes) == {"1": {}}


def test_an_old_reroute_passes_on_what_it_is_wired_to() -> None:
    nodes = [
        node(1, "Source"),
        node(2, "ReroutePrimitive|pysssss", {"value": 10}),
        node(3, "Sink", {"image": 11}),
    ]
    found = sent(CATALOG, nodes, [[10, 1, 0, 2, 0, "*"], [11, 2, 0, 3, 0, "IMAGE"]])
    assert found == {"1": {}, "3": {"image": ["1", 0]}}


def test_one_that_the_server_offers_is_sent() -> None:
    offered = declaration({"value": ["*", {}]}, output=("*",))
    catalog = with_pack(FOLDER, **{"ReroutePrimitive|pysssss": offered})
    nodes = [node(1, "Source"), node(2, "ReroutePrimitive|pysssss", {"value": 10})]
    assert sent(catalog, nodes, [[10, 1, 0, 2, 0, "*"]])["2"] == {"value": ["1", 0]}
