"""A node type is the same as long as only its files differ, and what else changed is told."""

from __future__ import annotations

from typing import Any

import pytest

from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.history.schema import FileNames, schema_changes, schema_digest

LOADER: dict[str, Any] = {
    "input": {
        "required": {
            "name": [["None", "a.safetensors", "plain"], {"tooltip": "which"}],
            "steps": ["INT", {"min": 1, "max": 100}],
        }
    },
    "output": ["MODEL", "CLIP", "LATENT"],
    "output_node": False,
    "python_module": "custom_nodes.pack",
    "description": "Loads.",
}


def changed(**parts: Any) -> dict[str, Any]:
    required = {**LOADER["input"]["required"], **parts.pop("required", {})}
    required = {name: spec for name, spec in required.items() if spec is not None}
    groups = {"required": required, **parts.pop("groups", {})}
    return {**LOADER, "input": groups, **parts}


@pytest.mark.parametrize(
    "other",
    [
        changed(required={"name": [["None", "b.safetensors", "plain"], {}]}),
        changed(required={"name": [["None", "plain", "sub/folder"], {"tooltip": "another"}]}),
        changed(description="Loads a model.", display_name="Loader"),
    ],
)
def test_files_and_what_is_for_show_are_not_in_the_digest(other: dict[str, Any]) -> None:
    files = FileNames(Inventory(models={"loras": ("sub/folder",)}))
    assert schema_digest(other, files) == schema_digest(LOADER, files)


@pytest.mark.parametrize(
    "other",
    [
        changed(required={"name": [["None", "a.safetensors", "fancy"], {}]}),
        changed(required={"steps": ["INT", {"min": 1, "max": 50}]}),
        changed(output=["MODEL", "CLIP"]),
        None,
        "not even an object",
    ],
)
def test_all_else_is(other: Any) -> None:
    files = FileNames(Inventory())
    assert schema_digest(other, files) != schema_digest(LOADER, files)


def test_a_digest_can_be_made_of_whatever_a_server_sends() -> None:
    nested: Any = []
    for _ in range(200):
        nested = [nested, {"options": nested}]
        nested = [nested[0]]
    hostile = {"input": {"required": {"\ud800": [["\udfff", "\0"], nested]}}, "output": 3}
    assert len(schema_digest(hostile, FileNames(Inventory()))) == 64


@pytest.mark.parametrize(
    ("other", "phrases"),
    [
        (None, ["is no longer offered"]),
        (changed(output=["MODEL", "CLIP"]), ["dropped output 2 (LATENT)"]),
        (changed(output=["MODEL", "VAE", "LATENT"]), ["output 1: CLIP → VAE"]),
        (changed(output=[*LOADER["output"], "INT"]), ["has one more output"]),
        (changed(required={"x": ["INT", {}]}), ["has a new required input 'x'"]),
        (changed(groups={"optional": {"x": ["INT"]}}), ["has a new optional input 'x'"]),
        (changed(required={"steps": None}), ["dropped input 'steps'"]),
        (
            changed(required={"steps": ["INT", {"min": 1, "max": 50}]}),
            ["input 'steps': maximum 100 → 50"],
        ),
        (
            changed(required={"steps": ["INT", {"min": 1}]}),
            ["input 'steps': maximum 100 → none"],
        ),
        (
            changed(required={"steps": ["FLOAT", {"min": 1, "max": 100}]}),
            ["input 'steps': INT → FLOAT"],
        ),
        (
            changed(required={"name": [["None", "a.safetensors"], {"tooltip": "which"}]}),
            ["input 'name' no longer offers 'plain'"],
        ),
        (changed(output_node=True), ["is an output now"]),
        (changed(python_module="custom_nodes.other"), ["now comes from other"]),
        (changed(is_input_list=True), ["is declared in another way"]),
    ],
)
def test_changes_are_told_in_words(other: Any, phrases: list[str]) -> None:
    assert schema_changes(LOADER, other) == phrases


def test_a_type_that_was_not_there_is_new() -> None:
    assert schema_changes(None, LOADER) == ["is new"]


def test_two_forms_of_a_list_of_choices_are_one() -> None:
    new_form = changed(required={"name": ["COMBO", {"options": ["None", "plain"]}]})
    old_form = changed(required={"name": [["None", "plain"], {}]})
    assert schema_changes(old_form, new_form) == ["is declared in another way"]


def test_long_lists_of_choices_are_cut() -> None:
    few = changed(required={"name": [["a"], {}]})
    many = changed(required={"name": [["a", *map(str, range(9))], {}]})
    assert schema_changes(many, few) == ["input 'name' no longer offers '0', '1', '2' and 6 more"]
