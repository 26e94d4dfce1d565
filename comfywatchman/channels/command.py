"""A program of the operator's own: ``on_change_command``."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

from comfywatchman import state
from comfywatchman.channels.sending.target import ChannelError, Target
from comfywatchman.escape import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from comfywatchman.events.message import Message
    from comfywatchman.settings import Settings

KIND = "command"
_NOT_FOR_IT = ("CREDENTIALS_DIRECTORY",)


def configured(settings: Settings) -> bool:
    """Whether a program is named."""
    return bool(settings.on_change_command)


def targets(settings: Settings) -> list[Target]:
    """The program."""
    given = {
        "command": settings.on_change_command,
        "state_dir": str(settings.resolved_state_dir),
    }
    return [Target(KIND, f"on_change_command {visible(settings.on_change_command[0])}", given)]


def send(given: Mapping[str, Any], message: Message, kept: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG001
    """Run it, with the message on its standard input and the rest in its environment.

    Raises:
        ChannelError: it cannot be started, or its exit code is not 0.
    """
    told = (
        message.id,
        ",".join(message.topics),
        message.priority,
        message.subject,
        message.report,
    )
    environment = {k: v for k, v in os.environ.items() if k not in _NOT_FOR_IT}
    environment |= dict(zip(state.CHANGE_VARIABLES, told, strict=True))
    environment |= {
        "COMFYWATCHMAN_HOST": message.host,
        "COMFYWATCHMAN_STATE_DIR": given["state_dir"],
    }
    text = f"{message.subject}\n\n{message.body}\n".encode()
    try:
        # What it says is its own affair; the process group is ended with the try.
        process = subprocess.run(  # noqa: S603
            given["command"],
            input=text,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
            check=False,
        )
    except (OSError, ValueError) as error:
        raise ChannelError(f"it cannot be started: {error}") from None
    if process.returncode:
        raise ChannelError(f"it ended with exit code {process.returncode}")
    return {}
