"""A workflow's last weeks: since when it is what it is, and a strip of its verdicts."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from markupsafe import Markup

from comfywatchman.moments import in_utc, shown, span

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from comfywatchman.results import Verdict, WorkflowReport

WEEKS = 6
"""How many weeks a report looks back, and a strip shows."""
_UNIT = timedelta(hours=12)
_WIDTH = timedelta(weeks=WEEKS) // _UNIT
_NARROWEST = 2
"""Units of a verdict that did not last: what is a moment ago must be seen."""
_CHANGES_SHOWN = 12
"""Verdicts drawn of one that changes all the time, the last ones; further back nothing is drawn."""
_CHANGES_TOLD = 4
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def in_words(workflow: WorkflowReport, now: datetime) -> str:
    """E.g. ``broken since 2026-11-20 08:00 UTC (5 days)``; empty without a history."""
    if workflow.since is None:
        return ""
    return f"{workflow.verdict} since {shown(workflow.since)} ({_length(workflow.since, now)})"


def on_page(workflow: WorkflowReport, now: datetime) -> Markup:
    """The same for a page, with a strip of the last weeks if something changed in them.

    Returns:
        A line of HTML, without the name of anybody; empty without a history. The strip is one SVG
        image of about 200 bytes with a text in its place; it is thicker where the verdict is worse.
    """
    if workflow.since is None:
        return Markup()
    past = workflow.past
    changes = tuple((each.since, each.verdict) for each in past) if len(past) > 1 else ()
    return _on_page(workflow.verdict, workflow.since, changes, now)


@lru_cache(4096)
def _on_page(
    verdict: Verdict, since: datetime, past: tuple[tuple[datetime, Verdict], ...], now: datetime
) -> Markup:
    now, since = in_utc(now), in_utc(since)
    strip = _strip([(in_utc(moment), each) for moment, each in past], now) if past else ""
    iso = since.isoformat(timespec="minutes")[: -len("+00:00")]
    time = f'<time datetime="{iso}Z">{_day(since, now)}</time>'
    # Nothing in it is of anybody else's making.
    return Markup(  # noqa: S704
        f'<span class="past"><span>{verdict} since {time} ({_length(since, now)})</span>'
        f"{strip}</span>"
    )


def _strip(past: Sequence[tuple[datetime, Verdict]], now: datetime) -> str:
    begin = now - timedelta(weeks=WEEKS)
    paths: dict[Verdict, str] = {}
    end = _WIDTH
    for moment, verdict in past[: -_CHANGES_SHOWN - 1 : -1]:
        start = max(0, min(round((moment - begin) / _UNIT), end - _NARROWEST))
        paths[verdict] = f"M{start} 5h{end - start}{paths.get(verdict, '')}"
        end = start
        if not start:
            break
    drawn = "".join([f'<path class="{v}" d="{d}"/>' for v, d in paths.items()])
    told = _told(past, now)
    return (
        f'<svg class="strip" viewBox="0 0 {_WIDTH} 10" role="img" aria-label="{told}">{drawn}</svg>'
    )


def _told(past: Sequence[tuple[datetime, Verdict]], now: datetime) -> str:
    """E.g. ``runnable until 12 Nov, broken since``."""
    *before, (moment, verdict) = past
    if len(before) > _CHANGES_TOLD:
        first, last = _day(before[0][0], now), _day(moment, now)
        return f"{len(before)} changes since {first}, {verdict} since {last}"
    untils = zip(before, past[1:], strict=True)
    told = [f"{was} until {_day(until, now)}" for (_, was), (until, _) in untils]
    return ", ".join([*told, f"{verdict} since"])


def _length(moment: datetime, now: datetime) -> str:
    seconds = (in_utc(now) - in_utc(moment)).total_seconds()
    return span(seconds) if seconds > 0 else "now"


def _day(moment: datetime, now: datetime) -> str:
    day = f"{moment.day} {_MONTHS[moment.month - 1]}"
    return day if moment.year == now.year else f"{day} {moment.year}"
