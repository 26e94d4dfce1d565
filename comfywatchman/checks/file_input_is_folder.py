"""A folder, or nothing, where an input file is to be chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfywatchman.checks.engine.reading import unwrapped
from comfywatchman.checks.engine.registry import on_node_with
from comfywatchman.checks.engine.traits import Trait
from comfywatchman.checks.versions import Rule
from comfywatchman.comfyui.inventory import Presence
from comfywatchman.findings import declare, quoted
from comfywatchman.results import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfywatchman.checks.engine.case import Answer, NodeCase

FILE_INPUT_IS_FOLDER = declare(
    "file_input_is_folder",
    Severity.WARNING,
    title="Folder where a file is to be loaded",
    explanation="The input names a folder, or nothing, which means ComfyUI's `input` folder "
    "itself. The server only looks whether it exists and accepts it; the node fails when it is "
    "run.",
    remedy="Choose a file in the node.",
)


@on_node_with(Trait.OWN_FILE)
def check(case: NodeCase) -> Iterator[Answer]:
    """Report a folder that the server would accept."""
    own = case.own_rules
    if own is None or own.file_input is None:
        return
    given = unwrapped(case.inputs.get(own.file_input))
    if not isinstance(given, str) or (own.file_optional and given in ("", "none")):
        return
    inventory = case.whole.inventory
    confined = Rule.PATHS_CONFINED in case.whole.book.rules
    if inventory.presence(given, confined=confined) is not Presence.PRESENT:
        return
    if inventory.is_folder(given):
        name = quoted(own.file_input)
        yield case.finding(
            FILE_INPUT_IS_FOLDER,
            f"input {name} names the folder {quoted(given)}; the node fails when it is run"
            if given.strip()
            else f"no file is chosen for {name}; the node fails when it is run",
            "choose a file",
            input_name=own.file_input,
        )
