"""The flags of a command, drawn from the settings: no field is named anywhere else."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import typer

from comfywatchman import state
from comfywatchman.flag import Flag, Group

Flags = Mapping[str, Any]
"""What was given of a command's flags, by setting; None: not given."""


def parameters(groups: Sequence[Group]) -> list[inspect.Parameter]:
    """The flags of some groups, in the order of groups and fields, as typer reads parameters."""
    from comfywatchman.settings import Settings, declared_flags

    declared = declared_flags()
    return [
        _parameter(name, flag, Settings.model_fields[name].annotation)
        for group in groups
        for name, flag in declared.items()
        if flag.group == group
    ]


def given(values: Mapping[str, Any]) -> Flags:
    """What typer made of the flags, as the settings read it: paths are relative to here."""
    return {name: _given(value) for name, value in values.items()}


def _parameter(name: str, flag: Flag, annotation: Any) -> inspect.Parameter:
    spelled = name.replace("_", "-")
    kind: Any = Path if _is_made_of(Path, annotation) else str
    spelling = f"--{spelled}"
    if get_origin(annotation) is list:
        kind = list[kind]
    elif annotation is bool:
        kind, spelling = bool, f"--{spelled}/--no-{spelled}"
    option = typer.Option(spelling, help=flag.help, show_default=False)
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind | None, option],
    )


def _is_made_of(kind: type, annotation: Any) -> bool:
    return annotation is kind or any(_is_made_of(kind, part) for part in get_args(annotation))


def _given(value: Any) -> Any:
    if isinstance(value, Path):
        return state.as_typed(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_given(each) for each in value] or None  # empty when the flag was not given
    return value
