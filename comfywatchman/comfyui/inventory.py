"""The inventory: which model and input files a host has, as far as can be seen.

The server's own lists (combo choices in the catalog) decide whether a model is there. Input files
are judged by existence, as the server does, from the names collected here; nothing is opened.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_ANNOTATION = re.compile(r"^(?P<name>.*?) ?\[(?P<folder>input|output|temp)\]$", re.DOTALL)


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

        Args:
            value: the input's value: a path below ``input``, or with a suffix ``[output]`` etc.
        """
        raise NotImplementedError
