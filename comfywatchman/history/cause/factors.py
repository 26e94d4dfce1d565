"""What differs between two worlds, divided into what can be given back by itself."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.comfyui.names import last_part, looks_like_file
from comfywatchman.history.schema import lists, mapped, without_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from comfywatchman.history.schema import Key
    from comfywatchman.history.world import World

MANY: Final = 20
"""So many files of one folder, gone at once, are one change."""
WHOLE: Final = 5
"""So many files are one change if nothing is left in the folder that they were in."""

_Value = TypeVar("_Value")
_EMBEDDINGS: Final = "embeddings"
_EMBEDDING: Final = re.compile(r"embedding:([^\s,:()\[\]{}<>|]+)", re.IGNORECASE)
_ENDING: Final = re.compile(r"\.(safetensors|pt|bin)\Z")
_LONGEST_NAME: Final = 4096


class Kind(IntEnum):
    """What kind of thing can be given back."""

    WORKFLOW = 0
    LIMITS = 1
    RELEASE = 2
    """ComfyUI's version and its rules for replacing node types."""
    NODE_TYPE = 3
    FILES = 4


class Factor(NamedTuple):
    """Something that changed, and can be given back as it was by itself.

    Attributes:
        kind: what kind of thing.
        name: a node type, or what stands for the files; else empty.
    """

    kind: Kind
    name: str = ""


WORKFLOW: Final = Factor(Kind.WORKFLOW)
LIMITS: Final = Factor(Kind.LIMITS)
RELEASE: Final = Factor(Kind.RELEASE)


class Listing(IntEnum):
    """What lists a file, or did."""

    MODELS = 0
    EMBEDDINGS = 1
    FILES = 2
    LINKS = 3
    CHOICES = 4
    """Node types only."""
    SIGHT = 5
    """No file: whether the folder could be seen at all."""


class Entry(NamedTuple):
    """A name in a list that only one of two worlds has.

    Attributes:
        listing: which list.
        folder: of models their folder, of files ``input``, ``output`` or ``temp``; else empty.
        name: as it stands there.
        gone: whether it stood there, and does no more.
    """

    listing: Listing
    folder: str
    name: str
    gone: bool


@dataclass
class Files:
    """Files that came or went together.

    Attributes:
        entries: where they are listed, or were.
        folder: of many, the folder that they are of; None for a single one.
        below: of many, where in that folder they all are; may be empty.
    """

    entries: list[Entry] = field(default_factory=list)
    folder: str | None = None
    below: str = ""

    @cached_property
    def values(self) -> frozenset[str]:
        """What node types list them as."""
        return frozenset(map(value_of, self.entries))

    @property
    def gone(self) -> bool:
        """Whether they are there no more."""
        return all(entry.gone for entry in self.entries)


def value_of(entry: Entry) -> str:
    """What stands for a file among the choices of node types, or in a prompt."""
    if entry.listing is Listing.EMBEDDINGS:
        return f"embedding:{entry.name}"
    if entry.listing is Listing.MODELS and entry.folder == _EMBEDDINGS:
        return f"embedding:{_ENDING.sub('', entry.name)}"
    if entry.listing is Listing.SIGHT:
        return f"\0{entry.folder}"
    in_other = entry.listing in (Listing.FILES, Listing.LINKS) and entry.folder != "input"
    return f"{entry.name} [{entry.folder}]" if in_other else entry.name


class _Listed(NamedTuple):
    """The files among a node type's choices that only one of two worlds has."""

    old: list[Any]
    new: list[Any]
    gone: frozenset[str]
    added: frozenset[str]


