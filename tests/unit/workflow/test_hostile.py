"""Nothing a file can hold makes reading and converting it fail, hang or differ the second time."""

from __future__ import annotations

import subprocess
import sys
import time
from copy import deepcopy
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comfywatchman.workflow.convert import convert
from comfywatchman.workflow.load import load
from comfywatchman.workflow.prompt import Conversion, WorkflowError
from tests.unit.workflow.saved import CATALOG, NESTED, SUBGRAPH, defined, node, subgraph, workflow

SECONDS = 20.0
"""Processor time hostile input may cost: far above what it does, far below a quadratic slip."""


def outcome(raw: bytes) -> tuple[Any, ...]:
    """What becomes of a file: the refusal, or the prompt and the findings."""
    try:
        conversion = convert(load(raw), CATALOG)
    except WorkflowError as error:
        return (error.finding,)
    assert isinstance(conversion, Conversion)
    return orjson.dumps(conversion.prompt, option=orjson.OPT_NON_STR_KEYS), conversion.findings


scalars = st.none() | st.booleans() | st.integers(-30, 30) | st.floats() | st.text(max_size=5)
words = st.sampled_from(
    f"Size Sink Filter Source Text PrimitiveNode Reroute SetNode GetNode {SUBGRAPH} {NESTED}"
    " workflow>G image width height mask text -1 1 2".split()
)
KEYS = """
    nodes links id type mode inputs outputs widgets_values properties definitions subgraphs
    name link linkIds widget origin_id target_id origin_slot target_slot proxyWidgets extra
    groupNodes external G prompt class_type last_node_id state models url title cnr_id
"""
keys = st.sampled_from(KEYS.split())
anything = st.recursive(
    scalars | words,
    lambda inner: (
        st.lists(inner, max_size=6) | st.dictionaries(keys | st.text(max_size=3), inner, max_size=8)
    ),
    max_leaves=30,
)

ids = st.integers(0, 6) | st.sampled_from([-10, -20, "1", 2.0])
modes = st.sampled_from([0, 0, 0, 2, 4])
sockets = st.builds(
    lambda name, link, widget: (
        {"name": name, "type": "*", "link": link} | ({"widget": {"name": name}} if widget else {})
    ),
    words,
    st.none() | ids,
    st.booleans(),
)
nodes = st.fixed_dictionaries(
    {"id": ids, "type": words, "mode": modes, "inputs": st.lists(sockets, max_size=4)},
    optional={
        "widgets_values": st.lists(scalars | words, max_size=5) | anything,
        "properties": st.fixed_dictionaries(
            {}, optional={"proxyWidgets": st.lists(st.tuples(words, words), max_size=3)}
        ),
    },
)
links = st.tuples(ids, ids, st.integers(0, 3), ids, st.integers(0, 3), st.just("*"))
link_objects = st.builds(
    lambda link: dict(
        zip(("id", "origin_id", "origin_slot", "target_id", "target_slot"), link, strict=False)
    ),
    links,
)
subgraphs = st.builds(
    lambda subgraph_id, inner, connected, slots: {
        "id": subgraph_id,
        "name": "S",
        "nodes": inner,
        "links": connected,
        "inputs": slots,
        "outputs": slots,
    },
    st.sampled_from([SUBGRAPH, NESTED]),
    st.lists(nodes, max_size=5),
    st.lists(link_objects, max_size=8),
    st.lists(st.builds(lambda n, i: {"name": n, "linkIds": i}, words, st.lists(ids)), max_size=3),
)
workflows = st.builds(
    lambda of_root, connected, definitions, recipes: {
        "nodes": of_root,
        "links": connected,
        "definitions": {"subgraphs": definitions},
        "extra": {"groupNodes": {"G": recipes}},
    },
    st.lists(nodes, max_size=8),
    st.lists(links | link_objects, max_size=12),
    st.lists(subgraphs, max_size=3),
    anything | st.builds(lambda n: {"nodes": n, "links": [[0, 0, 1, 0]]}, st.lists(nodes)),
)

patient = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


@patient
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_random_bytes(raw: bytes) -> None:
    assert outcome(raw) == outcome(raw)


@patient
@given(anything)
def test_random_json(value: Any) -> None:
    raw = orjson.dumps(value)
    assert outcome(raw) == outcome(raw)


@patient
@given(st.lists(anything), st.lists(anything), anything)
def test_random_json_in_the_form_of_a_workflow(some: Any, others: Any, more: Any) -> None:
    raw = orjson.dumps({"nodes": some, "links": others, "definitions": more, "extra": more})
    assert outcome(raw) == outcome(raw)


@patient
@given(workflows)
def test_random_workflows(document: dict[str, Any]) -> None:
    raw = orjson.dumps(document)
    assert outcome(raw) == outcome(raw)


@patient
@given(workflows)
def test_converting_changes_nothing_in_the_document(document: dict[str, Any]) -> None:
    loaded = load(orjson.dumps(document))
    before = deepcopy(loaded)
    try:
        convert(loaded, CATALOG)
    except WorkflowError:
        return
    assert loaded == before


@patient
@given(workflows, st.data())
def test_mutilated_files(document: dict[str, Any], data: st.DataObject) -> None:
    raw = bytearray(orjson.dumps(document))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=3))
        if not raw:
            break
    assert outcome(bytes(raw)) == outcome(bytes(raw))


def a_long_chain_of_reroutes(count: int) -> dict[str, Any]:
    chain = [node(i, "Reroute", {"": i - 1}) for i in range(1, count)]
    ends = [node(count + i, "Sink", {"image": count - 1}) for i in range(count)]
    return workflow(chain + ends, [[i, i, 0, i + 1, 0, "*"] for i in range(count)])


