"""The server's own process on this host, told by its command line: where its Python is, its start.

Another user's process shows both too. What is no Linux has no ``/proc``: nothing is found there.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from comfywatchman.comfyui.files import begin_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from comfywatchman.time_limit import Budget

PROC: Final = Path("/proc")
_COMMAND_LINE: Final = 128 * 1024
_STATUS: Final = 4096
_TABLE: Final = 1024**2
_MOST_PROCESSES: Final = 20_000


class Process(NamedTuple):
    """A process with the server's command line.

    Attributes:
        interpreter: the program that runs the script; None where it was not started by a path.
        started: when, in seconds since 1970; None where it is not told.
    """

    interpreter: Path | None
    started: float | None


def running(argv: Sequence[str], budget: Budget, proc: Path = PROC) -> list[Process]:
    """The processes with this command line behind their interpreter: one, or it is not sure.

    Args:
        argv: the server's command line, which begins with its script.
        budget: how long it may take.
        proc: where the kernel tells of its processes.

    Raises:
        Blind: the time is over.
    """
    arguments = b"\0".join(a.encode(errors="surrogateescape") for a in ["", *argv] if _plain(a))
    try:
        numbers = [each for each in os.listdir(proc) if each.isdecimal()]  # noqa: PTH208
    except OSError:
        return []
    found = []
    for number in sorted(numbers, key=int)[:_MOST_PROCESSES] if argv else ():
        budget.check()
        line = begin_of(proc / number / "cmdline", _COMMAND_LINE) or b""
        program = Path(os.fsdecode(line.partition(b"\0")[0]))
        # What started Python (uv, nohup) may have the same words behind it.
        if line.endswith(arguments + b"\0") and program.name.startswith("python"):
            found.append(
                Process(program if program.is_absolute() else None, _started(proc, number))
            )
    return found


def _plain(argument: str) -> bool:
    """Whether it can stand in a command line; a lone surrogate of another kind cannot."""
    return not any("\ud800" <= c < "\udc80" or "\udcff" < c <= "\udfff" for c in argument)


def _started(proc: Path, number: str) -> float | None:
    boot = next(
        (
            line.split()[1]
            for line in (begin_of(proc / "stat", _TABLE) or b"").splitlines()
            if line.startswith(b"btime ")
        ),
        None,
    )
    # The name of the program, in brackets, may hold anything.
    fields = (begin_of(proc / number / "stat", _STATUS) or b"").rpartition(b")")[2].split()
    try:
        ticks = int(fields[19]) / os.sysconf("SC_CLK_TCK")
        return None if boot is None else int(boot) + ticks
    except (IndexError, ValueError):
        return None
