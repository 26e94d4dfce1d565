"""Workflows of one shape and any size: what a person may save, and what strangers may send.

A shape is a function of a number that its file grows with. ``SHAPES`` has them all by name.
"""

from __future__ import annotations

import base64
import gzip
import json
import lzma
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from comfywatchman.comfyui.catalog import Catalog

if TYPE_CHECKING:
    from collections.abc import Callable

Document = dict[str, Any]

_DATA: Final = Path(__file__).parent
_BYPASSED: Final = 4


def catalog() -> Catalog:
    """Recorded node types: ComfyUI's own, of packs with JavaScript, and dynamic ones of a test."""
    declarations: dict[str, Any] = {}
    for file in (
        "cases/data/object_info.json.xz",
        "oracle/data/frontend_cases_object_info.json.xz",
    ):
        declarations |= orjson.loads(lzma.decompress((_DATA / file).read_bytes()))
    recorded = (_DATA / "standin/data/object_info_full.json.gz").read_bytes()
    return Catalog(declarations | orjson.loads(gzip.decompress(recorded)), "0.33.0")


def uuid(number: int) -> str:
    """The node type of an instance of a sub-graph."""
    return f"{number:08x}-0000-4000-8000-000000000000"


def _node(node_id: object, node_type: str, **others: object) -> Document:
    return {"id": node_id, "type": node_type, **others}


def _socket(name: str, link: object = None, kind: str = "IMAGE", **others: object) -> Document:
    return {"name": name, "type": kind, "link": link, **others}


def _workflow(nodes: list[Document], links: list[Any] | None = None, **others: Any) -> Document:
    return {"nodes": nodes, "links": links or [], **others}


def _with_subgraphs(nodes: list[Document], graphs: list[Document]) -> Document:
    return _workflow(nodes, definitions={"subgraphs": graphs})


def _subgraph(number: int, nodes: list[Document], links: list[Any], **others: Any) -> Document:
    whole = {"inputs": [], "outputs": [], **others}
    return {"id": uuid(number), "name": f"S{number}", "nodes": nodes, "links": links, **whole}


def _into_subgraph(link_id: int, slot: int, target: int, target_slot: int) -> Document:
    return {
        "id": link_id, "origin_id": -10, "origin_slot": slot,
        "target_id": target, "target_slot": target_slot, "type": "INT",
    }  # fmt: skip


def plain(n: int) -> Document:
    """Pairs of nodes that are nothing special: what all others are compared with."""
    nodes = []
    for k in range(n):
        nodes.append(_node(2 * k, "EmptyImage", widgets_values=[64, 64, 1, 0],
                           outputs=[{"name": "IMAGE", "type": "IMAGE", "links": [k]}]))  # fmt: skip
        nodes.append(_node(2 * k + 1, "PreviewImage", inputs=[_socket("images", k)]))
    return _workflow(nodes, [[k, 2 * k, 0, 2 * k + 1, 0, "IMAGE"] for k in range(n)])


def promoted(n: int) -> Document:
    """Instances of a sub-graph with as many promoted inputs."""
    inputs = [_socket(f"i{k}", k, "INT", widget={"name": "width"}) for k in range(n)]
    inner = _node(1, "EmptyImage", inputs=inputs, widgets_values=[64, 64, 1, 0])
    links = [_into_subgraph(k, k, 1, k) for k in range(n)]
    slots = [{"id": str(k), "name": f"i{k}", "type": "INT", "linkIds": [k]} for k in range(n)]
    hosts = [_node(k + 10, uuid(1), inputs=[], widgets_values=[]) for k in range(n)]
    return _with_subgraphs(hosts, [_subgraph(1, [inner], links, inputs=slots)])


def promoted_to_one_widget(n: int) -> Document:
    """The same, but every input inside goes by the name of one widget."""
    document = promoted(n)
    inner = document["definitions"]["subgraphs"][0]["nodes"][0]
    for socket in inner["inputs"]:
        socket["name"] = "width"
    return document


