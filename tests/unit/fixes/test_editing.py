"""Setting one value of a JSON text leaves every other byte as it is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfywatchman.fixes import editing
from comfywatchman.fixes.proposal import Edit, Pointer
from comfywatchman.workflow.load import load
from comfywatchman.workflow.prompt import WorkflowError


def set_value(raw: bytes, pointer: Pointer, after: Any, **more: Any) -> bytes:
    before = more.get("before", editing.value_at(load(raw), pointer))
    return editing.edited(raw, [Edit(pointer, before, after)], max_depth=200)


@pytest.mark.parametrize(
    ("before", "pointer", "after", "expected"),
    [
        (b'{"b": 1.0, "a": "x"}\n', ("a",), "y", b'{"b": 1.0, "a": "y"}\n'),
        (
            b'{"n":12345678901234567890123,"m":1e5,"k":-0.0,"a":[1,"x" ] }',
            ("a", 1),
            "y",
            b'{"n":12345678901234567890123,"m":1e5,"k":-0.0,"a":[1,"y" ] }',
        ),
        (
            b'\xef\xbb\xbf{\r\n\t"a" :\t"x" ,\r\n\t"b":NaN}\r\n',
            ("a",),
            None,
            b'\xef\xbb\xbf{\r\n\t"a" :\tnull ,\r\n\t"b":NaN}\r\n',
        ),
        (
            b'{"a":{"b":"first"},"a":{"b":"last","b":"x"}}',
            ("a", "b"),
            "y",
            b'{"a":{"b":"first"},"a":{"b":"last","b":"y"}}',
        ),
        (
            b'{"caf\\u00e9":"\\u00e9","x":"e"}',
            ("x",),
            "\xe9",
            b'{"caf\\u00e9":"\\u00e9","x":"\\u00e9"}',
        ),
        (b'{"caf\\u00e9":"e"}', ("caf\xe9",), "x", b'{"caf\\u00e9":"x"}'),
        ('{"x":"\xe9"}'.encode(), ("x",), "\xe8", '{"x":"\xe8"}'.encode()),
        (b'{"x":"e"}', ("x",), "\xe8", '{"x":"\xe8"}'.encode()),
        (rb'{"x":"a\/b"}', ("x",), "c/d", rb'{"x":"c\/d"}'),
        (b'{"x":"a"}', ("x",), "\ud800\n", b'{"x":"\\ud800\\n"}'),
        (b'{"\xff":"a","b":"c"}', ("b",), "d", b'{"\xff":"a","b":"d"}'),
        (b'{"\xff":"a"}', ("\ufffd",), "d", b'{"\xff":"d"}'),
        (b'{"\\ud800":"a"}', ("\ufffd",), "d", b'{"\\ud800":"d"}'),
        (b'{"a]}\\"":[[],{},"}"]}', ('a]}"', 2), 1, b'{"a]}\\"":[[],{},1]}'),
        (b'{"x": [1]}', ("x",), [1, 2], b'{"x": [1, 2]}'),
        (b'{"x":[1]}', ("x",), {"a": 2, "b": 3}, b'{"x":{"a":2,"b":3}}'),
        (
            b'{\n  "x": [\n    1\n  ]\n}',
            ("x",),
            [1, [2]],
            b'{\n  "x": [\n    1,\n    [\n      2\n    ]\n  ]\n}',
        ),
    ],
)
def test_only_the_value_changes(
    before: bytes, pointer: Pointer, after: Any, expected: bytes
) -> None:
    assert set_value(before, pointer, after) == expected


def test_several_at_once() -> None:
    raw = b'{"a": ["x", {"b": true}], "c": 1}'
    edits = [Edit(("c",), 1, 22), Edit(("a", 1, "b"), True, "long"), Edit(("a", 0), "x", "")]
    assert editing.edited(raw, edits, max_depth=9) == b'{"a": ["", {"b": "long"}], "c": 22}'


@pytest.mark.parametrize(
    ("pointer", "before", "says"),
    [
        (("a", 0), "other", "another value"),
        (("a", 0), True, "another value"),
        (("a", 9), 1, "no value a[9]"),
        (("a", -1), 1, "no value"),
        (("b",), 1, "no value b"),
        (("a", "0"), 1, "no value"),
        ((), 1, "no value"),
    ],
)
def test_what_is_not_there_is_not_set(pointer: Pointer, before: Any, says: str) -> None:
    with pytest.raises(editing.NotEditedError, match=says.replace("[", r"\[")):
        editing.edited(b'{"a":[1]}', [Edit(pointer, before, 2)], max_depth=9)


def test_of_two_values_in_one_another_none_is_set() -> None:
    edits = [Edit(("a",), [1], [2]), Edit(("a", 0), 2, 3)]
    with pytest.raises(editing.NotEditedError, match="in the other"):
        editing.edited(b'{"a":[1]}', edits, max_depth=9)


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b'{"a":', b'{"a":' + b"[" * 300 + b"]" * 300 + b"}", b"\x00" * 9]
)
def test_what_is_no_workflow_is_refused(raw: bytes) -> None:
    with pytest.raises(WorkflowError):
        editing.edited(raw, [Edit(("a",), 1, 2)], max_depth=200)


def test_a_chain_of_keys_that_stand_there_twice_is_read_once() -> None:
    inner = b'"x"'
    for _ in range(60):
        inner = b'{"a":0,"a":' + inner + b"}"
    pointer = ("a",) * 60
    assert set_value(inner, pointer, "y") == inner.replace(b'"x"', b'"y"')


TEXTS = st.text(st.characters(codec="utf-8"), max_size=6)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4)
)
DOCUMENTS = st.dictionaries(TEXTS, VALUES, min_size=1, max_size=5)
STYLES = st.fixed_dictionaries(
    {
        "ensure_ascii": st.booleans(),
        "indent": st.sampled_from([None, 0, 2, "\t"]),
        "separators": st.sampled_from([None, (",", ":"), (" , ", " : ")]),
    }
)


def pointers(value: Any, above: Pointer = ()) -> list[Pointer]:
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    found: list[Pointer] = []
    for step, below in entries:
        found.append((*above, step))
        if isinstance(below, dict | list):
            found += pointers(below, (*above, step))
    return found


def canonical(value: Any) -> str:
    return json.dumps(value)


@given(DOCUMENTS, STYLES, VALUES, st.sampled_from(["", "\n", "\r\n "]), st.data())
def test_random_documents(
    document: dict[str, Any], style: dict[str, Any], after: Any, tail: str, data: st.DataObject
) -> None:
    raw = (json.dumps(document, **style) + tail).encode()
    read = load(raw)
    pointer = data.draw(st.sampled_from(pointers(read)))
    span = editing.spans(raw, [pointer])[pointer]
    new = set_value(raw, pointer, after)
    assert new[: span.begin] == raw[: span.begin]
    rest = len(raw) - span.end
    assert new[len(new) - rest :] == raw[span.end :]
    again = load(new)
    assert canonical(editing.value_at(again, pointer)) == canonical(
        load(json.dumps({"v": after}).encode())["v"]
    )
    above = editing.value_at(again, pointer[:-1])
    above[pointer[-1]] = editing.value_at(read, pointer)
    assert canonical(again) == canonical(read)
    back = set_value(new, pointer, editing.value_at(read, pointer), before=after)
    assert canonical(load(back)) == canonical(read)
