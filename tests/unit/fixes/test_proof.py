"""What there would be with other model files is what a server would list, and is judged so."""

from __future__ import annotations

from typing import Any

import pytest

from comfywatchman.fixes.proof import Court, is_worse, rose
from comfywatchman.fixes.world import Lists
from comfywatchman.results import Verdict, WorkflowReport
from tests import fixing
from tests.oracle import recorded
from tests.unit.checks.judging import node_type
from tests.unit.fixes.small import host, prompt, world

NEW = "0 new.safetensors"
SERVERS = pytest.mark.parametrize("server", recorded.SERVERS, ids=lambda s: s.version)


@SERVERS
def test_a_file_comes_into_the_lists_that_a_real_server_has_of_its_folder(
    server: recorded.Server,
) -> None:
    here = fixing.world_of(server)
    listing = Lists(here)
    truth = server.read_json("combo_folder_map")
    for folder in here.inventory.models:
        then = listing.with_files([(folder, NEW)])
        assert NEW in then.inventory.models[folder]
        found = {
            f"{name}.{spec.name}"
            for name, node_type in then.catalog.items()
            for spec in node_type.inputs.values()
            if NEW in (spec.choices or ())
        }
        there = {
            place
            for place, folders in truth.items()
            if folders[0] == folder and place.partition(".")[0] in here.catalog
        }
        assert found == there, folder


def test_lists_that_are_handed_on_stay_equal() -> None:
    files = ["a.safetensors", "c.safetensors"]
    pick = node_type({"name": [files, {}]}, outputs=(files,), module="custom_nodes.x")
    here = world({"checkpoints": files}, Pick=pick)
    then = Lists(here).with_files([("checkpoints", "b.safetensors")]).catalog
    wanted = ["a.safetensors", "b.safetensors", "c.safetensors"]
    assert list(then["Pick"].inputs["name"].choices or ()) == wanted
    assert then["Pick"].declaration["output"] == [wanted]
    assert here.catalog["Pick"].declaration["output"] == [files]


def test_linking_a_file_harms_nobody() -> None:
    models = {"loras": ["l.safetensors", "m.safetensors"], "checkpoints": ["a.safetensors"]}
    workflows = {
        "user.json": prompt("a.safetensors", "l.safetensors"),
        "other.json": prompt("a.safetensors", "m.safetensors"),
        "lacks it.json": prompt("l.safetensors"),
    }
    court = Court(host(models, workflows))
    assert court.made_worse(frozenset({("checkpoints", "l.safetensors")})) == []


def report(verdict: Verdict, *findings: Any) -> WorkflowReport:
    return WorkflowReport(path="w", name="w", verdict=verdict, findings=list(findings))


@pytest.mark.parametrize(
    ("was", "now", "worse", "higher"),
    [
        (Verdict.BROKEN, Verdict.RUNNABLE, False, True),
        (Verdict.BROKEN, Verdict.PARTIAL, False, True),
        (Verdict.PARTIAL, Verdict.RUNNABLE, False, True),
        (Verdict.RUNNABLE, Verdict.PARTIAL, True, False),
        (Verdict.BROKEN, Verdict.UNKNOWN, False, False),
        (Verdict.RUNNABLE, Verdict.UNKNOWN, True, False),
        (Verdict.UNKNOWN, Verdict.RUNNABLE, False, False),
        (Verdict.RUNNABLE, Verdict.RUNNABLE, False, False),
    ],
)
def test_what_is_worse_and_what_is_higher(
    was: Verdict, now: Verdict, worse: bool, higher: bool
) -> None:
    assert is_worse(report(now), report(was)) is worse
    assert rose(report(now), report(was)) is higher
