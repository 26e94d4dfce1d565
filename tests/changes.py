"""Changes of a host made up from what real servers said, and what each of them does to workflows.

A case is a workflow and some changes at once. Its truth is worked out by trying every part of the
changes on the old world with plain catalogs, inventories and files, by the same engine.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING, Any

import orjson

from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.history.cause import Worse, explain
from comfywatchman.history.cause.trial import VERDICT, Judged
from comfywatchman.history.world import World
from comfywatchman.judging.identity import identified
from comfywatchman.judging.prompt import judge
from comfywatchman.results import CauseKind, Severity, Sureness, Verdict, WorkflowReport
from comfywatchman.workflow.budget import Budget
from comfywatchman.workflow.convert import convert
from comfywatchman.workflow.load import load
from comfywatchman.workflow.prompt import WorkflowError
from tests.oracle import recorded

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Iterator

    from comfywatchman.history.cause.trial import Key
    from comfywatchman.results import Cause

DEPTH, SIZE = 256, 10_000_000


@dataclass(frozen=True)
class Change:
    """One thing that changes.

    Attributes:
        kind: ``type``, ``module`` (all its types), ``pack`` (gone), ``release``; of a file
            ``gone``, ``moved`` or ``added``; ``edit``.
        name: the node type, the module, the pack or the file.
        folder: of a file its folder, of an edit what it is.
    """

    kind: str
    name: str
    folder: str = ""


@cache
def declarations(server: recorded.Server) -> dict[str, Any]:
    """What a server offers, every third of its modules being a custom pack."""
    made = {}
    for name, declared in sorted(server.object_info("full").items()):
        module = declared["python_module"]
        if hashlib.sha256(module.encode()).digest()[0] % 3 == 0 and module != "nodes":
            pack = f"custom_nodes.{module.rpartition('.')[2].removeprefix('nodes_')}"
            declared = {**declared, "python_module": pack}  # noqa: PLW2901
        made[name] = declared
    return made


@cache
def workflows() -> list[tuple[str, bytes]]:
    """All official workflows, by a name."""
    records = recorded.lines("workflows")
    return [(f"{r['corpus']}/{r['name']}", orjson.dumps(r["workflow"])) for r in records]


@cache
def _loaders(server: recorded.Server) -> dict[str, list[str]]:
    """The node types that list each value."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, declared in declarations(server).items():
        for values in lists(declared["input"]):
            for value in {v for v in values if isinstance(v, str)}:
                found[value].append(name)
    return found


