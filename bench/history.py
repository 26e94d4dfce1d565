"""Two years of history on a large host: how large it gets, and what asking it takes."""

from __future__ import annotations

import random
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from comfywatchman import state_files
from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.history.facts import Environment, FactKind
from comfywatchman.history.records import CycleRow, Full
from comfywatchman.history.store import History
from comfywatchman.history.world import World
from comfywatchman.judging.identity import identified
from comfywatchman.results import (
    Cause,
    CauseKind,
    ChangeKind,
    Changes,
    Confidence,
    Finding,
    Fix,
    FixKind,
    GateAnswer,
    HostChange,
    Outcome,
    Output,
    Report,
    Server,
    Severity,
    Subject,
    SubjectKind,
    Summary,
    Sureness,
    UsedModel,
    UsedPack,
    Verdict,
    WorkflowChange,
    WorkflowReport,
)
from tests.standin.comfyui import recorded_node_types

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WORKFLOWS, DAYS, CYCLES = 5_000, 730, 12
BUSY: Final = (4, 7)
"""Cycles of a day in which something changes. The others go on record without what they found:
that would be some 200 bytes more for each of the last 90 days, and an hour of simulation."""
DAILY, FORTNIGHTLY = WORKFLOWS // 100, WORKFLOWS // 10
MODELS, PACKS, PACKAGES = 5_000, 60, 300
SIZE_LIMIT: Final = 60 * 1024**2
QUERY_LIMIT: Final = 0.2
"""Seconds of CPU."""
_MEMORY: Final = Path("/dev/shm")
START: Final = datetime(2025, 1, 1, tzinfo=UTC)


def main() -> None:
    """Simulate, measure and print.

    Raises:
        SystemExit: the database is too large, or a query too slow.
    """
    # In memory: each cycle waits for the disk, and two years have 8,760 of them.
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        host = _Host(Path(folder))
        begin = time.perf_counter()
        host.live()
        size = (host.folder / state_files.HISTORY).stat().st_size
        print(
            f"{DAYS} days of {CYCLES} cycles over {WORKFLOWS:,} workflows"
            f" (simulated in {time.perf_counter() - begin:.0f} s)"
        )
        print(f"database{size / 1024**2:>44.1f} MiB")
        print(f"remembering an unchanged cycle{host.unchanged() * 1000:>22.0f} ms")
        slow = [name for name, took in host.questions() if took > QUERY_LIMIT]
    if size > SIZE_LIMIT:
        raise SystemExit(f"the database is larger than {SIZE_LIMIT / 1024**2:.0f} MiB")
    if slow:
        raise SystemExit(f"takes more than {QUERY_LIMIT} s: {', '.join(slow)}")


