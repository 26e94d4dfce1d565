"""Widgets: which inputs of a node type are typed in by hand, and the values a saved node holds.

A saved node lists its widgets' values by position. Which position belongs to which input follows
from the node type's declaration alone (:class:`Layout`), never from what a value looks like. What
is said here of single input types was found by giving ComfyUI's frontend 1.58.1 a node of each.
"""

from __future__ import annotations

from dataclasses import replace
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from comfywatchman.comfyui.catalog import COMBO, InputSpec, NodeType
from comfywatchman.workflow.text import (
    EXACT_INTEGERS,
    as_browser_integer,
    as_browser_text,
    as_json_text,
    one_alternative,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

WIDGET_TYPES: Final = frozenset(
    {
        "AUDIO_RECORD", "BOOLEAN", "BOUNDING_BOX", "BOUNDING_BOXES", "CHART", "COLOR", "COLORS",
        "COMBO", "COMFY_DYNAMICCOMBO_V3", "COMFY_DYNAMICGROUP_V3", "COMPOSITOR", "CURVE", "FLOAT",
        "GALLERIA", "IMAGECOMPARE", "INT", "LIGHT_INFO_PREVIEW", "LOAD_3D", "LOAD_3D_ADVANCED",
        "MARKDOWN", "PAINTER", "PREVIEW_3D", "RANGE", "RESOLUTION_PREVIEW", "STRING", "TEXTAREA",
        "VIDEO_EDIT", "WEBCAM",
    }
)  # fmt: skip
"""Input types the frontend draws a widget for."""

DYNAMIC_COMBO: Final = "COMFY_DYNAMICCOMBO_V3"
AUTOGROW: Final = "COMFY_AUTOGROW_V3"

_SEEDS: Final = frozenset({"seed", "noise_seed"})
_SAMPLERS: Final = frozenset({"KSampler", "KSamplerAdvanced"})
_UPLOADS: Final = ("image_upload", "video_upload", "animated_image_upload")

_NUMBERS: Final = frozenset({"INT", "FLOAT", "BOOLEAN"})

_NOT_SAVED: Final = frozenset({"IMAGECOMPARE", "RESOLUTION_PREVIEW"})
"""Widgets that only show something, and take no position."""

_MADE_WHEN_QUEUED: Final = frozenset(
    {"AUDIO_RECORD", "LOAD_3D", "LOAD_3D_ADVANCED", "PREVIEW_3D", "WEBCAM"}
)
"""Widgets whose value is recorded or drawn when the workflow is queued."""

_MOST_ROWS: Final = 100
"""Rows of an autogrow input that are laid out, whatever its declaration asks for."""

_MISSING: Final = object()
"""In place of a value: the frontend sends none."""

_DEFAULTS: Final[Mapping[str, Any]] = {
    "INT": 0,
    "FLOAT": 0,
    "BOOLEAN": False,
    "STRING": "",
    "MARKDOWN": "",
    "TEXTAREA": "",
    "COLOR": "#000000",
    "COLORS": [],
    "GALLERIA": [],
    "BOUNDING_BOXES": [],
    "LIGHT_INFO_PREVIEW": [],
    "IMAGECOMPARE": ["", ""],
    "CHART": {},
    "COMPOSITOR": {},
    "BOUNDING_BOX": {"x": 0, "y": 0, "width": 512, "height": 512},
    "CURVE": {"points": [[0, 0], [1, 1]], "interpolation": "monotone_cubic"},
    "RANGE": {"min": 0, "max": 1},
    "VIDEO_EDIT": {
        "trim": {"start_time": 0, "duration": 0},
        "crop": {"x": 0, "y": 0, "width": 0, "height": 0},
    },
}

Slots = list["InputSpec | None"]
"""For each position of ``widgets_values`` the input it belongs to; None if to none."""


class Layout:
    """The widgets of a node type, in the order of a saved node's ``widgets_values``.

    Attributes:
        slots: the positions; None for the buttons and controls that are saved there too.
        old: for each position of a save by an old frontend, whether it means nothing: they held
            one for every input that could be a widget.
        unsaved: inputs with a widget that takes no position.
        widgets: the inputs that have a widget, by name.
        order: the place of every input among all, by name.
        dynamic: whether the positions depend on the value of one of them.

    Args:
        node_type: the node type.
        within: what the names of its inputs start with, where they belong to another input. The
            frontend goes by the whole name: a ``mode.seed`` has no control unless it asks for it.
    """

    __slots__ = (
        "_inputs",
        "_is_core",
        "_is_sampler",
        "_options",
        "dynamic",
        "old",
        "order",
        "slots",
        "unsaved",
        "widgets",
    )

    def __init__(self, node_type: NodeType, within: str = "") -> None:
        self.slots: Slots = []
        self.old: list[bool] = []
        self.unsaved: list[InputSpec] = []
        self._is_core = node_type.is_core
        self._is_sampler = node_type.name in _SAMPLERS
        self._inputs = node_type.inputs
        self._options: dict[tuple[str, str], Slots] = {}
        drawn = [
            None if spec is None else replace(spec, name=f"{within}{spec.name}")
            for spec in _drawing_order(node_type)
        ]
        self.order = {spec.name: at for at, spec in enumerate(drawn) if spec is not None}
        for spec in drawn:
            if spec is None:
                self.slots.append(None)
            elif spec.type == AUTOGROW:
                self._add(_autogrow_slots(spec))
            elif not is_widget(spec):
                if _is_forced(spec) or spec.type == "AUDIO_UI":
                    self._add([], spec, dummy=True)
            elif spec.type in _NOT_SAVED:
                self.unsaved.append(spec)
                self._add([], spec, dummy=True)
            else:
                self._add(_slots(spec, after_file=self._has_file()), spec)
        self.dynamic = any(s is not None and s.type == DYNAMIC_COMBO for s in self.slots)
        self.widgets = {s.name: s for s in (*self.slots, *self.unsaved) if s is not None}

    def _add(self, slots: Slots, spec: InputSpec | None = None, *, dummy: bool = False) -> None:
        self.slots += slots
        if spec is not None:
            controlled = bool(spec.options.get("control_after_generate"))
            self.old += [dummy, False] if controlled else [dummy]

    def _has_file(self) -> bool:
        return any(s is not None and s.name == "model_file" for s in self.slots)

    def read(self, saved: object) -> dict[str, Any]:
        """Give every widget its value.

        Args:
            saved: a node's ``widgets_values``: a list by position, or, as some packs save it, an
                object by input name. What is missing gets the widget's default.

        Returns:
            Values by input name, as they stand in a prompt; inputs without a value left out.
        """
        read: dict[str, Any] = {}
        for spec, raw in self._pairs(saved):
            if spec.type in _NUMBERS and raw is not _MISSING:
                value = raw if type(raw) is bool else wrapped(raw)
            elif type(raw) is str and spec.type == COMBO and "widgetType" not in spec.options:
                value = raw
            elif raw is _MISSING:
                value = default(spec)
            else:
                value = _cleaned(spec, raw)
            if value is not _MISSING:
                read[spec.name] = value
        if self._is_sampler:
            read["sampler_name"] = _sampler(read.get("sampler_name"))
        return read

    def saved_values(self, saved: object) -> dict[str, Any]:
        """The values that are saved, by input name, as they are."""
        return {spec.name: raw for spec, raw in self._pairs(saved) if raw is not _MISSING}

    def value_to_hand_on(self, saved: object, name: str) -> Any:
        """One widget's value as it is handed on to others; None if it has none."""
        for spec, raw in self._pairs(saved):
            if spec.name == name:
                return _or_none(_raw_default(spec)) if raw is _MISSING else raw
        return None

    def typed(self, name: str, value: Any) -> Any:
        """What stands in the prompt for a value typed into a widget."""
        spec = self.widgets.get(name)
        return wrapped(value) if spec is None else _cleaned(spec, value)

    def handed_on(self, name: str, value: Any) -> Any:
        """What stands in the prompt for a value that another node's widget hands on."""
        spec = self.widgets.get(name)
        if spec is None:
            return wrapped(value)
        if value is None and spec.type == COMBO:
            return _or_none(default(spec))
        return _wrapped(_widget_type(spec), value)

    def is_widget(self, name: str, saved: object) -> bool:
        """Whether an input has a widget, what the dynamic combos hold considered.

        Args:
            name: the input's name.
            saved: the node's ``widgets_values``.
        """
        if name in self.widgets:
            return True
        if not self.dynamic or "." not in name:
            return False
        slots, _ = self._unfold(self._values(saved))
        return any(s is not None and s.name == name for s in slots)

    def chosen(self, saved: object) -> dict[str, str]:
        """The option that each dynamic combo holds, by the combo's name."""
        keys: dict[str, str] = {}
        if self.dynamic:
            self._unfold(self._values(saved), keys)
        return keys

    def has_input(self, name: str, chosen: Mapping[str, str]) -> bool:
        """Whether an input of a dynamic combo is one of the option that it holds.

        Args:
            name: the input's name: ``combo.input``, or ``combo.combo.input``.
            chosen: what :meth:`chosen` says.
        """
        first, *rest = name.split(".")
        spec, path = self._inputs.get(first), first
        for part in rest:
            if spec is None or spec.type != DYNAMIC_COMBO:
                break
            spec = _option_inputs(spec, chosen.get(path)).get(part)
            path = f"{path}.{part}"
            if spec is None:
                return False
        return True

    def _pairs(self, saved: object) -> list[tuple[InputSpec, Any]]:
        """Each widget with what is saved for it."""
        if isinstance(saved, dict) and not self._is_core:
            return [(spec, saved.get(name, _MISSING)) for name, spec in self.widgets.items()]
        values = self._values(saved)
        slots, fallen_back = self._unfold(values) if self.dynamic else (self.slots, [])
        pairs = [
            (spec, value) for spec, value in zip(slots, values, strict=False) if spec is not None
        ]
        pairs += [(spec, _MISSING) for spec in slots[len(values) :] if spec is not None]
        if fallen_back or self.unsaved:
            pairs += [(spec, _MISSING) for spec in (*fallen_back, *self.unsaved)]
        return pairs

    def _values(self, saved: object) -> Sequence[Any]:
        """The saved values by position, without those that mean nothing."""
        values = saved if isinstance(saved, list) else []
        if len(values) == len(self.old):
            return [v for v, dummy in zip(values, self.old, strict=True) if not dummy]
        return values

    def _unfold(
        self, values: Sequence[Any], keys: dict[str, str] | None = None
    ) -> tuple[Slots, list[InputSpec]]:
        """Put the widgets of the option that each dynamic combo holds behind it.

        Args:
            values: the saved values by position.
            keys: is given the option of each dynamic combo.

        Returns:
            The positions, and widgets without one: a combo saved as null falls back to its first
            option, whose widgets are not saved.
        """
        unfolded: Slots = []
        fallen_back: list[InputSpec] = []
        pending = self.slots[::-1]
        while pending:
            spec = pending.pop()
            at = len(unfolded)
            unfolded.append(spec)
            if spec is None or spec.type != DYNAMIC_COMBO:
                continue
            key = values[at] if at < len(values) else default(spec)
            if key is None:
                key = default(spec)
                fallen_back += [s for s in self._option(spec, key) if s is not None]
            else:
                pending += reversed(self._option(spec, key))
            if keys is not None and isinstance(key, str):
                keys[spec.name] = key
        return unfolded, fallen_back

    def _option(self, spec: InputSpec, key: object) -> Slots:
        """Positions that one option of a dynamic combo adds, its inputs named ``combo.input``."""
        if not isinstance(key, str):
            return []
        slots = self._options.get((spec.name, key))
        if slots is None:
            slots = [
                slot
                for option in _options(spec)
                if option.get("key") == key
                for slot in Layout(
                    NodeType("", {"input": option.get("inputs")}), f"{spec.name}."
                ).slots
            ]
            self._options[spec.name, key] = slots
        return slots


def layout(node_type: NodeType) -> Layout:
    """The widget layout of a node type; worked out once."""
    known: Layout | None = node_type.layout
    if known is None:
        known = node_type.layout = Layout(node_type)
    return known


def is_widget(spec: InputSpec) -> bool:
    """Whether an input is typed in by hand unless it is wired."""
    return _widget_type(spec) in WIDGET_TYPES and not _is_forced(spec)


def default(spec: InputSpec) -> Any:
    """The value in a prompt of a widget for which none is saved."""
    given = _raw_default(spec)
    return given if given is _MISSING else _wrapped(_widget_type(spec), given)


def _raw_default(spec: InputSpec) -> Any:
    kind = _widget_type(spec)
    if kind in _MADE_WHEN_QUEUED:
        return ""
    given = spec.options.get("default")
    if given is None:
        if kind == COMBO:
            given = _first_choice(spec)
        elif kind == DYNAMIC_COMBO:
            given = next((o.get("key") for o in _options(spec)), _MISSING)
        else:
            given = _DEFAULTS.get(kind, _MISSING)
    return given


def wrapped(value: Any) -> Any:
    """A value as it stands in a prompt, where a bare list would mean a link."""
    if isinstance(value, list):
        return {"__value__": value}
    if type(value) is float:
        return value if isfinite(value) else None
    if type(value) is int and not -EXACT_INTEGERS <= value <= EXACT_INTEGERS:
        return as_browser_integer(value)
    return value


def _sampler(name: Any) -> Any:
    """Samplers were once saved as ``sample_euler``."""
    return name.removeprefix("sample_") if isinstance(name, str) else name


def _first_choice(spec: InputSpec) -> Any:
    if spec.options.get("multi_select"):
        return []
    if spec.choices:
        return spec.choices[0]
    return "" if spec.options.get("remote") else _MISSING


def _cleaned(spec: InputSpec, saved: Any) -> Any:
    """A saved value as it stands in a prompt."""
    kind = _widget_type(spec)
    if kind == "STRING":
        text = as_browser_text(saved) if spec.options.get("multiline") else saved
        if isinstance(text, str) and spec.options.get("dynamicPrompts"):
            return one_alternative(text)
        return wrapped(text)
    if kind == "MARKDOWN":
        return as_browser_text(saved)
    if kind in _MADE_WHEN_QUEUED or (saved is None and kind in (COMBO, DYNAMIC_COMBO)):
        return _or_none(default(spec))
    return _wrapped(kind, saved)


def _or_none(value: Any) -> Any:
    return None if value is _MISSING else value


def _wrapped(kind: str, value: Any) -> Any:
    return {"__type__": kind, "__value__": value} if kind == "CURVE" else wrapped(value)


def _widget_type(spec: InputSpec) -> str:
    kind = spec.options.get("widgetType")
    return kind if isinstance(kind, str) and kind else spec.type


def _is_forced(spec: InputSpec) -> bool:
    """Whether an input that could have a widget is a socket only."""
    options = spec.options
    return bool(options.get("forceInput")) or (
        not spec.required and bool(options.get("defaultInput"))
    )


def _drawing_order(node_type: NodeType) -> Iterator[InputSpec | None]:
    """Inputs as the frontend draws them: those in ``input_order``, then others; None: a button.

    The button is for uploads. The frontend adds it as a last required input, which no
    ``input_order`` lists.
    """
    specs = node_type.inputs
    order = node_type.declaration.get("input_order")
    listed: dict[str, None] = {}
    for group in ("required", "optional"):
        names = order.get(group) if isinstance(order, dict) else None
        if isinstance(names, list):
            listed.update((n, None) for n in names if isinstance(n, str) and n in specs)
    rest = [s for s in specs.values() if s.name not in listed]
    yield from (specs[name] for name in listed)
    yield from (s for s in rest if s.required)
    if any(s.required and _has_upload_button(s) for s in specs.values()):
        yield None
    yield from (s for s in rest if not s.required)


def _has_upload_button(spec: InputSpec) -> bool:
    return spec.type == COMBO and any(spec.options.get(flag) for flag in _UPLOADS)


def _slots(spec: InputSpec, *, after_file: bool) -> Slots:
    """The positions of a widget and of what is drawn with it."""
    kind = _widget_type(spec)
    if kind == "LOAD_3D" and after_file:
        return [None, None, None, spec]  # its upload buttons
    return [spec, *[None] * _extra_slots(spec, kind)]


def _extra_slots(spec: InputSpec, kind: str) -> int:
    """How many positions after a widget's own belong to it."""
    control = spec.options.get("control_after_generate")
    match kind:
        case "INT":
            return 1 if control or (control is None and spec.name in _SEEDS) else 0
        case "FLOAT":
            return 1 if control else 0
        case "COMBO":
            remote = spec.options.get("remote")
            if isinstance(remote, dict):
                return 2 if remote.get("refresh_button") else 1
            return 2 if control else 0
        case "BOUNDING_BOX":
            return 4  # x, y, width, height
        case "AUDIO_RECORD":
            return 1  # the record button
        case _:
            return 0


def _autogrow_slots(spec: InputSpec) -> Slots:
    """Positions of an input that grows rows: as many as it needs, and an empty one more."""
    template = spec.options.get("template")
    template = template if isinstance(template, dict) else {}
    row_type = NodeType("", {"input": template.get("input")})
    inner, single = Layout(row_type, f"{spec.name}."), len(row_type.inputs) == 1
    if not inner.slots:
        return []
    least, most = template.get("min"), template.get("max")
    rows = (least if isinstance(least, int) else 0) + 1
    rows = min(rows, most if isinstance(most, int) else rows, _MOST_ROWS)
    names, prefix = template.get("names"), template.get("prefix")
    listed = [n for n in names if isinstance(n, str)] if isinstance(names, list) else None
    slots: Slots = []
    for row in range(rows if listed is None else min(rows, len(listed))):
        for slot in inner.slots:
            if slot is None:
                slots.append(None)
                continue
            if listed is not None:
                name = f"{spec.name}.{listed[row]}"
            elif single and prefix:
                name = f"{spec.name}.{prefix}{row}"
            else:
                name = f"{slot.name}{row}"
            slots.append(replace(slot, name=name))
    return slots


def _options(spec: InputSpec) -> Iterator[Mapping[str, Any]]:
    options = spec.options.get("options")
    if isinstance(options, (list, tuple)):
        yield from (o for o in options if isinstance(o, dict))


def _option_inputs(spec: InputSpec, key: str | None) -> Mapping[str, InputSpec]:
    """What a dynamic combo declares for one of its options."""
    for option in _options(spec):
        if option.get("key") == key:
            return NodeType("", {"input": option.get("inputs")}).inputs
    return {}


def unnamed(saved: object) -> dict[str, Any]:
    """The values of a node of unknown type, under the names the frontend makes up for them."""
    values = saved if isinstance(saved, list) else []
    return {
        f"UNKNOWN_{at}" if at else "UNKNOWN": (
            as_json_text(value) if value is None or isinstance(value, (list, dict)) else value
        )
        for at, value in enumerate(values)
    }
