"""A whole cycle against a server with a Manager: each reason is told apart, at no great cost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman import settings
from comfywatchman.cycle import runner
from comfywatchman.cycle.graph import Target
from tests.standin.comfyui import StandIn, recorded_node_types

if TYPE_CHECKING:
    from pathlib import Path

    from comfywatchman.results import Report

LOADED = {
    name: {
        "input": {"required": {}},
        "output": ["IMAGE"],
        "python_module": f"custom_nodes.{folder}",
    }
    for name, folder in (
        ("IPAdapterAdvanced", "Another_IPAdapter"),
        ("LabAmount", "probe-lab"),
        ("KJThing", "comfyui-kjnodes"),
        ("SchemaFine", "schema-error-nodes"),
    )
}
NODES: dict[str, tuple[str, dict[str, str]]] = {
    "1": ("Swap", {"cnr_id": "comfyui-reactor", "ver": "0.6.1"}),
    "2": ("IPAdapterEncoder", {}),
    "3": ("UnetLoaderGGUF", {}),
    "4": ("SchemaRaises", {}),
    "5": ("LabAmonut", {"aux_id": "example-owner/probe-lab", "ver": "75e5fbe"}),
    "6": ("ImageCompare", {"cnr_id": "comfy-core", "ver": "0.9.2"}),
    "7": ("AddedLaterNode", {"aux_id": "example-owner/added-later"}),
}
EXPECTED = {
    "1": "pack_not_installed",
    "2": "pack_disabled",
    "3": "pack_import_failed",
    "4": "node_type_fails",
    "5": "node_type_gone",
    "6": "comfyui_too_old",
    "7": "pack_restart_pending",
}


SAVED_FROM_A_SERVER = "Node name for S&R"
"""What tells a node that a server once offered from one that exists only in the browser."""


def workflow(nodes: dict[str, tuple[str, dict[str, str]]]) -> dict[str, Any]:
    return {
        "nodes": [
            {
                "id": int(i),
                "type": name,
                "mode": 0,
                "properties": {SAVED_FROM_A_SERVER: name, **properties},
                "widgets_values": [],
            }
            for i, (name, properties) in nodes.items()
        ],
        "links": [],
        "version": 0.4,
    }


def cycle(stand_in: StandIn, tmp_path: Path) -> Report:
    given = settings.load(
        {
            "comfyui_url": stand_in.url,
            "state_dir": str(tmp_path / "state"),
            "workflow_dirs": [str(tmp_path / "workflows")],
            "min_free_vram": 0,
        }
    )
    return runner.run(given, Target(), lambda _: None).report


def explanations(report: Report) -> dict[str | None, str]:
    (judged,) = report.workflows
    return {f.node_id: f.code for f in judged.findings if f.code != "missing_node_type"}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    folder = tmp_path / "workflows"
    folder.mkdir()
    file = folder / "flow.json"
    file.write_text(json.dumps(workflow(NODES)))
    return file


@pytest.mark.parametrize("version", ["3.41", "4.3"])
def test_each_reason_is_told_apart(version: str, saved: Path, tmp_path: Path) -> None:
    node_types = recorded_node_types("empty") | LOADED
    with StandIn(manager=version, updated=True, object_info=node_types) as stand_in:
        report = cycle(stand_in, tmp_path)
        assert explanations(report) == EXPECTED
        (judged,) = report.workflows
        errors = [f.node_id for f in judged.findings if f.code == "missing_node_type"]
        assert errors == sorted(NODES)
        gone = next(f for f in judged.findings if f.code == "node_type_gone")
        assert gone.fixes[0].after == "LabAmount"
        failed = next(f for f in judged.findings if f.code == "pack_import_failed")
        assert failed.message.endswith("ModuleNotFoundError: No module named 'gguf'")
        about_packs = [
            r.target
            for r in stand_in.requests
            if "node" in r.target and not r.target.endswith(("/object_info", "/node_replacements"))
        ]
        assert len(about_packs) <= 6, about_packs
        assert stand_in.writes == []

        asked = len(stand_in.requests)
        assert explanations(cycle(stand_in, tmp_path)) == EXPECTED
        again = [r.target for r in stand_in.requests[asked:]]
        assert not any("getmappings" in target for target in again)


def test_a_kept_verdict_keeps_no_stale_advice(saved: Path, tmp_path: Path) -> None:
    node_types = recorded_node_types("empty") | LOADED
    with StandIn(manager="4.3", object_info=node_types) as stand_in:
        before = explanations(cycle(stand_in, tmp_path))
        assert before["7"] == "pack_not_installed"
        stand_in.updated = True
        after = explanations(cycle(stand_in, tmp_path))
        assert after["7"] == "pack_restart_pending"
        stand_in.manager = None
        without = explanations(cycle(stand_in, tmp_path))
        assert without["7"] == "pack_not_installed"
        assert "3" not in without


def test_a_used_pack_that_changes_makes_its_verdict_anew(saved: Path, tmp_path: Path) -> None:
    saved.write_text(json.dumps(workflow({"1": ("KJThing", {})})))
    node_types = recorded_node_types("empty") | LOADED
    with StandIn(manager="4.3", object_info=node_types) as stand_in:
        assert "pack_restart_pending" not in explanations(cycle(stand_in, tmp_path)).values()
        stand_in.updated = True
        assert explanations(cycle(stand_in, tmp_path))["1"] == "pack_restart_pending"


def test_a_manager_that_fails_costs_the_cycle_nothing(saved: Path, tmp_path: Path) -> None:
    node_types = recorded_node_types("empty") | LOADED
    behaviour = "reset@/v2"
    with StandIn(manager="4.3", object_info=node_types, behaviour=behaviour) as stand_in:
        report = cycle(stand_in, tmp_path)
        assert report.outcome == "done"
        assert len(report.workflows) == 1
        assert any(s.startswith("which packs bring the node types") for s in report.not_checked)
