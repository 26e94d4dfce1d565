"""The fixes that name a file: one that is there under another name, or that shall be put there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfywatchman.comfyui.names import last_part, tidy
from comfywatchman.findings import NAME_LENGTH, Advice, printable, quoted
from comfywatchman.results import Confidence, FixKind

if TYPE_CHECKING:
    from collections.abc import Sequence


def set_to(given: str, names: Sequence[str], remark: str = "") -> Advice:
    """Set an input to the name that is meant, or to one of those that may be.

    Args:
        given: what it is set to.
        names: the names, at least one.
        remark: what to add to tell the name from the one that is given.
    """
    if len(names) > 1:
        return Advice(f"set it to one of {', '.join(map(quoted, names))}{remark}")
    return Advice(
        f"set it to {quoted(names[0], NAME_LENGTH)}{remark}",
        FixKind.SET_VALUE,
        Confidence.LIKELY,
        before=given,
        after=names[0],
    )


def put(given: str, folder: str, separator: str = "/", suffix: str = "") -> Advice | None:
    """Put a file that is nowhere below a folder, and name it so that it is found there.

    Args:
        given: its name, as it stands in the workflow, without a suffix.
        folder: the folder, below ComfyUI's own.
        separator: what the server separates folders by.
        suffix: what a value needs behind the name to mean this folder.

    Returns:
        None if no file can have such a name.
    """
    path = tidy(given, separator)
    if not path:
        return None
    if path == given:
        return Advice(
            f"put {quoted(path)} into ComfyUI's {printable(folder)} folder",
            FixKind.PUT_FILE,
            Confidence.LIKELY,
            after=f"{folder}/{path}",
        )
    last = last_part(path)
    below = path[: -len(last)].replace("\\", "/").rstrip("/")
    where = f"{folder}/{below}" if below else folder
    return Advice(
        f"put {quoted(last)} into ComfyUI's {printable(where)} folder and set it to "
        f"{quoted(path + suffix, NAME_LENGTH)}"
    )
