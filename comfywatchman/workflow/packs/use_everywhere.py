"""Use Everywhere: values that are broadcast to every input that is not wired and fits.

When a workflow is queued, the pack looks in each graph for nodes that broadcast: its own, and those
that were told to. What such a node is wired to goes to every input in the same graph that has its
type, is not wired, and passes the node's restrictions. If two broadcasts fit equally well, the
input gets none. Newer saves list the links that were made, as ``extra.ue_links``: they are taken
where the broadcast that made them is still there.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from comfywatchman.findings import quoted
from comfywatchman.workflow import sockets
from comfywatchman.workflow.budget import TOO_TANGLED
from comfywatchman.workflow.graph import (
    BYPASSED,
    MUTED,
    SUBGRAPH_INPUT,
    Definition,
    Link,
    as_id,
    as_mapping,
    objects,
)
from comfywatchman.workflow.pack import Pack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from comfywatchman.workflow.budget import Budget
    from comfywatchman.workflow.graph import Graph, Id, Node
    from comfywatchman.workflow.sockets import Socket

    Test = Callable[[str], bool]
    Fits = Callable[[Node, Socket], bool]

_LONGEST_EXPRESSION: Final = 200
_LONGEST_NAME: Final = 1_000
_LARGEST_NUMBER: Final = 1e15

_SEED: Final = "Seed Everywhere"
_PROMPTS: Final = "Prompts Everywhere"
_PREFIX: Final = "Anything Everywhere"

_PROMPT_NAMES: Final = {
    "positive": re.compile(r"(?:_|\b)pos(?:itive|_|\b)|^prompt"),
    "negative": re.compile(r"(?:_|\b)neg(?:ative|_|\b)"),
}
"""Names of the inputs that the two inputs of Prompts Everywhere go to."""

_PLAIN: Final = re.compile(r"(\^?)((?:[^\\^$.|?*+()\[\]{}]|\\[^\w\s]|\.[*+]?)*)(\$?)")
"""One alternative of an expression that is understood: texts, with anything between them."""
_GAP: Final = re.compile(r"\\(.)|(\.[*+]?)", re.DOTALL)


class _Broadcast(NamedTuple):
    """One value that is broadcast.

    Attributes:
        controller: the node that says so.
        origin: the node that it comes from.
        slot: the output that it comes from.
        type: its type.
        priority: the highest goes first.
        fits: whether an input of a node may have it, for all that does not depend on types.
        to_any: whether it also goes to inputs that take anything.
        to_choices: whether it also goes to choices.
        steps: what it takes to see whether it fits.
    """

    controller: Id
    origin: Id
    slot: int
    type: str
    priority: float
    fits: Fits
    to_any: bool
    to_choices: bool
    steps: int


def wiring(graph: Graph, budget: Budget) -> Iterable[str]:
    """Add the links of the broadcasts in a graph."""
    senders = [node for node in graph.nodes.values() if _is_live(node) and _can_send(node)]
    if not senders:
        return ()
    air = _Air(graph, budget)
    for sender in senders:
        for sent in air.sent_by(sender):
            air.send(sent)
    for node in graph.nodes.values():
        if not _is_live(node) or _is_own(node) or node.properties.get("rejects_ue_links"):
            continue
        wired = []
        for socket in air.unfed(node):
            found = air.received(node, socket)
            if found is not None:
                link_id = f"everywhere {len(graph.links)}"
                graph.links[link_id] = Link(found.origin, found.slot, node.id, -1, found.type)
                wired.append((socket.saved, socket.name, link_id))
        if wired:
            node.wire(wired)
    return air.untold


class _Air:
    """What is broadcast in one graph.

    Attributes:
        untold: a sentence for each thing that could not be told.
    """

    def __init__(self, graph: Graph, budget: Budget) -> None:
        self.untold: dict[str, None] = {}
        self._graph = graph
        self._budget = budget
        self._sent: dict[str, list[_Broadcast]] = {}
        self._from: dict[tuple[object, ...], _Broadcast] = {}
        self._ranked: dict[str, list[_Broadcast]] = {}
        self._sources: dict[tuple[Id, int, str], Link | None] = {}
        self._sockets: dict[Id, tuple[list[Socket], dict[str, Socket]]] = {}
        links = as_mapping(graph.raw.get("extra")).get("ue_links")
        self._listed = {
            (as_id(link.get("downstream")), link["downstream_slot"]): link
            for link in objects(links)
            if type(link.get("downstream_slot")) is int
        }

    def send(self, broadcast: _Broadcast) -> None:
        """Add a broadcast, before any input is asked for."""
        self._sent.setdefault(broadcast.type, []).append(broadcast)
        place = (broadcast.type, broadcast.origin, broadcast.slot)
        self._from.setdefault(place, broadcast)
        self._from.setdefault((*place, broadcast.controller), broadcast)

    def received(self, node: Node, socket: Socket) -> _Broadcast | None:
        """The broadcast that an input gets: the first that fits, if no other fits as well."""
        said = self._said(self._listed.get((node.id, socket.saved)))
        if said is not None:
            return said
        best: _Broadcast | None = None
        for sent in self._candidates(socket.type):
            if best is not None and sent.priority != best.priority:
                break
            self._spend(sent.steps)
            if sent.origin != node.id and sent.fits(node, socket):
                if best is not None:
                    return None
                best = sent
        return best

    def unfed(self, node: Node) -> Iterator[Socket]:
        """The inputs of a node that nothing feeds and that a broadcast may."""
        settings = as_mapping(node.properties.get("ue_properties"))
        widgets = settings.get("widget_ue_connectable")
        if not isinstance(widgets, dict):
            widgets = node.properties.get("widget_ue_connectable")
        closed = as_mapping(settings.get("input_ue_unconnectable"))
        for socket in sockets.inputs(node):
            saved = socket.saved
            if not socket.has_widget:
                takes = not closed.get(socket.name)
            elif isinstance(widgets, dict):
                takes = bool(widgets.get(socket.name))
            else:
                # Old frontends saved inputs with a widget only if a person had made them inputs.
                takes = saved is not None
            if takes and (saved is None or self._source(node.inputs[saved]) is None):
                yield socket

    def sent_by(self, sender: Node) -> Iterator[_Broadcast]:
        """What a node broadcasts."""
        settings = _settings(sender)
        sources = list(self._offered(sender, settings))
        counts = Counter(link.type for _, link in sources)
        several = any(count > 1 for count in counts.values())
        priority = _priority(sender, settings, several=several)
        restricted = self._restrictions(sender, settings)
        expressions = (_pattern(settings, key) for key in ("title", "input", "group"))
        steps = 2 + sum(min(len(e), _LONGEST_EXPRESSION) for e in expressions) // 2
        for label, link in sources:
            by_name = counts[link.type] > 1 or bool(settings.get("apply_to_unrepeated"))
            named = [self._by_name(sender, settings, label)] if by_name else []
            yield _Broadcast(
                sender.id,
                link.origin,
                link.slot,
                link.type,
                priority,
                _all_of([*named, *restricted]),
                to_any=_is_set(settings.get("send_to_any")),
                to_choices=_is_set(settings.get("string_to_combo")),
                steps=steps + by_name * min(len(label), _LONGEST_EXPRESSION) // 2,
            )

    def _said(self, link: Mapping[str, Any] | None) -> _Broadcast | None:
        """The broadcast that made a link which the file lists, if it is still there."""
        kind = None if link is None else link.get("type")
        if link is None or not isinstance(kind, str):
            return None
        origin, controller = as_id(link.get("upstream")), as_id(link.get("controller"))
        slot = link.get("upstream_slot")
        if not isinstance(slot, (int, float)):
            return None
        place = (kind, origin, slot)
        return self._from.get(place if controller is None else (*place, controller))

    def _candidates(self, kind: str) -> list[_Broadcast]:
        """What an input of a type may get, the highest priority first."""
        ranked = self._ranked.get(kind)
        if ranked is None:
            found = self._sent.get(kind, [])
            if kind == "COMBO":
                found = [*found, *(s for s in self._sent.get("STRING", ()) if s.to_choices)]
            elif kind == "*":
                found = [s for every in self._sent.values() for s in every if s.to_any]
            ranked = self._ranked[kind] = sorted(found, key=lambda s: -s.priority)
        return ranked

    def _offered(self, sender: Node, settings: Mapping[str, Any]) -> Iterator[tuple[str, Link]]:
        """What a node has to broadcast, and what it calls it."""
        if sender.type == _SEED:
            yield "seed", Link(sender.id, 0, None, -1, "INT")
            return
        if not _is_own(sender):
            kept = as_mapping(settings.get("output_not_broadcasting"))
            for slot, saved in enumerate(sender.outputs):
                if not kept.get(_text(saved, "name")):
                    kind = sockets.output_type(sender, slot)
                    yield _text(saved, "label", "name"), Link(sender.id, slot, None, -1, kind)
            return
        for at, saved in enumerate(sender.inputs):
            source = self._source(saved)
            if source is None:
                continue
            origin = self._graph.nodes.get(source.origin)
            if source.origin == SUBGRAPH_INPUT or (origin is not None and _is_live(origin)):
                label = _text(saved, "label", "name")
                if sender.type == _PROMPTS:
                    label = "negative" if at else "positive"
                yield label, source._replace(type=self._type(source))

    def _source(self, socket: Mapping[str, Any]) -> Link | None:
        """The link that really feeds an input, past bypassed nodes; None if nothing does."""
        link = self._graph.link(socket)
        passed: dict[tuple[Id, int, str], None] = {}
        while link is not None and link.origin != SUBGRAPH_INPUT:
            origin = self._graph.nodes.get(link.origin)
            if origin is not None and origin.mode != BYPASSED:
                break
            key = (link.origin, link.slot, self._type(link))
            if origin is None or key in passed:
                link = None
            elif key in self._sources:
                link = self._sources[key]
                break
            else:
                passed[key] = None
                link = self._before(origin, link.slot, key[2])
        self._sources.update(dict.fromkeys(passed, link))
        return link

    def _before(self, bypassed: Node, slot: int, kind: str) -> Link | None:
        """The link to the input of a bypassed node that stands in for one of its outputs."""
        if bypassed.id not in self._sockets:
            all_of_it = sockets.inputs(bypassed)
            self._sockets[bypassed.id] = all_of_it, {s.type: s for s in reversed(all_of_it)}
        inputs, by_type = self._sockets[bypassed.id]
        same = inputs[slot] if 0 <= slot < len(inputs) else None
        taken = same if same is not None and same.type == kind else by_type.get(kind)
        if taken is None or taken.saved is None:
            return None
        return self._graph.link(bypassed.inputs[taken.saved])

    def _type(self, link: Link) -> str:
        """The type of what a link carries."""
        if link.type != "*":
            return link.type
        if link.origin == SUBGRAPH_INPUT and isinstance(self._graph, Definition):
            return self._graph.input_type(link.slot)
        origin = self._graph.nodes.get(link.origin)
        return "*" if origin is None else sockets.output_type(origin, link.slot)

    def _by_name(self, sender: Node, settings: Mapping[str, Any], label: str) -> Fits:
        """Where a node broadcasts a type more than once, names tell which value goes where."""
        if sender.type == _PROMPTS:
            expression = _PROMPT_NAMES[label]
            return lambda node, to: expression.search(_name(node, to, "label")) is not None
        match settings.get("repeated_type_rule"):
            case 1:
                return lambda node, to: _either(str.startswith, _name(node, to, "label"), label)
            case 2:
                return lambda node, to: _either(str.endswith, _name(node, to, "label"), label)
            case 3:
                return lambda node, _: node.title == label
            case 4 if (matches := self._expression({"label_regex": label}, "label")) is not None:
                return lambda node, to: matches(_name(node, to, "label"))
            case _:
                return lambda node, to: _name(node, to, "label") == label

    def _restrictions(self, sender: Node, settings: Mapping[str, Any]) -> list[Fits]:
        """What the nodes and inputs that a broadcast goes to must be."""
        tests: list[Fits] = []
        by_group = settings.get("group_restricted")
        if by_group in (1, 2):
            mine = self._groups_of.get(sender.id, set())
            tests.append(
                lambda node, _: mine.isdisjoint(self._groups_of.get(node.id, ())) is (by_group == 2)
            )
        by_color = settings.get("color_restricted")
        if by_color in (1, 2):
            color = sender.raw.get("color")
            tests.append(lambda node, _: (node.raw.get("color") == color) is (by_color == 1))
        group = self._expression(settings, "group")
        if group is not None:
            named = {at for at, title in enumerate(self._titles) if group(title)}
            self._spend(len(self._titles))
            tests.append(lambda node, _: not named.isdisjoint(self._groups_of.get(node.id, ())))
        title = self._expression(settings, "title")
        if title is not None:
            tests.append(lambda node, _: title((node.title or node.type)[:_LONGEST_NAME]))
        name = self._expression(settings, "input")
        if name is not None:
            tests.append(lambda node, socket: name(_name(node, socket, "label", "localized_name")))
        elif sender.type == _SEED:
            tests.append(lambda _, socket: "seed" in socket.name)
        return tests

    @cached_property
    def _titles(self) -> list[str]:
        """The titles of the groups that are drawn."""
        return [_text(group, "title") for group in objects(self._graph.raw.get("groups"))]

    @cached_property
    def _groups_of(self) -> Mapping[Id, set[int]]:
        """By node, the groups in which its middle lies."""
        groups = objects(self._graph.raw.get("groups"))
        self._spend(len(groups) * len(self._graph.nodes))
        inside: dict[Id, set[int]] = {}
        for node in self._graph.nodes.values():
            x, y = _numbers(node.raw.get("pos"), 2)
            w, h = _numbers(node.raw.get("size"), 2)
            for at, group in enumerate(groups):
                left, top, width, height = _numbers(group.get("bounding"), 4)
                if 0 <= x + w / 2 - left < width and 0 <= y + h / 2 - top < height:
                    inside.setdefault(node.id, set()).add(at)
        return inside

    def _expression(self, settings: Mapping[str, Any], key: str) -> Test | None:
        """A test for a regular expression; None if there is none.

        Expressions come from strangers, and Python may take for ever over one. Only simple ones are
        understood, which take no longer than the text is; others are taken to match.
        """
        pattern = _pattern(settings, key)
        if not pattern:
            return None
        few = pattern.split("|") if len(pattern) <= _LONGEST_EXPRESSION else [None]
        parts = [part and _PLAIN.fullmatch(part) for part in few]
        understood = [part for part in parts if part]
        if len(understood) < len(parts):
            self.untold[
                f"where a broadcast with the expression {quoted(pattern, 60)} goes: it is taken to"
                " reach what else fits"
            ] = None
            return None
        inverted = bool(settings.get(f"{key}_regex_invert"))
        return lambda text: any(_matches(part, text) for part in understood) is not inverted

    def _spend(self, steps: int) -> None:
        self._budget.spend(steps, TOO_TANGLED)


def _is_own(node: Node) -> bool:
    return node.type in (_SEED, _PROMPTS) or node.type.startswith(_PREFIX)


def _can_send(node: Node) -> bool:
    return _is_own(node) or bool(node.properties.get("ue_convert"))


def _is_live(node: Node) -> bool:
    return node.mode not in (MUTED, BYPASSED)


def _settings(sender: Node) -> Mapping[str, Any]:
    """What a node's broadcast is restricted to; before version 7, in its widgets."""
    settings = sender.properties.get("ue_properties")
    if isinstance(settings, dict) and settings.get("version"):
        return settings
    saved = sender.widgets_values
    texts = saved if isinstance(saved, list) and sender.type == f"{_PREFIX}?" else []
    keys = ("title_regex", "input_regex", "group_regex")
    return {**sender.properties, **dict(zip(keys, texts, strict=False))}