def promoted_to_many_nodes(n: int) -> Document:
    """Instances of a sub-graph with as many nodes inside, each with a promoted input."""
    inner = [
        _node(k + 1, "EmptyImage", widgets_values=[64, 64, 1, 0],
              inputs=[_socket("width", k, "INT", widget={"name": "width"})])
        for k in range(n)
    ]  # fmt: skip
    links = [_into_subgraph(k, k, k + 1, 0) for k in range(n)]
    slots = [{"id": str(k), "name": f"i{k}", "type": "INT", "linkIds": [k]} for k in range(n)]
    hosts = [_node(k + n + 10, uuid(1), inputs=[], widgets_values=[7]) for k in range(n)]
    return _with_subgraphs(hosts, [_subgraph(1, inner, links, inputs=slots)])


def promoted_by_proxies(n: int) -> Document:
    """One host with as many entries of an older frontend, in a chain of hosts."""
    inner = [_node(k + 1, "EmptyImage", widgets_values=[64, 64, 1, 0]) for k in range(n)]
    proxies = [[str(k + 1), "width"] for k in range(n)]
    host = _node(n + 10, uuid(1), widgets_values=list(range(n)),
                 properties={"proxyWidgets": proxies})  # fmt: skip
    around = _node(n + 20, uuid(2), widgets_values=list(range(n)), properties={
        "proxyWidgets": [[str(n + 10), "width"] for _ in range(n)]})  # fmt: skip
    return _with_subgraphs([around], [_subgraph(1, inner, []), _subgraph(2, [host], [])])


def promoted_through_levels(n: int) -> Document:
    """Forty sub-graphs within one another that hand as many inputs on to the innermost."""
    slots = [{"id": str(k), "name": f"i{k}", "type": "INT", "linkIds": [k]} for k in range(n)]
    links = [_into_subgraph(k, k, 1, k) for k in range(n)]
    sockets = [_socket(f"i{k}", k, "INT", widget={"name": f"i{k}"}) for k in range(n)]
    graphs = [
        _subgraph(d, [_node(1, uuid(d + 1) if d < 40 else "EmptyImage", inputs=sockets)], links,
                  inputs=slots)
        for d in range(1, 41)
    ]  # fmt: skip
    return _with_subgraphs([_node(1, uuid(1), inputs=[])], graphs)


def instances(n: int) -> Document:
    """As many instances of a sub-graph with as many nodes."""
    inner = [_node(k, "EmptyImage", widgets_values=[64, 64, 1, 0]) for k in range(n)]
    return _with_subgraphs([_node(k, uuid(1)) for k in range(n)], [_subgraph(1, inner, [])])


def doubling(n: int) -> Document:
    """Sub-graphs that hold the next one twice."""
    graphs = [
        _subgraph(d, [_node(1, uuid(d + 1)), _node(2, uuid(d + 1))], []) for d in range(1, n + 1)
    ]
    return _with_subgraphs([_node(1, uuid(1))], [*graphs, _subgraph(n + 1, [], [])])


def texts_in_instances(n: int) -> Document:
    """Instances of a sub-graph with a long text inside."""
    inner = _node(1, "CLIPTextEncode", widgets_values=["{a|b} embedding:x " * 5 * n])
    return _with_subgraphs([_node(k + 10, uuid(1)) for k in range(n)], [_subgraph(1, [inner], [])])


def names_in_instances(n: int) -> Document:
    """Instances of a sub-graph with a node that has as many values saved by name."""
    inner = _node(1, "EmptyImage", widgets_values=[1, 2, 3, 4],
                  widgets_values_named={f"w{k}": k for k in range(n)})  # fmt: skip
    return _with_subgraphs([_node(k + 10, uuid(1)) for k in range(n)], [_subgraph(1, [inner], [])])


def hosts_in_instances(n: int) -> Document:
    """Instances that each change what a host inside gives to as many widgets."""
    proxies = [[str(k + 1), "w"] for k in range(n)]
    host = _node(5, uuid(1), widgets_values=list(range(n)), properties={"proxyWidgets": proxies})
    around = {"widgets_values": [1], "properties": {"proxyWidgets": [["5", "w"]]}}
    hosts = [_node(k + 10, uuid(2), **around) for k in range(n)]
    return _with_subgraphs(hosts, [_subgraph(1, [], []), _subgraph(2, [host], [])])


