"""The channels there are, and which of them are set up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

from comfywatchman import channels, discovery

if TYPE_CHECKING:
    from collections.abc import Mapping

    from comfywatchman.channels.sending.target import Target
    from comfywatchman.events.message import Message
    from comfywatchman.settings import Settings

PING = "ping"
"""The one channel that is told of cycles, not of messages."""


class Channel(Protocol):
    """A module of :mod:`comfywatchman.channels`, which says what these do."""

    KIND: str

    def configured(self, settings: Settings) -> bool:
        """Whether it is set up."""

    def targets(self, settings: Settings) -> list[Target]:
        """Where it sends to."""

    def send(
        self, given: Mapping[str, Any], message: Message | None, kept: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Send one message."""


def find() -> list[Channel]:
    """All channels there are."""
    return cast("list[Channel]", discovery.import_all(channels))


def by_kind(kind: str) -> Channel:
    """The channel of a kind.

    Raises:
        StopIteration: there is none.
    """
    return next(each for each in find() if kind == each.KIND)


def configured(settings: Settings) -> list[str]:
    """The kinds of channels that are set up."""
    return [each.KIND for each in find() if each.configured(settings)]


def messages_go_to(settings: Settings) -> list[str]:
    """The kinds of channels that messages are put into the outbox for."""
    return [kind for kind in configured(settings) if kind != PING]
