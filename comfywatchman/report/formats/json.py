"""The report for programs: JSON, as docs/schema says."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from comfywatchman.results import Report


def write(report: Report, stream: TextIO) -> None:
    """Write the report to ``stream``, indented."""
    stream.write(report.model_dump_json(indent=2) + "\n")
