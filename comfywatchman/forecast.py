"""What another catalog would do to the workflows of this host: tomorrow's breakage, today.

The other catalog's node types, version and rules of replacement are put in place of this server's;
the files stay those of this host, in its lists too. Nothing is written.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from comfywatchman import __version__, present
from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.comfyui.client import ComfyUIClient
from comfywatchman.comfyui.credentials import read as read_credentials
from comfywatchman.escape import visible
from comfywatchman.history import cause, comparison
from comfywatchman.history.cause.factors import Differences, Kind
from comfywatchman.history.cause.worlds import Worlds
from comfywatchman.history.world import World
from comfywatchman.judging.cache import VerdictCache
from comfywatchman.judging.workflow import judge_workflow
from comfywatchman.results import ChangeKind, Forecast
from comfywatchman.workflow import find
from comfywatchman.workflow.prompt import WorkflowError

if TYPE_CHECKING:
    from pathlib import Path

    from comfywatchman.comfyui.catalog_file import Basis
    from comfywatchman.present import Here
    from comfywatchman.settings import Settings

SECONDS = 300.0
"""How long finding out causes may take."""


def forecast(settings: Settings, other: Basis, file: Path) -> Forecast:
    """Say what the other catalog would do to the workflows of this host.

    Args:
        settings: the settings.
        other: the other catalog.
        file: where it was read.

    Raises:
        ConfigError: the server cannot be asked, and no catalog of it was kept.
    """
    client = ComfyUIClient(settings, read_credentials(settings))
    with client, present.history(settings) as history:
        here = present.look(settings, client, history)
        there = _with_node_types_of(here.world, other.catalog)
        pairs, contents, unread = _judged_twice(here, there)
    worse = [
        cause.Worse(pair.now, pair.was)
        for pair in pairs
        if pair.kind is ChangeKind.WORSE and pair.now is not None and pair.was is not None
    ]
    explained = cause.explain(
        worse,
        here.world,
        there,
        [],
        copies=contents.get,
        program_changed=False,
        seconds=SECONDS,
    )
    compared = comparison.Comparison(here.at, 0, pairs)
    return Forecast(
        comfywatchman_version=__version__,
        host=socket.gethostname(),
        catalog_file=visible(str(file)),
        against=here.told,
        comfyui_before=here.world.catalog.version,
        comfyui_after=there.catalog.version,
        judged=len(pairs),
        changes=comparison.changes(compared, explained, [], [*here.not_checked, *unread]),
    )


def _with_node_types_of(here: World, other: Catalog) -> World:
    """This host with the node types, the version and the rules of replacement of another."""
    mixed = World(other, here.inventory, here.depth, here.size)
    differences = Differences(here, mixed)
    files_back = frozenset(f for f in differences.everything if f.kind is Kind.FILES)
    between = Worlds(differences).catalog(files_back)
    declarations = {name: between[name].declaration for name in between}
    catalog = Catalog(declarations, other.version, other.replacements)
    return World(catalog, here.inventory, here.depth, here.size)


def _judged_twice(
    here: Here, there: World
) -> tuple[list[comparison.Pair], dict[str, bytes], list[str]]:
    """Judge each workflow here and there, from the same bytes.

    Returns:
        What would become of each, the content of those that would get worse, by its digest, and one
        sentence for each that could not be read.
    """
    size, depth = here.world.size, here.world.depth
    caches = [VerdictCache(None, w.catalog, w.inventory, {}) for w in (here.world, there)]
    pairs: list[comparison.Pair] = []
    contents: dict[str, bytes] = {}
    unread: list[str] = []
    for workflow in here.workflows:
        try:
            read = find.WorkflowCopy(workflow.path, workflow.name, workflow.read(size))
        except WorkflowError as error:
            unread.append(f"{visible(workflow.name)}: {error.finding.message}")
            continue
        was, now = (judge_workflow(read, c, max_bytes=size, max_depth=depth) for c in caches)
        kind = comparison.kind_of_change(now, was)
        pairs.append(comparison.Pair(now, None, was, kind))
        if kind is ChangeKind.WORSE and now.content_digest is not None:
            contents[now.content_digest] = read.raw
    return pairs, contents, unread
