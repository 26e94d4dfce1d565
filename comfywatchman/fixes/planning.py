"""From proposals to a plan: of several ways to mend the same thing one, and all of them judged."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from comfywatchman.escape import visible
from comfywatchman.fixes import editing, seeing
from comfywatchman.fixes.plan import (
    ByHand,
    Outcome,
    PlannedDownload,
    PlannedEdit,
    PlannedFix,
    PlannedLink,
    PlannedWorkflow,
    Role,
    SeenFile,
)
from comfywatchman.fixes.proof import is_worse, rose
from comfywatchman.fixes.record import digest
from comfywatchman.fixes.world import Lists
from comfywatchman.fixes.writing import RefusedError, refuse_foreign_group, refuse_unwritable
from comfywatchman.judging.cache import VerdictCache
from comfywatchman.judging.workflow import judge_workflow
from comfywatchman.report.digest import in_short
from comfywatchman.results import Confidence, FixKind, Verdict
from comfywatchman.workflow.find import PictureFile, WorkflowCopy, WorkflowFile
from comfywatchman.workflow.prompt import WorkflowError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from comfywatchman.fixes.here import Here, Saved
    from comfywatchman.fixes.last_ran import LastRan
    from comfywatchman.fixes.proposal import Edit, Pointer, Proposal
    from comfywatchman.history.world import World
    from comfywatchman.results import WorkflowReport

_SURENESS: Final = {Confidence.PROVEN: 0, Confidence.LIKELY: 1, Confidence.ASK: 2}
_BAD: Final = (Verdict.BROKEN, Verdict.PARTIAL)
_Pairs: TypeAlias = "list[tuple[Proposal, PlannedFix]]"
_BY_A_PERSON: Final = frozenset(
    {
        FixKind.INSTALL_PACK,
        FixKind.ENABLE_PACK,
        FixKind.RESTART_SERVER,
        FixKind.UPDATE_SERVER,
    }
)


@dataclass(frozen=True, slots=True)
class Shown:
    """What is done to one workflow, for people.

    Attributes:
        workflow: its path, as reports name it.
        before: its bytes.
        after: its bytes with all edits.
        edits: they.
        verdicts: that from before and that from after.
        fixes: what is done.
    """

    workflow: str
    before: bytes
    after: bytes
    edits: Sequence[Edit]
    verdicts: tuple[Verdict, Verdict]
    fixes: Sequence[PlannedFix]


@dataclass(slots=True)
class Planned:
    """What a plan is made of.

    Attributes:
        workflows: what is done.
        reads: the files beside the workflows that this rests on, by path.
        by_hand: what is left to a person.
        not_written: one sentence for each workflow that cannot be written, or not be mended.
        shown: all of it for people, also of workflows that are not written.
    """

    workflows: list[PlannedWorkflow] = field(default_factory=list)
    reads: dict[str, SeenFile] = field(default_factory=dict)
    by_hand: list[ByHand] = field(default_factory=list)
    not_written: list[str] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)


def plan(
    here: Here,
    proposals: Iterable[Proposal],
    *,
    wanted: Collection[str] | None = None,
    taken: Collection[str] = (),
    inputs: Path | None = None,
    reported: Mapping[str, WorkflowReport] | None = None,
    last_ran: Callable[[str], LastRan | None] = lambda _: None,
) -> Planned:
    """Choose among proposals, and judge what comes of them together.

    Args:
        here: the host.
        proposals: of all its workflows; of each, the best first.
        wanted: the workflows to mend; None: all.
        taken: ids of proposals that a person has chosen; what is for a person to decide is left
            out without that.
        inputs: ComfyUI's input folder, if it is on this host.
        reported: by path, what the last report found, which knows more about packs.
        last_ran: when a workflow last ran here, and under what.
    """
    planner = _Planner(here, frozenset(taken), inputs, reported or {}, last_ran)
    by_workflow: dict[str, list[Proposal]] = {}
    for proposal in proposals:
        by_workflow.setdefault(proposal.workflow, []).append(proposal)
    for saved in here.workflows:
        if wanted is None or saved.report.path in wanted:
            planner.add(saved, by_workflow.get(saved.report.path, []))
    return planner.planned


def judged(world: World, path: str, name: str, raw: bytes) -> WorkflowReport:
    """The verdict on a workflow with these bytes."""
    cache = VerdictCache(None, world.catalog, world.inventory, {})
    copy = WorkflowCopy(path, name, raw)
    return judge_workflow(copy, cache, max_bytes=world.size, max_depth=world.depth)


def with_files(world: World, places: Mapping[str, Sequence[Path]], targets: Iterable[str]) -> World:
    """The world in which files lie at targets among the models too.

    Args:
        world: it, without them.
        places: by model folder, where its files lie.
        targets: absolute paths.
    """
    names = [each for target in targets for each in names_of(target, places)]
    return Lists(world).with_files(names) if names else world


def names_of(target: str, places: Mapping[str, Sequence[Path]]) -> list[tuple[str, str]]:
    """By which model folders a path is listed, and under what name."""
    found = []
    for folder, roots in places.items():
        for root in roots:
            start = os.path.join(root, "")  # noqa: PTH118  (texts, compared as such)
            if target.startswith(start):
                found.append((folder, target[len(start) :]))
                break
    return found


@dataclass(frozen=True, slots=True)
class _Done:
    """A workflow with fixes made in it: its bytes, what is found of them, and that in short."""

    raw: bytes
    report: WorkflowReport
    outcome: Outcome


class _Planner:
    def __init__(
        self,
        here: Here,
        taken: frozenset[str],
        inputs: Path | None,
        reported: Mapping[str, WorkflowReport],
        last_ran: Callable[[str], LastRan | None],
    ) -> None:
        self._here, self._taken, self._inputs = here, taken, inputs
        self._reported, self._last_ran = reported, last_ran
        self._sources: dict[str, str] = {}
        self.planned = Planned()

    def add(self, saved: Saved, proposals: list[Proposal]) -> None:
        """Plan what is to be done for a workflow."""
        left_before = len(self.planned.by_hand)
        pairs = [
            (each, fix) for each in self._chosen(proposals) if (fix := self._fix(each)) is not None
        ]
        # What is right alone may not be right together; then what is best of it stays.
        while pairs and (done := self._outcome(saved, pairs)) is None:
            left, _ = pairs.pop()
            self._leave(left, "together with what is planned, the workflow would get worse")
        if pairs and done is not None:
            self._show(saved, pairs, done)
            self._plan(saved, pairs)
        self._by_a_person(saved)
        path, verdict = saved.report.path, saved.report.verdict
        if not pairs and len(self.planned.by_hand) == left_before and verdict in _BAD:
            self.planned.not_written.append(
                f"{path}: it is {verdict}, and no program can mend that: {_what_to_do(saved)}"
            )

    def _chosen(self, proposals: list[Proposal]) -> list[Proposal]:
        def rank(proposal: Proposal) -> tuple[bool, int]:
            return proposal.id not in self._taken, _SURENESS[proposal.confidence]

        chosen: list[Proposal] = []
        for proposal in sorted(proposals, key=rank):
            does = proposal.edits or proposal.placement or proposal.download
            if not does:
                self._leave(proposal, None)
            elif rival := next((each for each in chosen if _rivals(each, proposal)), None):
                self._leave(
                    proposal, f"instead of {rival.id}, if you choose it: --take {proposal.id}"
                )
            elif proposal.confidence is Confidence.ASK and proposal.id not in self._taken:
                self._leave(proposal, f"it is for a person to decide: --take {proposal.id}")
            else:
                chosen.append(proposal)
        return chosen

    def _fix(self, proposal: Proposal) -> PlannedFix | None:
        """What a plan says of a proposal; None where it cannot be planned."""
        placement, download = proposal.placement, proposal.download
        try:
            reads = [seeing.look(path, role) for path, role in self._files(proposal)]
            link = None
            if placement is not None:
                placement.target.encode()
                source = seeing.look(placement.source, Role.MODEL)
                link = PlannedLink(source=source, target=placement.target)
                if self._sources.setdefault(link.target, source.real) != source.real:
                    self._leave(proposal, "for another workflow, another file is planned there")
                    return None
            edits = [
                PlannedEdit(pointer=list(e.pointer), before=e.before, after=e.after)
                for e in proposal.edits
            ]
            fix = PlannedFix(
                id=proposal.id,
                strategy=proposal.strategy,
                kind=proposal.kind,
                confidence=proposal.confidence,
                text=proposal.text,
                proof=proposal.proof,
                fingerprints=list(proposal.fingerprints),
                edits=edits,
                link=link,
                download=None if download is None else PlannedDownload(**asdict(download)),
            )
            fix.model_dump_json()
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "a name in it is no Unicode"
            self._leave(proposal, f"a file that it needs cannot be read: {why}")
            return None
        self.planned.reads |= {seen.path: seen for seen in reads}
        return fix

    def _files(self, proposal: Proposal) -> list[tuple[str, Role]]:
        """The files that the new values name."""
        names = {e.after.replace("\\", "/") for e in proposal.edits if isinstance(e.after, str)}
        found = [(f.path, Role.MODEL) for f in self._here.files if f.is_file and f.name in names]
        if self._inputs is not None:
            listed = self._here.world.inventory.files.get("input") or frozenset()
            found += [
                (str(self._inputs / name), Role.INPUT_FILE)
                for name in sorted(names & listed)
                if (self._inputs / name).is_file()
            ]
        return found

    def _outcome(self, saved: Saved, pairs: _Pairs) -> _Done | None:
        """What becomes of a workflow; None where it would get worse, or cannot be edited so."""
        edits = [edit for each, _ in pairs for edit in each.edits]
        try:
            raw = editing.edited(saved.raw, edits, max_depth=self._here.world.depth)
        except (editing.NotEditedError, WorkflowError):
            return None
        report = self._judged(saved, raw, [fix.link.target for _, fix in pairs if fix.link])
        if is_worse(report, saved.report):
            return None
        outcome = Outcome(
            fixes=[fix.id for _, fix in pairs if fix.download is None],
            sha256=digest(raw) if edits else None,
            verdict=report.verdict,
        )
        return _Done(raw, report, outcome)

    def _judged(self, saved: Saved, raw: bytes, targets: Iterable[str]) -> WorkflowReport:
        world = with_files(self._here.world, self._here.places, targets)
        return judged(world, saved.report.path, saved.report.name, raw)

    def _show(self, saved: Saved, pairs: _Pairs, done: _Done) -> None:
        targets = [t.target for _, fix in pairs if (t := fix.link or fix.download)]
        then = self._judged(saved, done.raw, targets)
        self.planned.shown.append(
            Shown(
                saved.report.path,
                saved.raw,
                done.raw,
                [edit for each, _ in pairs for edit in each.edits],
                (saved.report.verdict, then.verdict),
                [fix for _, fix in pairs],
            )
        )

    def _plan(self, saved: Saved, pairs: _Pairs) -> None:
        """Put into the plan what of it can be done here."""
        file, refusal = _seen(saved)
        if refusal is not None and any(each.edits for each, _ in pairs):
            self.planned.not_written.append(f"{saved.report.path}: {refusal}")
            pairs = [(each, fix) for each, fix in pairs if not each.edits]
        done = self._outcome(saved, pairs) if pairs else None
        if done is None:
            return
        proven = [pair for pair in pairs if pair[1].confidence is Confidence.PROVEN]
        alone = self._outcome(saved, proven) if proven else None
        self.planned.workflows.append(
            PlannedWorkflow(
                workflow=saved.report.path,
                file=file,
                before=saved.report.verdict,
                fixes=[fix for _, fix in pairs],
                all=done.outcome,
                proven=alone.outcome if alone and rose(alone.report, saved.report) else None,
            )
        )

    def _by_a_person(self, saved: Saved) -> None:
        """What only a person may do: packs are code, and a server is somebody's."""
        seen: set[tuple[str, object]] = set()
        ran: LastRan | None = None
        asked = False
        known = self._reported.get(saved.report.path)
        better = {finding.fingerprint: finding for finding in known.findings} if known else {}
        for finding in saved.report.findings:
            for fix in better.get(finding.fingerprint, finding).fixes:
                if fix.kind not in _BY_A_PERSON or (fix.kind, fix.command or fix.text) in seen:
                    continue
                seen.add((fix.kind, fix.command or fix.text))
                if not asked:
                    ran, asked = self._last_ran(saved.report.path), True
                command, why = fix.command, None
                if ran is not None and fix.kind is FixKind.INSTALL_PACK:
                    name = finding.subject.name if fix.after is None else str(fix.after)
                    command, why = ran.of_pack(name, command)
                elif ran is not None and fix.kind is FixKind.UPDATE_SERVER:
                    why = ran.of_comfyui
                self.planned.by_hand.append(
                    ByHand(
                        workflow=saved.report.path,
                        id=fix.id,
                        kind=fix.kind,
                        confidence=fix.confidence,
                        text=fix.text,
                        command=command,
                        why=why,
                    )
                )

    def _leave(self, proposal: Proposal, why: str | None) -> None:
        self.planned.by_hand.append(
            ByHand(
                workflow=proposal.workflow,
                id=proposal.id,
                kind=proposal.kind,
                confidence=proposal.confidence,
                text=proposal.text,
                command=None,
                why=why,
            )
        )


