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


def test_inputs_are_called_as_the_recipe_says() -> None:
    recipe = {
        "nodes": [
            {"type": "Mixer", "inputs": [{"name": "mask"}, {"name": "a"}, {"name": "b"}]},
            {"type": "Reroute", "inputs": [{"name": "", "type": "*"}], "outputs": [{"name": ""}]},
        ],
        "links": [[1, 0, 0, 2, 0, "IMAGE"], [None, 0, 1, 0, 9, "IMAGE"], [None, "x", 0, 1, 9]],
        "config": {
            "0": {"input": {"mask": {"name": "shape"}, "a": {"visible": True}}},
            "1": {"input": {"IMAGE": {"name": "picture"}}},
        },
    }
    host = node(5, "workflow>G", {"shape": 3, "a": 4, "picture": 6})
    links = [[3, 1, 1, 5, 0, "MASK"], [4, 1, 0, 5, 1, "IMAGE"], [6, 1, 0, 5, 2, "IMAGE"]]
    saved = workflow([node(1, "Source"), host], links, extra={"groupNodes": {"G": recipe}})
    prompt = convert(saved, CATALOG).prompt
    [mixer] = [entry for entry in prompt.values() if entry["class_type"] == "Mixer"]
    assert mixer["inputs"] == {"mask": ["1", 1], "a": ["1", 0], "b": ["1", 0]}


def test_whatever_the_recipe_calls_them() -> None:
    for config in ([], {"0": 5}, {"0": {"input": []}}, {"0": {"input": {"image": {"name": 5}}}}):
        recipe = {"nodes": [{"type": "Sink"}], "config": config}
        host = node(5, "workflow>G", {"image": 3})
        saved = workflow(
            [node(1, "Source"), host],
            [[3, 1, 0, 5, 0, "IMAGE"]],
            extra={"groupNodes": {"G": recipe}},
        )
        found = [e["inputs"] for e in convert(saved, CATALOG).prompt.values()]
        assert found == [{}, {"image": ["1", 0]}]
