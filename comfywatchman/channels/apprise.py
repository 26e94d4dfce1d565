"""Everything that Apprise reaches: mail, ntfy, Matrix, Slack, Telegram, … by the address of each.

The addresses are in a file, one a line, ``tag=address`` or ``address``; ``#`` begins a comment. A
tag is a topic or a priority of messages, or ``all``, which is what no tag means; several are joined
by commas. An address is a secret as a whole: it is shown by its scheme and its line.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any, Final

from comfywatchman import masking, private_file, redaction
from comfywatchman.channels.sending.target import ChannelError, Target
from comfywatchman.errors import ConfigError
from comfywatchman.escape import visible
from comfywatchman.events.message import Message, Priority, Topic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from comfywatchman.settings import Settings

KIND = "apprise"
CREDENTIAL = "notify_urls"
ALL: Final = "all"
TAGS: Final = frozenset({ALL, *Topic, *Priority})
_LINE: Final = re.compile(
    r"(?:(?P<tags>[\w\s,-]*?)\s*=\s*)?(?P<url>(?P<scheme>[A-Za-z0-9]+)://\S+)"
)
_PIECE: Final = re.compile(r"[^/:@?&=#,\s]{4,}")


def configured(settings: Settings) -> bool:
    """Whether there are addresses."""
    return _file(settings) is not None


def targets(settings: Settings) -> list[Target]:
    """An address each."""
    found = _file(settings)
    return [] if found is None else list(parse(*found))


def _file(settings: Settings) -> tuple[str, Path] | None:
    file = settings.notify_urls_file
    named = None if file is None else ("notify_urls_file", file)
    return private_file.credential(CREDENTIAL) or named


def parse(key: str, file: Path) -> Iterator[Target]:
    """Read a file of addresses.

    Args:
        key: what names the file.
        file: the file.

    Yields:
        An address after the other.

    Raises:
        ConfigError: it cannot be read, or a line is none; it is named, and not shown.
    """
    for number, text in enumerate(private_file.read(key, file).splitlines(), 1):
        line = text.strip()
        if not line or line.startswith("#"):
            continue
        where = f"{key}: {file}, line {number}"
        match = _LINE.fullmatch(line)
        if match is None:
            raise ConfigError(f"{where} is not of the form tag=address, or address")
        tags = frozenset((match["tags"] or ALL).replace(",", " ").split())
        if unknown := sorted(tags - TAGS):
            raise ConfigError(
                f"{where}: {visible(unknown[0], limit=40)} is no tag; those are: "
                + ", ".join(sorted(TAGS))
            )
        yield Target(
            KIND,
            f"{visible(match['scheme'].lower(), limit=40)} (line {number})",
            {"url": match["url"]},
            (match["url"],),
            wants(tags),
        )


def wants(tags: frozenset[str]) -> Callable[[Message], bool]:
    """Which messages go to an address with these tags: about one of them, or all."""
    return lambda message: ALL in tags or not tags.isdisjoint((*message.topics, message.priority))


def prepare() -> None:
    """Load what takes long: Apprise, and with the first address all of its plug-ins."""
    import apprise

    apprise.Apprise.instantiate("json://localhost")


def send(given: Mapping[str, Any], message: Message, kept: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG001
    """Send it.

    Raises:
        ChannelError: the address is none, or whoever is there does not take it.
    """
    import apprise

    url = given["url"]
    hide = redaction.Redactor([url])
    pieces = sorted({url, *_PIECE.findall(url.partition("://")[2])}, key=len, reverse=True)
    said: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    logger = logging.getLogger("apprise")
    logger.handlers, logger.propagate = [Listener(logging.WARNING)], False
    asset = apprise.AppriseAsset(
        app_id="ComfyWatchman",
        app_desc="ComfyWatchman",
        app_url="",
        async_mode=False,
        secure_logging=True,
    )
    service = apprise.Apprise.instantiate(url, asset=asset)
    if service is None:
        raise ChannelError("Apprise does not understand the address; try it with: apprise -vv")
    warning = message.priority is Priority.WARNING
    sent = service.notify(
        title=message.subject,
        body=message.body,
        notify_type=apprise.NotifyType.WARNING if warning else apprise.NotifyType.INFO,
        body_format=apprise.NotifyFormat.TEXT,
    )
    if not sent:
        words = hide.hide_text("; ".join(said) or "it was not taken")
        for piece in pieces:
            words = words.replace(piece, redaction.HIDDEN)
        raise ChannelError(visible(masking.without_secrets(words), limit=250))
    return {}
