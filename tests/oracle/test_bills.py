"""Bills of the official workflows, made on one recorded server and held against the others."""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import TYPE_CHECKING

import orjson
import pytest

from comfywatchman.bom.checking import compare
from comfywatchman.bom.making import Host, bill
from comfywatchman.history.world import World
from comfywatchman.judging.cache import VerdictCache
from comfywatchman.judging.workflow import judge_workflow
from comfywatchman.results import BomState, Verdict
from comfywatchman.workflow.find import WorkflowCopy
from tests.oracle import frontend, recorded

if TYPE_CHECKING:
    from collections.abc import Callable

LARGEST, DEEPEST = 10**8, 200


def host(server: recorded.Server, state: recorded.State) -> Host:
    world = World(server.catalog(state), server.inventory(state), DEEPEST, LARGEST)
    return Host(world, {}, f"{server.version} {state}")


@cache
def workflows() -> list[WorkflowCopy]:
    """A quarter of the official workflows, in whichever release."""
    by_name = {case.name: case for case in (*frontend.official(), *frontend.official_on_0_33())}
    return [
        WorkflowCopy(f"/w/{name}", name, orjson.dumps(case.workflow))
        for name, case in sorted(by_name.items())
    ][::4]


@cache
def hosts() -> tuple[Host, ...]:
    return tuple(host(*each) for each in product(recorded.SERVERS, ("full", "empty")))


@cache
def verdicts() -> dict[tuple[str, str], Verdict]:
    """What would become of each on each host."""
    found = {}
    for here in hosts():
        world = here.world
        kept = VerdictCache(None, world.catalog, world.inventory, {})
        for each in workflows():
            report = judge_workflow(each, kept, max_bytes=LARGEST, max_depth=DEEPEST)
            found[here.told, each.name] = report.verdict
    return found


@pytest.mark.parametrize("made_on", recorded.SERVERS, ids=lambda server: server.version)
def test_where_nothing_lacks_the_workflow_runs(
    made_on: recorded.Server, agreement: Callable[[str, int, int], None]
) -> None:
    there = next(here for here in hosts() if here.told == f"{made_on.version} full")
    wrong, own = [], []
    nothing = runs = 0
    for workflow in workflows():
        bom = bill(workflow, there)
        assert bom.workflow.verdict is verdicts()[there.told, workflow.name]
        for here in hosts():
            found = compare(bom, here, "bill.json")
            runnable = verdicts()[here.told, workflow.name] is Verdict.RUNNABLE
            if not found.lacks and not runnable:
                wrong.append(f"{workflow.name} on {here.told}")
            if here is there and runnable:
                own += [f"{workflow.name}: {each.text}" for each in found.differences]
            both = runnable and bom.workflow.verdict is Verdict.RUNNABLE
            runs += both
            nothing += both and all(d.state is not BomState.LACKS for d in found.differences)
    assert wrong == []
    assert own == []
    agreement(f"bills of {made_on.version} that lack nothing where it runs", nothing, runs)
    assert nothing > 0.85 * runs > 80
