"""Pictures of the docs: ``python -m tests.e2e.picture report docs/images/report.webp [--dark]``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from comfywatchman.fleet import folder, survey
from comfywatchman.fleet import html as fleet_html
from comfywatchman.report import html
from tests.e2e import chromium
from tests.unit.fleet import sample
from tests.unit.report.sample import accepted, realistic, remembered


def _report(_: Path) -> tuple[str, int, int, str]:
    script = "document.querySelector('.body#w1').parentElement.open = true"
    return html.render(remembered()), 1060, 1120, script


def _accepted(_: Path) -> tuple[str, int, int, str]:
    names = ["old/half-saved.json", "flux/contact sheet.json"]
    script = (
        "document.querySelector('#accepted .w').open = true;"
        "document.querySelector('#accepted').scrollIntoView({block: 'center'})"
    )
    return html.render(accepted(realistic(), *names)), 1060, 1120, script


def _fleet(at: Path) -> tuple[str, int, int, str]:
    fleet = survey.survey(folder.read(sample.studio(at / "fleet")), sample.NOW)
    return fleet_html.render(fleet), 1280, 1560, ""


PICTURES = {"report": _report, "accepted": _accepted, "fleet": _fleet}


def main(name: str, file: Path, *, dark: bool) -> None:
    executable = chromium.find()
    if executable is None:
        sys.exit("no Chromium or Chrome is installed")
    with tempfile.TemporaryDirectory() as place:
        page_file = Path(place, "page.html")
        content, width, height, script = PICTURES[name](Path(place))
        page_file.write_text(content, encoding="utf-8")
        with chromium.Browser(executable, Path(place, "profile")) as browser:
            page = browser.page(width=width, height=height, dark=dark)
            page.open(page_file.as_uri())
            page.evaluate("document.querySelector('#age').textContent = '(3 minutes ago)'")
            page.evaluate(script)
            page.settle()
            page.screenshot(file)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), dark="--dark" in sys.argv[3:])
