"""A stand-in for what Alertmanager sends alerts to, and for a dead man's switch.

``serve`` keeps them in a file; ``wait STATUS NAME...`` waits until each alert that is named was
last told to be ``firing`` or ``resolved``, and prints all that was told last, one alert a line.
"""

from __future__ import annotations

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

FILE = Path("/run/webhook.jsonl")
SECONDS = 120


class Handler(BaseHTTPRequestHandler):
    """Takes what is posted: to /alerts, as monitoring/alertmanager.yml says, or elsewhere."""

    def do_POST(self) -> None:
        """Keep it."""
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with FILE.open("a") as file:
            file.write(json.dumps({"path": self.path, "body": body}) + "\n")
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()


def told() -> dict[str, dict[str, Any]]:
    """What was told last, by name of the alert and of the instance."""
    last = {}
    for line in FILE.read_text().splitlines() if FILE.exists() else []:
        post = json.loads(line)
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


if __name__ == "__main__":
    os.umask(0o022)
    if sys.argv[1] == "serve":
        HTTPServer(("127.0.0.1", 8000), Handler).serve_forever()
    sys.exit(wait(sys.argv[2], sys.argv[3:]))
