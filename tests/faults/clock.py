"""Builds a wall clock that a test may set; processes load it by ``LD_PRELOAD``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.shared_library import compile_or_skip

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


def build(folder: Path) -> Clock:
    """Compile the library into a folder that exists."""
    return Clock(compile_or_skip(SOURCE, folder / "clock.so"), folder / "offset")
