"""``python -m tests.soak``: many cycles against a ComfyUI that misbehaves, a third of them killed.

Each cycle is a process of its own, as the timer starts it. After each one, everything that must
hold is looked at; the figures at the end count what did not. The seed decides what is done, not how
fast this machine is: where a cycle is hit differs from run to run.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from comfywatchman.results import LastRun, Report
from tests.faults.conftest import BROKEN, KEPT, NEEDS_A_MODEL, RUNNABLE, make_host
from tests.soak_history import Witness
from tests.standin.comfyui import StandIn, recorded_node_types, removed

BEHAVIOURS = """
    busy flaky flaky@/object_info reset-first starting:1,1 nonsense@/system_stats
    refused 401 403 404 429:1 500 502 503:1 503:9 hang hang@/queue hang@/object_info hang@/models
    slow-loris slow-head slow-head@/object_info endless gzip-bomb truncated reset redirect-loop
    html empty binary deep-json json-object json-list json-null wrong-types
    down-after:1 down-after:2 down-after:3 down-after:9 truncated@/object_info padded:9@/object_info
    reset@/models html@/models 404@/embeddings reset@/users 500@/userdata wrong-types@/userdata
"""
IMPATIENT = {
    "read_timeout": "1",
    "catalog_timeout": "1",
    "max_catalog_size": "8MiB",
    "min_free_disk": "0",
}
PATIENT = {"read_timeout": "60", "catalog_timeout": "60"}
"""For a cycle that must do its work, though this machine be busy."""
GATE = ("/system_stats", "/queue")
SLACK = 3
"""Open files by which one moment of a schedule differs from another: the pipes of its cycle."""
LIMIT = 180
"""Seconds within which a cycle must have ended by itself."""


def _with_new_input(offered: dict[str, Any]) -> dict[str, Any]:
    offered["VAEDecode"]["input"]["required"]["strength"] = ["FLOAT", {"min": 0}]
    return offered


def _without_output(offered: dict[str, Any]) -> dict[str, Any]:
    offered["EmptyImage"] |= {"output": [], "output_name": [], "output_is_list": []}
    return offered


def _without_node_type(offered: dict[str, Any]) -> dict[str, Any]:
    del offered["EmptyLatentImage"]
    return offered


def _with_node_type(offered: dict[str, Any]) -> dict[str, Any]:
    return {**offered, "NoSuchNode": offered["SaveImage"]}


def _without_model(offered: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = removed(offered, ["ae.safetensors"])
    return kept


CHANGES = (
    _with_new_input,
    _without_output,
    _without_node_type,
    _with_node_type,
    _without_model,
    dict,
)
"""What becomes of the node types; the last takes all others back."""


@dataclass
class Figures:
    """What a soak saw. All in ``wrong`` must be empty."""

    cycles: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    killed: int = 0
    killed_while_running: int = 0
    refused_rivals: int = 0
    scheduled: int = 0
    scheduled_killed: int = 0
    changed: int = 0
    seconds: list[float] = field(default_factory=list)
    wrong: dict[str, list[str]] = field(
        default_factory=lambda: {
            "lost or torn reports": [],
            "overlapping cycles": [],
            "leaked processes": [],
            "leaked files": [],
            "histories that are not whole": [],
            "cycles that did not work": [],
            "dead timers": [],
        }
    )

    def __str__(self) -> str:
        outcomes = ", ".join(f"{n} {outcome}" for outcome, n in sorted(self.outcomes.items()))
        seconds = self.seconds or [0]
        lines = [
            f"{self.cycles} cycles: {outcomes}",
            f"{self.killed} killed (kill -9), {self.killed_while_running} of them with the lock",
            f"{self.refused_rivals} more, started meanwhile, found the lock taken",
            f"{self.scheduled} more by `comfywatchman schedule`, {self.scheduled_killed} killed",
            f"{self.changed} cycles found something changed, and the history has it",
            f"{statistics.median(seconds):.1f} s a cycle (median), {max(seconds):.1f} s at most",
        ]
        for what, cases in self.wrong.items():
            lines += [f"{len(cases)} {what}", *(f"    {case}" for case in cases[:5])]
        return "\n".join(lines)


class Soak:
    """One soak, in a folder of its own.

    Args:
        folder: an empty folder.
        seed: what is done.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.host = make_host(folder)
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self.host.environment["TMPDIR"] = str(self.temporary)
        self.figures = Figures()
        self.typical = 1.5
        self.latest: Report | None = None
        self.open_files: list[int] = []
        self.left_by_killed: set[str] = set()
        self.offered: dict[str, Any] | None = None
        self.witness = Witness(self.host.state, folder / "aside")

    def run(self, count: int) -> None:
        """Run cycles, and kill a third of them: for one that was quicker, one more."""
        doomed = set(self.random.sample(range(count), count // 3))
        owed = 0
        done = threading.Event()
        reader = threading.Thread(target=self._read_on, args=(done,))
        reader.start()
        try:
            for number in range(count):
                owed += number in doomed
                before = self.figures.killed
                self._cycle(number, kill=owed > 0)
                owed -= self.figures.killed - before
        finally:
            done.set()
            reader.join()
        self._last_cycle()

    def _read_on(self, done: threading.Event) -> None:
        """Read the files again and again, at whatever moment: each must be whole."""
        while not done.wait(0.005):
            for name in ("latest.json", "last-run.json", "inventory.json"):
                with suppress(FileNotFoundError):
                    content = (self.host.state / name).read_bytes()
                    try:
                        json.loads(content)
                    except ValueError as error:
                        self._wrong("lost or torn reports", f"a reader met half of {name}: {error}")

    def _wrong(self, what: str, case: str) -> None:
        self.figures.wrong[what].append(f"cycle {self.figures.cycles}: {case}")

    def _start(self, name: str, url: str, **more: str) -> subprocess.Popen[str]:
        token = self.temporary.parent / f"token-{name}"
        token.write_text(name)
        token.chmod(0o600)
        return self.host.start(comfyui_url=url, comfyui_token_file=token, **{**IMPATIENT, **more})

    def _cycle(self, number: int, *, kill: bool) -> None:
        self.figures.cycles += 1
        self._change_workflows()
        self._change_node_types()
        healthy = self.random.random() < 0.4
        behaviour = "ok" if healthy else self.random.choice(BEHAVIOURS.split())
        later = self.random.choice(BEHAVIOURS.split()) if self.random.random() < 0.3 else None
        rival = self.random.random() < 0.15
        if healthy and rival:
            behaviour = "delay:30"  # long enough that two cycles at once would be seen
        soon, moment, change = (self.random.random() for _ in range(3))
        until_killed: int | None = None
        with StandIn(behaviour=behaviour, object_info=self.offered) as comfyui:
            start = time.monotonic()
            switch = threading.Timer(
                change * self.typical, setattr, (comfyui, "behaviour", later or behaviour)
            )
            processes = [self._start(f"{number}-a", comfyui.url)]
            if later:
                switch.start()
            if rival:
                processes.append(self._start(f"{number}-b", comfyui.url))
            if kill:
                # Half of them while they start, half of them once they ask.
                if soon > 0.5 and behaviour != "refused":
                    with suppress(TimeoutError):
                        comfyui.wait_for("/system_stats", timeout=10)
                    moment /= 4
                time.sleep(moment * self.typical)
                processes[0].kill()
                processes[0].wait()
                until_killed = len(comfyui.requests)
            said = [self._end(process) for process in processes]
            switch.cancel()
            if switch.is_alive():
                switch.join()
            requests = list(comfyui.requests)
        if comfyui.writes:
            self._wrong("cycles that did not work", f"asked to write: {comfyui.writes[0]}")
        took = time.monotonic() - start
        self._look(processes, said, f"{behaviour}, {later}", killed=kill)
        # What the killed one had sent may be read after its end.
        late = [] if until_killed is None else requests[until_killed:]
        killed = f"Bearer {number}-a"
        stale = {id(r) for r in late if r.headers.get("authorization") == killed}
        self._overlap([request for request in requests if id(request) not in stale])
        if not kill and not rival:
            self.figures.seconds.append(took)
            self.typical = 0.8 * self.typical + 0.2 * took

    def _end(self, process: subprocess.Popen[str]) -> str:
        try:
            _, said = process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            self._wrong("cycles that did not work", f"it did not end within {LIMIT} s")
            return ""
        return said

    def _change_workflows(self) -> None:
        file = self.host.workflows / f"{self.random.randrange(9)}.json"
        content = json.dumps(self.random.choice([RUNNABLE, BROKEN, NEEDS_A_MODEL]))
        match self.random.randrange(4):
            case 0:
                file.unlink(missing_ok=True)
            case 1:
                file.write_text(content[: self.random.randrange(len(content))])
            case _:
                file.write_text(content)

    def _change_node_types(self) -> None:
        if self.random.random() < 0.3:
            change = self.random.choice(CHANGES)
            self.offered = change(copy.deepcopy(dict(recorded_node_types("full"))))

    def _look(
        self, processes: list[subprocess.Popen[str]], said: list[str], case: str, *, killed: bool
    ) -> None:
        codes = [process.returncode for process in processes]
        hit = killed and codes[0] == -signal.SIGKILL
        self.figures.killed += hit
        for code, words in zip(codes, said, strict=True):
            if code not in (0, 75, -signal.SIGKILL) or "Traceback" in words:
                self._wrong("cycles that did not work", f"{case}: exit {code}: {words[-300:]}")
        self.figures.refused_rivals += codes.count(75)
        if codes == [75]:
            self._wrong("cycles that did not work", f"{case}: the lock is stuck: {said}")
        self._leaks(processes, hit=hit)
        last_run = self._read("last-run.json", LastRun)
        if last_run is not None:
            outcome = last_run.outcome.value
            if last_run.pid in [p.pid for p in processes]:
                self.figures.outcomes["killed" if outcome == "running" else outcome] += 1
                self.figures.killed_while_running += outcome == "running"
            elif not hit:
                self._wrong("lost or torn reports", f"{case}: no word of it in last-run.json")
            if outcome == "failed" or (outcome == "running" and not hit):
                self._wrong("cycles that did not work", f"{case}: {outcome}: {last_run.reason}")
        self._reports(last_run, [p.pid for p in processes], case)
        self._history(last_run, case, hit=hit)

    def _reports(self, last_run: LastRun | None, pids: list[int], case: str) -> None:
        report = self._read("latest.json", Report)
        for name, end in (("report.html", b"</html>\n"), ("inventory.json", b"}\n")):
            file = self.host.state / name
            if file.exists() and not file.read_bytes().endswith(end):
                self._wrong("lost or torn reports", f"{case}: {name} is torn")
        if self.latest is not None and (
            report is None or report.started_at < self.latest.started_at
        ):
            self._wrong("lost or torn reports", f"{case}: the last report is gone or older")
        if last_run is not None and last_run.outcome == "done" and last_run.pid in pids:
            if report is None or report.started_at != last_run.started_at:
                self._wrong("lost or torn reports", f"{case}: done, but the report is another's")
            elif report.summary != last_run.summary:
                self._wrong("lost or torn reports", f"{case}: the summaries differ")
            elif report.summary.total < len(list(self.host.workflows.iterdir())):
                self._wrong("lost or torn reports", f"{case}: a workflow is missing")
        self.latest = report or self.latest

    def _history(self, last_run: LastRun | None, case: str, *, hit: bool) -> None:
        for wrong in self.witness.look(self.latest, last_run, hit=hit):
            self._wrong("histories that are not whole", f"{case}: {wrong}")
        if last_run is not None and last_run.history:
            self._wrong("histories that are not whole", f"{case}: {last_run.history}")
        self.figures.changed = self.witness.events

    def _read(self, name: str, model: Any) -> Any:
        try:
            return model.model_validate_json((self.host.state / name).read_bytes())
        except FileNotFoundError:
            return None
        except ValueError as error:
            self._wrong("lost or torn reports", f"{name}: {error}")
            return None

    def _leaks(self, processes: list[subprocess.Popen[str]], *, hit: bool) -> None:
        mark = f"COMFYWATCHMAN_STATE_DIR={self.host.state}".encode()
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    left = mark in (entry / "environ").read_bytes().split(b"\0")
                except OSError:
                    continue
                if left:
                    self._wrong("leaked processes", (entry / "cmdline").read_text())
        found = self.host.files() if self.host.state.exists() else set()
        # What a killed cycle left stays until one begins, which the next may be killed before.
        if not hit:
            self.left_by_killed.clear()
        else:
            self.left_by_killed |= {f".{p.pid}.part" for p in processes}
        for name in found - KEPT:
            if not name.endswith(tuple(self.left_by_killed) or "/"):
                self._wrong("leaked files", name)
        for place in (self.temporary, Path(self.host.environment["HOME"])):
            for left_there in place.iterdir():
                self._wrong("leaked files", str(left_there))

    def _overlap(self, requests: list[Any]) -> None:
        """Past the gate a cycle has the lock: requests of two of them must not alternate."""
        names = [
            request.headers.get("authorization", "")
            for request in requests
            if not request.path.endswith(GATE)
        ]
        turns = [name for name, _ in groupby(names)]
        if len(turns) != len(set(turns)):
            self._wrong("overlapping cycles", " ".join(turns))

    def _last_cycle(self) -> None:
        """Whatever has happened, a cycle against a healthy server works."""
        with StandIn() as comfyui:
            process = self._start("last", comfyui.url, **PATIENT)
            said = self._end(process)
        last_run = self.host.last_run
        if (process.returncode, last_run["outcome"]) != (0, "done") or self.host.files() != KEPT:
            self._wrong("dead timers", f"the last cycle: {said} {sorted(self.host.files())}")
        self.latest = self._read("latest.json", Report)
        self._history(self._read("last-run.json", LastRun), "the last cycle", hit=False)

    def schedule(self, count: int) -> None:
        """Have ``comfywatchman schedule`` run cycles, every third of which is killed."""
        self.host.environment |= {
            "COMFYWATCHMAN_SCHEDULE_INTERVAL": "1",
            "COMFYWATCHMAN_SCHEDULE_JITTER": "0",
            "COMFYWATCHMAN_SCHEDULE_FIRST_DELAY": "0",
        }
        with StandIn() as comfyui:
            schedule = self.host.start("schedule", comfyui_url=comfyui.url, **IMPATIENT)
            try:
                for number in range(count):
                    comfyui.behaviour = self.random.choice(["ok", "ok", "502", "hang@/object_info"])
                    self._scheduled(schedule, kill=number % 3 == 0)
            finally:
                schedule.terminate()
                self._end(schedule)
        if max(self.open_files) > self.open_files[0] + SLACK:
            self._wrong("leaked files", f"open files of schedule: {self.open_files}")
        for file in self.host.state.glob("schedule.*"):
            file.unlink()
        self._last_cycle()

    def _scheduled(self, schedule: subprocess.Popen[str], *, kill: bool) -> None:
        before = self._began()
        deadline = time.monotonic() + LIMIT
        while self._began() == before or self.host.last_run["outcome"] != "running":
            if time.monotonic() > deadline or schedule.poll() is not None:
                self._wrong("dead timers", f"schedule began no cycle within {LIMIT} s")
                return
            time.sleep(0.005)
        self.figures.scheduled += 1
        self.open_files.append(len(list(Path(f"/proc/{schedule.pid}/fd").iterdir())))
        if kill:
            time.sleep(self.random.random() * 0.2)
            try:
                os.kill(self.host.last_run["pid"], signal.SIGKILL)
                self.figures.scheduled_killed += 1
            except ProcessLookupError:
                pass  # it was quicker
        self._reports(None, [], "schedule")

    def _began(self) -> str:
        return str(self.host.last_run["started_at"])


def soak(count: int, seed: int, scheduled: int) -> Figures:
    """Run cycles, and then some more by ``comfywatchman schedule``."""
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    try:
        run = Soak(folder, seed)
        run.run(count)
        if scheduled:
            run.schedule(scheduled)
    finally:
        shutil.rmtree(folder)
    return run.figures


def main() -> None:
    """Soak, print the figures, and exit with 1 if anything was wrong."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__.partition("\n")[0])
    parser.add_argument("--cycles", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scheduled", type=int, default=30, help="more, by the scheduler")
    options = parser.parse_args()
    figures = soak(options.cycles, options.seed, options.scheduled)
    print(f"seed {options.seed}\n{figures}")
    sys.exit(any(figures.wrong.values()))


if __name__ == "__main__":
    main()
