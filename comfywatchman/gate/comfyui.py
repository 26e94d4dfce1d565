"""Gate probe: is ComfyUI up, is it ComfyUI, is it busy?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from comfywatchman.comfyui.client import ComfyUIError
from comfywatchman.escape import visible
from comfywatchman.results import GateAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from comfywatchman.comfyui.client import ComfyUIClient


@dataclass(frozen=True, slots=True)
class Device:
    """One device the server computes on. Sizes in bytes, None when the server does not tell."""

    name: str
    type: str
    vram_total: int | None
    vram_free: int | None


@dataclass(frozen=True, slots=True)
class ServerReading:
    """What the server said of itself, or why it could not be asked.

    Attributes:
        problem: one sentence when it is not ready; None when it is.
        version: ``comfyui_version``; None when it does not tell (before 0.3.0).
        argv: the command line it was started with.
        devices: what it computes on.
        running: prompts being run.
        pending: prompts waiting.
        stats: the whole answer of ``/system_stats``.
    """

    problem: str | None = None
    version: str | None = None
    argv: tuple[str, ...] = ()
    devices: tuple[Device, ...] = ()
    running: int = 0
    pending: int = 0
    stats: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


def read(client: ComfyUIClient) -> ServerReading:
    """Ask ``/system_stats`` and ``/queue``. Never raises."""
    try:
        stats = client.get_json("/system_stats")
        system = stats.get("system") if isinstance(stats, dict) else None
        if not isinstance(system, dict) or not isinstance(stats.get("devices"), list):
            return ServerReading(
                problem=f"{client.url}/system_stats answered, but not as ComfyUI does; is this "
                "ComfyUI's address? Correct comfyui_url"
            )
        queue = client.get_json("/queue")
    except ComfyUIError as error:
        return ServerReading(problem=str(error))
    running, pending = _queue(queue)
    if running is None or pending is None:
        return ServerReading(
            problem=f"{client.url}/queue answered, but not as ComfyUI does; is this ComfyUI's "
            "address? Correct comfyui_url"
        )
    version, argv = system.get("comfyui_version"), system.get("argv")
    return ServerReading(
        version=visible(version, limit=100) if isinstance(version, str) else None,
        argv=tuple(a for a in argv if isinstance(a, str)) if isinstance(argv, list) else (),
        devices=tuple(_device(d) for d in stats["devices"] if isinstance(d, dict)),
        running=running,
        pending=pending,
        stats=stats,
    )


def judge(reading: ServerReading, url: str, *, skip_when_busy: bool) -> GateAnswer:
    """Decide whether the cycle may go on."""
    if reading.problem:
        return GateAnswer(name="comfyui", ok=False, reason=reading.problem)
    version = f"ComfyUI {visible(reading.version)}" if reading.version else "ComfyUI"
    busy = f"{reading.running} running and {reading.pending} waiting"
    if skip_when_busy and reading.running + reading.pending:
        return GateAnswer(
            name="comfyui",
            ok=False,
            reason=f"{version} at {url} is busy ({busy}), and skip_when_busy is set; "
            "the next cycle tries again",
        )
    state = f"busy ({busy})" if reading.running + reading.pending else "idle"
    return GateAnswer(name="comfyui", ok=True, reason=f"{version} at {url} is up and {state}")


def _queue(answer: Any) -> tuple[int | None, int | None]:
    if not isinstance(answer, dict):
        return None, None
    running, pending = answer.get("queue_running"), answer.get("queue_pending")
    return (
        len(running) if isinstance(running, list) else None,
        len(pending) if isinstance(pending, list) else None,
    )


def _device(entry: dict[str, Any]) -> Device:
    return Device(
        name=visible(str(entry.get("name", "?")), limit=100),
        type=str(entry.get("type", "?")),
        vram_total=_size(entry.get("vram_total")),
        vram_free=_size(entry.get("vram_free")),
    )


def _size(value: object) -> int | None:
    return int(value) if isinstance(value, (int, float)) and 0 <= value < 2**63 else None
