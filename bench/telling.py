"""How late a cycle is by what it tells: by five channels of which two hang, against by none."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Final

import filelock

from bench import templates
from bench.measure import Contender, alternate, median, table
from comfywatchman.state_files import NOTIFY_LOCK
from tests.standin.comfyui import StandIn
from tests.standin.healthchecks import Healthchecks

LATE: Final = 0.5
"""Seconds that a cycle may be late at most."""
_NONE, _FIVE = "no channel", "five channels, two hang"
_LONGEST: Final = 60.0
"""Seconds to wait for what the cycle before has started to send."""


def main(rounds: int) -> None:
    """Measure and print.

    Raises:
        SystemExit: a cycle is later than it may be.
    """
    workflows = templates.folder()
    with tempfile.TemporaryDirectory() as name, StandIn() as server, Healthchecks() as works:
        folder = Path(name)
        hanging = _Hanging(works.url, folder)
        environment = {
            "PATH": f"{_without_systemd(folder)}:{os.environ['PATH']}",
            "HOME": name,
            "PYTHONPATH": str(Path(__file__).parents[1]),
            "COMFYWATCHMAN_COMFYUI_URL": server.url,
            "COMFYWATCHMAN_WORKFLOW_DIRS": str(workflows),
            "COMFYWATCHMAN_STATE_DIR": str(folder / "state"),
        }
        cycle = [sys.executable, "-P", "-m", "comfywatchman.cli", "--run-check"]
        channels = {
            "COMFYWATCHMAN_NOTIFY_URLS_FILE": str(hanging.urls),
            "COMFYWATCHMAN_ON_CHANGE_COMMAND": "/bin/true",
        }
        try:
            runs = alternate(
                [
                    Contender(_NONE, cycle, environment, before=hanging.begin),
                    Contender(_FIVE, cycle, environment | channels, before=hanging.begin_to_hang),
                ],
                rounds,
            )
            hanging.begin()
        finally:
            hanging.end()
    late = median(runs[_FIVE]).wall - median(runs[_NONE]).wall
    print("A first cycle over the official templates, which tells a summary")
    print(table(runs, _NONE))
    print(f"late by {late:+.2f} s (at most {LATE})")
    if late > LATE:
        raise SystemExit(1)


class _Hanging:
    """The two channels that hang, the addresses of all, and the end of what was sent before."""

    def __init__(self, works: str, folder: Path) -> None:
        self._state = folder / "state"
        self._server = Healthchecks(hang=threading.Event())
        self._due = 0
        self.urls = folder / "urls"
        self._server.__enter__()
        addresses = [(url, n) for url in (self._server.url, works) for n in (1, 2)]
        self.urls.write_text("".join(f"json{url[4:]}/api/push/{n}\n" for url, n in addresses))
        self.urls.chmod(0o600)

    def begin(self) -> None:
        """An empty state folder, of which nobody sends anything any more.

        Raises:
            SystemExit: those that hang were not asked.
        """
        until = time.monotonic() + _LONGEST
        while len(self._server.came) < self._due:
            if time.monotonic() > until:
                raise SystemExit("the channels that hang were not asked")
            time.sleep(0.05)
        if self._state.exists():
            filelock.FileLock(self._state / NOTIFY_LOCK, _LONGEST).acquire().lock.release()
            shutil.rmtree(self._state)

    def begin_to_hang(self) -> None:
        """The same, before a cycle that has them asked."""
        self.begin()
        self._due += 2

    def end(self) -> None:
        """End it."""
        self._server.__exit__()


def _without_systemd(folder: Path) -> Path:
    """A folder of programs: no unit of this machine is to send."""
    systemctl = folder / "bin" / "systemctl"
    systemctl.parent.mkdir()
    systemctl.write_text("#!/bin/sh\nexit 1\n")
    systemctl.chmod(0o700)
    return systemctl.parent
