"""Manager's node map: which packs claim which node types.

It is a list of third parties' claims, over a megabyte of it. Both its forms are read: by address of
the repository, and by id in the registry. Nothing about its shape is taken for granted, and its
patterns are never run as such: only those that are plain text at the begin or the end of a name are
understood, which are all that can be relied on.
"""

from __future__ import annotations

import re
from typing import Any, Final

from comfywatchman import lenient_json
from comfywatchman.comfyui.provenance.pack import LONGEST, Pack, pack

MOST_BYTES: Final = 32 * 1024**2
"""A larger map is not read; the largest known has 1.6 MB."""
_MOST_PACKS: Final = 50_000
_MOST_NAMES: Final = 500_000
_MOST_PATTERNS: Final = 1_000
_SHORTEST: Final = 2
_PATTERN: Final = re.compile(r"(\^?)((?:[^\\.^$*+?()\[\]{}|]|\\[^A-Za-z0-9])+)(\$?)")


class NodeMap:
    """The packs by node type.

    Args:
        parsed: the map as parsed JSON; what makes no sense in it is left out.
    """

    def __init__(self, parsed: object = None) -> None:
        self._claims: dict[str, list[Pack]] = {}
        self._first: dict[str, list[Pack]] = {}
        self._patterns: list[tuple[str, str, Pack]] = []
        entries = list(parsed.items()) if isinstance(parsed, dict) else []
        names_left = _MOST_NAMES
        for key, entry in entries[:_MOST_PACKS]:
            owner = pack(key)
            if owner is None or not isinstance(entry, list) or not entry:
                continue
            names = _names(entry[0])[:names_left]
            names_left -= len(names)
            for name in names:
                self._claims.setdefault(name, []).append(owner)
            about = entry[1] if len(entry) > 1 and isinstance(entry[1], dict) else {}
            for name in _names(about.get("preemptions"))[:_MOST_PATTERNS]:
                self._first.setdefault(name, []).append(owner)
            if fixed := _plain(about.get("nodename_pattern")):
                self._patterns.append((*fixed, owner))
        del self._patterns[_MOST_PATTERNS:]

    def __len__(self) -> int:
        """How many node types it knows by name."""
        return len(self._claims)

    def packs(self, name: str) -> tuple[Pack, ...]:
        """The packs that claim a node type: with precedence, else by name, else by pattern."""
        found = self._first.get(name) or self._claims.get(name)
        if not found:
            found = [
                owner
                for begin, end, owner in self._patterns
                if name.startswith(begin) and name.endswith(end)
            ]
        several: dict[str, Pack] = {}
        for owner in found:
            several.setdefault(owner.key, owner)
        return tuple(several.values())


def parse(raw: bytes) -> NodeMap | None:
    """Read a map; None if it is none."""
    try:
        parsed: Any = lenient_json.parse(raw)
    except ValueError:
        return None
    made = NodeMap(parsed)
    return made if len(made) else None


def _names(value: object) -> list[str]:
    if not isinstance(value, list):
        return []
    return [name for name in value if isinstance(name, str) and 0 < len(name) <= LONGEST]


def _plain(pattern: object) -> tuple[str, str] | None:
    """Begin and end that a pattern asks for, if it asks for nothing else."""
    if not isinstance(pattern, str) or len(pattern) > LONGEST:
        return None
    match = _PATTERN.fullmatch(pattern)
    if match is None or not (match[1] or match[3]):
        return None
    text = re.sub(r"\\(.)", r"\1", match[2])
    if len(text.strip()) < _SHORTEST:
        return None
    return (text if match[1] else ""), (text if match[3] else "")
