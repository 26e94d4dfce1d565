"""Where a channel sends to, and what goes wrong with that."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from comfywatchman.events.message import Message


class ChannelError(Exception):
    """A message was not sent. The text is one sentence that holds no secret.

    Attributes:
        waits: whether nothing is wrong: the message waits for something, such as a login.
    """

    def __init__(self, sentence: str, *, waits: bool = False) -> None:
        super().__init__(sentence)
        self.waits = waits


@dataclass(frozen=True, slots=True)
class Target:
    """Where a channel sends to.

    Attributes:
        kind: that of the channel.
        name: what people see; holds no secret.
        given: what :func:`send` of the channel is given, as JSON has it; may hold secrets.
        secrets: those of them.
        wants: which messages go there.
    """

    kind: str
    name: str
    given: dict[str, Any] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    wants: Callable[[Message], bool] = field(default=lambda _: True, repr=False)

    @property
    def key(self) -> str:
        """What tells it from others, also when lines were added or moved; tells nobody more."""
        content = "\0".join((self.kind, *self.secrets))
        return f"{self.kind}:{hashlib.blake2b(content.encode(), digest_size=6).hexdigest()}"
