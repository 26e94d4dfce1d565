"""Pages in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from tests.e2e import chromium

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class OpenPage(Protocol):
    """Shows HTML in a page of its own, as a file."""

    def __call__(self, html: str, *, script: bool = True, **how: object) -> chromium.Page: ...


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Browser]:
    """A browser for the tests of a module."""
    executable = chromium.find()
    if executable is None:
        pytest.skip("no Chromium or Chrome is installed")
    with chromium.Browser(executable, tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture
def open_page(browser: chromium.Browser, tmp_path: Path) -> Iterator[OpenPage]:
    """Pages that are closed after the test; what they kept is forgotten."""
    pages = []

    def show(html: str, *, script: bool = True, **how: object) -> chromium.Page:
        file = tmp_path / "the page.html"
        file.write_text(html, encoding="utf-8")
        page = browser.page(**how)
        pages.append(page)
        page.call("Emulation.setScriptExecutionDisabled", value=not script)
        page.open(file.as_uri())
        return page

    yield show
    for page in pages:
        page.evaluate("(() => { try { localStorage.clear() } catch {} })()")
        page.call("Page.close")
