"""``comfywatchman notify``."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from comfywatchman import state, streams
from comfywatchman.command_line import sentences
from comfywatchman.command_line.options import Config, StateDir


def run(
    *,
    failed_unit: Annotated[
        str, typer.Option("--failed-unit", help="The unit that failed, as systemd names it.")
    ],
    config: Config = None,
    state_dir: StateDir = None,
) -> None:
    """Say why a unit failed, and run on_failure_command; for OnFailure= of systemd."""
    from comfywatchman.schedule import failure

    journal = streams.under_journal(sys.stderr)

    def say(priority: int, text: str) -> None:
        sentences.say(text, f"<{priority}>" if journal else "")

    with sentences.for_wrong_configuration():
        # A wrong configuration may be what failed; the cycle left word in the same folder.
        folder = state.likely_folder(state_dir, config)
        failed = failure.of_unit(failed_unit, os.environ, folder)
        failure.handle(failed, folder, config, say)
