"""A catalog in a file, which stands in for the server: written by us, or its bare ``/object_info``.

Ours holds everything that a verdict rests on but the workflow, so that it is the server's own. It
is made to lie in git: one entry a line, in an order that only the server can change, and nothing in
it that is new each time. It holds no address and no credential, and of the host's folders those
that workflows can name files in.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from dataclasses import dataclass, field
from io import BytesIO, TextIOWrapper
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from comfywatchman import __version__, lenient_json
from comfywatchman.comfyui import catalog_source
from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.errors import ConfigError
from comfywatchman.escape import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from comfywatchman.comfyui.catalog import Catalog

CATALOG_SCHEMA_VERSION: Literal[1] = 1
_MARK: Literal["comfywatchman-catalog"] = "comfywatchman-catalog"
_GZIP = b"\x1f\x8b"
_RELEASE = re.compile(r"v?(\d{1,6})\.(\d{1,6})(?:\.(\d{1,6}))?")
_SAVE_AGAIN = "save it again with: comfywatchman catalog --save FILE"


class SavedInventory(BaseModel):
    """The files that workflows can name."""

    model_config = ConfigDict(frozen=True)

    files: dict[str, list[str]]
    """What lies in ``input``, ``output`` and ``temp``, folders too, as far as ``comfyui_dir`` was
    set and they could be listed: relative POSIX paths, sorted."""
    links: dict[str, dict[str, str]]
    """Of these the symbolic links, and the absolute paths that they really lead to."""
    paths: dict[str, tuple[str, str]]
    """Where these folders lie on the host, as the server names them and without any links: a
    workflow may name a file by its whole path."""
    models: dict[str, list[str]]
    """Model files by model folder, in the server's order."""
    embeddings: list[str] | None
    """Names of embeddings, sorted; null if the server does not list them."""

    @classmethod
    def of(cls, inventory: Inventory) -> Self:
        """The same for the same inventory, in whatever order folders were listed."""
        return cls(
            files={folder: sorted(names) for folder, names in sorted(inventory.files.items())},
            links={
                folder: dict(sorted(links.items()))
                for folder, links in sorted(inventory.links.items())
            },
            paths=dict(sorted(inventory.paths.items())),
            models={folder: list(names) for folder, names in inventory.models.items()},
            embeddings=None if inventory.embeddings is None else sorted(inventory.embeddings),
        )

    def restored(self) -> Inventory:
        """The inventory."""
        return Inventory(
            files={folder: frozenset(names) for folder, names in self.files.items()},
            links=self.links,
            paths=self.paths,
            models={folder: tuple(names) for folder, names in self.models.items()},
            embeddings=None if self.embeddings is None else frozenset(self.embeddings),
        )


class SavedCatalog(BaseModel):
    """What verdicts of one server rest on, as ``comfywatchman catalog --save`` writes it."""

    model_config = ConfigDict(frozen=True)

    format: Literal["comfywatchman-catalog"] = _MARK
    """Tells it from a bare ``/object_info``."""
    schema_version: Literal[1] = CATALOG_SCHEMA_VERSION
    comfywatchman_version: str
    """What wrote it."""
    comfyui_version: str | None
    """Release of the server; null if it does not tell (before 0.3.0)."""
    not_checked: list[str]
    """What could not be seen of the inventory: one sentence each, as the report has it."""
    inventory: SavedInventory
    replacements: dict[str, Any]
    """The server's ``/node_replacements``: which node types have taken the place of old ones."""
    node_types: dict[str, Any]
    """The server's ``/object_info``, sorted by node type."""


@dataclass(frozen=True, slots=True)
class Basis:
    """What verdicts rest on.

    Attributes:
        catalog: the node types.
        inventory: the files; None if it is to be taken, as a bare ``/object_info`` holds none.
        not_checked: one sentence for each thing that could not be seen of the inventory.
    """

    catalog: Catalog
    inventory: Inventory | None = None
    not_checked: list[str] = field(default_factory=list)


def saved(catalog: Catalog, inventory: Inventory, not_checked: Iterable[str]) -> SavedCatalog:
    """Put together what is to be saved."""
    return SavedCatalog(
        comfywatchman_version=__version__,
        comfyui_version=catalog.version,
        not_checked=list(not_checked),
        inventory=SavedInventory.of(inventory),
        replacements=dict(sorted(catalog.replacements.items())),
        node_types=dict(sorted(catalog.declarations.items())),
    )


