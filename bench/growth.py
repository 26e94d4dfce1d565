"""How what a workflow costs grows with its size, shape by shape, for each byte of it."""

from __future__ import annotations

import json
import os
import pickle
import resource
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.judging.cache import VerdictCache
from comfywatchman.judging.workflow import judge_workflow
from tests import growth

if TYPE_CHECKING:
    from comfywatchman.comfyui.catalog import Catalog
    from comfywatchman.results import WorkflowReport

SIZES = (120_000, 240_000, 480_000)
"""Bytes of the file: once, twice and four times."""
LIMIT = 1.5
"""Most that a byte of the largest may cost, as a multiple of one of the smallest."""
_LIMITS = {"max_bytes": 64 * 1024**2, "max_depth": 200}


@dataclass(frozen=True)
class Cost:
    """What judging one file took: seconds of CPU, MiB at the peak, and what it ended with."""

    cpu: float
    peak: float
    ending: str


@dataclass(frozen=True)
class _InMemory:
    raw: bytes
    path: str = "/growth.json"
    name: str = "growth.json"

    def read(self, max_bytes: int) -> bytes:
        """The whole file."""
        assert len(self.raw) <= max_bytes
        return self.raw


def main(rounds: int, only: str | None = None) -> None:
    """Measure and print.

    Args:
        rounds: measured runs of each; the fastest counts.
        only: the name of a shape; None: all.

    Raises:
        SystemExit: of some shape a larger file costs more for each byte.
    """
    catalog = growth.catalog()
    dear = []
    for shape in growth.SHAPES.values():  # what is made once for a catalog is made here
        _judge(json.dumps(shape(9)).encode(), VerdictCache(None, catalog, Inventory(), {}))
    print(
        f"{'MB/CPU s and MiB at':<26}"
        + "".join(f"{f'{s // 1000} kB':>16}" for s in SIZES)
        + f"{'2 times':>9}{'4 times':>9}  ends as"
    )
    for name, shape in growth.SHAPES.items():
        if only not in (None, name):
            continue
        files = [growth.of_size(shape, size) for size in SIZES]
        costs = [
            min((_apart(raw, catalog) for _ in range(rounds)), key=lambda cost: cost.cpu)
            for raw in files
        ]
        per_byte = [cost.cpu / len(raw) for cost, raw in zip(costs, files, strict=True)]
        if per_byte[-1] > LIMIT * per_byte[0]:
            dear.append(name)
        cells = "".join(f"{cost.cpu:>8.2f}s{cost.peak:>6.0f}M" for cost in costs)
        ratios = "".join(f"{each / per_byte[0]:>9.2f}" for each in per_byte[1:])
        print(f"{name:<26}{cells}{ratios}  {costs[-1].ending}", flush=True)
    if dear:
        raise SystemExit(f"a byte of a larger file costs more: {', '.join(dear)}")


def _apart(raw: bytes, catalog: Catalog) -> Cost:
    """Judge a file in a process of its own, so that its peak of memory is its own."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        verdicts = VerdictCache(None, catalog, Inventory(), {})
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.process_time()
        try:
            report = _judge(raw, verdicts)
            ending = f"{report.verdict} {report.findings[0].code if report.findings else ''}"
        except BaseException as error:  # noqa: BLE001  (told by the other process)
            ending = f"{type(error).__name__}"
        cpu = time.process_time() - start
        peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        os.write(writing, pickle.dumps(Cost(cpu, peak, ending)))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        said = stream.read()
    os.waitpid(child, 0)
    return pickle.loads(said) if said else Cost(float("nan"), float("nan"), "killed")


def _judge(raw: bytes, verdicts: VerdictCache) -> WorkflowReport:
    return judge_workflow(_InMemory(raw), verdicts, **_LIMITS)  # type: ignore[arg-type]
