"""Reading ``accepted.toml`` and a team's ``accepted.team.toml``, which lie beside ``config.toml``.

What is wrong in them is told in sentences, and takes nothing else with it. A cycle reads them, so
nothing slow is imported.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from comfywatchman import state
from comfywatchman.escape import visible
from comfywatchman.findings import quoted
from comfywatchman.judging.accepted import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OWN: Final = "accepted.toml"
"""The host's own, which ``comfywatchman accept`` writes."""
TEAM: Final = "accepted.team.toml"
"""A team's, which the role writes."""
LARGEST: Final = 1024**2
"""Bytes of a file."""
LONGEST: Final = timedelta(days=180)
"""How long something may be accepted: what is for ever is a pattern in ``workflow_exclude``."""
REASON_LENGTH: Final = 1_000
"""Characters of a reason."""

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TEXTS: Final = ("id", "workflow", "code", "reason", "by")
_PINS: Final = ("fingerprints", "faults")
_KEYS: Final = (*_TEXTS, "until", *_PINS)
_REQUIRED: Final = {
    "id": 'give it a name of its own, such as id = "no-upscaler"',
    "workflow": "name the workflow as a report does",
    "reason": "say why it is accepted",
    "until": f"say until which day, {LONGEST.days} days ahead at most, such as until = 2026-12-31",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong in a file.

    Attributes:
        text: a sentence: where it stands, what was found, what to do.
        file: the file.
        team: whether it is a team's.
        id: of the entry; empty if it has none, or it is the file as a whole.
    """

    text: str
    file: str
    team: bool
    id: str = ""


@dataclass(slots=True)
class Known:
    """What the files say.

    Attributes:
        entries: those that can be heeded, each with an id of its own.
        problems: what is wrong.
    """

    entries: list[Entry] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def read(config_file: Path | None, today: date) -> Known:
    """Read both files.

    Args:
        config_file: the configuration file that they lie beside; None: there is no such place.
        today: the day on this host.
    """
    known = Known()
    if config_file is not None:
        for name in (TEAM, OWN):
            _Reader(config_file.with_name(name), today, known, team=name == TEAM).read()
    return known


def own_file(config_file: Path) -> Path:
    """The host's own file."""
    return config_file.with_name(OWN)


def too_late(until: date, today: date) -> str:
    """What is wrong with a last day that is too far ahead; empty if it is not."""
    latest = today + LONGEST
    return (
        f"is more than {LONGEST.days} days ahead; choose {latest} or an earlier day"
        if until > latest
        else ""
    )


class _Reader:
    """Reads one file into what is known."""

    def __init__(self, file: Path, today: date, known: Known, *, team: bool) -> None:
        self._file = file
        self._shown = visible(str(file))
        self._today = today
        self._known = known
        self._team = team

    def read(self) -> None:
        """Read it; no file is none."""
        try:
            values = tomllib.loads(state.read_file(self._file, LARGEST).decode())
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            self._wrong(f"cannot be read: {error.strerror}; correct its permissions or its size")
            return
        except UnicodeDecodeError as error:
            self._wrong(f"is not UTF-8 text ({error.reason}); save it as UTF-8")
            return
        except (ValueError, RecursionError) as error:
            what = "is nested too deep" if isinstance(error, RecursionError) else str(error)
            self._wrong(f"is not valid TOML: {what}; correct it: nothing in it is heeded")
            return
        for problem in _unknown_keys(values, ("accepted",)):
            self._wrong(problem)
        entries = values.get("accepted", [])
        if not isinstance(entries, list):
            self._wrong("accepted: must be entries, each below a line [[accepted]]")
            return
        for number, entry in enumerate(entries, start=1):
            self._entry(number, entry)

    def _entry(self, number: int, values: object) -> None:
        where = f"entry {number}"
        if not isinstance(values, dict):
            self._wrong(f"{where}: must be a table, below a line [[accepted]]")
            return
        name = values.get("id")
        known_as = name if isinstance(name, str) and _ID.fullmatch(name) else ""
        if known_as:
            where += f" ({known_as})"
        problems = [*_problems(values, self._today), *self._namesakes(known_as)]
        for problem in problems:
            self._wrong(f"{where}: {problem}", known_as)
        if not problems:
            self._known.entries.append(self._made(values))

    def _made(self, values: dict[str, Any]) -> Entry:
        return Entry(
            id=values["id"],
            workflow=values["workflow"],
            reason=values["reason"].strip(),
            until=values["until"],
            by=values.get("by"),
            code=values.get("code"),
            fingerprints=frozenset(values.get("fingerprints", ())),
            faults=frozenset(values.get("faults", ())),
            file=self._shown,
            team=self._team,
        )

    def _namesakes(self, name: str) -> Iterator[str]:
        for entry in self._known.entries:
            if entry.id == name:
                yield (
                    f"id = {quoted(name)}: another entry of {entry.file} is called so, and counts; "
                    "give this one a name of its own"
                )

    def _wrong(self, text: str, known_as: str = "") -> None:
        problem = Problem(f"{self._shown}: {text}", self._shown, self._team, known_as)
        self._known.problems.append(problem)


def _problems(values: dict[str, Any], today: date) -> Iterator[str]:
    """What is wrong in an entry, each the end of a sentence."""
    yield from _unknown_keys(values, _KEYS)
    for key, remedy in _REQUIRED.items():
        if key not in values:
            yield f"{key} is not there; {remedy}"
    for key, value in values.items():
        problem = ""
        if key in _TEXTS:
            problem = _wrong_text(key, value)
        elif key == "until":
            problem = _wrong_day(value, today)
        elif key in _PINS and not _are_texts(value):
            problem = "must be a list of texts, as the JSON form of the report has them"
        if problem:
            yield f"{key} = {quoted(value)}: {problem}"
    if not any(values.get(key) for key in _PINS):
        yield (
            "neither fingerprints nor faults are there; name the errors that are accepted, as "
            "comfywatchman accept does"
        )


def _wrong_text(key: str, value: object) -> str:
    if not isinstance(value, str):
        return "must be text, in quotes"
    if not value.strip():
        return "must not be empty"
    if key == "reason" and len(value) > REASON_LENGTH:
        return f"must have at most {REASON_LENGTH:,} characters"
    if key == "id" and not _ID.fullmatch(value):
        return "must be up to 64 letters, digits, '.', '_' and '-', the first no mark"
    return ""


def _wrong_day(value: object, today: date) -> str:
    if not isinstance(value, date) or isinstance(value, datetime):
        return "must be a day, without quotes and time, such as 2026-12-31"
    return too_late(value, today)


def _unknown_keys(values: dict[str, Any], known: tuple[str, ...]) -> Iterator[str]:
    for key in sorted(values.keys() - set(known)):
        near = difflib.get_close_matches(key[:64], known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        yield f"unknown key {quoted(key)}{hint}; correct its name or remove it"


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)
