"""Asking who brings node types: little, with limits, and only what neither fetches nor writes.

Whatever fails here fails alone: it becomes a blind spot, and the cycle goes on without it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from comfywatchman import lenient_json
from comfywatchman.comfyui.client import ComfyUIClient, ComfyUIError
from comfywatchman.comfyui.provenance import failures, folder, manager, node_map
from comfywatchman.comfyui.provenance.knowledge import Knowledge, MapSource
from comfywatchman.comfyui.provenance.origin import Provenance, Why
from comfywatchman.comfyui.provenance.pack import alike, pack

if TYPE_CHECKING:
    from comfywatchman.comfyui.catalog import Catalog
    from comfywatchman.comfyui.files import Folders
    from comfywatchman.comfyui.provenance.kept_map import KeptMap
    from comfywatchman.comfyui.provenance.pack import Pack

SECONDS: Final = 10.0
"""Longest that one answer may take."""
PATIENCE: Final = 30.0
"""Longest that all answers of a cycle may take together."""
MOST_TYPES: Final = 20
"""Node types that are asked about one by one in a cycle."""
FEW_TYPES: Final = 5
"""The same where no custom node type is loaded: ComfyUI's own seldom fail."""
_COMES_WITH_COMFYUI: Final = frozenset({"websocket_image_save"})
"""What lies in ``custom_nodes`` of every ComfyUI."""
MOST_IMPORTS: Final = 5
"""Packs whose failed import Manager is asked about in a cycle."""
_LISTS: Final = 4 * 1024**2
_FAILED: Final = 500
_LONGEST_VERSION: Final = 64
_WORTH_ASKING: Final = frozenset({Why.GONE, Why.UNKNOWN, Why.NOT_LOADED})
"""Reasons that are none if the type is registered after all, and its code fails."""
_PREFIXES: Final = ("/v2", "")
"""Where Manager's routes begin: 4.x and 3.x."""


