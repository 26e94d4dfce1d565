"""rgthree's nodes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.workflow.packs.common import sent, with_pack
from tests.unit.workflow.saved import declaration, node

LOADER = "Power Lora Loader (rgthree)"
CATALOG = with_pack(
    "rgthree-comfy",
    **{LOADER: declaration(optional={"model": ["MODEL"], "clip": ["CLIP"]}, output=("MODEL",))},
)


def rows(saved: Any, **properties: Any) -> dict[str, Any]:
    return sent(CATALOG, [node(1, LOADER, values=saved, properties=properties)])["1"]


def test_every_saved_object_with_a_lora_is_a_row() -> None:
    a = {"on": True, "lora": "a.safetensors", "strength": 0.8, "strengthTwo": None}
    b = {"on": False, "lora": None, "strength": 1, "strengthTwo": 0.5, "more": 1}
    saved = [{}, {"type": "PowerLoraLoaderHeaderWidget"}, a, b, {}, "", 5, None, ["lora"]]
    assert rows(saved) == {
        "lora_1": {"on": True, "lora": "a.safetensors", "strength": 0.8},
        "lora_2": {"on": False, "lora": None, "strength": 1, "more": 1},
    }


def test_the_second_strength_is_sent_where_it_is_shown() -> None:
    both = {"Show Strengths": "Separate Model & Clip"}
    row = {"on": True, "lora": "a", "strength": 1}
    assert rows([row | {"strengthTwo": 0.5}], **both) == {"lora_1": row | {"strengthTwo": 0.5}}
    assert rows([row | {"strengthTwo": None}], **both) == {"lora_1": row | {"strengthTwo": 1}}


@pytest.mark.parametrize("saved", [None, {}, {"lora": "x"}, "lora", 5])
def test_what_holds_no_rows_gives_none(saved: object) -> None:
    assert rows(saved) == {}


@pytest.mark.parametrize("kind", ["Label", "Node Combiner", "Node Collector", "Fast Muter"])
def test_its_switchboards_are_not_sent(kind: str) -> None:
    assert sent(CATALOG, [node(1, "Source"), node(2, f"{kind} (rgthree)")]) == {"1": {}}
