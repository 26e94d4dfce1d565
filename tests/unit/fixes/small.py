"""A small host: a checkpoint loader, a LoRA loader, a sampler's choice and an output."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.comfyui.model_files import ModelFile
from comfywatchman.fixes.proposing import propose
from comfywatchman.history.world import World
from tests import fixing
from tests.unit.checks.judging import node_type

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from comfywatchman.fixes.here import Here
    from comfywatchman.fixes.proposal import Proposal

MODELS = Path("/srv/models")
FOLDERS = ("checkpoints", "loras", "vae")
PLACES = {folder: (MODELS / folder,) for folder in FOLDERS}
SAMPLERS = ["euler", "euler_ancestral", "dpmpp_2m"]


def world(
    models: Mapping[str, Sequence[str]],
    *,
    replacements: Mapping[str, Any] | None = None,
    **types: Any,
) -> World:
    """What is there with some model files."""
    listed = {folder: tuple(models.get(folder, ())) for folder in FOLDERS}
    ckpt, lora, vae = (["COMBO", {"options": list(listed[f])}] for f in FOLDERS)
    links = {"model": ["MODEL", {}]}
    declared = {
        "CheckpointLoaderSimple": node_type({"ckpt_name": ckpt}, outputs=("MODEL", "CLIP", "VAE")),
        "LoraLoader": node_type({**links, "lora_name": lora}, outputs=("MODEL",)),
        "VAELoader": node_type({"vae_name": vae}, outputs=("VAE",)),
        "Sampler": node_type(
            {
                **links,
                "sampler": [SAMPLERS, {}],
                "steps": ["INT", {"default": 20, "min": 1, "max": 50}],
            },
            outputs=("IMAGE",),
        ),
        "Save": node_type({"images": ["IMAGE", {}]}, output_node=True),
        **types,
    }
    inventory = Inventory({"input": frozenset(), "output": frozenset()}, listed)
    return World(Catalog(declared, "0.33.0", replacements), inventory, 200, fixing.SIZE)


def prompt(
    ckpt: str = "a.safetensors", lora: str | None = None, sampler: Any = "euler", steps: Any = 20
) -> dict[str, Any]:
    """A workflow in the form of a prompt, which names these."""
    nodes = {
        "1": _node("CheckpointLoaderSimple", ckpt_name=ckpt),
        "3": _node("Sampler", model=["1", 0], sampler=sampler, steps=steps),
        "4": _node("Save", images=["3", 0]),
    }
    if lora is not None:
        nodes["2"] = _node("LoraLoader", model=["1", 0], lora_name=lora)
        nodes["3"]["inputs"]["model"] = ["2", 0]
    return nodes


def saved(ckpt: str = "a.safetensors", sampler: Any = "euler", **properties: Any) -> dict[str, Any]:
    """The same as the frontend saves it."""
    return {
        "nodes": [
            {
                "id": 1,
                "type": "CheckpointLoaderSimple",
                "inputs": [],
                "outputs": [{"name": "MODEL", "type": "MODEL", "links": [1]}],
                "properties": properties,
                "widgets_values": [ckpt],
            },
            {
                "id": 3,
                "type": "Sampler",
                "inputs": [{"name": "model", "type": "MODEL", "link": 1}],
                "outputs": [{"name": "IMAGE", "type": "IMAGE", "links": [2]}],
                "widgets_values": [sampler, 20],
            },
            {
                "id": 4,
                "type": "Save",
                "inputs": [{"name": "images", "type": "IMAGE", "link": 2}],
                "outputs": [],
                "widgets_values": [],
            },
        ],
        "links": [[1, 1, 0, 3, 0, "MODEL"], [2, 3, 0, 4, 0, "IMAGE"]],
    }


def file(folder: str, name: str, *, size: int = 5_000_000, mtime: int = 1000) -> ModelFile:
    """A model file on the host."""
    inode = hash((folder, name)) & 0xFFFF
    path = str(MODELS / folder / name)
    return ModelFile(folder, name, path, size, mtime * 10**9, mtime * 10**9, 1, inode)


def host(models: Mapping[str, Sequence[str]], workflows: Mapping[str, Any], **more: Any) -> Here:
    """The host with its model files on the disk, and some workflows."""
    files = [file(folder, name) for folder, names in models.items() for name in names]
    more = {"files": files, "places": PLACES, **more}
    return fixing.host(more.pop("world", None) or world(models), workflows, **more)


def fixes(models: Mapping[str, Sequence[str]], content: Any, **more: Any) -> list[Proposal]:
    """The fixes of one workflow."""
    return propose(host(models, {"w.json": content}, **more))


def _node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}