def lists(value: Any) -> Iterator[list[Any]]:
    """The lists of choices within a declaration."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from lists(inner)
    elif isinstance(value, list):
        if value and all(isinstance(item, (str, int, float)) for item in value):
            yield value
        for inner in value:
            yield from lists(inner)


@dataclass
class Host:
    """A server of one release, which may get what the other has.

    Attributes:
        server: the one.
        other: the other.
    """

    server: recorded.Server
    other: recorded.Server
    _worlds: dict[frozenset[Change], World] = field(default_factory=dict)
    _used: dict[str, tuple[list[str], list[str]]] = field(default_factory=dict)

    def world(self, changes: Iterable[Change]) -> World:
        """The world with some changes made to it."""
        ours = frozenset(c for c in changes if c.kind != "edit")
        if ours not in self._worlds:
            if len(self._worlds) > 200:
                self._worlds.clear()
            self._worlds[ours] = self._made(ours)
        return self._worlds[ours]

    def _made(self, changes: frozenset[Change]) -> World:
        offered = dict(declarations(self.server))
        theirs = declarations(self.other)
        release, inventory = self.server, self.server.inventory("full")
        models = {folder: list(names) for folder, names in inventory.models.items()}
        files = {folder: set(names) for folder, names in inventory.files.items()}
        for change in sorted(changes, key=lambda c: (c.kind != "type", c.kind, c.name)):
            if change.kind == "type":
                offered.pop(change.name, None)
                if change.name in theirs:
                    offered[change.name] = theirs[change.name]
            elif change.kind == "module":
                offered = {n: d for n, d in offered.items() if d["python_module"] != change.name}
                offered |= {n: d for n, d in theirs.items() if d["python_module"] == change.name}
            elif change.kind == "pack":
                module = f"custom_nodes.{change.name}"
                offered = {n: d for n, d in offered.items() if d["python_module"] != module}
            elif change.kind == "release":
                release = self.other
        for change in sorted(changes, key=lambda c: (c.kind, c.name)):
            if change.kind not in ("gone", "moved", "added"):
                continue
            listed = {
                n for s in (self.server, self.other) for n in _loaders(s).get(change.name, ())
            }
            for name in listed & offered.keys():
                offered[name] = {
                    **offered[name],
                    "input": _with(offered[name]["input"], change),
                }
            if change.folder == "input":
                files["input"] = set(_listed(sorted(files["input"]), change))
            else:
                models[change.folder] = _listed(models[change.folder], change)
        whole = release.catalog("full")
        return World(
            Catalog(dict(sorted(offered.items())), whole.version, whole.replacements),
            Inventory(
                {folder: frozenset(names) for folder, names in files.items()},
                {folder: tuple(names) for folder, names in models.items()},
                inventory.embeddings,
            ),
            DEPTH,
            SIZE,
        )

    def changes_for(self, name: str, raw: bytes, chance: random.Random) -> list[Change]:
        """A change of each kind that touches a workflow, and some that may not."""
        types, files = self._uses(name, raw)
        mine, theirs = declarations(self.server), declarations(self.other)
        differing = [t for t in types if mine.get(t) != theirs.get(t)]
        found = [Change("type", t) for t in _some(differing, chance, 4)]
        others = sorted(n for n in mine.keys() | theirs.keys() if mine.get(n) != theirs.get(n))
        found += [Change("type", t) for t in _some(others, chance, 1)]
        packs = [
            mine[t]["python_module"].split(".")[1]
            for t in types
            if t in mine and mine[t]["python_module"].startswith("custom_nodes")
        ]
        gone = _some(sorted(set(packs)), chance, 1)
        own = {mine[t]["python_module"] for t in differing if t in mine}
        sets = _some(sorted(own - {f"custom_nodes.{pack}" for pack in gone}), chance, 1)
        modules = {f"custom_nodes.{pack}" for pack in gone} | set(sets)
        found = [
            change
            for change in found
            if modules.isdisjoint(
                w.get(change.name, {}).get("python_module") for w in (mine, theirs)
            )
        ]
        found += [Change("pack", pack) for pack in gone] + [Change("module", m) for m in sets]
        inventory = self.server.inventory("full")
        places = {n: folder for folder, names in inventory.models.items() for n in names}
        places |= dict.fromkeys(inventory.files["input"], "input")
        for file in _some([f for f in files if f in places], chance, 3):
            kind = chance.choice(["gone", "gone", "moved", "added"])
            found.append(Change(kind, file, places[file]))
        edits = ["value", "text", "node", "link", "type", "empty"]
        found.append(Change("edit", str(chance.randrange(1_000_000)), chance.choice(edits)))
        if chance.random() < 0.1:
            found.append(Change("release", self.other.version))
        return found

    def _uses(self, name: str, raw: bytes) -> tuple[list[str], list[str]]:
        if name not in self._used:
            document = orjson.loads(raw)
            nodes = [n for n in _nodes(document) if isinstance(n.get("type"), str)]
            types = sorted({n["type"] for n in nodes})
            values = sorted({v for n in nodes for v in _texts(n.get("widgets_values"))})
            self._used[name] = types, values
        return self._used[name]


def _some(among: list[Any], chance: random.Random, most: int) -> list[Any]:
    return chance.sample(among, min(most, len(among)))


def _nodes(document: Any) -> Iterator[dict[str, Any]]:
    yield from (n for n in document.get("nodes") or () if isinstance(n, dict))
    for graph in (document.get("definitions") or {}).get("subgraphs") or ():
        yield from (n for n in graph.get("nodes") or () if isinstance(n, dict))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def _with(value: Any, change: Change) -> Any:
    if isinstance(value, dict):
        return {key: _with(inner, change) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with(inner, change) for inner in _listed(value, change)]
    return value


def _listed(names: list[Any], change: Change) -> list[Any]:
    if change.name not in names:
        return names
    if change.kind == "gone":
        return [name for name in names if name != change.name]
    if change.kind == "moved":
        return [f"moved/{name}" if name == change.name else name for name in names]
    return [*names, f"added_{change.name}"]


def edited(raw: bytes, change: Change) -> bytes:
    """A workflow, edited as a change says."""
    import random

    chance = random.Random(change.name)
    document = orjson.loads(raw)
    nodes = list(_nodes(document))
    if not nodes:
        return raw
    node = chance.choice(nodes)
    if change.folder in ("value", "text") and any(n.get("widgets_values") for n in nodes):
        node = chance.choice([n for n in nodes if n.get("widgets_values")])
        values = node["widgets_values"]
        at = chance.choice(list(values) if isinstance(values, dict) else range(len(values)))
        values[at] = "no such thing" if change.folder == "text" else chance.choice([-5, 1e9, None])
    elif change.folder == "node":
        document["nodes"] = [n for n in document.get("nodes") or () if n is not node]
    elif change.folder == "link":
        for socket in node.get("inputs") or ():
            socket["link"] = None
    elif change.folder == "type":
        node["type"] = "NoSuchType"
    elif change.folder == "empty":
        document["nodes"] = []
    return orjson.dumps(document)


def judged(name: str, raw: bytes, world: World) -> WorkflowReport:
    """The verdict on a workflow, reached as in a cycle."""
    verdict, findings = Verdict.UNKNOWN, []
    try:
        conversion = convert(load(raw, max_depth=world.depth), world.catalog, Budget(len(raw)))
        judgement = judge(conversion, world.catalog, world.inventory)
        verdict, findings = judgement.verdict, judgement.findings
    except WorkflowError as error:
        findings = [error.finding]
        if error.finding.severity is Severity.ERROR:
            verdict = Verdict.BROKEN
    report = WorkflowReport(
        path=f"/workflows/{name}.json",
        name=name,
        verdict=verdict,
        findings=findings,
        content_digest=hashlib.sha256(raw).hexdigest(),
    )
    return identified(report)


@dataclass
class Case:
    """A workflow, and what changed.

    Attributes:
        host: the host.
        name: the workflow's name.
        raw: its bytes before.
        changes: what changed.
    """

    host: Host
    name: str
    raw: bytes
    changes: list[Change]
    _judged: dict[frozenset[Change], WorkflowReport] = field(default_factory=dict)

    def bytes_with(self, changes: Iterable[Change]) -> bytes:
        """The workflow's bytes with some of the changes made."""
        raw = self.raw
        for change in changes:
            if change.kind == "edit":
                raw = edited(raw, change)
        return raw

    def report(self, changes: Iterable[Change]) -> WorkflowReport:
        """The verdict with some of the changes made."""
        key = frozenset(changes)
        if key not in self._judged:
            self._judged[key] = judged(self.name, self.bytes_with(key), self.host.world(key))
        return self._judged[key]

    @property
    def new(self) -> dict[Key, str]:
        """What is worse with all changes made."""
        return self._new(frozenset(self.changes))

    def truth(self) -> set[Change]:
        """The changes that did it: those that are enough for an error, alone or together.

        One that mended something else, so that the error could be seen, did not do it. What the
        causes hide is looked for with them undone.
        """
        present = frozenset(self.changes)
        causes: set[Change] = set()
        while new := self._new(present):
            found: set[Change] = set()
            for key, mark in new.items():
                enough: list[frozenset[Change]] = []
                for size in range(1, len(present) + 1):
                    for part in map(frozenset, combinations(sorted(present, key=repr), size)):
                        if not any(e <= part for e in enough) and self._shows(part, key, mark):
                            enough.append(part)
                for part in enough:
                    found |= {change for change in part if not self._uncovers(part, change)} or part
            causes |= found
            present -= found
        return causes

    def _new(self, changes: frozenset[Change]) -> dict[Key, str]:
        was = Judged.of(self.report(()))
        return Judged.of(self.report(changes)).new_since(was)

    def _uncovers(self, changes: frozenset[Change], one: Change) -> bool:
        """Whether one of some changes mended something, and so lets what is behind it be seen."""
        result = Judged.of(self.report(changes))
        without = Judged.of(self.report(changes - {one}))
        return any(not result.has(key, mark) for key, mark in without.errors.items())

    def _shows(self, changes: frozenset[Change], key: Key, mark: str) -> bool:
        result = Judged.of(self.report(changes))
        if key == VERDICT:
            return result.rank < Judged.of(self.report(())).rank
        return result.has(key, mark)

    def explained(self) -> tuple[set[Change], set[Change], list[Cause]]:
        """The changes that are named, those of them that are certain, and the causes."""
        was, now = self.report(()), self.report(self.changes)
        kept = {r.content_digest or "": raw for r, raw in self._both(was, now)}
        result = explain(
            [Worse(now, was)],
            self.host.world(()),
            self.host.world(self.changes),
            [],
            copies=kept.get,
            program_changed=False,
            seconds=60,
        )
        named, certain = set(), set()
        for cause in result.causes:
            changes = {change for change in self.changes if _names(cause, change)}
            if any(change.kind == "pack" for change in changes):
                changes = {change for change in changes if change.kind == "pack"}
            changes = changes or {Change("unknown", cause.text)}
            named |= changes
            if cause.sureness is Sureness.CERTAIN:
                certain |= changes
        return named, certain, result.causes

    def _both(
        self, was: WorkflowReport, now: WorkflowReport
    ) -> Iterator[tuple[WorkflowReport, bytes]]:
        yield was, self.raw
        yield now, self.bytes_with(self.changes)