def encoded(content: SavedCatalog, *, packed: bool = False) -> bytes:
    """The file, byte for byte the same for the same content.

    Args:
        content: what it is to hold.
        packed: whether to compress it (gzip).

    Raises:
        RecursionError: what a server sent is nested hundreds deep.
    """
    # json, not orjson: a server may send NaN, or a name with half a surrogate pair in it, which
    # becomes an escape of JSON here.
    fields = {**vars(content), "inventory": vars(content.inventory)}
    stream = BytesIO()
    with TextIOWrapper(stream, "utf-8", "backslashreplace", newline="\n") as lines:
        json.dump(fields, lines, ensure_ascii=False, indent=1)  # piece by piece: it may be 100 MB
        lines.write("\n")
        lines.flush()
        raw = stream.getvalue()
    return gzip.compress(raw, mtime=0) if packed else raw


def read(file: Path, *, release: str | None = None, max_bytes: int) -> Basis:
    """Read a saved catalog, or a saved answer of ``GET /object_info``; either may be gzipped.

    Args:
        file: the file.
        release: the release of ComfyUI that it came from, for one that does not say so itself.
        max_bytes: refuse one that is larger, unpacked.

    Raises:
        ConfigError: it cannot be read, is something else, or is of another release.
    """
    raw = _content(file, max_bytes)
    try:
        document = lenient_json.parse(raw)
    except ValueError as error:
        raise ConfigError(f"--object-info: {file} is not JSON: {error}") from None
    if isinstance(document, dict) and document.get("format") == _MARK:
        return _of_ours(file, document, release)
    if not catalog_source.is_object_info(document):
        raise ConfigError(
            f"--object-info: {file} is not a saved catalog, nor a saved answer of /object_info; "
            "save one with: comfywatchman catalog --save FILE, or curl -o object_info.json "
            "http://HOST:8188/object_info"
        )
    return Basis(catalog_source.ordered(document, release))


def _content(file: Path, max_bytes: int) -> bytes:
    try:
        with file.open("rb") as stream:
            raw = stream.read(max_bytes + 1)
        if raw.startswith(_GZIP):
            with gzip.open(BytesIO(raw)) as packed:
                raw = packed.read(max_bytes + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ConfigError(f"--object-info: {file} is not whole: {error}; {_SAVE_AGAIN}") from None
    except OSError as error:
        raise ConfigError(f"--object-info: {file} cannot be read: {error.strerror}") from None
    if len(raw) > max_bytes:
        raise ConfigError(
            f"--object-info: {file} holds more than {max_bytes / 1024**2:,.0f} MiB; if it is what "
            "you mean, raise max_catalog_size"
        )
    if lenient_json.holds_too_many(raw, max_bytes):
        raise ConfigError(
            f"--object-info: {file} holds more than {lenient_json.values_allowed(max_bytes):,} "
            "values, which take more memory than its size tells; if it is what you mean, raise "
            "max_catalog_size"
        )
    return raw


def _of_ours(file: Path, document: Mapping[str, Any], release: str | None) -> Basis:
    version = document.get("schema_version")
    if isinstance(version, int) and version > CATALOG_SCHEMA_VERSION:
        raise ConfigError(
            f"--object-info: {file} has schema {version}, and this is ComfyWatchman {__version__}, "
            f"which knows schema {CATALOG_SCHEMA_VERSION}; upgrade it, or {_SAVE_AGAIN}"
        )
    try:
        content = SavedCatalog.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = visible(".".join(map(str, first["loc"])), limit=100)
        problem = f"{place}: {first['msg'][:1].lower()}{first['msg'][1:]}"
        raise ConfigError(
            f"--object-info: {file} is a damaged catalog ({problem}); {_SAVE_AGAIN}"
        ) from None
    if not catalog_source.is_object_info(content.node_types):
        raise ConfigError(
            f"--object-info: {file} is a damaged catalog (node_types: holds none); {_SAVE_AGAIN}"
        )
    own = None if content.comfyui_version is None else visible(content.comfyui_version)
    return Basis(
        catalog_source.ordered(
            content.node_types, _agreed(file, own, release), content.replacements
        ),
        content.inventory.restored(),
        content.not_checked,
    )


def _agreed(file: Path, own: str | None, given: str | None) -> str | None:
    if own is None or given is None or _numbers(own) == _numbers(given):
        return own or given
    raise ConfigError(
        f"--comfyui-version {given}: {file} was saved from ComfyUI {own}; leave "
        f"--comfyui-version out, or save the catalog of a server of {given}"
    )


def _numbers(version: str) -> tuple[str, ...] | str:
    found = _RELEASE.match(version.strip())
    return tuple(number or "0" for number in found.groups()) if found else version
