from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from comfywatchman.comfyui import inventory_file
from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.comfyui.inventory import Inventory

if TYPE_CHECKING:
    import pytest

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
        "schema_version": 1,
        "taken_at": "2026-01-02T03:04:05+00:00",
        "comfyui_version": "0.8.0",
        "models": {"loras": ["a.safetensors", "b.safetensors"], "vae": []},
        "packs": {"other": 1, "pack": 2},
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
    assert listed["models"] == {"a": ["1", "2"], "b": ["3"]}
    assert listed["packs"] == {"a": 1}
    assert listed["left_out"] == 3


def test_hostile_names_can_be_written() -> None:
    listed = inventory_file.listing(
        catalog(), Inventory(models={"v\x1bae": ("\ud800", "x" * 9999)}), NOW
    )
    assert json.dumps(listed, ensure_ascii=False).encode()
    assert listed["models"]["v\\x1bae"][0] == "\\ud800"
    assert len(listed["models"]["v\\x1bae"][1]) < 400
