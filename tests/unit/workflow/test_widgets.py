"""Which position of ``widgets_values`` is which input's, and which inputs have a widget."""

from __future__ import annotations

from typing import Any

import pytest

from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.workflow.convert import convert
from comfywatchman.workflow.widgets import layout
from tests.unit.workflow.saved import INT, SUBGRAPH, declaration, defined, node, subgraph, workflow

ROW = {"input": {"required": {"seed": INT}}, "prefix": "seed", "min": 1}
CONTROLLED: list[Any] = ["INT", {"default": 0, "control_after_generate": True}]


def combo(**options: dict[str, Any]) -> list[Any]:
    listed = [{"key": key, "inputs": {"required": inputs}} for key, inputs in options.items()]
    return ["COMFY_DYNAMICCOMBO_V3", {"options": listed}]


CATALOG = Catalog(
    {
        "Generate": declaration(
            {
                "mode": combo(on={"seed": INT, "top_k": INT}, off={}),
                "thinking": ["BOOLEAN", {}],
            }
        ),
        "Flagged": declaration({"mode": combo(on={"seed": CONTROLLED}), "last": INT}),
        "Nested": declaration(
            {"mode": combo(on={"inner": combo(deep={"noise_seed": INT})}), "last": INT}
        ),
        "Rows": declaration(
            {
                "g": [
                    "COMFY_AUTOGROW_V3",
                    {"template": ROW},
                ],
                "last": INT,
            }
        ),
        "Talk": declaration(
            {
                "mode": combo(single={}, two={"audio": ["AUDIO", {}], "strength": INT}),
                "prompt": ["STRING", {}],
            }
        ),
        "Source": declaration(output=("AUDIO", "INT")),
    },
    "0.33.0",
)


def sent(node_type: str, values: list[Any]) -> dict[str, Any]:
    found: dict[str, Any] = convert(workflow([node(1, node_type, values=values)]), CATALOG).prompt[
        "1"
    ]["inputs"]
    return found


class TestSeedsInsideOtherInputs:
    def test_in_a_dynamic_combo_it_has_no_control(self) -> None:
        assert sent("Generate", ["on", 7, 64, True]) == {
            "mode": "on",
            "mode.seed": 7,
            "mode.top_k": 64,
            "thinking": True,
        }

    def test_in_a_dynamic_combo_it_has_one_where_it_asks_for_it(self) -> None:
        found = sent("Flagged", ["on", 7, "fixed", 5])
        assert found == {"mode": "on", "mode.seed": 7, "last": 5}

    def test_in_a_dynamic_combo_inside_another(self) -> None:
        found = sent("Nested", ["on", "deep", 7, 5])
        assert found == {"mode": "on", "mode.inner": "deep", "mode.inner.noise_seed": 7, "last": 5}

    def test_in_a_row_that_grows(self) -> None:
        assert sent("Rows", [7, 8, 5]) == {"g.seed0": 7, "g.seed1": 8, "last": 5}


class TestWidgetsOfDynamicCombos:
    @pytest.mark.parametrize(
        ("name", "key", "is_widget"),
        [
            ("mode", "two", True),
            ("mode.strength", "two", True),
            ("mode.strength", "single", False),
            ("mode.audio", "two", False),
            ("mode.gone", "two", False),
            ("prompt.x", "two", False),
        ],
    )
    def test_only_what_the_option_draws_is_one(self, name: str, key: str, is_widget: bool) -> None:
        assert layout(CATALOG["Talk"]).is_widget(name, [key]) is is_widget

    def test_a_socket_does_not_shift_what_a_host_sets(self) -> None:
        """As in the official video_wan2_1_infinitetalk."""
        talk = node(5, "Talk", {"mode.audio": 3, "mode.strength": (4, True), "prompt": (6, True)})
        talk["widgets_values"] = ["two", 1, "inside"]
        links = [(3, -10, 0, 5, 0), (4, -10, 1, 5, 1), (6, -10, 2, 5, 2)]
        inner = subgraph([talk], links, {"audio": [3], "strength": [4], "prompt": [6]})
        host = node(2, SUBGRAPH, {"audio": 9}, [3, "outside"])
        nodes = [node(1, "Source"), host]
        prompt = convert(workflow(nodes, [[9, 1, 0, 2, 0, "AUDIO"]], **defined(inner)), CATALOG)
        assert prompt.prompt["2:5"]["inputs"] == {
            "mode": "two",
            "mode.audio": ["1", 0],
            "mode.strength": 3,
            "prompt": "outside",
        }
