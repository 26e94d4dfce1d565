"""Values as a browser makes them."""

from __future__ import annotations

import math
from typing import Any

import pytest

from comfywatchman.workflow.convert import convert
from comfywatchman.workflow.load import load
from comfywatchman.workflow.text import as_browser_integer, as_browser_text, as_json_text
from tests.unit.workflow.saved import CATALOG

HUGE = 10**400


def test_an_integer_that_no_float_can_hold_is_null() -> None:
    assert as_browser_integer(HUGE) is None
    assert as_browser_integer(2**60) == 1152921504606847000


@pytest.mark.parametrize(
    ("value", "text"),
    [(math.inf, "Infinity"), (-math.inf, "-Infinity"), (math.nan, "NaN"), (1.5, "1.5"), (2.0, "2")],
)
def test_a_number_as_text(value: float, text: str) -> None:
    assert as_browser_text(value) == text


def test_json_holds_integers_of_any_size() -> None:
    assert as_json_text([HUGE, "ü"]) == f'[{HUGE},"ü"]'


@pytest.mark.parametrize("saved", [b"1e999", b"-1e999", b"9" * 401, b"9" * 5000, b"NaN"])
def test_what_a_browser_reads_as_no_number_is_sent_as_null(saved: bytes) -> None:
    document = load(b'{"nodes": [{"id": 1, "type": "Size", "widgets_values": [%s, 2]}]}' % saved)
    found: dict[str, Any] = convert(document, CATALOG).prompt["1"]["inputs"]
    assert found == {"width": None, "height": 2}


def test_in_a_prompt_it_stays_as_the_server_reads_it() -> None:
    for saved, value in ((b"1e999", math.inf), (b"9" * 401, int("9" * 401))):
        document = load(b'{"1": {"class_type": "Size", "inputs": {"width": %s}}}' % saved)
        assert convert(document, CATALOG).prompt["1"]["inputs"] == {"width": value}
