# SPDX-License-Identifier: MIT
"""Which folder a release is in, or is to be built in. What is damaged is left as it is."""

from __future__ import annotations

import itertools
import os
import re

from ansible_collections.comfywatchman.ops.plugins.module_utils.installation import linked_release
from ansible_collections.comfywatchman.ops.plugins.module_utils.integrity import COMPLETE, damage

BUILDING = ".building"  # names the run that builds there
TOLD = 5  # so much damage of one release is enough for a sentence


def first_damage(release, hashes=False, built=True):
    """What is damaged in a release, the first few of it: parts of sentences."""
    found = damage(release, hashes=hashes, built=built)
    return [str(one) for one in itertools.islice(found, TOLD)]


def examine(release):
    """``(the first of what is damaged, whether a deploy sees it by itself)``, by every hash."""
    found = list(damage(release, hashes=True))
    return [str(one) for one in found[:TOLD]], any(one.in_size for one in found)


def family(names, identity):
    """Those of the names that are of this release: its id, and ``ID-2``, ``ID-3`` beside it."""
    numbered = re.compile(re.escape(identity) + r"(?:-([2-9]|[1-9][0-9]{1,3}))?")
    found = {name: match for name in names if (match := numbered.fullmatch(name))}
    return sorted(found, key=lambda name: int(found[name].group(1) or 1))


def choose(root, identity, hashes):
    """The release to activate: ``id``, ``path``, whether ``complete``, and what is ``damaged``.

    It is the one that was built and is as it was then, the active one before any other; else one
    that is to be built, in a folder that nobody has used. ``damaged`` tells of the active one.
    """
    folder = os.path.join(root, "releases")
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        names = []
    current = linked_release(root, "current")
    candidates = sorted(family(names, identity), key=lambda name: name == current)
    damaged = []
    for name in reversed(candidates):
        path = os.path.join(folder, name)
        if not os.path.exists(os.path.join(path, COMPLETE)):
            continue
        found = first_damage(path, hashes)
        if not found:
            return {"id": name, "path": path, "complete": True, "damaged": damaged}
        if name == current:
            damaged = [f"{path}: {one}" for one in found]
    free = (name for name in _numbered(identity) if name not in names)
    name = next(free)
    path = os.path.join(folder, name)
    return {"id": name, "path": path, "complete": False, "damaged": damaged}


def _numbered(identity):
    yield identity
    for number in itertools.count(2):
        yield f"{identity}-{number}"
