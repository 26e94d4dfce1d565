"""Gate probe: is enough VRAM free on a GPU that the server uses?

NVML (through ``pynvml``) says what is free on NVIDIA cards; ComfyUI's ``/system_stats`` says what
it could use itself. Either is enough, because the models ComfyUI keeps cached count as used in NVML
although it frees them for the next prompt.
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from comfywatchman.escape import visible
from comfywatchman.results import GateAnswer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from comfywatchman.gate.comfyui import Device


@dataclass(frozen=True, slots=True)
class Gpu:
    """One NVIDIA GPU as NVML sees it. What could not be told is None; ``problem`` says why.

    Sizes are in bytes.
    """

    index: int
    name: str | None
    total: int | None
    free: int | None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class NvmlReading:
    """What NVML said: its GPUs, or why there are none to see."""

    gpus: tuple[Gpu, ...] = ()
    problem: str | None = None
    """One sentence; None when NVML answered."""


def read(timeout: float = 15.0) -> NvmlReading:
    """Ask NVML for every GPU. Never raises.

    Args:
        timeout: seconds after which a driver that does not answer is left alone.
    """
    answer: list[NvmlReading] = []
    # A wedged driver blocks in the kernel; the thread is left behind so that the cycle is not.
    reader = threading.Thread(target=lambda: answer.append(_read_nvml()), daemon=True, name="nvml")
    reader.start()
    reader.join(timeout)
    if answer:
        return answer[0]
    return NvmlReading(
        problem=f"the NVIDIA driver did not answer within {timeout:g} s; it may be stuck: see dmesg"
    )


def _read_nvml() -> NvmlReading:
    try:
        import pynvml
    except ImportError as error:
        return NvmlReading(problem=f"the Python module pynvml cannot be imported ({error})")
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return NvmlReading(problem=_nvml_sentence(pynvml, error))
    except Exception as error:  # noqa: BLE001  (a foreign library: whatever it raises is a reason)
        return NvmlReading(problem=f"NVML failed ({visible(str(error))})")
    try:
        count = pynvml.nvmlDeviceGetCount()
        return NvmlReading(tuple(_gpu(pynvml, index) for index in range(count)))
    except pynvml.NVMLError as error:
        return NvmlReading(problem=_nvml_sentence(pynvml, error))
    except Exception as error:  # noqa: BLE001
        return NvmlReading(problem=f"NVML failed ({visible(str(error))})")
    finally:
        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


def _gpu(pynvml: Any, index: int) -> Gpu:
    name = None
    try:
        handle = pynvml.nvmlDeviceGetHandleByIndex(index)
        name = _name(pynvml, handle)
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    except pynvml.NVMLError as error:
        return Gpu(index, name, None, None, _nvml_sentence(pynvml, error))
    return Gpu(index, name, int(memory.total), int(memory.free))


def _name(pynvml: Any, handle: Any) -> str:
    try:
        raw = pynvml.nvmlDeviceGetName(handle)
    except UnicodeDecodeError as error:  # pynvml's own decoding
        raw = error.object
    return visible(raw.decode(errors="replace") if isinstance(raw, bytes) else str(raw))


def _nvml_sentence(pynvml: Any, error: Any) -> str:
    known = {
        "NVML_ERROR_LIBRARY_NOT_FOUND": "no NVIDIA driver is installed on this host "
        "(libnvidia-ml.so.1 is not there)",
        "NVML_ERROR_DRIVER_NOT_LOADED": "the NVIDIA driver is not loaded; load it "
        "(modprobe nvidia) or reboot after its installation",
        "NVML_ERROR_NO_PERMISSION": "this user may not ask the NVIDIA driver; give it access to "
        "/dev/nvidia* (often: the group video)",
        "NVML_ERROR_LIB_RM_VERSION_MISMATCH": "the NVIDIA driver was updated but the old one is "
        "still loaded; reboot",
        "NVML_ERROR_FUNCTION_NOT_FOUND": "libnvidia-ml.so.1 is too old for pynvml; update "
        "the driver",
        "NVML_ERROR_GPU_IS_LOST": "the GPU has fallen off the bus; power-cycle the host and see "
        "dmesg for Xid errors",
        "NVML_ERROR_RESET_REQUIRED": "the GPU needs a reset; run nvidia-smi --gpu-reset or reboot",
        "NVML_ERROR_NOT_SUPPORTED": "the GPU does not tell its memory (MIG without a visible "
        "instance, or a virtual GPU)",
        "NVML_ERROR_INSUFFICIENT_POWER": "the GPU lacks power; check its power cables",
        "NVML_ERROR_IRQ_ISSUE": "the kernel gets no interrupts from the GPU; see dmesg",
        "NVML_ERROR_TIMEOUT": "the NVIDIA driver did not answer in time; see dmesg",
        "NVML_ERROR_MEMORY": "the NVIDIA driver is out of memory",
        "NVML_ERROR_OPERATING_SYSTEM": "the operating system (or its container) keeps NVML from "
        "the GPU",
    }
    for name, sentence in known.items():
        if error.value == getattr(pynvml, name, None):
            return sentence
    return f"NVML says: {visible(str(error))}"


def judge(
    reading: NvmlReading, devices: Sequence[Device], minimum: int, argv: Sequence[str] = ()
) -> GateAnswer:
    """Decide from both sources whether the cycle may go on.

    Args:
        reading: what NVML said.
        devices: the server's devices, empty when it could not be asked.
        minimum: bytes that must be free on one GPU; 0 asks for nothing.
        argv: the server's command line, which may bind it to some of several equal cards.
    """
    if minimum == 0:
        return _answer(True, "free VRAM is not asked for (min_free_vram is 0)")
    kinds = {d.type for d in devices}
    if kinds and kinds <= {"cpu"}:
        return _answer(True, "ComfyUI runs on the CPU: there is no VRAM to ask for")
    if "privateuseone" in kinds:
        return _answer(True, "ComfyUI runs through DirectML, which does not tell its free VRAM")
    nvidia = not devices or any(_may_be_nvidia(d) for d in devices)
    gpus = _used_by(reading.gpus, devices, argv) if nvidia else ()
    offers = [(g.free, f"{g.name} (NVML)") for g in gpus if g.free is not None]
    offers += [
        (d.vram_free, f"{d.name} (ComfyUI)")
        for d in devices
        if d.type != "cpu" and d.vram_free is not None
    ]
    trouble = "; ".join(_problems(reading, gpus)) if nvidia else ""
    if not offers:
        if not devices and reading.problem is None and not reading.gpus:
            return _answer(True, "this host has no NVIDIA GPU, and ComfyUI names no device")
        return _answer(
            not devices,
            f"free VRAM is not known: {trouble or 'neither NVML nor ComfyUI tells it'}"
            + ("" if not devices else "; mend that, or set min_free_vram to 0"),
        )
    free, where = max(offers)
    if free >= minimum:
        note = f"; note: {trouble}" if trouble else ""
        return _answer(
            True, f"{_gib(free)} of VRAM free on {where}, {_gib(minimum)} asked for{note}"
        )
    return _answer(
        False,
        f"only {_gib(free)} of VRAM free at best, on {where}; {_gib(minimum)} asked for"
        + (f" ({trouble})" if trouble else "")
        + ": close what else uses the GPU"
        + (" (nvidia-smi lists it)" if nvidia else "")
        + ", or lower min_free_vram",
    )


def _may_be_nvidia(device: Device) -> bool:
    """Whether NVML could know it: PyTorch calls AMD's GPUs ``cuda`` too."""
    return device.type == "cuda" and not any(amd in device.name for amd in ("AMD", "Radeon"))


