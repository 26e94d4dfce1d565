"""Passes on what another program tells, such as the controller's watch: ``notify --relay``.

It is given just what ``on_change_command`` is: the text on standard input, the rest in the
environment. In the outbox it waits for each channel as messages of our own do.
"""

from __future__ import annotations

import hashlib
import re
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeVar

from comfywatchman import ownership, state
from comfywatchman.channels.sending import catalogue
from comfywatchman.errors import ConfigError
from comfywatchman.escape import visible
from comfywatchman.events.message import Message, Priority, Topic
from comfywatchman.events.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from comfywatchman.settings import Settings

Kind = TypeVar("Kind", Topic, Priority)

LONGEST: Final = 2**20
"""Bytes of a text."""
_ID: Final = re.compile(r"[0-9a-f]{32}")


def message_of(environment: Mapping[str, str], text: str) -> Message:
    """The message that is to be passed on.

    Args:
        environment: has :data:`state.CHANGE_VARIABLES`; those that lack are made up for.
        text: a line, which is the subject where none is given, an empty one, and the rest.

    Raises:
        ValueError: a variable holds what it must not; one sentence.
    """
    named, topics, priority, subject, report = (
        environment.get(name, "") for name in state.CHANGE_VARIABLES
    )
    now, host = datetime.now(UTC), environment.get("COMFYWATCHMAN_HOST") or socket.gethostname()
    first, _, rest = text.partition("\n")
    unique = named or f"{now.isoformat()}\n{text}"
    digest = hashlib.blake2b(unique.encode(errors="replace"), digest_size=16).hexdigest()
    return Message(
        id=named if _ID.fullmatch(named) else digest,
        at=now,
        host=host,
        topics=tuple(_one_of(Topic, "TOPICS", word) for word in (topics or "summary").split(",")),
        subject=subject or first,
        body=rest.strip("\n") or first,
        priority=_one_of(Priority, "PRIORITY", priority or "notice"),
        report=report or host,
    )


def _one_of(kind: type[Kind], variable: str, word: str) -> Kind:
    try:
        return kind(word)
    except ValueError:
        known = ", ".join(kind)
        given = visible(word, limit=40)
        raise ValueError(f"COMFYWATCHMAN_{variable}: {given} is none of {known}") from None


def put(settings: Settings, folder: Path, message: Message) -> None:
    """Put it into the outbox, unless it is there already.

    Args:
        settings: which channels there are.
        folder: the state folder.
        message: what is to be told.

    Raises:
        ConfigError: there is no channel, or the state folder cannot be used.
        HistoryError: it could not be put there.
    """
    channels = catalogue.messages_go_to(settings)
    if not channels:
        raise ConfigError("no channel is set up that messages go by")
    state.make_folder(folder)
    ownership.claim(folder)
    with Outbox(folder, begins=True) as outbox:
        outbox.put(message, channels)