class Differences:
    """What differs between two worlds.

    Attributes:
        before: the one.
        now: the other.
        types: node types that are declared in another way, files aside.
        listing: node types that list other files.
        files: the files, by what is given back together.
        release: whether ComfyUI's version or its rules of replacement are others.
        limits: whether the limits are others.
    """

    def __init__(self, before: World, now: World) -> None:
        self.before = before
        self.now = now
        self.limits = (before.depth, before.size) != (now.depth, now.size)
        old, new = before.catalog, now.catalog
        self.release = old.version != new.version or old.replacements != new.replacements
        entries = list(_entries(before.inventory, now.inventory))
        self._known = frozenset(map(value_of, entries))
        self._lists: dict[str, dict[Key, _Listed]] = {}
        types: set[str] = set()
        found: set[Entry] = set()
        for name in dict.fromkeys((*old.declarations, *new.declarations)):
            was, is_now = old.declarations.get(name), new.declarations.get(name)
            if was is is_now or was == is_now:
                continue
            if not (isinstance(was, Mapping) and isinstance(is_now, Mapping)):
                if isinstance(was, Mapping) or isinstance(is_now, Mapping):
                    types.add(name)
                continue
            listed = self._lists_of(was, is_now)
            if listed:
                self._lists[name] = listed
                for change in listed.values():
                    more = [(value, True) for value in change.gone - self._known]
                    more += [(value, False) for value in change.added - self._known]
                    found.update(Entry(Listing.CHOICES, "", *each) for each in more)
            if _plain(was, listed, 0) != _plain(is_now, listed, 1):
                types.add(name)
        self.types = frozenset(types)
        self.listing = frozenset(self._lists)
        self.files = _together([*entries, *sorted(found)], now.inventory)
        self._files_of_types: dict[str, frozenset[Factor]] = {}
        self._factor_of = {v: f for f, files in self.files.items() for v in files.values}

    @cached_property
    def everything(self) -> frozenset[Factor]:
        """All that can be given back, the workflow aside."""
        found = {Factor(Kind.NODE_TYPE, name) for name in self.types} | self.files.keys()
        return frozenset(
            found | ({RELEASE} if self.release else set()) | ({LIMITS} if self.limits else set())
        )

    @cached_property
    def unseen(self) -> frozenset[Factor]:
        """Folders that only one of the worlds sees: they matter to whatever names files."""
        return frozenset(
            factor
            for factor, files in self.files.items()
            if any(entry.listing is Listing.SIGHT for entry in files.entries)
        )

    def named_in(self, values: Iterable[object]) -> set[Factor]:
        """The files that texts of a workflow may mean, by the last part of their names."""
        found: set[Factor] = set()
        for value in values:
            if not isinstance(value, str):
                continue
            if len(value) <= _LONGEST_NAME:
                found |= self._by_last_part.get(_last(value), frozenset())
            if "embedding:" in value.lower():
                for name in _EMBEDDING.findall(value):
                    found |= self._by_last_part.get(_last(f"embedding:{name}"), frozenset())
        return found

    def files_of_type(self, name: str) -> frozenset[Factor]:
        """The files that a node type lists in one of the worlds only."""
        known = self._files_of_types.get(name)
        if known is None:
            values = (v for c in self._lists.get(name, {}).values() for v in c.gone | c.added)
            known = frozenset(self._factor_of[value] for value in values)
            self._files_of_types[name] = known
        return known

    def plain(self, name: str, *, old: bool) -> Any:
        """The declaration of a node type in one of the worlds, files and show aside."""
        world = self.before if old else self.now
        declaration = world.catalog.declarations.get(name)
        return _plain(declaration, self._lists.get(name, {}), 0 if old else 1)

    def declaration(self, name: str, *, old: bool, back: Iterable[Factor]) -> Any:
        """A node type as it would be declared with some things given back.

        Args:
            name: its name.
            old: whether it is declared as it was, the files in it aside.
            back: files that are as they were.
        """
        base = (self.before if old else self.now).catalog.declarations.get(name)
        if not isinstance(base, Mapping):
            return None
        values = frozenset().union(*(self.files[factor].values for factor in back))
        listed = self._lists.get(name, {})
        if not old and not (listed and values):
            return base
        gone = self._gone

        def change(key: Key, items: list[Any]) -> list[Any]:
            pair = listed.get(key)
            if pair is None:
                # Only this world has the list: nobody knows what else it would hold.
                lost = [i for i in items if isinstance(i, str) and i in gone and i not in values]
                return _merged(items, (), set(), set(lost)) if old and lost else items
            if old:
                other, more, less = pair.new, pair.added - values, pair.gone - values
            else:
                other, more, less = pair.old, pair.gone & values, pair.added & values
            return _merged(items, other, more, less) if more or less else items

        return mapped(base, change)

    def inventory(self, back: frozenset[Factor]) -> Inventory:
        """The inventory with some files given back."""
        old, new = self.before.inventory, self.now.inventory
        if back >= self.files.keys():
            return old
        if not back:
            return new
        by_list: dict[tuple[Listing, str], list[Entry]] = defaultdict(list)
        for factor in back:
            for entry in self.files[factor].entries:
                by_list[entry.listing, entry.folder].append(entry)
        files, links, paths = dict(new.files), dict(new.links), dict(new.paths)
        models, embeddings = dict(new.models), new.embeddings
        for (listing, folder), entries in by_list.items():
            more = {entry.name for entry in entries if entry.gone}
            less = {entry.name for entry in entries if not entry.gone}
            if listing is Listing.MODELS:
                was = old.models.get(folder, ())
                models[folder] = tuple(_merged(models.get(folder, ()), was, more, less))
            elif listing is Listing.EMBEDDINGS and embeddings is not None:
                embeddings = (embeddings | more) - less
            elif listing is Listing.FILES and folder in files:
                files[folder] = (files[folder] | more) - less
            elif listing is Listing.LINKS:
                was_linked = old.links.get(folder, {})
                kept = {n: t for n, t in links.get(folder, {}).items() if n not in more | less}
                links[folder] = kept | {n: was_linked[n] for n in more | less if n in was_linked}
            elif listing is Listing.SIGHT and folder == _EMBEDDINGS:
                embeddings = old.embeddings
            elif listing is Listing.SIGHT:
                _give_back(files, old.files, folder)
                _give_back(links, old.links, folder)
                _give_back(paths, old.paths, folder)
        return Inventory(files, models, embeddings, links, paths)

    @cached_property
    def _gone(self) -> frozenset[str]:
        """What is there no more, as choices have it: one node type's list may lack what is."""
        entries = [entry for files in self.files.values() for entry in files.entries]
        gone = frozenset(value_of(entry) for entry in entries if entry.gone)
        now = self.now.inventory
        there = {value_of(entry) for entry in entries if not entry.gone}
        there.update(*now.models.values(), *now.files.values())
        return gone - there

    @cached_property
    def _by_last_part(self) -> dict[str, set[Factor]]:
        found: dict[str, set[Factor]] = defaultdict(set)
        for factor, files in self.files.items():
            for value in files.values:
                found[_last(value)].add(factor)
        return dict(found)

    def _lists_of(self, old: Any, new: Any) -> dict[Key, _Listed]:
        found: dict[Key, _Listed] = {}
        before, after = lists(old), lists(new)
        for key in before.keys() & after.keys():
            was, is_now = before[key], after[key]
            if was == is_now:
                continue
            ours, theirs = _texts(was), _texts(is_now)
            gone, added = self._files_in(ours - theirs), self._files_in(theirs - ours)
            if gone or added:
                found[key] = _Listed(was, is_now, gone, added)
        return found

    def _files_in(self, choices: frozenset[str]) -> frozenset[str]:
        return frozenset(c for c in choices if c in self._known or looks_like_file(c))


