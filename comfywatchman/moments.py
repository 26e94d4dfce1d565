"""Moments and lengths of time, as people read and write them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta

_AGE = re.compile(r"([0-9]{1,6}) ?(min|h|d|w)(?: ago)?")
_TIME_OF_DAY = re.compile(r"[0-9]{1,2}:[0-9]{2}")
_UNITS = {
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_DAYS = {"today": 0, "yesterday": 1}


def in_utc(moment: datetime) -> datetime:
    """``moment`` in UTC; one without a zone is taken to be UTC already."""
    if moment.tzinfo is UTC:
        return moment
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:  # at either end of the calendar
        return moment.replace(tzinfo=UTC)


def shown(moment: datetime) -> str:
    """To the minute, e.g. ``2026-11-20 08:00 UTC``."""
    return f"{in_utc(moment):%Y-%m-%d %H:%M} UTC"


def span(seconds: float) -> str:
    """Say how long something took, in its largest unit: ``3 hours``."""
    whole = max(0, int(seconds))
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if whole >= size:
            count = whole // size
            return f"{count} {unit}{'s' * (count > 1)}"
    return f"{whole} s"


def read(text: str, now: datetime, *, end_of_day: bool = False) -> datetime:
    """The past moment that a person means, in UTC.

    Args:
        text: an age (``90min``, ``12h``, ``7d``, ``2w``), a date, a date and time, ``today`` or
            ``yesterday``. What names no zone is in the zone of this machine.
        now: the present.
        end_of_day: a day stands for its end, and today for the present.

    Raises:
        ValueError: it means none, or one that is still to come. The text says what would do.
    """
    try:
        first, last = _meant(text.strip(), now)
        first, last = first.astimezone(UTC), last.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise ValueError(
            f"{text!r} is no time: give an age such as 12h, 7d or 2w, a date such as 2026-11-20, "
            "one with a time such as 2026-11-20T08:00 (in the zone of this machine; with a Z at "
            "its end in UTC), today or yesterday"
        ) from None
    if first > now:
        raise ValueError(f"{text!r} is still to come: it is {shown(now)}")
    return min(last, now) if end_of_day else first


def read_coming(text: str, now: datetime) -> datetime:
    """The moment still to come that a person means, in UTC.

    Args:
        text: how long from now (``90min``, ``12h``, ``7d``), a time of day (``18:00``: the next
            one), a date (its end), or a date and time. What names no zone is in the zone of this
            machine.
        now: the present.

    Raises:
        ValueError: it means none, or one that is over. The text says what would do.
    """
    try:
        given = text.strip()
        if (length := _AGE.fullmatch(given)) and not given.endswith("ago"):
            moment = now + int(length[1]) * _UNITS[length[2]]
        elif _TIME_OF_DAY.fullmatch(given):
            here = now.astimezone()
            at = time.fromisoformat(given.zfill(5))
            days = (here.date(), here.date() + timedelta(days=1))
            todays, tomorrows = (datetime.combine(day, at).astimezone(UTC) for day in days)
            moment = todays if todays > now else tomorrows
        else:
            moment = _meant(given, now)[1]
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise ValueError(
            f"{text!r} is no time: give how long from now, such as 90min, 12h or 7d, a time of day "
            "such as 18:00, a date such as 2026-11-20 (its end), or one with a time such as "
            "2026-11-20T08:00 (in the zone of this machine; with a Z at its end in UTC)"
        ) from None
    if moment <= now:
        raise ValueError(f"{text!r} is over: it is {shown(now)}")
    return moment


def _meant(text: str, now: datetime) -> tuple[datetime, datetime]:
    """The first and the last moment of what is meant."""
    if age := _AGE.fullmatch(text):
        moment = now - int(age[1]) * _UNITS[age[2]]
        return moment, moment
    if text in _DAYS:
        day = now.astimezone().date() - timedelta(days=_DAYS[text])
    elif len(text) <= len("2026-11-20"):
        day = date.fromisoformat(text)
    else:
        moment = datetime.fromisoformat(text.replace(" UTC", "+00:00"))
        return moment, moment
    midnight, next_one = (
        datetime.combine(each, time()).astimezone() for each in (day, day + timedelta(days=1))
    )
    return midnight, next_one - datetime.resolution
