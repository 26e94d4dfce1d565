"""Model and embedding files: the names that the server lists, sizes and times where they are seen.

``modified`` is in whole seconds: file systems and mounts differ in the rest, and a moved mount
would change them all. Not seen: a file that was replaced by one of the same size and time.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from comfywatchman.escape import visible
from comfywatchman.time_limit import Blind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from comfywatchman.comfyui.inventory import Inventory
    from comfywatchman.comfyui.model_files import Listing
    from comfywatchman.history.facts import Value

EMBEDDINGS: Final = "embeddings"


def models(inventory: Inventory) -> dict[str, tuple[str, str]]:
    """Folder and name of each model file, by its fact's name; embeddings are facts of their own.

    Raises:
        Blind: the server does not list them.
    """
    if not inventory.models:
        raise Blind("the server does not list its model files")
    return {
        visible(f"{folder}/{name}"): (folder, name)
        for folder, names in inventory.models.items()
        for name in names
        if folder != EMBEDDINGS or inventory.embeddings is None
    }


def embeddings(inventory: Inventory) -> dict[str, tuple[str, str]]:
    """The same of each embedding, which the server names without its ending.

    Raises:
        Blind: the server does not list them.
    """
    if inventory.embeddings is None:
        raise Blind("the server does not list its embeddings")
    files = {
        os.path.splitext(name)[0]: name  # noqa: PTH122  (a name, which may hold anything)
        for name in inventory.models.get(EMBEDDINGS, ())
    }
    return {
        visible(name): (EMBEDDINGS, files.get(name, name)) for name in sorted(inventory.embeddings)
    }


def seen(names: Mapping[str, tuple[str, str]], listing: Listing) -> dict[str, Value]:
    """Size and time of each file, as far as it is found.

    Raises:
        Blind: not all of their folders could be looked at.
    """
    for folder, _ in names.values():
        if folder in listing.blind:
            raise Blind(listing.blind[folder])
    sizes: dict[tuple[str, str], Value] = {
        (file.folder, file.name): {"size": file.size, "modified": file.mtime_ns // 10**9}
        for file in listing.files
        if file.is_file
    }
    return {fact: sizes.get(name, {}) for fact, name in names.items()}
