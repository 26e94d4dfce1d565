"""A workflow that uses a pack which changed on the disk since the server was started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfywatchman.checks.engine.absence import RESTART_PENDING, changed, restart
from comfywatchman.checks.engine.registry import on_prompt
from comfywatchman.comfyui.provenance.manager import ChangeKind
from comfywatchman.comfyui.provenance.pack import alike
from comfywatchman.findings import Advice, about, quoted
from comfywatchman.results import Severity, SubjectKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfywatchman.checks.engine.case import PromptCase
    from comfywatchman.results import Finding


@on_prompt
def check(case: PromptCase) -> Iterator[Finding]:
    """Say once of each pack in use that it is another one after the next restart."""
    for node_id, plan in case.plans.items():
        name, folder = plan.type.name, plan.type.pack
        change = case.provenance.change(folder) if folder is not None else None
        if change is None or not case.first(RESTART_PENDING, alike(change.folder)):
            continue
        lost = change.kind in (ChangeKind.DISABLED, ChangeKind.REMOVED)
        yield RESTART_PENDING.finding(
            f"the pack {quoted(change.folder)} {changed(change)}; this verdict is about the one "
            "that the server still runs",
            fix=Advice(
                f"enable or install the pack {quoted(change.folder)} again before ComfyUI is "
                "restarted, if this workflow shall run after that"
            )
            if lost
            else restart(change),
            subject=about(SubjectKind.PACK, change.folder),
            node_id=node_id,
            node_type=name,
            severity=Severity.INFO,
        )
