"""Child processes that leave nothing behind: one can be ended with all that it started.

On POSIX systems a child leads a session, hence a process group, of its own. On Windows it is ended
alone.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_POLL = 0.2
"""Seconds between two looks at a child that runs."""
_GRACE = 5.0
"""Seconds between asking and forcing; a container's runtime gives the whole container ten."""
_DEATH = 5.0
"""Seconds within which the kernel ends what is forced; on a busy machine not at once."""


def start(command: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
    """Start a program without a shell.

    Args:
        command: the program and its arguments.
        options: as :class:`subprocess.Popen` takes them.

    Raises:
        OSError: it cannot be started.
    """
    if sys.platform == "win32":
        options["creationflags"] = subprocess.CREATE_NEW_PROCESS_GROUP
    else:
        options["start_new_session"] = True
    return subprocess.Popen(command, **options)  # noqa: S603  (whoever calls vouches for it)


def wait(process: subprocess.Popen[bytes], limit: float, stopping: threading.Event) -> bool:
    """Wait until the child has ended; end it when its time is over, or when all is to stop.

    Args:
        process: the child.
        limit: seconds that it may take.
        stopping: set when there is no more waiting.

    Returns:
        Whether it took too long.
    """
    deadline = time.monotonic() + limit
    while process.poll() is None:
        too_long = time.monotonic() > deadline
        if too_long or stopping.wait(_POLL):
            end(process)
            return too_long
    return False


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask the child to stop, and after a while force it, with all that it started."""
    _signal(process, "SIGTERM")
    with suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE)
    _signal(process, "SIGKILL")
    with suppress(subprocess.TimeoutExpired):  # one that the kernel holds cannot be waited for
        process.wait(_DEATH)


def _signal(process: subprocess.Popen[bytes], name: str) -> None:
    if sys.platform == "win32":
        process.terminate()
        return
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.Signals[name])


def end_with_stdin() -> None:
    """End this process when its standard input does, that is when whoever started it is gone."""
    threading.Thread(target=_await_end, daemon=True, name="end-with-stdin").start()


def _await_end() -> None:
    with suppress(OSError):
        while os.read(0, 4096):
            pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE)
    os._exit(128 + signal.SIGTERM)
