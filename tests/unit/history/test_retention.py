"""What is over for long goes, a little at a time; what still holds stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfywatchman.history import retention
from comfywatchman.results import Changes, HostChange, Outcome, Verdict
from tests.unit.history.cycles import (
    broken,
    environment,
    finding,
    full,
    opened,
    row,
    when,
    workflow,
)
from tests.unit.history.test_store import rows, worse

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

DAY = 12


def host(number: int) -> Changes:
    change = HostChange(kind="pack", name="p", text=f"{number}")
    return Changes(since=when(0), host=[change])


def test_what_is_over_for_long_goes_and_what_holds_stays(tmp_path: Path) -> None:
    with opened(tmp_path, days=10) as history:
        for number in range(20):
            found = [workflow("/w/still"), broken("/w/a", f"{number}")]
            found += [workflow("/w/gone")] * (number < 5)
            history.remember(
                row(number),
                full(number, found, changes=worse("/w/a", 0), facts=environment(p=f"{number}")),
            )
        before = rows(tmp_path)
        assert before["state"] == before["found"] + 1 == 22
        for day in (11, 12, 13):
            number = 20 + day * DAY
            found = [workflow("/w/still"), broken("/w/a", "19")]
            history.remember(row(number), full(number, found, facts=environment(p="19")))
        after = rows(tmp_path)
        assert {name: after[name] for name in ("state", "found", "workflow")} == {
            "state": 2,
            "found": 2,
            "workflow": 2,
        }
        assert after["event"] == after["event_workflow"] == after["cause"] == 0
        assert after["fact_change"] == 0
        assert after["cycle"] == 3
        assert after["frame"] == 1
        now = history.report_at(when(number))
        assert now is not None
        assert [(each.path, each.since) for each in now.workflows] == [
            ("/w/a", when(0)),
            ("/w/still", when(0)),
        ]
        assert history.facts_at(when(number)) == environment(p="19").facts


def test_the_last_full_cycle_stays_however_long_ago(tmp_path: Path) -> None:
    with opened(tmp_path, days=10) as history:
        history.remember(row(0), full(0, [workflow("/w/a")]))
        history.remember(row(1), None)
        history.remember(row(20 * DAY, Outcome.FAILED), None)
        previous = history.previous()
        assert previous is not None
        assert (previous.started_at, previous.version, previous.skipped) == (when(0), "1.0", 1)


def test_a_day_long_ago_has_one_row_and_all_that_changed(tmp_path: Path) -> None:
    with opened(tmp_path) as history:
        for number in range(3 * DAY):
            if number % DAY == DAY - 1:
                history.remember(row(number, Outcome.SKIPPED), None)
                continue
            content = f"{number // 4}"
            history.remember(row(number), full(number, [workflow("/w/a", content=content)]))
        history.remember(row(120 * DAY), full(120 * DAY, []))
        cycles = history.cycles(when(0))
        assert [(cycle.started_at, cycle.others) for cycle in cycles] == [
            (when(120 * DAY), 0),
            *((when(day * DAY + DAY - 2), DAY - 1) for day in (2, 1, 0)),
        ]
        for number in range(4, 3 * DAY):
            then = history.report_at(when(number))
            assert then is not None
            (found,) = then.workflows
            assert (
                found.content_digest
                == workflow("", content=f"{min(number // 4, 8)}").content_digest
            )
        assert rows(tmp_path)["frame"] == 1


def test_a_clock_that_is_wrong_by_years_for_once_does_little_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_MOST", 3)
    with opened(tmp_path) as history:
        for number in range(30):
            found = [workflow("/w/a", content=f"{number}")]
            history.remember(row(number), full(number, found, changes=host(number)))
        history.remember(row(10**6), None)
        assert len(history.events()) == 27
        assert rows(tmp_path)["state"] == 27


def test_space_is_given_back(tmp_path: Path) -> None:
    file = tmp_path / "history.sqlite3"
    with opened(tmp_path, days=1) as history:
        for number in range(3):
            found = [
                workflow(
                    f"/w/{n}", Verdict.BROKEN, *(finding(f"{n} {k} {number}") for k in range(9))
                )
                for n in range(300)
            ]
            history.remember(row(number), full(number, found))
        large = file.stat().st_size
        for number in range(3, 12):
            history.remember(row(number * DAY), full(number * DAY, []))
    assert file.stat().st_size < large / 2
