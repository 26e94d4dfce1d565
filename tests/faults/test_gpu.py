"""A whole cycle on a host whose GPU is full, or whose driver is in trouble."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.standin.nvml import gpus, real_driver

if TYPE_CHECKING:
    from tests.faults.conftest import Host
    from tests.standin.comfyui import StandIn
    from tests.standin.nvml import Nvml

CARD = "NVIDIA GeForce RTX 4090"
FULL = f"{CARD},24564,300"


def gate(host: Host) -> str:
    (reason,) = [a["reason"] for a in host.last_run["gate"] if a["name"] == "gpu"]
    return str(reason)


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        (gpus(FULL), f"only 0.5 GiB of VRAM free at best, on cuda:0 {CARD}"),
        (
            gpus(*[FULL] * 10),
            "close what else uses the GPU (nvidia-smi lists it), or lower min_free",
        ),
        (gpus(), "only 0.5 GiB of VRAM free at best"),
        (gpus(init=9), "the NVIDIA driver is not loaded; load it (modprobe nvidia)"),
        (gpus(init=4), "this user may not ask the NVIDIA driver; give it access to /dev/nvidia*"),
        (gpus(init=18), "was updated but the old one is still loaded; reboot"),
        (gpus(f"{FULL},handle=15"), "GPU 0: the GPU has fallen off the bus; power-cycle the host"),
        (gpus(f"{FULL},memory=3"), f"GPU 0 ({CARD}): the GPU does not tell its memory (MIG"),
    ],
    ids=["full", "ten", "none", "not-loaded", "permission", "mismatch", "lost", "mig"],
)
def test_skipped_with_a_reason(
    host: Host, comfyui: StandIn, nvml: Nvml, environment: dict[str, str], words: str
) -> None:
    comfyui.behaviour = "low-vram:512"
    host.environment |= environment | {"LD_LIBRARY_PATH": str(nvml.folder)}
    ended = host.run(comfyui_url=comfyui.url)
    assert ended.returncode == 0
    assert host.last_run["outcome"] == "skipped"
    assert words in host.last_run["reason"]
    assert host.last_run["reason"] in ended.stderr
    assert gate(host) == host.last_run["reason"]


def test_no_driver(host: Host, comfyui: StandIn) -> None:
    if reason := real_driver():
        pytest.skip(reason)
    comfyui.behaviour = "low-vram:512"
    host.run(comfyui_url=comfyui.url)
    assert host.last_run["outcome"] == "skipped"
    assert "no NVIDIA driver is installed on this host" in host.last_run["reason"]


def test_memory_that_only_nvml_sees(host: Host, comfyui: StandIn, nvml: Nvml) -> None:
    comfyui.behaviour = "low-vram:512"
    host.environment |= gpus(f"{CARD},24564,20480") | {"LD_LIBRARY_PATH": str(nvml.folder)}
    host.run(comfyui_url=comfyui.url)
    assert host.last_run["outcome"] == "done"
    assert gate(host) == f"20.0 GiB of VRAM free on {CARD} (NVML), 2.0 GiB asked for"


def test_memory_that_only_comfyui_sees(host: Host, comfyui: StandIn, nvml: Nvml) -> None:
    comfyui.gpu = 1
    host.environment |= gpus(init=9) | {"LD_LIBRARY_PATH": str(nvml.folder)}
    host.run(comfyui_url=comfyui.url)
    assert host.last_run["outcome"] == "done"
    assert gate(host).startswith("22.0 GiB of VRAM free on cuda:0")
    assert gate(host).endswith("note: the NVIDIA driver is not loaded; load it (modprobe nvidia) "
                               "or reboot after its installation")  # fmt: skip


def test_one_sick_gpu_of_ten(host: Host, comfyui: StandIn, nvml: Nvml) -> None:
    comfyui.gpu = 10
    cards = [f"{CARD},24564,{1000 * n}" for n in range(9)]
    host.environment |= gpus(*cards, f"{FULL},handle=15") | {"LD_LIBRARY_PATH": str(nvml.folder)}
    host.run(comfyui_url=comfyui.url)
    assert host.last_run["outcome"] == "done"
    assert "; note: GPU 9: the GPU has fallen off the bus" in gate(host)


def test_a_server_on_the_cpu(host: Host, comfyui: StandIn) -> None:
    host.run(comfyui_url=comfyui.url)
    assert host.last_run["outcome"] == "done"
    assert gate(host) == "ComfyUI runs on the CPU: there is no VRAM to ask for"
