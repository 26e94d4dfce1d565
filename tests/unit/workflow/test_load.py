from __future__ import annotations

import json
import math

import pytest

from comfywatchman.workflow.load import MAX_DEPTH, load
from comfywatchman.workflow.prompt import WorkflowError


def refusal(raw: bytes) -> str:
    with pytest.raises(WorkflowError) as caught:
        load(raw)
    finding = caught.value.finding
    assert finding.message
    assert finding.fix
    assert "\n" not in finding.message
    return finding.code


def nested(depth: int, opener: str = "[", closer: str = "]") -> bytes:
    return f'{{"a": {opener * (depth - 1)}{closer * (depth - 1)}}}'.encode()


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "workflow_empty"),
        (b" \n\t ", "workflow_empty"),
        (b'{"nodes": [', "workflow_truncated"),
        (b'{"nodes": [{"title": "half a ti', "workflow_truncated"),
        (b'{"nodes": []', "workflow_truncated"),
        (b'{"nodes": [] "links": []}', "workflow_not_json"),
        (b"nodes: []", "workflow_not_json"),
        (b'{"nodes": []} {"nodes": []}', "workflow_not_json"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "workflow_is_binary"),
        (b"PK\x03\x04rest", "workflow_is_binary"),
        (b"\x1f\x8b\x08rest", "workflow_is_binary"),
        (b"RIFF\x00\x00\x00\x00WEBP", "workflow_is_binary"),
        (b"abc\x00\x01\x02", "workflow_is_binary"),
        (b"<!DOCTYPE html><html></html>", "workflow_is_html"),
        (b"\n <html><body>404</body></html>", "workflow_is_html"),
        (b"version https://git-lfs.github.com/spec/v1\noid x", "workflow_is_lfs_pointer"),
        ('{"nodes": []}'.encode("utf-16"), "workflow_not_utf8"),
        ('{"nodes": []}'.encode("utf-16-le"), "workflow_not_utf8"),
        ('{"nodes": []}'.encode("utf-16-be"), "workflow_not_utf8"),
        ('{"nodes": []}'.encode("utf-32"), "workflow_not_utf8"),
        (b"[1, 2]", "not_a_workflow"),
        (b'"text"', "not_a_workflow"),
        (b"null", "not_a_workflow"),
        (b"true", "not_a_workflow"),
        (b"3.5", "not_a_workflow"),
        (b"NaN", "not_a_workflow"),
        (nested(MAX_DEPTH + 1), "workflow_too_deep"),
        (nested(100_000), "workflow_too_deep"),
        (b"[" * 1_000_000, "workflow_too_deep"),
        (b'{"a":' * 1_000_000, "workflow_too_deep"),
    ],
)
def test_what_is_no_workflow_is_named(raw: bytes, code: str) -> None:
    assert refusal(raw) == code


def test_the_message_names_the_place() -> None:
    with pytest.raises(WorkflowError, match="line 2, column 10"):
        load(b'{\n"nodes": nope}')


def test_depth_is_counted_exactly() -> None:
    assert load(nested(MAX_DEPTH))
    assert load(nested(3), max_depth=3)
    with pytest.raises(WorkflowError):
        load(nested(4), max_depth=3)


@pytest.mark.parametrize("limit", [10, 199, 200, 253, 254, 255, 256, 500])
@pytest.mark.parametrize(("opener", "closer"), [("[", "]"), ('[1, {"b":', "}, 2]")])
@pytest.mark.parametrize("beside", ["1", "18446744073709551616", "[" * 9 + "]" * 9])
@pytest.mark.parametrize("inside", ["1", "[]", "{}", '{"c": null}'])
def test_depth_is_counted_exactly_at_every_limit(
    limit: int, opener: str, closer: str, beside: str, inside: str
) -> None:
    def with_depth(depth: int) -> bytes:
        leaf = inside if inside != "1" else "[1]"
        rounds, rest = divmod(depth - 2, opener.count("[") + opener.count("{"))
        text = f"{opener * rounds}{'[' * rest}{leaf}{']' * rest}{closer * rounds}"
        return f'{{"a": {text}, "x": {beside}}}'.encode()

    assert load(with_depth(limit), max_depth=limit)
    with pytest.raises(WorkflowError, match=f"more than {limit} deep"):
        load(with_depth(limit + 1), max_depth=limit)


def test_depth_is_counted_before_a_lenient_parser_sees_the_text() -> None:
    deep = nested(5000).replace(b'{"a"', b'{"x": NaN, "a"')
    assert refusal(deep) == "workflow_too_deep"


def test_brackets_in_strings_are_no_depth() -> None:
    text = "[{" * 1000 + '\\"' + "[" * 1000
    raw = b'{"x": NaN, "text": ' + json.dumps(text).encode() + b"}"
    assert load(raw)["text"] == text


@pytest.mark.parametrize("raw", [b'{"a": NaN}', b'{"a": Infinity}', b'{"a": -Infinity}'])
def test_numbers_that_json_has_not_are_read(raw: bytes) -> None:
    assert isinstance(load(raw)["a"], float)


def test_a_byte_order_mark_is_ignored() -> None:
    assert load(b'\xef\xbb\xbf{"nodes": []}') == {"nodes": []}


def test_halves_of_surrogate_pairs_are_replaced() -> None:
    assert load(rb'{"a\ud800": ["\udfff", "\ud83d\ude00"]}') == {"a\ufffd": ["\ufffd", "😀"]}


def test_halves_of_surrogate_pairs_are_replaced_at_the_greatest_depth() -> None:
    depth = 498
    opened = rb'{"a\ud800": ' * depth
    document = load(b'{"nodes": ' + opened + rb'["\ud800"]' + b"}" * (depth + 1), max_depth=500)
    text = json.dumps(document, ensure_ascii=False)
    assert "\ud800" not in text
    assert text.count("\ufffd") == depth + 1


def test_invalid_utf8_is_replaced() -> None:
    assert load(b'{"a": "x\xffy"}') == {"a": "x\ufffdy"}


def test_of_duplicate_keys_the_last_counts() -> None:
    assert load(b'{"a": 1, "a": 2}') == {"a": 2}
    assert load(b'{"a": 1, "a": 2, "b": NaN}')["a"] == 2


def test_huge_numbers_are_read() -> None:
    assert load(b'{"a": 123456789012345678901234567890}')["a"] == pytest.approx(1.2345678901e29)
    for huge in (b"1e400", b"9" * 5000):
        assert load(b'{"a": ' + huge + b"}")["a"] == math.inf


def test_an_integer_that_no_float_can_hold_stays_one() -> None:
    assert load(b'{"a": ' + b"9" * 401 + b"}")["a"] == int("9" * 401)
    assert load(b'{"a": NaN, "b": 18446744073709551615}')["b"] == 2**64 - 1
    assert type(load(b'{"a": NaN, "b": 18446744073709551616}')["b"]) is float
