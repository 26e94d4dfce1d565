"""The command line: ``comfywatchman``, and ``python -m comfywatchman.cli``.

The commands are the modules of :mod:`comfywatchman.commands`; each is made when it is wanted.
"""

from __future__ import annotations

import atexit
import inspect
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

try:
    import typer
    import typer.core

    from comfywatchman import __version__, commands, discovery, streams
    from comfywatchman.command_line import building, sentences
    from comfywatchman.errors import Exit
except Exception as damage:  # noqa: BLE001  (without these not even the doctor could say so)
    sys.stderr.write(f"comfywatchman: the installation is damaged ({damage}): deploy it again\n")
    raise SystemExit(70) from None

COMPLETION_VARIABLE = "_COMFYWATCHMAN_COMPLETE"
"""Set by the shells' completion, which the role installs."""


class _UnreadError(Exception):
    """Whoever read standard output has gone."""


class _Commands(Mapping[str, Any]):
    """The commands by name. One that is looked up is made; to know its name, it need not be."""

    def __getitem__(self, name: str) -> Any:
        if name not in discovery.names(commands):
            raise KeyError(name)
        return building.build(discovery.load(commands, name))

    def __iter__(self) -> Iterator[str]:
        return iter(discovery.names(commands))

    def __len__(self) -> int:
        return len(discovery.names(commands))


class _Group(typer.core.TyperGroup):
    """Reads ``--run-check`` as the command it stands for, so that both are one cycle."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands: Any = _Commands()

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        return list(self.commands)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the commands with the first sentences of their help, which needs none of them."""
        described: Any = {
            name: typer.core.TyperCommand(
                name, help=inspect.getdoc(discovery.load(commands, name).run)
            )
            for name in self.commands
        }
        typer.core.TyperGroup(commands=described).format_commands(ctx, formatter)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if "--run-check" in args and "--help" not in args:
            rest = [a for a in args if a != "--run-check"]
            args = rest if rest[:1] == ["check"] else ["check", *rest]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:  # click would end with 1, as if --fail-on were met
            raise _UnreadError(error.strerror) from None


app = typer.Typer(
    cls=_Group,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Which saved ComfyUI workflows can run on this host now, which cannot, why, and how to "
    "fix it.",
    epilog="Exit codes: 0 done or skipped; 1 --fail-on met; 2 usage; 70 a bug of ours; 74 the "
    "state folder or the output cannot be written; 75 another cycle is running; 78 wrong "
    "configuration.",
)


def _show(wanted: bool) -> None:
    if wanted:
        typer.echo(f"comfywatchman {__version__}")
        raise typer.Exit


@app.callback()
def root(
    _run_check: Annotated[
        bool,
        typer.Option("--run-check", help="Run one cycle: the same as `check` with no arguments."),
    ] = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Which saved ComfyUI workflows can run on this host now, which cannot, why, how to fix it."""


def main() -> None:
    """Run a command, and end as it does.

    Raises:
        SystemExit: always.
    """
    streams.replace_closed()
    streams.guard()
    if COMPLETION_VARIABLE in os.environ:
        import typer.completion

        typer.completion.completion_init()  # type: ignore[attr-defined]
    code: str | int | None = Exit.INTERNAL
    problem, unwritten = "", None
    try:
        app()
    except SystemExit as ended:
        code = ended.code
    except _UnreadError as error:
        code, unwritten = Exit.OK, str(error)
    except OSError as error:  # of a file it would name it
        problem, unwritten = sentences.of_bug(error), None if error.filename else error.strerror
    except Exception as error:  # noqa: BLE001  (the last guard: a sentence, not a traceback)
        problem = sentences.of_bug(error)
    if unwritten := streams.write_out(sys.stdout) or unwritten:
        code = Exit.UNWRITABLE if problem or not code else code
        problem = streams.unwritten(unwritten)
    if problem:
        sentences.say(problem)
    streams.write_out(sys.stderr)
    sys.exit(code)


def program() -> None:
    """Entry point of ``comfywatchman`` and ``python -m comfywatchman.cli``: ends the process.

    At its ordinary end Python takes everything apart that was imported and made, one by one, which
    takes as long as a twentieth of a cycle, and leaves nothing behind that an end at once would.
    """
    try:
        main()
    except SystemExit as ended:
        if not isinstance(ended.code, int):
            raise
        atexit._run_exitfuncs()  # what libraries have asked for, as at the ordinary end
        os._exit(ended.code)


if __name__ == "__main__":
    program()
