"""The packs of custom nodes: from the disk where it is seen, and from what Manager listed.

The disk tells of all packs what is installed; Manager only of those with a git remote or with the
registry's files, and nothing of one that was unzipped. Version, commit and whether it is enabled
are those on the disk: a server that was not restarted runs what was there before. Whether a pack
could be imported is known of one that brings node types, and of one whose failure stands in the
log; of a pack without node types whose lines the log has lost, it is not.

A single file is called as its module, without ``.py``: so do the node types that it brings.

Not seen: local edits of a pack from the registry, which keeps no sums of its files; packs in other
folders than ``custom_nodes``, until they bring node types.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tomllib
from typing import TYPE_CHECKING, Final

from comfywatchman import masking
from comfywatchman.comfyui.files import begin_of, names_in
from comfywatchman.comfyui.provenance.pack import alike, pack
from comfywatchman.escape import visible
from comfywatchman.history.environment import repository
from comfywatchman.time_limit import Blind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from comfywatchman.comfyui.provenance.knowledge import Knowledge
    from comfywatchman.comfyui.provenance.manager import Listed
    from comfywatchman.history.facts import Value
    from comfywatchman.time_limit import Budget

MOST_PACKS: Final = 5_000
_DISABLED: Final = ".disabled"
_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_PYPROJECT: Final = 256 * 1024
_LONGEST_LINE: Final = 400
_LONGEST: Final = 200
_MOST_CODE_FILES: Final = 2_000
_MOST_CODE_BYTES: Final = 4 * 1024**2


def on_disk(custom_nodes: Path, budget: Budget) -> dict[str, Value]:
    """What lies below ``custom_nodes``, by folder, or by module of a single file.

    A disabled pack has the name that it had when it was enabled; a disabled copy beside an enabled
    one, its own.

    Raises:
        Blind: the folder cannot be read, has too many entries, or the time is over.
    """
    found: dict[str, Value] = {}
    disabled: dict[str, tuple[str, Value]] = {}
    for name in _names(custom_nodes):
        budget.check()
        path = custom_nodes / name
        if name == _DISABLED:
            for moved in _names(path):
                if (value := _pack(path / moved, budget)) is not None:
                    disabled[f"{name}/{moved}"] = moved.partition("@")[0], value
        elif name.endswith(_DISABLED):
            if (value := _pack(path, budget)) is not None:
                disabled[name] = name.removesuffix(_DISABLED), value
        elif not name.startswith((".", "__")) and (value := _pack(path, budget)) is not None:
            module = name if path.is_dir() else name.removesuffix(".py")
            found[name if module in found else module] = value | {"enabled": True}
    taken = {alike(name) for name in found}
    for own, (name, value) in disabled.items():
        named = _as_it_was(name, value)
        free = alike(named) not in taken
        taken.add(alike(named))
        found[named if free else own] = value | {"enabled": False}
    return found


def packs(
    disk: Mapping[str, Value] | None,
    knowledge: Knowledge | None,
    node_types: Mapping[str, str],
) -> dict[str, Value]:
    """All packs, from whatever tells of them.

    Args:
        disk: what :func:`on_disk` found; None if the disk is not seen.
        knowledge: what was learned of the server's packs.
        node_types: by folder, digest of the node types that the server has from there.

    Raises:
        Blind: nobody lists them.
    """
    listed = knowledge.installed if knowledge is not None else None
    if disk is None and listed is None:
        raise Blind(
            "which packs are installed: comfyui_dir is not on this host, and no Manager lists them"
        )
    found = {name: dict(value) for name, value in (disk or {}).items()}
    by_key = {alike(name): name for name, value in found.items() if value.get("enabled")}
    by_key = {alike(name): name for name in found if not name.startswith(_DISABLED)} | by_key
    for entry in sorted(listed or (), key=lambda entry: not entry.enabled):
        key = alike(entry.folder)
        if key in by_key:
            known = found[by_key[key]]
            if known.get("enabled") is entry.enabled and disk is not None:
                found[by_key[key]] = _of_manager(entry) | known
        elif disk is None:
            by_key[key] = entry.folder
            found[entry.folder] = _of_manager(entry) | {"enabled": entry.enabled}
    for folder, digest in node_types.items():
        name = by_key.setdefault(alike(folder), folder)
        value = found.setdefault(name, {"enabled": True})
        value |= {"node_types": digest, "import_failed": False}
    for key in knowledge.failures if knowledge is not None else ():
        failed = by_key.get(key)
        if failed is not None and found[failed].get("enabled"):
            found[failed].setdefault("import_failed", True)
    return {
        visible(name, limit=_LONGEST): {key: _clean(each) for key, each in value.items()}
        for name, value in found.items()
    }


def digests(schemas: Iterable[tuple[str, str, str]]) -> dict[str, str]:
    """One digest of all node types of a pack, by the pack's folder.

    Args:
        schemas: folder, name and digest of each node type.
    """
    sums: dict[str, hashlib._Hash] = {}
    for folder, name, digest in sorted(schemas):
        line = f"{name}\0{digest}\n".encode(errors="surrogatepass")
        sums.setdefault(folder, hashlib.sha256()).update(line)
    return {folder: each.hexdigest()[:16] for folder, each in sums.items()}


def _of_manager(entry: Listed) -> Value:
    """What Manager says of a pack; of its two ids the one that is there from the start."""
    value: Value = {}
    named = next((name for name in entry.ids if "/" in name), None) or next(iter(entry.ids), None)
    if named is not None:
        value["id"] = named
    if entry.version is not None:
        is_commit = _COMMIT.fullmatch(entry.version) is not None
        value["commit" if is_commit else "version"] = entry.version
    return value


def _pack(path: Path, budget: Budget) -> Value | None:
    """What is known of a folder or a single file; None for what is no pack."""
    try:
        mode = path.stat().st_mode
    except PermissionError:
        return {}
    except (OSError, ValueError):
        return None
    if not stat.S_ISDIR(mode):
        is_code = path.name.removesuffix(_DISABLED).partition("@")[0].endswith(".py")
        if not is_code or not stat.S_ISREG(mode):
            return None
        return {**_sum([("", path)], budget), "single_file": True}
    name, version = _project(path)
    checkout = repository.read(path, budget)
    named = checkout.remote or name
    value: Value = {} if named is None else {"id": named}
    if version is not None:
        value["version"] = version
    value |= checkout.value
    if version is None and checkout.commit is None:
        value |= _sum(_code(path, budget), budget)
    return value


def _project(path: Path) -> tuple[str | None, str | None]:
    """Name and version of the project that a folder is.

    Only these two lines are given to the parser: its time grows with the square of a key's length.
    """
    raw = begin_of(path / "pyproject.toml", _PYPROJECT) or b""
    found: dict[str, str] = {}
    section = ""
    for line in raw.decode(errors="replace").splitlines():
        text = line.strip()
        if text.startswith("["):
            section = text.partition("#")[0].strip()
        elif section == "[project]" and text.startswith(("name", "version")):
            found |= _assignment(text)
    return found.get("name"), found.get("version")


def _assignment(line: str) -> dict[str, str]:
    try:
        read = tomllib.loads(line) if len(line) <= _LONGEST_LINE else {}
    except (ValueError, RecursionError):
        return {}
    return {key: text.strip() for key, text in read.items() if isinstance(text, str) and text}


def _code(folder: Path, budget: Budget) -> Iterator[tuple[str, Path]]:
    """Python files below a folder, with their relative paths; links to folders are not followed."""
    for number, (above, folders, names) in enumerate(os.walk(folder)):
        budget.check()
        if number >= _MOST_CODE_FILES:
            return
        folders[:] = sorted(f for f in folders if not f.startswith((".", "__")))
        for name in sorted(names):
            if name.endswith(".py"):
                path = folder.joinpath(above, name)
                yield os.fspath(path.relative_to(folder)), path


def _sum(files: Iterable[tuple[str, Path]], budget: Budget) -> Value:
    """Digest of the code of a pack that says no version; nothing where there is too much of it."""
    digest, left = hashlib.sha256(), _MOST_CODE_BYTES
    for number, (name, path) in enumerate(files):
        budget.check()
        content = begin_of(path, left + 1) or b""
        left -= len(content)
        if left < 0 or number >= _MOST_CODE_FILES:
            return {}
        digest.update(b"%d %d " % (len(name), len(content)))
        digest.update(name.encode(errors="surrogatepass") + content)
    return {"files": digest.hexdigest()[:16]}


def _as_it_was(name: str, value: Value) -> str:
    """The folder that a disabled pack had: Manager writes its name in small letters."""
    found = pack(value.get("id"))
    if found is not None and alike(found.name) == alike(name):
        return found.name
    return name.removesuffix(".py")


def _names(folder: Path) -> list[str]:
    try:
        names = names_in(folder, MOST_PACKS + 1)
    except NotADirectoryError:
        return []
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "no folder can be named so"
        raise Blind(f"the packs in {visible(str(folder))} cannot be listed: {why}") from None
    if len(names) > MOST_PACKS:
        raise Blind(f"{visible(str(folder))} holds more than {MOST_PACKS:,} entries")
    return names


def _clean(value: str | float | bool | None) -> str | float | bool | None:
    if not isinstance(value, str):
        return value
    return visible(masking.without_secrets(value)[:_LONGEST])
