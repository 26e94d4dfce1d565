"""``python -m bench``: the figures. README.md says what each means."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench import (
    bills,
    causes,
    cycle,
    deploy,
    environment,
    fixes,
    fleet,
    growth,
    history,
    load,
    many,
    memory,
    models,
    peer,
    scale,
    slow,
    telling,
)
from tests.growth import SHAPES


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(prog="bench", description="Figures, as ratios in one run.")
    parser.add_argument(
        "what",
        nargs="?",
        choices=(
            *("bills", "causes", "cycle", "deploy", "environment", "fixes", "fleet", "growth"),
            *("history", "load", "many", "memory", "models", "scale", "slow", "telling", "peer"),
        ),
        default="cycle",
    )
    parser.add_argument("--rounds", type=int, default=9, help="measured runs of each (9)")
    parser.add_argument("-i", "--inventory", help="deploy: hosts that may be deployed to")
    parser.add_argument("--hosts", type=int, nargs="+", help="deploy: on so many test hosts")
    parser.add_argument("--comfy", type=Path, help="peer: the program comfy of comfy-cli")
    parser.add_argument(
        "--before",
        type=Path,
        help="cycle, fleet, many, memory, scale, slow: another checkout, measured in the same run",
    )
    parser.add_argument("--shape", choices=tuple(SHAPES), help="growth: of this shape alone")
    parser.add_argument("--cases", type=int, default=2_000, help="bills, causes: cases")
    parser.add_argument(
        "--seed", type=int, default=1, help="bills, causes, fixes: what they are drawn by"
    )
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds: at least 1")
    if options.what == "causes":
        causes.main(options.cases, options.seed)
    elif options.what == "bills":
        bills.main(options.cases, options.seed)
    elif options.what == "cycle":
        cycle.main(options.rounds, options.before)
    elif options.what == "environment":
        environment.main(options.rounds)
    elif options.what == "fixes":
        fixes.main(options.seed)
    elif options.what == "fleet":
        fleet.main(options.rounds, options.before)
    elif options.what == "growth":
        growth.main(options.rounds, options.shape)
    elif options.what == "history":
        history.main()
    elif options.what == "many":
        many.main(options.rounds, options.before)
    elif options.what == "memory":
        memory.main(options.rounds, options.before)
    elif options.what == "models":
        models.main(options.rounds)
    elif options.what == "load":
        load.main(options.rounds)
    elif options.what == "scale":
        scale.main(options.rounds, options.before)
    elif options.what == "slow":
        slow.main(options.before)
    elif options.what == "telling":
        telling.main(options.rounds)
    elif options.what == "peer":
        if options.comfy is None:
            parser.error("peer needs --comfy: where comfy-cli's program is")
        peer.main(options.comfy.absolute(), options.rounds)
    elif options.hosts:
        deploy.fleet(options.hosts, options.rounds)
    elif options.inventory is None:
        parser.error("deploy needs --inventory, hosts that may be deployed to, or --hosts")
    else:
        deploy.main(options.inventory, options.rounds)


if __name__ == "__main__":
    main()