def wired_instances(n: int) -> Document:
    """Instances that are wired at an input whose name as many inputs of the sub-graph have."""
    inner = _node(1, "Nope", inputs=[_socket(f"i{k}", k, "INT") for k in range(n)])
    slots = [{"id": str(k), "name": "i", "type": "INT"} for k in range(n)]
    links = [_into_subgraph(k, k, 1, k) for k in range(n)]
    nodes = [_node(5, "PrimitiveInt", widgets_values=[1])]
    nodes += [_node(k + 10, uuid(1), inputs=[_socket("i", k, "INT")]) for k in range(n)]
    document = _with_subgraphs(nodes, [_subgraph(1, [inner], links, inputs=slots)])
    return document | {"links": [[k, 5, 0, k + 10, 0, "INT"] for k in range(n)]}


def outputs_through_levels(n: int) -> Document:
    """Forty sub-graphs within one another that hand as many outputs outwards."""
    graphs = []
    for depth in range(1, 41):
        links = [
            {"id": k, "origin_id": 1, "origin_slot": k, "target_id": -20, "target_slot": k}
            for k in range(n)
        ]
        inner = _node(1, uuid(depth + 1) if depth < 40 else "EmptyImage")
        outputs = [{"name": f"o{k}"} for k in range(n)]
        graphs.append(_subgraph(depth, [inner], links, outputs=outputs))
    nodes = [_node(1, uuid(1))]
    nodes += [_node(k + 10, "PreviewImage", inputs=[_socket("images", k)]) for k in range(n)]
    links_outside = [[k, 1, k, k + 10, 0, "IMAGE"] for k in range(n)]
    return _with_subgraphs(nodes, graphs) | {"links": links_outside}


def definitions(n: int) -> Document:
    """Sub-graphs that nothing uses, with as many inputs and outputs as nodes."""
    graphs = [_subgraph(d, [_node(1, "EmptyImage")], []) for d in range(n)]
    return _with_subgraphs([], graphs)


def long_ids(n: int) -> Document:
    """An instance with a long id around as many nodes."""
    inner = [_node(k, "PreviewImage") for k in range(n)]
    return _with_subgraphs([_node("x" * 50 * n, uuid(1))], [_subgraph(1, inner, [])])


def bypassed(n: int) -> Document:
    """A bypassed node with as many inputs before one with as many, all of different types."""
    passed = _node(1, "Nope", mode=_BYPASSED, outputs=[{"name": "o", "type": "*"}],
                   inputs=[_socket(f"i{k}", None, f"T{k}") for k in range(n)])  # fmt: skip
    consumer = _node(2, "Nope2", inputs=[_socket(f"c{k}", k, f"Q{k}") for k in range(n)])
    return _workflow([passed, consumer], [[k, 1, 0, 2, k, f"Q{k}"] for k in range(n)])


def bypassed_outputs(n: int) -> Document:
    """The same with as many outputs."""
    document = bypassed(n)
    document["nodes"][0]["outputs"] = [{"name": f"o{k}", "type": "*"} for k in range(n)]
    document["links"] = [[k, 1, k, 2, k, f"Q{k}"] for k in range(n)]
    return document


def bypassed_unions(n: int) -> Document:
    """The same with types of many names."""
    document = bypassed(n)
    union = ",".join(f"U{k}" for k in range(n))
    document["nodes"][0]["inputs"].append(_socket("all", None, union))
    document["nodes"][0]["outputs"] = [{"name": "o", "type": union}]
    return document


def bypass_chain(n: int) -> Document:
    """A chain of bypassed nodes before as many inputs of different types."""
    chain = [
        _node(k, "Nope", mode=_BYPASSED, inputs=[_socket("i", k, "*")],
              outputs=[{"name": "o", "type": "*"}])
        for k in range(n)
    ]  # fmt: skip
    links: list[Any] = [[k, k - 1, 0, k, 0, "*"] for k in range(1, n)]
    links += [[n + k, n - 1, 0, n, k, f"Q{k}"] for k in range(n)]
    fan = [_socket(f"c{k}", n + k, f"Q{k}") for k in range(n)]
    return _workflow([*chain, _node(n, "Nope2", inputs=fan)], links)


