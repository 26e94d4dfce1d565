"""What a model file here holds, as far as that is known without reading it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from comfywatchman.modelfiles import expected

if TYPE_CHECKING:
    from comfywatchman.comfyui.model_files import ModelFile
    from comfywatchman.modelfiles.hashes import Hashes


class Content(NamedTuple):
    """The SHA-256 of a file, and who says so.

    Attributes:
        sha256: in hexadecimal.
        source: ``read`` by ``models verify`` since it was last changed; ``huggingface``: so its
            client noted down when it fetched the file.
    """

    sha256: str
    source: str


def known(file: ModelFile, hashes: Hashes) -> Content | None:
    """What a file holds; None where that is not known, or was before it was last changed."""
    if (found := hashes.of(file)) is not None:
        return Content(found.now, "read")
    for said in expected.of_hugging_face(file):
        if not said.older and len(said.sha256) == 1:
            return Content(said.sha256[0], "huggingface")
    return None
