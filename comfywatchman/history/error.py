"""What goes wrong with the history, where no SQLite is needed to say so."""

from __future__ import annotations


class HistoryError(Exception):
    """A cycle could not be kept. The text is one sentence; nothing else is harmed."""


class DamagedError(ValueError):
    """Content is not as it was written."""
