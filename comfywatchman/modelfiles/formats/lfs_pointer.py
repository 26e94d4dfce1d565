"""The small text that Git keeps in place of a large file: a Git LFS pointer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from comfywatchman.findings import declare
from comfywatchman.modelfiles.condition import Condition, of_bytes
from comfywatchman.results import Severity

if TYPE_CHECKING:
    from comfywatchman.modelfiles.source import Source

NAME: Final = ""
WORDS: Final = "a Git LFS pointer"
ENDINGS: Final = ()

POINTER = declare(
    "model_is_lfs_pointer",
    Severity.WARNING,
    title="Git LFS pointer in place of a model",
    explanation="The repository that the file is from was cloned without Git LFS, or its ZIP "
    "archive was downloaded: instead of the model there is a small text that names its SHA-256 "
    "and its size. No loader can read it.",
    remedy="In a clone run `git lfs pull --include PATH`. Otherwise download the file itself: on "
    "Hugging Face the address with `/resolve/` in it, not `/raw/`.",
)

_OID: Final = re.compile(rb"^oid sha256:([0-9a-f]{64})\s*$", re.MULTILINE)
_SIZE: Final = re.compile(rb"^size ([0-9]{1,18})\s*$", re.MULTILINE)


def recognised(source: Source) -> bool:
    """Whether it begins as one; none is as long as what is looked at."""
    return source.head.startswith((b"version https://git-lfs", b"version https://hawser"))


def inspect(source: Source) -> Condition:
    """Say what it stands for."""
    oid, size = _OID.search(source.head), _SIZE.search(source.head)
    wanted = int(size[1]) if size else None
    what = "" if wanted is None else f" of {of_bytes(wanted)}"
    return Condition(
        POINTER.name,
        detail=f"it is a Git LFS pointer, which stands for a file{what}"
        + (f" with the SHA-256 {oid[1].decode()}" if oid else ""),
        lacking=None if wanted is None else max(0, wanted - source.size),
        oid=oid[1].decode() if oid else None,
        oid_size=wanted,
    )
