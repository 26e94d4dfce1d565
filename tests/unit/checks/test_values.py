"""Values as the server reads them: numbers, switches, text, ranges."""

from __future__ import annotations

from typing import Any

import pytest

from comfywatchman.results import FixKind, Severity, Verdict
from tests.unit.checks.judging import PACK, codes, judged_input, only

NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("INT", 7),
        ("INT", True),
        ("INT", 7.0),
        ("INT", 10**400),
        ("FLOAT", 1),
        ("FLOAT", 1.5),
        ("FLOAT", True),
        ("BOOLEAN", None),
        ("BOOLEAN", {}),
        ("BOOLEAN", 0),
        ("STRING", "text"),
        ("STRING", 1.5),
        ("STRING", True),
        ("STRING", {"__value__": ["a", "b"]}),
        ("SOMETHING_ELSE", {"any": "thing"}),
    ],
)
def test_what_the_server_reads(kind: str, value: Any) -> None:
    judgement = judged_input([kind, {}], value)
    assert judgement.verdict is Verdict.RUNNABLE
    assert judgement.findings == []


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("INT", None),
        ("INT", ""),
        ("INT", "euler"),
        ("INT", "7.5"),
        ("INT", NAN),
        ("INT", INFINITE),
        ("INT", {}),
        ("INT", {"__value__": [1]}),
        ("INT", "9" * 5000),
        ("FLOAT", None),
        ("FLOAT", "euler"),
        ("FLOAT", 10**400),
    ],
)
@pytest.mark.parametrize("module", ["nodes", PACK])
def test_what_it_cannot_read(kind: str, value: Any, module: str) -> None:
    judgement = judged_input([kind, {}], value, module=module)
    assert judgement.verdict is Verdict.BROKEN
    assert codes(judgement) == ["invalid_input_type"]


def test_an_unreadable_value_says_what_is_wanted() -> None:
    finding = only(judged_input(["INT", {"min": 1, "max": 10}], "euler", name="steps"))
    assert finding.message == "input 'steps' takes a whole number, not 'euler'"
    assert finding.fix is not None
    assert finding.fix.startswith("Set it to a whole number from 1 to 10;")


@pytest.mark.parametrize(
    ("kind", "options", "value", "code"),
    [
        ("INT", {"min": 16}, 15, "value_smaller_than_min"),
        ("INT", {"min": 16}, 15.9, "value_smaller_than_min"),
        ("INT", {"min": 16}, "15", "value_smaller_than_min"),
        ("INT", {"max": 2**64 - 1}, 2**64, "value_bigger_than_max"),
        ("FLOAT", {"max": 10.0}, INFINITE, "value_bigger_than_max"),
        ("FLOAT", {"min": 0.01, "max": 8.0}, 0, "value_smaller_than_min"),
        ("BOOLEAN", {"min": 1}, False, "value_smaller_than_min"),
        ("CUSTOM", {"max": 5}, 6, "value_bigger_than_max"),
    ],
)
def test_out_of_range(kind: str, options: dict[str, Any], value: Any, code: str) -> None:
    judgement = judged_input([kind, options], value)
    assert judgement.verdict is Verdict.BROKEN
    assert only(judgement).code == code


@pytest.mark.parametrize(
    ("kind", "options", "value"),
    [
        ("INT", {"min": 16, "max": 16}, 16),
        ("INT", {"max": 2**64 - 1}, 2**64 - 1),
        ("FLOAT", {"min": 0.0, "max": 1.0}, NAN),
        ("INT", {"step": 8}, 7),
    ],
)
def test_in_range(kind: str, options: dict[str, Any], value: Any) -> None:
    assert judged_input([kind, options], value).verdict is Verdict.RUNNABLE


def test_the_limit_is_named() -> None:
    finding = only(judged_input(["INT", {"min": 16}], 8, name="width"))
    assert finding.message == "input 'width' is 8, below its minimum 16"
    assert finding.fix == "Set 'width' to 16 or more."


def test_a_custom_node_may_allow_what_is_out_of_range() -> None:
    judgement = judged_input(["INT", {"min": 16}], 8, module=PACK)
    assert judgement.verdict is Verdict.UNKNOWN
    assert only(judgement).severity is Severity.WARNING
    assert judgement.not_checked[0] == (
        "whether the server accepts input 'value' of node '1' (Tested): "
        "a custom node may allow values outside the range it declares"
    )


