"""Builds the stand-in for NVML; a process loads it when ``LD_LIBRARY_PATH`` names its folder."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path

from tests.shared_library import compile_or_skip

SOURCE = Path(__file__).with_name("nvml.c")


@dataclass(frozen=True)
class Nvml:
    """The folder that holds ``libnvidia-ml.so.1``."""

    folder: Path


def gpus(*cards: str, **codes: int) -> dict[str, str]:
    """Variables that say what the library answers.

    Args:
        cards: ``NAME,TOTAL_MIB,FREE_MIB[,CALL=CODE]`` each, see nvml.c.
        codes: ``init``, ``count``: the code they return; ``hang``: never answer.
    """
    return {
        "STANDIN_NVML_GPUS": ";".join(cards),
        **{f"STANDIN_NVML_{name.upper()}": str(code) for name, code in codes.items()},
    }


def build(folder: Path) -> Nvml:
    """Compile the library into a folder that exists."""
    compile_or_skip(SOURCE, folder / "libnvidia-ml.so.1")
    return Nvml(folder)


def real_driver() -> str:
    """Why this machine cannot show a missing driver; empty when it can."""
    try:
        ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return ""
    return "this machine has an NVIDIA driver of its own"
