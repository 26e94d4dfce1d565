"""Quiet: a time of maintenance, in which nothing is told, and after which what is as before is not.

A file in the state folder; what is damaged there keeps nothing quiet.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import orjson

from comfywatchman import state, state_files
from comfywatchman.moments import in_utc

if TYPE_CHECKING:
    from pathlib import Path

LONGEST: Final = timedelta(days=30)
"""What is quiet for longer has been forgotten."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """A time in which nothing is told.

    Attributes:
        since: when it was begun, UTC.
        until: when it ends by itself, UTC.
    """

    since: datetime
    until: datetime


def read(folder: Path, now: datetime | None = None) -> Quiet | None:
    """The quiet that holds now; None if none does.

    Args:
        folder: the state folder.
        now: the present.
    """
    with suppress(OSError, ValueError, KeyError, TypeError):
        content = orjson.loads(state.read_file(folder / state_files.QUIET))
        since, until = (
            in_utc(datetime.fromisoformat(content[name])) for name in ("since", "until")
        )
        if since <= (now or datetime.now(UTC)) < until <= since + LONGEST:
            return Quiet(since, until)
    return None


def begin(folder: Path, quiet: Quiet) -> None:
    """Begin one, in place of one that holds.

    Raises:
        OSError: it could not be written.
    """
    content = {"since": quiet.since.isoformat(), "until": quiet.until.isoformat()}
    state.replace_file(folder / state_files.QUIET, orjson.dumps(content) + b"\n")


def end(folder: Path) -> None:
    """End it; nothing is done where none was begun.

    Raises:
        OSError: it could not be removed.
    """
    (folder / state_files.QUIET).unlink(missing_ok=True)
