"""A growing input whose declaration breaks the server's validation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfywatchman.checks.engine.case import Crash
from comfywatchman.checks.engine.declared import AUTOGROW, lacks_an_item
from comfywatchman.checks.engine.registry import on_node_with
from comfywatchman.checks.engine.traits import Trait
from comfywatchman.checks.versions import Rule
from comfywatchman.findings import about, quoted
from comfywatchman.results import SubjectKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfywatchman.checks.engine.case import Answer, NodeCase


@on_node_with(Trait.DYNAMIC)
def check(case: NodeCase) -> Iterator[Answer]:
    """Report nodes that such a server cannot judge, whatever they are given."""
    older = Rule.AUTOGROW_MINIMUM not in case.whole.book.rules
    for spec in case.dynamic:
        if spec.type == AUTOGROW and lacks_an_item(spec, first_group_only=older):
            yield Crash(
                f"input {quoted(spec.name)} declares its items so that the server cannot read them",
                "update ComfyUI, or the node" if older else "update the node",
                about(SubjectKind.INPUT, spec.name),
            )
