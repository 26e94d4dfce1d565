"""``comfywatchman notify``."""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from comfywatchman import state, streams
from comfywatchman.command_line import sentences
from comfywatchman.command_line.options import Config, StateDir
from comfywatchman.errors import Exit

if TYPE_CHECKING:
    from pathlib import Path

    from comfywatchman.settings import Settings


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
    relay: Annotated[
        bool,
        typer.Option(
            "--relay",
            help="Pass on the message on standard input, which is given as to on_change_command; "
            "send what waits.",
        ),
    ] = False,
    config: Config = None,
    state_dir: StateDir = None,
) -> None:
    """Tell people: that a unit failed (for OnFailure= of systemd), what waits, or a test.

    Exit code 1: a test did not arrive, or no channel is set up.
    """
    if [failed_unit is not None, send, test, relay].count(True) != 1:
        raise typer.BadParameter("give one of --failed-unit, --send, --test and --relay")
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
        if send or relay:
            folder = settings.resolved_state_dir
            try:
                if relay:
                    _relay(settings, folder)
                sender.send(settings, folder, say)
            except OSError as error:
                sentences.end(Exit.UNWRITABLE, f"{folder} cannot be written: {error.strerror}")
            return
        name = socket.gethostname()
        host = f"{name} ({settings.instance})" if settings.instance else name
        failures = 0
        told = False
        for target, why in sender.test(settings, settings.resolved_state_dir, host):
            told = True
            failures += bool(why)
            sentences.show(f"{target}: {f'not sent: {why}' if why else 'sent'}")
        if not told:
            sentences.show("no channel is set up; docs/monitoring.md says how")
        raise typer.Exit(Exit.OK if told and not failures else Exit.FAIL_ON)


def _relay(settings: Settings, folder: Path) -> None:
    """Put the message on standard input into the outbox, if there is one."""
    from comfywatchman.channels.sending import relaying
    from comfywatchman.history.error import HistoryError

    text = sys.stdin.buffer.read(relaying.LONGEST).decode(errors="replace")
    if not text.strip():
        return
    try:
        message = relaying.message_of(os.environ, text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    try:
        relaying.put(settings, folder, message)
    except HistoryError as error:
        sentences.end(Exit.UNWRITABLE, str(error))
