"""Builds a wall clock that a test may set; processes load it by ``LD_PRELOAD``."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_name("clock.c")


@dataclass(frozen=True)
class Clock:
    """A wall clock for processes that are started with ``environment``."""

    library: Path
    offset: Path

    @property
    def environment(self) -> dict[str, str]:
        """Variables that have a process go by this clock."""
        return {"LD_PRELOAD": str(self.library), "TEST_CLOCK": str(self.offset)}

    def set(self, seconds: int) -> None:
        """Set it so many seconds ahead of the real one, or back."""
        part = self.offset.with_suffix(".part")
        part.write_text(str(seconds))
        part.replace(self.offset)


def unbuildable() -> str:
    """Why the library cannot be built; empty when it can."""
    return "" if shutil.which("gcc") else "gcc is not installed: the clock is not built"


def build(folder: Path) -> Clock:
    """Compile the library into a folder that exists."""
    library = folder / "clock.so"
    flags = ["-shared", "-fPIC", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(["gcc", *flags, "-o", library, SOURCE, "-ldl"], check=True)
    return Clock(library, folder / "offset")
