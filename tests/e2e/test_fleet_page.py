"""The picture of the fleet as a person meets it: in a browser, from a file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from comfywatchman.escape import visible
from comfywatchman.fleet import folder, html
from comfywatchman.fleet.model import Fleet, FleetChange, FleetFinding, Group, Host, Workflow
from comfywatchman.fleet.survey import survey
from tests.unit.fleet import sample
from tests.unit.report.sample import HOSTILE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.e2e import chromium
    from tests.e2e.conftest import OpenPage

    Show = Callable[..., chromium.Page]

WORKFLOWS = "[...document.querySelectorAll('.label bdi')].map(e => e.textContent)"
HOSTS = "[...document.querySelectorAll('.head bdi')].map(e => e.textContent)"
SHOWN = "document.querySelector('#shown').textContent"
DRAWER = "document.querySelector('#drawer').innerText"
NODES = "document.querySelectorAll('*').length"


@pytest.fixture
def show(open_page: OpenPage) -> Show:
    """Open a fleet in a page of its own."""
    return lambda fleet, **how: open_page(html.render(fleet), **how)


@pytest.fixture
def studio(tmp_path: Path) -> Fleet:
    return survey(folder.read(sample.studio(tmp_path / "fleet")), sample.NOW)


def made_up(hosts: int, workflows: int) -> Fleet:
    """Every seventh cell broken, every eleventh silent, the others runnable."""
    names = [f"render{n:04d}" for n in range(hosts)]
    silent = set(names[::11])

    def groups(workflow: int) -> list[Group]:
        told = [name for name in names if name not in silent]
        broken = [name for name in told if (int(name[6:]) + workflow) % 7 == 0]
        well = [name for name in told if (int(name[6:]) + workflow) % 7]
        cells = [
            ("broken", "broken", broken),
            ("silent", "runnable", names[::11]),
            ("runnable", "runnable", well),
        ]
        return [
            Group(state, verdict, [workflow] * (state == "broken"), 0, [], [], on)
            for state, verdict, on in cells
            if on
        ]

    return Fleet(
        comfywatchman_version="1",
        made_at=sample.at(sample.NOW),
        well=False,
        hosts=[
            Host(n, "silent" if n in silent else "well", [], 0, 0, None, None, None, None, None)
            for n in names
        ],
        workflows=[Workflow(f"shot {n:03d}.json", [], groups(n)) for n in range(workflows)],
        findings=[
            FleetFinding("c", "error", f"because of {n}", None, "") for n in range(workflows)
        ],
        releases=[],
        comfyui_versions=[],
        compared=[],
        models=[],
        models_left_out=0,
        packs=[],
    )


def complaints(page: chromium.Page) -> list[object]:
    return [*page.happened("Runtime.exceptionThrown"), *page.happened("Log.entryAdded")]


def test_it_runs_nothing_foreign_and_asks_nobody(show: Show, tmp_path: Path) -> None:
    page = show(survey(folder.read(sample.hostile(tmp_path / "fleet")), sample.NOW))
    for row in range(4):
        page.evaluate(f"showWorkflow({row}), showCell({row}, {row}), showHost({row})")
    page.settle()
    assert page.evaluate("window.pwned") is None
    requests = [event["request"]["url"] for event in page.happened("Network.requestWillBeSent")]
    assert [url.partition("://")[0] for url in requests] == ["file"]
    assert complaints(page) == []
    page.evaluate("dispatchEvent(new Event('beforeprint'))")  # draws what is out of sight, too
    shown = [visible(text) for text in HOSTILE if len(text) < 200]
    assert set(shown) <= set(page.evaluate(HOSTS))
    assert set(shown) <= set(page.evaluate(WORKFLOWS))
    hosts = page.evaluate("[...document.querySelectorAll('#hosts th bdi')].map(e => e.textContent)")
    assert set(shown) <= set(hosts)


def test_markup_that_got_in_could_not_run(show: Show, studio: Fleet) -> None:
    page = show(studio)
    page.evaluate("""new Promise((done) => {
      let left = 2;
      addEventListener("securitypolicyviolation", () => (left -= 1) || done());
      document.body.insertAdjacentHTML("beforeend",
        "<img src='http://127.0.0.1:9/x'><p onclick='window.pwned=1' id=bad>x</p>");
      document.getElementById("bad").click();
    })""")
    assert page.evaluate("window.pwned") is None


def test_filters(show: Show, studio: Fleet) -> None:
    page = show(studio)
    assert page.evaluate(SHOWN) == "23 workflows \u00d7 9 hosts"
    page.press("/")
    assert page.evaluate("document.activeElement.id") == "workflow"
    page.type("FLUX/")
    assert page.evaluate(WORKFLOWS) == [
        "flux/contact sheet.json",
        "flux/packaging.json",
        "flux/product shot.json",
    ]
    page.click("#host")
    page.type("an")
    assert page.evaluate(HOSTS) == ["anna"]
    assert page.evaluate("document.querySelectorAll('#hosts tbody tr').length") == 1
    page.click("[data-state=partial]")
    assert page.evaluate(SHOWN) == "1 of 23 workflows \u00d7 1 of 9 hosts"
    page.type("x")
    assert page.evaluate("document.querySelector('#nothing').innerText").startswith("Nothing")
    page.press("Escape", code=27)
    assert page.evaluate(SHOWN) == "23 workflows \u00d7 9 hosts"
    assert page.evaluate("document.querySelectorAll('[aria-pressed=true][data-state]').length") == 0


CHANGES = """[...document.querySelectorAll('.change')].filter(e => e.checkVisibility())
  .map(e => e.querySelector('.what').textContent)"""
DROPPED = "ImageResizeKJv2 of kjnodes 1.1.4 \u2192 1.1.6 dropped output 3"


def test_what_changed_is_told_of_the_hosts_that_are_shown(show: Show, studio: Fleet) -> None:
    page = show(studio)
    assert "4 of 9 hosts got worse in the last 24 hours" in page.evaluate(
        "document.querySelector('#changes').innerText"
    )
    assert page.evaluate(CHANGES)[-1] == DROPPED
    assert len(page.evaluate(CHANGES)) == 4
    page.click("details.changes:last-of-type summary")
    assert page.evaluate(CHANGES)[-1] == "ComfyWatchman 0.2.0 \u2192 0.3.0"
    page.click("#host")
    page.type("ben")
    assert page.evaluate(CHANGES) == ["ComfyWatchman 0.2.0 \u2192 0.3.0"]
    page.press("Escape", code=27)
    page.evaluate("showHost(hosts.findIndex(host => host.name === 'render05.example.com'))")
    assert f"What changed on it\n{DROPPED} 27 h ago" in page.evaluate(DRAWER)


def test_many_changes_are_shown_when_they_are_asked_for(show: Show) -> None:
    when = sample.at(sample.NOW - 60)
    changes = [
        FleetChange("pack", f"pack{n} 1 \u2192 2", True, when, when, ["render0001"], n)
        for n in range(40)
    ]
    page = show(replace(made_up(3, 3), changes=changes))
    assert page.evaluate(CHANGES) == [f"pack{n} 1 \u2192 2" for n in range(5)]
    assert page.evaluate("document.querySelector('#more-changes').textContent") == "Show 15 more"
    page.click("#more-changes")
    assert len(page.evaluate(CHANGES)) == 20
    assert "and 20 more in fleet.json" in page.evaluate("document.body.innerText")
    page.click("#host")
    page.type("render0002")
    assert page.evaluate(CHANGES) == []
    assert complaints(page) == []


def test_changes_are_printed_and_shown_without_script(show: Show, studio: Fleet) -> None:
    page = show(studio)
    page.media(dark=False, medium="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert len(page.evaluate(CHANGES)) == len(studio.changes)
    assert DROPPED in show(studio, script=False).evaluate("document.body.innerText")


def test_a_cell_says_why(show: Show, studio: Fleet) -> None:
    page = show(studio)

    def cell(workflow: str, host: str) -> str:
        rows, columns = page.evaluate(WORKFLOWS), page.evaluate(HOSTS)
        page.evaluate(f"elementAt({rows.index(workflow)}, {columns.index(host)}).id = 'this'")
        page.click("#this")
        return page.evaluate(DRAWER)

    said = cell("flux/contact sheet.json", "anna")
    assert "diffusion model 'flux1-dev-fp8.safetensors' is not among" in said
    assert "put 'flux1-dev-fp8.safetensors' into" in said
    assert "SaveImage #40:2" in said
    assert "The same on 2 other hosts" in said
    page.press("Escape", code=27)
    said = cell("notes only.json", "render05.example.com")
    assert "stale: its last report, made 11 h ago, says runnable" in said
    assert "is 11 h old, more than 4 h 30 min" in said
    page.press("Escape", code=27)
    assert "There is no report of this host." in cell("notes only.json", "gpu-cloud-1")


def test_what_is_accepted_is_marked_and_its_reason_told(show: Show, studio: Fleet) -> None:
    page = show(studio)
    rows, columns = page.evaluate(WORKFLOWS), page.evaluate(HOSTS)
    ((name, on),) = ((w.name, g.hosts[0]) for w in studio.workflows for g in w.groups if g.accepted)
    at = f"elementAt({rows.index(name)}, {columns.index(on)})"
    assert page.evaluate(f"{at}.textContent") == "broken accepted"
    assert page.evaluate(f"{at}.innerText.trim().split(/\\s/)[0]") == "broken"
    assert page.evaluate(f"getComputedStyle({at}, '::after').content") == '""'
    assert page.evaluate("document.querySelectorAll('.cell.let-be').length") == 1
    page.evaluate(f"{at}.id = 'this'")
    page.click("#this")
    said = "accepted until 2026-12-31 by anna: the studio does without"
    assert said in page.evaluate(DRAWER)
    assert page.evaluate("document.querySelector('.cursor').ariaLabel") == (
        f"{name} on {on}: broken, accepted"
    )
    page.click("#drawer .links button:nth-of-type(1)")
    assert said in page.evaluate(DRAWER)
    page.press("Escape", code=27)
    page.evaluate(f"showHost({columns.index(on)})")
    assert f"{name} broken, accepted" in page.evaluate(DRAWER)
    page.press("Escape", code=27)
    hosts = "document.querySelector('#hosts tbody').innerText"
    assert page.evaluate(hosts).count("1 of them accepted") == 1
    assert complaints(page) == []


def test_what_will_fail_is_marked_found_and_told(show: Show, tmp_path: Path) -> None:
    fleet = survey(folder.read(sample.render_nodes(tmp_path / "fleet")), sample.NOW)
    page = show(fleet)
    rows = page.evaluate(WORKFLOWS)

    def cell(workflow: str, column: int) -> str:
        return f"elementAt({rows.index(workflow)}, {column})"

    first = cell("shot 0.json", 0)
    assert page.evaluate(f"{first}.textContent") == "will fail"
    assert page.evaluate(f"{first}.title") == "runnable, will fail for vae/ae.safetensors"
    assert page.evaluate(f"{cell('lost.json', 3)}.title").startswith("partial, will fail for ")
    assert page.evaluate(f"{cell('shot 0.json', 1)}.textContent") == "will fail accepted"
    assert page.evaluate(f"{cell('shot 0.json', 2)}.textContent") == "stale"
    assert page.evaluate(f"{cell('shot 0.json', 5)}.title") == ""
    assert page.evaluate("document.querySelector('.label span').textContent") == "0 / 6"
    chips = "[...document.querySelectorAll('#chips button')].filter(e => !e.hidden)"
    assert page.evaluate(f"{chips}.map(e => e.innerText)") == [
        "!8 will fail",
        "✕5 broken",
        "◐5 partial",
        "~6 stale",
        "✓16 runnable",
    ]
    page.click("[data-state=fails]")
    assert page.evaluate(WORKFLOWS) == ["lost.json", "shot 0.json"]
    assert page.evaluate(HOSTS) == ["node0", "node1", "node3", "node4"]
    page.press("Escape", code=27)
    page.click("[data-state=partial]")
    assert page.evaluate(WORKFLOWS) == ["lost.json"]
    assert page.evaluate(HOSTS) == ["node0", "node1", "node3", "node4", "node5"]
    page.press("Escape", code=27)
    page.click("[data-state=runnable]")
    assert page.evaluate("document.querySelectorAll('.cell.dim').length") == 4
    page.press("Escape", code=27)
    page.evaluate(f"{first}.id = 'this'")
    page.click("#this")
    assert "runnable, will fail for vae/ae.safetensors" in page.evaluate(DRAWER)
    assert "9 bytes lack" in page.evaluate(DRAWER)
    assert page.evaluate("document.querySelector('.cursor').ariaLabel") == (
        "shot 0.json on node0: runnable, will fail"
    )
    page.click("#drawer .links button:nth-of-type(1)")
    assert "Can run now on 1 of 6 hosts" in page.evaluate(DRAWER)
    page.evaluate("showHost(1)")
    assert "shot 0.json runnable, will fail, accepted" in page.evaluate(DRAWER)
    page.press("Escape", code=27)
    assert (
        page.evaluate("document.querySelector('#hosts tbody').innerText").count(
            "2 of them will fail"
        )
        == 4
    )
    said = page.evaluate("document.querySelector('[aria-labelledby=h-damaged]').innerText")
    assert "2 workflows name vae/ae.safetensors: " in said
    assert "10 bytes lack on node3, node4" in said
    assert complaints(page) == []


def test_a_cell_that_is_accepted_costs_a_few_bytes(studio: Fleet) -> None:
    said = "accepted until 2026-12-31: " + "x" * 200
    many = [
        replace(w, groups=[replace(g, accepted=said) for g in w.groups]) for w in studio.workflows
    ]
    cells = sum(len(w.groups) for w in many)
    without = html.render(
        replace(
            studio,
            workflows=[
                replace(w, groups=[replace(g, accepted=None) for g in w.groups])
                for w in studio.workflows
            ],
        )
    )
    grown = len(html.render(replace(studio, workflows=many))) - len(without)
    assert len(said) < grown < len(said) + 3 * cells + 200


def test_everything_can_be_done_with_the_keyboard(show: Show, studio: Fleet) -> None:
    page = show(studio)
    page.evaluate("document.querySelector('#grid').focus()")
    for key in ("ArrowDown", "ArrowDown", "ArrowRight"):
        page.press(key)
    at = "document.getElementById(grid.getAttribute('aria-activedescendant'))"
    assert page.evaluate(f"{at}.ariaLabel") == "controlnet/depth.json on ben: runnable"
    assert page.evaluate(f"getComputedStyle({at}).outlineStyle") == "solid"
    page.press("Enter", code=13)
    assert page.evaluate("document.querySelector('#drawer-title').textContent") == (
        "controlnet/depth.json on ben"
    )
    assert page.evaluate("document.activeElement.id") == "drawer-title"
    page.press("Escape", code=27)
    assert page.evaluate("document.activeElement.id") == "grid"
    for key in ("ArrowLeft", "ArrowLeft", "Enter"):
        page.press(key)
    assert "Can run now on 6 of 9 hosts" in page.evaluate(DRAWER)
    page.press("Escape", code=27)
    for key in ("ArrowRight", "ArrowUp", "ArrowUp", "ArrowUp", "Enter"):
        page.press(key)
    assert page.evaluate("document.querySelector('#drawer-title').textContent") == "anna"


def test_a_farm_costs_no_more_than_what_is_seen_of_it(show: Show) -> None:
    """1,000 hosts with 500 workflows against 40 with 30, which fill the window too."""
    keystrokes = """(async () => {
      const field = document.querySelector("#workflow");
      for (const text of ["s", "sh", "sho", "shot", "shot ", "shot", "sho", "sh", "s"]) {
        field.value = text;
        field.dispatchEvent(new Event("input"));
        grid.getBoundingClientRect();
        await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
      }
    })()"""

    def work_ms(page: chromium.Page) -> float:
        parts = ("Script", "Layout", "RecalcStyle")
        before = page.work_ms(*parts)
        page.evaluate(keystrokes)
        return page.work_ms(*parts) - before

    few = show(made_up(40, 30))
    small, nodes = work_ms(few), few.evaluate(NODES)
    many = show(made_up(1000, 500))
    assert 0 < work_ms(many) < 3 * small
    assert many.evaluate(NODES) < 2 * nodes
    many.evaluate("grid.scrollTo(1e6, 1e6)")
    many.settle()
    assert many.evaluate(WORKFLOWS)[-1] == "shot 499.json"
    assert many.evaluate(HOSTS)[-1] == "render0999"
    assert many.evaluate(NODES) < 2 * nodes
    assert many.evaluate("elementAt(499, 998).textContent") == "✓"
    assert many.evaluate("elementAt(499, 999).textContent") == "✕"
    many.evaluate("showCell(499, 999)")
    assert "because of 499" in many.evaluate(DRAWER)
    assert complaints(many) == []


@pytest.mark.parametrize("dark", [False, True])
def test_what_changed_can_be_read_on_a_telephone(show: Show, studio: Fleet, dark: bool) -> None:
    page = show(studio, width=360, height=700)
    page.media(dark=dark)
    page.evaluate("document.querySelectorAll('#changes details').forEach(e => (e.open = true))")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate("""[...document.querySelectorAll('#changes *')].every(
      e => e.getBoundingClientRect().right <= innerWidth)""")


@pytest.mark.parametrize(("hosts", "workflows"), [(0, 0), (1, 0), (1, 1), (3, 5)])
def test_small_fleets_fit_a_telephone(show: Show, hosts: int, workflows: int) -> None:
    page = show(made_up(hosts, workflows), width=360, height=700)
    assert complaints(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert len(page.evaluate(WORKFLOWS)) == workflows
    assert page.evaluate("document.querySelector('#nothing').checkVisibility()") == (workflows == 0)


def test_all_of_a_small_fleet_is_printed(show: Show) -> None:
    page = show(made_up(20, 60))
    assert len(page.evaluate(WORKFLOWS)) < 60
    page.media(dark=True, medium="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert len(page.evaluate(WORKFLOWS)) == 60
    assert page.evaluate("grid.scrollHeight === grid.clientHeight")
    top, bottom = (
        page.evaluate(f"elementAt({row}, 0).getBoundingClientRect().{side}")
        for row, side in ((0, "top"), (-1, "bottom"))
    )
    assert bottom <= top
    assert page.evaluate("document.querySelector('#hosts th button').checkVisibility()")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_without_script_it_says_what_needs_attention(show: Show, studio: Fleet) -> None:
    page = show(studio, script=False)
    text = page.evaluate("document.body.innerText")
    assert "it could not be reached: Connection timed out" in text
    assert "fleet.md, beside this file" in text
    assert "3 of 9 hosts need attention" in text
