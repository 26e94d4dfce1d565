"""Whether fixes give back what there was, and whether those that are proven help: no times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests import fixing
from tests.oracle import frontend, recorded
from tests.oracle.test_fixes import KNOWN_ORIGINALS

if TYPE_CHECKING:
    from tests.fixing import Figures

_GIVEN_BACK: Final = 0.95
_RUNNABLE: Final = 0.99


def main(seed: int) -> None:
    """Try all recorded prompts with a mutation, and official workflows with faults in them.

    Args:
        seed: what the faults are drawn by.
    """
    failed = False
    for server in recorded.SERVERS:
        world = fixing.world_of(server)
        mutated = fixing.recorded_mutations(server, KNOWN_ORIGINALS)
        failed |= _told(f"{server.version}, mutated prompts", fixing.figures(world, mutated))
        saved = frontend.official() if server is recorded.OF_0_8 else frontend.official_on_0_33()
        for what, workflows in (
            ("saved workflows", [(f"{c.corpus}/{c.name}", c.workflow) for c in saved]),
            ("saved prompts", [(f"{c}/{n}", p) for (c, n), p in server.prompts().items()]),
        ):
            made = fixing.saved_mutations(world, workflows, seed=seed)
            failed |= _told(f"{server.version}, {what}", fixing.figures(world, made))
    if failed:
        raise SystemExit("fixes did not do what is said of them")


def _told(what: str, found: Figures) -> bool:
    """Print the figures; whether they are not what they have to be."""
    back, runnable = found.given_back, found.runnable
    print(
        f"{what}: {back[True]:,} of {back.total():,} given back ({back[True] / back.total():.2%})"
    )
    print(f"  runnable with what is proven: {runnable[True]:,} of {runnable.total():,}")
    print(f"  worse: {len(found.worse):,}")
    for kind, counts in sorted(found.confidence.items()):
        print(f"  {kind}: {', '.join(f'{n:,} {how}' for how, n in counts.most_common())}")
    for line in (*found.worse, *found.not_given_back[:20], *found.not_runnable[:20]):
        print(f"  {line}")
    return bool(
        found.worse
        or back[True] < _GIVEN_BACK * back.total()
        or runnable[True] < _RUNNABLE * runnable.total()
    )
