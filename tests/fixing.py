"""Workflows with faults whose original is known, and what the fixes for them come to."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson

from comfywatchman.comfyui.names import looks_like_file
from comfywatchman.fixes import document as documents
from comfywatchman.fixes.here import Here, Saved
from comfywatchman.fixes.proof import is_worse
from comfywatchman.fixes.proposing import propose
from comfywatchman.history.world import World
from comfywatchman.judging.cache import VerdictCache
from comfywatchman.judging.workflow import judge_workflow
from comfywatchman.results import Confidence, Verdict
from comfywatchman.workflow.disagreement import DISAGREE
from comfywatchman.workflow.find import WorkflowCopy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from comfywatchman.fixes.proposal import Proposal
    from comfywatchman.results import WorkflowReport
    from tests.oracle.recorded import Server

Document = dict[str, Any]
_OTHER_ENDING: Final = {
    "safetensors": "ckpt",
    "jpg": "png",
    "flac": "mp3",
    "jpeg": "png",
    "m4a": "mp3",
    "mp3": "wav",
    "mp4": "webm",
    "png": "jpg",
    "pth": "safetensors",
    "wav": "mp3",
    "webp": "png",
}
DEPTH: Final = 200
SIZE: Final = 50 * 1024**2


@dataclass(frozen=True)
class Case:
    """A workflow with a fault.

    Attributes:
        what: the kind of fault.
        path: what the workflow is called.
        broken: it.
        original: what it was, if that can be known from what is left of it.
    """

    what: str
    path: str
    broken: Document
    original: Document | None = None


@dataclass
class Figures:
    """What fixes came to, over many cases."""

    given_back: Counter[bool] = field(default_factory=Counter)
    runnable: Counter[bool] = field(default_factory=Counter)
    """Of cases with proven fixes, whether they are runnable with all of them."""
    worse: list[str] = field(default_factory=list)
    not_given_back: list[str] = field(default_factory=list)
    not_runnable: list[str] = field(default_factory=list)
    confidence: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """By kind of fault, how often a workflow has fixes of each confidence."""


class Judge:
    """Judges documents in one world."""

    def __init__(self, world: World) -> None:
        self._verdicts = VerdictCache(None, world.catalog, world.inventory, {})

    def __call__(self, path: str, content: Document) -> WorkflowReport:
        return self.of(WorkflowCopy(path, path, documents.dump(content)))

    def of(self, copy: WorkflowCopy) -> WorkflowReport:
        return judge_workflow(copy, self._verdicts, max_bytes=SIZE, max_depth=DEPTH)


def world_of(server: Server) -> World:
    return World(server.catalog("full"), server.inventory("full"), DEPTH, SIZE)


def host(world: World, workflows: Mapping[str, Document | bytes], **more: Any) -> Here:
    """A host with some workflows, judged."""
    judge = Judge(world)
    saved = []
    for path, content in workflows.items():
        raw = content if isinstance(content, bytes) else documents.dump(content)
        copy = WorkflowCopy(path, path, raw)
        saved.append(Saved(copy, raw, judge.of(copy)))
    return Here(world, saved, **more)


def followed(content: Document, proposals: Iterable[Proposal]) -> Document:
    """A document after fixes; an edit of what stands no more as it did is none."""
    for proposal in proposals:
        for edit in proposal.edits:
            if documents.value_at(content, edit.pointer) == edit.before:
                content = documents.edited(content, [edit])
    return content


def figures(world: World, cases: Iterable[Case]) -> Figures:
    """Follow the fixes of each case, those that are sure, and see what comes of it."""
    of_path = {case.path: case for case in cases}
    here = host(world, {case.path: case.broken for case in of_path.values()})
    judge = Judge(world)
    before = {saved.report.path: saved.report for saved in here.workflows}
    proposals: dict[str, list[Proposal]] = defaultdict(list)
    for proposal in propose(here):
        proposals[proposal.workflow].append(proposal)
    found = Figures()
    for path, case in of_path.items():
        fixes = proposals[path]
        for fix in fixes:
            found.confidence[case.what][f"{fix.strategy} {fix.confidence}"] += 1
            alone = judge(path, followed(case.broken, [fix]))
            if is_worse(alone, before[path]):
                found.worse.append(f"{case.what} {path}: {fix.text}")
        proven = [fix for fix in fixes if fix.confidence is Confidence.PROVEN]
        if proven:
            after = judge(path, followed(case.broken, proven))
            found.runnable[after.verdict is Verdict.RUNNABLE] += 1
            if after.verdict is not Verdict.RUNNABLE:
                found.not_runnable.append(f"{case.what} {path}: {proven[0].text}")
        if case.original is not None:
            sure = [fix for fix in fixes if fix.confidence is not Confidence.ASK]
            mended = followed(case.broken, sure)
            if is_worse(judge(path, mended), before[path]):
                found.worse.append(f"{case.what} {path}: all together")
            same = documents.dump(mended) == documents.dump(case.original)
            found.given_back[same] += 1
            if not same:
                found.not_given_back.append(
                    f"{case.what} {path}: {[fix.text for fix in fixes]} {before[path].verdict} "
                    f"{[f.message for f in before[path].findings][:2]}"
                )
    return found


def recorded_mutations(server: Server, known: Iterable[str]) -> Iterator[Case]:
    """The prompts with a mutation that were recorded."""
    for number, record in enumerate(server.lines("mutated")):
        prompt, detail = record["prompt"], record["detail"]
        if not isinstance(prompt, dict):
            continue
        original = None
        if record["mutation"] in known:
            was = _was(record, server)
            if was is not None:
                node = prompt[detail["node"]]
                inputs = {**node["inputs"], detail["input"]: was}
                original = {**prompt, detail["node"]: {**node, "inputs": inputs}}
        yield Case(record["mutation"], f"{number}.json", prompt, original)


def _was(record: Mapping[str, Any], server: Server) -> Any:
    """What the input held before the mutation."""
    detail = record["detail"]
    if "was" in detail:
        return detail["was"]
    prompt = server.prompts().get((record["corpus"], record["name"]))
    return None if prompt is None else prompt[detail["node"]]["inputs"].get(detail["input"])


def mutations(value: str, choices: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    """Ways in which a name or a choice may have gone wrong that leave it to be known."""
    listed = [c for c in choices if isinstance(c, str)]
    yield "case", value.swapcase()
    yield "blank", f" {value}"
    yield "list", [value]
    yield "quotes", f"'{value}'"
    yield "brackets", f'["{value}"]'
    stem, _, ending = value.rpartition(".")
    if not looks_like_file(value):
        return
    yield "sub-folder", f"sub/{value}"
    yield "slashes", f"sub\\{value}"
    if "/" in value:
        yield "slashes", value.replace("/", "\\")
        yield "sub-folder", value.rpartition("/")[2]
    if sum(c.rpartition("/")[2].rpartition(".")[0] == stem.rpartition("/")[2] for c in listed) == 1:
        yield "ending", f"{stem}.{_OTHER_ENDING.get(ending, 'mp4')}"


def saved_mutations(
    world: World, workflows: Iterable[tuple[str, Document]], *, seed: int = 1
) -> Iterator[Case]:
    """Workflows as the frontend saves them, each runnable, with one value of a combo gone wrong."""
    judge = Judge(world)
    chance = random.Random(seed)
    choices = _choices_of(world)
    for name, workflow in workflows:
        content = orjson.loads(documents.dump(workflow))
        if judge(name, content).verdict is not Verdict.RUNNABLE:
            continue
        is_graph = documents.is_graph(content)
        places = [
            ((*at, *inner), value)
            for at, node in documents.nodes(content)
            for inner, value in documents.values(node, of_prompt=not is_graph)
            if isinstance(value, str) and value in choices and (is_graph or len(inner) == 2)
        ]
        chance.shuffle(places)
        done: dict[str, tuple[Document, list[Any]]] = {}
        for pointer, value in places:
            for what, wrong in mutations(value, choices[value]):
                if what in done:
                    continue
                if isinstance(wrong, list) and not is_graph:
                    wrong = {"__value__": wrong}  # noqa: PLW2901  (a bare list would be a link)
                edits = [_edit(pointer, value, wrong)]
                broken = documents.edited(content, edits)
                path = f"{name}-{what}.json"
                if _is_sent(judge(path, broken), wrong):
                    done[what] = broken, edits
                    yield Case(what, path, broken, content)
        for what, others in zip(list(done), list(done)[1:], strict=False):
            edits = done[what][1] + done[others][1]
            if len({edit.pointer for edit in edits}) == len(edits):
                broken = documents.edited(content, edits)
                yield Case("two of them", f"{name}-{what}-and-{others}.json", broken, content)


def _edit(pointer: Any, before: Any, after: Any) -> Any:
    from comfywatchman.fixes.proposal import Edit

    return Edit(pointer, before, after)


def _is_sent(report: WorkflowReport, wrong: object) -> bool:
    """Whether what stands there now is what the server would be sent."""
    if report.verdict is not Verdict.RUNNABLE:
        return True
    said = [f.message for f in report.findings if f.code != DISAGREE.name]
    return any(isinstance(wrong, str) and f"'{wrong}'" in message for message in said)


def _choices_of(world: World) -> dict[str, list[Any]]:
    """By choice, the list that it stands in: the longest of those that hold it."""
    found: dict[str, list[Any]] = {}
    for node_type in world.catalog.values():
        for spec in node_type.inputs.values():
            for choice in spec.choices or ():
                if isinstance(choice, str) and len(found.get(choice, ())) < len(spec.choices or ()):
                    found[choice] = list(spec.choices or ())
    return found