def _give_back(ours: dict[str, _Value], theirs: Mapping[str, _Value], name: str) -> None:
    if name in theirs:
        ours[name] = theirs[name]
    else:
        ours.pop(name, None)


def _entries(old: Inventory, new: Inventory) -> Iterator[Entry]:
    for folder in sorted(old.models.keys() | new.models.keys()):
        yield from _between(
            Listing.MODELS, folder, old.models.get(folder, ()), new.models.get(folder, ())
        )
    if (old.embeddings is None) != (new.embeddings is None):
        yield Entry(Listing.SIGHT, _EMBEDDINGS, "", old.embeddings is not None)
    elif old.embeddings is not None and new.embeddings is not None:
        yield from _between(Listing.EMBEDDINGS, _EMBEDDINGS, old.embeddings, new.embeddings)
    for folder in sorted(old.files.keys() | new.files.keys()):
        if folder not in old.files or folder not in new.files:
            yield Entry(Listing.SIGHT, folder, "", folder in old.files)
            continue
        if old.paths.get(folder) != new.paths.get(folder):
            yield Entry(Listing.SIGHT, folder, "", True)
            continue
        yield from _between(Listing.FILES, folder, old.files[folder], new.files[folder])
        ours, theirs = old.links.get(folder, {}), new.links.get(folder, {})
        for name in sorted(ours.keys() | theirs.keys()):
            if ours.get(name) != theirs.get(name):
                yield Entry(Listing.LINKS, folder, name, name in ours)