def bypassed_in_one_type(n: int) -> Document:
    """The same, but all of one type."""
    document = bypass_chain(n)
    for socket in document["nodes"][-1]["inputs"]:
        socket["type"] = "IMAGE"
    return document


def fan(n: int) -> Document:
    """A chain of reroutes before as many nodes."""
    nodes = [_node(0, "EmptyImage", widgets_values=[64, 64, 1, 0])]
    nodes += [_node(k, "Reroute", inputs=[_socket("", k, "*")]) for k in range(1, n)]
    nodes += [_node(n + k, "PreviewImage", inputs=[_socket("images", n + k)]) for k in range(n)]
    links: list[Any] = [[k, k - 1, 0, k, 0, "*"] for k in range(1, n)]
    links += [[n + k, n - 1, 0, n + k, 0, "IMAGE"] for k in range(n)]
    return _workflow(nodes, links)


def reroute_circle(n: int) -> Document:
    """The same, but the chain is a circle."""
    document = fan(n)
    document["links"][0] = [1, n - 1, 0, 1, 0, "*"]
    return document


def setters(n: int) -> Document:
    """Values that are set and got by name, one from the other."""
    nodes = [_node(0, "EmptyImage", widgets_values=[64, 64, 1, 0])]
    links: list[Any] = []
    for k in range(n):
        source = 0 if k == 0 else 10 * k + 2
        links.append([k, source, 0, 10 * k + 1, 0, "*"])
        nodes.append(_node(10 * k + 1, "easy setNode", inputs=[_socket("x", k)],
                           widgets_values=[f"v{k}"]))  # fmt: skip
        nodes.append(_node(10 * k + 12, "easy getNode", widgets_values=[f"v{k}"]))
        links.append([n + k, 10 * k + 12, 0, 10 * n + k + 50, 0, "*"])
        nodes.append(_node(10 * n + k + 50, "PreviewImage", inputs=[_socket("images", n + k)]))
    return _workflow(nodes, links)


def getters_inside(n: int) -> Document:
    """Instances whose nodes get what is set outside them."""
    inner = [_node(1, "easy getNode", widgets_values=["nothing"]),
             _node(2, "PreviewImage", inputs=[_socket("images", 1)])]  # fmt: skip
    link = {"id": 1, "origin_id": 1, "origin_slot": 0, "target_id": 2, "target_slot": 0}
    outside = [_node(k, "easy setNode", inputs=[_socket("x")], widgets_values=[f"v{k}"])
               for k in range(n)]  # fmt: skip
    hosts = [_node(n + k, uuid(1)) for k in range(n)]
    return _with_subgraphs([*outside, *hosts], [_subgraph(1, inner, [link])])


def primitives(n: int) -> Document:
    """A primitive node wired to as many inputs."""
    nodes = [_node(0, "PrimitiveNode", widgets_values=[512, "fixed"])]
    nodes += [
        _node(k, "EmptyImage", widgets_values=[64, 64, 1, 0],
              inputs=[_socket("width", k, "INT", widget={"name": "width"})])
        for k in range(1, n)
    ]  # fmt: skip
    return _workflow(nodes, [[k, 0, 0, k, 0, "INT"] for k in range(1, n)])


def loose_links(n: int) -> Document:
    """Links to one node that none of its inputs knows."""
    nodes = [_node(1, "EmptyImage"), _node(2, "PreviewImage", inputs=[])]
    return _workflow(nodes, [[k, 1, 0, 2, k, "IMAGE"] for k in range(n)])


def loose_fan(n: int) -> Document:
    """Links into as many free inputs of a node of unknown type."""
    nodes = [_node(1, "EmptyImage"), _node(2, "Nope", inputs=[_socket(f"i{k}") for k in range(n)])]
    return _workflow(nodes, [[k, 1, 0, 2, k, "IMAGE"] for k in range(n)])


