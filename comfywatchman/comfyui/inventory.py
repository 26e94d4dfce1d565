"""The inventory: which model and input files a host has, as far as can be seen.

The server's own lists (combo choices in the catalog) decide whether a model is there. Input files
are judged by existence, as the server does, from the names collected here; nothing is opened.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

from comfywatchman.comfyui.names import Names, last_part

if TYPE_CHECKING:
    from collections.abc import Mapping

_FOLDERS: Final = ("output", "input", "temp")
_PATH_MAX: Final = 4096
_MOST_LIKE: Final = 8
_EMBEDDING_SUFFIXES: Final = (".safetensors", ".pt", ".bin")


class Presence(Enum):
    """Whether a file is there."""

    PRESENT = "present"
    ABSENT = "absent"
    OUTSIDE = "outside"
    """The name leads out of ComfyUI's folders, or, where that counts, out of the one it means."""
    UNSEEN = "unseen"
    """The folder could not be seen from here."""


class _Place(NamedTuple):
    """Where a path has led so far.

    Attributes:
        folder: the folder of ComfyUI's that it is in, or was left from by a link; None outside.
        parts: what leads there from the folder; without a folder, from the root of all paths.
        out: whether it is really elsewhere, where a link in the folder led.
    """

    folder: str | None
    parts: tuple[str, ...]
    out: bool = False


