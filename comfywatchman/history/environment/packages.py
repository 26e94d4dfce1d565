"""The Python packages that ComfyUI can import, by the names of the folders of their metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from comfywatchman import lenient_json, masking
from comfywatchman.comfyui.files import begin_of
from comfywatchman.escape import visible
from comfywatchman.history.environment import interpreter

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from comfywatchman.history.facts import Value
    from comfywatchman.time_limit import Budget

_DIRECT_URL: Final = 16 * 1024
_LONGEST: Final = 300


def packages(folders: Iterable[Path], budget: Budget) -> dict[str, Value]:
    """Every distribution, by its normalised name.

    One that is twice in one folder, as after an installation that broke off, has both versions.

    Args:
        folders: as :func:`~.interpreter.site_packages` found them.
        budget: how long it may take.

    Raises:
        Blind: one cannot be read, or the time is over.
    """
    found: dict[str, Value] = {}
    for folder in folders:
        here: dict[str, Value] = {}
        for spelled, number, metadata in interpreter.distributions(folder):
            budget.check()
            name, version = (visible(text, limit=_LONGEST) for text in (spelled, number))
            if name in here:
                here[name]["version"] = f"{here[name]['version']}, {version}"
                continue
            here[name] = {"version": version}
            origin = _origin(metadata)
            if origin is not None:
                here[name]["origin"] = origin
        found = here | found
    return found


def _origin(metadata: Path) -> str | None:
    """Where it was installed from if not from an index, without what may log in there."""
    raw = begin_of(metadata / "direct_url.json", _DIRECT_URL)
    if raw is None:
        return None
    try:
        said = lenient_json.parse(raw)
    except ValueError:
        return None
    address = said.get("url") if isinstance(said, dict) else None
    if not isinstance(address, str):
        return None
    origin = masking.without_secrets(address).partition("?")[0]
    details = said.get("vcs_info")
    commit = details.get("commit_id") if isinstance(details, dict) else None
    if isinstance(commit, str) and commit.isalnum():
        origin = f"{origin}@{commit[:64]}"
    return visible(origin, limit=_LONGEST)
