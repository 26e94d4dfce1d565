"""What the checks of the doctor are given and give."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from comfywatchman import state, state_files
from comfywatchman.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from comfywatchman.gate.comfyui import ServerReading
    from comfywatchman.schedule.timer import Schedule
    from comfywatchman.settings import Settings


class Status(StrEnum):
    """How a point is. Only a problem makes the installation ill."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Point:
    """One point that was examined.

    Attributes:
        name: what it is about.
        status: how it is.
        said: one sentence on what was found.
        remedy: what to do about it; empty where there is nothing to do.
    """

    name: str
    status: Status
    said: str
    remedy: str = ""

    def as_json(self) -> dict[str, str]:
        """The same as JSON."""
        return {
            "name": self.name,
            "status": self.status.value,
            "said": self.said,
            "remedy": self.remedy,
        }


class Examination:
    """What is examined. Each thing is looked at once, when a check asks for it.

    Args:
        config: the configuration file, as on the command line.
        state_dir: the state folder, as on the command line.
    """

    def __init__(self, config: Path | None, state_dir: Path | None) -> None:
        self.config = config
        self._state_dir = state_dir

    @cached_property
    def settings_or_problem(self) -> Settings | str:
        """The settings, or why they cannot be used: a sentence a line."""
        try:
            from comfywatchman import settings

            return settings.load({"state_dir": self._state_dir}, self.config)
        except (ConfigError, ImportError) as error:
            return str(error)

    @property
    def settings(self) -> Settings | None:
        """The settings; None where they cannot be used."""
        found = self.settings_or_problem
        return None if isinstance(found, str) else found

    @cached_property
    def config_file(self) -> Path | None:
        """The configuration file; None where none was named and none is in its usual place."""
        with suppress(ConfigError):
            file, _ = state.read_config(self.config)
            return file
        named = self.config or os.environ.get(state.CONFIG_VARIABLE)
        return state.as_typed(named) if named else None

    @cached_property
    def instance(self) -> str:
        """Name of the instance, as far as it can be told."""
        return state.likely_instance(self.config)

    @cached_property
    def folder(self) -> Path:
        """The state folder, as far as it can be told."""
        return state.likely_folder(self._state_dir, self.config)

    @cached_property
    def last_run(self) -> dict[str, Any] | None:
        """What became of the last cycle; None where there is no word, empty where it is damaged."""
        import orjson

        try:
            content = orjson.loads(state.read_file(self.folder / state_files.LAST_RUN))
        except FileNotFoundError:
            return None
        except PermissionError:
            raise
        except (OSError, orjson.JSONDecodeError):
            return {}
        return content if isinstance(content, dict) else {}

    @cached_property
    def schedule(self) -> Schedule:
        """What starts the cycles."""
        from comfywatchman.schedule import timer

        return timer.read(self.instance, self.folder, timeout=5.0)

    @cached_property
    def server(self) -> ServerReading:
        """What ComfyUI said of itself, or why it could not be asked."""
        from comfywatchman.comfyui import credentials
        from comfywatchman.comfyui.client import ComfyUIClient
        from comfywatchman.gate import comfyui

        assert self.settings is not None  # noqa: S101  (such checks are left out without them)
        try:
            with ComfyUIClient(self.settings, credentials.read(self.settings)) as client:
                return comfyui.read(client)
        except ConfigError as error:
            return comfyui.ServerReading(problem=str(error))
