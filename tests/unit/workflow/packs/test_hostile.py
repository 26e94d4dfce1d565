"""Whatever stands where packs look: an answer, the same every time, and soon."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.workflow.convert import convert
from comfywatchman.workflow.graph import BYPASSED
from comfywatchman.workflow.load import load
from comfywatchman.workflow.prompt import WorkflowError
from tests.unit.workflow.packs import (
    test_comfyui,
    test_custom_scripts,
    test_rgthree,
    test_use_everywhere,
    test_video_helper_suite,
)
from tests.unit.workflow.saved import node, workflow

SECONDS = 20.0
"""Processor time hostile input may cost: far above what it does, far below a quadratic slip."""

CATALOG = Catalog(
    {
        name: declared
        for module in (
            test_comfyui,
            test_custom_scripts,
            test_rgthree,
            test_use_everywhere,
            test_video_helper_suite,
        )
        for name, declared in module.CATALOG.declarations.items()
    }
    | {"Board": {"python_module": "custom_nodes.pack"}},
    "0.33.0",
)

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.just(10**400)
    | st.floats()
    | st.sampled_from(["", "IMAGE", "INT", "*", "x", "(a|b)*$", "9" * 5000, "1x2", "video/mp4"])
)
KEYS = """
    lora on strength content image format force_size save_image video crf title_regex input_regex
    group_regex title_regex_invert priority group_restricted color_restricted version send_to_any
    string_to_combo repeated_type_rule apply_to_unrepeated widget_ue_connectable seed text
    input_ue_unconnectable output_not_broadcasting downstream downstream_slot upstream
    upstream_slot controller type title bounding 0 1
"""
keys = st.sampled_from(KEYS.split())
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(keys, inner, max_size=8),
    max_leaves=15,
)
ids = st.integers(1, 6)
nodes = st.fixed_dictionaries(
    {
        "id": ids,
        "type": st.sampled_from([*CATALOG, "SetNode", "GetNode", "Label (rgthree)"]),
        "mode": st.sampled_from([0, 0, 0, 2, 4]),
        "inputs": st.lists(
            st.fixed_dictionaries(
                {"name": st.sampled_from(["image", "seed", "anything", "model"]), "link": ids},
                optional={"type": scalars, "label": anything, "widget": anything},
            ),
            max_size=4,
        ),
        "widgets_values": anything,
    },
    optional={
        "outputs": anything,
        "color": anything,
        "pos": anything,
        "size": anything,
        "title": anything,
        "properties": st.fixed_dictionaries(
            {},
            optional={
                "ue_properties": anything,
                "ue_convert": anything,
                "rejects_ue_links": anything,
                "widget_ue_connectable": anything,
                "Show Strengths": anything,
                "cnr_id": anything,
            },
        ),
    },
)
links = st.tuples(ids, ids, st.integers(0, 3), ids, st.integers(0, 3), scalars)
workflows = st.builds(
    lambda of_root, connected, listed, groups: {
        "nodes": of_root,
        "links": connected,
        "extra": {"ue_links": listed},
        "groups": groups,
    },
    st.lists(nodes, max_size=8),
    st.lists(links, max_size=10),
    anything,
    anything,
)


def outcome(document: Any) -> str:
    try:
        conversion = convert(document, CATALOG)
    except WorkflowError as error:
        return repr(error.finding)
    return repr((conversion.prompt, conversion.findings, conversion.not_checked))


@settings(
    deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(workflows)
def test_whatever_stands_where_packs_look(document: Any) -> None:
    before = repr(document)
    assert outcome(document) == outcome(document)
    assert repr(document) == before


MANY = 20_000


def broadcasts(count: int, **more: Any) -> dict[str, Any]:
    nodes = [node(1, "Source")]
    nodes += [node(n, "Anything Everywhere", {"anything": n}, **more) for n in range(2, count)]
    links = [[n, 1, 0, n, 0, "IMAGE"] for n in range(2, count)]
    return workflow([*nodes, node(count, "Sink")], links)


def behind_bypassed(count: int) -> dict[str, Any]:
    """A long chain of bypassed nodes, a broadcast and an input at each of them."""
    nodes = [node(1, "Source")]
    links = []
    for n in range(2, count):
        nodes.append(node(n, "Filter", {"image": n}, mode=BYPASSED))
        nodes.append(node(count + n, "Anything Everywhere", {"anything": count + n}))
        links.append([n, n - 1, 0, n, 0, "IMAGE"])
        links.append([count + n, n, 0, count + n, 0, "IMAGE"])
    return workflow(nodes, links)


def grouped(count: int) -> dict[str, Any]:
    settings = {"version": "7", "group_restricted": 1, "group_regex": "x"}
    found = broadcasts(count, properties={"ue_properties": settings})
    return found | {"groups": [{"title": "x", "bounding": [0, 0, 9, 9]}] * count}


@pytest.mark.parametrize(
    "document",
    [
        broadcasts(MANY),
        broadcasts(MANY, properties={"ue_properties": {"version": "7", "title_regex": "a|" * 99}}),
        behind_bypassed(2_000),
        grouped(2_000),
        workflow([node(1, "Power Lora Loader (rgthree)", values=[{"lora": "x"}] * MANY)]),
        workflow([node(1, "CustomCombo", values=["x"] * MANY)]),
        workflow([node(n, "VHS_LoadVideo", values={"force_size": "x" * 999}) for n in range(MANY)]),
        workflow([node(n, f"Board {n}", properties={"cnr_id": "pack"}) for n in range(MANY)]),
    ],
    ids=[
        "broadcasts",
        "expressions",
        "bypassed",
        "groups",
        "rows",
        "choices",
        "sizes",
        "boards",
    ],
)
def test_very_many_of_them_take_no_longer_than_their_number(document: Any) -> None:
    raw = orjson.dumps(document)
    begun = time.process_time()
    outcome(load(raw))
    assert time.process_time() - begun < SECONDS
