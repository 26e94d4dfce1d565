"""A fix that a program can follow: what exactly it changes, and how sure it is that it helps."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from comfywatchman.results import Confidence, FixKind

Pointer = tuple[str | int, ...]
"""Keys and positions that lead from a workflow's JSON document to a value in it."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One value of a workflow's JSON document that is set to another.

    Attributes:
        pointer: where it stands.
        before: what stands there.
        after: what shall stand there instead.
    """

    pointer: Pointer
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Placement:
    """A file that shall also be found in another folder: linked first, moved only if asked.

    Attributes:
        source: where it is, an absolute path.
        target: where it shall be found, likewise. Nothing is there yet.
    """

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Download:
    """A file that shall be fetched.

    Attributes:
        url: from where; it stands in a workflow, and is nobody's promise.
        folder: the model folder it shall lie in, as the server calls it, such as ``checkpoints``.
        name: what it shall be called there, as the server would list it.
        target: where it shall be put, an absolute path.
        sha256: what it must have, if that is known.
        size: how many bytes it must have, likewise.
    """

    url: str
    folder: str
    name: str
    target: str
    sha256: str | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """One fix, and all that it does.

    Attributes:
        id: the same whenever the same fault of the same content is given the same fix.
        workflow: the path of the workflow, as reports name it.
        strategy: what found it; a module of :mod:`comfywatchman.fixes.strategies`.
        kind: what following it means.
        confidence: ``proven`` only if the outcome was judged, and the verdict rose.
        text: what it does, in a sentence.
        fingerprints: the findings it is for.
        edits: what it changes in the workflow's document.
        placement: the file that it brings into another folder.
        download: the file that it fetches.
        proof: what was judged, and with what outcome.
    """

    id: str
    workflow: str
    strategy: str
    kind: FixKind
    confidence: Confidence
    text: str
    fingerprints: tuple[str, ...]
    edits: tuple[Edit, ...] = ()
    placement: Placement | None = None
    download: Download | None = None
    proof: str | None = None


def identity(*parts: object) -> str:
    """A name for what is made of the same parts: texts, numbers, lists of them, or null."""
    text = json.dumps(parts, sort_keys=True, default=list)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]
