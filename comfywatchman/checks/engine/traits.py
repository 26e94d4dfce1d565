"""What tells of a node type which checks its nodes need not be asked."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from comfywatchman.checks.known.own_rules import OwnRules
    from comfywatchman.comfyui.catalog import NodeType


class Trait(StrEnum):
    """What a node type must have for some checks of its nodes to be asked at all."""

    API = "api"
    """It calls a service of Comfy.org."""
    DEPRECATED = "deprecated"
    DYNAMIC = "dynamic"
    """Some of its inputs stand for others."""
    OWN_FILE = "own_file"
    """Its code judges an input that names a file, and how is known."""
    OWN_RULES = "own_rules"
    """Its code judges inputs, and how is known."""


def traits(node_type: NodeType, own: OwnRules | None, *, dynamic: bool) -> frozenset[Trait]:
    """The traits of a node type.

    Args:
        node_type: the node type.
        own: its own rules, if they are known.
        dynamic: whether some of its inputs stand for others.
    """
    has_file = own is not None and own.file_input is not None
    has = {
        Trait.API: node_type.declaration.get("api_node") is True,
        Trait.DEPRECATED: node_type.declaration.get("deprecated") is True,
        Trait.DYNAMIC: dynamic,
        Trait.OWN_FILE: has_file,
        Trait.OWN_RULES: has_file or (own is not None and own.refuses is not None),
    }
    return frozenset(trait for trait, is_so in has.items() if is_so)
