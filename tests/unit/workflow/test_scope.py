"""The numbers that nodes get when two of them have the same."""

from __future__ import annotations

import pytest

from comfywatchman.workflow.convert import convert
from comfywatchman.workflow.scope import MAX_REPORTED
from tests.unit.workflow.saved import CATALOG, SUBGRAPH, defined, node, subgraph, workflow


@pytest.mark.parametrize(
    ("said", "number"), [(0, 8), (3, 8), (7, 8), (20, 21), (None, 8), ("x", 8)]
)
def test_new_numbers_start_after_the_highest_there_is(said: object, number: int) -> None:
    inner = subgraph([node(1, "Source")], [])
    nodes = [node(1, "Source"), node(7, SUBGRAPH)]
    saved = workflow(nodes, **defined(inner)) | {"last_node_id": said}
    assert set(convert(saved, CATALOG).prompt) == {"1", f"7:{number}"}


def test_so_does_that_of_a_node_whose_id_another_has() -> None:
    saved = workflow([node(1, "Source"), node(1, "Source")]) | {"last_node_id": 9}
    assert set(convert(saved, CATALOG).prompt) == {"1", "10"}


def test_ids_inside_sub_graphs_do_not_count() -> None:
    inner = subgraph([node(1, "Source"), node(40, "Source")], [])
    saved = workflow([node(1, "Source"), node(7, SUBGRAPH)], **defined(inner))
    assert set(convert(saved, CATALOG).prompt) == {"1", "7:8", "7:40"}


def test_very_many_instances_that_cannot_be_unfolded_are_not_all_reported() -> None:
    inner = subgraph([node(n, SUBGRAPH) for n in range(10, 3_000)], [])
    found = convert(workflow([node(1, SUBGRAPH)], **defined(inner)), CATALOG)
    assert len(found.findings) == MAX_REPORTED
