"""The ledger on a terminal."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from rich.cells import cell_len

from comfywatchman.modelfiles import text
from comfywatchman.modelfiles.model import Outcome, Verification, VerifiedFile
from comfywatchman.report.terminal import Page
from tests.unit.modelfiles import sample

if TYPE_CHECKING:
    from comfywatchman.modelfiles.model import Ledger


def shown(ledger: Ledger, width: int = 80) -> str:
    return text.render(ledger, Page(width=width, color=False, encoding="utf-8"), "/s/models.html")


@pytest.mark.parametrize("ledger", [sample.ledger(), sample.hostile()])
def test_every_line_fits(ledger: Ledger) -> None:
    assert [line for line in shown(ledger).splitlines() if cell_len(line) > 80] == []


def test_nothing_in_a_name_acts_on_the_terminal() -> None:
    said = shown(sample.hostile())
    assert not re.search(
        "[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", said
    )


def test_what_it_tells() -> None:
    said = shown(sample.ledger())
    assert "12 workflows were read, 1 could not be, 2 are excluded" in said
    assert "Not named by any workflow that was read (26)" in said
    assert "truncated" in said
    assert "it lacks 3 bytes" in said
    assert "links, counted once" in said
    assert "copies by their SHA-256" in said
    assert ">5.00 GiB  shot 1.json" in said
    assert "/s/models.html" in said
    assert not re.search("unused|delete", said)


def test_of_many_files_the_rest_is_counted() -> None:
    assert re.search(r"and [0-9,]+ more", shown(sample.ledger(2_000)))


def test_nothing_at_all() -> None:
    empty = sample.ledger(1, 1).model_copy(
        update={"files": [], "workflows": [], "same": [], "not_checked": [], "total_bytes": 0}
    )
    assert shown(empty).startswith("0 model files, 0 in all")


@pytest.mark.parametrize(
    ("size", "words"),
    [
        *((None, "?"), (0, "0"), (1_000, "1.0 KiB"), (3 * 1024**2, "3.0 MiB")),
        *((6 * 1024**3, "6.00 GiB"), (5_000 * 1024**3, "5,000.00 GiB")),
    ],
)
def test_sizes(size: int | None, words: str) -> None:
    assert text.gib(size) == words


@pytest.mark.parametrize(
    ("files", "size", "words"),
    [(0, 0, "0 files, 0"), (1, 0, "1 file, of unknown size"), (2, 2048, "2 files, 2.0 KiB")],
)
def test_files_that_lie_nowhere_have_no_size(files: int, size: int, words: str) -> None:
    assert text.in_all(files, size) == words


def test_every_outcome_of_verify_has_words() -> None:
    found = Verification(
        comfywatchman_version="0",
        host="h",
        started_at=datetime(2026, 5, 3, tzinfo=UTC),
        duration_s=1,
        budget=1,
        bytes_read=6,
        files=[
            VerifiedFile(folder="vae", name="a", path="/a", size=1, outcome=outcome, text="x")
            for outcome in Outcome
        ],
        ended="every file was read",
    )
    said = text.verification(found, Page(width=200, color=False, encoding="utf-8"))
    assert "1 read for the first time" in said
    assert "1 decayed" in said
