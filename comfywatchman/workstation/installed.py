"""What is installed on this machine, so that a second run keeps what the first one found."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comfywatchman.address import server_url
from comfywatchman.state import named, open_at_once

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RECORDS = Path("/var/lib/comfywatchman")
FILE_BYTES = 1024**2
_RECORD = re.compile(r"installation(?:-([a-z0-9][a-z0-9_-]{0,31}))?\.json")


@dataclass(frozen=True, slots=True)
class Installation:
    """One installation.

    Attributes:
        instance: its name; the usual one has none.
        user: who runs ComfyUI.
        scope: ``user`` or ``system``.
        noted: whether root has noted it down, and so has to take the note away.
        root: the folder of its releases.
        config: the folder of its settings.
        folder: ComfyUI's folder, as it is set; None if that cannot be read.
        url: ComfyUI's address, likewise.
    """

    instance: str
    user: str
    scope: str
    noted: bool
    root: Path
    config: Path
    folder: Path | None = None
    url: str | None = None

    @property
    def program(self) -> Path:
        """What starts the active release with the settings of the instance."""
        return self.root / "comfywatchman"


def find(user: str, home: Path, records: Path = RECORDS) -> list[Installation]:
    """The installations of this user that nobody has noted down, and those that root has.

    Two users may have one of the same name, of which root can have noted down one.

    Args:
        user: the user whose home is searched.
        home: that home.
        records: where root notes them down.
    """
    noted = list(_noted(records))
    known = {(each.user, each.instance) for each in noted}
    found = []
    for instance, root in _in_home(home):
        if (user, instance) not in known:
            config = home / ".config" / named(instance)
            settings = _settings(config)
            found.append(Installation(instance, user, "user", False, root, config, *settings))
    return found + noted


def concerned(found: Sequence[Installation], user: str, *, others: bool) -> list[Installation]:
    """Those of a user that a command is about.

    Args:
        found: all that were found.
        user: the user.
        others: whether all that root has noted down count where the user has none.
    """
    theirs = [each for each in found if each.user == user]
    return theirs or ([each for each in found if each.noted] if others else [])


def _noted(records: Path) -> Iterator[Installation]:
    try:
        files = sorted(records.iterdir())
    except OSError:
        return
    for file in files:
        name = _RECORD.fullmatch(file.name)
        if not name:
            continue
        try:
            record: Any = json.loads(_text(file))
            root, config = Path(record["paths"]["root"]), Path(record["paths"]["config"])
            user, scope = str(record["user"]), str(record["scope"])
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
        settings = _settings(config)
        yield Installation(name[1] or "", user, scope, True, root, config, *settings)


def _in_home(home: Path) -> Iterator[tuple[str, Path]]:
    try:
        roots = sorted((home / ".local/share").glob("comfywatchman*"))
    except OSError:
        return
    for root in roots:
        instance = root.name.removeprefix("comfywatchman").removeprefix("-")
        try:
            is_one = root.name == named(instance) and (root / "current").is_symlink()
        except OSError:  # of somebody else, who lets nobody in
            continue
        if is_one:
            yield instance, root


def _settings(config: Path) -> tuple[Path | None, str | None]:
    try:
        found = tomllib.loads(_text(config / "config.toml"))
    except (ValueError, RecursionError):
        return None, None
    folder, url = found.get("comfyui_dir"), found.get("comfyui_url")
    try:
        url = server_url(url) if isinstance(url, str) else None
    except ValueError:
        url = None
    return (
        Path(folder) if isinstance(folder, str) and folder.startswith("/") else None,
        url,
    )


def _text(file: Path) -> str:
    try:
        with open_at_once(file) as stream:
            return stream.read(FILE_BYTES).decode(errors="replace")
    except OSError:
        return ""