def _priority(sender: Node, settings: Mapping[str, Any], *, several: bool) -> float:
    """How it ranks among others: the more closely it says where it goes, the higher."""
    given = settings.get("priority")
    if isinstance(given, (int, float)) and given:
        return given
    restricted = any(_pattern(settings, key) for key in ("title", "input", "group"))
    return (
        10
        + 10 * (sender.type in (_SEED, _PROMPTS))
        + 20 * (restricted or several)
        + 3 * _is_set(settings.get("group_restricted"))
        + 6 * _is_set(settings.get("color_restricted"))
    )


def _either(test: Callable[[str, str], bool], one: str, other: str) -> bool:
    return test(one, other) or test(other, one)


def _all_of(tests: list[Fits]) -> Fits:
    return lambda node, socket: all(test(node, socket) for test in tests)


def _name(node: Node, socket: Socket, *keys: str) -> str:
    """What a person calls an input."""
    saved = {} if socket.saved is None else node.inputs[socket.saved]
    return (_text(saved, *keys) or socket.name)[:_LONGEST_NAME]


def _numbers(saved: object, count: int) -> list[float]:
    """The numbers of a place or size, saved as a list or as an object; what is none is 0."""
    values = saved if isinstance(saved, list) else list(as_mapping(saved).values())
    read = [
        v if type(v) in (int, float) and abs(v) < _LARGEST_NUMBER else 0 for v in values[:count]
    ]
    return [*read, *[0] * (count - len(read))]


