"""``comfywatchman notify``."""

from __future__ import annotations

import os
import socket
import sys
from typing import Annotated

import typer

from comfywatchman import state, streams
from comfywatchman.command_line import sentences
from comfywatchman.command_line.options import Config, StateDir
from comfywatchman.errors import Exit


def run(
    *,
    failed_unit: Annotated[
        str | None, typer.Option("--failed-unit", help="The unit that failed, as systemd names it.")
    ] = None,
    send: Annotated[bool, typer.Option("--send", help="Send what waits in the outbox.")] = False,
    test: Annotated[
        bool,
        typer.Option("--test", help="Send a test by every channel, and say what became of it."),
    ] = False,
    config: Config = None,
    state_dir: StateDir = None,
) -> None:
    """Tell people: that a unit failed (for OnFailure= of systemd), what waits, or a test.

    Exit code 1: a test did not arrive, or no channel is set up.
    """
    if [failed_unit is not None, send, test].count(True) != 1:
        raise typer.BadParameter("give one of --failed-unit, --send and --test")
    journal = streams.under_journal(sys.stderr)

    def say(priority: int, text: str) -> None:
        sentences.say(text, f"<{priority}>" if journal else "")

    with sentences.for_wrong_configuration():
        if failed_unit is not None:
            from comfywatchman.schedule import failure

            # A wrong configuration may be what failed; the cycle left word in the same folder.
            folder = state.likely_folder(state_dir, config)
            failed = failure.of_unit(failed_unit, os.environ, folder)
            failure.handle(failed, folder, config, say)
            return
        from comfywatchman import settings as all_settings
        from comfywatchman.channels.sending import sender

        settings = all_settings.load(
            {"state_dir": state.as_typed(state_dir) if state_dir else None}, config
        )
        if send:
            try:
                sender.send(settings, settings.resolved_state_dir, say)
            except OSError as error:
                folder = settings.resolved_state_dir
                sentences.end(Exit.UNWRITABLE, f"{folder} cannot be written: {error.strerror}")
            return
        failures = 0
        told = False
        for name, why in sender.test(settings, settings.resolved_state_dir, socket.gethostname()):
            told = True
            failures += bool(why)
            sentences.show(f"{name}: {f'not sent: {why}' if why else 'sent'}")
        if not told:
            sentences.show("no channel is set up; docs/monitoring.md says how")
        raise typer.Exit(Exit.OK if told and not failures else Exit.FAIL_ON)
