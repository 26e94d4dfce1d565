"""Where the server's answer depends on its version: the one table."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from comfywatchman.comfyui.provenance.core import release

if TYPE_CHECKING:
    from comfywatchman.comfyui.catalog import Catalog

Version = tuple[int, ...]

RECORDED: Final[tuple[Version, ...]] = ((0, 8, 0), (0, 33, 0))
"""Releases whose real answers the tests compare with."""


class Rule(StrEnum):
    """A way in which newer servers judge differently from older ones."""

    NEW_COMBOS_CHECKED = "new_combos_checked"
    AUTOGROW_MINIMUM = "autogrow_minimum"
    MISSING_TYPE_NAMED = "missing_type_named"
    NODES_REPLACED = "nodes_replaced"
    CYCLES_REPORTED = "cycles_reported"
    MULTISELECT_BY_ITEM = "multiselect_by_item"
    PATHS_CONFINED = "paths_confined"


@dataclass(frozen=True, slots=True)
class Difference:
    """One rule, the first release that follows it, and what it changes."""

    rule: Rule
    since: Version
    before: str
    after: str


DIFFERENCES: Final = (
    Difference(
        Rule.NEW_COMBOS_CHECKED,
        (0, 7, 0),
        "a choice of a combo declared as `COMBO` is not checked (it fails when run)",
        "it is checked like that of a combo declared as a list: `value_not_in_list`",
    ),
    Difference(
        Rule.AUTOGROW_MINIMUM,
        (0, 10, 0),
        "an input that grows may have fewer items than its declared minimum, and one whose items "
        "are optional breaks the server's validation",
        "each missing item is a `required_input_missing`, and where items are optional the minimum "
        "means nothing",
    ),
    Difference(
        Rule.MISSING_TYPE_NAMED,
        (0, 12, 0),
        "a prompt with an unknown node type is refused as `invalid_prompt`",
        "it is refused as `missing_node_type` (what ComfyWatchman reports in both cases); where "
        "such a node's `_meta` is no object the server fails (`server_fails`)",
    ),
    Difference(
        Rule.NODES_REPLACED,
        (0, 14, 0),
        "a node whose type is gone stays unknown, and the `inputs` of a node that nothing needs "
        "may be anything",
        "the server puts a successor in its place (`/node_replacements`), and fails at any node "
        "whose `inputs` are no object (`server_fails`)",
    ),
    Difference(
        Rule.CYCLES_REPORTED,
        (0, 20, 0),
        "outputs that need a circle are lost, often without a word",
        "each node of the circle is reported: `dependency_cycle`",
    ),
    Difference(
        Rule.MULTISELECT_BY_ITEM,
        (0, 21, 0),
        "a list of choices in a combo that allows several is refused",
        "each item is looked up by itself",
    ),
    Difference(
        Rule.PATHS_CONFINED,
        (0, 28, 0),
        "an input file may be named by a path, or be a link, that leads out of the folder meant",
        "such a file counts as missing, though the browser still offers a link that leads outside",
    ),
)

_ERA_0_8: Final[Version] = (0, 8, 0)
# Fields that servers after 0.8 add to every node type they describe.
_LATER_FIELDS: Final = frozenset({"dev_only", "search_aliases", "essentials_category"})


def rules_of(version: Version | None) -> frozenset[Rule]:
    """Say which rules a server follows; one of unknown version follows them all."""
    return frozenset(d.rule for d in DIFFERENCES if reached(d.since, version))


def reached(since: Version, version: Version | None) -> bool:
    """Whether a server has what came with a release; one of unknown version has it all."""
    return version is None or version >= since


def version_of(catalog: Catalog) -> Version | None:
    """Say which version to judge by.

    A bare ``/object_info`` names none. If its fields show that an 0.8-era server wrote it, it is
    judged as one; else None: the newest.
    """
    if (named := release(catalog.version)) is not None:
        return named
    seen_output_matchtypes = False
    for node_type in catalog.values():
        if not _LATER_FIELDS.isdisjoint(node_type.declaration):
            return None
        seen_output_matchtypes |= "output_matchtypes" in node_type.declaration
    return _ERA_0_8 if seen_output_matchtypes else None


def beyond_what_is_known(catalog: Catalog) -> str | None:
    """The sentence for a report on a server newer than every release that is known."""
    version, newest = release(catalog.version), RECORDED[-1]
    if version is None or version <= newest:
        return None
    return (
        f"what is new in ComfyUI {in_words(version)}: it was judged as {in_words(newest)}, the "
        "newest release this version of ComfyWatchman knows"
    )


def in_words(version: Version) -> str:
    """A version as people write it."""
    return ".".join(map(str, version))
