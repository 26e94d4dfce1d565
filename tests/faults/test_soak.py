"""A short soak; ``./dev soak`` runs the long one."""

from __future__ import annotations

from tests.soak import soak


def test_soak() -> None:
    figures = soak(9, seed=7, scheduled=3)
    assert not any(figures.wrong.values()), str(figures)
    assert figures.cycles == 9
    assert figures.killed
    assert figures.scheduled == 3