def a_circle_seen_from_many_nodes(count: int) -> dict[str, Any]:
    ring = [node(i, "Filter", {"image": i}, mode=4) for i in range(count)]
    ends = [node(count + i, "Sink", {"image": i}) for i in range(count)]
    links = [[i, (i + 1) % count, 0, i, 0, "IMAGE"] for i in range(count)]
    return workflow(ring + ends, links)


def half_a_million_nodes(count: int) -> dict[str, Any]:
    return workflow([{"id": i, "type": "Size"} for i in range(count * 50)])


def a_prompt_of_half_a_million_nodes(count: int) -> dict[str, Any]:
    return {str(i): {"class_type": "Size"} for i in range(count * 50)}


def group_nodes_within_group_nodes(count: int) -> dict[str, Any]:
    recipes = {
        f"G{i}": {"nodes": [{"type": f"workflow>G{i + 1}", "index": n} for n in range(10)]}
        for i in range(count // 1000)
    }
    return workflow([node(1, "workflow>G0")], extra={"groupNodes": recipes})


def one_node_of_many_inputs(count: int) -> dict[str, Any]:
    inputs: dict[str, Any] = {f"i{i}": i for i in range(count)}
    source = [node(1, "Source"), node(2, "Sink", inputs), node(3, "Sink", mode=4)]
    links = [[i, 1, 0, 2, i, "*"] for i in range(count)]
    loose = [[count + i, 1, 0, 3, i % 2, "*"] for i in range(count)]
    return workflow(source, links + loose)


def a_subgraph_of_many_inputs(count: int) -> dict[str, Any]:
    inner = subgraph(
        [node(i, "Size", {"width": (i, True)}) for i in range(count)],
        [(i, -10, i, i, 0) for i in range(count)],
        {f"i{i}": [i] for i in range(count)},
    )
    host = node(
        1,
        SUBGRAPH,
        {f"i{i}": (None, True) for i in range(count)},
        list(range(count)),
        properties={"proxyWidgets": [[str(i), "height"] for i in range(count)]},
    )
    return workflow([host], **defined(inner))


def many_setters_and_getters(count: int) -> dict[str, Any]:
    setters = [node(i, "SetNode", {"x": None}, [f"n{i}"]) for i in range(count)]
    getters = [node(count + i, "GetNode", values=["nobody"]) for i in range(count)]
    ends = [node(2 * count + i, "Sink", {"image": i}) for i in range(count)]
    links = [[i, count + i, 0, 2 * count + i, 0, "*"] for i in range(count)]
    return workflow(setters + getters + ends, links)


def a_subgraph_bomb(count: int) -> dict[str, Any]:
    names = [f"{i:08x}-0000-4000-8000-000000000000" for i in range(count)]
    definitions = [
        subgraph([node(1, names[i + 1]), node(2, names[i + 1])], [], subgraph_id=names[i])
        for i in range(count - 1)
    ]
    return workflow([node(1, names[0])], **defined(*definitions))


def texts_full_of_braces(count: int) -> dict[str, Any]:
    texts = ["{" * count, "{a|" * count, "/*" * count, "//" * count, "\\{" * count, "}|{" * count]
    return workflow([node(i, "Text", values=[text]) for i, text in enumerate(texts)])


@pytest.mark.parametrize(
    "make",
    [
        a_long_chain_of_reroutes,
        a_circle_seen_from_many_nodes,
        half_a_million_nodes,
        a_prompt_of_half_a_million_nodes,
        group_nodes_within_group_nodes,
        one_node_of_many_inputs,
        a_subgraph_of_many_inputs,
        many_setters_and_getters,
        a_subgraph_bomb,
        texts_full_of_braces,
    ],
)
def test_hostile_workflows_cost_little(make: Any) -> None:
    raw = orjson.dumps(make(10_000))
    start = time.process_time()
    outcome(raw)
    assert time.process_time() - start < SECONDS


READ_IN_LITTLE_MEMORY = """
import resource, sys
from comfywatchman.workflow.load import load
from comfywatchman.workflow.prompt import WorkflowError
start, filling, count, end = (part.encode() for part in sys.argv[1:])
content = start + filling * int(count) + end
resource.setrlimit(resource.RLIMIT_AS, (450 * 1024**2, -1))
try:
    load(content)
except WorkflowError as error:
    print(error.finding.code, error.finding.message)
"""


@pytest.mark.parametrize(
    ("start", "filling", "end", "words"),
    [
        ('{"nodes":[', "{},", "{}]}", "workflow_too_many_values the file holds more than 2,000,"),
        ('{"nodes":[NaN,', "[],", "0]}", "workflow_too_many_values the file holds more than 2,0"),
        ("", "[1,", "", "workflow_too_many_values the file holds more than 2,000,000 values"),
        ('{"nodes":[NaN,"', '\\"', '"]}', ""),
        ('{"a": NaN, "b": "', "[{,", '"}', "workflow_too_many_values"),
        ("", " ", "", "workflow_empty"),
    ],
    ids=["objects", "lists", "depth", "escapes", "brackets in a text", "nothing"],
)
def test_a_large_file_takes_little_memory(start: str, filling: str, end: str, words: str) -> None:
    count = 24 * 1024**2 // len(filling)
    read = subprocess.run(
        [sys.executable, "-c", READ_IN_LITTLE_MEMORY, start, filling, str(count), end],
        capture_output=True,
        text=True,
    )
    assert read.stderr == ""
    assert read.stdout.startswith(words)
