"""Model files that cannot be loaded, as every form shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from comfywatchman.report.changes import NAMES_LIMIT, listed
from comfywatchman.report.digest import plural

if TYPE_CHECKING:
    from comfywatchman.results import DamagedModel, Report

HEADING: Final = "Damaged model files"
WILL_FAIL: Final = "will fail"
"""What is said of a workflow that names one, beside its verdict."""
LIMIT: Final = 20
"""Files shown; the JSON form has more."""


def among(report: Report) -> str:
    """How many of the workflows will fail all the same, e.g. ``, 2 of them will fail``."""
    number = sum(each.will_fail for each in report.workflows)
    return f", {number:,} of them {WILL_FAIL}" if number else ""


def lines(report: Report) -> list[tuple[str, str | None, str]]:
    """What is wrong with each file, what to do about it, and which workflows name it."""
    names = {workflow.path: workflow.name for workflow in report.workflows}
    shown = report.damaged_models[:LIMIT]
    found = [(each.message, each.fix, _named_by(each, names)) for each in shown]
    number = report.model_files.damaged if report.model_files else 0
    if (more := max(number, len(report.damaged_models)) - len(shown)) > 0:
        found.append((f"and {plural(more, 'more file')}", None, ""))
    return found


def _named_by(model: DamagedModel, names: dict[str, str]) -> str:
    workflows = [names[path] for path in model.workflows if path in names]
    if not workflows:
        return "no node of a workflow that was read names it"
    verb = "names" if len(workflows) == 1 else "name"
    return f"{plural(len(workflows), 'workflow')} {verb} it: {listed(workflows, NAMES_LIMIT)}"
