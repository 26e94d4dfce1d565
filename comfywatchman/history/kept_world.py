"""What the verdicts of the last full cycle rested on, kept piece by piece.

Node types are kept one by one, and long lists of choices once, so that what changed is what is
written. A cycle in which nothing changed compares two digests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from comfywatchman.comfyui import catalog_source
from comfywatchman.comfyui.catalog_file import SavedInventory
from comfywatchman.history import packing
from comfywatchman.history.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from sqlite3 import Connection

_CATALOG: Final = "catalog"
_FRAME: Final = "frame"
_INVENTORY: Final = "inventory"
_LONG: Final = 64
"""Choices from which on a list is kept apart."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is to be kept, and how it is known to be kept already.

    Attributes:
        declarations: by node type, as the server declares them.
        catalog: digest of all of them.
        rest: JSON of what else there is, by name.
    """

    declarations: Mapping[str, Any]
    catalog: bytes
    rest: Mapping[str, bytes]


def prepare(world: World) -> Prepared:
    """Make ready what can be made before anything is locked.

    Raises:
        RecursionError: what a server sent is nested hundreds deep.
    """
    catalog = world.catalog
    frame = {
        "version": catalog.version,
        "replacements": catalog.replacements,
        "depth": world.depth,
        "size": world.size,
    }
    return Prepared(
        catalog.declarations,
        # NaN that took the place of null, and nothing else anywhere, would go unnoticed here.
        packing.digest(packing.dump(catalog.declarations)),
        {
            _FRAME: packing.exact(frame),
            _INVENTORY: packing.dump(vars(SavedInventory.of(world.inventory))),
        },
    )


def keep(connection: Connection, world: Prepared) -> None:
    """Keep it in place of what was kept."""
    known = dict(connection.execute("SELECT name, digest FROM kept"))
    for name, content in world.rest.items():
        digest = packing.digest(content)
        if known.get(name) != digest:
            row = (name, digest, packing.pack(content))
            connection.execute("REPLACE INTO kept VALUES (?, ?, ?)", row)
    if known.get(_CATALOG) != world.catalog:
        _keep_declarations(connection, world.declarations)
        row = (_CATALOG, world.catalog, b"")
        connection.execute("REPLACE INTO kept VALUES (?, ?, ?)", row)


def forget(connection: Connection) -> None:
    """Keep none."""
    for table in ("kept", "declaration", "list"):
        connection.execute(f"DELETE FROM {table}")  # noqa: S608


def load(connection: Connection) -> World | None:
    """What is kept; None if nothing is.

    Raises:
        ValueError: it is damaged.
    """
    kept = dict(connection.execute("SELECT name, content FROM kept"))
    if kept.keys() != {_FRAME, _INVENTORY, _CATALOG}:
        return None
    frame = packing.read(kept[_FRAME])
    inventory = SavedInventory.model_validate(packing.read(kept[_INVENTORY]))
    return World(
        catalog_source.ordered(
            dict(_declarations(connection)), frame["version"], frame["replacements"]
        ),
        inventory.restored(),
        depth=frame["depth"],
        size=frame["size"],
    )


def _keep_declarations(connection: Connection, declarations: Mapping[str, Any]) -> None:
    known = dict(connection.execute("SELECT name, digest FROM declaration"))
    lists = {digest for (digest,) in connection.execute("SELECT digest FROM list")}
    used = set()
    for name, declaration in declarations.items():
        outline, apart = _outlined(declaration)
        places = []
        for place, choices in apart:
            content = packing.dump(choices)
            digest = packing.digest(content)
            places.append([*place, digest.hex()])
            if digest not in lists and digest not in used:
                connection.execute(
                    "INSERT INTO list VALUES (?, ?)", (digest, packing.pack(content))
                )
            used.add(digest)
        content = packing.exact([outline, places])
        key, digest = name.encode(errors="surrogatepass"), packing.digest(content)
        if known.pop(key, None) != digest:
            row = (key, digest, packing.pack(content))
            connection.execute("REPLACE INTO declaration VALUES (?, ?, ?)", row)
    connection.executemany("DELETE FROM declaration WHERE name = ?", ((key,) for key in known))
    connection.executemany("DELETE FROM list WHERE digest = ?", ((each,) for each in lists - used))


def _declarations(connection: Connection) -> Iterator[tuple[str, Any]]:
    lists = {
        bytes(digest).hex(): packing.read(content)
        for digest, content in connection.execute("SELECT digest, content FROM list")
    }
    for name, content in connection.execute("SELECT name, content FROM declaration"):
        declaration, places = packing.read(content)
        for group, input_name, digest in places:
            declared = declaration["input"][group][input_name]
            if declared[0] is None:
                declared[0] = lists[digest]
            else:
                declared[1]["options"] = lists[digest]
        yield bytes(name).decode(errors="surrogatepass"), declaration


def _outlined(declaration: Any) -> tuple[Any, list[tuple[tuple[str, str], list[str]]]]:
    """A declaration without its long lists of choices, and those by group and name of the input.

    A hundred node types list the same ten thousand files.
    """
    groups = declaration.get("input") if isinstance(declaration, dict) else None
    if not isinstance(groups, dict):
        return declaration, []
    apart = []
    outlined: dict[str, Any] = dict(groups)
    for group, inputs in groups.items():
        if not isinstance(inputs, dict):
            continue
        outlined[group] = dict(inputs)
        for name, declared in inputs.items():
            if not isinstance(declared, list) or not declared:
                continue
            kind, *options = declared
            if _is_long(kind):
                apart.append(((group, name), kind))
                outlined[group][name] = [None, *options]
            elif kind is not None and options and isinstance(options[0], dict):
                choices = options[0].get("options")
                if _is_long(choices):
                    apart.append(((group, name), choices))
                    outlined[group][name] = [kind, {**options[0], "options": None}, *options[1:]]
    return {**declaration, "input": outlined}, apart


def _is_long(choices: Any) -> bool:
    return (
        isinstance(choices, list)
        and len(choices) > _LONG
        and all(isinstance(choice, str) for choice in choices)
    )
