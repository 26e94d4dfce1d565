"""Video Helper Suite: values saved by name, in older saves by places of its own.

A video format has widgets of its own, which the catalog lists in the options of the input
``format``; they are sent like others. The node that stands for the latest file is never sent: it
writes into the widgets of the nodes it is wired to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from comfywatchman.comfyui.catalog import COMBO, input_spec
from comfywatchman.workflow.graph import as_mapping
from comfywatchman.workflow.pack import Pack
from comfywatchman.workflow.widgets import default, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfywatchman.comfyui.catalog import InputSpec
    from comfywatchman.workflow.graph import Node

_VIDEO: Final = (
    "video", "force_rate", "force_size", "frame_load_cap", "skip_first_frames", "select_every_nth",
)  # fmt: skip
_IMAGES: Final = ("image_load_cap", "skip_first_images", "select_every_nth")
_PLACES: Final = {
    "VHS_LoadImages": ("directory", "", *_IMAGES),
    "VHS_LoadImagesPath": ("directory", *_IMAGES),
    "VHS_LoadVideo": _VIDEO,
    "VHS_LoadVideoPath": _VIDEO,
    "VHS_VideoCombine": (
        "frame_rate", "loop_count", "filename_prefix", "format", "pingpong", "save_image",
    ),
}  # fmt: skip
"""Whose place is which in saves of 2023; empty: nobody's."""

_OLD_NAMES: Final = {"save_output": "save_image"}
_SIZES: Final = {
    "custom_width": ("Disabled", "Custom Height"),
    "custom_height": ("Disabled", "Custom Width"),
}
"""Which choices of the former ``force_size`` left a size as it is."""


def saved(node: Node) -> Any:
    """The values of a node by name, under the names they have now."""
    values = node.widgets_values
    places = _PLACES.get(node.type, ())
    if isinstance(values, list) and places and len(values) >= len(places):
        values = {name: v for name, v in zip(places, values, strict=False) if name}
    if not isinstance(values, dict):
        return values
    values = dict(values)
    for name, old in _OLD_NAMES.items():
        if name not in values and old in values:
            values[name] = values[old]
    size = values.get("force_size")
    if isinstance(size, str):
        fixed = dict(zip(_SIZES, size.split("x"), strict=False)) if "x" in size else {}
        for name, left_alone in _SIZES.items():
            if name in fixed:
                number = fixed[name]
                values[name] = int(number) if number.isdecimal() and len(number) < 9 else 0
            elif size in left_alone:
                values[name] = 0
    return values


def values(node: Node, inputs: dict[str, Any]) -> None:
    """Add the widgets of the video format that a node holds."""
    by_name = as_mapping(node.widgets_values)
    for spec in list(_of_format(node, inputs)):
        value = by_name[spec.name] if spec.name in by_name else default(spec)
        if isinstance(value, (str, int, float, list, dict)):
            inputs[spec.name] = wrapped(value)


def _of_format(node: Node, inputs: dict[str, Any]) -> Iterator[InputSpec]:
    declared = node.known.inputs if node.known is not None else {}
    for spec in declared.values():
        if spec.type != COMBO or not isinstance(inputs.get(spec.name), str):
            continue
        widgets = as_mapping(spec.options.get("formats")).get(inputs[spec.name])
        for widget in widgets if isinstance(widgets, list) else ():
            match widget:
                case [str(name), kind, *rest] if name not in declared:
                    yield input_spec(name, [kind, *rest], required=False)
                case _:
                    pass


PACK = Pack(
    name="Video Helper Suite",
    folders=("videohelpersuite",),
    seen="1.7.9",
    evidence="its web/js/VHS.core.js: how it restores saved values, what a format adds, and the"
    " class of the virtual node",
    kept_back=frozenset({"VHS_SelectLatest"}),
    saved=saved,
    values=values,
)
