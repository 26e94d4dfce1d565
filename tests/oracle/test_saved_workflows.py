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


@pytest.mark.parametrize("state", ["full", "empty"])
def test_saved_workflows_get_the_servers_verdict(
    state: recorded.State, agreement: Callable[[str, int, int], None]
) -> None:
    catalog, inventory = recorded.OF_0_8.catalog(state), recorded.OF_0_8.inventory(state)
    answers = {(r["corpus"], r["name"]): r for r in recorded.OF_0_8.lines(f"verdicts_{state}")}
    cases = [case for case in frontend.official() if (case.corpus, case.name) in answers]
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
    agreement(f"verdicts, saved workflows, {state} state", len(cases) - len(wrong), len(cases))
    assert wrong == []
