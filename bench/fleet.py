"""The picture of 1,000 hosts with 500 workflows: size, cost of making, and use in a browser."""

from __future__ import annotations

import json
import resource
import statistics
import tempfile
import time
from pathlib import Path

from comfywatchman.fleet import command, folder, html, markdown, survey
from tests.e2e import chromium
from tests.unit.fleet import sample

HOSTS, WORKFLOWS = 1_000, 500
SIZE_LIMIT = 15_000_000
"""Bytes of fleet.html."""
INPUTS = {
    "a key in the filter of workflows": ("#workflow", ["s", "sh", "shot", "shot 0", "shot", "s"]),
    "a key in the filter of hosts": ("#host", ["r", "re", "render", "render05", "render", "r"]),
}
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


def main() -> None:
    """Measure and print.

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
            _in_browser(browser, page_file)
        if len(content) > SIZE_LIMIT:
            raise SystemExit(f"fleet.html is larger than {SIZE_LIMIT / 1e6:.0f} MB")


def _in_browser(browser: chromium.Browser, file: Path) -> None:
    page = browser.page(width=1440, height=900)
    start = time.perf_counter()
    page.open(file.as_uri())
    page.settle()
    _say("opening it", time.perf_counter() - start, "s")
    page.call("Performance.enable", timeDomain="threadTicks")
    for name, (field, texts) in INPUTS.items():
        before = _cpu(page)
        times = page.evaluate(f"{KEYS}(document.querySelector('{field}'), {json.dumps(texts)})")
        _say(name, statistics.median(times), "ms")
        _say("  its CPU, with the drawing", (_cpu(page) - before) / len(texts) * 1000, "ms")
        page.press("Escape", code=27)
    _say("elements in the page", page.evaluate("document.querySelectorAll('*').length"), "")
    _say("its memory", page.evaluate("performance.memory.usedJSHeapSize") / 1024**2, "MiB")


def _cpu(page: chromium.Page) -> float:
    """Seconds of CPU that the page's thread has taken."""
    metrics = page.call("Performance.getMetrics")["metrics"]
    return next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration")


def _say(what: str, number: float, unit: str) -> None:
    print(f"{what:<34} {number:>9,.1f} {unit}".rstrip())
