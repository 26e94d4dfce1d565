"""The inventory: which model and input files a host has, as far as can be seen.

The server's own lists (combo choices in the catalog) decide whether a model is there. Input files
are judged by existence, as the server does, from the names collected here; nothing is opened.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_FOLDERS: Final = ("output", "input", "temp")


class Presence(Enum):
    """Whether a file is there."""

    PRESENT = "present"
    ABSENT = "absent"
    OUTSIDE = "outside"
    """The name leads out of ComfyUI's folders: never looked at."""
    UNSEEN = "unseen"
    """The folder could not be seen from here."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """Names of files, by folder.

    Attributes:
        files: for each of ``input``, ``output`` and ``temp`` that could be listed, the relative
            POSIX paths of everything in it, directories included. A folder that is missing here
            could not be seen.
        models: model file names as the server lists them, by model folder (``checkpoints``, …).
        embeddings: names the server lists as embeddings, without extension; None if not asked.
    """

    files: Mapping[str, frozenset[str]] = field(default_factory=dict)
    models: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    embeddings: frozenset[str] | None = None

    def presence(self, value: str) -> Presence:
        """Say whether the server would find the file an upload input names.

        The server looks for the path below the input folder, or the folder that a suffix such as
        `` [output]`` names, as the operating system does: folders count, ``..`` is followed, and
        the empty name is the folder itself.

        Args:
            value: the input's value: a path below ``input``, or with a suffix ``[output]`` etc.
        """
        folder, path = _annotated(value)
        if "\0" in path:
            return Presence.ABSENT
        if path.startswith("/"):
            return Presence.OUTSIDE
        walked: list[str] = []
        parts = path.split("/")
        for i, part in enumerate(parts):
            if part == "..":
                if walked:
                    walked.pop()
                    continue
                # Out of the folder, and perhaps into one of its neighbours.
                rest = parts[i + 1 :]
                if not rest or rest[0] not in _FOLDERS:
                    return Presence.OUTSIDE
                return self.presence("/".join(rest[1:]) + f" [{rest[0]}]")
            if walked and not self._may_be_directory(folder, "/".join(walked)):
                return Presence.ABSENT
            if part not in ("", "."):
                walked.append(part)
        names = self.files.get(folder)
        if names is None:
            return Presence.UNSEEN
        return Presence.PRESENT if not walked or "/".join(walked) in names else Presence.ABSENT

    def _may_be_directory(self, folder: str, path: str) -> bool:
        names = self.files.get(folder)
        if names is None:
            return True
        # A folder without a suffix may be empty; a name with one is taken for a file's unless
        # something lies below it.
        return path in names and (
            "." not in path.rpartition("/")[2] or any(n.startswith(path + "/") for n in names)
        )


def _annotated(value: str) -> tuple[str, str]:
    for folder in _FOLDERS:
        if value.endswith(f"[{folder}]"):
            # The server drops the character before the bracket whatever it is.
            return folder, value[: -len(folder) - 3]
    return "input", value
