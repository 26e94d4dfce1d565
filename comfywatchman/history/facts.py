"""The environment of a cycle as facts, each of a kind and with a name, and how two differ.

A fact's value is a small flat object, so that what is stored of a change is what changed. What is
secret never becomes a fact: whoever reads a source masks it first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Scalar = str | int | float | bool | None
Value = dict[str, Scalar]
"""What is known of one thing: the keys are those that its kind has, without those not known."""
Facts = dict["FactKind", dict[str, Value]]


class FactKind(StrEnum):
    """What a fact is about. In brackets the keys of its value."""

    COMFYUI = "comfyui"
    """The server (``version``, ``commit``, ``edited``); its only name is empty."""
    FRONTEND = "frontend"
    """``comfyui-frontend-package`` and the templates (``version``), by the package's name."""
    RUNTIME = "runtime"
    """``python``, ``torch``, ``driver``, ``os`` (``version``)."""
    ARGUMENTS = "arguments"
    """The server's command line (``text``, masked); its only name is empty."""
    PACK = "pack"
    """A custom node pack by its folder below ``custom_nodes``, or the module that its single file
    is (``id``, ``version``, ``commit``, ``edited``, ``enabled``, ``import_failed``,
    ``node_types``: a digest of what it offers, ``single_file``: true for one, ``files``: where
    there is neither version nor commit, a digest of its code)."""
    PACKAGE = "package"
    """A distribution that ComfyUI's interpreter can import, by its normalised name
    (``version``, ``origin``: where it was installed from if not an index, masked)."""
    NODE_TYPE = "node_type"
    """A node type (``schema``: digest of its declaration without lists of files, ``pack``: the
    folder it comes from, null for ComfyUI's own)."""
    MODEL = "model"
    """``FOLDER/NAME`` as the server lists it (``size`` in bytes, ``modified`` in whole seconds
    since 1970, where the disk is seen)."""
    EMBEDDING = "embedding"
    INPUT_FILE = "input_file"
    """A file below ``input`` by its relative path (``size``, ``modified``)."""
    SETTING = "setting"
    """A setting of ours that verdicts depend on (``value``)."""
    PROGRAM = "program"
    """ComfyWatchman itself (``version``, ``code``: digest of what makes verdicts); its only name
    is empty."""


FILES: Final = frozenset({FactKind.MODEL, FactKind.EMBEDDING, FactKind.INPUT_FILE})
"""The kinds that are about one file each."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What a cycle found of the host.

    Attributes:
        facts: by kind and name. A kind that is there, even empty, was read as a whole.
        blind: for each kind that could not be read, or not as a whole, one sentence that says why;
            what was known of it before still stands.
    """

    facts: Facts = field(default_factory=dict)
    blind: Mapping[FactKind, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FactChange:
    """One fact that is another one than before.

    Attributes:
        before: None for what was not there.
        after: None for what is there no more.
    """

    kind: FactKind
    name: str
    before: Value | None
    after: Value | None


def differences(before: Facts, after: Facts) -> Iterator[FactChange]:
    """What changed, of the kinds that both know, in the order of kinds and names.

    What is known of a thing on one side only is no change of it.
    """
    for kind in FactKind:
        if kind not in before or kind not in after:
            continue
        old, new = before[kind], after[kind]
        if old == new:
            continue
        for name in sorted(old.keys() | new.keys()):
            if _differs(old.get(name), new.get(name)):
                yield FactChange(kind, name, old.get(name), new.get(name))


def _differs(old: Value | None, new: Value | None) -> bool:
    if old is None or new is None or old == new:
        return old is not new and old != new
    # That a pack failed is known for as long as the server's log holds its start.
    failed = bool(new.get("import_failed")) and "import_failed" not in old
    return failed or any(old[key] != new[key] for key in old.keys() & new.keys())
