"""Whether a workflow can do with a node type that is declared in another way than where it ran."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from comfywatchman.bom.declared import plain
from comfywatchman.comfyui.catalog import COMBO, InputSpec, NodeType
from comfywatchman.escape import visible
from comfywatchman.findings import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from comfywatchman.results import BomNodeType

_DYNAMIC: Final = "COMFY_"
"""Begin of the types of inputs that bring others along."""
_NUMBERS: Final = ("INT", "FLOAT")
_WIDGETS: Final = frozenset({*_NUMBERS, "STRING", "BOOLEAN", COMBO})
_CONTROL: Final = "control_after_generate"
"""Adds a widget beside a number, whatever it says it should do."""
_HARMLESS: Final = frozenset(
    {
        "advanced",
        "default",
        "display",
        "display_name",
        "dynamicPrompts",
        "lazy",
        "max",
        "min",
        "multiline",
        "options",
        "placeholder",
        "round",
        "step",
        "tooltip",
    }
)
"""Options that change no prompt and no verdict; limits and choices are held against the values."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a node type here is another one than where the workflow ran.

    Attributes:
        breaking: what the workflow cannot do with, a phrase each that follows the type's name.
        unsure: what it may or may not.
    """

    breaking: list[str]
    unsure: list[str]


def compare(used: BomNodeType, new: Mapping[str, Any], *, saved_by_browser: bool) -> Comparison:
    """What of a node type here the workflow cannot do with.

    Whatever is not known to be harmless counts.

    Args:
        used: the node type where the workflow ran, and what it needs of it.
        new: its declaration here, in the form of a bill.
        saved_by_browser: whether the workflow's values stand in the order of the widgets.
    """
    before, after = NodeType(used.name, used.declaration or {}), NodeType(used.name, new)
    found = list(_outputs(used, before, after))
    unsure: list[str] = []
    if before.is_output != after.is_output:
        found.append("is an output now" if after.is_output else "is no longer an output")
    for name, spec in before.inputs.items():
        now = after.inputs.get(name)
        if now is None:
            if _has_widget(spec) or used.given.get(visible(name)):
                found.append(f"dropped input {quoted(name)}")
            continue
        dynamic = spec.type.startswith(_DYNAMIC) or now.type.startswith(_DYNAMIC)
        (unsure if dynamic else found).extend(_input(used, spec, now))
    for name, now in after.inputs.items():
        if name not in before.inputs and now.required and not _fills_itself(now, saved_by_browser):
            found.append(f"has a new required input {quoted(name)}")
    if saved_by_browser and _moved(before, after):
        unsure.append("has its inputs in another order, so that saved values may reach others")
    return Comparison(found, unsure)


def not_offered(used: BomNodeType, offered: NodeType) -> Iterator[str]:
    """What the workflow chooses or gives that a node type here does not take, a phrase each."""
    for name, spec in offered.inputs.items():
        if spec.choices is not None and not spec.options.get("multiselect"):
            known = [plain(choice) for choice in spec.choices]
            texts = {choice for choice in known if isinstance(choice, str)}
            for value in used.choices.get(visible(name), ()):
                if value not in (texts if isinstance(value, str) else known):
                    yield f"does not offer {quoted(value)} for {quoted(name)}"
        given = used.numbers.get(visible(name), ())
        for option, word in (("min", "smaller"), ("max", "larger")):
            limit = spec.options.get(option)
            if not given or isinstance(limit, bool) or not isinstance(limit, (int, float)):
                continue
            value = given[0] if option == "min" else given[-1]
            if (value < limit) if option == "min" else (value > limit):
                yield (
                    f"takes no number {word} than {quoted(limit)} for {quoted(name)}, and the "
                    f"workflow gives {value:g}"
                )


def _outputs(used: BomNodeType, before: NodeType, after: NodeType) -> Iterator[str]:
    for slot, kind in enumerate(before.outputs):
        if slot not in used.outputs_used:
            continue
        if slot >= len(after.outputs):
            yield f"dropped output {slot} ({quoted(kind)[1:-1]})"
        elif after.outputs[slot] != kind:
            yield f"output {slot}: {quoted(kind)[1:-1]} → {quoted(after.outputs[slot])[1:-1]}"


def _input(used: BomNodeType, old: InputSpec, new: InputSpec) -> Iterator[str]:
    name = quoted(new.name)
    if old.type != new.type and not _wider(old.type, new.type):
        yield f"input {name}: {quoted(old.type)[1:-1]} → {quoted(new.type)[1:-1]}"
    if new.required and not old.required and used.given.get(visible(new.name), 0) < used.nodes:
        yield f"input {name} is now required"
    if old.type == COMBO == new.type and (old.choices is None) != (new.choices is None):
        verb = "now lists" if old.choices is None else "no longer lists"
        yield f"input {name} {verb} its choices"
    keys = {*old.options, *new.options}
    if new.type in _WIDGETS:
        keys -= _HARMLESS
        if bool(old.options.get(_CONTROL)) == bool(new.options.get(_CONTROL)):
            keys.discard(_CONTROL)
    else:
        keys -= {"tooltip", "display_name", "lazy", "advanced"}
    changed = [k for k in sorted(keys, key=str) if old.options.get(k) != new.options.get(k)]
    if changed:
        yield f"input {name} has another {', '.join(map(quoted, changed[:3]))}"


def _wider(old: str, new: str) -> bool:
    """Whether whatever may be linked to an input of one type may be to one of another."""
    kinds = set(new.split(","))
    return old not in _WIDGETS and (new == "*" or set(old.split(",")) <= kinds)


def _fills_itself(spec: InputSpec, saved_by_browser: bool) -> bool:
    """Whether the browser gives an input a value that was not saved."""
    if not saved_by_browser or not _is_widget(spec):
        return False
    if spec.type == COMBO:
        return bool(spec.choices) and spec.options.get("default", _first(spec)) in (
            spec.choices or ()
        )
    return "default" in spec.options


def _first(spec: InputSpec) -> object:
    return next(iter(spec.choices or ()), None)


def _is_widget(spec: InputSpec) -> bool:
    return spec.type in _WIDGETS and not spec.options.get("forceInput")


def _moved(before: NodeType, after: NodeType) -> bool:
    """Whether the widgets of before do not come first, in the order that they had."""
    old, new = ([s.name for s in _widgets(t.inputs.values())] for t in (before, after))
    return new[: len(old)] != old


def _widgets(specs: Iterable[InputSpec]) -> Iterator[InputSpec]:
    return (spec for spec in specs if _has_widget(spec))


def _has_widget(spec: InputSpec) -> bool:
    return spec.type in _WIDGETS or spec.type.startswith(_DYNAMIC)