def _between(
    listing: Listing, folder: str, old: Iterable[str], new: Iterable[str]
) -> Iterator[Entry]:
    ours, theirs = frozenset(old), frozenset(new)
    if ours == theirs:
        return
    yield from (Entry(listing, folder, name, True) for name in sorted(ours - theirs))
    yield from (Entry(listing, folder, name, False) for name in sorted(theirs - ours))


def _together(entries: Iterable[Entry], now: Inventory) -> dict[Factor, Files]:
    """Divide files into what is given back together."""
    by_value: dict[str, list[Entry]] = defaultdict(list)
    gone: dict[tuple[Listing, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        by_value[value_of(entry)].append(entry)
        if entry.gone and entry.listing in (Listing.MODELS, Listing.FILES, Listing.CHOICES):
            gone[entry.listing, entry.folder].append(entry)
    found: dict[Factor, Files] = {}
    for (listing, folder), lost in gone.items():
        for many in _many(lost, _listed(now, listing, folder)):
            group = Files(folder=folder, below=_common_folder(e.name for e in many))
            for value in dict.fromkeys(map(value_of, many)):
                group.entries += by_value.pop(value, ())
            if group.entries:
                found[Factor(Kind.FILES, f"{listing.name}:{folder}:{group.below}:")] = group
    found.update((Factor(Kind.FILES, value), Files(own)) for value, own in by_value.items())
    return found


def _many(lost: list[Entry], left: Iterable[str]) -> Iterator[list[Entry]]:
    """What went together: all of a folder below, or many of what is left of them."""
    by_top: dict[str, list[Entry]] = defaultdict(list)
    for entry in lost:
        by_top[_top(entry.name)].append(entry)
    tops_left = set(map(_top, left))
    rest: list[Entry] = []
    for top, entries in by_top.items():
        if len(entries) >= WHOLE and top not in tops_left:
            yield entries
        else:
            rest += entries
    if len(rest) >= MANY:
        yield rest


def _listed(inventory: Inventory, listing: Listing, folder: str) -> Iterable[str]:
    if listing is Listing.MODELS:
        return inventory.models.get(folder, ())
    return inventory.files.get(folder, ()) if listing is Listing.FILES else ()


def _top(name: str) -> str:
    return name.replace("\\", "/").partition("/")[0]


def _common_folder(names: Iterable[str]) -> str:
    folders = [name.replace("\\", "/").split("/")[:-1] for name in names]
    folders = [parts for parts in folders if parts] or folders
    common = []
    for parts in zip(*folders, strict=False):
        if len(set(parts)) > 1:
            break
        common.append(parts[0])
    return "/".join(common)


def _plain(declaration: Any, listed: Mapping[Key, _Listed], side: int) -> Any:
    """A declaration without the files that only one world has, and without what is for show."""

    def change(key: Key, items: list[Any]) -> list[Any]:
        pair = listed.get(key)
        only = frozenset() if pair is None else (pair.gone, pair.added)[side]
        return [i for i in items if not (isinstance(i, str) and i in only)] if only else items

    return without_files(mapped(declaration, change), looks_like_file, of_lists=False)


def _merged(
    items: Iterable[Any], other: Iterable[Any], more: Iterable[str], less: Iterable[str]
) -> list[Any]:
    """A list with some items taken out, and some of another's put where they stand there."""
    less = frozenset(less)
    kept = [item for item in items if not (isinstance(item, str) and item in less)]
    more = frozenset(more)
    if not more:
        return kept
    there = _texts(kept)
    in_front: dict[str, list[str]] = {}
    waiting: list[str] = []
    for item in other:
        if not isinstance(item, str):
            continue
        if item in there:
            if waiting:
                in_front[item] = waiting
                waiting = []
        elif item in more:
            waiting.append(item)
    made: list[Any] = []
    for item in kept:
        if isinstance(item, str) and item in in_front:
            made += in_front.pop(item)
        made.append(item)
    return made + waiting


def _texts(items: Iterable[Any]) -> frozenset[str]:
    return frozenset(item for item in items if isinstance(item, str))


def _last(value: str) -> str:
    value = value.strip()
    if value.endswith("]") and " [" in value:
        value = value.rpartition(" [")[0]
    return _ENDING.sub("", last_part(value.removeprefix("embedding:")).casefold())
