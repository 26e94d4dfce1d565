"""Model files that are there and cannot be loaded: nothing is put over them, so people are told."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from comfywatchman.escape import visible
from comfywatchman.findings import NAME_LENGTH, printable
from comfywatchman.fixes import document, download_hosts
from comfywatchman.fixes.plan import ByHand
from comfywatchman.fixes.strategies.download import may_be_fetched
from comfywatchman.modelfiles import marking
from comfywatchman.workflow.load import load

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from comfywatchman.comfyui.model_files import ModelFile
    from comfywatchman.fixes.here import Here, Saved
    from comfywatchman.modelfiles.looking import Looked
    from comfywatchman.results import Finding

ASIDE = ".damaged"
"""Ends the name that a damaged file is given: no model's."""


def by_hand(here: Here, looked: Looked, only: Container[str] | None) -> Iterator[ByHand]:
    """What a person may do about the damaged files that workflows name.

    Args:
        here: the host.
        looked: how its model files are.
        only: the paths of the workflows, as reports name them; None: all.
    """
    files = {(f.folder, printable(f.name, NAME_LENGTH)): f for f in looked.files}
    reports = marking.marked([saved.report for saved in here.workflows], looked).workflows
    for saved, report in zip(here.workflows, reports, strict=True):
        if only is None or report.path in only:
            for finding in filter(marking.is_damage, report.findings):
                file = files.get((finding.subject.folder or "", finding.subject.name))
                yield _told(here, saved, finding, file)


def _told(here: Here, saved: Saved, finding: Finding, file: ModelFile | None) -> ByHand:
    advised = finding.fixes[0]
    command, why = advised.command, "nothing is put over a file"
    url = None if file is None else _address(here, saved, file)
    if file is not None and url is not None:
        why += (
            f": once it is out of the way, `comfywatchman fix` offers to download it from "
            f"{download_hosts.shown(url)}, which the workflow names"
        )
        if command is None and visible(file.path) == file.path:
            command = f"mv -n {shlex.quote(file.path)} {shlex.quote(file.path + ASIDE)}"
    return ByHand(
        workflow=saved.report.path,
        id=advised.id,
        kind=advised.kind,
        confidence=advised.confidence,
        text=f"{finding.message}. {advised.text}",
        command=command,
        why=why,
    )


def _address(here: Here, saved: Saved, file: ModelFile) -> str | None:
    """Where a workflow says that a model is to be had."""
    named = document.named_model(load(saved.raw, max_depth=here.world.depth), file.name)
    url = named.get("url")
    return url if isinstance(url, str) and may_be_fetched(url) else None
