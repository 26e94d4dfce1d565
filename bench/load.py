"""What a cycle costs a busy ComfyUI: what it asks for, and how long others wait meanwhile."""

from __future__ import annotations

import http.client
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bench import templates
from tests.standin.comfyui import JSON, Answer, Request, StandIn, recorded_node_types

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

PAUSE = 0.01
"""Seconds between two questions of the other client: far more than a person's browser asks."""
_PROCESSES = multiprocessing.get_context("spawn")


@dataclass
class Waits:
    """Seconds that the other client waited for each answer."""

    alone: list[float] = field(default_factory=list)
    during: list[float] = field(default_factory=list)


def main(rounds: int) -> None:
    """Measure and print."""
    waits, counts, took = Waits(), [], []
    workflows = templates.folder()
    with tempfile.TemporaryDirectory() as folder, _served() as (url, asked):
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": folder,
            "PYTHONPATH": str(Path(__file__).parents[1]),
            "COMFYWATCHMAN_COMFYUI_URL": url,
            "COMFYWATCHMAN_STATE_DIR": str(Path(folder, "state")),
            "COMFYWATCHMAN_WORKFLOW_DIRS": str(workflows),
        }
        command = ["nice", "-n", "10", sys.executable, "-m", "comfywatchman.cli", "--run-check"]

        def cycle() -> None:
            quiet = subprocess.DEVNULL
            subprocess.run(command, env=environment, check=True, stdout=quiet, stderr=quiet)

        for number in range(rounds + 1):
            asked()
            start = time.perf_counter()
            during = _waits_while(cycle, url)
            seconds = time.perf_counter() - start
            requests = [r for r in asked() if r[0] not in ("/prompt", "/standin/requests")]
            alone = _waits_while(lambda: time.sleep(seconds), url)  # noqa: B023  (called at once)
            if number:  # the first round warms the caches
                waits.during += during
                waits.alone += alone
                counts.append(requests)
                took.append(seconds)
    print(_table(waits, counts[-1], statistics.median(took), rounds))


def _table(waits: Waits, requests: list[tuple[str, int, int]], seconds: float, rounds: int) -> str:
    sent, received = (sum(r[n] for r in requests) for n in (1, 2))
    catalog = sum(r[2] for r in requests if r[0] == "/object_info")
    lines = [
        f"One cycle: {len(requests)} requests within {seconds:.1f} s, {sent / 1e3:.1f} kB in all",
        f"Their answers: {received / 1e6:.2f} MB, {catalog / received:.0%} of it /object_info",
        f"Another client: {len(waits.during)} answers in {rounds} cycles, {len(waits.alone)} else",
        f"{'it waits':<16} {'alone':>9} {'meanwhile':>9} ratio",
    ]
    for name, share in (("median", 0.5), ("95th percentile", 0.95), ("99th percentile", 0.99)):
        alone, during = (_quantile(w, share) * 1000 for w in (waits.alone, waits.during))
        lines.append(f"{name:<16} {alone:>6.2f} ms {during:>6.2f} ms {during / alone:>5.2f}")
    longest = max(waits.alone) * 1000, max(waits.during) * 1000
    lines.append(f"{'longest':<16} {longest[0]:>6.1f} ms {longest[1]:>6.1f} ms")
    return "\n".join(lines)


def _quantile(values: list[float], share: float) -> float:
    return sorted(values)[int(share * (len(values) - 1))]


def _waits_while(work: Callable[[], object], url: str) -> list[float]:
    """Ask the server again and again while something else goes on."""
    waits: list[float] = []
    done = threading.Event()

    def ask() -> None:
        address = urlsplit(url).netloc
        connection = http.client.HTTPConnection(address, timeout=60)
        while not done.is_set():
            start = time.perf_counter()
            connection.request("GET", "/prompt")
            connection.getresponse().read()
            waits.append(time.perf_counter() - start)
            time.sleep(PAUSE)
        connection.close()

    other = threading.Thread(target=ask)
    other.start()
    try:
        work()
    finally:
        done.set()
        other.join()
    return waits


class _OneAtATime(StandIn):
    """Answers one request after another, and puts the catalog together anew, as ComfyUI does."""

    def __init__(self) -> None:
        super().__init__()
        self._turn = threading.Lock()

    def answer(self, request: Request, path: str) -> Answer:
        with self._turn:
            if path == "/object_info":
                return Answer(200, json.dumps(recorded_node_types(self.state)).encode(), JSON)
            return super().answer(request, path)


@contextmanager
def _served() -> Iterator[tuple[str, Callable[[], list[tuple[str, int, int]]]]]:
    """A server in a process of its own.

    Yields:
        Its address, and a function that says what it was asked since the last time: of each
        request the path, the bytes of the request and of the answer's body.
    """
    here, there = _PROCESSES.Pipe()
    process = _PROCESSES.Process(target=_serve, args=(there,), daemon=True)
    process.start()
    there.close()

    def asked() -> list[tuple[str, int, int]]:
        here.send(None)
        answer: list[tuple[str, int, int]] = here.recv()
        return answer

    try:
        yield here.recv(), asked
    finally:
        here.close()
        process.join()


def _serve(pipe: Connection) -> None:
    with _OneAtATime() as comfyui:
        pipe.send(comfyui.url)
        while True:
            try:
                pipe.recv()
            except EOFError:
                return
            pipe.send([(r.path, _bytes_of(r), r.sent) for r in comfyui.requests])
            comfyui.requests.clear()


def _bytes_of(request: Any) -> int:
    head = f"{request.method} {request.target} HTTP/1.1\r\n"
    fields = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    return len(head) + len(fields) + 2