class Inquiry:
    """Learns, about one server in one cycle, who brings the node types that it lacks.

    Attributes:
        provenance: what is known so far.
        not_checked: one sentence for each thing that could not be seen.

    Args:
        catalog: the node types of the server.
        client: the server; None when a saved catalog stands in for it.
        folders: ComfyUI's folders, when they are on this host.
        kept: the node map that an earlier cycle asked for; None keeps none.
    """

    def __init__(
        self,
        catalog: Catalog,
        client: ComfyUIClient | None = None,
        folders: Folders | None = None,
        kept: KeptMap | None = None,
    ) -> None:
        self.knowledge = Knowledge()
        self.provenance = Provenance(self.knowledge, catalog)
        self.not_checked: list[str] = []
        self._catalog = catalog
        self._client = client
        self._folders = folders
        self._kept = kept
        self._left = PATIENCE
        self._prefix: str | None = None
        self._version = ""
        self._map_sought = False
        self._looked_into: set[tuple[str, str | None]] = set()
        self._asked_types: set[str] = set()
        self._asked_imports: set[str] = set()
        self._can_fail = True

    def begin(self) -> None:
        """Learn what every cycle wants to know: which packs are installed, and which failed."""
        if self._folders is not None:
            self.knowledge.on_disk = folder.look(self._folders.custom_nodes)
            self.knowledge.failures.update(folder.read_log(self._folders.user))
        # First of all: the log keeps the lines of the server's start for a while only.
        found = failures.from_entries(self._json("/internal/logs/raw"))
        self.knowledge.failures |= {
            key: reason or self.knowledge.failures.get(key) for key, reason in found.items()
        }
        self._find_manager()
        if self._prefix is not None:
            path = f"{self._prefix}/customnode/installed"
            self.knowledge.installed = manager.listed(self._json(path))
            self.knowledge.at_start = manager.listed(self._json(f"{path}?mode=imported"))

    def look_into(
        self, name: str, saved_pack: str | None = None, saved_version: str | None = None
    ) -> None:
        """Learn what there is to learn about a node type that the server does not offer.

        Args:
            name: the node type.
            saved_pack: the pack that the workflow says it is from, if it does.
            saved_version: the version of that pack, if the workflow says it.
        """
        if (name, saved_pack) in self._looked_into:
            return
        self._looked_into.add((name, saved_pack))
        if pack(saved_pack) is None:
            self._seek_map()
        origin = self.provenance.origin(name, saved_pack, saved_version)
        if origin.why is Why.IMPORT_FAILED and origin.reason is None:
            self._ask_import(origin.packs[0])
        elif origin.why in _WORTH_ASKING:
            self._ask_type(name)

    # Manager

    def _find_manager(self) -> None:
        for prefix in _PREFIXES:
            raw = self._bytes(f"{prefix}/manager/version", most=_LONGEST_VERSION)
            if raw is not None and raw[:1] in (b"V", b"v"):
                self._prefix, self._version = prefix, raw.decode(errors="replace").strip()
                return

    def _seek_map(self) -> None:
        """Get the node map, once: that of an earlier cycle, the server's, or that in its folder."""
        if self._map_sought:
            return
        self._map_sought = True
        if self._prefix is not None and self._client is not None:
            installed = self.knowledge.installed or ()
            itself = [e.version for e in installed if alike(e.folder) == folder.MANAGER]
            edition = f"{self._client.url} {self._version} {itself}"
            raw = self._kept.read(edition) if self._kept is not None else None
            if raw is None:
                # mode=cache would let Manager 3.x fetch it from the internet.
                raw = self._bytes(
                    f"{self._prefix}/customnode/getmappings?mode=local", most=node_map.MOST_BYTES
                )
                if raw is not None and self._kept is not None and node_map.parse(raw) is not None:
                    self._kept.write(edition, raw)
            if raw is not None:
                self.knowledge.node_map = node_map.parse(raw)
        if self.knowledge.node_map is None and self.knowledge.on_disk is not None:
            self.knowledge.node_map = folder.read_map(self.knowledge.on_disk)
            self.knowledge.map_source = MapSource.FOLDER

    def _ask_import(self, failed: Pack) -> None:
        """Ask Manager for the error; what it does not know tells nothing."""
        if self._prefix is None or failed.key in self._asked_imports:
            return
        if len(self._asked_imports) >= MOST_IMPORTS:
            return
        self._asked_imports.add(failed.key)
        entry = self.provenance.listed(failed)
        named = [failed, *(found for i in (entry.ids if entry else ()) if (found := pack(i)))]
        questions = [{"url": found.repository} for found in named if found.repository]
        questions += [{"cnr_id": found.name} for found in named if found.registered]
        # Ids in the registry are mostly the repository's name in small letters.
        questions += [{"cnr_id": found.name.casefold()} for found in named]
        for question in {str(question): question for question in questions}.values():
            raw = self._ask("", most=_LISTS, question=question)
            answer = _parsed(raw) if isinstance(raw, bytes) else None
            message = answer.get("msg") if isinstance(answer, dict) else None
            if isinstance(message, str) and (line := failures.last_line(message)):
                self.knowledge.failures[failed.key] = line
                return

    # The server

    def _ask_type(self, name: str) -> None:
        """Ask the server for one node type: its code may fail, which the whole list leaves out."""
        most = MOST_TYPES if self._catalog.packs - _COMES_WITH_COMFYUI else FEW_TYPES
        if not self._can_fail or name in self._asked_types or len(self._asked_types) >= most:
            return
        self._asked_types.add(name)
        if not self._fails(name):
            return
        if not self.knowledge.failing and self._fails(next(iter(self._catalog), "")):
            # What the server describes in its catalog fails as well: it says nothing of a type.
            self._can_fail = False
            return
        self.knowledge.failing.add(name)

    def _fails(self, name: str) -> bool:
        """Whether the server fails to describe a type; of one that it does not know it says {}."""
        if name in ("", ".", "..") or "/" in name:
            return False
        try:
            path = f"/object_info/{quote(name, safe='')}"
        except UnicodeEncodeError:
            return False
        answer = self._ask(path, most=_LISTS)
        return isinstance(answer, ComfyUIError) and answer.status == _FAILED

    # Asking

    def _json(self, path: str) -> Any:
        raw = self._bytes(path, most=_LISTS)
        return None if raw is None else _parsed(raw)

    def _bytes(self, path: str, *, most: int) -> bytes | None:
        answer = self._ask(path, most=most)
        return answer if isinstance(answer, bytes) else None

    def _ask(
        self, path: str, *, most: int, question: dict[str, str] | None = None
    ) -> bytes | ComfyUIError | None:
        """Ask once; None if nothing more is to be asked in this cycle.

        Args:
            path: what to get.
            most: bytes of the largest answer.
            question: what to ask Manager about a failed import, instead of getting a path.
        """
        if self._client is None or self._left <= 0:
            return None
        seconds = min(SECONDS, self._left)
        begun = time.monotonic()
        try:
            if question is not None:
                return self._client.ask_import_failure(
                    self._prefix or "", question, max_bytes=most, seconds=seconds
                )
            return self._client.get_bytes(path, max_bytes=most, seconds=seconds, again=False)
        except ComfyUIError as error:
            if error.transient and error.status != _FAILED:
                self._give_up(str(error))
            return error
        finally:
            self._left -= time.monotonic() - begun
            if self._left <= 0:
                self._give_up(f"the answers took more than {PATIENCE:g} s together")

    def _give_up(self, why: str) -> None:
        self._left = 0.0
        sentence = f"which packs bring the node types that are missing: {why}"
        if not self.not_checked:
            self.not_checked.append(sentence)


def _parsed(raw: bytes | None) -> Any:
    try:
        return None if raw is None else lenient_json.parse(raw)
    except ValueError:
        return None
