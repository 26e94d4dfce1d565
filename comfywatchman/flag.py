"""What a setting says of the flag that it is. Imports nothing: some commands read no settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Group = Literal["server", "access", "judging", "outcome", "schedule", "state"]
"""Flags that a command takes together: where the server is; how what a verdict rests on is had; how
a cycle judges; what ``check`` ends with and tells others; when a schedule runs its cycles; where
state is kept."""


@dataclass(frozen=True)
class Flag:
    """Makes a flag of a field of the settings, under the field's own name.

    Args:
        help: what ``--help`` says of it, in one line.
        group: the commands that take this group take the flag.
    """

    help: str
    group: Group


STATE_DIR = Flag("Where reports and state are kept.", "state")
"""Stands here, as ``status`` takes it too and has no time to build the settings."""
