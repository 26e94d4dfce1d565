# SPDX-License-Identifier: MIT
"""The folder on the controller that holds what every host reported: a file a host."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from urllib.parse import quote

LONGEST_NAME = 200
KEPT = ("collected_at", "status", "report", "inventory")


def file_name(host):
    """Name of the host's file: whatever the host is called, a file in the folder, and its own."""
    name = quote(host, safe="")
    if len(name) > LONGEST_NAME:
        name = hashlib.sha256(host.encode(errors="surrogatepass")).hexdigest()
    return name + ".json"


def make_private(folder):
    """Make a folder and those above it that are not there, for their owner alone."""
    if not os.path.isdir(folder):
        make_private(os.path.dirname(folder))
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder, 0o700)


def replace(path, document):
    """Put a JSON document in place of a file in one step, for its owner alone."""
    make_private(os.path.dirname(path))
    descriptor, temporary = tempfile.mkstemp(prefix=".part-", dir=os.path.dirname(path))
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(document, file)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def last_said(path):
    """What is to be kept of the host's file; nothing if it is not there or damaged."""
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
        return {key: found.get(key) for key in KEPT}
    except (OSError, ValueError, AttributeError, RecursionError):
        return {}
