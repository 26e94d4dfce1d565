"""A short soak; ``./dev soak`` runs the long one."""

from __future__ import annotations

from tests.soak import soak


def test_soak() -> None:
    figures = soak(6, seed=7, scheduled=2)
    assert not any(figures.wrong.values()), str(figures)
    assert figures.cycles == 6
    assert figures.killed
    assert figures.scheduled == 2
