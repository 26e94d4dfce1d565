"""A plan as people read it: what changes in each file, as a diff, and what is left to them."""

from __future__ import annotations

import json
import shlex
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from comfywatchman.escape import visible
from comfywatchman.fixes import download_hosts, editing
from comfywatchman.workflow.load import load

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from comfywatchman.fixes.plan import Plan, PlannedFix
    from comfywatchman.fixes.planning import Shown
    from comfywatchman.fixes.proposal import Pointer

_CONTEXT: Final = 3
_LONGEST_LINE: Final = 240
"""Characters of a line that a person can compare; a file with longer ones is shown by value."""
_LONGEST_VALUE: Final = 1_500


def lines(plan: Plan, shown: Sequence[Shown]) -> Iterator[str]:
    """All of a plan, each line safe to print."""
    for each in shown:
        was, then = each.verdicts
        yield f"{visible(each.workflow)}: {was} -> {then}"
        for fix in each.fixes:
            yield f"  [{fix.confidence}] {fix.id} {fix.text}"
            if fix.proof is not None:
                yield f"    {fix.proof}"
        yield from diff(each)
        yield from _commands(each.fixes)
        yield ""
    if plan.by_hand:
        yield "For a person:"
        for hand in plan.by_hand:
            why = f" ({hand.why})" if hand.why else ""
            yield f"  {visible(hand.workflow)}: [{hand.confidence}] {hand.text}{why}"
            if hand.command is not None:
                yield f"    {hand.command}"
        yield ""
    for title, sentences in (("Not written", plan.not_written), ("Not seen", plan.not_checked)):
        yield from (f"{title}: {sentence}" for sentence in sentences)


def diff(shown: Shown, max_depth: int = 10_000) -> Iterator[str]:
    """What changes in a workflow's file: a unified diff, or by value where lines are too long."""
    if not shown.edits:
        return
    name = visible(shown.workflow)
    yield f"--- {name}"
    yield f"+++ {name}"
    by_line = list(_by_line(shown))
    if any(len(line) > _LONGEST_LINE for line in by_line):
        yield from _by_value(shown, max_depth)
    else:
        yield from by_line


def _by_line(shown: Shown) -> Iterator[str]:
    pointers = [edit.pointer for edit in shown.edits]
    old, new = (editing.spans(raw, pointers) for raw in (shown.before, shown.after))
    ranges: list[tuple[int, int, int, int]] = []
    for pointer in sorted(old, key=lambda each: old[each].begin):
        lines_of = (
            *_lines_of(shown.before, old[pointer]),
            *_lines_of(shown.after, new[pointer]),
        )
        if ranges and lines_of[0] <= ranges[-1][1] + 1:  # the same line, or the next
            ranges[-1] = (ranges[-1][0], lines_of[1], ranges[-1][2], lines_of[3])
        else:
            ranges.append(lines_of)
    before, after = (_text_lines(raw) for raw in (shown.before, shown.after))
    ends = [
        n
        for n, (one, other) in enumerate(pairwise(ranges), 1)
        if other[0] - one[1] > 2 * _CONTEXT + 1
    ]
    for begin, end in pairwise([0, *ends, len(ranges)]):
        hunk = ranges[begin:end]
        first, last = max(0, hunk[0][0] - _CONTEXT), min(len(before), hunk[-1][1] + 1 + _CONTEXT)
        shift = hunk[0][2] - hunk[0][0]
        grown = (hunk[-1][3] - hunk[0][2]) - (hunk[-1][1] - hunk[0][0])
        yield (f"@@ -{first + 1},{last - first} +{first + shift + 1},{last - first + grown} @@")
        at = first
        for old_first, old_last, new_first, new_last in hunk:
            yield from (f" {line}" for line in before[at:old_first])
            yield from (f"-{line}" for line in before[old_first : old_last + 1])
            yield from (f"+{line}" for line in after[new_first : new_last + 1])
            at = old_last + 1
        yield from (f" {line}" for line in before[at:last])


def _lines_of(raw: bytes, span: editing.Span) -> tuple[int, int]:
    first = raw.count(b"\n", 0, span.begin)
    return first, first + raw.count(b"\n", span.begin, span.end)


def _text_lines(raw: bytes) -> list[str]:
    text = raw.decode(errors="replace").removesuffix("\n")
    return [visible(line.removesuffix("\r").expandtabs(4)) for line in text.split("\n")]


def _by_value(shown: Shown, max_depth: int) -> Iterator[str]:
    document = load(shown.before, max_depth=max_depth)
    for edit in shown.edits:
        yield f"@@ {editing.shown(edit.pointer)}{_node(document, edit.pointer)} @@"
        yield f"-{_value(edit.before)}"
        yield f"+{_value(edit.after)}"


def _node(document: Any, pointer: Pointer) -> str:
    """Which node a pointer leads into, as people know it."""
    for length in range(len(pointer), 0, -1):
        node = editing.value_at(document, pointer[:length])
        if isinstance(node, dict) and isinstance(
            kind := node.get("type", node.get("class_type")), str
        ):
            name = node.get("id", pointer[length - 1])
            return f" (node {visible(str(name), limit=50)}, {visible(kind, limit=100)})"
    return ""


def _value(value: Any) -> str:
    return visible(json.dumps(value, ensure_ascii=False), limit=_LONGEST_VALUE)


def _commands(fixes: Sequence[PlannedFix]) -> Iterator[str]:
    """What is done beside the edits, as the commands that would do it."""
    for fix in fixes:
        if fix.link is not None:
            names = (shlex.quote(visible(p)) for p in (fix.link.source.real, fix.link.target))
            yield f"+ ln {' '.join(names)}"
        if fix.download is not None:
            size = "" if fix.download.size is None else f" ({fix.download.size:,} bytes)"
            url = download_hosts.shown(fix.download.url)
            target = visible(fix.download.target)
            yield f"+ only with --allow-download: {url}{size} to {target}"
