"""What is said of a model file that is not in order, and what to do about it."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, Final

from comfywatchman import findings
from comfywatchman.escape import visible
from comfywatchman.findings import Advice, about, quoted
from comfywatchman.modelfiles import codes, inspecting
from comfywatchman.modelfiles.condition import of_bytes, so_many_lack
from comfywatchman.results import SubjectKind

if TYPE_CHECKING:
    from comfywatchman.modelfiles.condition import Condition
    from comfywatchman.results import Finding

_AGAIN: Final = "download it again, to another name first, and put that in its place"
_REMEDIES: Final = {
    codes.BROKEN_LINK.name: "put the file back where the link leads, mount the drive that it is on,"
    " or make the link anew",
    codes.FOLDER.name: "move the model that is in it, if there is one, to its place",
    codes.UNREADABLE.name: "give the user of ComfyUI the right to read it; if the system names an "
    "error of input or output, look at the disk or the network drive it is on",
    codes.DOWNLOAD_UNFINISHED.name: "wait until it is finished; if nothing is written to it any "
    "more, let the program that downloads it go on, or start it again",
    codes.HASH_DIFFERS.name: f"{_AGAIN}, and run: comfywatchman models verify; if it changed by "
    "itself, look at the disk and the network drive it is on",
    "model_is_html": "download it again by the address of the file itself, not of a page about it;"
    " log in or give an access token where one is needed",
    "model_is_json_error": "do what the message says, and download it again",
}
"""What to do, where that is not to download the file again."""


def finding(condition: Condition, folder: str, name: str) -> Finding | None:
    """What is said of a model file; None if nothing wrong was seen.

    Args:
        condition: of the file.
        folder: the model folder that it is in, such as ``checkpoints``.
        name: the file as the server lists it.
    """
    inspecting.found()  # each format declares its codes
    code = findings.code(condition.code)
    if code is None:
        return None
    loaded = "cannot be loaded" if condition.fails else "may not be loaded"
    if code is codes.HASH_DIFFERS:
        loaded = "is not what it should be"
    return code.finding(
        f"the model file {quoted(name)} in {quoted(folder)} {loaded}: {condition.detail}",
        fix=_advice(condition, name),
        subject=about(SubjectKind.MODEL, name, folder),
    )


def _advice(condition: Condition, name: str) -> Advice:
    if condition.code == codes.EXTENSION_LIES.name:
        return Advice(_renaming(condition, name))
    if condition.code == "model_is_lfs_pointer":
        return _pulling(condition, name)
    if condition.code in _REMEDIES:
        return Advice(_REMEDIES[condition.code])
    if condition.lacking and condition.code != codes.EMPTY.name:
        exact = "" if condition.code == codes.TRUNCATED.name else "at least "
        return Advice(
            f"{exact}{so_many_lack(condition.lacking)}: if it is being downloaded or copied, wait;"
            f" otherwise {_AGAIN}"
        )
    return Advice(_AGAIN)


def _renaming(condition: Condition, name: str) -> str:
    endings = next(e.ENDINGS for e in inspecting.found() if condition.format == e.NAME)
    better = os.path.splitext(name)[0] + endings[0]  # noqa: PTH122  (a name)
    return (
        f"rename it to {quoted(better)}, and choose that in the workflow, with a node that loads "
        "such files; or download the file that it is said to be"
    )


def _pulling(condition: Condition, name: str) -> Advice:
    last = name.replace("\\", "/").rpartition("/")[2]
    wanted = "" if condition.oid_size is None else f" of {of_bytes(condition.oid_size)}"
    wanted += "" if condition.oid is None else f" with the SHA-256 {condition.oid}"
    command = f"git lfs pull --include={shlex.quote(last)}"
    shown = visible(command) == command
    how = f"run in the clone that it is in: {command}; or " if shown else ""
    return Advice(
        f"{how}download the file{wanted}, and put it in the pointer's place",
        command=command if shown else None,
    )
