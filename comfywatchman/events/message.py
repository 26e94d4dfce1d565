"""A message: what one cycle tells people, whichever channels it goes by.

Subject and body are plain text that is safe to show: each line passed :func:`escape.visible`, and
what others named stands within a line. A channel that has rules of its own (HTML, markup, a mail's
head) escapes by them.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict

from comfywatchman.escape import visible


class Topic(StrEnum):
    """What a message is about; it may be about several things."""

    WORSE = "worse"
    MENDED = "mended"
    NEW_BROKEN = "new_broken"
    SHRUNK = "shrunk"
    PACK_NOT_LOADED = "pack_not_loaded"
    CYCLES_FAILING = "cycles_failing"
    ALWAYS_SKIPPED = "always_skipped"
    ACCEPTANCE_EXPIRED = "acceptance_expired"
    UPGRADED = "upgraded"
    FLAPPING = "flapping"
    SUMMARY = "summary"
    REMINDER = "reminder"
    # What the controller's own watch tells of hosts (docs/fleet.md).
    SILENT = "silent"
    STALE = "stale"
    PROBLEM = "problem"
    WELL = "well"
    DIFFERS = "differs"
    WATCH_FAILED = "watch_failed"
    WATCH_WORKS = "watch_works"


class Priority(StrEnum):
    """Whether something is to be done about it."""

    WARNING = "warning"
    NOTICE = "notice"


def _lines(text: str) -> str:
    return "\n".join(map(visible, text.split("\n")))


class Doubt(BaseModel):
    """A message that is to be sent only if a second look confirms it.

    See :func:`comfywatchman.events.second_look.denial`.
    """

    # An older release reads what a newer one wrote before it was taken back.
    model_config = ConfigDict(frozen=True, extra="ignore")

    not_before: datetime
    """When the second look is due, UTC."""
    node_types: tuple[str, ...]
    """Node types that the server lacked; it is withdrawn if one of them is there."""


class Message(BaseModel):
    """What one cycle tells."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    """The same whenever this is told, 32 characters of hexadecimal."""
    at: datetime
    """Start of the cycle that tells it, UTC."""
    host: Annotated[str, AfterValidator(visible)]
    """Name of the host and, in brackets, of the instance if it has one."""
    topics: tuple[Topic, ...]
    """At least one; what matters most first."""
    subject: Annotated[str, AfterValidator(visible)]
    """One line, which names the host."""
    body: Annotated[str, AfterValidator(_lines)]
    """Lines of plain text: what, why, what to do, and where the report is."""
    priority: Priority
    report: Annotated[str, AfterValidator(visible)]
    """An address where the report is, else how to see it: ``HOST: comfywatchman report``."""
    doubt: Doubt | None = None
    """Null if it is certain."""

    def as_json(self) -> bytes:
        """JSON that :meth:`from_json` reads."""
        return self.model_dump_json(exclude_defaults=True).encode()

    @classmethod
    def from_json(cls, content: bytes | str) -> Self:
        """Read it back.

        Raises:
            ValueError: it is none.
        """
        return cls.model_validate_json(content)
