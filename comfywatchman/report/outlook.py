"""A forecast for a terminal: what another catalog would do to the workflows of a host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfywatchman.report.changes import account
from comfywatchman.report.digest import plural
from comfywatchman.report.formats import text
from comfywatchman.report.terminal import BOLD, DIM

if TYPE_CHECKING:
    from comfywatchman.report.terminal import Page
    from comfywatchman.results import Forecast


def render(forecast: Forecast, page: Page) -> str:
    """What would change, as text that ends with a newline."""
    before, after = forecast.comfyui_before, forecast.comfyui_after
    page.say(f"Forecast for {forecast.host}: ComfyUI {before or '?'} → {after or '?'}", style=BOLD)
    page.say(f"the node types of {forecast.catalog_file}", style=DIM)
    page.say(f"compared with {forecast.against}", style=DIM)
    judged = plural(forecast.judged, "workflow")
    if not forecast.changes.workflows:
        page.say(f"None of {judged} would change", style=BOLD)
    else:
        page.say(f"Of {judged}:")
    text.tell(page, account(forecast.changes))
    return page.text()
