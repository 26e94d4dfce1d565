"""A catalog in a file: what is read is what was saved, and what is no catalog is a sentence."""

from __future__ import annotations

import gzip
import inspect
import json
import tracemalloc
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman.comfyui import catalog_file
from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

TYPES: dict[str, Any] = {
    "Sampler": {"input": {"required": {"z": ["INT"], "a": ["FLOAT"]}}, "output": ["X"]},
    "Loader": {"input": {}, "output": [], "odd": [float("inf"), 2**70, "模型", "\ud83d", None]},
    "broken": None,
}
CATALOG = Catalog(TYPES, "0.33.0", {"Old": [{"new_node_id": "Sampler"}]})
INVENTORY = Inventory(
    files={"input": frozenset({"b.png", "a/c.png", "a", "\udcff\n.png"}), "temp": frozenset()},
    links={"input": {"b.png": "/mnt/b.png", "a": "/mnt/a"}},
    paths={"input": ("/srv/ComfyUI/input", "/mnt/input"), "temp": ("/tmp/t", "/tmp/t")},
    models={"vae": ("z.pt", "a.pt"), "checkpoints": ()},
    embeddings=frozenset({"x", "sub/y"}),
)
SAVED = catalog_file.saved(CATALOG, INVENTORY, ["the files in output could not be listed"])
INVENTORY_LESS: dict[str, Any] = {"files": {}, "links": {}, "paths": {}, "models": {}}
MIB = 1024**2


def read(folder: Path, content: bytes, release: str | None = None, most: int = MIB) -> Any:
    file = folder / "catalog.json"
    file.write_bytes(content)
    return catalog_file.read(file, release=release, max_bytes=most)


def altered(**keys: Any) -> bytes:
    return json.dumps({**json.loads(catalog_file.encoded(SAVED)), **keys}).encode()


@pytest.mark.parametrize("packed", [False, True])
def test_what_is_read_is_what_was_saved(tmp_path: Path, packed: bool) -> None:
    basis = read(tmp_path, catalog_file.encoded(SAVED, packed=packed))
    assert basis.catalog.declarations == TYPES
    assert list(basis.catalog.declarations["Sampler"]["input"]["required"]) == ["z", "a"]
    assert (basis.catalog.version, basis.catalog.replacements) == ("0.33.0", CATALOG.replacements)
    assert basis.inventory == INVENTORY
    assert basis.not_checked == ["the files in output could not be listed"]


def test_what_is_not_known_stays_not_known(tmp_path: Path) -> None:
    saved = catalog_file.saved(Catalog(TYPES), Inventory(), [])
    basis = read(tmp_path, catalog_file.encoded(saved))
    assert (basis.inventory, basis.catalog.version) == (Inventory(), None)


def test_everything_that_a_verdict_can_ask_is_saved() -> None:
    """A new part of the catalog or the inventory must go into the file, and into this test."""
    given = set(inspect.signature(Catalog.__init__).parameters) - {"self"}
    assert given == {"object_info", "version", "replacements"}
    assert {f.name for f in fields(Inventory) if f.init} == set(
        catalog_file.SavedInventory.model_fields
    )


