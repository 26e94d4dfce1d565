"""``comfywatchman doctor``: examines this installation, point by point, and says what to do.

It must work where the rest does not: each check is imported and run on its own, and one that fails
is a point like any other. Nothing is changed, nothing is queued.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from comfywatchman.discovery import load
from comfywatchman.doctor.point import Examination, Point, Status
from comfywatchman.errors import ConfigError
from comfywatchman.escape import visible

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Point", "Status", "examine", "in_words"]

_CHECKS = (
    ("installation", "python", False),
    ("installation", "packages", False),
    ("installation", "files", False),
    ("configuration", "configuration", False),
    ("configuration", "credentials", True),
    ("state_folder", "folder", False),
    ("state_folder", "disk", True),
    ("state_folder", "ask_server", False),
    ("state_folder", "last_cycle", False),
    ("state_folder", "lock", False),
    ("state_folder", "metrics", True),
    ("channels", "channels", True),
    ("schedule", "timer", False),
    ("schedule", "service", False),
    ("schedule", "clock", False),
    ("server", "comfyui", True),
    ("server", "gpus", True),
    ("server", "comfyui_folder", True),
    ("server", "workflow_folders", True),
)
"""Module, function, and whether it needs the settings; in the order in which they are told."""
_WIDTH = 18


def examine(config: Path | None, state_dir: Path | None) -> Iterator[Point]:
    """Examine the installation. Never raises.

    Args:
        config: the configuration file, as on the command line.
        state_dir: the state folder, as on the command line.

    Yields:
        One point after the other, as they are found.
    """
    examination = Examination(config, state_dir)
    for module, function, needs_settings in _CHECKS:
        name = function.replace("_", " ")
        if needs_settings and examination.settings is None:
            yield Point(name, Status.SKIPPED, "not examined, as the configuration cannot be used")
            continue
        try:
            check = getattr(load(sys.modules[__name__], module), function)
            yield from check(examination)
        except ConfigError as error:
            yield Point(name, Status.PROBLEM, str(error))
        except OSError as error:
            yield Point(
                name,
                Status.PROBLEM,
                f"could not be examined: {error}",
                "correct its permissions, or ask as the user that the cycles run as",
            )
        except Exception as error:  # noqa: BLE001  (whatever is broken here is what was asked for)
            yield Point(
                name,
                Status.PROBLEM,
                f"could not be examined: {type(error).__name__}: {error}",
                "the installation is damaged: deploy it again",
            )


def in_words(point: Point) -> str:
    """Show a point to a person: a line, and one below it for what to do."""
    lines = [f"{point.status:<9}{point.name:<{_WIDTH}} {visible(point.said)}"]
    if point.remedy:
        lines.append(f"{'':<9}{'':<{_WIDTH}} what to do: {visible(point.remedy)}")
    return "\n".join(lines)