def group(n: int) -> Document:
    """A group node with a recipe of as many nodes, used a tenth as often."""
    recipe = {"nodes": [{"type": "PreviewImage", "index": k} for k in range(n)],
              "links": [], "external": []}  # fmt: skip
    uses = [_node(k, "workflow>G", inputs=[], widgets_values=[]) for k in range(n // 10)]
    return _workflow(uses, extra={"groupNodes": {"G": recipe}})


def group_wires(n: int) -> Document:
    """A group node with as many links into one node inside."""
    inner = {"type": "BatchImagesNode", "index": 1,
             "inputs": [_socket(f"images.image{k}") for k in range(n)]}  # fmt: skip
    recipe = {"nodes": [{"type": "EmptyImage", "index": 0}, inner],
              "links": [[0, 0, 1, k, 3, "IMAGE"] for k in range(n)], "external": []}  # fmt: skip
    return _workflow([_node(1, "workflow>G", inputs=[])], extra={"groupNodes": {"G": recipe}})


def group_sockets(n: int) -> Document:
    """A group node whose inner node has as many inputs that are open."""
    inner = {"type": "BatchImagesNode", "index": 0,
             "inputs": [_socket(f"images.image{k}") for k in range(n)]}  # fmt: skip
    recipe = {"nodes": [inner], "links": [], "external": []}
    return _workflow([_node(1, "workflow>G", inputs=[])], extra={"groupNodes": {"G": recipe}})


def group_links(n: int) -> Document:
    """A group node whose recipe has as many links, used as often."""
    recipe = {"nodes": [{"type": "PreviewImage", "index": 0}],
              "links": [[0, 0, 0, 0, 1, "X"]] * n, "external": [[0, 0, "X"]] * n}  # fmt: skip
    uses = [_node(k, "workflow>G") for k in range(n)]
    return _workflow(uses, extra={"groupNodes": {"G": recipe}})


def broadcasts(n: int) -> Document:
    """As many broadcasts as inputs that want one."""
    nodes = [_node(0, "EmptyImage", outputs=[{"name": "IMAGE", "type": "IMAGE"}])]
    nodes += [
        _node(k, "Anything Everywhere", inputs=[_socket("anything", k)],
              widgets_values=[], properties={"ue_properties": {"version": "7", "priority": k}})
        for k in range(1, n)
    ]  # fmt: skip
    nodes += [_node(n + k, "PreviewImage", inputs=[_socket("images")]) for k in range(n)]
    return _workflow(nodes, [[k, 0, 0, k, 0, "IMAGE"] for k in range(1, n)])


def broadcast_groups(n: int) -> Document:
    """As many drawn groups as nodes, and a broadcast that is kept to its own."""
    document = broadcasts(2)
    document["nodes"] += [_node(100 + k, "PreviewImage", pos=[0, 0], size=[1, 1]) for k in range(n)]
    document["nodes"][1]["properties"]["ue_properties"]["group_restricted"] = 1
    document["groups"] = [{"title": "g", "bounding": [0, 0, 9, 9]} for _ in range(n)]
    return document


def widgets(n: int) -> Document:
    """A node with as many values as a list can hold, of known and unknown type."""
    values = list(range(n))
    return _workflow([_node(1, "Nope", widgets_values=values),
                      _node(2, "KSampler", widgets_values=values),
                      _node(3, "VHS_VideoCombine", widgets_values={str(v): v for v in values}),
                      _node(4, "CustomCombo", widgets_values=[*map(str, values)])])  # fmt: skip


def loras(n: int) -> Document:
    """As many rows of LoRAs in one node."""
    rows = [{"on": True, "lora": f"l{k}.safetensors", "strength": 1} for k in range(n)]
    return _workflow([_node(1, "Power Lora Loader (rgthree)", widgets_values=rows),
                      _node(2, "PreviewAny", inputs=[_socket("source", 1, "*")])],
                     [[1, 1, 0, 2, 0, "MODEL"]])  # fmt: skip


def options(n: int) -> Document:
    """Nodes whose choices decide what further inputs they have."""
    nodes = [
        _node(k, "ResizeImageMaskNode", widgets_values=["scale dimensions", 64, 64, "center"],
              inputs=[_socket("resize_type.width", None, "INT", widget={"name": "width"})])
        for k in range(n)
    ]  # fmt: skip
    nodes += [_node(n + k, "PreviewAny", inputs=[_socket("source", k, "*")]) for k in range(n)]
    return _workflow(nodes, [[k, k, 0, n + k, 0, "IMAGE"] for k in range(n)])


def option_inputs(n: int) -> Document:
    """One such node with as many inputs that its choice does not have."""
    inputs = [_socket(f"resize_type.{k}", k, "INT") for k in range(n)]
    nodes = [_node(1, "PrimitiveInt", widgets_values=[1]), _node(2, "ResizeImageMaskNode",
             inputs=inputs, widgets_values=["scale dimensions", 64, 64, "center"])]  # fmt: skip
    return _workflow(nodes, [[k, 1, 0, 2, k, "INT"] for k in range(n)])


def autogrow(n: int) -> Document:
    """One node that grows as many inputs as are wired to it."""
    nodes = [_node(1, "EmptyImage", widgets_values=[64, 64, 1, 0]),
             _node(2, "BatchImagesNode",
                   inputs=[_socket(f"images.image{k}", k) for k in range(n)]),
             _node(3, "PreviewImage", inputs=[_socket("images", n)])]  # fmt: skip
    links: list[Any] = [[k, 1, 0, 2, k, "IMAGE"] for k in range(n)]
    return _workflow(nodes, [*links, [n, 2, 0, 3, 0, "IMAGE"]])


def autogrows(n: int) -> Document:
    """Many nodes that can grow inputs."""
    prompt = {"1": {"class_type": "EmptyImage", "inputs": {}}}
    for k in range(n):
        grown = {"images.image0": ["1", 0], "images.image1": ["1", 0]}
        prompt[f"a{k}"] = {"class_type": "BatchImagesNode", "inputs": grown}
        prompt[f"b{k}"] = {"class_type": "PreviewImage", "inputs": {"images": [f"a{k}", 0]}}
    return prompt


def texts(n: int) -> Document:
    """Texts with all that is given a meaning."""
    marks = ["{", "a|b}", "embedding:x ", "/*", "//", "\\{", "{a|{b|", "(x:1.1)"]
    nodes = [_node(k, "CLIPTextEncode", widgets_values=[mark * (n * 10)])
             for k, mark in enumerate(marks)]  # fmt: skip
    nodes += [_node(100 + k, "PreviewAny", inputs=[_socket("source", k, "*")])
              for k in range(len(marks))]  # fmt: skip
    links = [[k, k, 0, 100 + k, 0, "CONDITIONING"] for k in range(len(marks))]
    return _workflow(nodes, links)


def embeddings(n: int) -> Document:
    """A text that names as many embeddings."""
    text = " ".join(f"embedding:e{k}" for k in range(n))
    return _workflow([_node(1, "CLIPTextEncode", widgets_values=[text]),
                      _node(2, "PreviewAny", inputs=[_socket("source", 1, "*")])],
                     [[1, 1, 0, 2, 0, "CONDITIONING"]])  # fmt: skip


def findings(n: int) -> Document:
    """Nodes that are all wrong, each in several ways."""
    return {
        str(k): {
            "class_type": "SaveImage",
            "inputs": {"images": ["gone", k], "filename_prefix": k},
            "_meta": {"title": f"t{k}"},
        }
        for k in range(n)
    }


def missing_types(n: int) -> Document:
    """Node types that the server does not offer, all different."""
    return _workflow([_node(k, f"Nope {k}", properties={"cnr_id": f"pack-{k}"}) for k in range(n)])


def missing_models(n: int) -> Document:
    """Loaders that name models which are not there."""
    return {
        **{str(k): {"class_type": "CheckpointLoaderSimple",
                    "inputs": {"ckpt_name": f"folder/model {k}.safetensors"}} for k in range(n)},
        **{f"o{k}": {"class_type": "PreviewAny", "inputs": {"source": [str(k), 0]}}
           for k in range(n)},
    }  # fmt: skip


def missing_pictures(n: int) -> Document:
    """The same with input files."""
    return {
        **{str(k): {"class_type": "LoadImage", "inputs": {"image": f"sub/picture {k}.png"}}
           for k in range(n)},
        **{f"o{k}": {"class_type": "PreviewImage", "inputs": {"images": [str(k), 0]}}
           for k in range(n)},
    }  # fmt: skip


def repeated(n: int) -> Document:
    """One node, saved again and again under one id."""
    return _workflow([_node(1, "PreviewImage", inputs=[_socket("images")]) for _ in range(n)])


def prompt_chain(n: int) -> Document:
    """A prompt in which each node needs the one before."""
    chain = {"0": {"class_type": "EmptyImage", "inputs": {}}}
    for k in range(1, n):
        chain[str(k)] = {"class_type": "ImageInvert", "inputs": {"image": [str(k - 1), 0]}}
    chain["o"] = {"class_type": "PreviewImage", "inputs": {"images": [str(n - 1), 0]}}
    return chain


def prompt_circle(n: int) -> Document:
    """The same in a circle."""
    chain = prompt_chain(n)
    chain["0"] = {"class_type": "ImageInvert", "inputs": {"image": [str(n - 1), 0]}}
    return chain


def prompt_circles(n: int) -> Document:
    """As many circles of two, that each need the one before."""
    prompt: Document = {}
    for k in range(n):
        other, before = f"b{k}", f"a{max(k - 1, 0)}"
        prompt[f"a{k}"] = {"class_type": "ImageBlend", "inputs": {
            "image1": [other, 0], "image2": [before, 0]}}  # fmt: skip
        prompt[other] = {"class_type": "ImageInvert", "inputs": {"image": [f"a{k}", 0]}}
        prompt[f"o{k}"] = {"class_type": "PreviewImage", "inputs": {"images": [other, 0]}}
    return prompt


def prompt_outputs(n: int) -> Document:
    """As many outputs that need one chain."""
    prompt = prompt_chain(n)
    for k in range(n):
        prompt[f"p{k}"] = {"class_type": "PreviewImage", "inputs": {"images": [str(n - 1), 0]}}
    return prompt


def prompt_inputs(n: int) -> Document:
    """A node with as many inputs that its type does not have."""
    inputs: Document = {f"i{k}": ["1", 0] for k in range(n)}
    return {
        "1": {"class_type": "EmptyImage", "inputs": {f"w{k}": k for k in range(n)}},
        "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0], **inputs}},
    }


def many_groups_of_values(n: int) -> Document:
    """Values saved both by position and by name, all of them different."""
    nodes = [
        _node(k, "EmptyImage", widgets_values=[64, 64, 1, 0],
              widgets_values_named={"width": 1, "height": 2, "batch_size": 3, "color": 4})
        for k in range(n)
    ]  # fmt: skip
    return _workflow(nodes)


SHAPES: Final[dict[str, Callable[[int], Document]]] = {
    shape.__name__: shape
    for shape in (
        plain, promoted, promoted_to_one_widget, promoted_to_many_nodes, promoted_by_proxies,
        promoted_through_levels, texts_in_instances, names_in_instances, hosts_in_instances,
        wired_instances, outputs_through_levels, instances, doubling, definitions, long_ids,
        group_links, bypassed,
        bypassed_outputs, bypassed_unions, bypass_chain, bypassed_in_one_type, fan, reroute_circle,
        setters, getters_inside, primitives, loose_links, loose_fan, group, group_wires,
        group_sockets, broadcasts, broadcast_groups, widgets, loras, options, option_inputs,
        autogrow, autogrows, texts, embeddings, findings, missing_types, missing_models,
        missing_pictures, repeated, prompt_chain, prompt_circle, prompt_circles, prompt_outputs,
        prompt_inputs, many_groups_of_values,
    )
}  # fmt: skip
"""By name."""


def of_size(shape: Callable[[int], Document], size: int) -> bytes:
    """A workflow of a shape, of about so many bytes."""
    sample = 64
    step = len(json.dumps(shape(2 * sample))) - len(json.dumps(shape(sample)))
    return json.dumps(shape(max(1, size * sample // step))).encode()


def in_picture(workflow: bytes) -> bytes:
    """A PNG that holds a workflow as ComfyUI's frontend leaves it there."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        whole = kind + content
        return struct.pack(">I", len(content)) + whole + struct.pack(">I", zlib.crc32(whole))

    dot = base64.b64decode("eJxjYAAAAAIAAQ==")
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
        + chunk(b"tEXt", b"workflow\0" + workflow)
        + chunk(b"IDAT", dot)
        + chunk(b"IEND", b"")
    )