def test_it_is_made_to_lie_in_git() -> None:
    again = catalog_file.saved(
        Catalog(dict(reversed(TYPES.items())), "0.33.0", CATALOG.replacements),
        Inventory(
            files={"temp": frozenset(), "input": frozenset(sorted(INVENTORY.files["input"]))},
            links={"input": dict(reversed(INVENTORY.links["input"].items()))},
            paths=dict(reversed(INVENTORY.paths.items())),
            models=INVENTORY.models,
            embeddings=frozenset(["sub/y", "x"]),
        ),
        SAVED.not_checked,
    )
    text = catalog_file.encoded(SAVED)
    assert catalog_file.encoded(again) == text
    packed = catalog_file.encoded(again, packed=True)
    assert packed == catalog_file.encoded(SAVED, packed=True)
    assert packed[4:8] == b"\0\0\0\0", "a time"
    lines = text.decode().splitlines()
    assert lines.count('    "b.png",') == lines.count('    "a/c.png",') == 1
    assert [line.strip() for line in lines].count('"模型",') == 1


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "is not a saved catalog, nor a saved answer of /object_info"),
        (b'{"format": "other"}', "is not a saved catalog"),
        (altered(schema_version=2), "has schema 2, and this is ComfyWatchman"),
        (altered(schema_version=0), "is a damaged catalog (schema_version: "),
        (altered(schema_version="1"), "is a damaged catalog (schema_version: "),
        (altered(inventory=None), "is a damaged catalog (inventory: "),
        (altered(inventory=INVENTORY_LESS), "(inventory.embeddings: field required)"),
        (
            altered(inventory={**INVENTORY_LESS, "embeddings": None, "files": {"\x1b[2J": [1]}}),
            r"(inventory.files.\x1b[2J.0: ",
        ),
        (
            altered(inventory={**INVENTORY_LESS, "embeddings": None, "paths": {"input": ["/a"]}}),
            "(inventory.paths.input.1: field required)",
        ),
        (altered(node_types={}), "is a damaged catalog (node_types: "),
        (altered(node_types={"A": 1}), "is a damaged catalog (node_types: "),
        (altered(replacements=[]), "is a damaged catalog (replacements: "),
        (altered(comfyui_version=8), "is a damaged catalog (comfyui_version: "),
        (catalog_file.encoded(SAVED, packed=True)[:-9], "is not whole"),
        (b"\x1f\x8b" + b"no gzip", "is not whole"),
        (b" " * (MIB + 1), "holds more than 1 MiB"),
        (b"[" + b"[]," * 200_000 + b"[]]", "holds more than 65,536 values"),
    ],
)
def test_what_is_no_catalog_is_a_sentence(tmp_path: Path, content: bytes, problem: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read(tmp_path, content)
    sentence = str(refused.value)
    assert sentence.startswith(f"--object-info: {tmp_path}/catalog.json ")
    assert problem in sentence
    assert "\n" not in sentence


def test_a_bomb_takes_no_more_memory_than_the_limit(tmp_path: Path) -> None:
    bomb = gzip.compress(b"\0" * 200 * MIB)
    tracemalloc.start()
    with pytest.raises(ConfigError, match="holds more than 1 MiB"):
        read(tmp_path, bomb)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 10 * MIB


def test_a_later_version_may_add_keys(tmp_path: Path) -> None:
    assert read(tmp_path, altered(more=1)).catalog.version == "0.33.0"


@pytest.mark.parametrize("release", [None, "0.33.0"])
def test_a_release_that_agrees(tmp_path: Path, release: str | None) -> None:
    assert read(tmp_path, catalog_file.encoded(SAVED), release).catalog.version == "0.33.0"
    own = altered(comfyui_version="v0.33.0-7-gabc")
    assert read(tmp_path, own, release).catalog.version == "v0.33.0-7-gabc"


def test_a_release_that_is_hostile_is_shown_harmless(tmp_path: Path) -> None:
    hostile = altered(comfyui_version="8\ud800\x1b[2J")
    assert read(tmp_path, hostile).catalog.version == r"8\ud800\x1b[2J"


def test_a_release_that_differs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        read(tmp_path, catalog_file.encoded(SAVED), "0.8.0")
    assert str(refused.value) == (
        f"--comfyui-version 0.8.0: {tmp_path}/catalog.json was saved from ComfyUI 0.33.0; leave "
        "--comfyui-version out, or save the catalog of a server of 0.8.0"
    )


def test_the_release_of_what_does_not_say_it(tmp_path: Path) -> None:
    bare = json.dumps(TYPES).encode()
    basis = read(tmp_path, bare, "0.8.0")
    assert (basis.catalog.version, basis.inventory) == ("0.8.0", None)
    assert read(tmp_path, gzip.compress(bare)).catalog.version is None
    assert read(tmp_path, altered(comfyui_version=None), "0.8.0").catalog.version == "0.8.0"
