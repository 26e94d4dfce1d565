"""Settings for a cycle: what keeps one from beginning is on record like a cycle that failed."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import typer

from comfywatchman import ownership, state
from comfywatchman.command_line import sentences
from comfywatchman.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from comfywatchman.command_line.flags import Flags
    from comfywatchman.settings import Settings


def settings(flags: Flags, config: Path | None) -> Settings:
    """Read the settings; where they are wrong, leave word of it before saying so.

    Raises:
        ConfigError: they are, or the state folder is another host's, where no word is left.
    """
    ownership.refuse_other_hosts(_folder(flags, config))
    from comfywatchman.settings import load

    try:
        return load(flags, config)
    except ConfigError as error:
        _failure(flags, config, str(error))
        raise


@contextlib.contextmanager
def bugs(flags: Flags, config: Path | None) -> Iterator[None]:
    """Leave word of a cycle that a bug ends outside the graph, e.g. a module that is missing."""
    try:
        yield
    except (ConfigError, typer.Exit):
        raise
    except Exception as error:
        with contextlib.suppress(Exception):
            _failure(flags, config, sentences.of_bug(error))
        raise


def _failure(flags: Flags, config: Path | None, reason: str) -> None:
    """Leave word of a cycle that could not begin, wherever the state would have gone."""
    from comfywatchman.report.store import ReportStore

    with contextlib.suppress(ConfigError, OSError):
        folder = _folder(flags, config)
        if ownership.of_other_host(folder) is None:
            ReportStore(folder).refuse(reason)
            _measure(folder, flags, config)


def _measure(folder: Path, flags: Flags, config: Path | None) -> None:
    """Count it, also where node_exporter reads, as far as the settings can be read."""
    with contextlib.suppress(Exception):  # what keeps a cycle from beginning is what counts here
        from comfywatchman.metrics import textfile
        from comfywatchman.results import Outcome

        copy = flags.get("textfile_dir") or os.environ.get("COMFYWATCHMAN_TEXTFILE_DIR")
        if not copy:
            with contextlib.suppress(ConfigError):
                copy = state.read_config(config)[1].get("textfile_dir")
        textfile.write(
            folder,
            state.likely_instance(config),
            textfile.Ending(Outcome.FAILED),
            state.as_typed(copy) if copy else None,
        )


def _folder(flags: Flags, config: Path | None) -> Path:
    return state.likely_folder(flags.get("state_dir"), config)
