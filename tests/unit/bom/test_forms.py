"""A bill in the forms of others, held against what they have published."""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, FormatChecker
from referencing import Registry, Resource

from comfywatchman.bom import forms
from comfywatchman.history.facts import FactKind
from comfywatchman.results import Bom, BomModel
from tests.unit.bom import worlds

SCHEMAS = Path(__file__).parent / "cyclonedx"


def schema(name: str) -> Any:
    with lzma.open(SCHEMAS / f"{name}.schema.json.xz") as file:
        return json.load(file)


def validator() -> Draft7Validator:
    beside = {f"{n}.SNAPSHOT.schema.json": schema(n) for n in ("jsf-0.82", "spdx")}
    base = "http://cyclonedx.org/schema/"
    resources = [(base + name, Resource.from_contents(each)) for name, each in beside.items()]
    registry: Any = Registry().with_resources(resources)
    return Draft7Validator(schema("bom-1.6"), registry=registry, format_checker=FormatChecker())


def with_model(**more: Any) -> Bom:
    model = BomModel(folder="checkpoints", name="big.safetensors", **more)
    return worlds.made().model_copy(update={"models": [model]})


def test_cyclonedx_is_valid_and_holds_each_part() -> None:
    bom = with_model(size=1_000, sha256=worlds.SHA, sha256_from="workflow", url=worlds.URL)
    made = forms.cyclonedx(bom)
    validator().validate(made)
    comfyui, pack, model, file = made["components"]
    assert (comfyui["type"], comfyui["name"], comfyui["version"]) == (
        "application",
        "ComfyUI",
        "0.30.0",
    )
    assert pack["type"] == "library"
    assert pack["purl"] == f"pkg:github/acme/acme-tools@{'a1' * 20}"
    assert model["type"] == "machine-learning-model"
    assert model["hashes"] == [{"alg": "SHA-256", "content": worlds.SHA}]
    assert model["purl"] == "pkg:huggingface/Acme/Tools"
    assert model["externalReferences"] == [{"type": "distribution", "url": worlds.URL}]
    assert file["type"] == "file"
    assert made == forms.cyclonedx(bom)


@pytest.mark.parametrize(
    ("url", "purl"),
    [
        (worlds.URL.replace("main", "c0" * 20), f"pkg:huggingface/Acme/Tools@{'c0' * 20}"),
        ("https://huggingface.co.evil.com/Acme/Tools/resolve/main/x", None),
        ("https://civitai.com/api/download/models/1", None),
        ("https://huggingface.co/Acme/Tools", None),
        ("https://huggingface.co/../Tools/resolve/main/x", None),
        ("javascript:alert(1)", None),
        ("https://[", None),
        ("a b\n", None),
        (None, None),
    ],
)
def test_an_address_makes_a_name_only_where_it_is_honest(url: str | None, purl: str | None) -> None:
    made = forms.cyclonedx(with_model(url=url))
    validator().validate(made)
    model = next(c for c in made["components"] if c["type"] == "machine-learning-model")
    assert model.get("purl") == purl


def test_one_with_hostile_names_is_valid_too() -> None:
    evil = "\n\x1b[2J\u202e/@%"
    bom = worlds.made()
    packs = [bom.packs[0].model_copy(update={"name": evil, "url": f"https://github.com/{evil}"})]
    models = [BomModel(name=evil, url=evil), BomModel(name=evil), BomModel(name="")]
    hostile = bom.model_copy(update={"packs": packs, "models": models, "host": evil})
    validator().validate(forms.cyclonedx(hostile))


def test_a_snapshot_has_the_packs_of_the_workflow_alone() -> None:
    made, left_out = forms.snapshot(worlds.made(), worlds.FACTS)
    assert made == {
        "comfyui": "c0" * 20,
        "git_custom_nodes": {
            "https://github.com/Acme/Acme-Tools": {"hash": "a1" * 20, "disabled": False}
        },
        "cnr_custom_nodes": {},
        "file_custom_nodes": [],
        "pips": {},
    }
    assert left_out == []
    without = {FactKind.COMFYUI: {}, FactKind.PACK: {}}
    assert forms.snapshot(worlds.made(), without)[1] == [
        "ComfyUI: its commit is not known",
        "pack Acme-Tools: it is not installed here",
    ]
