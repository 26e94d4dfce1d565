"""``python -m bench``: the figures. README.md says what each means."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench import cycle, deploy, fleet, load, peer, scale, status


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(prog="bench", description="Figures, as ratios in one run.")
    parser.add_argument(
        "what",
        nargs="?",
        choices=("cycle", "deploy", "fleet", "load", "scale", "status", "peer"),
        default="cycle",
    )
    parser.add_argument("--rounds", type=int, default=9, help="measured runs of each (9)")
    parser.add_argument("-i", "--inventory", help="deploy, status: hosts that may be deployed to")
    parser.add_argument("--comfy", type=Path, help="peer: the program comfy of comfy-cli")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds: at least 1")
    if options.what == "cycle":
        cycle.main(options.rounds)
    elif options.what == "fleet":
        fleet.main()
    elif options.what == "load":
        load.main(options.rounds)
    elif options.what == "scale":
        scale.main(options.rounds)
    elif options.what == "peer":
        if options.comfy is None:
            parser.error("peer needs --comfy: where comfy-cli's program is")
        peer.main(options.comfy.absolute(), options.rounds)
    elif options.inventory is None:
        parser.error(f"{options.what} needs --inventory: hosts that may be deployed to")
    elif options.what == "status":
        status.main(options.inventory, options.rounds)
    else:
        deploy.main(options.inventory, options.rounds)


if __name__ == "__main__":
    main()
