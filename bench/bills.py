"""Whether a bill of materials says rightly what lacks on a host that changed, and what it costs.

The hosts are made of what real servers said; see ``tests/changes.py``. The truth is the verdict on
the very workflow there.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from typing import TYPE_CHECKING, Final

from comfywatchman.bom.checking import compare
from comfywatchman.bom.making import Host, bill
from comfywatchman.results import Verdict
from comfywatchman.workflow.find import WorkflowCopy
from tests import changes

if TYPE_CHECKING:
    from comfywatchman.history.world import World

RECALL: Final = 0.5
"""Least share of the cases that run on, of which it is said that nothing lacks."""
COST: Final = 8.0
"""Most that a bill and a check of it may take, as a multiple of judging the workflow twice."""


def main(count: int, seed: int) -> None:
    """Measure and print.

    Args:
        count: how many changed hosts.
        seed: what they are drawn by.

    Raises:
        SystemExit: it is said that nothing lacks where the workflow does not run, too rarely where
            it does, or it takes too long.
    """
    tally: Counter[str] = Counter()
    wrong = []
    billing = judging = 0.0
    for case in changes.cases(random.Random(f"{seed} bills"), count, at_once=2):
        files = frozenset(change for change in case.changes if change.kind != "edit")
        workflow = WorkflowCopy(f"/w/{case.name}", case.name, case.raw)
        before, now = case.host.world(()), case.host.world(files)
        start = time.process_time()
        verdicts = [changes.judged(case.name, case.raw, each).verdict for each in (before, now)]
        judging += time.process_time() - start
        start = time.process_time()
        found = compare(bill(workflow, _host(before)), _host(now), "bill.json")
        billing += time.process_time() - start
        if verdicts[0] is not Verdict.RUNNABLE:
            tally["not runnable before"] += 1
        elif verdicts[1] is Verdict.RUNNABLE:
            tally["runs on"] += 1
            tally["runs on, and nothing lacks"] += not found.lacks
        else:
            tally["runs no more"] += 1
        if not found.lacks and verdicts[1] is not Verdict.RUNNABLE:
            wrong.append(f"{case.name}: {case.changes}: {verdicts[1]}")
    print(f"seed {seed}: {count} changed hosts; {dict(sorted(tally.items()))}")
    print("\n".join(f"  wrong: {each}" for each in wrong))
    share = tally["runs on, and nothing lacks"] / max(1, tally["runs on"])
    print(f"said to lack nothing, and does not run: {len(wrong)}; of those that run on {share:.1%}")
    print(f"a bill and its check: {billing / judging:.2f} x judging the workflow on both hosts")
    if wrong or share < RECALL or billing > COST * judging:
        raise SystemExit("a bill says wrongly what lacks, or takes too long")


def _host(world: World) -> Host:
    return Host(world, {}, "what was recorded")