def _used_by(
    gpus: tuple[Gpu, ...], devices: Sequence[Device], argv: Sequence[str]
) -> tuple[Gpu, ...]:
    """The GPUs the server may use.

    Told by name, as CUDA's numbering may differ from NVML's. Among cards of one name both number
    alike, so there ``--cuda-device`` tells which.
    """
    names = [d.name for d in devices if d.type == "cuda"]
    named = gpus
    if any(g.name and g.name in name for g in gpus for name in names):
        named = tuple(g for g in gpus if g.name is None or any(g.name in name for name in names))
    if len({g.name for g in gpus}) == 1 and "--cuda-device" in argv[:-1]:
        chosen = argv[list(argv).index("--cuda-device") + 1].split(",")
        return tuple(g for g in named if str(g.index) in chosen) or named
    return named


def _problems(reading: NvmlReading, gpus: Sequence[Gpu]) -> list[str]:
    if reading.problem:
        return [reading.problem]
    return [
        f"GPU {g.index}{f' ({g.name})' if g.name else ''}: {g.problem}" for g in gpus if g.problem
    ]


def _gib(size: int) -> str:
    return f"{size / 1024**3:.1f} GiB"


def _answer(ok: bool, reason: str) -> GateAnswer:
    return GateAnswer(name="gpu", ok=ok, reason=reason)
