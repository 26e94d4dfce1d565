"""What is known from one cycle to the next of what people have been told."""

from __future__ import annotations

import hashlib
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from comfywatchman.results import Verdict


class Kept(BaseModel):
    """What people have been told, as far as it decides what they are told next.

    Things are known by their :func:`mark`, so that nothing here grows with what others named.
    """

    # An older release reads what a newer one wrote before it was taken back.
    model_config = ConfigDict(frozen=True, extra="ignore")

    summarized: bool = False
    """Whether the one summary was told that comes first."""
    since: datetime | None = None
    """Start of the full cycle up to which all is told, where it is not the last one: then there
    was quiet, or what the last one told is in doubt."""
    doubted: str | None = None
    """Id of the message that is in doubt."""
    counted_from: datetime | None = None
    """End of the last quiet: what changed before does not count as flapping."""
    failing: bool = False
    """Whether it was told that cycles fail, and none was done since."""
    skipped_at: datetime | None = None
    """When it was told last that all are skipped; null once one is done."""
    shrunk: frozenset[str] = frozenset()
    """Workflows of which it was told, and which still are."""
    not_loaded: frozenset[str] = frozenset()
    """Packs, likewise."""
    acceptances: frozenset[str] = frozenset()
    """Acceptances that do not hold, likewise."""
    flapping: dict[str, Verdict] = {}
    """Workflows of which it was told, with the verdict that was told."""
    reminded_at: datetime | None = None
    """When it was told last that something is down; null while nothing is."""
    reminders: int = 0
    """How many reminders there were since it was told that something got worse."""


def mark(*names: str | None) -> str:
    """What a thing is known by."""
    text = "\0".join(name or "" for name in names)
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).hexdigest()
