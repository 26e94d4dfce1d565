"""The HTML report as a person meets it: in a browser, from a file."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from comfywatchman.escape import visible
from comfywatchman.report import html
from tests.unit.report.sample import (
    HOSTILE,
    accepted,
    hostile,
    large,
    realistic,
    remembered,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e import chromium
    from tests.e2e.conftest import OpenPage

    Show = Callable[..., chromium.Page]

SHOWN = "[...document.querySelectorAll('.w')].filter(w => w.checkVisibility())"
NAMES = f"{SHOWN}.map(w => w.querySelector('.name').textContent)"
GROUND = "getComputedStyle(document.body).backgroundColor"
LIGHT, DARK = "rgb(244, 246, 248)", "rgb(15, 19, 24)"


@pytest.fixture
def show(open_page: OpenPage) -> Show:
    """Open a report in a page of its own."""
    return lambda report, **how: open_page(html.render(report), **how)


def fetched(page: chromium.Page) -> list[str]:
    requests = page.happened("Network.requestWillBeSent")
    return [event["request"]["url"] for event in requests]


def complaints(page: chromium.Page) -> list[object]:
    return [*page.happened("Runtime.exceptionThrown"), *page.happened("Log.entryAdded")]


def open_all(page: chromium.Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")


@pytest.mark.parametrize("make", [realistic, hostile, remembered])
def test_it_runs_nothing_foreign_and_asks_nobody(show: Show, make) -> None:
    page = show(make())
    open_all(page)
    page.click("#expand")
    assert page.evaluate("window.pwned") is None
    assert [url.partition("://")[0] for url in fetched(page)] == ["file"]
    assert complaints(page) == []


def test_markup_that_got_in_could_neither_run_nor_call_home(show: Show) -> None:
    page = show(realistic())
    page.evaluate("""new Promise((done) => {
      let left = 2;
      addEventListener("securitypolicyviolation", () => (left -= 1) || done());
      document.body.insertAdjacentHTML("beforeend",
        "<img src='http://127.0.0.1:9/x'><p onclick='window.pwned=1' id=bad>x</p>");
      document.getElementById("bad").click();
    })""")
    assert page.evaluate("window.pwned") is None
    page.wait_until(lambda: page.happened("Network.loadingFailed"))
    asked = [event["requestId"] for event in page.happened("Network.requestWillBeSent")[1:]]
    failed = {
        event["requestId"]: event.get("blockedReason")
        for event in page.happened("Network.loadingFailed")
    }
    assert [failed.get(request) for request in asked] == ["csp"]


def test_hostile_names_are_shown_as_text(show: Show) -> None:
    names = show(hostile()).evaluate(NAMES)
    for text in HOSTILE:
        if len(text) < 200:
            assert names.count(visible(text)) == 4


def test_nothing_is_lost_without_script(show: Show) -> None:
    page = show(realistic(), script=False)
    assert page.evaluate("document.documentElement.className") == ""
    assert not page.evaluate("document.querySelector('.tools').checkVisibility()")
    assert len(page.evaluate(NAMES)) == 23
    page.click(".w > summary")
    assert page.evaluate("document.querySelector('.w .fix').checkVisibility()")
    assert page.evaluate("document.body.innerText.includes('8 of 23 workflows cannot run')")


def test_filter_by_name(show: Show) -> None:
    page = show(realistic())
    page.press("/")
    assert page.evaluate("document.activeElement.id") == "search"
    assert page.evaluate("document.activeElement.value") == ""
    page.type("FLUX/")
    assert page.evaluate(NAMES) == [
        "flux/packaging.json",
        "flux/product shot.json",
        "flux/contact sheet.json",
    ]
    assert page.evaluate("document.querySelector('#shown').textContent") == "3 of 23 shown"
    assert page.evaluate("document.querySelector('#broken h2').textContent") == "Broken 2 of 8"
    assert not page.evaluate("document.querySelector('#unknown').checkVisibility()")
    page.press("/")
    assert page.evaluate("document.activeElement.value") == "FLUX//"
    page.press("Escape", code=27)
    assert len(page.evaluate(NAMES)) == 23


def test_filter_by_verdict(show: Show) -> None:
    page = show(realistic())
    page.click("[data-verdict=partial]")
    assert page.evaluate(NAMES) == ["flux/contact sheet.json", "inpaint/remove background.json"]
    page.click("[data-verdict=unknown]")
    assert len(page.evaluate(NAMES)) == 3
    pressed = "[...document.querySelectorAll('.tools [aria-pressed=true]')].map(b => b.innerText)"
    assert page.evaluate(pressed) == ["2 partial", "1 unknown"]
    page.click("[data-verdict=partial]")
    assert page.evaluate(NAMES) == ["lab/queue of prompts.json"]
    page.press("Escape", code=27)
    assert len(page.evaluate(NAMES)) == 23
    assert page.evaluate(pressed) == []


def test_filter_by_what_changed(show: Show) -> None:
    page = show(remembered())
    page.click("#changed-only")
    assert len(page.evaluate(NAMES)) == 10
    assert page.evaluate("document.querySelector('#broken h2').textContent") == "Broken 6 of 8"
    page.click("[data-verdict=runnable]")
    assert page.evaluate(NAMES) == ["lora/style mix.json", "sd15/hires fix.json"]
    page.press("Escape", code=27)
    assert len(page.evaluate(NAMES)) == 23


def test_a_change_leads_to_its_workflow_even_if_filtered(show: Show) -> None:
    page = show(remembered())
    page.click("[data-verdict=runnable]")
    shown = page.evaluate("""new Promise((done) => {
      addEventListener("hashchange", () => requestAnimationFrame(() => {
        const row = document.querySelector(location.hash).closest(".w");
        done([row.open, row.checkVisibility(), row.querySelector(".name").textContent]);
      }));
      [...document.querySelectorAll(".changed a")].at(-1).click();
    })""")
    assert shown == [True, True, "flux/packaging.json"]


def test_what_changed_can_be_unfolded_with_the_keyboard(show: Show) -> None:
    page = show(remembered())
    page.evaluate("document.querySelector('.timeline summary').focus()")
    page.press("Enter", code=13)
    assert page.evaluate("document.activeElement.parentElement.open")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.press("Tab", code=9)
    assert page.evaluate("document.activeElement.closest('.timeline') !== null")


def test_strips_differ_in_height_and_pattern_and_not_in_colour_alone(show: Show) -> None:
    drawn = show(remembered()).evaluate("""Object.fromEntries(
      [...document.querySelectorAll(".legend path")].map((path) => {
        const style = getComputedStyle(path);
        return [path.getAttribute("class"), style.strokeWidth + " " + style.strokeDasharray];
      }))""")
    assert len(drawn) == len(set(drawn.values())) == 4


def test_everything_can_be_done_with_the_keyboard(show: Show) -> None:
    page = show(realistic())
    page.press("/")
    page.press("Tab", code=9)
    assert page.evaluate("document.activeElement.dataset.verdict") == "broken"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.press(" ", code=32)
    assert len(page.evaluate(NAMES)) == 8
    while page.evaluate("document.activeElement.tagName") != "SUMMARY":
        page.press("Tab", code=9)
    page.press("Enter", code=13)
    assert page.evaluate("document.activeElement.parentElement.open")


def test_a_shared_problem_leads_to_its_workflows_even_if_filtered(show: Show) -> None:
    page = show(realistic())
    page.click("[data-verdict=runnable]")
    page.click(".shared summary")
    page.evaluate("document.querySelector('.shared li a').scrollIntoView()")
    followed = page.evaluate("""new Promise((done) => {
      addEventListener("hashchange", () => requestAnimationFrame(() => {
        const row = document.querySelector(location.hash).closest(".w");
        const box = row.querySelector("summary").getBoundingClientRect();
        done([row.open, row.checkVisibility(), box.top >= 0 && box.bottom <= innerHeight,
              row.querySelector(".name").textContent]);
      }));
      document.querySelector(".shared li a").click();
    })""")
    assert followed == [True, True, True, "portraits/2025/archive/couple, soft light (v12).json"]


def test_the_theme_follows_the_system_until_it_is_chosen(show: Show) -> None:
    page = show(realistic(), dark=True)
    pressed = "document.querySelector('#theme').getAttribute('aria-pressed')"
    assert (page.evaluate(GROUND), page.evaluate(pressed)) == (DARK, "true")
    page.media(dark=False)
    page.settle()
    assert (page.evaluate(GROUND), page.evaluate(pressed)) == (LIGHT, "false")
    page.click("#theme")
    assert (page.evaluate(GROUND), page.evaluate(pressed)) == (DARK, "true")
    page.media(dark=True)
    page.settle()
    page.click("#theme")
    assert (page.evaluate(GROUND), page.evaluate(pressed)) == (LIGHT, "false")


@pytest.mark.parametrize("make", [realistic, hostile, remembered])
@pytest.mark.parametrize("width", [320, 360, 768])
def test_a_narrow_screen_never_scrolls_sideways(show: Show, make, width: int) -> None:
    page = show(make(), width=width)
    open_all(page)
    assert page.evaluate("document.scrollingElement.scrollWidth") == width


def test_a_fix_can_be_copied(show: Show, browser: chromium.Browser) -> None:
    permissions = ["clipboardReadWrite", "clipboardSanitizedWrite"]
    browser.call("Browser.grantPermissions", permissions=permissions)
    page = show(realistic())
    page.call("Page.bringToFront")
    page.evaluate("""void (window.told = new Promise((done) => {
      const button = document.querySelector(".fix .copy");
      new MutationObserver(done).observe(button, {childList: true});
    }))""")
    page.click(".fix .copy")
    page.evaluate("window.told.then(() => null)")
    assert page.evaluate("navigator.clipboard.readText()") == (
        "put 'sd_xl_base_1.0.safetensors' into ComfyUI's models/checkpoints folder"
    )


@pytest.mark.parametrize("make", [realistic, remembered, lambda: large(60)])
def test_paper_shows_every_finding(show: Show, make) -> None:
    page = show(make())
    page.media(dark=True, medium="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    fixes = "[...document.querySelectorAll('.fix')].every(f => f.checkVisibility())"
    assert page.evaluate(fixes)
    assert not page.evaluate("document.querySelector('.tools').checkVisibility()")
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(24, 32, 43)"


def test_how_old_it_is(show: Show) -> None:
    age = show(realistic()).evaluate("document.querySelector('#age').textContent")
    assert age.startswith("(")
    assert age.endswith(" ago)")


@pytest.mark.parametrize("make", [realistic, remembered])
def test_it_has_a_landmark_and_a_name_for_everything(show: Show, make) -> None:
    page = show(make())
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    known = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node.get("ignored")
    ]
    roles = {role for role, _ in known}
    assert roles >= {"banner", "main", "contentinfo", "search", "region", "heading", "status"}
    assert ("searchbox", "Filter by name") in known
    assert ("region", "Fix first: problems that workflows share") in known
    named = ("button", "link", "searchbox", "region", "image")
    assert all(name for role, name in known if role in named)
    levels = [
        prop["value"]["value"]
        for node in nodes
        if not node.get("ignored") and node["role"]["value"] == "heading"
        for prop in node["properties"]
        if prop["name"] == "level"
    ]
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))


def test_five_thousand_workflows_are_filtered_at_once(show: Show) -> None:
    page = show(large(5_000))
    before = page.work_ms()
    page.evaluate("""{
      const search = document.querySelector("#search");
      search.value = "workflow 0123";
      search.dispatchEvent(new Event("input"));
    }""")
    page.settle()
    worked_ms = page.work_ms() - before
    assert len(page.evaluate(NAMES)) == 10
    assert 0 < worked_ms < 500


@pytest.mark.parametrize("dark", [False, True])
def test_what_is_accepted_has_a_block_and_a_filter_of_its_own(show: Show, dark: bool) -> None:
    names = ["old/half-saved.json", "flux/contact sheet.json"]
    page = show(accepted(realistic(), *names), dark=dark)
    assert page.evaluate("document.querySelector('h1').textContent") == (
        "8 of 23 workflows cannot run, 1 of them accepted"
    )
    page.click("[data-verdict=accepted]")
    assert page.evaluate(NAMES) == names
    page.click("#accepted .w summary")
    shown = page.evaluate("document.querySelector('#accepted .body').innerText")
    assert "accepted until 2026-12-31 by anna: the pack is left out here (a7)" in shown
    colour = "getComputedStyle(document.querySelector('#accepted h2')).color"
    assert page.evaluate(colour) == ("rgb(127, 179, 245)" if dark else "rgb(29, 95, 174)")
    assert complaints(page) == []
