"""A stand-in for what Alertmanager and Apprise send to, and for a dead man's switch.

``serve`` keeps it in a file; ``wait STATUS NAME...`` waits until each alert that is named was last
told to be ``firing`` or ``resolved``, and prints all that was told last, one alert a line. ``heard
PATH TEXT`` waits until something with the text was posted there, and prints how often it was.

While :data:`HOLD` is there, what is posted below ``/held`` is not answered; that it came is kept as
of ``/waiting/held``.
"""

from __future__ import annotations

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

FILE = Path("/run/webhook.jsonl")
HOLD = Path("/run/webhook.hold")
SECONDS = 120


class Handler(BaseHTTPRequestHandler):
    """Takes what is posted: to /alerts, as monitoring/alertmanager.yml says, or elsewhere."""

    def do_POST(self) -> None:
        """Keep it."""
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.path.startswith("/held") and HOLD.exists():
            keep(f"/waiting{self.path}", body)
            while HOLD.exists():
                time.sleep(0.1)
            return
        keep(self.path, body)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()


def keep(path: str, body: str) -> None:
    """Keep what was posted."""
    with FILE.open("a") as file:
        file.write(json.dumps({"path": path, "body": body}) + "\n")


def posts() -> list[dict[str, str]]:
    """What was posted, so far."""
    return [json.loads(line) for line in FILE.read_text().splitlines()] if FILE.exists() else []


def told() -> dict[str, dict[str, Any]]:
    """What was told last, by name of the alert and of the instance."""
    last = {}
    for post in posts():
        for alert in json.loads(post["body"])["alerts"] if post["path"] == "/alerts" else ():
            labels = alert["labels"]
            last[f"{labels['alertname']}/{labels.get('comfywatchman_instance', '')}"] = alert
    return last


def wait(status: str, names: list[str]) -> int:
    """Wait for them; 1 if they do not come."""
    until = time.monotonic() + SECONDS
    while True:
        last = told()
        late = [name for name in names if last.get(name, {}).get("status") != status]
        if not late or time.monotonic() > until:
            break
        time.sleep(0.5)
    for name, alert in last.items():
        sys.stdout.write(f"{alert['status']} {name} {json.dumps(alert['annotations'])}\n")
    if late:
        sys.stderr.write(f"not {status} within {SECONDS} s: {', '.join(late)}\n")
    return bool(late)


def heard(path: str, text: str) -> int:
    """Wait for it; 1 if it does not come."""
    until = time.monotonic() + SECONDS
    while True:
        count = sum(post["path"] == path and text in post["body"] for post in posts())
        if count or time.monotonic() > until:
            break
        time.sleep(0.1)
    sys.stdout.write(f"{count}\n")
    if not count:
        sys.stderr.write(f"nothing with {text!r} at {path} within {SECONDS} s\n")
    return not count


if __name__ == "__main__":
    os.umask(0o022)
    if sys.argv[1] == "serve":
        ThreadingHTTPServer(("127.0.0.1", 8000), Handler).serve_forever()
    if sys.argv[1] == "heard":
        sys.exit(heard(*sys.argv[2:]))
    sys.exit(wait(sys.argv[2], sys.argv[3:]))
