"""For a terminal: what of a bill of materials lacks or differs here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from comfywatchman.moments import shown
from comfywatchman.report.digest import plural
from comfywatchman.report.terminal import BOLD, DIM
from comfywatchman.results import BomState

if TYPE_CHECKING:
    from comfywatchman.report.terminal import Page
    from comfywatchman.results import BomCheck

_TITLES: Final = {
    BomState.LACKS: "Lacks here",
    BomState.NOT_KNOWN: "Cannot be told",
    BomState.DIFFERS: "Differs, and does no harm as far as can be told",
}
_STYLES: Final = {BomState.LACKS: "31", BomState.NOT_KNOWN: "35", BomState.DIFFERS: DIM}
MOST_SHOWN: Final = 200
"""Of one state; the JSON form has all."""
_MOST_CHANGES: Final = 8


def render(check: BomCheck, page: Page) -> str:
    """What lacks, cannot be told and differs, as text that ends with a newline."""
    page.say(f"{check.workflow} on {check.host}: {headline(check)}", style=BOLD)
    page.say(f"the bill {check.bom_file}, made on {check.made_on} at {shown(check.made_at)}")
    page.say(f"compared with {check.against}", style=DIM)
    for state, title in _TITLES.items():
        found = [each for each in check.differences if each.state is state]
        if not found:
            continue
        page.heading(title, _STYLES[state])
        for each in found[:MOST_SHOWN]:
            page.say(each.text, mark="-")
            told = [change for change in each.changes if change not in each.text]
            for change in told[:_MOST_CHANGES]:
                page.say(change, mark="-", indent=4, style=DIM)
            if len(told) > _MOST_CHANGES:
                page.say(f"and {len(told) - _MOST_CHANGES:,} more", indent=4, style=DIM)
        if len(found) > MOST_SHOWN:
            page.say(f"and {len(found) - MOST_SHOWN:,} more: --format json has them all")
    if check.not_checked:
        page.heading("Not seen here", DIM)
        for sentence in check.not_checked:
            page.say(sentence, mark="-", style=DIM)
    return page.text()


def headline(check: BomCheck) -> str:
    """The answer in a few words."""
    states = [each.state for each in check.differences]
    lacking, doubtful = states.count(BomState.LACKS), states.count(BomState.NOT_KNOWN)
    if lacking:
        return f"{plural(lacking, 'thing')} {'lacks' if lacking == 1 else 'lack'}"
    if doubtful:
        return f"of {plural(doubtful, 'thing')} it cannot be told whether they lack"
    return "nothing lacks"
