"""``comfywatchman report``."""

from __future__ import annotations

from comfywatchman import state
from comfywatchman.command_line import sentences, showing
from comfywatchman.command_line.options import Config, ReportFormat, StateDir


def run(
    *,
    config: Config = None,
    state_dir: StateDir = None,
    output_format: ReportFormat = "text",
) -> None:
    """Show the last full report again."""
    from comfywatchman.report.store import ReportStore

    with sentences.for_wrong_configuration():
        showing.show(ReportStore.latest(state.locate(state_dir, config)), output_format)
