"""Which inputs the server takes notice of, given what a prompt puts into its dynamic ones.

Four declared types stand for other inputs:

- ``COMFY_DYNAMICCOMBO_V3``: the choice made decides which further inputs, ``name.sub``, there are.
  No choice, or an unknown one: the server declares neither them nor the combo itself.
- ``COMFY_AUTOGROW_V3``: ``name.item0``, ``name.item1``, … as many as are wired, up to a maximum.
- ``COMFY_DYNAMICSLOT_V3``: if it is given, in whatever way, there are further inputs, ``name.sub``.
- ``COMFY_MATCHTYPE_V3``: a plain socket whose type the browser matches to others.

Newer servers have more of the kind; what those stand for is not known, and so not checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from comfywatchman.comfyui.catalog import InputSpec, input_spec

if TYPE_CHECKING:
    from collections.abc import Sequence

DYNAMIC_COMBO: Final = "COMFY_DYNAMICCOMBO_V3"
DYNAMIC_SLOT: Final = "COMFY_DYNAMICSLOT_V3"
AUTOGROW: Final = "COMFY_AUTOGROW_V3"
MATCH_TYPE: Final = "COMFY_MATCHTYPE_V3"

_MOST_ITEMS: Final = 1000


def is_dynamic(specs: Iterable[InputSpec]) -> bool:
    """Whether what is declared depends on what a prompt gives."""
    return any(_is_expanded(spec) for spec in specs)


def expand(
    specs: Iterable[InputSpec], inputs: Mapping[str, Any], *, autogrow_minimum: bool
) -> Iterator[InputSpec]:
    """Replace dynamic inputs by the inputs they stand for.

    Args:
        specs: declared inputs, by the names they have in the prompt.
        inputs: what the prompt gives.
        autogrow_minimum: whether the server insists on the first items of a growing input.
    """
    for spec in specs:
        if spec.type == DYNAMIC_COMBO:
            option = selected(spec, inputs.get(spec.name))
            if spec.name in inputs and option is not None:
                yield spec
                opened = _members(option.get("inputs"), prefix=spec.name)
                yield from expand(opened, inputs, autogrow_minimum=autogrow_minimum)
        elif spec.type == DYNAMIC_SLOT:
            if spec.name in inputs:
                yield spec
                opened = _members(spec.options.get("inputs"), prefix=spec.name)
                yield from expand(opened, inputs, autogrow_minimum=autogrow_minimum)
        elif spec.type == AUTOGROW:
            items = _items(spec, inputs, autogrow_minimum=autogrow_minimum)
            yield from expand(items, inputs, autogrow_minimum=autogrow_minimum)
        elif not _is_expanded(spec):
            yield spec


def kinds(union: str) -> set[str]:
    """The types that a type may be one of: ``IMAGE,MASK`` are two."""
    return {kind.strip() for kind in union.split(",")}


def allowed_types(spec: InputSpec) -> str:
    """The types an input takes, as a person would call them: a matched input allows several."""
    if spec.type != MATCH_TYPE:
        return spec.type
    template = spec.options.get("template")
    allowed = template.get("allowed_types") if isinstance(template, Mapping) else None
    return allowed if isinstance(allowed, str) else "*"


def dynamic(specs: Iterable[InputSpec], inputs: Mapping[str, Any]) -> Iterator[InputSpec]:
    """Every dynamic input that is in force: those declared, and those that choices open up."""
    for spec in specs:
        if not _is_expanded(spec):
            continue
        yield spec
        if spec.type == DYNAMIC_COMBO:
            option = selected(spec, inputs.get(spec.name))
            if option is not None:
                yield from dynamic(_members(option.get("inputs"), prefix=spec.name), inputs)
        elif spec.type == DYNAMIC_SLOT and spec.name in inputs:
            yield from dynamic(_members(spec.options.get("inputs"), prefix=spec.name), inputs)


def options(spec: InputSpec) -> list[Mapping[str, Any]]:
    """The options of a dynamic combo, each with its ``key`` and ``inputs``."""
    listed = spec.options.get("options")
    return [o for o in listed if isinstance(o, Mapping)] if isinstance(listed, list) else []


def selected(spec: InputSpec, choice: object) -> Mapping[str, Any] | None:
    """The option of a dynamic combo that a prompt chose, None if there is no such option."""
    return next((o for o in options(spec) if "key" in o and o["key"] == choice), None)


def item_names(spec: InputSpec) -> tuple[Sequence[str], int]:
    """Names that the items of a growing input can have, unprefixed, and how many it should have."""
    template = spec.options.get("template")
    if not isinstance(template, Mapping):
        return (), 0
    minimum = template.get("min")
    least = minimum if isinstance(minimum, int) else 0
    named = template.get("names")
    if isinstance(named, list):
        return [name for name in named if isinstance(name, str)], least
    prefix, most = template.get("prefix"), template.get("max")
    if not isinstance(prefix, str) or not isinstance(most, int):
        return (), 0
    return [f"{prefix}{i}" for i in range(min(most, _MOST_ITEMS))], least


def lacks_an_item(spec: InputSpec, *, first_group_only: bool) -> bool:
    """Whether the server finds no declaration of the items of a growing input, and breaks down.

    Args:
        spec: the growing input.
        first_group_only: whether it looks for one in the first group of declarations alone, as
            older servers do.
    """
    template = spec.options.get("template")
    groups = template.get("input") if isinstance(template, Mapping) else None
    if not isinstance(groups, Mapping):
        return False
    sizes = [len(group) for group in groups.values() if isinstance(group, Mapping)]
    return 0 in sizes[:1] if first_group_only else not any(sizes)


def _is_expanded(spec: InputSpec) -> bool:
    return spec.type.startswith("COMFY_") and spec.type.endswith("_V3") and spec.type != MATCH_TYPE


def _items(
    spec: InputSpec, inputs: Mapping[str, Any], *, autogrow_minimum: bool
) -> Iterator[InputSpec]:
    template = spec.options.get("template")
    if not isinstance(template, Mapping):
        return
    model = next(iter(_members(template.get("input"))), None)
    if model is None:
        return
    names, least = item_names(spec)
    for i, unprefixed in enumerate(names):
        name = f"{spec.name}.{unprefixed}"
        required = autogrow_minimum and model.required and i < least
        if required or name in inputs:
            yield InputSpec(
                name, model.type, required, model.options, model.choices, listed=model.listed
            )


def _members(groups: object, prefix: str | None = None) -> Iterator[InputSpec]:
    if not isinstance(groups, Mapping):
        return
    for group in ("required", "optional"):
        members = groups.get(group)
        if isinstance(members, Mapping):
            for name, declaration in members.items():
                full = name if prefix is None else f"{prefix}.{name}"
                yield input_spec(full, declaration, required=group == "required")
