"""What a cycle finds out of the model files, and of the workflows that name them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from comfywatchman.judging import cache
from comfywatchman.modelfiles import decayed, looking, marking
from comfywatchman.modelfiles.answers import Answers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from comfywatchman.comfyui.inventory import Inventory
    from comfywatchman.comfyui.model_files import Listing
    from comfywatchman.modelfiles.hashes import Hashes
    from comfywatchman.modelfiles.marking import Marked
    from comfywatchman.results import WorkflowReport


@dataclass(frozen=True, slots=True)
class Inspected:
    """What was found out.

    Attributes:
        marked: the workflows and the files; None where no file is on this host.
        trouble: sentences for the journal.
        not_checked: one sentence for each thing that could not be seen.
    """

    marked: Marked | None = None
    trouble: Sequence[str] = ()
    not_checked: list[str] = field(default_factory=list)


def inspected(
    reports: Sequence[WorkflowReport],
    listing: Listing,
    inventory: Inventory,
    answers: Path | None,
    seconds: float,
    *,
    whole: bool,
    hashes: Hashes | None = None,
) -> Inspected:
    """Look into the model files that changed, and mark the workflows that will fail.

    Args:
        reports: the verdicts.
        listing: the model files of this host.
        inventory: what the server lists.
        answers: where it is kept what was found of them.
        seconds: how long it may take.
        whole: whether all workflows of the host were judged; else only the files that these name
            are looked into.
        hashes: what is known of files that were read as a whole.
    """
    unseen = [f"model files in {folder}: {why}" for folder, why in listing.blind.items()]
    if not listing.files:
        if listing.places and not unseen and any(inventory.models.values()):
            unseen = ["none of the model files that the server lists is to be seen on this host"]
        return Inspected(not_checked=unseen)
    files = listing.files
    names = marking.Names(files, inventory.models)
    named = {file.path for report in reports for used in report.models for file in names.of(used)}
    if not whole:
        files = tuple(file for file in files if file.path in named)
    looked = looking.looked_into(
        files,
        Answers(answers, cache.program()),
        seconds,
        first=named,
        whole=whole and not listing.blind,  # what is hidden now may be as it was
    )
    if hashes is not None:
        looked = decayed.told(looked, hashes)
    return Inspected(
        marking.marked(reports, looked, inventory.models),
        looked.trouble,
        [*unseen, *looked.not_checked],
    )
