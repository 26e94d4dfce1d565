"""``comfywatchman schedule``."""

from __future__ import annotations

from typing import Annotated

import typer

from comfywatchman import state
from comfywatchman.command_line import record, sentences
from comfywatchman.command_line.flags import Flags
from comfywatchman.command_line.options import Config
from comfywatchman.errors import Exit
from comfywatchman.flag import Group

FLAGS: tuple[Group, ...] = ("schedule", "state")


def run(
    *,
    run_now: Annotated[
        bool, typer.Option("--run-now", help="Run the first cycle at once, then on schedule.")
    ] = False,
    config: Config = None,
    flags: Flags,
) -> None:
    """Run cycles on schedule, on hosts without systemd, until stopped by SIGTERM or Ctrl-C."""
    with sentences.for_wrong_configuration(), record.bugs(flags, config):
        settings = record.settings(flags, config)
        from comfywatchman.schedule import apscheduler as scheduler

        try:
            scheduler.run(settings, state.as_typed(config) if config else None, run_now=run_now)
        except scheduler.AlreadyScheduledError as error:
            sentences.end(Exit.LOCKED, str(error))
