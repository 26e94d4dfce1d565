"""What ComfyUI's real frontend 1.58.1 makes of workflows, as data/README.md describes it."""

from __future__ import annotations

import hashlib
import json
import lzma
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from comfywatchman.comfyui.catalog import Catalog
from tests.oracle import recorded

if TYPE_CHECKING:
    from collections.abc import Mapping

MADE_WHEN_QUEUED = frozenset(
    {"AUDIO_RECORD", "LOAD_3D", "LOAD_3D_ADVANCED", "PREVIEW_3D", "WEBCAM"}
)
"""Types of inputs whose value the browser records when the workflow is queued."""


class Recorded(NamedTuple):
    """A workflow and the prompt the frontend made of it."""

    corpus: str
    name: str
    workflow: dict[str, Any]
    prompt: dict[str, Any]


@cache
def official() -> tuple[Recorded, ...]:
    """Every workflow of the two releases of the official templates."""
    prompts = recorded.OF_0_8.prompts() | recorded.OF_0_8.prompts("prompts_more")
    return tuple(
        Recorded(r["corpus"], r["name"], r["workflow"], prompts[r["corpus"], r["name"]])
        for r in recorded.lines("workflows")
    )


@cache
def official_on_0_33(prompts: str = "prompts") -> tuple[Recorded, ...]:
    """The workflows that a frontend converted in front of ComfyUI 0.33.0."""
    workflows = {(r["corpus"], r["name"]): r["workflow"] for r in recorded.lines("workflows")}
    workflows |= {("pinned", r["name"]): r["workflow"] for r in recorded.lines("workflows_pinned")}
    return tuple(
        Recorded(*key, workflows[key], prompt)
        for key, prompt in recorded.OF_0_33.prompts(prompts).items()
    )


@cache
def cases() -> tuple[Recorded, ...]:
    """Small workflows that put one question each."""
    lines = recorded.lines("frontend_cases")
    return tuple(Recorded("cases", r["name"], r["workflow"], r["prompt"]) for r in lines)


@cache
def cases_catalog() -> Catalog:
    path = recorded.DATA / "frontend_cases_object_info.json.xz"
    with lzma.open(path, "rt", encoding="utf-8") as file:
        return Catalog(json.load(file), "0.8.0")


def all_but_drawn(prompt: Mapping[str, Any], catalog: Catalog) -> dict[str, Any]:
    """Of a prompt all but what the browser draws while the workflow is queued."""
    compared = {}
    for node_id, entry in prompt.items():
        known = catalog.get(entry.get("class_type", ""))
        declared = known.inputs if known is not None else {}
        compared[node_id] = {
            "class_type": entry.get("class_type"),
            "inputs": {
                name: hashed(value)
                for name, value in entry["inputs"].items()
                if name not in declared or declared[name].type not in MADE_WHEN_QUEUED
            },
        }
    return compared


def comparable(prompt: Mapping[str, Any], catalog: Catalog) -> dict[str, Any]:
    """Of a prompt what the server goes by: class types and the inputs it declares.

    Long strings are hashed, as in the recorded prompts.
    """
    compared = {}
    for node_id, entry in prompt.items():
        known = catalog.get(entry.get("class_type", ""))
        compared[node_id] = {
            "class_type": entry.get("class_type"),
            "inputs": {
                name: hashed(value)
                for name, value in entry["inputs"].items()
                if known is None or _counts(known.inputs.get(name.partition(".")[0]))
            },
        }
    return compared


def differences(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> list[str]:
    """What differs between two comparable prompts, one line each."""
    lines = []
    for node_id in dict.fromkeys((*theirs, *ours)):
        if node_id not in ours:
            lines.append(f"node {node_id} is missing: {theirs[node_id]}")
        elif node_id not in theirs:
            lines.append(f"node {node_id} is too many: {ours[node_id]}")
        elif theirs[node_id] != ours[node_id]:
            lines.append(f"node {node_id}: frontend {theirs[node_id]}, ours {ours[node_id]}")
    return lines


def hashed(value: Any) -> Any:
    if isinstance(value, str) and len(value) > 60 and " " in value:
        return f"sha256:{hashlib.sha256(value.encode()).hexdigest()[:16]}"
    if isinstance(value, list):
        return [hashed(v) for v in value]
    if isinstance(value, dict):
        return {k: hashed(v) for k, v in value.items()}
    return value


def _counts(spec: Any) -> bool:
    return spec is not None and spec.type not in MADE_WHEN_QUEUED
