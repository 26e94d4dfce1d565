"""A fix that is followed makes its finding go away, and brings no new error.

Over every recorded prompt with a mutation: what the first fix of each finding says is done to the
prompt or to the server's files, where a program can do it, and the prompt is judged again.
"""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.judging.identity import identified
from comfywatchman.judging.prompt import judge
from comfywatchman.results import Finding, FixKind, Severity, Verdict, WorkflowReport
from comfywatchman.workflow.prompt import Conversion
from tests.oracle import recorded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from comfywatchman.comfyui.inventory import Inventory
    from comfywatchman.results import Fix

SERVERS = pytest.mark.parametrize("server", recorded.SERVERS, ids=lambda s: s.version)
FILES = (FixKind.PUT_FILE, FixKind.DOWNLOAD, FixKind.MOVE_FILE)

KNOWN_ORIGINALS = {
    "combo_case_changed",
    "combo_list_wrapped",
    "float_numeric_string",
    "int_numeric_string",
    "model_backslash_subfolder",
}
"""Mutations after which what there was can be told from what is left."""


def findings(prompt: dict[str, Any], catalog: Catalog, inventory: Inventory) -> list[Finding]:
    found = judge(Conversion(prompt), catalog, inventory).findings
    report = WorkflowReport(path="p", name="p", verdict=Verdict.BROKEN, findings=found)
    return identified(report).findings


class Host:
    """The server and its files, as they are after a file was put somewhere."""

    def __init__(self, server: recorded.Server) -> None:
        self.catalog, self.inventory = server.catalog("full"), server.inventory("full")
        self._folders = server.read_json("combo_folder_map")
        self._with: dict[str, tuple[Catalog, Inventory]] = {}

    def with_file(self, path: str) -> tuple[Catalog, Inventory]:
        """The server once it was asked again; ``path`` is below ComfyUI's folder."""
        if path not in self._with:
            self._with[path] = self._put(path)
        return self._with[path]

    def _put(self, path: str) -> tuple[Catalog, Inventory]:
        top, _, below = path.partition("/")
        inventory = self.inventory
        if top != "models":
            parts = below.split("/")
            names = {"/".join(parts[:n]) for n in range(1, len(parts) + 1)}
            files = {**inventory.files, top: inventory.files[top] | names}
            return self.catalog, replace(inventory, files=files)
        folder, _, name = below.partition("/")
        listed = (*inventory.models.get(folder, ()), name)
        declarations = dict(self.catalog.declarations)
        for combo, folders in self._folders.items():
            node_type, _, input_name = combo.partition(".")
            if folder in folders and node_type in declarations:
                declarations[node_type] = copy.deepcopy(declarations[node_type])
                for group in declarations[node_type]["input"].values():
                    if isinstance(spec := group.get(input_name), list):
                        choices = spec[0] if isinstance(spec[0], list) else spec[1]["options"]
                        choices.append(name)
        return (
            Catalog(declarations, self.catalog.version, self.catalog.replacements),
            replace(inventory, models={**inventory.models, folder: listed}),
        )


def follow(fix: Fix, finding: Finding, prompt: dict[str, Any], host: Host) -> list[Finding]:
    """Do what a fix says, and judge again."""
    if fix.kind in FILES:
        return findings(prompt, *host.with_file(str(fix.after)))
    mended = copy.deepcopy(prompt)
    mended[str(finding.node_id)]["inputs"][finding.input] = fix.after
    return findings(mended, host.catalog, host.inventory)


def mutated(server: recorded.Server) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for record in server.lines("mutated"):
        if isinstance(prompt := record["prompt"], dict):
            yield record, prompt


@SERVERS
def test_a_fix_that_is_followed_makes_its_finding_go_away(
    server: recorded.Server, agreement: Callable[[str, int, int], None]
) -> None:
    host = Host(server)
    wrong: list[object] = []
    followed = 0
    for record, prompt in mutated(server):
        before = findings(prompt, host.catalog, host.inventory)
        errors = {f.fingerprint for f in before if f.severity is Severity.ERROR}
        for finding in before:
            if not finding.fixes or not finding.fixes[0].mechanical:
                continue
            followed += 1
            after = follow(finding.fixes[0], finding, prompt, host)
            left = {f.fingerprint for f in after}
            new = {f.fingerprint for f in after if f.severity is Severity.ERROR} - errors
            if finding.fingerprint in left or new:
                wrong.append((record["mutation"], finding.message, finding.fix, bool(new)))
    agreement(
        f"fixes that are followed, {server.version} mutated prompts",
        followed - len(wrong),
        followed,
    )
    assert wrong == []
    assert followed > 100


@SERVERS
def test_what_can_be_known_is_given_back(
    server: recorded.Server, agreement: Callable[[str, int, int], None]
) -> None:
    """Case, slashes, sub-folder and wrapping: the first fix gives back what there was."""
    host = Host(server)
    given_back: Counter[bool] = Counter()
    for record, prompt in mutated(server):
        detail = record["detail"]
        if record["mutation"] not in KNOWN_ORIGINALS:
            continue
        for finding in findings(prompt, host.catalog, host.inventory):
            if (finding.node_id, finding.input) != (detail["node"], detail["input"]):
                continue
            was = original(record, server)
            if was is not None and not finding.code.startswith(("api_", "deprecated_")):
                fixes = finding.fixes
                given_back[bool(fixes and fixes[0].after == was)] += 1
    agreement(
        f"first fixes that give back what there was, {server.version}",
        given_back[True],
        given_back.total(),
    )
    assert given_back[True] >= 0.95 * given_back.total()
    assert given_back.total() > 30


def original(record: dict[str, Any], server: recorded.Server) -> Any:
    """What the input held before the mutation."""
    detail = record["detail"]
    if "was" in detail:
        return detail["was"]
    prompt = server.prompts().get((record["corpus"], record["name"]))
    return None if prompt is None else prompt[detail["node"]]["inputs"].get(detail["input"])
