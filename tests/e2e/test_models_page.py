"""The page of a host's model files as a person meets it: in a browser, from a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from comfywatchman.escape import visible
from comfywatchman.modelfiles import page as models_page
from tests.unit.modelfiles import sample
from tests.unit.report.sample import HOSTILE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e import chromium
    from tests.e2e.conftest import OpenPage

    Show = Callable[..., chromium.Page]

SHOWN = "document.querySelector('#shown').textContent"
NAMES = "[...document.querySelectorAll('.line')].map(e => e.lastElementChild.textContent)"
DRAWER = "document.querySelector('#drawer').innerText"
NODES = "document.querySelectorAll('*').length"


@pytest.fixture
def show(open_page: OpenPage) -> Show:
    """Open a ledger in a page of its own."""
    return lambda ledger, **how: open_page(models_page.render(ledger), **how)


def complaints(page: chromium.Page) -> list[object]:
    return [*page.happened("Runtime.exceptionThrown"), *page.happened("Log.entryAdded")]


def test_it_runs_nothing_foreign_and_asks_nobody(show: Show) -> None:
    page = show(sample.hostile())
    for place in range(len(HOSTILE)):
        page.evaluate(f"showFile({place}), showWorkflow({place})")
    page.settle()
    assert page.evaluate("window.pwned") is None
    requests = [event["request"]["url"] for event in page.happened("Network.requestWillBeSent")]
    assert [url.partition("://")[0] for url in requests] == ["file"]
    assert complaints(page) == []
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    shown = {visible(text) for text in HOSTILE if text and len(text) < 200}
    assert shown <= set(page.evaluate(NAMES))


def test_files_are_filtered_and_sorted(show: Show) -> None:
    page = show(sample.ledger())
    assert page.evaluate(SHOWN).startswith("40 files, ")
    sizes = page.evaluate("rows.map(f => files[f][SIZE])")
    assert sizes == sorted(sizes, reverse=True)
    page.press("/")
    page.type("LORAS/studio")
    assert page.evaluate(SHOWN).startswith("8 of 40 files")
    page.press("Escape", code=27)
    not_named = (
        "[...document.querySelectorAll('#chips button')].find(e => /not named/.test(e.textContent))"
    )
    assert page.evaluate(f"{not_named}.textContent") == "26 not named"
    page.evaluate(f"{not_named}.click()")
    assert page.evaluate(SHOWN).startswith("26 of 40 files")
    page.evaluate(f"{not_named}.click()")
    for direction in (False, True):
        page.evaluate("document.querySelectorAll('.heads button')[4].click()")
        names = page.evaluate("rows.map(f => fileNames[f])")
        assert names == sorted(names, reverse=direction)


def test_the_drawer_tells_who_needs_a_file_and_what_a_workflow_needs(show: Show) -> None:
    page = show(sample.ledger())
    page.evaluate("showFile(0)")
    told = page.evaluate(DRAWER)
    assert "Needed by workflows: 1\nshot 0.json" in told
    assert "notes or muted nodes): 1\nshot 1.json" in told
    assert "The same file under other names, counted once: 1" in told
    page.evaluate("showFile(1)")
    assert "Not named by any workflow that was read." in page.evaluate(DRAWER)
    page.evaluate("showWorkflow(1)")
    assert "vae/gone.safetensors" in page.evaluate(DRAWER)
    page.press("Escape", code=27)
    assert page.evaluate("document.querySelector('#drawer').hidden")
    page.click("#of-workflows")
    assert page.evaluate(SHOWN) == "12 workflows"
    page.evaluate("document.querySelector('#list').focus()")
    page.press("ArrowDown", code=40)
    page.press("Enter", code=13)
    assert page.evaluate("document.querySelector('#drawer h2').textContent") == "shot 10.json"


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1200, 400])
def test_it_fits_where_it_is_read(show: Show, *, dark: bool, width: int) -> None:
    page = show(sample.ledger(200), width=width, dark=dark)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert complaints(page) == []


def test_of_twenty_thousand_files_those_in_sight_are_drawn(show: Show) -> None:
    page = show(sample.ledger(20_000, 500))
    few = page.evaluate(NODES)
    assert few < 1_000
    page.evaluate("list.scrollTop = 300000")
    page.settle()
    assert page.evaluate(NODES) < few + 300
    page.click("#wanted")
    page.type("19999")
    page.settle()
    assert page.evaluate(NAMES) == ["studio/model number 19999 fp16.safetensors"]
