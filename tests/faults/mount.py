"""Builds a mount that hangs; processes load it by ``LD_PRELOAD``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.shared_library import compile_or_skip

SOURCE = Path(__file__).with_name("mount.c")


@dataclass(frozen=True)
class HangingMount:
    """A library in whose calls processes hang, as in the kernel's of a network drive."""

    library: Path

    def environment(self, below: Path, on: Literal["stat", "open"]) -> dict[str, str]:
        """Variables of a process that hangs when it looks at, or opens, what lies below."""
        return {
            "LD_PRELOAD": str(self.library),
            "HANGING_MOUNT": str(below),
            "HANGING_MOUNT_ON": on,
        }


def build(folder: Path) -> HangingMount:
    """Compile the library into a folder that exists."""
    return HangingMount(compile_or_skip(SOURCE, folder / "mount.so"))
