"""The catalog: the node types a ComfyUI server offers, as its ``/object_info`` declares them.

A declaration comes from third-party Python code, so nothing about its shape is taken for granted:
a node type or input that makes no sense is read as far as it goes, never an exception.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

COMBO: Final = "COMBO"


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One declared input of a node type.

    Attributes:
        name: the input's name.
        type: the declared type; a list of choices (the old form) reads as ``COMBO``.
        required: declared under ``required``.
        options: the declaration's options (``min``, ``max``, ``default``, ``forceInput``, …).
        choices: what a combo accepts, in the server's order; None for every other type and for
            combos whose list the server does not send (``remote``).
        listed: declared in the old form, with the list of choices in the place of the type.
    """

    name: str
    type: str
    required: bool
    options: Mapping[str, Any] = field(default_factory=dict)
    choices: tuple[Any, ...] | None = None
    listed: bool = False

    @property
    def takes_uploads(self) -> bool:
        """Whether it lists files that people upload (``image_upload`` and the like)."""
        return any(str(name).endswith("_upload") and on for name, on in self.options.items())


class NodeType:
    """One node type of the catalog, read lazily from its declaration.

    Args:
        name: the class type.
        declaration: the value ``/object_info`` gives for it.
    """

    def __init__(self, name: str, declaration: Mapping[str, Any]) -> None:
        self.name = name
        self.declaration = declaration
        self.layout: Any = None
        """What :func:`comfywatchman.workflow.widgets.layout` keeps here; it is asked for every node
        of every workflow, so often that a dictionary of weak references would be slow."""
        self.plan: Any = None
        """What :mod:`comfywatchman.checks.engine.rulebook` keeps here: catalogs that differ in few
        node types share the rest, and what was made of them."""

    @cached_property
    def inputs(self) -> Mapping[str, InputSpec]:
        """Declared inputs, required first, in the server's order; hidden ones left out."""
        specs: dict[str, InputSpec] = {}
        groups = _mapping(self.declaration.get("input"))
        order = _mapping(self.declaration.get("input_order"))
        for group in ("required", "optional"):
            declared = _mapping(groups.get(group))
            ordered = [n for n in _sequence(order.get(group)) if isinstance(n, str)]
            for name in dict.fromkeys([*ordered, *declared]):
                if name in declared and name not in specs:
                    specs[name] = input_spec(name, declared[name], required=group == "required")
        return specs

    @cached_property
    def outputs(self) -> tuple[str, ...]:
        """Types of its outputs by slot; an output that is a list of choices reads as ``COMBO``."""
        return tuple(
            t if isinstance(t, str) else COMBO for t in _sequence(self.declaration.get("output"))
        )

    @cached_property
    def is_output(self) -> bool:
        """Whether it produces a result, so that the server runs what leads to it."""
        return self.declaration.get("output_node") is True

    @cached_property
    def python_module(self) -> str:
        """Where its code lives: ``nodes``, ``comfy_extras.…``, ``custom_nodes.PACK`` or ``''``."""
        module = self.declaration.get("python_module")
        return module if isinstance(module, str) else ""

    @cached_property
    def pack(self) -> str | None:
        """The folder below ``custom_nodes`` that it comes from; None if it ships with ComfyUI."""
        return _pack(self.python_module)

    @cached_property
    def is_core(self) -> bool:
        """Whether it ships with ComfyUI, so that its hidden input rules are known."""
        return not self.python_module.startswith("custom_nodes")


class Catalog(Mapping[str, NodeType]):
    """Node types by class type.

    Args:
        object_info: the parsed body of ``GET /object_info``. Entries that are not objects are left
            out, as a server that could not describe a node type leaves it out.
        version: ``comfyui_version`` of the server, None if unknown (read as the newest).
        replacements: the parsed body of ``GET /node_replacements`` of servers that have it: by old
            class type, the node types that take its place and how its inputs and outputs map.
    """

    def __init__(
        self,
        object_info: Mapping[str, Any],
        version: str | None = None,
        replacements: Mapping[str, Any] | None = None,
    ) -> None:
        self.version = version
        self.replacements = replacements or {}
        self.declarations = object_info
        self.rulebook: Any = None
        """What :mod:`comfywatchman.checks.engine.rulebook` keeps here."""
        self._read: dict[str, NodeType] = {}

    @cached_property
    def packs(self) -> frozenset[str]:
        """Folders below ``custom_nodes`` that at least one of the node types comes from."""
        return frozenset(self.node_types_by_pack)

    @cached_property
    def node_types_by_pack(self) -> Mapping[str, int]:
        """How many node types come from each folder below ``custom_nodes``."""
        modules = (str(_mapping(d).get("python_module")) for d in self.declarations.values())
        return Counter(pack for module in modules if (pack := _pack(module)) is not None)

    @cached_property
    def delivered(self) -> Mapping[str, int]:
        """How many outputs of its node types deliver each type of link."""
        return Counter(kind for node_type in self.values() for kind in node_type.outputs)

    def spelled_alike(self, name: str) -> str | None:
        """The node type that differs from a name in case only."""
        return self._folded.get(name.casefold())

    @cached_property
    def _folded(self) -> Mapping[str, str]:
        return {name.casefold(): name for name in self}

    def find(self, name: str) -> NodeType | None:
        """The node type of a name; None if the server does not offer it.

        As ``get``, which would raise and catch an exception for each type that is not there.
        """
        known = self._read.get(name)
        if known is None:
            declaration = self.declarations.get(name)
            if isinstance(declaration, Mapping):
                known = self._read[name] = NodeType(name, declaration)
        return known

    def __getitem__(self, name: str) -> NodeType:
        found = self.find(name)
        if found is None:
            raise KeyError(name)
        return found

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (
            name in self._read or isinstance(self.declarations.get(name), Mapping)
        )

    def __iter__(self) -> Iterator[str]:
        return (n for n, d in self.declarations.items() if isinstance(d, Mapping))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def input_spec(name: str, declared: object, *, required: bool) -> InputSpec:
    """Read the declaration of one input: ``[type, options]``, or anything that is not even that."""
    parts = _sequence(declared)
    kind = parts[0] if parts else "*"
    options = _mapping(parts[1]) if len(parts) > 1 else {}
    if isinstance(kind, (list, tuple)):
        return InputSpec(name, COMBO, required, options, tuple(kind), listed=True)
    if kind == COMBO:
        listed = options.get("options")
        choices = tuple(listed) if isinstance(listed, (list, tuple)) else None
        return InputSpec(name, COMBO, required, options, choices)
    return InputSpec(name, kind if isinstance(kind, str) else "*", required, options)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _sequence(value: object) -> list[Any] | tuple[Any, ...]:
    return value if isinstance(value, (list, tuple)) else ()


def _pack(python_module: str) -> str | None:
    first, _, rest = python_module.partition(".")
    return rest.split(".", 1)[0] if first == "custom_nodes" and rest else None
