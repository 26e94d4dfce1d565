"""A plan as people read it."""

from __future__ import annotations

import difflib
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from comfywatchman.fixes import editing, showing
from comfywatchman.fixes.planning import Shown
from comfywatchman.fixes.proposal import Edit
from comfywatchman.results import Verdict

VERDICTS = (Verdict.BROKEN, Verdict.RUNNABLE)


def shown(raw: bytes, *edits: Edit) -> Shown:
    after = editing.edited(raw, edits, max_depth=200)
    return Shown("/flows/a.json", raw, after, edits, VERDICTS, [])


def diff(raw: bytes, *edits: Edit) -> list[str]:
    return list(showing.diff(shown(raw, *edits)))


def test_a_file_with_short_lines_is_shown_line_by_line() -> None:
    raw = json.dumps({"a": [1, 2, 3], "b": "x", "c": {"d": 4}}, indent=1).encode()
    assert diff(raw, Edit(("b",), "x", "y")) == [
        "--- /flows/a.json",
        "+++ /flows/a.json",
        "@@ -4,7 +4,7 @@",
        "   2,",
        "   3",
        "  ],",
        '- "b": "x",',
        '+ "b": "y",',
        '  "c": {',
        '   "d": 4',
        "  }",
    ]


def test_a_file_of_one_long_line_is_shown_by_value() -> None:
    node = {"id": 7, "type": "KSampler", "widgets_values": ["x" * 300, "euler"]}
    raw = json.dumps({"nodes": [node]}).encode()
    edit = Edit(("nodes", 0, "widgets_values", 1), "euler", "heun")
    assert diff(raw, edit) == [
        "--- /flows/a.json",
        "+++ /flows/a.json",
        "@@ nodes[0].widgets_values[1] (node 7, KSampler) @@",
        '-"euler"',
        '+"heun"',
    ]


def test_nothing_acts_on_the_reader_s_screen() -> None:
    raw = json.dumps({"a": "\x1b[2J\u202e", "n": "\u202e" * 300}, ensure_ascii=False).encode()
    for line in diff(raw, Edit(("a",), "\x1b[2J\u202e", "\x1b]0;x\x07\n")):
        assert line.isprintable()


def test_lines_beside_one_another_are_one_hunk() -> None:
    raw = b'{"a":\n1,\n"b":\n2}'
    assert diff(raw, Edit(("a",), 1, 3), Edit(("b",), 2, 4))[2:] == [
        "@@ -1,4 +1,4 @@",
        ' {"a":',
        "-1,",
        "+3,",
        ' "b":',
        "-2}",
        "+4}",
    ]


SCALARS = st.integers(0, 99) | st.text("ab", max_size=3)
LISTS = st.lists(SCALARS, min_size=1, max_size=40)


@given(LISTS, st.data())
def test_hunks_say_what_a_unified_diff_says(values: list[Any], data: st.DataObject) -> None:
    raw = json.dumps({"v": values}, indent=data.draw(st.sampled_from([0, 2]))).encode() + b"\n"
    places = data.draw(st.sets(st.integers(0, len(values) - 1), min_size=1, max_size=5))
    edits = [Edit(("v", n), values[n], ["new", n]) for n in sorted(places)]
    mine = shown(raw, *edits)
    found = list(showing.diff(mine))[2:]
    before, after = (each.decode().splitlines() for each in (mine.before, mine.after))
    real = list(difflib.unified_diff(before, after, lineterm=""))[2:]
    heads = [line for line in found if line.startswith("@@")]
    assert len(heads) == len([line for line in real if line.startswith("@@")])
    for head, (begin, end) in zip(heads, hunks(found), strict=True):
        first, count = head.split()[1][1:].split(",")
        part = [line[1:] for line in found[begin:end] if line[0] in " -"]
        assert part == before[int(first) - 1 : int(first) - 1 + int(count)]
        first, count = head.split()[2][1:].split(",")
        part = [line[1:] for line in found[begin:end] if line[0] in " +"]
        assert part == after[int(first) - 1 : int(first) - 1 + int(count)]


def hunks(lines: list[str]) -> list[tuple[int, int]]:
    starts = [n for n, line in enumerate(lines) if line.startswith("@@")]
    return [(n + 1, m) for n, m in zip(starts, [*starts[1:], len(lines)], strict=True)]
