"""What a command says, and ends with, in sentences: never with a traceback."""

from __future__ import annotations

import contextlib
import sys
import traceback
from typing import TYPE_CHECKING, NoReturn

import typer

from comfywatchman import __version__, streams
from comfywatchman.errors import ConfigError, Exit
from comfywatchman.escape import visible

if TYPE_CHECKING:
    from collections.abc import Iterator


def show(text: str) -> None:
    """Print on standard output, whatever its encoding."""
    typer.echo(streams.encodable(text, sys.stdout))


def say(text: str, prefix: str = "") -> None:
    """Say something on standard error, each line after the program's name.

    Args:
        text: one line or several.
        prefix: the priority, for the journal.
    """
    with contextlib.suppress(OSError):  # a log that is full or gone ends nothing
        for line in text.splitlines():
            typer.echo(f"{prefix}comfywatchman: {visible(line)}", err=True)


def end(code: Exit, sentence: str) -> NoReturn:
    """End the program with a sentence.

    Raises:
        typer.Exit: always.
    """
    say(sentence, "<3>" if streams.under_journal(sys.stderr) else "")
    raise typer.Exit(code)


@contextlib.contextmanager
def for_wrong_configuration() -> Iterator[None]:
    """End a command that meets bad configuration with its sentence."""
    try:
        yield
    except ConfigError as error:
        end(Exit.CONFIG, str(error))


def of_bug(error: Exception) -> str:
    """The sentence about an exception that nothing of ours has foreseen: or about the damage."""
    with contextlib.suppress(Exception):  # what is damaged may be the very file that would tell
        from comfywatchman import integrity

        if damage := integrity.own_damage():
            return f"{damage} ({type(error).__name__}: {error})"
    place = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"a bug of ComfyWatchman {__version__} or of its installation "
        f"({type(error).__name__}: {error}, at {place.filename}:{place.lineno})"
    )
