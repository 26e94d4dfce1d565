"""``notify.json``: what is kept between two times that messages are sent. Imports nothing slow.

It holds no address: where messages go to is known by a digest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from comfywatchman import state, state_files
from comfywatchman.results import FailingChannel

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_LARGEST = 2**20


@dataclass(slots=True)
class Kept:
    """What is kept.

    Attributes:
        channels: what a channel keeps of a target, by its key.
        reached: keys of the targets that have a message which others still wait for, by its id.
        troubles: ``name``, ``since`` and ``why`` of the targets that could not be reached when they
            were tried last, by their key.
    """

    channels: dict[str, dict[str, Any]] = field(default_factory=dict)
    reached: dict[str, list[str]] = field(default_factory=dict)
    troubles: dict[str, dict[str, str]] = field(default_factory=dict)

    def fails(self, key: str, name: str, why: str) -> None:
        """A target could not be reached."""
        since = self.troubles.get(key, {}).get("since") or datetime.now(UTC).isoformat()
        self.troubles[key] = {"name": name, "since": since, "why": why}

    def works(self, key: str) -> None:
        """A target was reached."""
        self.troubles.pop(key, None)

    def forget(self, targets: Iterable[str], messages: Iterable[str]) -> None:
        """Keep what is of these targets and messages alone."""
        keys, ids = frozenset(targets), frozenset(messages)
        self.channels = {k: v for k, v in self.channels.items() if k in keys}
        self.troubles = {k: v for k, v in self.troubles.items() if k in keys}
        self.reached = {k: v for k, v in self.reached.items() if k in ids}

    def write(self, folder: Path) -> None:
        """Keep it.

        Raises:
            OSError: it cannot be written.
        """
        content = {name: getattr(self, name) for name in self.__slots__}
        state.replace_file(folder / state_files.NOTIFY, orjson.dumps(content) + b"\n")


def read(folder: Path) -> Kept:
    """What is kept; nothing if it is damaged, or not there."""
    try:
        content = orjson.loads(state.read_file(folder / state_files.NOTIFY, _LARGEST))
        kept = Kept(**{name: content.get(name, {}) for name in Kept.__slots__})
        kept.channels = {str(k): dict(v) for k, v in kept.channels.items()}
        kept.reached = {str(k): [str(each) for each in v] for k, v in kept.reached.items()}
        kept.troubles = {
            str(k): {name: str(v[name]) for name in ("name", "since", "why")}
            for k, v in kept.troubles.items()
        }
    except (OSError, ValueError, TypeError, AttributeError, KeyError):
        return Kept()
    return kept


def failing(folder: Path) -> list[FailingChannel]:
    """The targets that could not be reached when they were tried last."""
    return [
        FailingChannel(name=each["name"], since=_moment(each["since"]), why=each["why"])
        for each in read(folder).troubles.values()
    ]


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
