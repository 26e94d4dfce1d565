from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from comfywatchman.comfyui import inventory_file
from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.history.environment import models
from comfywatchman.history.facts import FactKind

if TYPE_CHECKING:
    import pytest

    from comfywatchman.history.facts import Facts

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def catalog(**modules: str) -> Catalog:
    return Catalog({name: {"python_module": m} for name, m in modules.items()}, version="0.8.0")


def test_models_and_packs_are_listed() -> None:
    listed = inventory_file.listing(
        catalog(
            A="nodes", B="custom_nodes.pack", C="custom_nodes.pack.sub", D="custom_nodes.other"
        ),
        Inventory(models={"loras": ("b.safetensors", "a.safetensors"), "vae": ()}),
        NOW,
    )
    assert listed == {
        "schema_version": 2,
        "taken_at": "2026-01-02T03:04:05+00:00",
        "comfyui_version": "0.8.0",
        "models": {"loras": {"a.safetensors": None, "b.safetensors": None}, "vae": {}},
        "packs": {"other": {"node_types": 1}, "pack": {"node_types": 2}},
        "left_out": 0,
    }


def test_it_stays_small_however_much_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory_file, "MODEL_LIMIT", 3)
    monkeypatch.setattr(inventory_file, "PACK_LIMIT", 1)
    listed = inventory_file.listing(
        catalog(A="custom_nodes.a", B="custom_nodes.b"),
        Inventory(models={"a": ("1", "2"), "b": ("3", "4", "5")}),
        NOW,
    )
    assert listed["models"] == {"a": {"1": None, "2": None}, "b": {"3": None}}
    assert listed["packs"] == {"a": {"node_types": 1}}
    assert listed["left_out"] == 3


def test_hostile_names_can_be_written() -> None:
    listed = inventory_file.listing(
        catalog(), Inventory(models={"v\x1bae": ("\ud800", "x" * 9999)}), NOW
    )
    assert json.dumps(listed, ensure_ascii=False).encode()
    long, lone = listed["models"]["v\\x1bae"]
    assert lone == "\\ud800"
    assert len(long) < 400


def test_versions_of_packs_and_sizes_of_models_are_told_where_they_are_known() -> None:
    facts: Facts = {
        FactKind.MODEL: {"loras/sub/a.safetensors": {"size": 7}, "loras/b.safetensors": {}},
        FactKind.PACK: {
            "pack": {"id": "x", "version": "1.3.0", "commit": "0" * 40, "enabled": True},
            "single.py": {"import_failed": False},
            "gone wrong": {"version": "", "import_failed": True},
            "single.disabled": {"enabled": False},
        },
    }
    listed = inventory_file.listing(
        catalog(A="custom_nodes.pack", B="custom_nodes.single", C="custom_nodes.unseen"),
        Inventory(models={"loras": ("sub/a.safetensors", "b.safetensors")}),
        NOW,
        facts,
    )
    assert listed["models"] == {"loras": {"b.safetensors": None, "sub/a.safetensors": 7}}
    assert listed["packs"] == {
        "gone wrong": {"node_types": 0, "import_failed": True},
        "pack": {"node_types": 1, "version": "1.3.0", "commit": "0" * 40, "enabled": True},
        "single": {"node_types": 1, "import_failed": False},
        "single.disabled": {"node_types": 0, "enabled": False},
        "unseen": {"node_types": 1},
    }


def test_a_size_is_found_by_the_name_that_is_shown() -> None:
    inventory = Inventory(models={"loras": ("a\u202e\n.safetensors",)})
    listed = inventory_file.listing(
        catalog(),
        inventory,
        NOW,
        {FactKind.MODEL: {name: {"size": 7} for name in models.models(inventory)}},
    )
    assert listed["models"] == {"loras": {r"a\u202e\n.safetensors": 7}}


def test_embeddings_have_the_sizes_of_their_facts() -> None:
    inventory = Inventory(
        models={"embeddings": ("sub/a.b.pt", "new.pt")}, embeddings=frozenset({"sub/a.b"})
    )
    facts: Facts = {
        FactKind.MODEL: {name: {"size": 6} for name in models.models(inventory)},
        FactKind.EMBEDDING: {name: {"size": 7} for name in models.embeddings(inventory)},
    }
    listed = inventory_file.listing(catalog(), inventory, NOW, facts)
    assert listed["models"] == {"embeddings": {"new.pt": None, "sub/a.b.pt": 7}}


def test_what_a_pack_says_of_itself_is_made_harmless() -> None:
    facts: Facts = {FactKind.PACK: {"p\x1b": {"version": "\u202e" + "1" * 9999, "commit": 7}}}
    listed = inventory_file.listing(catalog(), Inventory(), NOW, facts)
    (pack,) = listed["packs"].values()
    assert list(listed["packs"]) == ["p\\x1b"]
    assert pack["version"].startswith("\\u202e1")
    assert len(pack["version"]) < 400
    assert "commit" not in pack


def test_hashes_of_files_that_were_read_as_a_whole() -> None:
    inventory = Inventory(models={"vae": ("a\n.pt",)})
    listed = inventory_file.listing(catalog(), inventory, NOW, None, {("vae", "a\n.pt"): "ab" * 32})
    assert listed["hashes"] == {"vae": {"a\\n.pt": "ab" * 32}}
    assert "hashes" not in inventory_file.listing(catalog(), inventory, NOW)
