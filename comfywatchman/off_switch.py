"""The off switch of ``ask_server``: thrown by a cycle, taken away by a person, and by nobody else.

It is a file in the state folder. That it is there is enough, whatever became of what it says.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from comfywatchman import state, state_files
from comfywatchman.escape import visible

if TYPE_CHECKING:
    from pathlib import Path

NAME: Final = state_files.OFF_SWITCH
_UNKNOWN: Final = "an unknown time"


@dataclass(frozen=True, slots=True)
class OffSwitch:
    """The switch, thrown.

    Attributes:
        file: the switch itself.
        since: when it was thrown, as far as that can be read.
        prompt_id: the prompt that the server accepted, as far as that can be read.
        withdrawn: whether the server was told to take that prompt out of its queue.
    """

    file: Path
    since: str = _UNKNOWN
    prompt_id: str | None = None
    withdrawn: bool = True

    @property
    def sentence(self) -> str:
        """What a person must know of it."""
        which = f" ({visible(self.prompt_id)})" if self.prompt_id else ""
        return (
            f"ask_server is off for good since {visible(self.since)}: the server accepted a prompt "
            f"that was made to be refused{which}. See docs/security.md; remove {self.file} when "
            "you know why and have mended it"
        )


def read(folder: Path) -> OffSwitch | None:
    """The switch in a state folder; None if it is not thrown."""
    file = folder / NAME
    try:
        said = json.loads(state.read_file(file))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RecursionError):
        return OffSwitch(file)
    return _understood(file, said) if isinstance(said, dict) else OffSwitch(file)


def throw(folder: Path, prompt_id: str) -> OffSwitch:
    """Store the switch, on the disk itself, before anything else is done.

    Args:
        folder: the state folder.
        prompt_id: the prompt that the server accepted.

    Raises:
        OSError: it could not be stored.
    """
    since = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    switch = OffSwitch(folder / NAME, since, prompt_id, withdrawn=False)
    _write(switch)
    return switch


def settle(switch: OffSwitch) -> None:
    """Note that the server was told to take the prompt out of its queue.

    Raises:
        OSError: it could not be noted.
    """
    _write(OffSwitch(switch.file, switch.since, switch.prompt_id))


def _understood(file: Path, said: dict[str, Any]) -> OffSwitch:
    since, prompt_id = said.get("since"), said.get("prompt_id")
    return OffSwitch(
        file,
        since if isinstance(since, str) else _UNKNOWN,
        prompt_id if isinstance(prompt_id, str) else None,
        said.get("withdrawn") is not False,
    )


def _write(switch: OffSwitch) -> None:
    said = {
        "what": "ask_server is off until a person removes this file; see docs/security.md",
        "since": switch.since,
        "prompt_id": switch.prompt_id,
        "withdrawn": switch.withdrawn,
    }
    state.replace_file(switch.file, json.dumps(said, indent=2).encode() + b"\n")
