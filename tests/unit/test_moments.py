"""Moments as people write them: in the zone of the machine, and what is none is a sentence."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from comfywatchman import moments
from tests.unit.report.sample import HOSTILE

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 11, 25, 14, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nine hours ahead of UTC: it is half past eleven there, of the same day."""
    with monkeypatch.context() as changed:
        changed.setenv("TZ", "JST-9")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("text", "begins", "ends"),
    [
        ("90min", "2026-11-25 13:00", None),
        ("12h", "2026-11-25 02:30", None),
        ("2d", "2026-11-23 14:30", None),
        ("2 d ago", "2026-11-23 14:30", None),
        (" 1w ", "2026-11-18 14:30", None),
        ("today", "2026-11-24 15:00", "2026-11-25 14:30"),
        ("yesterday", "2026-11-23 15:00", "2026-11-24 14:59"),
        ("2026-11-20", "2026-11-19 15:00", "2026-11-20 14:59"),
        ("20261120", "2026-11-19 15:00", "2026-11-20 14:59"),
        ("2026-11-20T08:00", "2026-11-19 23:00", None),
        ("2026-11-20 08:00", "2026-11-19 23:00", None),
        ("2026-11-20T08:00Z", "2026-11-20 08:00", None),
        ("2026-11-20 08:00 UTC", "2026-11-20 08:00", None),
        ("2026-11-20T08:00+02:00", "2026-11-20 06:00", None),
    ],
)
def test_what_is_meant(text: str, begins: str, ends: str | None) -> None:
    assert moments.shown(moments.read(text, NOW)) == f"{begins} UTC"
    assert moments.shown(moments.read(text, NOW, end_of_day=True)) == f"{ends or begins} UTC"


@pytest.mark.parametrize(
    "text",
    ["soon", "7", "7y", "-7d", "2026-13-01", "999999w", "0001-01-01", "\uff12d", *HOSTILE[:-1]],
)
def test_what_means_none(text: str) -> None:
    with pytest.raises(ValueError, match="is no time: give an age such as 12h, 7d or 2w, a date"):
        moments.read(text, NOW)


@pytest.mark.parametrize("text", ["2026-11-26", "2026-11-25T23:31", "2026-11-25T14:31Z"])
def test_what_is_still_to_come(text: str) -> None:
    with pytest.raises(ValueError, match=r"is still to come: it is 2026-11-25 14:30 UTC"):
        moments.read(text, NOW)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("90min", "2026-11-25 16:00"),
        ("12h", "2026-11-26 02:30"),
        (" 7d ", "2026-12-02 14:30"),
        ("23:45", "2026-11-25 14:45"),
        ("23:30", "2026-11-26 14:30"),
        ("8:00", "2026-11-25 23:00"),
        ("today", "2026-11-25 14:59"),
        ("2026-11-25", "2026-11-25 14:59"),
        ("2026-11-26", "2026-11-26 14:59"),
        ("2026-11-26T08:00", "2026-11-25 23:00"),
        ("2026-11-26 08:00Z", "2026-11-26 08:00"),
    ],
)
def test_what_is_meant_of_what_is_to_come(text: str, meant: str) -> None:
    assert moments.shown(moments.read_coming(text, NOW)) == f"{meant} UTC"


@pytest.mark.parametrize(
    "text", ["soon", "7", "-7d", "24:00", "9:60", "2026-13-01", "999999w", "\uff12d", *HOSTILE[:-1]]
)
def test_what_means_nothing_to_come(text: str) -> None:
    with pytest.raises(ValueError, match="is no time: give how long from now, such as 90min"):
        moments.read_coming(text, NOW)


@pytest.mark.parametrize("text", ["0h", "2h ago", "yesterday", "2026-11-24", "2026-11-25T23:30"])
def test_what_is_over(text: str) -> None:
    with pytest.raises(ValueError, match=r"is over: it is 2026-11-25 14:30 UTC"):
        moments.read_coming(text, NOW)


def test_moments_at_the_ends_of_the_calendar_can_be_shown() -> None:
    early = datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))
    assert moments.shown(early).endswith("-01-01 00:00 UTC")
    assert moments.shown(datetime(2026, 11, 20, 8)) == "2026-11-20 08:00 UTC"  # noqa: DTZ001
