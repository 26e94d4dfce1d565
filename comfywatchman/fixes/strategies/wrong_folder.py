"""The file is there, but in a folder of another kind, where the node does not look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from comfywatchman.comfyui.names import is_generic, last_part, plain
from comfywatchman.findings import NAME_LENGTH, printable, quoted
from comfywatchman.fixes.candidate import Candidate
from comfywatchman.fixes.proposal import Placement
from comfywatchman.results import Confidence, FixKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfywatchman.comfyui.model_files import ModelFile
    from comfywatchman.fixes.fault import Fault

ORDER: Final = 90


def candidates(fault: Fault) -> Iterator[Candidate]:
    """Link the file into the folder where the node looks."""
    wanted, folder = fault.wanted, fault.folder
    if wanted is None or folder is None:
        return
    called = fault.here.files_called.get(plain(last_part(wanted)), ())
    found = {(file.dev, file.inode): file for file in called if file.folder != folder}
    ask = len(found) > 1 or is_generic(wanted)
    for file in found.values():
        yield from brought(fault, file, ask=ask)


def brought(fault: Fault, file: ModelFile, *, ask: bool) -> Iterator[Candidate]:
    """The fix by which a file is found where a fault wants it, if it can be put there."""
    target = fault.target
    if target is None or not file.is_file:
        return
    text = (
        f"Link {printable(file.path, NAME_LENGTH)} to {printable(target, NAME_LENGTH)}: the file "
        f"is in models/{printable(file.folder)}, where {quoted(fault.input)} does not look."
    )
    yield Candidate(
        FixKind.MOVE_FILE,
        text,
        Confidence.ASK if ask else Confidence.LIKELY,
        placement=Placement(file.path, target),
    )
