"""A D-Bus session of its own, and what shows notifications on it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).parents[3]
needs_a_bus = pytest.mark.skipif(
    shutil.which("dbus-daemon") is None, reason="dbus-daemon is not installed"
)
_CONFIGURATION = """
<busconfig>
  <type>session</type>
  <listen>unix:path={}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
  </policy>
</busconfig>
"""
"""Unlike the host's, it starts no service by itself."""


def wait_for(condition: object, seconds: float = 20) -> None:
    give_up = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < give_up, "it did not come"
        time.sleep(0.02)


@contextmanager
def session(folder: Path) -> Iterator[str]:
    """A bus; its address."""
    configuration = folder / "bus.conf"
    configuration.write_text(_CONFIGURATION.format(folder / "bus"))
    bus = subprocess.Popen(
        ["dbus-daemon", f"--config-file={configuration}", "--nofork", "--nopidfile"]
    )
    try:
        wait_for((folder / "bus").exists)
        yield f"unix:path={folder}/bus"
    finally:
        bus.terminate()
        bus.wait()


@contextmanager
def desktop(address: str, file: Path) -> Iterator[None]:
    """The stand-in for a desktop, on a bus."""
    command = [sys.executable, "-m", "tests.standin.notifications", address, str(file)]
    process = subprocess.Popen(command, cwd=REPOSITORY)
    try:
        wait_for(file.exists)
        yield
    finally:
        process.terminate()
        process.wait()
