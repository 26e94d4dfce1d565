"""Since when a workflow is what it is, and the strip of its last weeks."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from comfywatchman.report import past as drawn
from comfywatchman.results import Verdict, WorkflowReport
from tests.unit.report.sample import past, report, workflow

BROKEN, PARTIAL, UNKNOWN, RUNNABLE = (
    Verdict.BROKEN,
    Verdict.PARTIAL,
    Verdict.UNKNOWN,
    Verdict.RUNNABLE,
)
NOW = report([]).started_at


def told(*verdicts: tuple[float, Verdict]) -> WorkflowReport:
    return workflow("w", verdicts[-1][1], **past(*verdicts))


def on_page(*verdicts: tuple[float, Verdict]) -> str:
    return drawn.on_page(told(*verdicts), NOW)


def test_since_when() -> None:
    assert drawn.in_words(told((5.2, BROKEN)), NOW) == (
        "broken since 2026-11-18 05:12 UTC (5 days)"
    )
    assert drawn.in_words(told((0, PARTIAL)), NOW) == "partial since 2026-11-23 10:00 UTC (now)"
    assert drawn.in_words(workflow("w", BROKEN), NOW) == ""
    assert drawn.on_page(workflow("w", BROKEN), NOW) == ""


def test_what_did_not_change_is_not_drawn() -> None:
    assert on_page((360, RUNNABLE)) == (
        '<span class="past"><span>runnable since <time datetime="2025-11-28T10:00Z">28 Nov 2025'
        "</time> (360 days)</span></span>"
    )


def test_a_strip_says_what_it_shows() -> None:
    page = on_page((60, RUNNABLE), (11, BROKEN))
    assert page == (
        '<span class="past"><span>broken since <time datetime="2026-11-12T10:00Z">12 Nov</time> '
        '(11 days)</span><svg class="strip" viewBox="0 0 84 10" role="img" '
        'aria-label="runnable until 12 Nov, broken since"><path class="broken" d="M62 5h22"/>'
        '<path class="runnable" d="M0 5h62"/></svg></span>'
    )


def test_one_that_changes_often_is_counted_in_words() -> None:
    flapping = [(40 - n / 2, (BROKEN, RUNNABLE)[n % 2]) for n in range(60)]
    (label,) = re.findall('aria-label="(.*?)"', on_page(*flapping))
    assert label == "59 changes since 14 Oct, runnable since 12 Nov"


@pytest.mark.parametrize(
    ("verdicts", "most"),
    [
        ([(50, RUNNABLE), (3, BROKEN)], 200),
        ([(50, RUNNABLE), (30, PARTIAL), (3, BROKEN)], 260),
        ([(n / 12, list(Verdict)[n % 4]) for n in range(500, -1, -1)], 400),
    ],
)
def test_a_strip_is_small(verdicts: list[tuple[float, Verdict]], most: int) -> None:
    (strip,) = re.findall("<svg.*</svg>", on_page(*verdicts))
    assert len(strip) <= most


def test_nothing_is_drawn_outside_or_too_narrow_to_be_seen() -> None:
    page = on_page((1e5, RUNNABLE), (90, BROKEN), (10, RUNNABLE), (0.01, UNKNOWN), (-2, PARTIAL))
    parts = [(int(x), int(width)) for x, width in re.findall(r"M(\d+) 5h(-?\d+)", page)]
    assert min(width for _, width in parts) == 2
    assert sorted(parts) == [(0, 64), (64, 16), (80, 2), (82, 2)]


def test_weeks_that_are_not_known_are_left_blank() -> None:
    page = on_page((21, BROKEN), (1, RUNNABLE))
    assert "M42 5h40" in page
    assert "M0 " not in page


def test_a_past_that_is_out_of_order_is_drawn_somehow() -> None:
    page = on_page((1, BROKEN), (20, RUNNABLE), (3, BROKEN))
    assert all(int(width) > 0 for width in re.findall(r"5h(-?\d+)", page))


def test_zones_do_not_matter() -> None:
    local = NOW.astimezone() - timedelta(days=11)
    moved = told((60, RUNNABLE), (11, BROKEN)).model_copy(update={"since": local})
    assert drawn.on_page(moved, NOW) == on_page((60, RUNNABLE), (11, BROKEN))
