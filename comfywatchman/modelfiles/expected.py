"""What a model file's SHA-256 should be, as others have written it down: read, never asked for.

The notes of workflows, of ``git lfs``, of Hugging Face's own downloader and cache, of programs that
keep a file with what CivitAI says beside each model, and of another host.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from comfywatchman import lenient_json, state
from comfywatchman.comfyui.names import last_part
from comfywatchman.errors import ConfigError
from comfywatchman.escape import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfywatchman.comfyui.model_files import ModelFile

_SHA256: Final = re.compile(r"[0-9a-fA-F]{64}")
_POINTER: Final = re.compile(rb"version https://git-lfs[^\n]*\n(?:[^\n]*\n)*?oid sha256:(\w{64})")
_POINTER_MAX: Final = 1024
_NOTE_MAX: Final = 4 * 1024**2
_ABOVE: Final = 8
"""Folders above a file in which Hugging Face's downloader may have kept its notes."""
_HUGGING_FACE: Final = (".cache", "huggingface", "download")
_SIDECARS: Final = (".metadata.json", ".civitai.info", ".cm-info.json")
_LARGEST_INVENTORY: Final = 256 * 1024**2


@dataclass(frozen=True, slots=True)
class Expected:
    """What one source says of a file.

    Attributes:
        source: which, in a few words.
        sha256: what it says, each of which would do; in small letters.
        older: whether the file was changed after it was said.
    """

    source: str
    sha256: tuple[str, ...]
    older: bool = False


class Listed(NamedTuple):
    """A model as a workflow lists it in ``properties.models``.

    Attributes:
        name: of the file.
        folder: the model folder that it belongs into; None where that is not said.
        url: where it can be had.
        sha256: what it holds, in small letters.
    """

    name: str
    folder: str | None
    url: str | None
    sha256: str | None


def listed_in(document: Any) -> Iterator[Listed]:
    """The models that a workflow lists, wherever in it its nodes stand."""
    for found in _objects(document):
        entries = found.get("models")
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict) and isinstance(entry.get("name"), str):
                yield _listed(entry)


def _listed(entry: dict[str, Any]) -> Listed:
    kind = str(entry.get("hash_type") or "sha256").lower().replace("-", "")
    sha256, url, folder = (entry.get(key) for key in ("hash", "url", "directory"))
    first = folder.replace("\\", "/").strip("/").split("/")[0] if isinstance(folder, str) else ""
    return Listed(
        entry["name"],
        first or None,
        url if isinstance(url, str) else None,
        str(sha256).lower() if kind == "sha256" and _is_hash(sha256) else None,
    )


@dataclass(slots=True)
class InWorkflows:
    """The hashes that workflows name with their models (``properties.models``)."""

    _known: dict[str, list[tuple[Listed, str]]] = field(default_factory=dict)

    def add(self, workflow: str, raw: bytes) -> None:
        """Note what a workflow says; most say nothing."""
        if b'"hash"' not in raw:
            return
        try:
            document = lenient_json.parse(raw)
        except (ValueError, RecursionError):
            return
        for each in listed_in(document):
            if each.sha256 is not None:
                self._known.setdefault(last_part(each.name), []).append((each, workflow))

    def of(self, file: ModelFile) -> Iterator[Expected]:
        """What they say of a file: each hash once, by the first workflow that has it."""
        said: dict[str, str] = {}
        for each, workflow in self._known.get(last_part(file.name), ()):
            if each.folder in (None, file.folder) and each.sha256 is not None:
                said.setdefault(each.sha256, workflow)
        for sha256, workflow in said.items():
            yield Expected(f"the workflow {workflow}", (sha256,))


@dataclass(frozen=True, slots=True)
class OnAnotherHost:
    """The model files of another host.

    Attributes:
        hashes: by folder and name.
        sizes: the same.
    """

    hashes: dict[tuple[str, str], str] = field(default_factory=dict)
    sizes: dict[tuple[str, str], int] = field(default_factory=dict)

    def of(self, file: ModelFile) -> Iterator[Expected]:
        """What is known there of a file with its name."""
        sha256 = self.hashes.get((visible(file.folder), visible(file.name)))
        if sha256:
            yield Expected("the other host", (sha256,))


