"""Whether what made workflows worse is named rightly, and what finding it costs.

The cases are made of what real servers said; see ``tests/changes.py``. The truth of each is worked
out by trying every part of its changes on the old world.
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.history.cause import Worse, explain
from comfywatchman.history.cause.trial import Judged
from tests import changes
from tests.changes import Case, Change, Host

if TYPE_CHECKING:
    from comfywatchman.history.cause import Explained
    from comfywatchman.history.world import World
    from comfywatchman.results import WorkflowReport

RIGHT: Final = {1: 1.0, 2: 0.98, 3: 0.98}
"""Least share of the cases with so many changes at once of which exactly the causes are named."""
CERTAIN: Final = 0.9
"""Least share of the cases with one change of which the cause is proven."""
TENTH: Final = 0.4
"""Most that explaining a tenth of the workflows may take, as a multiple of judging all of them."""
SHARE_SECONDS: Final = 10.0
"""Most that explaining 600 workflows may take when a share with 20,000 files is lost."""
_LOST: Final = 20_000


def main(count: int, seed: int) -> None:
    """Measure and print.

    Args:
        count: how many cases of each number of changes at once.
        seed: what the cases are drawn by.

    Raises:
        SystemExit: too few are right, a cause is wrongly said to be certain, or it takes too long.
    """
    failed = _attribution(count, seed)
    failed += _cost(seed)
    if failed:
        raise SystemExit("; ".join(failed))


def _attribution(count: int, seed: int) -> list[str]:
    failed = []
    print(f"seed {seed}; {len(changes.workflows())} workflows, 2 servers")
    print(f"{'changes at once':>15} {'cases':>7} {'right':>8} {'certain':>8} {'wrong certain':>14}")
    for at_once, least in RIGHT.items():
        tally: Counter[str] = Counter()
        misses: list[tuple[Case, set[Change], set[Change], list[str]]] = []
        chance = random.Random(f"{seed} {at_once}")
        for case in changes.cases(chance, count, at_once=at_once):
            truth = case.truth()
            named, certain, causes = case.explained()
            tally["right"] += named == truth
            tally["certain"] += certain == truth
            tally["wrong"] += bool(certain - truth)
            if named != truth:
                misses.append((case, truth, named, [cause.text for cause in causes]))
        right, certain_share = tally["right"] / count, tally["certain"] / count
        print(f"{at_once:>15} {count:>7} {right:>8.2%} {certain_share:>8.2%} {tally['wrong']:>14}")
        for case, truth, named, texts in misses:
            print(f"  {case.host.server.version} {case.name}: {case.changes}")
            print(f"    true: {truth or '{}'}\n    named: {named or '{}'}\n    {texts}")
        if right < least or (at_once == 1 and certain_share < CERTAIN):
            failed.append(f"with {at_once} at once {right:.2%} are right")
        if tally["wrong"]:
            failed.append(f"{tally['wrong']} wrong causes are certain")
    return failed


@dataclass
class _Scene:
    """Workflows, and what they are judged against before and now."""

    workflows: list[tuple[str, bytes]]
    before: World
    now: World


def _cost(seed: int) -> list[str]:
    failed = []
    host = changes.hosts()[1]
    official = [each for each in changes.workflows() if each[0].startswith("new/")]
    worse, cold, took, explained = _measured(_a_tenth(host, official, random.Random(seed)))
    print(
        f"{worse} of {len(official)} workflows worse, {len(explained.causes)} causes: "
        f"{took / cold:.2f} x judging all"
    )
    if took > TENTH * cold:
        failed.append(f"{took / cold:.2f} x judging all is more than {TENTH}")
    worse, cold, took, explained = _measured(_lost_share(host, official))
    print(
        f"{worse} workflows worse for {_LOST:,} files of a share, {len(explained.causes)} cause: "
        f"{took:.1f} s of CPU, {took / cold:.2f} x judging all"
    )
    if took > SHARE_SECONDS:
        failed.append(f"{took:.1f} s for a lost share is more than {SHARE_SECONDS}")
    return failed


def _measured(scene: _Scene) -> tuple[int, float, float, Explained]:
    """How many are worse, CPU seconds for judging all anew and for explaining, and the latter."""
    copies = {}

    def judged(world: World) -> list[WorkflowReport]:
        return [changes.judged(name, raw, world) for name, raw in scene.workflows]

    before = judged(scene.before)
    start = time.process_time()
    now = judged(scene.now)
    cold = time.process_time() - start
    for report, (_, raw) in zip(now, scene.workflows, strict=True):
        copies[report.content_digest or ""] = raw
    worse = [
        Worse(ours, was)
        for ours, was in zip(now, before, strict=True)
        if Judged.of(ours).new_since(Judged.of(was))
    ]
    start = time.process_time()
    explained = explain(
        worse, scene.before, scene.now, [], copies=copies.get, program_changed=False, seconds=600
    )
    return len(worse), cold, time.process_time() - start, explained


def _a_tenth(host: Host, official: list[tuple[str, bytes]], chance: random.Random) -> _Scene:
    """So much changes that about a tenth of the workflows are worse."""
    mine, theirs = (changes.declarations(server) for server in (host.server, host.other))
    models = [(f, n) for f, names in host.server.inventory("full").models.items() for n in names]
    among = [Change("gone", name, folder) for folder, name in chance.sample(models, 25)]
    differing = sorted(n for n in mine if mine[n] != theirs.get(n))
    among += [Change("type", name) for name in chance.sample(differing, 12)]
    return _Scene(official, _as_read(host.world(())), _as_read(host.world(among)))


def _as_read(world: World) -> World:
    """The same with nothing shared between this and another, as what is read from a file."""
    copied: dict[str, Any] = json.loads(json.dumps(dict(world.catalog.declarations)))
    return replace(
        world, catalog=Catalog(copied, world.catalog.version, world.catalog.replacements)
    )


def _lost_share(host: Host, official: list[tuple[str, bytes]]) -> _Scene:
    """Every workflow names a checkpoint of a share, all of which is gone."""
    lost = [f"share/{at}.safetensors" for at in range(_LOST)]
    now = _as_read(host.world(()))
    before = _as_read(host.world(()))
    own = set(now.inventory.models["checkpoints"])
    for declared in before.catalog.declarations.values():
        for choices in changes.lists(declared["input"]):
            if own.issuperset(choices):
                choices.extend(lost)
    models = {**before.inventory.models, "checkpoints": (*sorted(own), *lost)}
    before = replace(before, inventory=replace(before.inventory, models=models))
    named = [(name, _with_loader(raw, lost[at * 31])) for at, (name, raw) in enumerate(official)]
    return _Scene([each for each in named if each[1]][:600], before, now)


def _with_loader(raw: bytes, checkpoint: str) -> bytes:
    """A workflow that also loads a checkpoint, and shows a part of it; empty if it has no nodes."""
    document = orjson.loads(raw)
    nodes = document.get("nodes")
    if not isinstance(nodes, list):
        return b""
    last = max((n["id"] for n in nodes if isinstance(n.get("id"), int)), default=0) + 1_000
    link = 1_000_000
    kinds = ("MODEL", "CLIP", "VAE")
    outputs = [{"name": k, "type": k, "links": [link] if k == "CLIP" else []} for k in kinds]
    nodes.append(
        {
            "id": last,
            "type": "CheckpointLoaderSimple",
            "mode": 0,
            "inputs": [],
            "outputs": outputs,
            "widgets_values": [checkpoint],
        }
    )
    nodes.append(
        {
            "id": last + 1,
            "type": "PreviewAny",
            "mode": 0,
            "inputs": [{"name": "source", "type": "*", "link": link}],
            "outputs": [],
        }
    )
    document.setdefault("links", []).append([link, last, 1, last + 1, 0, "CLIP"])
    return orjson.dumps(document)
