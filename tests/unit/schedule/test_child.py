"""Child processes: ended whole."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from comfywatchman.schedule import child

if TYPE_CHECKING:
    import pytest

STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
own = subprocess.Popen([sys.executable, "-c", "import time; print(flush=True); time.sleep(600)"])
print(own.pid, flush=True)
time.sleep(600)
"""


def test_one_that_does_not_listen_is_killed_with_what_it_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(child, "_GRACE", 0.2)
    monkeypatch.setattr(child, "_DEATH", 60.0)
    started = child.start([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE)
    assert started.stdout is not None
    grandchild = max(started.stdout.readline(), started.stdout.readline()).decode().strip()
    child.end(started)
    assert started.returncode == -9
    assert started.stdout.read() == b""  # at its end, as nobody is left to write
    deadline = time.monotonic() + 60
    status = Path("/proc", grandchild, "status")
    with suppress(FileNotFoundError, ProcessLookupError):  # gone, perhaps while it is looked at
        while "(zombie)" not in status.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.02)
    started.stdout.close()
