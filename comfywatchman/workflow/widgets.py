"""Widgets: which inputs of a node type are typed in by hand, and the values a saved node holds.

A saved node lists its widgets' values by position. Which position belongs to which input follows
from the node type's declaration alone (:class:`Layout`), never from what a value looks like.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from comfywatchman.comfyui.catalog import COMBO, InputSpec, NodeType

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

WIDGET_TYPES: Final = frozenset(
    {
        "AUDIO_RECORD",
        "BOOLEAN",
        "BOUNDING_BOX",
        "BOUNDING_BOXES",
        "CHART",
        "COLOR",
        "COLORS",
        "COMBO",
        "COMFY_DYNAMICCOMBO_V3",
        "COMFY_DYNAMICGROUP_V3",
        "COMPOSITOR",
        "CURVE",
        "FLOAT",
        "GALLERIA",
        "IMAGECOMPARE",
        "INT",
        "LIGHT_INFO_PREVIEW",
        "LOAD_3D",
        "LOAD_3D_ADVANCED",
        "MARKDOWN",
        "PAINTER",
        "PREVIEW_3D",
        "RANGE",
        "RESOLUTION_PREVIEW",
        "STRING",
        "TEXTAREA",
        "VIDEO_EDIT",
        "WEBCAM",
    }
)
"""Input types the frontend draws a widget for."""

DYNAMIC_COMBO: Final = "COMFY_DYNAMICCOMBO_V3"

_SEEDS: Final = frozenset({"seed", "noise_seed"})
_UPLOADS: Final = ("image_upload", "video_upload", "animated_image_upload")
_EMPTY: Final[Mapping[str, Any]] = {"FLOAT": 0, "INT": 0, "BOOLEAN": False, "STRING": ""}


class Layout:
    """The widgets of a node type, in the order of a saved node's ``widgets_values``.

    Attributes:
        slots: for each position the input it belongs to; None for the buttons and controls that
            are saved there too but are no inputs.
        forced: the same with True at the positions that saves by old frontends hold in addition,
            one for each ``forceInput`` input.
        dynamic: whether the positions depend on the value chosen in one of them.
        names: names of the inputs that have a widget.
    """

    __slots__ = ("_unfolded", "dynamic", "forced", "names", "slots")

    def __init__(self, node_type: NodeType) -> None:
        self.slots: list[InputSpec | None] = []
        self.forced: list[bool] = []
        self._unfolded: dict[tuple[str, str], list[InputSpec | None]] = {}
        upload = False
        for spec in node_type.inputs.values():
            if upload and not spec.required:
                self.slots.append(None)
                upload = False
            if is_widget(spec):
                extra = _controls(spec)
                self.slots += [spec, *[None] * extra]
                self.forced += [False] * (1 + extra)
                upload = upload or _has_upload_button(spec)
            elif _is_forced(spec):
                self.forced.append(True)
        if upload:
            self.slots.append(None)
        self.dynamic = any(s is not None and s.type == DYNAMIC_COMBO for s in self.slots)
        self.names = frozenset(s.name for s in self.slots if s is not None)

    def read(self, saved: object) -> dict[str, Any]:
        """Give every widget its value.

        Args:
            saved: a node's ``widgets_values``: a list by position, or an object by input name.
                What is missing gets the widget's default.

        Returns:
            Values by input name.
        """
        if isinstance(saved, dict):
            return self._read_named(saved)
        values = saved if isinstance(saved, list) else []
        if len(values) == len(self.forced) != len(self.slots):
            values = [v for v, dummy in zip(values, self.forced, strict=True) if not dummy]
        slots = self._unfold(values) if self.dynamic else self.slots
        known = len(values)
        return {
            spec.name: _value(spec, values[at]) if at < known else default(spec)
            for at, spec in enumerate(slots)
            if spec is not None
        }

    def _read_named(self, saved: Mapping[str, Any]) -> dict[str, Any]:
        slots = self._unfold(saved) if self.dynamic else self.slots
        return {
            spec.name: _value(spec, saved[spec.name]) if spec.name in saved else default(spec)
            for spec in slots
            if spec is not None
        }

    def _unfold(self, saved: Sequence[Any] | Mapping[str, Any]) -> list[InputSpec | None]:
        """Put the widgets of the option that each dynamic combo holds behind it."""
        unfolded: list[InputSpec | None] = []
        pending = self.slots[::-1]
        while pending:
            spec = pending.pop()
            at: Any = len(unfolded)
            unfolded.append(spec)
            if spec is None or spec.type != DYNAMIC_COMBO:
                continue
            if isinstance(saved, dict):
                key = saved.get(spec.name)
            else:
                key = saved[at] if at < len(saved) else None
            if not isinstance(key, str):
                key = default(spec)
            pending += reversed(self._option(spec, key))
        return unfolded

    def _option(self, spec: InputSpec, key: str) -> list[InputSpec | None]:
        """Positions that one option of a dynamic combo adds, its inputs named ``combo.input``."""
        slots = self._unfolded.get((spec.name, key))
        if slots is None:
            slots = [
                None if s is None else replace(s, name=f"{spec.name}.{s.name}")
                for option in _options(spec)
                if option.get("key") == key
                for s in Layout(NodeType(key, {"input": option.get("inputs")})).slots
            ]
            self._unfolded[spec.name, key] = slots
        return slots


def layout(node_type: NodeType) -> Layout:
    """The widget layout of a node type; worked out once."""
    known = _LAYOUTS.get(node_type)
    if known is None:
        known = _LAYOUTS[node_type] = Layout(node_type)
    return known


def is_widget(spec: InputSpec) -> bool:
    """Whether an input is typed in by hand unless it is wired."""
    kind = spec.options.get("widgetType") or spec.type
    return kind in WIDGET_TYPES and not _is_forced(spec)


def default(spec: InputSpec) -> Any:
    """The value a widget has when nothing is saved for it; None if it has none."""
    if "default" in spec.options:
        return spec.options["default"]
    if spec.type == COMBO:
        return spec.choices[0] if spec.choices else None
    if spec.type == DYNAMIC_COMBO:
        return next((o.get("key") for o in _options(spec)), None)
    return _EMPTY.get(spec.type)


def wrapped(value: Any) -> Any:
    """A value as it stands in a prompt, where a bare list would mean a link."""
    return {"__value__": value} if isinstance(value, list) else value


def unnamed(saved: object) -> dict[str, Any]:
    """The values of a node of unknown type, under the names the frontend makes up for them."""
    values = saved if isinstance(saved, list) else []
    return {f"UNKNOWN_{at}" if at else "UNKNOWN": value for at, value in enumerate(values)}


_LAYOUTS: WeakKeyDictionary[NodeType, Layout] = WeakKeyDictionary()


def _value(spec: InputSpec, saved: Any) -> Any:
    if saved is None and spec.type == COMBO:
        return default(spec)
    return saved


def _is_forced(spec: InputSpec) -> bool:
    """Whether an input that could have a widget is a socket only."""
    options = spec.options
    return bool(options.get("forceInput")) or (
        not spec.required and bool(options.get("defaultInput"))
    )


def _controls(spec: InputSpec) -> int:
    """How many positions follow a widget for what happens to its value after each run."""
    flag = spec.options.get("control_after_generate")
    if spec.type == COMBO:
        return 2 if flag else 0
    if spec.type == "INT":
        return 1 if flag or (flag is None and spec.name in _SEEDS) else 0
    return 1 if flag and spec.type == "FLOAT" else 0


def _has_upload_button(spec: InputSpec) -> bool:
    return spec.type == COMBO and any(spec.options.get(flag) for flag in _UPLOADS)


def _options(spec: InputSpec) -> Iterator[Mapping[str, Any]]:
    options = spec.options.get("options")
    if isinstance(options, (list, tuple)):
        yield from (o for o in options if isinstance(o, dict))
