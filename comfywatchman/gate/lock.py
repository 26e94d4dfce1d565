"""Gate probe: is this the only cycle on the host?

The lock is the kernel's (``flock``), so that it ends with the process that held it, however that
ended: a stale lock cannot be.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import filelock

from comfywatchman import room

if TYPE_CHECKING:
    from comfywatchman.results import GateAnswer

HELD = "another cycle is running on this host; its report will tell"
"""The reason when another process holds the lock."""
_PATIENCE = 1.0
"""Seconds to wait for the lock: longer than ``status`` holds it to see whether a cycle runs."""


def make(file: Path) -> filelock.BaseFileLock:
    """Make the lock on ``file``; it may be taken and released in different threads."""
    return filelock.FileLock(file, timeout=_PATIENCE, thread_local=False, mode=0o600)


def probe(lock: filelock.BaseFileLock) -> GateAnswer:
    """Take the lock. Never raises."""
    try:
        lock.acquire()
    except filelock.Timeout:
        return _answer(False, HELD)
    except OSError as error:
        folder = Path(lock.lock_file).parent
        said = f"the lock {lock.lock_file} cannot be taken: {room.why(error, folder)}"
        denied = isinstance(error, PermissionError)
        remedy = "correct its owner" if denied else room.remedy(error, folder)
        return _answer(False, f"{said}; {remedy}" if remedy else said)
    return _answer(True, "no other cycle is running")


def _answer(ok: bool, reason: str) -> GateAnswer:
    from comfywatchman.results import GateAnswer  # whoever wants no answer needs no pydantic

    return GateAnswer(name="lock", ok=ok, reason=reason)
