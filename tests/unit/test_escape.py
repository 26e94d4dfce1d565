import sys
import unicodedata

import pytest

from comfywatchman.escape import visible
from tests.unit.report.sample import HOSTILE


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_acts_on_the_screen(text: str) -> None:
    shown = visible(text)
    assert {unicodedata.category(c) for c in shown}.isdisjoint({"Cc", "Cs", "Zl", "Zp"})
    assert {unicodedata.bidirectional(c) for c in shown}.isdisjoint(
        {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    )
    shown.encode("utf-8")


def test_every_control_character_of_unicode() -> None:
    acting = [
        c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c) in ("Cc", "Cs")
    ]
    assert len(acting) == 65 + 2048
    assert all(visible(c).isprintable() and visible(c).startswith("\\") for c in acting)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\tc\x00", r"a\nb\tc\x00"),
        ("\x1b[31m", r"\x1b[31m"),
        ("\u202egnp", r"\u202egnp"),
        ("\ud800", r"\ud800"),
        ("sdxl\\base", "sdxl\\base"),
        ("日本語 é 👩\u200d🎨 שלום", "日本語 é 👩\u200d🎨 שלום"),
    ],
)
def test_shown_as(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_what_is_cut_is_counted() -> None:
    assert visible("ab\ncd", limit=3) == r"ab\n... (2 more characters)"
    assert visible("abc", limit=3) == "abc"