class _Host:
    """A host on which workflows are edited, models go and come, and packs are updated."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._random = random.Random(13)
        self._edits = [0] * WORKFLOWS
        self._broken: dict[int, int] = {}
        self._reports = [self._report(number) for number in range(WORKFLOWS)]
        self._at = START
        node_types = recorded_node_types("full")
        self._world = World(
            Catalog(dict(sorted(node_types.items())), "0.8.0"),
            Inventory(
                models={"checkpoints": tuple(f"model {n}.safetensors" for n in range(MODELS))}
            ),
            depth=200,
            size=64 * 1024**2,
        )
        self._facts: dict[FactKind, dict[str, dict[str, str | int | float | bool | None]]] = {
            FactKind.PACK: {
                f"pack-{n}": {"version": "1.0.0", "commit": f"{n:040x}"} for n in range(PACKS)
            },
            FactKind.PACKAGE: {f"package-{n}": {"version": f"1.{n}"} for n in range(PACKAGES)},
            FactKind.NODE_TYPE: {name: {"schema": f"{hash(name):x}"} for name in node_types},
            FactKind.MODEL: {
                f"checkpoints/model {n}.safetensors": {"size": n * 1_000_003, "modified": 1.7e9 + n}
                for n in range(MODELS)
            },
        }

    def live(self) -> None:
        """Two years, as fast as they can be put on record."""
        with self._opened() as history:
            history.remember(self._row(), self._full(None))
            for day in range(DAYS):
                for cycle in range(CYCLES):
                    self._at = START + timedelta(days=day, hours=2 * cycle, seconds=5)
                    if cycle not in BUSY:
                        history.remember(self._row(), None)
                        continue
                    fortnight = day % 14 == 13 and cycle == BUSY[0]
                    touched = self._random.sample(range(WORKFLOWS), DAILY // len(BUSY))
                    changes = self._change(touched, day, "pack" if fortnight else "")
                    history.remember(self._row(), self._full(changes))
                    assert history.notes == [], history.notes

    def unchanged(self) -> float:
        """Seconds of CPU that putting a cycle on record takes in which nothing changed."""
        taken = []
        with self._opened() as history:
            for minute in range(9):
                full = self._full(None)
                self._at += timedelta(minutes=minute)
                begin = time.process_time()
                history.remember(self._row(), full)
                taken.append(time.process_time() - begin)
        return min(taken)

    def questions(self) -> list[tuple[str, float]]:
        """Ask each question, print and return the CPU seconds of each answer."""
        path, year = self._reports[7].path, self._at - timedelta(days=365)
        asked: dict[str, Callable[[History], object]] = {
            "previous": lambda history: history.previous(),
            "past, 28 days": lambda history: history.past(self._at - timedelta(days=28)),
            "timeline, 28 days": lambda history: history.timeline(
                self._at - timedelta(days=28), 100
            ),
            "events, 7 days": lambda history: history.events(self._at - timedelta(days=7)),
            "events, two years": lambda history: history.events(),
            "events of a workflow": lambda history: history.events(workflow=path),
            "report_at, now": lambda history: history.report_at(self._at),
            "report_at, a year ago": lambda history: history.report_at(year),
            "facts_at, a year ago": lambda history: history.facts_at(year),
            "facts_at, two years ago": lambda history: history.facts_at(START),
            "last_good": lambda history: history.last_good(path),
            "cycles, two years": lambda history: history.cycles(START),
        }
        took = []
        for name, ask in asked.items():
            times = []
            for _ in range(5):
                with self._opened(readonly=True) as history:
                    begin = time.process_time()
                    assert ask(history) is not None or name == "last_good"
                    times.append(time.process_time() - begin)
            took.append((name, min(times)))
            print(f"{name:<40}{min(times) * 1000:>12.1f} ms")
        return took

    def _opened(self, *, readonly: bool = False) -> History:
        return History.open(self.folder, days=DAYS, copies_room=0, readonly=readonly)

    def _row(self) -> CycleRow:
        reason = f"{WORKFLOWS:,} workflows: {WORKFLOWS - len(self._broken):,} runnable"
        return CycleRow(self._at, 3.5, Outcome.DONE, reason, "1.0.0")

    def _full(self, changes: Changes | None) -> Full:
        free = self._random.randrange(10**6)
        report = Report(
            comfywatchman_version="1.0.0",
            host="render-01",
            started_at=self._at,
            duration_s=3.5,
            server=Server(url="http://127.0.0.1:8188", version="0.8.0", node_types=568),
            gate=[
                GateAnswer(name="gpu", ok=True, reason=f"GPU 0 has {free:,} MiB of VRAM free"),
                GateAnswer(name="disk", ok=True, reason=f"{free:,} MiB free at /var/lib/state"),
            ],
            summary=Summary(),
            workflows=[],
            changes=changes,
        ).model_copy(update={"workflows": self._reports})
        return Full(report, Environment(dict(self._facts)), self._world, "program")

    def _change(self, touched: Sequence[int], day: int, pack: str) -> Changes:
        """Half of what is touched is edited, the other half breaks, or is mended."""
        half = len(touched) // 2
        for number in touched[:half]:
            self._edits[number] += 1
        toggled = list(touched[half:])
        if pack:
            toggled += self._random.sample(range(WORKFLOWS), FORTNIGHTLY)
        changes = []
        cause = self._cause(day, pack)
        for number in touched[:half] + toggled:
            before = self._reports[number]
            if number in toggled and number in self._broken:
                del self._broken[number]
            elif number in toggled:
                self._broken[number] = day
            after = self._reports[number] = self._report(number)
            kind = {True: ChangeKind.WORSE, False: ChangeKind.MENDED}[number in self._broken]
            if before.verdict is not after.verdict:
                changes.append(
                    WorkflowChange(
                        path=after.path,
                        name=after.name,
                        kind=kind,
                        before=before.verdict,
                        after=after.verdict,
                        causes=[cause.id],
                    )
                )
        host = HostChange(kind="pack", name=cause.name, before="1.0", after="2.0", text=cause.text)
        self._facts[FactKind.PACK] = self._facts[FactKind.PACK] | {
            f"pack-{day % PACKS}": {
                "version": f"2.{day}",
                "commit": f"{self._random.getrandbits(160):040x}",
            }
        }
        model = f"checkpoints/model {self._random.randrange(MODELS)}.safetensors"
        self._facts[FactKind.MODEL] = self._facts[FactKind.MODEL] | {
            model: {"size": day, "modified": 1.7e9 + day}
        }
        return Changes(since=self._at, workflows=changes, causes=[cause], host=[host])

    def _cause(self, day: int, pack: str) -> Cause:
        name = f"pack-{day % PACKS}" if pack else f"model {day}.safetensors"
        return Cause(
            id=f"{self._random.getrandbits(128):032x}",
            kind=CauseKind.PACK if pack else CauseKind.MODEL,
            sureness=Sureness.CERTAIN,
            name=name,
            text=f"KSampler Advanced of {name} 1.{day} → 2.{day} dropped output 2",
            node_types=["KSampler Advanced"],
        )

    def _report(self, number: int) -> WorkflowReport:
        broken = self._broken.get(number)
        name = f"project {number % 40}/scene {number}.json"
        models = [f"{self._word(number, at)}.safetensors" for at in range(3)]
        return identified(
            WorkflowReport(
                path=f"/srv/comfyui/user/default/workflows/{name}",
                name=name,
                verdict=Verdict.RUNNABLE if broken is None else Verdict.BROKEN,
                outputs=[Output(node_id="9", node_type="SaveImage")],
                findings=[] if broken is None else self._findings(models, broken),
                models=[
                    UsedModel(folder="checkpoints", name=each, present=broken is None)
                    for each in models
                ],
                packs=[UsedPack(name=f"pack-{number % PACKS}", version="1.2.3")],
                content_digest=f"{hash((number, self._edits[number])) & (2**256 - 1):064x}",
            )
        )

    @staticmethod
    def _word(number: int, at: int) -> str:
        return f"{random.Random(number * 3 + at).choice(_WORDS)}_{number * 7 % 911}_fp8_scaled"

    @staticmethod
    def _findings(models: Sequence[str], day: int) -> list[Finding]:
        """About 1.5 kB of JSON."""
        return [
            Finding(
                code="value_not_in_list",
                severity=Severity.ERROR,
                message=f"checkpoint '{model}' is not among the {day + 40} files ComfyUI lists"
                " for 'ckpt_name'",
                subject=Subject(kind=SubjectKind.MODEL, name=model, folder="checkpoints"),
                fixes=[
                    Fix(
                        id="",
                        kind=FixKind.PUT_FILE,
                        confidence=Confidence.LIKELY,
                        text=f"put '{model}' into ComfyUI's models/checkpoints folder",
                        after=f"checkpoints/{model}",
                    )
                ],
                node_id=f"{day % 97 + at}",
                node_type="CheckpointLoaderSimple",
                input="ckpt_name",
            )
            for at, model in enumerate(models[: 1 + day % 3])
        ]


_WORDS: Final = (
    "flux",
    "wan",
    "hunyuan",
    "qwen_image",
    "ltx",
    "sd_xl",
    "hidream",
    "chroma",
    "kolors",
)
