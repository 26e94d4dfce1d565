"""Where ComfyUI's model files lie on this host, as the server says and as is usual."""

from __future__ import annotations

from collections import Counter
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Final

from comfywatchman import lenient_json
from comfywatchman.comfyui.client import ComfyUIClient, ComfyUIError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

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
