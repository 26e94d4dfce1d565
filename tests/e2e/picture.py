"""The report's picture in the README: ``python -m tests.e2e.picture docs/images/report.webp``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from comfywatchman.report import html
from tests.e2e import chromium
from tests.unit.report.sample import realistic


def main(file: Path) -> None:
    executable = chromium.find()
    if executable is None:
        sys.exit("no Chromium or Chrome is installed")
    with tempfile.TemporaryDirectory() as folder:
        page_file = Path(folder, "report.html")
        page_file.write_text(html.render(realistic()), encoding="utf-8")
        with chromium.Browser(executable, Path(folder, "profile")) as browser:
            page = browser.page(width=1060, height=1120)
            page.open(page_file.as_uri())
            page.evaluate("document.querySelector('#age').textContent = '(3 minutes ago)'")
            page.evaluate("document.querySelector('.body#w1').parentElement.open = true")
            page.settle()
            page.screenshot(file)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
