"""A path that a node of VideoHelperSuite loads from, wherever it leads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from comfywatchman.checks.engine.registry import Stage, on_value
from comfywatchman.comfyui.inventory import Presence
from comfywatchman.findings import declare, quoted
from comfywatchman.results import Severity

if TYPE_CHECKING:
    from comfywatchman.checks.engine.case import Answer, InputCase

MEDIA_PATH_UNSEEN = declare(
    "media_path_unseen",
    Severity.WARNING,
    title="Path to a file or folder that cannot be seen",
    explanation="The node loads a file or a folder by its path and has the server refuse one that "
    "is not there. ComfyWatchman looks into ComfyUI's `input`, `output` and `temp` folders only; "
    "whether there is such a file elsewhere is not known, and the verdict is `unknown`.",
    remedy="Make sure that the path leads to a file on the host of the server. A path of another "
    "computer never does; put the file into ComfyUI's `input` folder and write `input/NAME`.",
)

_MARK: Final = "vhs_path_extensions"
"""The option by which VideoHelperSuite marks the inputs that it has the server check."""
_BEGINNING: Final = "prefix"
"""What inputs are called that take the beginning of a path, which need not be there itself."""
_FOLDERS: Final = ("input", "output", "temp")


@on_value(Stage.CHOICE, "STRING")
def check(case: InputCase) -> Answer:
    """Report a path that is not seen in one of ComfyUI's folders."""
    if _MARK not in case.spec.options:
        return None
    if case.spec.name.endswith(_BEGINNING):
        return None
    given = case.given if isinstance(case.given, str) else str(case.given)
    if _presence(case, given.strip().strip('"')) is Presence.PRESENT:
        return None
    return case.doubt(
        MEDIA_PATH_UNSEEN,
        f"input {quoted(case.spec.name)} names {quoted(given)}, which is not seen in ComfyUI's "
        "folders",
        f"make sure that {quoted(given)} is there, on the host of the server, or put the file into "
        "ComfyUI's input folder and name it by 'input/' and its name",
        because="the node has it refused if the path leads nowhere",
    )


def _presence(case: InputCase, path: str) -> Presence:
    """Paths that are not absolute begin at ComfyUI's own folder."""
    folder, slash, below = path.partition("/")
    if folder in _FOLDERS and slash:
        return case.node.whole.inventory.presence(f"{below} [{folder}]")
    if not path.startswith("/"):
        return Presence.OUTSIDE
    return case.node.whole.inventory.presence(path)
