"""What changed on a host, in words: a line for each thing, or one for many of a kind."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from comfywatchman.comfyui.provenance.manager import ChangeKind as Became
from comfywatchman.escape import NAME_LIMIT, visible
from comfywatchman.history.facts import FactKind
from comfywatchman.results import HostChange, RestartPending

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from comfywatchman.history.environment.not_loaded import NotLoaded
    from comfywatchman.history.facts import FactChange, Value

FEW: Final = 5
"""Files of one folder, or node types of one pack, that get a line each; more of them share one."""

_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_NAMES: Final = {
    FactKind.COMFYUI: "ComfyUI",
    FactKind.ARGUMENTS: "ComfyUI's command line",
    FactKind.PROGRAM: "ComfyWatchman",
}
_RUNTIME: Final = {"python": "Python", "torch": "PyTorch", "driver": "GPU driver", "os": "system"}
_FILES: Final = {
    FactKind.MODEL: "model file",
    FactKind.EMBEDDING: "embedding",
    FactKind.INPUT_FILE: "input file",
}
_PENDING: Final = {
    Became.ADDED: "is new on the disk",
    Became.DISABLED: "is disabled on the disk",
    Became.REMOVED: "is gone from the disk",
}
_BECAME: Final = {
    "new": ("is new", "are new"),
    "gone": ("is gone", "are gone"),
    "changed": ("changed", "changed"),
}


def of_host(changes: Iterable[FactChange]) -> Iterator[HostChange]:
    """Say what changed on a host: versions and packs first, then node types, then files.

    Args:
        changes: in any order.
    """
    by_kind: dict[FactKind, list[FactChange]] = defaultdict(list)
    for change in changes:
        by_kind[change.kind].append(change)
    for kind in FactKind:
        found = by_kind[kind]
        if kind is FactKind.NODE_TYPE:
            yield from _grouped(found, _pack_of, "node type", _of_pack)
        elif kind in _FILES:
            yield from _grouped(found, _folder_of, _FILES[kind], _in_folder)
        else:
            yield from map(_one, found)


def of_pending(pack: NotLoaded) -> RestartPending:
    """Say which pack the next restart makes another one, and how."""
    name = visible(pack.folder, limit=NAME_LIMIT)
    if pack.kind is Became.UPDATED:
        if pack.before or pack.after:
            became = (
                f"is updated on the disk: {pack.before or 'unknown'} → {pack.after or 'unknown'}"
            )
        else:
            became = "is updated on the disk"
    else:
        became = _PENDING[pack.kind]
    sure = "" if pack.sure else ", as the times of its files say"
    return RestartPending(
        pack=name,
        before=pack.before,
        after=pack.after,
        sure=pack.sure,
        text=f"pack {name} {became}{sure}; ComfyUI has not been restarted since",
        workflows=list(pack.workflows),
    )


def version(value: Value | None) -> str | None:
    """The version that a fact's value tells, else its commit, shortened; None if neither."""
    return told(value, "version", "commit")


def told(value: Value | None, *keys: str) -> str | None:
    """What a fact's value tells under the first of some keys, a commit shortened; None if none."""
    for key in keys:
        found = (value or {}).get(key)
        if found is not None and found != "":
            return _shortened(str(found))
    return None


def _shortened(text: str) -> str:
    """A version as it is, a commit by its first letters."""
    return text[:7] if _COMMIT.fullmatch(text) else visible(text, limit=NAME_LIMIT)


def _one(change: FactChange) -> HostChange:
    what = _thing(change.kind, change.name)
    keys = ("version", "commit", "text", "value")
    before, after = told(change.before, *keys), told(change.after, *keys)
    return HostChange(
        kind=change.kind.value,
        name=visible(change.name, limit=NAME_LIMIT),
        before=before,
        after=after,
        text=f"{what} {_became(change, before, after)}",
    )


def _thing(kind: FactKind, name: str) -> str:
    shown = visible(name, limit=NAME_LIMIT)
    if kind is FactKind.PACK:
        return f"pack {shown}"
    if kind is FactKind.PACKAGE:
        return f"package {shown}"
    if kind is FactKind.RUNTIME:
        return _RUNTIME.get(name, shown)
    if kind is FactKind.SETTING:
        return f"setting {shown}"
    return _NAMES.get(kind, shown)


def _became(change: FactChange, before: str | None, after: str | None) -> str:
    if change.before is None:
        return f"is new{f': {after}' if after else ''}"
    if change.after is None:
        return f"is gone{f' (it was {before})' if before else ''}"
    if before != after:
        return f"{before or 'unknown'} → {after or 'unknown'}"
    return " and ".join(_details(change.before, change.after)) or "changed"


def _details(before: Value, after: Value) -> Iterator[str]:
    """What else of one thing is another than it was, where its version is the same."""
    became = {
        ("enabled", False): "was disabled",
        ("enabled", True): "was enabled",
        ("edited", True): "was edited by hand",
        ("edited", False): "has no local edits any more",
    }
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        if key == "import_failed":
            yield "could not be imported" if new else "can be imported again"
        elif isinstance(new, bool) and (key, new) in became:
            yield became[key, new]
        elif key == "node_types":
            yield "offers other node types"
        elif key == "commit" and isinstance(old, str) and isinstance(new, str):
            yield f"commit {_shortened(old)} → {_shortened(new)}"


def _pack_of(change: FactChange) -> str:
    value = change.after or change.before or {}
    pack = value.get("pack")
    return pack if isinstance(pack, str) else ""


def _folder_of(change: FactChange) -> str:
    return change.name.rpartition("/")[0]


def _of_pack(pack: str) -> str:
    return f" of {visible(pack, limit=NAME_LIMIT)}" if pack else " of ComfyUI"


def _in_folder(folder: str) -> str:
    return f" in {visible(folder, limit=NAME_LIMIT)}" if folder else ""


def _grouped(
    changes: Iterable[FactChange],
    group_of: Callable[[FactChange], str],
    noun: str,
    where: Callable[[str], str],
) -> Iterator[HostChange]:
    groups: dict[tuple[str, str], list[FactChange]] = defaultdict(list)
    for change in changes:
        became = "new" if change.before is None else "gone" if change.after is None else "changed"
        groups[group_of(change), became].append(change)
    for (group, became), found in sorted(groups.items()):
        kind = found[0].kind
        one, many = _BECAME[became]
        if len(found) > FEW:
            text = f"{len(found):,} {noun}s{where(group)} {many}"
            yield HostChange(kind=kind.value, name=visible(group, limit=NAME_LIMIT), text=text)
            continue
        # The name of a file holds its folder already.
        place = where(group) if kind is FactKind.NODE_TYPE else ""
        for change in found:
            shown = visible(change.name, limit=NAME_LIMIT)
            yield HostChange(kind=kind.value, name=shown, text=f"{noun} {shown}{place} {one}")
