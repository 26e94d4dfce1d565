"""ComfyUI's ``main.py`` as a stand-in: takes its options, and serves the recorded answers.

A ComfyUI folder has a link to it, beside ``nodes.py`` and ``comfy``; see :func:`lay_out`. Standard
library only, as ``comfyui.py``.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path


def lay_out(folder: Path) -> Path:
    """Make what a ComfyUI folder is known by; returns it."""
    for name in ("comfy", "models", "input", "user/default/workflows"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "nodes.py").touch()
    (folder / "main.py").symlink_to(Path(__file__).resolve())
    return folder


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    from comfyui import StandIn  # beside this file, not beside the link to it

    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", nargs="?", const="0.0.0.0", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8188)
    parser.add_argument("--base-directory", type=Path, default=Path(__file__).parent)
    options, _ = parser.parse_known_args()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    userdata = options.base_directory / "user"
    host = options.listen.split(",")[0]
    with StandIn(host=host, port=options.port, userdata=userdata, argv=sys.argv):
        stop.wait()


if __name__ == "__main__":
    main()
