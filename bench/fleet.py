"""The picture of 1,000 hosts with 500 workflows: size, cost of making, and use in a browser."""

from __future__ import annotations

import json
import os
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

from bench.measure import Contender, alternate, table
from comfywatchman.fleet import command, folder, html, markdown, survey
from comfywatchman.modelfiles import page as ledger_page
from tests.e2e import chromium
from tests.unit.fleet import sample
from tests.unit.modelfiles import sample as made_up

HOSTS, WORKFLOWS = 1_000, 500
SIZE_LIMIT = 15_000_000
"""Bytes of fleet.html."""
FILES = 20_000
"""Model files of the page of a host's ledger, which is to be as fast as that of the fleet."""
HOSTS_KEY = "a key in the filter of hosts"
FILES_KEY = "a key in the filter"
LEDGER_ROUNDS = 5
INPUTS = {
    "a key in the filter of workflows": ("#workflow", ["s", "sh", "shot", "shot 0", "shot", "s"]),
    HOSTS_KEY: ("#host", ["r", "re", "render", "render05", "render", "r"]),
}
LEDGER_INPUTS = {FILES_KEY: ("#wanted", ["m", "mo", "model", "model number 05", "model", "m"])}
KEYS = """(async (field, texts) => {
  const times = [];
  for (const text of texts) {
    const start = performance.now();
    field.value = text;
    field.dispatchEvent(new Event("input"));
    document.body.getBoundingClientRect();
    times.push(performance.now() - start);
    await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
  }
  return times;
})"""


def main(rounds: int, before: Path | None = None) -> None:
    """Measure and print.

    Args:
        rounds: of making, opening and filtering each, measured in turn; only with ``before``.
        before: another checkout, whose page of the same fleet is measured in the same run.

    Raises:
        SystemExit: the page is larger than it may be, or there is no browser.
    """
    executable = chromium.find()
    if executable is None:
        raise SystemExit("no Chromium or Chrome is installed")
    with tempfile.TemporaryDirectory() as place:
        collected = sample.farm(Path(place, "fleet"), HOSTS, WORKFLOWS)
        print(
            f"{HOSTS:,} hosts with {WORKFLOWS} workflows, 35 in 100 bad, each for its own reasons"
        )
        start = time.process_time()
        fleet = survey.survey(folder.read(collected), sample.NOW)
        _say("reading what was collected, CPU", time.process_time() - start, "s")
        for name, render in (
            ("fleet.json", command.as_json),
            ("fleet.md", markdown.render),
            ("fleet.html", html.render),
        ):
            start = time.process_time()
            content = render(fleet).encode()
            _say(f"making {name}, CPU", time.process_time() - start, "s")
            _say(f"size of {name}", len(content) / 1e6, "MB")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        _say("memory at its peak", peak, "MiB")
        page_file = Path(place, "fleet.html")
        page_file.write_bytes(content)
        with chromium.Browser(executable, Path(place, "profile")) as browser:
            page = browser.page(width=1440, height=900)
            found = _in_browser(page, page_file)
            for what, (number, unit) in found.items():
                _say(what, number, unit)
            _say("elements in the page", page.evaluate("document.querySelectorAll('*').length"), "")
            used = page.evaluate("performance.memory.usedJSHeapSize")
            _say("its memory", used / 1024**2, "MiB")
            ledger_file = Path(place, "models.html")
            ledger_file.write_text(ledger_page.render(made_up.ledger(FILES, WORKFLOWS)))
            _beside(page, ledger_file, page_file)
        if before is not None:
            _against(before, collected, Path(place, "before"), executable, rounds)
        if len(content) > SIZE_LIMIT:
            raise SystemExit(f"fleet.html is larger than {SIZE_LIMIT / 1e6:.0f} MB")


def _against(before: Path, now: Path, folder: Path, executable: str, rounds: int) -> None:
    """Compare with another checkout's page, of the same hosts without what they remember."""
    earlier = sample.farm(folder, HOSTS, WORKFLOWS, history=False)
    made = [sys.executable, "-P", "-m", "comfywatchman.fleet", "--fail-on=never"]
    here = str(Path(__file__).parents[1])
    runs = alternate(
        [
            Contender(name, [*made, str(at)], {**os.environ, "PYTHONPATH": path})
            for name, at, path in (("now", now, here), ("before", earlier, str(before.absolute())))
        ],
        rounds,
    )
    print(table(runs, "before"))
    figures: dict[tuple[str, Path], list[float]] = {}
    with chromium.Browser(executable, folder.with_name("profile-before")) as browser:
        page = browser.page(width=1440, height=900)  # one: nothing is drawn in the background
        for number in range(rounds + 1):
            for at in (now, earlier):
                for what, (figure, _) in _in_browser(page, at / "fleet.html").items():
                    if number:
                        figures.setdefault((what, at), []).append(figure)
    for what in dict.fromkeys(what for what, _ in figures):
        ratio = statistics.median(figures[what, now]) / statistics.median(figures[what, earlier])
        print(f"{what:<39} {ratio:>9.2f} x before")


def _beside(page: chromium.Page, ledger: Path, fleet: Path) -> None:
    """Tell what the page of a host's model files takes, as a ratio to that of the fleet."""
    found = [
        (_in_browser(page, ledger, LEDGER_INPUTS), _in_browser(page, fleet))
        for _ in range(LEDGER_ROUNDS)
    ]
    for key, other in (("opening it", "opening it"), (FILES_KEY, HOSTS_KEY)):
        ratio = statistics.median(files[key][0] / hosts[other][0] for files, hosts in found)
        _say(f"{FILES:,} files: {key}", ratio, "x the fleet's")


def _in_browser(
    page: chromium.Page, file: Path, inputs: dict[str, tuple[str, list[str]]] = INPUTS
) -> dict[str, tuple[float, str]]:
    """What opening and filtering takes, each with its unit."""
    page.call("Performance.enable", timeDomain="threadTicks")
    start = time.perf_counter()
    page.open(file.as_uri())
    page.settle()
    found = {"opening it": (time.perf_counter() - start, "s")}
    found["  its CPU"] = (_cpu(page), "s")  # it counts anew from here
    for name, (field, texts) in inputs.items():
        before = _cpu(page)
        times = page.evaluate(f"{KEYS}(document.querySelector('{field}'), {json.dumps(texts)})")
        found[name] = (statistics.median(times), "ms")
        found[f"  its CPU, with the drawing ({field})"] = (
            (_cpu(page) - before) / len(texts) * 1000,
            "ms",
        )
        page.press("Escape", code=27)
    return found


def _cpu(page: chromium.Page) -> float:
    """Seconds of CPU that the page's thread has taken."""
    metrics = page.call("Performance.getMetrics")["metrics"]
    return next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration")


def _say(what: str, number: float, unit: str) -> None:
    print(f"{what:<39} {number:>9,.2f} {unit}".rstrip())
