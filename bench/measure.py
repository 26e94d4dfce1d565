"""Runs commands and says what they took."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass(frozen=True)
class Run:
    """What one process took: seconds by the clock, seconds of CPU, MiB of memory at its peak."""

    wall: float
    cpu: float
    peak: float


@dataclass(frozen=True)
class Contender:
    """A command to be measured, and what is to be done before each run of it, unmeasured."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    before: Callable[[], object] = lambda: None

    def run(self) -> Run:
        """Run it once, to its end.

        Raises:
            SystemExit: it failed.
        """
        self.before()
        start = time.perf_counter()
        process = subprocess.Popen(
            self.command,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert process.stderr
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stderr.close()
        if process.returncode:
            raise SystemExit(f"{self.name} failed:\n{said.decode(errors='replace')}")
        return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def alternate(contenders: Sequence[Contender], rounds: int) -> dict[str, list[Run]]:
    """Run them in turn, A B A B, so that what else the machine does hits all alike.

    The first round warms the caches and does not count.
    """
    runs: dict[str, list[Run]] = {contender.name: [] for contender in contenders}
    for number in range(rounds + 1):
        for contender in contenders:
            run = contender.run()
            if number:
                runs[contender.name].append(run)
    return runs


def median(runs: Sequence[Run]) -> Run:
    """The median of each figure by itself."""
    figures = zip(*((r.wall, r.cpu, r.peak) for r in runs), strict=True)
    return Run(*map(statistics.median, figures))


def table(runs: Mapping[str, Sequence[Run]], floor: str) -> str:
    """Medians, and the clock time as a multiple of the floor's."""
    middle = {name: median(measured) for name, measured in runs.items()}
    lines = [f"{'median of ' + str(len(runs[floor])):<34} {'wall':>8} {'CPU':>8} {'peak':>9} ratio"]
    for name, run in middle.items():
        ratio = run.wall / middle[floor].wall
        lines.append(
            f"{name:<34} {run.wall:>6.2f} s {run.cpu:>6.2f} s {run.peak:>5.0f} MiB {ratio:>5.2f}"
        )
    return "\n".join(lines)
