"""Messages to send."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from comfywatchman.events.message import Message, Priority, Topic
from comfywatchman.results import Outcome
from tests.unit.history.cycles import opened, row

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def message(number: int = 0, **fields: Any) -> Message:
    """A message of the hour of that number."""
    given: dict[str, Any] = {
        "id": f"{number:032x}",
        "at": NOW + timedelta(hours=number),
        "host": "host",
        "topics": (Topic.WORSE,),
        "subject": f"host: {number} workflows got worse",
        "body": "a\nb",
        "priority": Priority.WARNING,
        "report": "host: comfywatchman report",
    }
    return Message(**given | fields)


def begin(folder: Path) -> None:
    """Begin a history, in which the outbox is."""
    with opened(folder) as history:
        history.remember(row(0, Outcome.SKIPPED), None)
