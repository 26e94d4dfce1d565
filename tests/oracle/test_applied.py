"""Fixes that are applied give the very bytes of the original back, and undo those from before.

Recorded prompts with a mutation whose original can be known, and official workflows with one, lie
in files, in the styles that programs write JSON in; one plan mends them all.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman import host as hosts
from comfywatchman.fixes import apply, planning, proposing, seeing, undo
from comfywatchman.fixes import record as records
from comfywatchman.fixes.here import Here, Saved
from comfywatchman.fixes.plan import Plan, PlanHost, encoded
from comfywatchman.results import Verdict
from comfywatchman.workflow.find import WorkflowFile
from tests import fixing
from tests.oracle import frontend, recorded
from tests.oracle.test_fixes import KNOWN_ORIGINALS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from comfywatchman.history.world import World

SERVERS = pytest.mark.parametrize("server", recorded.SERVERS, ids=lambda s: s.version)
STYLES: list[dict[str, Any]] = [
    {"separators": (",", ":"), "ensure_ascii": False},
    {"indent": 2, "ensure_ascii": False},
    {"indent": "\t"},
    {},
]
ONE_IN = 60
SIGNS = hosts.Host("render1")
IDLE: dict[str, list[Any]] = {"queue_running": [], "queue_pending": []}


def look(world: World, folder: Path) -> Here:
    saved = []
    for file in sorted(folder.iterdir()):
        raw = file.read_bytes()
        report = planning.judged(world, str(file), file.name, raw)
        saved.append(Saved(WorkflowFile(file, file.name), raw, report))
    return Here(world, saved)


def made(here: Here) -> Plan:
    planned = planning.plan(here, proposing.propose(here))
    plan = Plan(
        comfywatchman_version="0",
        host=PlanHost(name=SIGNS.name, machine="", given=""),
        instance="",
        comfyui_url="",
        made_at=datetime.now(UTC),
        catalog=seeing.catalog_digest(here.world, planned.workflows),
        comfyui_version=here.world.catalog.version,
        workflows=planned.workflows,
        reads=[],
        by_hand=planned.by_hand,
        not_written=planned.not_written,
        not_checked=[],
    )
    return Plan.model_validate_json(encoded(plan))


@SERVERS
def test_bytes_are_given_back(
    server: recorded.Server, tmp_path: Path, agreement: Callable[[str, int, int], None]
) -> None:
    world = fixing.world_of(server)
    (flows := tmp_path / "flows").mkdir()
    (state := tmp_path / "state").mkdir()
    broken: dict[str, bytes] = {}
    original: dict[str, bytes] = {}
    official = frontend.official() if server is recorded.OF_0_8 else frontend.official_on_0_33()
    some = [(f"{each.corpus}/{each.name}", each.workflow) for each in official][::ONE_IN]
    cases = [c for c in fixing.recorded_mutations(server, KNOWN_ORIGINALS) if c.original]
    cases += [c for c in fixing.saved_mutations(world, some) if c.original]
    for number, case in enumerate(cases):
        file, style = flows / f"{number:04}.json", STYLES[number % len(STYLES)]
        broken[str(file)] = json.dumps(case.broken, **style).encode()
        original[str(file)] = json.dumps(case.original, **style).encode()
        file.write_bytes(broken[str(file)])
        os.utime(file, (1_000_000_000, 1_000_000_000))
    here = look(world, flows)
    plan = made(here)
    place = apply.Place(here, SIGNS, "", state, lambda: IDLE)
    done = apply.apply(plan, place, only_proven=True)
    assert done.record is not None

    before = {saved.report.path: saved.report.verdict for saved in here.workflows}
    given_back: Counter[bool] = Counter()
    for saved in look(world, flows).workflows:
        path, verdict = saved.report.path, saved.report.verdict
        if saved.raw == broken[path]:
            assert verdict is before[path]
        else:
            assert verdict is Verdict.RUNNABLE
        if before[path] is not Verdict.RUNNABLE:
            given_back[saved.raw == original[path]] += 1
    agreement(f"fixes, {server.version} bytes given back", given_back[True], given_back.total())
    assert given_back.total() > 50
    assert given_back[True] >= 0.95 * given_back.total()

    undo.undo(state, records.find(state, done.record.id))
    assert {str(file): file.read_bytes() for file in flows.iterdir()} == broken
