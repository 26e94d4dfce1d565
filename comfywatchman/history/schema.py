"""What a node type declares, apart from the files it lists: the same, or what of it changed.

Loaders list the files of the host among their choices. Those come and go without the node type
being another one, so they are told apart from what its code declares.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from comfywatchman.comfyui.catalog import COMBO, InputSpec, NodeType
from comfywatchman.comfyui.inventory import place_of
from comfywatchman.comfyui.names import looks_like_file
from comfywatchman.findings import quoted
from comfywatchman.history import packing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from comfywatchman.comfyui.inventory import Inventory

Key = tuple[str, ...]
"""Where in a declaration a list of choices stands, however it is written: the input's name, and
what it is nested in."""

OUTPUTS: Final = "\0"
"""What such a place begins with where it is in an output, instead of an input's name."""

_COSMETIC: Final = frozenset(
    [
        "category",
        "description",
        "display_name",
        "essentials_category",
        "has_intermediate_output",
        "name",
        "output_name",
        "output_tooltips",
        "price_badge",
        "search_aliases",
    ]
)
_COSMETIC_OPTIONS: Final = frozenset({"tooltip", "display_name"})
_GROUPS: Final = frozenset({"required", "optional", "hidden", "options", "inputs"})
_DEEPEST: Final = 24
_NESTING: Final = (dict, list)
_LIMITS: Final = {"min": "minimum", "max": "maximum", "step": "step"}
_MOST_CHOICES: Final = 3
_MOST_TOLD: Final = 100_000
"""Choices of which it is remembered whether they name a file."""


class FileNames:
    """Tells choices that are names of files from those that are not.

    Args:
        inventory: the files that are known; what ends as files do counts as one anyway.
    """

    def __init__(self, inventory: Inventory) -> None:
        self._models = {name for names in inventory.models.values() for name in names}
        self._embeddings = inventory.embeddings or frozenset()
        self._files = inventory.files
        self._told: dict[str, bool] = {}

    def __contains__(self, choice: object) -> bool:
        if not isinstance(choice, str):
            return False
        told = self._told.get(choice)
        if told is None:
            # A hundred node types list the same ten thousand files.
            if len(self._told) >= _MOST_TOLD:
                self._told.clear()
            told = self._told[choice] = self._is_file(choice)
        return told

    def _is_file(self, choice: str) -> bool:
        if looks_like_file(choice) or choice in self._models or choice in self._embeddings:
            return True
        folder, path = place_of(choice)
        return path in self._files.get(folder, ())


def without_files(
    declaration: Any, is_file: Callable[[str], bool], *, of_lists: bool = True
) -> Any:
    """A declaration without what is only for show, and without names of files.

    Args:
        declaration: what ``/object_info`` says of one node type; it stays as it is.
        is_file: whether a choice is the name of a file.
        of_lists: whether they go from the lists of choices too, and not only from defaults.
    """
    if not isinstance(declaration, Mapping):
        return declaration
    listed: Mapping[str, Any] = declaration
    if of_lists:
        listed = mapped(declaration, lambda _, items: [i for i in items if not _is(i, is_file)])
    return {
        name: _without_show(value, is_file, 0)
        for name, value in listed.items()
        if name not in _COSMETIC
    }


def schema_digest(declaration: Any, files: FileNames) -> str:
    """SHA-256 in hexadecimal of a declaration without files; the order of inputs counts."""
    plain = without_files(declaration, files.__contains__)
    return hashlib.sha256(packing.dump(plain)).hexdigest()


def mapped(
    declaration: Mapping[str, Any], change: Callable[[Key, list[Any]], list[Any]]
) -> dict[str, Any]:
    """A declaration with other lists of choices; what does not change is shared with the given.

    Args:
        declaration: what ``/object_info`` says of one node type.
        change: what to put in the place of a list.
    """
    made = dict(declaration)
    for part in ("input", "output"):
        if part in made:
            made[part] = _mapped(made[part], () if part == "input" else (OUTPUTS,), change, 0)
    return made


def lists(declaration: object) -> dict[Key, list[Any]]:
    """The lists of choices of a declaration."""
    found: dict[Key, list[Any]] = {}

    def keep(key: Key, items: list[Any]) -> list[Any]:
        found[key] = items
        return items

    if isinstance(declaration, Mapping):
        mapped(declaration, keep)
    return found


