"""Under which versions a workflow last ran here: what a person is told to install a pack as."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from comfywatchman.comfyui.provenance.pack import alike, pack
from comfywatchman.history.facts import FactKind
from comfywatchman.moments import shown

if TYPE_CHECKING:
    from datetime import datetime

    from comfywatchman.history.facts import Facts, Value

_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,60}")
_BY_REGISTRY: Final = re.compile(r"comfy node install [A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class LastRan:
    """The newest full cycle in which a workflow was ``runnable``.

    Attributes:
        at: its start, UTC.
        facts: what the host was made of then.
    """

    at: datetime
    facts: Facts

    def of_pack(self, name: str, command: str | None) -> tuple[str | None, str | None]:
        """The command that installs a pack as it was then, and what is to be said of that.

        Args:
            name: the pack.
            command: what installs it as it is today.
        """
        for folder, value in self.facts.get(FactKind.PACK, {}).items():
            if alike(name) not in {alike(folder), *_keys(value)}:
                continue
            version, commit = _text(value, "version"), _text(value, "commit")
            if version is None and commit is None:
                break
            if command is not None and version is not None and _BY_REGISTRY.fullmatch(command):
                command = f"{command}@{version}"
            of = f"version {version}" if version is not None else f"commit {commit}"
            return command, f"with {of} of it, this workflow last ran here ({shown(self.at)})"
        return command, None

    @property
    def of_comfyui(self) -> str | None:
        """What is to be said of ComfyUI's release."""
        version = _text(self.facts.get(FactKind.COMFYUI, {}).get("", {}), "version")
        if version is None:
            return None
        return f"under ComfyUI {version}, this workflow last ran here ({shown(self.at)})"


def _keys(value: Value) -> set[str]:
    known = pack(value.get("id"))
    return {known.key} if known is not None else set()


def _text(value: Value, key: str) -> str | None:
    """A text of a form that can do no harm where a command reads it."""
    told = value.get(key)
    return told if isinstance(told, str) and _VERSION.fullmatch(told) else None
