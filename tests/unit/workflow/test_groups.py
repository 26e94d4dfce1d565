"""Group nodes: whose widget values are whose."""

from __future__ import annotations

from typing import Any

from comfywatchman.workflow.convert import convert
from tests.unit.workflow.saved import CATALOG, node, workflow


def grouped(values: list[Any], host_inputs: dict[str, Any] | None = None) -> dict[str, Any]:
    """The inputs of the two Size nodes of a group; the width of the first was made an input."""
    converted = {"type": "Size", "inputs": [{"name": "width", "widget": {"name": "width"}}]}
    recipe = {"nodes": [converted, {"type": "Size"}], "links": [[None, 0, 0, 0, 9, "INT"]]}
    nodes = [node(1, "Source"), node(5, "workflow>G", host_inputs, values)]
    saved = workflow(nodes, [[3, 1, 2, 5, 0, "INT"]], extra={"groupNodes": {"G": recipe}})
    prompt = convert(saved, CATALOG).prompt
    return {node_id: entry["inputs"] for node_id, entry in prompt.items() if node_id != "1"}


def test_values_of_converted_widgets_come_last() -> None:
    assert grouped([1, 2, 3, 4]) == {
        "8:6": {"width": 4, "height": 1},
        "8:7": {"width": 2, "height": 3},
    }


def test_a_wired_one_is_a_link() -> None:
    found = grouped([1, 2, 3, 4], {"width": (3, True)})
    assert found["8:6"] == {"width": ["1", 2], "height": 1}


def test_one_that_is_not_saved_keeps_the_recipes_value() -> None:
    found = grouped([1, 2, 3])
    assert found["8:6"]["height"] == 1
    assert found["8:7"] == {"width": 2, "height": 3}
