"""The GPU gate: the real pynvml, loading a library that answers as a broken driver would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Self

import pytest

from comfywatchman.gate import gpu
from comfywatchman.gate.comfyui import Device
from comfywatchman.gate.gpu import Gpu, NvmlReading
from tests.standin.nvml import gpus, real_driver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.standin.nvml import Nvml

GIB = 1024**3
CARD = "NVIDIA GeForce RTX 4090"
FULL = Device(f"cuda:0 {CARD} : cudaMallocAsync", "cuda", 24 * GIB, GIB // 2)
ANSWER = """
import dataclasses, json, os, sys
from comfywatchman.gate import gpu
for line in sys.stdin:
    asked = json.loads(line)
    os.environ.update(asked["environment"])
    print(json.dumps(dataclasses.asdict(gpu.read(asked["timeout"]))), flush=True)
    for name in asked["environment"]:
        del os.environ[name]
"""


class Process:
    """A process in which gate.gpu reads through pynvml, as often as it is asked."""

    def __init__(self, library: Path | None) -> None:
        environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
        if library is not None:
            environment["LD_LIBRARY_PATH"] = str(library)
        self._process = subprocess.Popen(
            [sys.executable, "-c", ANSWER],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def read(
        self, environment: dict[str, str] | None = None, *, timeout: float = 15
    ) -> NvmlReading:
        assert self._process.stdin
        assert self._process.stdout
        asked = {"environment": environment or {}, "timeout": timeout}
        self._process.stdin.write(f"{json.dumps(asked)}\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return NvmlReading(tuple(Gpu(**g) for g in answer["gpus"]), answer["problem"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # A driver that hangs keeps a process at its end too, so it is not asked to end by itself.
        self._process.kill()
        self._process.communicate()


@pytest.fixture(scope="module")
def host(nvml: Nvml) -> Iterator[Process]:
    """A process on a host whose driver is the stand-in."""
    with Process(nvml.folder) as process:
        yield process


def test_healthy_gpus(host: Process) -> None:
    names = [f"{CARD} {i}" for i in range(10)]
    reading = host.read(gpus(*(f"{n},24564,{1000 + i}" for i, n in enumerate(names))))
    assert reading.problem is None
    assert [g.name for g in reading.gpus] == names
    assert [g.free for g in reading.gpus] == [(1000 + i) * 1024**2 for i in range(10)]
    assert {g.total for g in reading.gpus} == {24564 * 1024**2}


def test_no_driver() -> None:
    if reason := real_driver():
        pytest.skip(reason)
    with Process(None) as process:
        reading = process.read()
    assert reading == NvmlReading(
        (), "no NVIDIA driver is installed on this host (libnvidia-ml.so.1 is not there)"
    )


def test_no_gpu(host: Process) -> None:
    assert host.read(gpus()) == NvmlReading()


@pytest.mark.parametrize(
    ("code", "cause", "remedy"),
    [
        (4, "this user may not ask the NVIDIA driver", "give it access to /dev/nvidia*"),
        (8, "the GPU lacks power", "check its power cables"),
        (9, "the NVIDIA driver is not loaded", "modprobe nvidia"),
        (10, "the NVIDIA driver did not answer in time", "see dmesg"),
        (11, "the kernel gets no interrupts from the GPU", "see dmesg"),
        (13, "libnvidia-ml.so.1 is too old for pynvml", "update the driver"),
        (17, "keeps NVML from the GPU", "its container"),
        (18, "was updated but the old one is still loaded", "reboot"),
        (20, "the NVIDIA driver is out of memory", ""),
        (999, "NVML says: Unknown Error", ""),
        (12345, "NVML says: NVML error 12345 of the stand-in", ""),
    ],
)
@pytest.mark.parametrize("call", ["init", "count"])
def test_a_driver_in_trouble(host: Process, call: str, code: int, cause: str, remedy: str) -> None:
    reading = host.read(gpus(f"{CARD},24564,24000", **{call: code}))
    assert reading.gpus == ()
    assert reading.problem
    assert cause in reading.problem
    assert remedy in reading.problem


@pytest.mark.parametrize(
    ("call", "code", "cause"),
    [
        ("handle", 4, "this user may not ask the NVIDIA driver"),
        ("handle", 15, "the GPU has fallen off the bus; power-cycle the host"),
        ("name", 15, "the GPU has fallen off the bus"),
        ("memory", 3, "the GPU does not tell its memory (MIG without a visible instance"),
        ("memory", 16, "the GPU needs a reset; run nvidia-smi --gpu-reset or reboot"),
    ],
)
def test_one_gpu_in_trouble_leaves_the_others(
    host: Process, call: str, code: int, cause: str
) -> None:
    reading = host.read(gpus(f"{CARD},24564,23000", f"Tesla T4,15360,15000,{call}={code}"))
    well, ill = reading.gpus
    assert reading.problem is None
    assert (well.free, well.problem) == (23000 * 1024**2, None)
    assert (ill.index, ill.free, ill.total) == (1, None, None)
    assert ill.name == ("Tesla T4" if call == "memory" else None)
    assert ill.problem
    assert cause in ill.problem


def test_a_name_that_is_no_text_costs_no_gpu(host: Process) -> None:
    reading = host.read(gpus(os.fsdecode(b"RTX\xff,24564,23000"), "Tesla T4,15360,15000"))
    assert reading.problem is None
    assert [g.name for g in reading.gpus] == ["RTX\ufffd", "Tesla T4"]
    assert [g.free for g in reading.gpus] == [23000 * 1024**2, 15000 * 1024**2]


def test_a_driver_that_never_answers_is_left_alone(nvml: Nvml) -> None:
    with Process(nvml.folder) as process:
        reading = process.read(gpus(hang=1), timeout=0.3)
        assert reading.problem == (
            "the NVIDIA driver did not answer within 0.3 s; it may be stuck: see dmesg"
        )


def test_a_broken_library(tmp_path: Path) -> None:
    (tmp_path / "libnvidia-ml.so.1").write_bytes(b"\x7fELF and no more")
    with Process(tmp_path) as process:
        assert "no NVIDIA driver" in (process.read().problem or "")


def judge(*, reading: NvmlReading, devices: list[Device], minimum: int = 2 * GIB) -> str:
    answer = gpu.judge(reading, devices, minimum)
    return f"{'ok' if answer.ok else 'not ok'}: {answer.reason}"


def seen(*free: int, name: str = CARD) -> NvmlReading:
    return NvmlReading(tuple(Gpu(i, name, 24 * GIB, f) for i, f in enumerate(free)))


def test_either_source_is_enough() -> None:
    """Models that ComfyUI keeps cached count as used in NVML, and the other way round."""
    assert judge(reading=seen(20 * GIB), devices=[FULL]).startswith(
        f"ok: 20.0 GiB of VRAM free on {CARD} (NVML)"
    )
    device = Device(FULL.name, "cuda", 24 * GIB, 10 * GIB)
    assert judge(reading=seen(GIB), devices=[device]).startswith(
        "ok: 10.0 GiB of VRAM free on cuda"
    )
    assert judge(reading=seen(GIB, 3 * GIB), devices=[FULL]).startswith("ok: 3.0 GiB")
    assert judge(reading=seen(2 * GIB), devices=[FULL]).startswith("ok: 2.0 GiB")


def test_neither_source_is_enough() -> None:
    assert judge(reading=seen(2 * GIB - 1), devices=[FULL]) == (
        f"not ok: only 2.0 GiB of VRAM free at best, on {CARD} (NVML); 2.0 GiB asked for: close"
        " what else uses the GPU (nvidia-smi lists it), or lower min_free_vram"
    )


def test_only_gpus_that_the_server_uses_count() -> None:
    other = NvmlReading((Gpu(0, CARD, 24 * GIB, GIB), Gpu(1, "Tesla T4", 15 * GIB, 15 * GIB)))
    assert judge(reading=other, devices=[FULL]).startswith("not ok: only 1.0 GiB")
    intel = Device("xpu:0 Intel Arc A770", "xpu", 16 * GIB, GIB)
    assert judge(reading=other, devices=[intel]) == (
        "not ok: only 1.0 GiB of VRAM free at best, on xpu:0 Intel Arc A770 (ComfyUI); 2.0 GiB"
        " asked for: close what else uses the GPU, or lower min_free_vram"
    )


@pytest.mark.parametrize("problem", ["the NVIDIA driver is not loaded; load it (modprobe nvidia)"])
def test_trouble_with_nvml_is_told_but_comfyuis_own_number_counts(problem: str) -> None:
    reading = NvmlReading(problem=problem)
    free = Device(FULL.name, "cuda", 24 * GIB, 10 * GIB)
    assert judge(reading=reading, devices=[free]).endswith(f"2.0 GiB asked for; note: {problem}")
    assert f"asked for ({problem}): close" in judge(reading=reading, devices=[FULL])
    silent = Device(FULL.name, "cuda", None, None)
    assert judge(reading=reading, devices=[silent]) == (
        f"not ok: free VRAM is not known: {problem}; mend that, or set min_free_vram to 0"
    )


def test_a_lost_gpu_is_told_beside_a_healthy_one() -> None:
    lost = Gpu(1, None, None, None, "the GPU has fallen off the bus")
    reading = NvmlReading((Gpu(0, CARD, 24 * GIB, 8 * GIB), lost))
    assert judge(reading=reading, devices=[FULL]).endswith(
        "; note: GPU 1: the GPU has fallen off the bus"
    )


def test_amd_has_no_use_for_an_nvidia_driver() -> None:
    amd = Device("cuda:0 AMD Radeon RX 7900 XTX : native", "cuda", 24 * GIB, 20 * GIB)
    missing = NvmlReading(problem="no NVIDIA driver is installed on this host")
    assert judge(reading=missing, devices=[amd]) == (
        "ok: 20.0 GiB of VRAM free on cuda:0 AMD Radeon RX 7900 XTX : native (ComfyUI), 2.0 GiB"
        " asked for"
    )


@pytest.mark.parametrize(
    ("devices", "words"),
    [
        ([Device("cpu", "cpu", 9, 9)], "ComfyUI runs on the CPU: there is no VRAM to ask for"),
        ([Device("x", "privateuseone", 9, 9)], "DirectML, which does not tell its free VRAM"),
        ([], "free VRAM is not known: no NVIDIA driver"),
    ],
)
def test_no_gpu_at_all_goes_on(devices: list[Device], words: str) -> None:
    reading = NvmlReading(problem="no NVIDIA driver")
    assert judge(reading=reading, devices=devices).startswith("ok: ")
    assert words in judge(reading=reading, devices=devices)


def test_no_gpu_and_no_device() -> None:
    assert judge(reading=NvmlReading(), devices=[]) == (
        "ok: this host has no NVIDIA GPU, and ComfyUI names no device"
    )


def test_zero_asks_for_nothing() -> None:
    assert judge(reading=seen(0), devices=[FULL], minimum=0).startswith(
        "ok: free VRAM is not asked"
    )


@pytest.mark.parametrize(
    ("argv", "enough"),
    [
        ((), True),
        (("main.py", "--cuda-device", "1"), False),
        (("main.py", "--cuda-device", "0"), True),
        (("main.py", "--cuda-device", "1,0"), True),
        (("main.py", "--cuda-device"), True),
        (("main.py", "--cuda-device", "7"), True),
    ],
)
def test_of_equal_cards_only_the_servers_own_counts(argv: tuple[str, ...], enough: bool) -> None:
    reading = NvmlReading((Gpu(0, CARD, 24 * GIB, 20 * GIB), Gpu(1, CARD, 24 * GIB, GIB)))
    assert gpu.judge(reading, [FULL], 2 * GIB, argv).ok is enough
