"""Names of files, compared as a person would: who finds one file under two names."""

from __future__ import annotations

import re
import unicodedata
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_MODELS: Final = "safetensors sft ckpt pt pt2 pth bin pkl gguf onnx engine trt torchscript latent"
_PICTURES: Final = "png jpg jpeg webp gif bmp tif tiff svg avif exr"
_VIDEOS: Final = "mp4 webm mov mkv avi m4v gif"
_SOUNDS: Final = "mp3 wav flac ogg opus m4a aac"
_OBJECTS: Final = "glb gltf obj fbx stl ply spz splat ksplat usdz"
_DATA: Final = "yaml yml json txt csv npz npy ttf otf cube"


def _suffixes(endings: str) -> frozenset[str]:
    return frozenset(f".{ending}" for ending in endings.split())


_KINDS: Final = tuple(map(_suffixes, (_MODELS, _PICTURES, _VIDEOS, _SOUNDS, _OBJECTS, _DATA)))
_MODEL_SUFFIXES: Final = _suffixes(_MODELS)
_MEDIA_SUFFIXES: Final = _suffixes(f"{_PICTURES} {_VIDEOS} {_SOUNDS} {_OBJECTS}")
FILE_SUFFIXES: Final = frozenset().union(*_KINDS)
"""Endings, in lower case, that make a choice look like the name of a file."""

# Names that many different models are saved under: another folder may well mean another model.
_GENERIC_STEMS: Final = frozenset(
    {"adapter_model", "diffusion_pytorch_model", "model", "pytorch_lora_weights", "pytorch_model"}
)

_DRIVE: Final = re.compile(r"[A-Za-z]:.*|file:")


def looks_like_file(name: object) -> bool:
    """Whether a choice reads like the name of a model or media file."""
    return _ending(name) in FILE_SUFFIXES


def looks_like_model(name: object) -> bool:
    """Whether a choice reads like the name of a model file."""
    return _ending(name) in _MODEL_SUFFIXES


def is_media(name: object) -> bool:
    """Whether a choice reads like the name of a picture, video, sound or 3D object."""
    return _ending(name) in _MEDIA_SUFFIXES


def _ending(name: object) -> str:
    if not isinstance(name, str):
        return ""
    dot = name.rfind(".")
    return name[dot:].rstrip().lower() if dot > 0 else ""


def is_generic(name: str) -> bool:
    """Whether a file name, such as ``model.safetensors``, says nothing about which model it is."""
    stem = last_part(name).lower()
    return re.split(r"[.-]", stem, maxsplit=1)[0] in _GENERIC_STEMS


def last_part(path: str) -> str:
    """What stands behind the last slash, of either kind."""
    return path.replace("\\", "/").rpartition("/")[2]


def plain(path: str) -> str:
    """A path without what people and systems write differently: slashes, case, Unicode, spaces."""
    return unicodedata.normalize("NFC", path).replace("\\", "/").strip().casefold()


def how_alike(wanted: str, listed: str) -> str:
    """What to add to the name of a file that looks like the one wanted, to tell the two apart."""
    if wanted == listed:
        return ""
    if unicodedata.normalize("NFC", wanted) == unicodedata.normalize("NFC", listed):
        return " (it looks alike, but its letters are written in another Unicode form)"
    if wanted.strip() == listed.strip():
        return " (it looks alike, but for a space before or behind it)"
    ours, theirs = last_part(plain(wanted)), last_part(plain(listed))
    if ours != theirs and _stem(ours) == _stem(theirs):
        return " (the same name with another ending)"
    return ""


def tidy(path: str, separator: str = "/") -> str:
    """The nearest path by which a file can be put below a folder, and be found there.

    Spaces around a name go, and so does where it lay on the computer that the path comes from.
    """
    parts = [part.strip() for part in path.replace("\\", "/").split("/")]
    absolute = parts[0] == "" or _DRIVE.fullmatch(parts[0]) is not None
    if absolute or ".." in parts:
        parts = parts[-1:]
    return separator.join(part for part in parts if part not in ("", ".", ".."))


class Names:
    """File names, searched for one that stands for the same file as another.

    Args:
        listed: the names; what is no text among them is left aside.
    """

    def __init__(self, listed: Sequence[Any]) -> None:
        self._listed = listed

    def same_file(self, wanted: str) -> str | None:
        """The name of the wanted file by another path: other slashes, case, spaces or folder.

        Of several files with its name none is offered, nor is one in another folder if its name
        is one that many models have.
        """
        key = plain(wanted)
        by_path = self._by_path.get(key, [])
        if len(by_path) == 1:
            return by_path[0]
        if is_generic(wanted):
            return None
        by_name = self._by_name.get(key.rpartition("/")[2], [])
        return by_name[0] if len(by_name) == 1 else None

    def same_path(self, wanted: str) -> tuple[str, ...]:
        """Every name of the wanted path, written in whatever way."""
        return tuple(self._by_path.get(plain(wanted), ()))

    def same_name(self, wanted: str) -> tuple[str, ...]:
        """Every file with the wanted one's name, in whatever folder."""
        return tuple(self._by_name.get(plain(wanted).rpartition("/")[2], ()))

    def same_stem(self, wanted: str) -> tuple[str, ...]:
        """Every file of the same kind whose name differs from the wanted one's in its ending."""
        name = plain(wanted).rpartition("/")[2]
        if not name or is_generic(wanted):
            return ()
        kinds = [kind for kind in _KINDS if _ending(name) in kind]
        same = self._by_stem.get(_stem(name), ())
        if not kinds:
            return tuple(same)
        return tuple(file for file in same if any(_ending(file) in kind for kind in kinds))

    @cached_property
    def _by_path(self) -> dict[str, list[str]]:
        return self._index(plain)

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        return self._index(lambda name: plain(name).rpartition("/")[2])

    @cached_property
    def _by_stem(self) -> dict[str, list[str]]:
        return self._index(lambda name: _stem(plain(name).rpartition("/")[2]))

    def _index(self, key: Callable[[str], str]) -> dict[str, list[str]]:
        index: dict[str, list[str]] = {}
        for name in self._listed:
            if isinstance(name, str):
                index.setdefault(key(name), []).append(name)
        return index


def _stem(name: str) -> str:
    return name[: name.rfind(".")] if looks_like_file(name) else name
