"""Model and embedding files: the names that the server lists, sizes and times where they are seen.

``modified`` is in whole seconds: file systems and mounts differ in the rest, and a moved mount
would change them all. Of a name in several folders the server takes the first, and so is read here.
Not seen: a file that was replaced by one of the same size and time.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Final

from comfywatchman import lenient_json
from comfywatchman.comfyui.client import ComfyUIClient, ComfyUIError
from comfywatchman.escape import visible
from comfywatchman.history.environment.budget import Blind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from comfywatchman.comfyui.inventory import Inventory
    from comfywatchman.history.environment.budget import Budget
    from comfywatchman.history.facts import Value

EMBEDDINGS: Final = "embeddings"
MOST_FILES: Final = 100_000
"""Each is a fact of some 400 bytes."""
_SECONDS: Final = 5.0
_MOST_BYTES: Final = 1024**2
_MOST_FOLDERS: Final = 50
_ALSO: Final = {"text_encoders": ("clip",), "diffusion_models": ("unet",)}


def ask_folders(client: ComfyUIClient) -> dict[str, list[str]]:
    """Where the server's model files lie, as it says itself; empty if it does not."""
    try:
        raw = client.get_bytes(
            "/experiment/models", max_bytes=_MOST_BYTES, seconds=_SECONDS, again=False
        )
        answer = lenient_json.parse(raw)
    except (ComfyUIError, ValueError):
        return {}
    found: dict[str, list[str]] = {}
    for entry in answer if isinstance(answer, list) else []:
        if isinstance(entry, dict) and isinstance(entry.get("name"), str):
            paths = entry.get("folders")
            paths = paths if isinstance(paths, list) else []
            found[entry["name"]] = [p for p in paths if isinstance(p, str)][:_MOST_FOLDERS]
    return found


def roots(
    said: Mapping[str, Sequence[str]],
    names: Iterable[str],
    base: Path,
    argv: Sequence[str],
) -> dict[str, list[Path]]:
    """The folders of this host where model files may lie, by model folder.

    Args:
        said: where the server says that they lie: in a container, elsewhere than here.
        names: the model folders.
        base: the folder with ComfyUI's data on this host.
        argv: its command line, whose script tells how it calls that folder.
    """
    kind = PureWindowsPath if "\\" in repr(said) else PurePosixPath
    home = _home(said, kind, argv)
    found: dict[str, list[Path]] = {}
    for name in names:
        places: list[Path] = []
        for path in said.get(name, ()):
            if home is not None and kind(path).is_relative_to(home):
                places.append(base.joinpath(*kind(path).relative_to(home).parts))
            places.append(Path(path))
        if not places:
            places = [base / "models" / each for each in (name, *_ALSO.get(name, ()))]
        found[name] = list(dict.fromkeys(p for p in places if p.is_absolute()))
    return found


def _home(
    said: Mapping[str, Sequence[str]], kind: type[PurePath], argv: Sequence[str]
) -> PurePath | None:
    """What the server calls ComfyUI's folder."""
    script = kind(argv[0]) if argv else kind()
    if script.is_absolute():
        return script.parent
    usual = Counter(
        each.parents[1]
        for name, paths in said.items()
        for path in paths
        if (each := kind(path)).parts[-2:] == ("models", name)
    )
    return usual.most_common(1)[0][0] if usual else None


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


def seen(
    names: Mapping[str, tuple[str, str]], places: Mapping[str, Sequence[Path]], budget: Budget
) -> dict[str, Value]:
    """Size and time of each file, as far as it is found.

    Raises:
        Blind: there are too many, or the time is over.
    """
    if len(names) > MOST_FILES:
        raise Blind(f"there are more than {MOST_FILES:,} files")
    begins = {
        folder: [os.path.join(path, "") for path in paths]  # noqa: PTH118  (on many names)
        for folder, paths in places.items()
    }
    found: dict[str, Value] = {}
    for fact, (folder, name) in names.items():
        budget.check()
        found[fact] = _first(begins.get(folder, ()), name.replace("\\", "/"))
    return found


def file_value(path: str) -> Value | None:
    """Size and time of a regular file; None for what is none."""
    try:
        status = os.stat(path)  # noqa: PTH116  (twice as fast, on many names)
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return {"size": status.st_size, "modified": int(status.st_mtime)}


def _first(begins: Iterable[str], name: str) -> Value:
    for begin in begins:
        if (value := file_value(begin + name)) is not None:
            return value
    return {}
