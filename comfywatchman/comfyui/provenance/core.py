"""ComfyUI's own node types, and the release by which each was there.

The names come from recorded catalogs and from the official templates, which say with which release
they were saved (``docs/generate.py``). A release is an upper bound: a type may be older.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import Enum
from functools import cache, lru_cache
from importlib import resources
from typing import Final

_VERSION: Final = re.compile(r"v?(\d{1,6})\.(\d{1,6})(?:\.(\d{1,6}))?")

Release = tuple[int, int, int]


class Absence(Enum):
    """Why a server does not offer a node type of ComfyUI itself."""

    NEWER = "newer"
    """The type comes with a newer ComfyUI, as far as can be told."""
    GONE = "gone"
    """The type was there once."""
    NOT_LOADED = "not loaded"
    """The release should have it; the server was told not to load it, or could not."""


@dataclass(frozen=True, slots=True)
class CoreType:
    """A node type of ComfyUI itself.

    Attributes:
        by: the first release it is known to be in; None: one later than ``after``.
        after: the last release it is known not to be in, while none is known that has it.
        gone: the first release it is known not to be in any more.
    """

    by: str | None = None
    after: str | None = None
    gone: str | None = None

    def absence(self, version: str | None) -> Absence:
        """What it means that a server of this version does not offer it."""
        here = release(version)
        if here is not None and self.gone is not None and here >= _known(self.gone):
            return Absence.GONE
        if here is None or self.by is None or here < _known(self.by):
            return Absence.NEWER
        return Absence.NOT_LOADED


def core_type(name: str) -> CoreType | None:
    """What is known of a node type of ComfyUI itself."""
    return _table().get(name)


@lru_cache(256)
def release(version: str | None) -> Release | None:
    """A release as numbers; None for what is no release."""
    match = _VERSION.match(version.strip()) if version is not None else None
    return None if match is None else (int(match[1]), int(match[2]), int(match[3] or 0))


def _known(version: str) -> Release:
    found = release(version)
    assert found is not None  # noqa: S101  (the table holds releases only)
    return found


@cache
def _table() -> dict[str, CoreType]:
    raw = json.loads(resources.files(__package__).joinpath("core_node_types.json").read_bytes())
    gone = {name: last for last, names in raw["gone"].items() for name in names}
    types = {
        name: CoreType(by=by, gone=gone.get(name))
        for by, names in raw["by"].items()
        for name in names
    }
    types |= {name: CoreType(after=last) for last, names in raw["after"].items() for name in names}
    return types