@dataclass(frozen=True, slots=True)
class Inventory:
    """Names of files, by folder.

    Attributes:
        files: for each of ``input``, ``output`` and ``temp`` that could be listed, the relative
            POSIX paths of everything in it, directories included. A folder that is missing here
            could not be seen.
        links: for each of these folders, the symbolic links among the names, with the absolute path
            they really lead to.
        paths: for each of these folders, its own absolute path as the server names it, and without
            any links; where it is not known, the three lie beside each other.
        models: model file names as the server lists them, by model folder (``checkpoints``, …).
        embeddings: names the server lists as embeddings, without extension; None if not asked.
    """

    files: Mapping[str, frozenset[str]] = field(default_factory=dict)
    models: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    embeddings: frozenset[str] | None = None
    links: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    paths: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    _folders_by_name: dict[str, list[str]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _directories_of: dict[str, frozenset[str]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _names_of: dict[str, Names] = field(default_factory=dict, init=False, repr=False, compare=False)
    _embedding_paths: set[str] = field(default_factory=set, init=False, repr=False, compare=False)

    def folders_with(self, name: str) -> list[str]:
        """Model folders that hold a file of this name, in whatever sub-folder.

        Args:
            name: a file name; what stands before the last slash is left aside.
        """
        if not self._folders_by_name:
            found: dict[str, list[str]] = {}
            for folder, files in self.models.items():
                for last in {last_part(file) for file in files}:
                    found.setdefault(last, []).append(folder)
            self._folders_by_name.update(found)
        return self._folders_by_name.get(last_part(name), [])

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

    def presence(self, value: str, *, confined: bool = False) -> Presence:
        """Say whether the server would find the file an upload input names.

        The server looks for the path below the input folder, or the folder that a suffix such as
        `` [output]`` names, as the operating system does: folders count, ``..`` is followed, and
        the empty name is the folder itself.

        Args:
            value: the input's value: a path below ``input``, or with a suffix ``[output]`` etc.
            confined: whether the server, as newer ones do, first finds out where the path really
                leads, whatever is there, and refuses what is not in that very folder.
        """
        folder, path = place_of(value)
        if "\0" in path or len(path) >= _PATH_MAX:
            return Presence.ABSENT
        place = self._where(value, directories_only=not confined)
        if place is None:
            return Presence.ABSENT
        if confined and path.startswith("/") and folder not in self.files:
            return Presence.UNSEEN
        if place.folder is None or (confined and (place.out or place.folder != folder)):
            return Presence.OUTSIDE
        names = self.files.get(place.folder)
        if names is None:
            return Presence.UNSEEN
        there = not place.parts or "/".join(place.parts) in names
        return Presence.PRESENT if there else Presence.ABSENT

    def is_folder(self, value: str) -> bool:
        """Whether what an upload input names, and is there, is certainly a folder."""
        place = self._where(value)
        if place is None or place.folder is None or not place.parts:
            return place is not None and place.folder is not None
        return "/".join(place.parts) in self._directories(place.folder)

    def input_files_like(self, value: str) -> list[str]:
        """Values by which an upload input may name the file that is meant, best first.

        The one file of that name by another path, else all that have the name, else those that
        differ in their ending only: in the folder that is meant or, with a suffix, in the others.

        Args:
            value: the input's value.
        """
        home, path = place_of(value)
        folders = [home, *(folder for folder in _FOLDERS if folder != home)]
        for folder in folders:
            same = self._names(folder).same_file(path)
            if same is not None:
                return [_with_suffix(same, folder)]
        for search in (Names.same_name, Names.same_stem):
            found = [
                _with_suffix(name, folder)
                for folder in folders
                for name in search(self._names(folder), path)
            ]
            if found:
                return found[:_MOST_LIKE]
        return []

    def _names(self, folder: str) -> Names:
        known = self._names_of.get(folder)
        if known is None:
            listed = self.files.get(folder, frozenset())
            known = self._names_of[folder] = Names(sorted(listed - self._directories(folder)))
        return known

    def _directories(self, folder: str) -> frozenset[str]:
        """The names there that others lie below."""
        known = self._directories_of.get(folder)
        if known is None:
            listed = self.files.get(folder, frozenset())
            known = frozenset(name.rpartition("/")[0] for name in listed)
            self._directories_of[folder] = known
        return known

    def _where(self, value: str, *, directories_only: bool = False) -> _Place | None:
        """Where a value leads; None if that is by way of what is known to be no directory."""
        folder, path = place_of(value)
        place = _Place(None, ()) if path.startswith("/") else _Place(folder, ())
        for part in path.split("/"):
            if directories_only and not self._may_be_directory(place):
                return None
            if part not in ("", "."):
                place = self._step(place, part, folder)
        return place

    def _step(self, place: _Place, part: str, home: str) -> _Place:
        """Follow a path by one part, and the link that may be there."""
        folder, parts, out = place
        if part == "..":
            if folder is None or (parts and not out):
                return _Place(folder, parts[:-1])
            if not parts:
                return _Place(None, _parts(self._real_path(folder))[:-1])
            target = self._target(folder, parts)
            if target is None:
                return _Place(folder, parts[:-1], out)
            return _Place(None, _parts(target)[:-1])
        parts = (*parts, part)
        if folder is None:
            return self._located(parts, home)
        target = self._target(folder, parts)
        if target is None:
            return _Place(folder, parts, out)
        located = self._located(_parts(target), home)
        return _Place(folder, parts, out=True) if located.folder is None else located

    def _target(self, folder: str, parts: tuple[str, ...]) -> str | None:
        """Where the link at a place leads; None if there is none."""
        links = self.links.get(folder)
        return links.get("/".join(parts)) if links else None

    def _located(self, parts: tuple[str, ...], home: str) -> _Place:
        """An absolute path, seen from the folder of ComfyUI's that it is in."""
        for folder in (home, *_FOLDERS):
            for root in self.paths.get(folder, (self._real_path(folder),)):
                above = _parts(root)
                if parts[: len(above)] == above:
                    return _Place(folder, parts[len(above) :])
        return _Place(None, parts)

    def _real_path(self, folder: str) -> str:
        return self.paths[folder][1] if folder in self.paths else f"/\0/{folder}"

    def _may_be_directory(self, place: _Place) -> bool:
        names = None if place.folder is None else self.files.get(place.folder)
        if place.folder is None or names is None or not place.parts:
            return True
        path = "/".join(place.parts)
        # A folder without a suffix may be empty; a name with one is taken for a file's unless
        # something lies below it.
        return path in names and (
            "." not in place.parts[-1] or path in self._directories(place.folder)
        )


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.split("/") if part)


def place_of(value: str) -> tuple[str, str]:
    """The folder that the value of an upload input means, and the path below it."""
    for folder in _FOLDERS:
        if value.endswith(f"[{folder}]"):
            # The server drops the character before the bracket whatever it is.
            return folder, value[: -len(folder) - 3]
    return "input", value


def _with_suffix(path: str, folder: str) -> str:
    return path if folder == "input" else f"{path} [{folder}]"
