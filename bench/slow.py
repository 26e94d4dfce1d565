"""Cycles over workflows that only a server far away can give: what they take, and what they ask."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from bench import installation
from bench.measure import Contender
from tests.standin import certificates

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.standin.certificates import Certificates

WORKFLOWS, ROUND_TRIP, LIMIT = 5_000, 0.15, 30.0
STAND_IN = Path(__file__).parents[1] / "tests" / "standin" / "comfyui.py"
CYCLES = ("first cycle", "second cycle", "third cycle, nothing changed")


def main(before: Path | None = None) -> None:
    """Measure and print.

    Args:
        before: another checkout, whose first cycle is measured too.

    Raises:
        SystemExit: not all are judged by the second cycle, or the third takes too long.
    """
    if missing := certificates.openssl_missing():
        raise SystemExit(missing)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size = installation.save_workflows(folder / "user" / "default" / "workflows", WORKFLOWS)
        made = certificates.make(folder)
        print(
            f"{WORKFLOWS:,} workflows, {size / 1e6:.0f} MB, on a server {1000 * ROUND_TRIP:.0f} ms "
            "away, over TLS\n"
        )
        with _served(folder, made) as near, Distance(near, ROUND_TRIP) as far:
            counts = _Counts(near, made)
            if before is not None:
                _cycle("first cycle (before)", before, folder / "before", far, made, counts)
            here = Path(__file__).parents[1]
            ends = [_cycle(name, here, folder / "state", far, made, counts) for name in CYCLES]
        kept = sum(file.stat().st_size for file in (folder / "state").glob("*.sqlite3"))
        print(f"\nkept of the workflows: {kept / 1e6:.0f} MB")
    if ends[1]["unknown"] or not 0 < ends[2]["wall"] <= LIMIT:
        raise SystemExit(f"not all are judged, or the third took more than {LIMIT:.0f} s")


def _cycle(
    name: str, checkout: Path, state: Path, far: Distance, made: Certificates, counts: _Counts
) -> dict[str, Any]:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(state.parent),
        "PYTHONPATH": str(checkout),
        "COMFYWATCHMAN_COMFYUI_URL": far.url,
        "COMFYWATCHMAN_CA_FILE": str(made.authority),
        "COMFYWATCHMAN_STATE_DIR": str(state),
    }
    # -P: not from the current folder but from that of PYTHONPATH
    command = [sys.executable, "-P", "-m", "comfywatchman.cli", "--run-check"]
    far.connections = 0
    run = Contender(name, command, environment).run()
    ended = json.loads((state / "last-run.json").read_bytes())
    files, others = counts.since_last()
    print(
        f"{name:<30} {run.wall:>6.1f} s {run.cpu:>6.1f} s CPU {run.peak:>5.0f} MiB  "
        f"{files:>5,} files and {others:>3,} other requests, {far.connections:>6,} connections\n"
        f"    {ended['outcome']}: {ended['reason']}"
    )
    unknown = (ended["summary"] or {}).get("unknown", WORKFLOWS)
    return {"wall": run.wall, "unknown": unknown}


@contextmanager
def _served(folder: Path, made: Certificates) -> Iterator[str]:
    """A stand-in in a process of its own."""
    process = subprocess.Popen(
        [
            *(sys.executable, STAND_IN, "--port", "0", "--userdata", folder / "user"),
            *("--tls", made.certificate, made.key),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout
        yield process.stdout.readline().split()[-1]
    finally:
        process.terminate()
        process.communicate()


class _Counts:
    """What the stand-in was asked."""

    def __init__(self, url: str, made: Certificates) -> None:
        self._url = url
        self._trusted = ssl.create_default_context(cafile=made.authority)
        self._seen = 0

    def since_last(self) -> tuple[int, int]:
        """Requests for files, and others, since the last time this was asked."""
        url = f"{self._url}/standin/requests"
        with urllib.request.urlopen(url, context=self._trusted) as answer:
            requests = json.load(answer)
        new, self._seen = requests[self._seen :], len(requests)
        of = Counter(request["target"].startswith("/userdata/") for request in new)
        return of[True], of[False]


class Distance:
    """A server, as far away as a round trip takes. It listens while it is entered.

    What the operating systems send to set a connection up takes a round trip too, which the first
    bytes of each connection wait for.

    Args:
        url: the server's address; ``url`` is then this one's.
        round_trip: in seconds.
    """

    def __init__(self, url: str, round_trip: float) -> None:
        parts = urlsplit(url)
        self.url = url
        self.connections = 0
        self._host, self._port, self._scheme = str(parts.hostname), parts.port, parts.scheme
        self._round_trip = round_trip
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="distance")

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._relay, "127.0.0.1", 0), self._loop
        ).result()
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"{self._scheme}://127.0.0.1:{port}"
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        there = await asyncio.open_connection(self._host, self._port)
        for source, target, first in (
            (reader, there[1], self._round_trip),
            (there[0], writer, 0.0),
        ):
            task = asyncio.ensure_future(self._carry(source, target, first))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _carry(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, first: float
    ) -> None:
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(256)
        arrives = asyncio.ensure_future(self._deliver(under_way, target))
        data = b"first"
        with suppress(OSError):
            while data:
                data = await source.read(65_536)
                due = self._loop.time() + self._round_trip / 2 + first
                first = 0.0
                await under_way.put((due, data))
        if data:
            await under_way.put((0.0, b""))
        await arrives

    async def _deliver(
        self, under_way: asyncio.Queue[tuple[float, bytes]], target: asyncio.StreamWriter
    ) -> None:
        with suppress(OSError):
            while True:
                due, data = await under_way.get()
                await asyncio.sleep(due - self._loop.time())
                if not data:
                    break
                target.write(data)
                await target.drain()
        target.close()
