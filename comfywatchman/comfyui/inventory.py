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
_PATH_MAX: Final = 4096
_EMBEDDING_SUFFIXES: Final = (".safetensors", ".pt", ".bin")


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
    _folders_by_name: dict[str, list[str]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _embedding_paths: set[str] = field(default_factory=set, init=False, repr=False, compare=False)

    def folders_with(self, name: str) -> list[str]:
        """Model folders that hold a file of this name, in whatever sub-folder.

        Args:
            name: a file name; what stands before the last slash is left aside.
        """
        if not self._folders_by_name:
            found: dict[str, list[str]] = {}
            for folder, files in self.models.items():
                for last in {_last_part(file) for file in files}:
                    found.setdefault(last, []).append(folder)
            self._folders_by_name.update(found)
        return self._folders_by_name.get(_last_part(name), [])

    def has_embedding(self, name: str) -> bool | None:
        """Whether a text encoder would find an embedding; None if they were not listed.

        It looks in every sub-folder, for the name as it is and with each ending it knows.
        """
        if self.embeddings is None:
            return None
        if not self._embedding_paths:
            listed = (name.replace("\\", "/").split("/") for name in self.embeddings)
            self._embedding_paths.update(
                {"/".join(parts[i:]) for parts in listed for i in range(len(parts))}
            )
        path = name.replace("\\", "/")
        for suffix in _EMBEDDING_SUFFIXES:
            path = path.removesuffix(suffix)
        return path in self._embedding_paths

    def presence(self, value: str) -> Presence:
        """Say whether the server would find the file an upload input names.

        The server looks for the path below the input folder, or the folder that a suffix such as
        `` [output]`` names, as the operating system does: folders count, ``..`` is followed, and
        the empty name is the folder itself.

        Args:
            value: the input's value: a path below ``input``, or with a suffix ``[output]`` etc.
        """
        folder, path = _annotated(value)
        if "\0" in path or len(path) >= _PATH_MAX:
            return Presence.ABSENT
        if path.startswith("/"):
            return Presence.OUTSIDE
        walked: list[str] = []
        parts = iter(path.split("/"))
        for part in parts:
            if walked and not self._may_be_directory(folder, "/".join(walked)):
                return Presence.ABSENT
            if part == ".." and walked:
                walked.pop()
            elif part == "..":
                # Out of the folder, and perhaps into one of its neighbours.
                folder = next(parts, "")
                if folder not in _FOLDERS:
                    return Presence.OUTSIDE
            elif part not in ("", "."):
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


def _last_part(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]
