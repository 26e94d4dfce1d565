"""From a module in ``commands/`` to what typer runs."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import typer
import typer.main

from comfywatchman import garbage
from comfywatchman.command_line import flags

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType


def build(command: ModuleType) -> Any:
    """The command that a module is, with the flags of the groups it takes."""
    # The settings, which most flags are drawn from, stay: they are no garbage to be looked for.
    with garbage.not_looked_for():
        return _built(command)


def _built(command: ModuleType) -> Any:
    run = command.run
    more: dict[str, Any] = {}
    if groups := getattr(command, "FLAGS", ()):
        try:
            run = _with(flags.parameters(groups), run)
        except Exception:  # noqa: BLE001  (the command meets it again, and leaves word of it)
            run = _with([], run)
            more = {"ignore_unknown_options": True, "allow_extra_args": True}
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    alone.command(command.__name__.rpartition(".")[2], context_settings=more)(run)
    return typer.main.get_command(alone)


def _with(added: list[inspect.Parameter], run: Callable[..., None]) -> Callable[..., None]:
    """``run`` with further parameters in place of ``flags``, which gets what was given of them."""
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(run, eval_str=True).parameters.values():
        parameters += added if parameter.name == "flags" else [parameter]

    def called(**given: Any) -> None:
        of_settings = {each.name: given.pop(each.name) for each in added}
        run(**given, flags=flags.given(of_settings))

    called.__doc__ = run.__doc__
    called.__annotations__ = {each.name: each.annotation for each in parameters}
    vars(called)["__signature__"] = inspect.Signature(parameters)
    return called