def test_what_cannot_be_compared_breaks_the_validation() -> None:
    judgement = judged_input(["CUSTOM", {"min": 1}], "text")
    assert judgement.verdict is Verdict.BROKEN
    assert codes(judgement) == ["exception_during_inner_validation"]
    assert judged_input(["CUSTOM", {"min": 1}], "text", module=PACK).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("declaration", "value", "code", "message"),
    [
        (
            ["INT", {}],
            16.9,
            "number_truncated",
            "input 'value' takes a whole number; the server makes 16 of 16.9",
        ),
        (
            ["INT", {}],
            "  7 ",
            "text_as_number",
            "input 'value' takes a number; the server makes 7 of '  7 '",
        ),
        (
            ["FLOAT", {"min": 0.0}],
            "nan",
            "text_as_number",
            "input 'value' takes a number; the server makes nan of 'nan'",
        ),
        (
            ["BOOLEAN", {}],
            "false",
            "text_as_boolean",
            "input 'value' takes true or false; the server takes 'false' for true",
        ),
        (
            ["STRING", {}],
            None,
            "null_as_text",
            "input 'value' holds null, of which the server makes the text 'None'",
        ),
        (
            ["MODEL", {}],
            "sd.safetensors",
            "literal_instead_of_link",
            "input 'value' holds 'sd.safetensors' where a link to a 'MODEL' belongs",
        ),
        (
            ["MODEL", {}],
            None,
            "literal_instead_of_link",
            "input 'value' holds null where a link to a 'MODEL' belongs",
        ),
    ],
)
def test_what_the_server_accepts_and_a_person_would_not(
    declaration: list[Any], value: Any, code: str, message: str
) -> None:
    judgement = judged_input(declaration, value)
    assert judgement.verdict is Verdict.RUNNABLE
    finding = only(judgement)
    assert (finding.code, finding.severity) == (code, Severity.WARNING)
    assert finding.message == message


def test_a_matched_input_may_be_a_value_if_it_allows_one() -> None:
    anything = ["COMFY_MATCHTYPE_V3", {"template": {"allowed_types": "*"}}]
    models = ["COMFY_MATCHTYPE_V3", {"template": {"allowed_types": "MODEL,IMAGE"}}]
    assert judged_input(anything, "text").findings == []
    assert codes(judged_input(models, "text")) == ["literal_instead_of_link"]


@pytest.mark.parametrize(
    ("given", "after"), [("false", False), (" No ", False), ("1", True), ("ON", True), ("x", None)]
)
def test_the_yes_or_no_that_a_text_means_is_set(given: str, after: bool | None) -> None:
    (fix,) = only(judged_input(["BOOLEAN", {}], given)).fixes
    assert (fix.after, fix.mechanical) == (after, after is not None)


def test_the_number_that_a_text_reads_as_is_set() -> None:
    (fix,) = only(judged_input(["INT", {}], "7")).fixes
    assert (fix.text, fix.before, fix.after) == (
        "Set 'value' to 7, and look at the node's other inputs.",
        "7",
        7,
    )


def test_a_limit_that_no_float_holds_is_not_what_is_set() -> None:
    limit = -(2**63) + 1
    (fix,) = only(judged_input(["FLOAT", {"min": limit}], -1e30)).fixes
    assert isinstance(fix.after, float)
    assert fix.after > limit


@pytest.mark.parametrize(
    ("declaration", "given"),
    [
        (["FLOAT", {"min": -9223372036854775807}], -1e19),
        (["FLOAT", {"max": 9223372036854775807}], 1e19),
        (["INT", {"min": 0.5}], -3),
        (["INT", {"max": 7.5}], 9),
        (["FLOAT", {"min": 0.1}], 0),
        (["FLOAT", {"max": 3}], 4.0),
    ],
)
def test_the_value_to_set_is_in_the_range(declaration: list[Any], given: Any) -> None:
    (fix,) = only(judged_input(declaration, given)).fixes
    assert judged_input(declaration, fix.after).findings == []


def test_what_no_report_can_hold_is_set_by_hand() -> None:
    (fix,) = only(judged_input(["INT", {"max": 2**64 - 1}], 2**64)).fixes
    assert (fix.kind, fix.after) == (FixKind.BY_HAND, None)
    assert fix.text == "Set 'value' to 18446744073709551615 or less."
