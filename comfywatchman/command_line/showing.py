"""The report on standard output."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from comfywatchman import discovery, streams
from comfywatchman.report import formats

if TYPE_CHECKING:
    from comfywatchman.results import Report


def show(report: Report, wanted: str | None) -> None:
    """Show a report; in the journal, whose lines have said it all, only if a form was asked for.

    Args:
        report: the report.
        wanted: one of the names in :mod:`comfywatchman.report.formats`.
    """
    if wanted is not None or not streams.under_journal(sys.stdout):
        discovery.load(formats, wanted or "text").write(report, sys.stdout)
