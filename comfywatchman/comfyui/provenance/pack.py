"""A custom node pack, by whatever name somebody gives it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

LONGEST: Final = 300
"""Characters of the longest name that is taken for one."""

_GITHUB: Final = re.compile(
    r"(?:https?://(?:www\.)?github\.com/|git@github\.com:|ssh://git@github\.com/)"
    r"([A-Za-z0-9][A-Za-z0-9-]*)/([A-Za-z0-9._-]+?)(?:\.git)?/?"
)
_OWNER_AND_NAME: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)/([A-Za-z0-9._-]+?)(?:\.git)?")
_REGISTRY_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_ENDINGS: Final = (".git", ".py", "-main", "-master")
_COMFYUI: Final = frozenset({"comfyanonymous/comfyui", "comfy-org/comfyui"})
CORE: Final = "comfy-core"
"""What the nodes that ship with ComfyUI give as the id of their pack."""


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack of custom nodes.

    Attributes:
        name: its id in the registry, else the name of its repository. Not vetted.
        repository: its address, if it is one on GitHub; safe to be put into a command.
        registered: whether ``name`` is given as an id of the registry.
    """

    name: str
    repository: str | None = None
    registered: bool = False

    @property
    def key(self) -> str:
        """Equal for what is the same pack under another spelling; see :func:`alike`."""
        return alike(self.name)

    @property
    def is_comfyui(self) -> bool:
        """Whether it is ComfyUI itself."""
        if self.registered:
            return self.name == CORE
        address = (self.repository or "").removeprefix("https://github.com/")
        return address.casefold() in _COMFYUI

    @property
    def command(self) -> str | None:
        """A command line that installs it, for a person to run; None if none is sure to be safe."""
        if self.registered and _REGISTRY_ID.fullmatch(self.name):
            return f"comfy node install {self.name}"
        if self.repository is not None:
            return f"git -C custom_nodes clone {self.repository}"
        return None


def alike(name: str) -> str:
    """One spelling for the names of a pack: case, ``-`` and ``_``, and the endings of archives.

    A folder below ``custom_nodes`` is named after the repository, after the id in the registry, or
    after the archive it was unpacked from.
    """
    spelled = name.strip().casefold().replace("_", "-")
    for ending in _ENDINGS:
        spelled = spelled.removesuffix(ending)
    return spelled


def pack(text: object) -> Pack | None:
    """Read a pack's id in the registry, ``OWNER/NAME`` on GitHub, or an address.

    Returns:
        None for what names no pack.
    """
    if not isinstance(text, str) or not (text := text.strip()) or len(text) > LONGEST:
        return None
    return _pack(text)


@lru_cache(1024)
def _pack(text: str) -> Pack | None:
    at_github = _GITHUB.fullmatch(text) or _OWNER_AND_NAME.fullmatch(text)
    if at_github is not None and at_github[2].strip("."):
        return Pack(at_github[2], f"https://github.com/{at_github[1]}/{at_github[2]}")
    if "/" in text or ":" in text:
        name = re.split(r"[/\\]", text.rstrip("/\\"))[-1]
        return Pack(name) if name else None
    return Pack(text, registered=True)
