"""Where a node type that the server does not offer comes from, and why it is not there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Final

from comfywatchman.comfyui.provenance.core import Absence, core_type, release
from comfywatchman.comfyui.provenance.knowledge import Knowledge, MapSource
from comfywatchman.comfyui.provenance.manager import ChangeKind
from comfywatchman.comfyui.provenance.marks import marked
from comfywatchman.comfyui.provenance.pack import CORE, Pack, alike, pack

if TYPE_CHECKING:
    from comfywatchman.comfyui.catalog import Catalog
    from comfywatchman.comfyui.provenance.manager import Change, Listed

_MOST_SIMILAR: Final = 3
_SIMILAR: Final = 60
_LONGEST_SEARCHED: Final = 240


class Source(Enum):
    """Who says which pack brings a node type, the most reliable first."""

    WORKFLOW = "workflow"
    REPLACEMENTS = "replacements"
    SERVER_MAP = "server map"
    FOLDER_MAP = "folder map"
    CORE_TABLE = "core table"
    NAME = "name"


class Why(Enum):
    """Why a node type is not there."""

    NOT_INSTALLED = "not installed"
    """Nothing of its pack is to be seen."""
    DISABLED = "disabled"
    IMPORT_FAILED = "import failed"
    FAILS = "fails"
    """The type is registered, and its own code fails."""
    GONE = "gone"
    """Its pack is loaded, and has no such type."""
    NEWER_COMFYUI = "newer ComfyUI"
    RESTART = "restart"
    """Its pack was added or updated on the disk since the server was started."""
    NOT_LOADED = "not loaded"
    """ComfyUI itself brings it, and should have it in this release."""
    UNKNOWN = "unknown"
    """Nobody knows where it comes from."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a node type comes from, and why it is not there.

    Attributes:
        why: why it is not there.
        packs: the pack that is meant; several where several claim the type and none of them is
            installed; none where it is unknown.
        source: who says so; None where nobody does.
        folder: the pack's folder on the server.
        reason: the last line of the error that kept the pack from being imported.
        similar: types of the loaded pack whose names are alike, the most alike first; of a type
            that ComfyUI itself had, the one that takes its place.
        change: what became of the pack on the disk.
        release: of a type of ComfyUI itself, the release by which it was there, or was gone.
        after: whether the release is the last that is known not to have it instead.
        failed: of an unknown type, all packs whose import failed: one of them may bring it.
        looked: whether all that lies in ``custom_nodes`` could be seen.
    """

    why: Why
    packs: tuple[Pack, ...] = ()
    source: Source | None = None
    folder: str | None = None
    reason: str | None = None
    similar: tuple[str, ...] = ()
    change: Change | None = None
    release: str | None = None
    after: bool = False
    failed: tuple[str, ...] = ()
    looked: bool = False


class Provenance:
    """Answers where node types come from, by what is known. It asks nobody.

    Args:
        knowledge: what is known; it may grow between two questions.
        catalog: the node types of the server.
    """

    def __init__(self, knowledge: Knowledge, catalog: Catalog) -> None:
        self.knowledge = knowledge
        self._catalog = catalog

    def origin(
        self, name: str, saved_pack: str | None = None, saved_version: str | None = None
    ) -> Origin:
        """Say where a node type comes from that the server does not offer, and why it does not.

        Args:
            name: the node type.
            saved_pack: the pack that the workflow says it is from, if it does.
            saved_version: the version of that pack, if the workflow says it.
        """
        source, claims = self._claims(name, saved_pack)
        if name in self.knowledge.failing:
            known = next((c for c in claims if self._folder(c) is not None), None)
            packs = claims if known is None else (known,)
            return Origin(Why.FAILS, packs[:1], source, self._folder(packs[0]) if packs else None)
        if (successor := self._successor(name)) is not None and source is not Source.WORKFLOW:
            own = Pack(CORE, registered=True)
            return Origin(Why.GONE, (own,), Source.REPLACEMENTS, similar=(successor,))
        if not claims:
            return Origin(Why.UNKNOWN, failed=tuple(sorted(self.knowledge.failures)))
        assert source is not None  # noqa: S101  (there are claims)
        if any(claim.is_comfyui for claim in claims):
            return self._of_comfyui(name, source, claims, saved_version)
        seen = [found for claim in claims if (found := self._seen(name, claim, source)) is not None]
        if seen:
            return min(seen, key=lambda origin: _RANK.index(origin.why))
        return Origin(Why.NOT_INSTALLED, claims, source, looked=self.knowledge.on_disk is not None)

    def change(self, folder: str) -> Change | None:
        """What became of a loaded pack on the disk since the server was started.

        Args:
            folder: its folder below ``custom_nodes``.
        """
        return self._changes.get(alike(folder))

    def listed(self, claim: Pack) -> Listed | None:
        """Manager's entry for a pack; the enabled one if there are two."""
        matching = [e for e in self.knowledge.installed or () if claim.key in e.keys]
        return next((e for e in matching if e.enabled), matching[0] if matching else None)

    def _claims(self, name: str, saved_pack: str | None) -> tuple[Source | None, tuple[Pack, ...]]:
        """The packs that are said to bring a type, by the first who says so."""
        if (saved := pack(saved_pack)) is not None:
            return Source.WORKFLOW, (saved,)
        own = core_type(name)
        comfyui = pack(CORE) if own is not None else None
        node_map = self.knowledge.node_map
        if node_map is not None and (mapped := node_map.packs(name)):
            by_map = {
                MapSource.SERVER: Source.SERVER_MAP,
                MapSource.FOLDER: Source.FOLDER_MAP,
            }[self.knowledge.map_source]
            if comfyui is not None and not any(claim.is_comfyui for claim in mapped):
                return Source.CORE_TABLE, (comfyui, *mapped)
            return by_map, mapped
        if comfyui is not None:
            return Source.CORE_TABLE, (comfyui,)
        by_name = marked(name)
        return (None, ()) if by_name is None else (Source.NAME, (by_name,))

    def _of_comfyui(
        self, name: str, source: Source, claims: tuple[Pack, ...], saved_version: str | None
    ) -> Origin:
        """A type that ComfyUI itself brings, as one of perhaps several."""
        packs = tuple(sorted(claims, key=lambda claim: not claim.is_comfyui))
        own, here = core_type(name), self._catalog.version
        if own is None:
            then, now = release(saved_version), release(here)
            if then is not None and now is not None and then <= now:
                return Origin(Why.GONE, packs, source)
            return Origin(
                Why.NEWER_COMFYUI, packs, source, release=None if then is None else saved_version
            )
        absence = own.absence(here)
        if absence is Absence.GONE:
            return Origin(Why.GONE, packs, source, release=own.gone)
        why = Why.NEWER_COMFYUI if absence is Absence.NEWER else Why.NOT_LOADED
        after = own.by is None
        return Origin(why, packs, source, release=own.after if after else own.by, after=after)

    def _successor(self, name: str) -> str | None:
        """The node type that takes the place of one that ComfyUI itself had, as it says."""
        rules = self._catalog.replacements.get(name)
        first = rules[0] if isinstance(rules, list) and rules else None
        new = first.get("new_node_id") if isinstance(first, dict) else None
        return new if isinstance(new, str) and new in self._catalog else None

    def _seen(self, name: str, claim: Pack, source: Source) -> Origin | None:
        """What is to be seen of a pack on the server; None if nothing is."""
        folder = self._folder(claim)
        keys = self._keys(claim)
        change = next((c for key in keys if (c := self._changes.get(key)) is not None), None)
        if change is not None and change.kind in (ChangeKind.ADDED, ChangeKind.UPDATED):
            return Origin(Why.RESTART, (claim,), source, folder or change.folder, change=change)
        if change is not None:
            gone = change.kind is ChangeKind.REMOVED
            why = Why.NOT_INSTALLED if gone else Why.DISABLED
            return Origin(why, (claim,), source, change.folder, change=change)
        if folder is not None:
            similar = self._similar(name, alike(folder))
            return Origin(Why.GONE, (claim,), source, folder, similar=similar)
        failed = next((key for key in keys if key in self.knowledge.failures), None)
        entry = self.listed(claim)
        disk = self.knowledge.on_disk
        on_disk = disk is not None and not keys.isdisjoint(disk.enabled)
        if failed is not None or on_disk or (entry is not None and entry.enabled):
            return Origin(
                Why.IMPORT_FAILED,
                (claim,),
                source,
                entry.folder if entry is not None else None,
                reason=None if failed is None else self.knowledge.failures[failed],
            )
        if entry is not None or (disk is not None and not keys.isdisjoint(disk.disabled)):
            return Origin(Why.DISABLED, (claim,), source, entry.folder if entry else None)
        return None

    def _keys(self, claim: Pack) -> frozenset[str]:
        """Everything that a pack is called here."""
        entry = self.listed(claim)
        return frozenset({claim.key}) | (entry.keys if entry is not None else frozenset())

    def _folder(self, claim: Pack) -> str | None:
        """The folder of a pack that some node type of the catalog comes from."""
        found = (self._loaded.get(key) for key in sorted(self._keys(claim)))
        return next((folder for folder in found if folder is not None), None)

    def _similar(self, name: str, folder: str) -> tuple[str, ...]:
        from rapidfuzz import fuzz, process, utils  # only workflows with a wrong name pay for it

        found = process.extract(
            name[:_LONGEST_SEARCHED],
            self._types.get(folder, ()),
            scorer=fuzz.WRatio,
            processor=utils.default_process,
            limit=_MOST_SIMILAR,
            score_cutoff=_SIMILAR,
        )
        return tuple(match for match, _, _ in found)

    @cached_property
    def _loaded(self) -> dict[str, str]:
        return {alike(folder): folder for folder in sorted(self._catalog.packs)}

    @cached_property
    def _types(self) -> dict[str, list[str]]:
        types: dict[str, list[str]] = {}
        for name, node_type in self._catalog.items():
            if node_type.pack is not None:
                types.setdefault(alike(node_type.pack), []).append(name)
        return types

    @cached_property
    def _changes(self) -> dict[str, Change]:
        return self.knowledge.changes()


_RANK: Final = (
    Why.RESTART,
    Why.IMPORT_FAILED,
    Why.DISABLED,
    Why.NOT_INSTALLED,
    Why.GONE,
)
"""Of several packs that claim a type, the one that most likely is the one: a pack that is loaded
without the type is not likely the one that has it."""
