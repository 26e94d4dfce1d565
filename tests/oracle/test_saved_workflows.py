"""From the saved file to the verdict: what a real server answered to what a real browser sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest

from comfywatchman.judging.prompt import judge
from comfywatchman.results import Verdict
from comfywatchman.workflow.convert import convert
from comfywatchman.workflow.load import load
from tests.oracle import frontend, recorded

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("server", recorded.SERVERS, ids=lambda server: server.version)
@pytest.mark.parametrize("state", ["full", "empty"])
def test_saved_workflows_get_the_servers_verdict(
    server: recorded.Server, state: recorded.State, agreement: Callable[[str, int, int], None]
) -> None:
    catalog, inventory = server.catalog(state), server.inventory(state)
    answers = {(r["corpus"], r["name"]): r for r in server.lines(f"verdicts_{state}")}
    saved = frontend.official() if server is recorded.OF_0_8 else frontend.official_on_0_33()
    cases = [case for case in saved if (case.corpus, case.name) in answers]
    assert len(cases) == len(answers)
    wrong = []
    for case in cases:
        judgement = judge(convert(load(orjson.dumps(case.workflow)), catalog), catalog, inventory)
        run = set(answers[case.corpus, case.name]["good_outputs"])
        known = {
            node_id
            for node_id, node in case.prompt.items()
            if node.get("class_type") in catalog and catalog[node["class_type"]].is_output
        }
        wanted = Verdict.PARTIAL if run else Verdict.BROKEN
        if run and run == known:
            wanted = Verdict.RUNNABLE
        if judgement.verdict is not wanted or len(judgement.outputs) != len(run):
            wrong.append(f"{case.name}: {judgement.verdict} instead of {wanted}")
    name = f"verdicts, {server.version} saved workflows, {state} state"
    agreement(name, len(cases) - len(wrong), len(cases))
    assert wrong == []
