"""An input file that a workflow names outside ComfyUI's folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfywatchman.checks.engine.case import BlindSpot
from comfywatchman.checks.engine.reading import unwrapped
from comfywatchman.checks.engine.registry import on_node_with
from comfywatchman.checks.engine.traits import Trait
from comfywatchman.checks.versions import Rule
from comfywatchman.comfyui.inventory import Presence
from comfywatchman.findings import about, declare, quoted
from comfywatchman.results import Severity, SubjectKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfywatchman.checks.engine.case import Answer, NodeCase

PATH_OUTSIDE_COMFYUI = declare(
    "path_outside_comfyui",
    Severity.WARNING,
    title="Input file outside ComfyUI's folders",
    explanation="The workflow names an input file by a path that leads out of ComfyUI's `input`, "
    "`output` and `temp` folders. Servers older than 0.28 read such files, and so anything that "
    "ComfyUI's user can read. ComfyWatchman never looks there: whether the file exists is not "
    "checked. Be wary of a workflow from elsewhere that does this.",
    remedy="Copy the file into ComfyUI's `input` folder and choose it there.",
)


@on_node_with(Trait.OWN_FILE)
def check(case: NodeCase) -> Iterator[Answer]:
    """Report the path, where the server would follow it."""
    own = case.own_rules
    if own is None or own.file_input is None or Rule.PATHS_CONFINED in case.whole.book.rules:
        return
    given = unwrapped(case.inputs.get(own.file_input))
    if not isinstance(given, str):
        return
    if case.whole.inventory.presence(given) is Presence.OUTSIDE:
        yield case.finding(
            PATH_OUTSIDE_COMFYUI,
            f"input {quoted(own.file_input)} names {quoted(given)}, outside ComfyUI's folders",
            "copy the file into ComfyUI's input folder and choose it there",
            input_name=own.file_input,
            subject=about(SubjectKind.INPUT_FILE, given),
        )
        yield BlindSpot(
            f"whether {quoted(given)}, which node {quoted(case.id)} names, exists: it lies outside "
            "ComfyUI's folders"
        )
