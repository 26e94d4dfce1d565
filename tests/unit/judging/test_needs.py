"""The models and packs that a workflow needs."""

from __future__ import annotations

from typing import Any

from comfywatchman.checks.engine.rulebook import rulebook
from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.judging.needs import MOST_LISTED, needs
from comfywatchman.workflow.prompt import SavedNode


def node(module: str, **inputs: Any) -> dict[str, Any]:
    return {"input": {"required": inputs}, "output": [], "python_module": module}


CATALOG = Catalog(
    {
        "CheckpointLoaderSimple": node("nodes", ckpt_name=[["a.safetensors", "b.ckpt"], {}]),
        "Custom": node("custom_nodes.Odd-Pack", file=[["z.safetensors"], {}], text=["STRING", {}]),
        "Sampler": node("nodes", sampler=[["euler"], {}]),
    },
    "0.8.0",
)
INVENTORY = Inventory(models={"loras": ("sub/c.safetensors",)}, embeddings=frozenset({"good"}))


def models(*nodes: tuple[str, dict[str, Any]]) -> list[tuple[str | None, str, bool | None]]:
    prompt = {
        str(n): {"class_type": kind, "inputs": inputs} for n, (kind, inputs) in enumerate(nodes)
    }
    listed, _ = needs(prompt, {}, rulebook(CATALOG).plans(prompt, CATALOG), INVENTORY)
    return [(m.folder, m.name, m.present) for m in listed]


def test_models_are_listed_with_folder_and_presence() -> None:
    assert models(
        ("CheckpointLoaderSimple", {"ckpt_name": "a.safetensors"}),
        ("CheckpointLoaderSimple", {"ckpt_name": "a.safetensors"}),
        ("CheckpointLoaderSimple", {"ckpt_name": "gone.safetensors"}),
        ("CheckpointLoaderSimple", {"ckpt_name": ["4", 0]}),
        ("Custom", {"file": {"__value__": "z.safetensors"}}),
        ("Sampler", {"sampler": "euler"}),
    ) == [
        (None, "z.safetensors", True),
        ("checkpoints", "a.safetensors", True),
        ("checkpoints", "gone.safetensors", False),
    ]


def test_what_no_list_offers_is_looked_up_by_name() -> None:
    assert models(
        ("Unknown", {"row": {"on": True, "lora": "c.safetensors"}, "other": "gone.gguf"}),
        ("Custom", {"text": "a photo, embedding:good, (embedding:bad:1.2)"}),
    ) == [
        (None, "gone.gguf", False),
        ("embeddings", "bad", False),
        ("embeddings", "good", True),
        ("loras", "c.safetensors", True),
    ]


def test_what_is_no_node_is_passed_over() -> None:
    prompt: dict[str, Any] = {"1": None, "2": {"inputs": []}, "3": {"class_type": []}, "4": "x"}
    assert needs(prompt, {}, rulebook(CATALOG).plans(prompt, CATALOG), INVENTORY) == ([], [])


def test_a_flood_of_names_is_cut() -> None:
    flood = {f"i{n}": f"m{n}.safetensors" for n in range(MOST_LISTED + 5)}
    assert len(models(("Unknown", flood))) == MOST_LISTED


def packs(**nodes: tuple[str, SavedNode | None]) -> list[tuple[str, str | None]]:
    prompt: dict[str, Any] = {
        n: {"class_type": kind, "inputs": {}} for n, (kind, _) in nodes.items()
    }
    saved = {n: s for n, (_, s) in nodes.items() if s is not None}
    _, listed = needs(prompt, saved, rulebook(CATALOG).plans(prompt, CATALOG), INVENTORY)
    return [(p.name, p.version) for p in listed]


def test_packs_are_those_the_file_names_else_those_of_the_catalog() -> None:
    named = SavedNode("Custom", pack="odd-pack", pack_version="1.2.0")
    assert packs(a=("Sampler", SavedNode("Sampler", pack="comfy-core", pack_version="0.8.0"))) == []
    assert packs(a=("Custom", None)) == [("Odd-Pack", None)]
    assert packs(a=("Custom", named), b=("Custom", None)) == [("odd-pack", "1.2.0")]
    assert packs(a=("Gone", SavedNode("Gone", pack="gone-pack"))) == [("gone-pack", None)]
