"""``comfywatchman quiet``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from comfywatchman import room, state
from comfywatchman.command_line import sentences
from comfywatchman.command_line.options import Config, StateDir
from comfywatchman.errors import Exit
from comfywatchman.moments import read_coming, shown

if TYPE_CHECKING:
    from pathlib import Path


def run(
    *,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[until WHEN]",
            help="E.g. until 18:00, until 90min, until 2026-12-31; 30 days ahead at most.",
            show_default=False,
        ),
    ] = None,
    end: Annotated[bool, typer.Option("--end", help="End it now.")] = False,
    config: Config = None,
    state_dir: StateDir = None,
) -> None:
    """Tell nobody of anything during maintenance, nor afterwards of what was so before."""
    from comfywatchman.events import quiet

    now = datetime.now(UTC)
    with sentences.for_wrong_configuration():
        folder = state.locate(state_dir, config)
        if words:
            _begin(folder, words, now, ends_too=end)
            return
        held = quiet.read(folder, now)
        if end:
            try:
                quiet.end(folder)
            except OSError as error:
                _unwritten(folder, error)
            sentences.show("messages are sent again" if held else "it was not quiet")
        elif held:
            sentences.show(f"quiet until {shown(held.until)}, since {shown(held.since)}")
        else:
            sentences.show("not quiet: messages are sent")


def _begin(folder: Path, words: list[str], now: datetime, *, ends_too: bool) -> None:
    from comfywatchman.events import quiet

    if words[0] != "until" or len(words) == 1 or ends_too:
        sentences.end(Exit.USAGE, "say one thing: quiet until WHEN, quiet --end, or quiet")
    try:
        until = read_coming(" ".join(words[1:]), now)
    except ValueError as error:
        sentences.end(Exit.USAGE, str(error))
    if until > now + quiet.LONGEST:
        sentences.end(
            Exit.USAGE,
            f"{shown(until)} is too far ahead: {quiet.LONGEST.days} days are the most, since what "
            "is quiet for longer is forgotten",
        )
    held = quiet.read(folder, now)
    try:
        state.make_folder(folder)
        quiet.begin(folder, quiet.Quiet(held.since if held else now, until))
    except OSError as error:
        _unwritten(folder, error)
    sentences.show(f"quiet until {shown(until)}; end it earlier with: comfywatchman quiet --end")


def _unwritten(folder: Path, error: OSError) -> None:
    sentences.end(
        Exit.UNWRITABLE,
        f"{folder} could not be written: {room.why(error, folder)}; run this as the user that the "
        "cycles run as",
    )
