"""Figures that the tests against recorded answers leave at the end of the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

_FIGURES = pytest.StashKey[list[str]]()


@pytest.fixture
def agreement(request: pytest.FixtureRequest) -> Callable[[str, int, int], None]:
    """Note how many of how many cases agree with the recorded answer, for the summary."""

    def note(what: str, agree: int, of: int) -> None:
        figures = request.config.stash.setdefault(_FIGURES, [])
        figures.append(f"{what}: {agree} of {of} ({agree / of:.2%})")

    return note


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    for figure in config.stash.get(_FIGURES, []):
        terminalreporter.write_line(f"agreement with the recorded server: {figure}")
