"""A saved workflow's JSON document: its nodes, its values, and copies of it that are edited."""

from __future__ import annotations

import json
from collections import deque
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import orjson

from comfywatchman.comfyui.names import last_part
from comfywatchman.workflow.graph import as_id, as_mapping, objects

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from comfywatchman.fixes.proposal import Edit, Pointer

_DEEPEST: Final = 3
"""Objects and lists within one another that a widget's value may be looked for in."""

Document = dict[str, Any]


def is_graph(document: Document) -> bool:
    """Whether it is as the frontend saves it; else it is a prompt."""
    return isinstance(document.get("nodes"), list)


def prompt_at(document: Document) -> Pointer:
    """Where the nodes of one that is a prompt stand."""
    inner = document.get("prompt")
    entries = inner.values() if isinstance(inner, dict) else ()
    bare = not any(isinstance(as_mapping(e).get("class_type"), str) for e in entries)
    return () if bare else ("prompt",)


def nodes(document: Document) -> Iterator[tuple[Pointer, dict[str, Any]]]:
    """Every node that is saved, in sub-graphs and recipes of group nodes too."""
    if not is_graph(document):
        at = prompt_at(document)
        for name, node in as_mapping(value_at(document, at)).items():
            if isinstance(node, dict):
                yield (*at, name), node
        return
    recipes = as_mapping(as_mapping(document.get("extra")).get("groupNodes"))
    graphs: list[tuple[Pointer, Any]] = [((), document)]
    graphs += [(("extra", "groupNodes", name), recipe) for name, recipe in recipes.items()]
    while graphs:
        at, graph = graphs.pop(0)
        entries = as_mapping(graph).get("nodes")
        listed = entries if isinstance(entries, list) else []
        pairs = entries.items() if isinstance(entries, dict) else enumerate(listed)
        for key, node in pairs:
            if isinstance(node, dict):
                yield (*at, "nodes", key), node
        inner = as_mapping(as_mapping(graph).get("definitions")).get("subgraphs")
        for n, definition in enumerate(inner if isinstance(inner, list) else ()):
            graphs.append(((*at, "definitions", "subgraphs", n), definition))


def path_to(document: Document, node_id: str) -> list[Pointer]:
    """Where a node of the prompt is saved, the innermost first, and the instances around it.

    Empty, or only as far as it goes, where ids were given anew.
    """
    if not is_graph(document):
        at = (*prompt_at(document), node_id)
        return [at] if isinstance(value_at(document, at), dict) else []
    homes: dict[Pointer, dict[object, Pointer]] = {}
    for at, node in nodes(document):
        homes.setdefault(at[:-2], {}).setdefault(as_id(node.get("id")), at)
    definitions = {
        name: home
        for home in homes
        if home and isinstance(name := as_mapping(value_at(document, home)).get("id"), str)
    }
    found: list[Pointer] = []
    home: Any = ()
    for part in node_id.split(":"):
        place = homes.get(home, {}).get(as_id(part))
        if place is None:
            break
        found.insert(0, place)
        node_type = as_mapping(value_at(document, place)).get("type")
        home = definitions.get(node_type) if isinstance(node_type, str) else None
    return found


def named_model(
    document: Document, wanted: str, near: Mapping[str, Any] | None = None
) -> Mapping[str, Any]:
    """What a workflow says of a model file: ``url``, ``hash`` and the like; most say nothing.

    Args:
        document: the workflow.
        wanted: the file's name.
        near: the node that has the first word.
    """
    names = (wanted, last_part(wanted))
    everywhere = (as_mapping(node.get("properties")) for _, node in nodes(document))
    for place in chain((as_mapping((near or {}).get("properties")), document), everywhere):
        for model in objects(place.get("models")):
            if model.get("name") in names:
                return model
    return {}


def values(node: dict[str, Any], *, of_prompt: bool) -> Iterator[tuple[Pointer, Any]]:
    """Every value that a saved node gives its inputs, and what is in it."""
    key = "inputs" if of_prompt else "widgets_values"
    waiting: deque[tuple[Pointer, Any]] = deque([((key,), node.get(key))])
    while waiting:
        at, value = waiting.popleft()
        if len(at) > 1:
            yield at, value
        if len(at) > _DEEPEST:
            continue
        if isinstance(value, dict):
            waiting += [((*at, name), inner) for name, inner in value.items()]
        elif isinstance(value, list):
            waiting += [((*at, n), inner) for n, inner in enumerate(value)]


def value_at(document: Any, pointer: Pointer) -> Any:
    """What stands at a place; None if there is none."""
    for key in pointer:
        try:
            document = document[key]
        except (KeyError, IndexError, TypeError):
            return None
    return document


def edited(document: Document, edits: Iterable[Edit]) -> Document:
    """A copy with some values set; what is not on the way to them is shared."""
    for edit in edits:
        document = _with(document, edit.pointer, edit.after)
    return document


def _with(container: Any, pointer: Pointer, value: Any) -> Any:
    if not pointer:
        return value
    copy = container.copy()
    copy[pointer[0]] = _with(container[pointer[0]], pointer[1:], value)
    return copy


def dump(document: Document) -> bytes:
    """It as JSON, however it is written."""
    try:
        return orjson.dumps(document)
    except TypeError:  # an integer that is larger than any number of the browser's
        return json.dumps(document).encode()