def schema_changes(old: Any, new: Any) -> list[str]:
    """What of a node type changed, one phrase each that follows its name; the worst first.

    Args:
        old: its declaration before, without files; None if it was not offered.
        new: its declaration now, likewise.
    """
    if not isinstance(new, Mapping):
        return ["is no longer offered"] if isinstance(old, Mapping) else []
    if not isinstance(old, Mapping):
        return ["is new"]
    before, after = NodeType("", old), NodeType("", new)
    changes = list(_outputs_changed(before.outputs, after.outputs))
    for name, spec in after.inputs.items():
        was = before.inputs.get(name)
        if was is None and spec.required:
            changes.append(f"has a new required input {quoted(name)}")
        elif was is not None:
            changes += _input_changed(was, spec)
    changes += [f"dropped input {quoted(n)}" for n in before.inputs if n not in after.inputs]
    changes += [
        f"has a new optional input {quoted(name)}"
        for name, spec in after.inputs.items()
        if name not in before.inputs and not spec.required
    ]
    if before.is_output != after.is_output:
        changes.append("is an output now" if after.is_output else "is no longer an output")
    if before.pack != after.pack:
        changes.append(f"now comes from {after.pack or 'ComfyUI'}")
    if not changes and list(before.inputs) != list(after.inputs):
        changes.append("has its inputs in another order")
    return changes or ["is declared in another way"]


def _outputs_changed(old: tuple[str, ...], new: tuple[str, ...]) -> Iterable[str]:
    for slot, kind in enumerate(old):
        if slot >= len(new):
            yield f"dropped output {slot} ({quoted(kind)[1:-1]})"
        elif new[slot] != kind:
            yield f"output {slot}: {quoted(kind)[1:-1]} → {quoted(new[slot])[1:-1]}"
    if len(new) > len(old):
        more = len(new) - len(old)
        yield "has one more output" if more == 1 else f"has {more} more outputs"


def _input_changed(old: InputSpec, new: InputSpec) -> Iterable[str]:
    name = quoted(new.name)
    if old.type != new.type:
        yield f"input {name}: {quoted(old.type)[1:-1]} → {quoted(new.type)[1:-1]}"
    if new.required and not old.required:
        yield f"input {name} is now required"
    if new.type == COMBO == old.type:
        yield from _choices_changed(name, old.choices, new.choices)
    for option, word in _LIMITS.items():
        if old.options.get(option) != new.options.get(option):
            values = (_value(spec.options.get(option)) for spec in (old, new))
            yield f"input {name}: {word} {' → '.join(values)}"
    if old.required and not new.required:
        yield f"input {name} is now optional"
    known = {*_LIMITS, "options"}
    if any(
        old.options.get(o) != new.options.get(o)
        for o in sorted({*old.options, *new.options} - known, key=str)
    ):
        yield f"input {name} has other options"


def _value(value: object) -> str:
    return "none" if value is None else quoted(value)


def _choices_changed(
    name: str, old: tuple[Any, ...] | None, new: tuple[Any, ...] | None
) -> Iterable[str]:
    if old is None or new is None:
        if old is not new:
            yield f"input {name} {'now lists' if old is None else 'no longer lists'} its choices"
        return
    gone = [choice for choice in old if choice not in new]
    more = [choice for choice in new if choice not in old]
    for verb, choices in (("no longer offers", gone), ("now offers", more)):
        if choices:
            named = ", ".join(map(quoted, choices[:_MOST_CHOICES]))
            left = len(choices) - _MOST_CHOICES
            yield f"input {name} {verb} {named}" + (f" and {left} more" if left > 0 else "")


def _mapped(value: Any, key: Key, change: Callable[[Key, list[Any]], list[Any]], depth: int) -> Any:
    if depth > _DEEPEST:
        return value
    if isinstance(value, dict):
        made = {}
        for name, inner in value.items():
            if isinstance(inner, _NESTING):
                within = key if name in _GROUPS else (*key, str(name))
                changed = _mapped(inner, within, change, depth + 1)
                if changed is not inner:
                    made[name] = changed
        return {**value, **made} if made else value
    if not isinstance(value, list):
        return value
    if not any(isinstance(item, _NESTING) for item in value):
        return change(key, value)
    spec = len(value) <= 2 and isinstance(value[0], (str, list))
    items = [
        _mapped(item, key if spec else (*key, str(at)), change, depth + 1)
        for at, item in enumerate(value)
    ]
    return items if any(new is not old for new, old in zip(items, value, strict=True)) else value


def _without_show(value: Any, is_file: Callable[[str], bool], depth: int) -> Any:
    if depth > _DEEPEST:
        return None
    if isinstance(value, dict):
        return {
            name: _without_show(inner, is_file, depth + 1) if isinstance(inner, _NESTING) else inner
            for name, inner in value.items()
            if name not in _COSMETIC_OPTIONS and not (name == "default" and _is(inner, is_file))
        }
    if isinstance(value, list) and any(isinstance(item, _NESTING) for item in value):
        return [_without_show(item, is_file, depth + 1) for item in value]
    return value


def _is(choice: object, is_file: Callable[[str], bool]) -> bool:
    return isinstance(choice, str) and is_file(choice)
