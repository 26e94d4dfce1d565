"""Where in a saved workflow the value of a node's input stands.

What the frontend sends for an input may stand in the node, in an instance of the sub-graph that it
is in, in a node that hands its value on. Which it is decides the conversion itself: a value that
equals the one sent is set to the other, and it was the one if what is sent then is the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from comfywatchman.checks.engine.declared import DYNAMIC_COMBO
from comfywatchman.fixes.document import edited, is_graph, nodes, path_to, value_at, values
from comfywatchman.fixes.fault import ABSENT, unwrapped
from comfywatchman.fixes.proposal import Edit
from comfywatchman.workflow.budget import Budget
from comfywatchman.workflow.convert import convert
from comfywatchman.workflow.graph import as_mapping
from comfywatchman.workflow.prompt import WorkflowError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfywatchman.fixes.document import Document
    from comfywatchman.fixes.fault import Fault
    from comfywatchman.fixes.proposal import Pointer

_MOST_TRIED: Final = 12
"""Places that are tried for one value."""


def find(fault: Fault, after: Any) -> tuple[Edit, ...] | None:
    """The edits by which the input that a fault is about is set to another value.

    Args:
        fault: what is wrong.
        after: the other value.

    Returns:
        None if its value stands nowhere in the file, or nowhere that it could be set alone.
    """
    if fault.value is ABSENT or fault.input is None:
        return None
    for tried, (pointer, before) in enumerate(_places(fault)):
        if tried == _MOST_TRIED:
            break
        edits = (Edit(pointer, before, after), *_named(fault, pointer, before, after))
        if _does_that(fault, edits, after):
            return edits
    return None


def _places(fault: Fault) -> Iterator[tuple[Pointer, Any]]:
    """The places that hold the value, the likeliest first."""
    of_prompt = not is_graph(fault.document)
    near = path_to(fault.document, fault.node_id)
    if of_prompt:
        for home in near:
            pointer = (*home, "inputs", fault.input or "", *fault.keys)
            yield pointer, value_at(fault.document, pointer)
        return
    everywhere = [at for at, _ in nodes(fault.document) if at not in near]
    alike: list[tuple[Pointer, Any]] = []
    for home in (*near, *everywhere):
        node = value_at(fault.document, home)
        for at, value in values(node, of_prompt=False):
            if _is_same(value, fault.value):
                yield (*home, *at), value
            elif _is_alike(value, fault.value):
                alike.append(((*home, *at), value))
    yield from alike


def _named(fault: Fault, pointer: Pointer, before: Any, after: Any) -> Iterator[Edit]:
    """The same value, where a node saves it by name too."""
    if "widgets_values" not in pointer:
        return
    home = pointer[: pointer.index("widgets_values")]
    named = as_mapping(as_mapping(value_at(fault.document, home)).get("widgets_values_named"))
    same = [name for name, value in named.items() if _is_same(value, before)]
    wanted = [name for name in same if name == fault.input] or same
    if len(wanted) == 1:
        yield Edit((*home, "widgets_values_named", wanted[0]), before, after)


def _does_that(fault: Fault, edits: tuple[Edit, ...], after: Any) -> bool:
    """Whether an edit changes what is sent for the input, and else only what had its value too."""
    try:
        content: Document = edited(fault.document, edits)
        conversion = convert(content, fault.here.world.catalog, Budget(len(fault.saved.raw)))
    except WorkflowError:
        return False
    prompt = conversion.prompt if conversion.meant is None else conversion.meant
    changed = set()
    if prompt.keys() != fault.prompt.keys():
        return False
    for node_id, node in fault.prompt.items():
        new = prompt[node_id]
        if new is node or new == node:
            continue
        was, now = (
            as_mapping(as_mapping(node).get("inputs")),
            as_mapping(as_mapping(new).get("inputs")),
        )
        turned = {
            name
            for name in was.keys() & now.keys()
            if was[name] != now[name] or type(was[name]) is not type(now[name])
        }
        right = {name for name in turned if _turned(was[name], now[name], fault, after)}
        others = (was.keys() ^ now.keys()) | (turned - right)
        # A choice may open up other inputs, and so give all values of its node another meaning.
        if not right or (others and fault.type != DYNAMIC_COMBO):
            return False
        changed |= {(node_id, name) for name in right}
    return (fault.node_id, fault.input) in changed


def _turned(was: Any, now: Any, fault: Fault, after: Any) -> bool:
    for key in fault.keys:
        was, now = as_mapping(was).get(key), as_mapping(now).get(key)
    return _is_alike(unwrapped(was), fault.value) and _is_alike(unwrapped(now), after)


def _is_same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _is_alike(one: Any, other: Any) -> bool:
    """Whether two values may be the same but for how they are saved."""
    one, other = unwrapped(one), unwrapped(other)
    if _is_same(one, other):
        return True
    plain = (str, int, float)
    if isinstance(one, plain) and isinstance(other, plain):
        return str(one) == str(other) or (not isinstance(one, str) and one == other)
    return False