def _pattern(settings: Mapping[str, Any], key: str) -> str:
    pattern = settings.get(f"{key}_regex")
    return pattern if isinstance(pattern, str) and pattern != ".*" else ""


def _matches(part: re.Match[str], text: str) -> bool:
    """Whether a text holds the pieces of an expression one behind the other."""
    start, body, end = part.groups()
    pieces = [""]
    at = 0
    for token in _GAP.finditer(body):
        pieces[-1] += body[at : token.start()] + (token[1] or "")
        at = token.end()
        if token[2]:
            pieces.append("")
    pieces[-1] += body[at:]
    if start and not text.startswith(pieces[0]):
        return False
    if end:
        at = len(text) - len(pieces[-1])
        if not text.endswith(pieces.pop()) or at < 0 or (start and not pieces and at > 0):
            return False
        text = text[:at]
    at = 0
    for piece in pieces:
        found = text.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    return True


def _text(saved: Mapping[str, Any], *keys: str) -> str:
    """The first of some keys that holds a text."""
    return next((v for key in keys if isinstance(v := saved.get(key), str) and v), "")


def _is_set(value: object) -> bool:
    return isinstance(value, (int, float)) and value > 0


PACK = Pack(
    name="Use Everywhere",
    folders=("use-everywhere",),
    seen="7.8",
    evidence="its js/use_everywhere_graph_analysis.js and js/use_everywhere_classes.js; a real"
    " 0.33.0 accepted what real frontends with it sent",
    virtual=frozenset({_PREFIX, f"{_PREFIX}?", f"{_PREFIX}3", _PROMPTS}),
    wiring=wiring,
)