def _rivals(one: Proposal, other: Proposal) -> bool:
    """Whether two proposals are two ways to do the same."""
    if set(one.fingerprints) & set(other.fingerprints):
        return True
    pairs = ((a.pointer, b.pointer) for a in one.edits for b in other.edits)
    return any(_overlap(a, b) for a, b in pairs)


def _overlap(one: Pointer, other: Pointer) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def _seen(saved: Saved) -> tuple[SeenFile | None, str | None]:
    """The workflow's file as it is now, or why it is not written."""
    match saved.workflow:
        case PictureFile():
            return None, "it is in a picture, which is not written to: save it from ComfyUI"
        case WorkflowFile(file=place):
            pass
        case _:
            return None, (
                "only the server has it, and offers no safe way to replace a file: open it in "
                "ComfyUI, change it there and save it"
            )
    try:
        file = seeing.look(str(place), Role.WORKFLOW)
        refuse_unwritable("it", os.stat(file.real))  # noqa: PTH116
        refuse_foreign_group("it", file.real)
    except RefusedError as refusal:
        return None, str(refusal)
    except OSError as error:
        return None, f"it cannot be read: {error.strerror}"
    except ValueError:
        return None, f"its name {visible(str(place))} is no Unicode: rename it first"
    if file.sha256 != digest(saved.raw):
        return None, "it was saved while it was judged: run this again"
    return file, None


def _what_to_do(saved: Saved) -> str:
    """What matters most of a workflow, and what a person may do about that."""
    shown = saved.report.errors or saved.report.findings
    fix = f". {shown[0].fix}" if shown and shown[0].fix else ""
    return f"{in_short(saved.report) or '; '.join(saved.report.not_checked)}{fix}"
