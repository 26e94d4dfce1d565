"""Inputs that stand for others: DynamicCombo, Autogrow, MatchType."""

from __future__ import annotations

from typing import Any

import pytest

from comfywatchman.results import Verdict
from tests.unit.checks.judging import codes, image, judged, node_type, only, preview

RESIZE = {
    "Resize": node_type(
        {
            "how": [
                "COMFY_DYNAMICCOMBO_V3",
                {
                    "options": [
                        {"key": "by", "inputs": {"required": {"factor": ["FLOAT", {"max": 8.0}]}}},
                        {
                            "key": "to",
                            "inputs": {
                                "required": {"width": ["INT", {"min": 1}]},
                                "optional": {"crop": ["COMBO", {"options": ["no", "center"]}]},
                            },
                        },
                        {
                            "key": "nested",
                            "inputs": {
                                "required": {
                                    "inner": [
                                        "COMFY_DYNAMICCOMBO_V3",
                                        {
                                            "options": [
                                                {
                                                    "key": "x",
                                                    "inputs": {"required": {"n": ["INT", {}]}},
                                                }
                                            ]
                                        },
                                    ]
                                }
                            },
                        },
                        {"key": "nothing", "inputs": {}},
                    ]
                },
            ]
        },
        outputs=("IMAGE",),
    )
}


def resized(**inputs: Any) -> Any:
    given = {name.replace("__", "."): value for name, value in inputs.items()}
    return judged({"1": {"class_type": "Resize", "inputs": given}, "9": preview("1")}, RESIZE)


@pytest.mark.parametrize(
    "inputs",
    [
        {"how": "by", "how__factor": 2.0},
        {"how": "by", "how__factor": 2.0, "how__width": -5},
        {"how": "to", "how__width": 5},
        {"how": "nested", "how__inner": "x", "how__inner__n": 1},
        {"how": "nothing"},
    ],
)
def test_choices_open_up_their_inputs_and_no_others(inputs: dict[str, Any]) -> None:
    judgement = resized(**inputs)
    assert judgement.verdict is Verdict.RUNNABLE
    assert judgement.findings == []


@pytest.mark.parametrize(
    ("inputs", "code", "name"),
    [
        ({"how": "by", "how__factor": 100}, "value_bigger_than_max", "how.factor"),
        ({"how": "by", "factor": 1.0}, "required_input_missing", "how.factor"),
        ({"how": "to", "how__width": 1, "how__crop": "x"}, "value_not_in_list", "how.crop"),
        ({"how": "nested", "how__inner": "x"}, "required_input_missing", "how.inner.n"),
        (
            {"how": "nested", "how__inner": "x", "how__inner__n": "z"},
            "invalid_input_type",
            "how.inner.n",
        ),
    ],
)
def test_opened_inputs_are_checked(inputs: dict[str, Any], code: str, name: str) -> None:
    judgement = resized(**inputs)
    assert judgement.verdict is Verdict.BROKEN
    assert (only(judgement).code, only(judgement).input) == (code, name)


@pytest.mark.parametrize(
    ("inputs", "name"),
    [
        ({}, "how"),
        ({"how": "away", "how__factor": 100}, "how"),
        ({"how": None}, "how"),
        ({"how": ["1", 0]}, "how"),
        ({"how": "nested", "how__inner": "y"}, "how.inner"),
    ],
)
def test_a_choice_that_does_not_exist_is_accepted_and_warned_of(
    inputs: dict[str, Any], name: str
) -> None:
    judgement = resized(**inputs)
    assert judgement.verdict is Verdict.RUNNABLE
    assert (only(judgement).code, only(judgement).input) == ("dynamic_choice_unknown", name)


def batch(count: int, *, version: str | None = "0.8.0", **more: Any) -> Any:
    template = {
        "input": {"required": {"image": ["IMAGE", {}]}},
        "prefix": "image",
        "min": 2,
        "max": 5,
    }
    types = {
        "Batch": node_type(
            {"images": ["COMFY_AUTOGROW_V3", {"template": template}]}, outputs=("IMAGE",)
        )
    }
    inputs = {f"images.image{i}": ["1", 0] for i in range(count)} | more
    prompt = {"1": image(), "2": {"class_type": "Batch", "inputs": inputs}, "9": preview("2")}
    return judged(prompt, types, version=version)


def test_a_growing_input_takes_what_it_gets() -> None:
    assert batch(2).findings == []
    assert batch(5).findings == []


def test_its_items_are_checked() -> None:
    judgement = batch(2, **{"images.image2": ["1", 1]})
    assert (only(judgement).code, only(judgement).input) == (
        "return_type_mismatch",
        "images.image2",
    )


def test_names_beyond_its_maximum_are_not_its_items() -> None:
    assert (
        batch(2, **{"images.image5": ["404", 0], "image0": ["404", 0]}).verdict is Verdict.RUNNABLE
    )


def test_too_few_items_are_accepted_before_0_10() -> None:
    judgement = batch(1, version="0.9.99")
    assert judgement.verdict is Verdict.RUNNABLE
    assert only(judgement).code == "autogrow_below_minimum"
    assert only(judgement).message == "input 'images' needs at least 2 connections and has 1"


@pytest.mark.parametrize("version", ["0.10.0", "0.40.1", None])
def test_and_refused_from_then_on(version: str | None) -> None:
    judgement = batch(1, version=version)
    assert judgement.verdict is Verdict.BROKEN
    assert [(f.code, f.input) for f in judgement.findings] == [
        ("required_input_missing", "images.image1")
    ]


