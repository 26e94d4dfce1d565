"""Hosts that bills are made on and held against, and a workflow with needs of each kind."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import orjson

from comfywatchman.bom.making import Host, bill
from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.history.facts import FactKind
from comfywatchman.history.world import World
from comfywatchman.workflow.find import WorkflowCopy

if TYPE_CHECKING:
    from comfywatchman.history.facts import Facts
    from comfywatchman.results import Bom

URL = "https://huggingface.co/Acme/Tools/resolve/main/big.safetensors"
SHA = "ab" * 32

TYPES: dict[str, Any] = {
    "Loader": {
        "input": {"required": {"ckpt_name": [["big.safetensors", "small.safetensors"]]}},
        "output": ["MODEL"],
        "python_module": "nodes",
    },
    "LoadImage": {
        "input": {"required": {"image": [["photo.png"], {"image_upload": True}]}},
        "output": ["IMAGE", "MASK"],
        "python_module": "nodes",
    },
    "Sharpen": {
        "input": {
            "required": {
                "image": ["IMAGE"],
                "model": ["MODEL"],
                "mode": [["soft", "hard"]],
                "strength": ["FLOAT", {"min": 0.0, "max": 2.0, "default": 1.0}],
            },
            "optional": {"mask": ["MASK"]},
        },
        "output": ["IMAGE", "INT"],
        "python_module": "custom_nodes.Acme-Tools",
    },
    "SaveImage": {
        "input": {
            "required": {"images": ["IMAGE"], "filename_prefix": ["STRING", {"default": "x"}]}
        },
        "output": [],
        "output_node": True,
        "python_module": "nodes",
    },
}
PROMPT: dict[str, Any] = {
    "1": {"class_type": "Loader", "inputs": {"ckpt_name": "big.safetensors"}},
    "2": {"class_type": "LoadImage", "inputs": {"image": "photo.png"}},
    "3": {
        "class_type": "Sharpen",
        "inputs": {"image": ["2", 0], "model": ["1", 0], "mode": "soft", "strength": 1.5},
    },
    "4": {"class_type": "SaveImage", "inputs": {"images": ["3", 0], "filename_prefix": "a"}},
}
FACTS: Facts = {
    FactKind.COMFYUI: {"": {"version": "0.30.0", "commit": "c0" * 20}},
    FactKind.PACK: {
        "Acme-Tools": {
            "id": "https://github.com/Acme/Acme-Tools",
            "version": "1.2.0",
            "commit": "a1" * 20,
            "enabled": True,
        },
        "Other": {"id": "other", "version": "1.0.0", "enabled": True},
    },
    FactKind.MODEL: {"checkpoints/big.safetensors": {"size": 1_000, "modified": 1}},
    FactKind.INPUT_FILE: {"photo.png": {"size": 77, "modified": 1}},
}


def types() -> dict[str, Any]:
    """The node types, to be changed."""
    return copy.deepcopy(TYPES)


def facts() -> Any:
    """The facts, likewise."""
    return copy.deepcopy(FACTS)


def host(
    declared: dict[str, Any] | None = None,
    *,
    version: str = "0.30.0",
    models: tuple[str, ...] = ("big.safetensors", "small.safetensors"),
    inputs: tuple[str, ...] = ("photo.png",),
    known: Any = None,
    **more: Any,
) -> Host:
    """A host; its lists of files are those of its inventory."""
    inventory = Inventory(
        files={"input": frozenset(inputs), "output": frozenset(), "temp": frozenset()},
        models={"checkpoints": models, "loras": ("one.safetensors",)},
        embeddings=frozenset(),
    )
    listed = types() if declared is None else declared
    if "Loader" in listed:
        listed["Loader"]["input"]["required"]["ckpt_name"][0] = list(models)
    world = World(Catalog(listed, version), inventory, 200, 10_000_000)
    return Host(world, facts() if known is None else known, "the test", **more)


def workflow(prompt: dict[str, Any] | None = None, name: str = "sharp.json") -> WorkflowCopy:
    """The workflow."""
    return WorkflowCopy(f"/w/{name}", name, orjson.dumps(PROMPT if prompt is None else prompt))


def made(on: Host | None = None) -> Bom:
    """Its bill, as it is read on another host."""
    bom = bill(workflow(), host() if on is None else on)
    return type(bom).model_validate_json(bom.model_dump_json())