def read_other_host(file: Path) -> OnAnotherHost:
    """Read what another host has.

    Args:
        file: its ``inventory.json``, also within what ``playbooks/status.yml`` collected, or what
            ``models --format json`` printed there.

    Raises:
        ConfigError: it cannot be read, or is neither.
    """
    try:
        document = lenient_json.parse(state.read_file(file, _LARGEST_INVENTORY))
    except OSError as error:
        raise ConfigError(f"--against: {file} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise ConfigError(f"--against: {file} is not JSON") from None
    hashes: dict[tuple[str, str], str] = {}
    sizes: dict[tuple[str, str], int] = {}
    for folder, name, size, sha256 in _rows(document):
        if isinstance(size, int):
            sizes[folder, name] = size
        if _is_hash(sha256):
            hashes[folder, name] = str(sha256).lower()
    if not sizes and not hashes:
        raise ConfigError(
            f"--against: {file} lists no model files: give the inventory.json of another host, or "
            "what `comfywatchman models --format json` printed there"
        )
    return OnAnotherHost(hashes, sizes)


def _rows(document: Any) -> Iterator[tuple[str, str, Any, Any]]:
    document = document if isinstance(document, dict) else {}
    if isinstance(document.get("inventory"), dict):  # as playbooks/status.yml collects it
        document = document["inventory"]
    files = document.get("files")
    for entry in files if isinstance(files, list) else ():
        if isinstance(entry, dict):
            folder, name = entry.get("folder"), entry.get("name")
            if isinstance(folder, str) and isinstance(name, str):
                yield visible(folder), visible(name), entry.get("size"), entry.get("sha256")
    hashes = document.get("hashes")
    models = document.get("models")
    for folder, found in models.items() if isinstance(models, dict) else ():
        known = hashes.get(folder) if isinstance(hashes, dict) else None
        for name, size in found.items() if isinstance(found, dict) else ():
            sha256 = known.get(name) if isinstance(known, dict) else None
            yield visible(folder), visible(name), size, sha256


def beside(file: ModelFile) -> Iterator[Expected]:
    """What lies on the disk beside a file, or in it, and says what it should be."""
    yield from _pointer(file)
    yield from of_hugging_face(file)
    yield from in_sidecars(file)


def in_sidecars(file: ModelFile) -> Iterator[Expected]:
    """What programs that keep a file of CivitAI's beside each model have noted down."""
    stem = os.path.splitext(file.path)[0]  # noqa: PTH122  (a name, which may hold anything)
    for ending in _SIDECARS:
        if said := tuple(dict.fromkeys(_in_sidecar(stem + ending))):
            yield Expected(last_part(stem + ending), said)


def _pointer(file: ModelFile) -> Iterator[Expected]:
    if file.size <= _POINTER_MAX and (raw := _read(file.path)) and (m := _POINTER.match(raw)):
        yield Expected("the git-lfs pointer that it is", (m[1].decode().lower(),))


def of_hugging_face(file: ModelFile) -> Iterator[Expected]:
    """What Hugging Face's client has noted down of a file that it fetched."""
    path = Path(os.path.normpath(file.path))
    real = Path(os.path.realpath(file.path))
    if real.parent.name == "blobs" and _is_hash(real.name):
        yield Expected("the name that Hugging Face's cache gave it", (real.name.lower(),))
    for above in path.parents[:_ABOVE]:
        note = above.joinpath(*_HUGGING_FACE, f"{path.relative_to(above)}.metadata")
        lines = (_read(os.fspath(note)) or b"").decode(errors="replace").split()
        if len(lines) > 1 and _is_hash(lines[1]):
            yield Expected(
                "Hugging Face's own note of the download",
                (lines[1].lower(),),
                older=_is_older(lines[2:3], file.mtime_ns),
            )
            return


def _is_older(said_at: list[str], mtime_ns: int) -> bool:
    try:
        return bool(said_at) and mtime_ns / 1e9 > float(said_at[0]) + 1
    except ValueError:
        return False


def _in_sidecar(note: str) -> Iterator[str]:
    raw = _read(note)
    try:
        document = lenient_json.parse(raw) if raw else None
    except (ValueError, RecursionError):
        return
    if not isinstance(document, dict):
        return
    files = document.get("files")
    for entry in chain([document], files if isinstance(files, list) else ()):
        if not isinstance(entry, dict):
            continue
        hashes = entry.get("hashes") or entry.get("Hashes")
        for group in (entry, hashes if isinstance(hashes, dict) else {}):
            for key, value in group.items():
                if key.lower() == "sha256" and _is_hash(value):
                    yield value.lower()


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and _SHA256.fullmatch(value) is not None


def _read(path: str) -> bytes | None:
    """A small file; None for what is none, or is not there."""
    try:
        return state.read_file(Path(path), _NOTE_MAX)
    except (OSError, ValueError):
        return None


def _objects(document: Any) -> Iterator[dict[str, Any]]:
    """Every object in a document, however deep."""
    pending = [document]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            yield value
            pending += value.values()
        elif isinstance(value, list):
            pending += value
