"""The choices of a combo, searched as the server searches them and as a person would."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

_MODELS: Final = "safetensors sft ckpt pt pt2 pth bin pkl gguf onnx engine trt torchscript latent"
_MEDIA: Final = (
    "png jpg jpeg webp gif bmp tif tiff svg avif exr mp4 webm mov mkv avi m4v mp3 wav flac ogg "
    "opus m4a aac glb gltf obj fbx stl ply spz splat ksplat usdz"
)
_DATA: Final = "yaml yml json txt csv npz npy ttf otf cube"
_MODEL_SUFFIXES: Final = frozenset(f".{ending}" for ending in _MODELS.split())
FILE_SUFFIXES: Final = frozenset(f".{ending}" for ending in f"{_MODELS} {_MEDIA} {_DATA}".split())
"""Endings, in lower case, that make a choice look like the name of a file."""

_SIMILAR: Final = 80.0
_MOST_SEARCHED: Final = 20_000
_LONGEST_SEARCHED: Final = 200
# Names that many different models are saved under: another folder may well mean another model.
_GENERIC_STEMS: Final = frozenset(
    {"adapter_model", "diffusion_pytorch_model", "model", "pytorch_lora_weights", "pytorch_model"}
)


def is_generic(name: str) -> bool:
    """Whether a file name, such as ``model.safetensors``, says nothing about which model it is."""
    stem = name.replace("\\", "/").rpartition("/")[2].lower()
    return re.split(r"[.-]", stem, maxsplit=1)[0] in _GENERIC_STEMS


def looks_like_file(name: object) -> bool:
    """Whether a choice reads like the name of a model or media file."""
    return _ends_in(name, FILE_SUFFIXES)


def looks_like_model(name: object) -> bool:
    """Whether a choice reads like the name of a model file."""
    return _ends_in(name, _MODEL_SUFFIXES)


def _ends_in(name: object, suffixes: frozenset[str]) -> bool:
    if not isinstance(name, str):
        return False
    dot = name.rfind(".")
    return dot > 0 and name[dot:].lower() in suffixes


class Choices:
    """What a combo accepts.

    Args:
        listed: the choices, in the server's order.
    """

    def __init__(self, listed: Sequence[Any]) -> None:
        self.listed = listed
        self._similar: dict[str, tuple[str, ...]] = {}

    def __contains__(self, value: object) -> bool:
        """Whether the server finds a value: by equality, so that 1, 1.0 and true are one."""
        try:
            return value in self._hashed or value in self._unhashable
        except TypeError:
            return value in self.listed

    def __len__(self) -> int:
        return len(self.listed)

    @cached_property
    def are_files(self) -> bool:
        """Whether these are names of files.

        Lists of files may begin with a word of their own, such as ``None`` or ``baked VAE``.
        """
        files = sum(map(looks_like_file, self.listed))
        return files > 0 and files >= len(self.listed) - 3

    def same_file(self, wanted: str) -> str | None:
        """The choice that is the wanted file by another path: other slashes, case or folder.

        Of several files with its name none is offered, nor is one in another folder if its name
        is one that many models have.
        """
        key = _plain(wanted)
        by_path = self._by_plain_path.get(key, [])
        if len(by_path) == 1:
            return by_path[0]
        if is_generic(wanted):
            return None
        by_name = self._by_plain_name.get(key.rpartition("/")[2], [])
        return by_name[0] if len(by_name) == 1 else None

    def same_name(self, wanted: str) -> tuple[str, ...]:
        """Every choice with the wanted file's name, in whatever folder."""
        return tuple(self._by_plain_name.get(_plain(wanted).rpartition("/")[2], ()))

    def similar(self, wanted: str, limit: int = 3) -> tuple[str, ...]:
        """The choices whose spelling comes nearest, best first; none if none comes near."""
        wanted = wanted[:_LONGEST_SEARCHED]
        known = self._similar.get(wanted)
        if known is None:
            known = self._similar[wanted] = self._search(wanted, limit)
        return known

    def _search(self, wanted: str, limit: int) -> tuple[str, ...]:
        from rapidfuzz import fuzz, process, utils  # only workflows with a wrong name pay for it

        strings = [c for c in self.listed[:_MOST_SEARCHED] if isinstance(c, str)]
        found = process.extract(
            wanted,
            strings,
            scorer=fuzz.ratio,
            processor=utils.default_process,
            limit=limit,
            score_cutoff=_SIMILAR,
        )
        return tuple(name for name, _, _ in found)

    @cached_property
    def _hashed(self) -> frozenset[Hashable]:
        return frozenset(c for c in self.listed if not isinstance(c, (list, dict)))

    @cached_property
    def _unhashable(self) -> tuple[Any, ...]:
        return tuple(c for c in self.listed if isinstance(c, (list, dict)))

    @cached_property
    def _by_plain_path(self) -> dict[str, list[str]]:
        return self._index(_plain)

    @cached_property
    def _by_plain_name(self) -> dict[str, list[str]]:
        return self._index(lambda choice: _plain(choice).rpartition("/")[2])

    def _index(self, key: Callable[[str], str]) -> dict[str, list[str]]:
        index: dict[str, list[str]] = {}
        for choice in self.listed:
            if isinstance(choice, str):
                index.setdefault(key(choice), []).append(choice)
        return index


def _plain(path: str) -> str:
    return path.replace("\\", "/").casefold()
