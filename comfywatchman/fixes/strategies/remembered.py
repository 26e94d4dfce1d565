"""A file that was moved or renamed here: one of that size and time went, and another came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from comfywatchman.escape import visible
from comfywatchman.fixes.candidate import Candidate, set_to
from comfywatchman.fixes.strategies import wrong_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfywatchman.fixes.fault import Fault

ORDER: Final = 70

_SECOND: Final = 10**9


def candidates(fault: Fault) -> Iterator[Candidate]:
    """Set it to the file's new name or, if that is in another model folder, link it back."""
    wanted, folder = fault.wanted, fault.folder
    if wanted is None or folder is None or fault.choices is None:
        return
    was = fault.here.gone.get(visible(f"{folder}/{wanted}"))
    size = was.get("size") if was else None
    if was is None or not isinstance(size, int) or not size:
        return
    now = {
        (file.dev, file.inode): file
        for file in fault.here.files_as_large.get(size, ())
        if file.mtime_ns // _SECOND == was.get("modified")
    }
    several = len(now) > 1
    for file in now.values():
        if file.folder != folder:
            yield from wrong_folder.brought(fault, file, ask=several)
        elif file.name in fault.choices:
            why = "the wanted file was here, and one of its size and time is there under this name"
            yield set_to(fault, file.name, why, ask=several)
