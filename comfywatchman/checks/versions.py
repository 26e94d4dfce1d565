"""Where the server's answer depends on its version: the one table."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from comfywatchman.comfyui.catalog import Catalog

Version = tuple[int, ...]


class Rule(StrEnum):
    """A way in which newer servers judge differently from older ones."""

    NEW_COMBOS_CHECKED = "new_combos_checked"
    MISSING_TYPE_NAMED = "missing_type_named"
    AUTOGROW_MINIMUM = "autogrow_minimum"
    REMOTE_COMBOS_SKIPPED = "remote_combos_skipped"
    MULTISELECT_BY_ITEM = "multiselect_by_item"
    PATHS_CONFINED = "paths_confined"


@dataclass(frozen=True, slots=True)
class Difference:
    """One rule, the first version known to follow it, and what it changes."""

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
        Rule.MISSING_TYPE_NAMED,
        (0, 12, 0),
        "a prompt with an unknown node type is refused as `invalid_prompt`",
        "it is refused as `missing_node_type` (what ComfyWatchman reports in both cases)",
    ),
    Difference(
        Rule.AUTOGROW_MINIMUM,
        (0, 12, 0),
        "an input that grows may have fewer items than its declared minimum",
        "each missing item is a `required_input_missing`",
    ),
    Difference(
        Rule.REMOTE_COMBOS_SKIPPED,
        (0, 12, 0),
        "a combo whose list the browser fetches elsewhere accepts nothing",
        "its choice is not checked",
    ),
    Difference(
        Rule.MULTISELECT_BY_ITEM,
        (0, 12, 0),
        "a list of choices in a combo that allows several is refused",
        "each item is looked up by itself",
    ),
    Difference(
        Rule.PATHS_CONFINED,
        (0, 38, 0),
        "an input file may be named by a path that leads out of ComfyUI's folders",
        "such a file counts as missing",
    ),
)

_NUMBER = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?")
_ERA_0_8: Final[Version] = (0, 8, 0)
# Fields that servers after 0.8 add to every node type they describe.
_LATER_FIELDS: Final = frozenset({"dev_only", "search_aliases", "essentials_category"})


def rules_of(version: Version | None) -> frozenset[Rule]:
    """Say which rules a server follows; one of unknown version follows them all."""
    return frozenset(d.rule for d in DIFFERENCES if version is None or version >= d.since)


def version_of(catalog: Catalog) -> Version | None:
    """Say which version to judge by.

    A saved catalog names none. If its fields show that an 0.8-era server wrote it, it is judged as
    one; else None: the newest.
    """
    if catalog.version is not None and (match := _NUMBER.match(catalog.version.strip())):
        return tuple(int(number or 0) for number in match.groups())
    seen_output_matchtypes = False
    for node_type in catalog.values():
        if not _LATER_FIELDS.isdisjoint(node_type.declaration):
            return None
        seen_output_matchtypes |= "output_matchtypes" in node_type.declaration
    return _ERA_0_8 if seen_output_matchtypes else None
