"""The channels there are, and which of them are set up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

from comfywatchman import channels, discovery
from comfywatchman.errors import ConfigError

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
    """The channel of a kind, of which its file has the name; the others are not imported.

    Raises:
        ImportError: there is none.
    """
    return cast("Channel", discovery.load(channels, kind))


def configured(settings: Settings) -> list[str]:
    """The kinds of channels that are set up."""
    return [each.KIND for each in find() if each.configured(settings)]


def targets(settings: Settings) -> tuple[dict[str, list[Target]], dict[str, str]]:
    """Where the channels that are set up send to, and why that is not known of some, by kind."""
    found: dict[str, list[Target]] = {}
    troubles: dict[str, str] = {}
    for channel in find():
        if channel.configured(settings):
            try:
                found[channel.KIND] = channel.targets(settings)
            except ConfigError as error:
                troubles[channel.KIND] = str(error)
    return found, troubles


def messages_go_to(settings: Settings) -> list[str]:
    """The kinds of channels that messages are put into the outbox for."""
    return [kind for kind in configured(settings) if kind != PING]
