"""The fixes of a host's workflows: found by strategies, judged, and said how sure they are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Final

from comfywatchman.fixes import catalogue, document, place
from comfywatchman.fixes.document import edited
from comfywatchman.fixes.fault import faults
from comfywatchman.fixes.proof import NOTHING, Court, is_worse, rose
from comfywatchman.fixes.proposal import Edit, Proposal, identity
from comfywatchman.results import Confidence, FixKind, Severity, Verdict
from comfywatchman.workflow.budget import Budget
from comfywatchman.workflow.convert import convert
from comfywatchman.workflow.find import PictureFile
from comfywatchman.workflow.graph import as_mapping, objects
from comfywatchman.workflow.load import load
from comfywatchman.workflow.prompt import WorkflowError

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

    from comfywatchman.fixes.candidate import Candidate
    from comfywatchman.fixes.document import Document
    from comfywatchman.fixes.fault import Fault
    from comfywatchman.fixes.here import Here, Saved
    from comfywatchman.fixes.proof import Files
    from comfywatchman.results import Finding, WorkflowReport

_MOST_FAULTS: Final = 100
"""Findings of one workflow that fixes are sought for."""
_MOST_BYTES: Final = 64 * 1024**2
"""Of a large one they are fewer: for each it is converted and judged anew."""
_MOST_LAYERS: Final = 3
"""How often it is looked for what only shows once fixes are made."""
_MOST_OFFERED: Final = 4
"""Fixes for one finding, where none of them is sure enough to be the one."""


@dataclass(frozen=True, slots=True)
class _Draft:
    """A fix that takes its finding away and does no harm.

    Attributes:
        strategy: what found it.
        candidate: what is done.
        edits: what that changes in the document.
        files: the model files that there are then.
        cures: fingerprints of the findings that it takes away.
        proof: what was judged; None if that proves nothing.
    """

    strategy: str
    candidate: Candidate
    edits: tuple[Edit, ...]
    files: Files
    cures: tuple[str, ...]
    proof: str | None = None

    @property
    def effect(self) -> str:
        """Stands for what it does."""
        return _effect_of(self.edits, self.files)

    @property
    def is_brought(self) -> bool:
        """Whether it brings a file that others may trip over."""
        return self.candidate.placement is not None

    @property
    def is_firm(self) -> bool:
        """Whether it may be made without asking, and judged as made."""
        return self.candidate.confidence is not Confidence.ASK and self.candidate.download is None

    def proposal(self, saved: Saved) -> Proposal:
        """It as it is shown."""
        what = self.candidate
        path = saved.report.path
        places = [[list(e.pointer), e.before, e.after] for e in self.edits]
        file = [f"{what.placement}", f"{what.download}"]
        confidence = what.confidence if self.proof is None else Confidence.PROVEN
        proposal = Proposal(
            id=identity(path, self.strategy, places, file),
            workflow=path,
            strategy=self.strategy,
            kind=what.kind,
            confidence=confidence,
            text=what.text,
            fingerprints=self.cures,
            edits=self.edits,
            placement=what.placement,
            download=what.download,
            proof=self.proof,
        )
        if self.edits and isinstance(saved.workflow, PictureFile):
            text = (
                f"{what.text} Do it in ComfyUI: the workflow is in a picture, which stays as it is."
            )
            return replace(proposal, kind=FixKind.BY_HAND, text=text, edits=())
        return proposal


def propose(here: Here, only: Container[str] | None = None) -> list[Proposal]:
    """Find the fixes of a host's workflows.

    Args:
        here: the host.
        only: the paths of the workflows to find fixes for, as reports name them; None: for all.
    """
    court = Court(here)
    found = {
        saved.report.path: (saved, _Workflow(here, saved, court).drafts())
        for saved in here.workflows
        if saved.report.findings and (only is None or saved.report.path in only)
    }
    brought = {draft.files for _, drafts in found.values() for draft in drafts if draft.is_brought}
    harmful = court.harmful(brought)
    for path, (saved, drafts) in found.items():
        if not harmful.isdisjoint(draft.files for draft in drafts):
            found[path] = saved, _Workflow(here, saved, court, harmful).drafts()
    return [draft.proposal(saved) for saved, drafts in found.values() for draft in drafts]


class _Workflow:
    """One workflow that fixes are sought for.

    Args:
        here: the host.
        saved: the workflow.
        court: judges it.
        harmful: the model files that must not be brought.
    """

    def __init__(
        self, here: Here, saved: Saved, court: Court, harmful: Container[Files] = ()
    ) -> None:
        self._here = here
        self._saved = saved
        self._court = court
        self._harmful = harmful
        self._was = court.judge(saved)
        self._content: Document = {}
        self._known: set[str] = set()
        self._revealing: list[_Draft] = []

    def drafts(self) -> list[_Draft]:
        """Its fixes, in the order of its findings."""
        drafts = self._found()
        revealing = self._revealing
        hidden = self._hidden([*drafts, *revealing])
        if not revealing:
            alone = [self._as_one([draft]) for draft in hidden]
            return self._proven_together([*drafts, *filter(None, alone)])
        # What only shows other errors helps nobody without their fixes: they are made as one.
        one = self._as_one([*revealing, *hidden])
        if one is None:
            firm = [draft for draft in drafts if draft.is_firm and draft.edits]
            one = self._as_one([*firm, *revealing, *hidden])
            if one is not None:
                drafts = [draft for draft in drafts if draft not in firm]
        return self._proven_together(drafts if one is None else [*drafts, one])

    def _as_one(self, drafts: Sequence[_Draft]) -> _Draft | None:
        """Several fixes as one; None if that does harm."""
        made = _compatible(drafts)
        now = self._with(made)
        if is_worse(now, self._was):
            return None
        text = " ".join(draft.candidate.text for draft in made)
        return replace(
            made[0],
            candidate=replace(made[0].candidate, text=text),
            edits=tuple(edit for draft in made for edit in draft.edits),
            cures=tuple(dict.fromkeys(mark for draft in made for mark in draft.cures)),
            proof=self._proof(now) if rose(now, self._was) else None,
        )

    def _hidden(self, drafts: Iterable[_Draft]) -> list[_Draft]:
        """Fixes for what only shows once others are made.

        A node of an unknown type, or whose values mean something else, hides what is wrong in it.
        """
        made = _compatible(draft for draft in drafts if draft.is_firm and not draft.files)
        known = {finding.fingerprint for finding in self._was.findings}
        hidden: list[_Draft] = []
        for _ in range(_MOST_LAYERS if made else 0):
            raw = document.dump(edited(self._content, [e for draft in made for e in draft.edits]))
            then = _Workflow(self._here, replace(self._saved, raw=raw), self._court)
            if all(finding.fingerprint in known for finding in then.errors):
                break
            found = [*then._found(), *then._revealing]
            more = _compatible([*made, *(d for d in found if d.is_firm and not d.files)])
            if len(more) == len(made):
                break
            more[len(made) :] = [replace(draft, proof=None) for draft in more[len(made) :]]
            hidden += more[len(made) :]
            made = more
        return hidden

    @property
    def errors(self) -> list[Finding]:
        """What is wrong with it, and has the server refuse it or a part of it."""
        return [finding for finding in self._was.findings if finding.severity is Severity.ERROR]

    def _found(self) -> list[_Draft]:
        """The fixes for one finding each."""
        world = self._here.world
        try:
            self._content = load(self._saved.raw, max_depth=world.depth)
            conversion = convert(self._content, world.catalog, Budget(len(self._saved.raw)))
        except WorkflowError:
            return []
        found = faults(
            self._here,
            self._saved,
            self._content,
            conversion,
            [f for f in self._was.findings if f.severity is not Severity.INFO],
        )
        most = max(1, min(_MOST_FAULTS, _MOST_BYTES // (len(self._saved.raw) + 1)))
        return [draft for fault in islice(found, most) for draft in self._of(fault)]

    def _of(self, fault: Fault) -> Iterator[_Draft]:
        """The fixes for one finding: the first that is sure, else some to be chosen from."""
        offered = 0
        for name, strategy in catalogue.find():
            for candidate in strategy.candidates(fault):
                edits, files = _effect(fault, candidate)
                if not (edits or files) or files in self._harmful:
                    continue
                effect = _effect_of(edits, files)
                if effect in self._known:
                    return
                draft = self._draft(fault, name, candidate, edits, files)
                if draft is None:
                    continue
                self._known.add(effect)
                yield draft
                offered += 1
                if candidate.confidence is not Confidence.ASK or offered == _MOST_OFFERED:
                    return

    def _draft(
        self,
        fault: Fault,
        strategy: str,
        candidate: Candidate,
        edits: tuple[Edit, ...],
        files: Files,
    ) -> _Draft | None:
        """What a candidate comes to; None if it does harm, or does not help."""
        now = self._court.judge(self._saved, edited(self._content, edits), files)
        left = {finding.fingerprint for finding in now.findings}
        if fault.finding.fingerprint in left:
            return None
        cures = tuple(
            finding.fingerprint
            for finding in self._was.findings
            if finding.cause_id == fault.finding.cause_id and finding.fingerprint not in left
        )
        draft = _Draft(strategy, candidate, edits, files, cures)
        if is_worse(now, self._was):
            if draft.is_firm and edits and self._was.verdict is Verdict.BROKEN:
                self._revealing.append(draft)
            return None
        if draft.is_firm and rose(now, self._was):
            return replace(draft, proof=self._proof(now, is_edit=bool(edits)))
        return draft

    def _proven_together(self, drafts: Sequence[_Draft]) -> list[_Draft]:
        """Prove those that only together raise the verdict: what each lacks, the others mend."""
        firm = _compatible(draft for draft in drafts if draft.is_firm)
        if len(firm) < 2 or all(draft.proof for draft in firm):
            return list(drafts)
        together = self._with(firm)
        if not rose(together, self._was) or is_worse(together, self._was):
            return list(drafts)
        left = {finding.fingerprint for finding in together.findings}
        others = "one other fix" if len(firm) == 2 else f"{len(firm) - 1:,} other fixes"
        proof = (
            f"the copy edited so, and by {others} of this workflow, was judged: "
            f"{self._verdicts(together)}"
        )
        proven: dict[int, _Draft] = {}
        for draft in firm:
            if draft.proof is None and left.isdisjoint(draft.cures):
                without = self._with([other for other in firm if other is not draft])
                if rose(together, without):
                    proven[id(draft)] = replace(draft, proof=proof)
        return [proven.get(id(draft), draft) for draft in drafts]

    def _with(self, drafts: Sequence[_Draft]) -> WorkflowReport:
        edits = [edit for draft in drafts for edit in draft.edits]
        return self._court.judge(self._saved, edited(self._content, edits), _files(drafts))

    def _proof(self, now: WorkflowReport, *, is_edit: bool = True) -> str:
        with_it = "the edited copy" if is_edit else "the workflow, with the file there,"
        return f"{with_it} was judged: {self._verdicts(now)}"

    def _verdicts(self, now: WorkflowReport) -> str:
        return f"{self._was.verdict} before, {now.verdict} then"


def _files(drafts: Iterable[_Draft]) -> Files:
    return frozenset(file for draft in drafts for file in draft.files)


def _effect_of(edits: Iterable[Edit], files: Files) -> str:
    return identity([[list(edit.pointer), edit.after] for edit in edits], sorted(files))


def _compatible(drafts: Iterable[_Draft]) -> list[_Draft]:
    """Those that do not set one value twice; the first counts."""
    kept: list[_Draft] = []
    taken: set[object] = set()
    for draft in drafts:
        places = {edit.pointer for edit in draft.edits}
        if taken.isdisjoint(places):
            kept.append(draft)
            taken |= places
    return kept


def _effect(fault: Fault, candidate: Candidate) -> tuple[tuple[Edit, ...], Files]:
    """What a candidate changes: of the document, and of the model files; nothing if it cannot."""
    if candidate.placement is not None or candidate.download is not None:
        return (), frozenset({(fault.folder or "", fault.wanted or "")})
    if candidate.node_type is not None:
        return tuple(_retyped(fault, candidate.node_type, candidate.renamed)), NOTHING
    return place.find(fault, candidate.after) or (), NOTHING


def _retyped(fault: Fault, node_type: str, renamed: Mapping[str, str]) -> Iterator[Edit]:
    """The edits by which a node gets another type, and its inputs the names they have there."""
    at = document.path_to(fault.document, fault.node_id)
    before = fault.node_type
    if not at or before is None:
        return
    if not document.is_graph(fault.document):
        yield Edit((*at[0], "class_type"), before, node_type)
        return
    yield Edit((*at[0], "type"), before, node_type)
    for number, socket in enumerate(objects(fault.saved_node.get("inputs"))):
        for within, named in ((), socket), (("widget",), as_mapping(socket.get("widget"))):
            old = named.get("name")
            if isinstance(old, str) and renamed.get(old, old) != old:
                yield Edit((*at[0], "inputs", number, *within, "name"), old, renamed[old])
