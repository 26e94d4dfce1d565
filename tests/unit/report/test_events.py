"""The history for a terminal."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from rich.cells import cell_len

from comfywatchman.report import events
from comfywatchman.report.terminal import Page
from comfywatchman.results import HistoryEvent, HistoryReport, PastVerdict, Verdict
from tests.unit.report.sample import HOSTILE, hostile, remembered


def history(make) -> HistoryReport:
    found = make()
    return HistoryReport(
        comfywatchman_version="0.1.0",
        host=found.host,
        since=None,
        workflow="".join(HOSTILE),
        verdicts=[PastVerdict(since=found.started_at, verdict=verdict) for verdict in Verdict],
        events=[
            HistoryEvent(at=found.started_at - timedelta(days=n), changes=found.changes)
            for n in range(2)
        ],
        notes=list(HOSTILE),
    )


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("width", [48, 100, 200])
@pytest.mark.parametrize("make", [remembered, hostile])
def test_every_line_fits_and_nothing_acts(make, width: int, encoding: str) -> None:
    shown = events.render(history(make), Page(width=width, color=False, encoding=encoding))
    shown.encode(encoding)
    assert max(cell_len(line) for line in shown.split("\n") if "://" not in line) <= width
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", shown)
    headings = [line for line in shown.split("\n") if re.match(r"──|-- ", line)]
    assert len(headings) == 2


def test_colour_changes_nothing_but_colour() -> None:
    plain, colored = (
        events.render(history(remembered), Page(width=80, color=color, encoding="utf-8"))
        for color in (False, True)
    )
    assert plain != colored
    assert re.sub(r"\x1b\[[0-9;]+m", "", colored) == plain