def test_items_with_names() -> None:
    template = {"input": {"required": {"v": ["INT", {"max": 5}]}}, "names": ["a", "b"], "min": 0}
    types = {
        "Named": node_type({"v": ["COMFY_AUTOGROW_V3", {"template": template}]}, outputs=("IMAGE",))
    }
    prompt = {"1": {"class_type": "Named", "inputs": {"v.b": 9, "v.c": 9}}, "9": preview("1")}
    assert [(f.code, f.input) for f in judged(prompt, types).findings] == [
        ("value_bigger_than_max", "v.b")
    ]


@pytest.mark.parametrize(
    "template", [None, {}, {"prefix": "i"}, {"input": 5, "prefix": "i", "max": 3}]
)
def test_a_template_that_makes_no_sense_declares_nothing(template: Any) -> None:
    types = {
        "Odd": node_type({"v": ["COMFY_AUTOGROW_V3", {"template": template}]}, outputs=("IMAGE",))
    }
    prompt = {"1": {"class_type": "Odd", "inputs": {"v.i0": ["404", 0]}}, "9": preview("1")}
    assert judged(prompt, types).verdict is Verdict.RUNNABLE


def matched(allowed: str) -> Any:
    types = {
        "Match": node_type(
            {"input": ["COMFY_MATCHTYPE_V3", {"template": {"allowed_types": allowed}}]},
            outputs=("COMFY_MATCHTYPE_V3",),
        )
    }
    prompt = {"1": image(), "2": {"class_type": "Match", "inputs": {"input": ["1", 0]}}}
    return judged({**prompt, "9": {"class_type": "Save", "inputs": {"images": ["2", 0]}}}, types)


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [
        ("IMAGE,MASK", []),
        ("*", []),
        ("LATENT", ["match_type_not_allowed"]),
    ],
)
def test_only_the_browser_minds_what_is_matched(allowed: str, expected: list[str]) -> None:
    judgement = matched(allowed)
    assert judgement.verdict is Verdict.RUNNABLE
    assert codes(judgement) == expected


@pytest.mark.parametrize("given", [{}, {"rows.0.x": 5}, {"rows": 5}])
def test_a_kind_of_dynamic_input_that_is_not_known_makes_the_verdict_unknown(given: Any) -> None:
    types = {"Rows": node_type({"rows": ["COMFY_DYNAMICGROUP_V3", {}]}, outputs=("IMAGE",))}
    prompt = {"1": {"class_type": "Rows", "inputs": given}, "9": preview("1")}
    judgement = judged(prompt, types, version=None)
    assert judgement.verdict is Verdict.UNKNOWN
    assert only(judgement).code == "dynamic_input_unjudged"
    assert judgement.not_checked == [
        "input 'rows' of node '1' (Rows), of a kind that is not known: 'COMFY_DYNAMICGROUP_V3'"
    ]


@pytest.mark.parametrize(
    ("template", "before", "after"),
    [
        ({"required": {}, "optional": {"v": ["IMAGE", {}]}}, Verdict.BROKEN, Verdict.RUNNABLE),
        ({"optional": {"v": ["IMAGE", {}]}}, Verdict.RUNNABLE, Verdict.RUNNABLE),
        ({"required": {}}, Verdict.BROKEN, Verdict.BROKEN),
    ],
)
def test_optional_items_break_the_validation_before_0_10(
    template: Any, before: Verdict, after: Verdict
) -> None:
    grows = [
        "COMFY_AUTOGROW_V3",
        {"template": {"input": template, "prefix": "i", "max": 3, "min": 2}},
    ]
    types = {"Grows": node_type({"v": grows}, outputs=("IMAGE",))}
    prompt = {"1": {"class_type": "Grows", "inputs": {}}, "9": preview("1")}
    for version, verdict in (("0.8.0", before), ("0.10.0", after)):
        judgement = judged(prompt, types, version=version)
        assert judgement.verdict is verdict
        broken = ["exception_during_inner_validation"] * (verdict is Verdict.BROKEN)
        assert [c for c in codes(judgement) if c != "autogrow_below_minimum"] == broken


SLOT = {
    "Slot": node_type(
        optional={
            "i": [
                "COMFY_DYNAMICSLOT_V3",
                {"slotType": "IMAGE", "inputs": {"required": {"n": ["INT", {"min": 5}]}}},
            ]
        },
        outputs=("IMAGE",),
    )
}


@pytest.mark.parametrize(
    ("inputs", "verdict", "errors"),
    [
        ({}, Verdict.RUNNABLE, []),
        ({"i.n": 1}, Verdict.RUNNABLE, []),
        ({"i": 5, "i.n": 5}, Verdict.RUNNABLE, []),
        ({"i": None}, Verdict.BROKEN, [("required_input_missing", "i.n")]),
        ({"i": ["0", 0]}, Verdict.BROKEN, [("required_input_missing", "i.n")]),
        ({"i": ["0", 0], "i.n": 4}, Verdict.BROKEN, [("value_smaller_than_min", "i.n")]),
        ({"i": ["0", 0], "i.n": 5}, Verdict.UNKNOWN, []),
    ],
)
def test_a_slot_opens_its_inputs_when_it_is_given(
    inputs: Any, verdict: Verdict, errors: Any
) -> None:
    prompt = {"0": image(), "1": {"class_type": "Slot", "inputs": inputs}, "9": preview("1")}
    judgement = judged(prompt, SLOT, version=None)
    assert judgement.verdict is verdict
    assert [(f.code, f.input) for f in judgement.findings if f.severity == "error"] == errors
