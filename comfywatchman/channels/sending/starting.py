"""Has what waits sent, without waiting for it.

What a oneshot service starts ends with it, and the user of a service of the system may not start
another: under systemd, the service itself starts ``NAME.notify.service`` when it has ended, where
it finds :data:`NOTIFY_WANTED`. By hand, or without systemd, this does.
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from comfywatchman import started, state
from comfywatchman.state_files import NOTIFY_WANTED

if TYPE_CHECKING:
    from pathlib import Path

_SCRIPT = (
    '{ systemctl --user --no-ask-password start --no-block "$1" '
    '|| systemctl --system cat "$1" || { shift && exec "$@"; }; } &'
)
"""The user's own unit; else the system's, which its next cycle starts; else a process."""


def unit_of(instance: str) -> str:
    """The unit that sends what waits. No instance has a name with a full stop in it."""
    return f"{state.named(instance)}.notify.service"


def start(instance: str, folder: Path, config: Path | None) -> str | None:
    """Have what waits sent soon.

    Args:
        instance: name of the instance.
        folder: the state folder.
        config: the configuration file; None for the usual one.

    Returns:
        Why it is not sent before the next cycle, one sentence; None if it is.
    """
    try:
        (folder / NOTIFY_WANTED).touch(mode=0o600)
        if not started.invocation():
            command = [sys.executable, "-P", "-m", "comfywatchman.cli", "notify", "--send"]
            command += ["--state-dir", str(folder)]
            command += ["--config", str(config)] if config and config.exists() else []
            # The shell ends at once, and leaves nobody's child behind.
            subprocess.run(  # noqa: S603
                ["/bin/sh", "-c", _SCRIPT, "sh", unit_of(instance), *command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                check=False,
            )
    except OSError as error:
        return f"what waits to be sent is sent after the next cycle: {error}"
    return None