def _names(cause: Cause, change: Change) -> bool:
    if change.kind == "edit":
        return cause.kind is CauseKind.WORKFLOW
    if change.kind == "type":
        return change.name in cause.node_types
    if change.kind == "module":
        of_module = {
            name
            for host in hosts()
            for name, declared in declarations(host.server).items()
            if declared["python_module"] == change.name
        }
        return bool(cause.node_types) and of_module.issuperset(cause.node_types)
    if change.kind == "pack":
        return cause.kind is CauseKind.PACK and cause.name == change.name
    if change.kind == "release":
        return cause.kind is CauseKind.COMFYUI and not cause.node_types
    if cause.kind not in (CauseKind.MODEL, CauseKind.INPUT_FILE):
        return False
    return cause.name.rpartition("/")[2].removeprefix("added_") == change.name


def hosts() -> list[Host]:
    """A host of each release."""
    old, new = recorded.OF_0_8, recorded.OF_0_33
    return [Host(old, new), Host(new, old)]


def cases(chance: random.Random, most: int, *, at_once: int) -> Iterator[Case]:
    """Cases in which so many things change at once and the workflow is worse for it."""
    both, found = hosts(), 0
    while found < most:
        host = chance.choice(both)
        name, raw = chance.choice(workflows())
        among = host.changes_for(name, raw, chance)
        if len(among) < at_once:
            continue
        case = Case(host, name, raw, chance.sample(among, at_once))
        if case.new:
            found += 1
            yield case
