"""What is judged must be what a real server answered."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman.checks.engine.rulebook import rulebook
from comfywatchman.checks.known.model_folders import model_folder
from comfywatchman.checks.known.own_rules import OwnRules, own_rules
from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.judging.prompt import Judgement, judge
from comfywatchman.results import Severity, Verdict
from comfywatchman.workflow.prompt import Conversion
from tests.oracle import recorded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from comfywatchman.comfyui.inventory import Inventory

    Note = Callable[[str, int, int], None]
    Entry = tuple[str, str, str | None]

pytestmark = pytest.mark.filterwarnings("error")

# The server refuses the prompt as a whole for these, without an entry for a node.
WHOLE_PROMPT = {"missing_node_type", "prompt_no_outputs", "server_fails"}
BROKE_DOWN = 500

# A request may name the outputs it wants, and a circle makes the server answer 200 although the
# output that needs it does not run: the recorded status alone does not tell.
CIRCLE = "reachable cycle plus a good output"
UP_TO_THE_STACK = (CIRCLE, "chain of 1200 nodes, outermost last")


def expected_verdict(record: dict[str, Any], outputs: Iterable[str]) -> Verdict:
    if record["good_outputs"] is None:
        if record["status"] != 200:
            return Verdict.BROKEN
        if record["node_errors"] or record.get("case") == CIRCLE:
            return Verdict.PARTIAL
        return Verdict.RUNNABLE
    if not record["good_outputs"]:
        return Verdict.BROKEN
    return Verdict.RUNNABLE if set(record["good_outputs"]) == set(outputs) else Verdict.PARTIAL


def outputs_of(prompt: dict[str, Any], catalog: Catalog) -> list[str]:
    types = {n: node.get("class_type") for n, node in prompt.items() if isinstance(node, dict)}
    return [n for n, kind in types.items() if kind in catalog and catalog[kind].is_output]


def recorded_entries(record: dict[str, Any]) -> set[Entry]:
    return {
        (error["type"], node_id, error["input"])
        for node_id, node in record["node_errors"].items()
        for error in node["errors"]
    }


def judged_entries(judgement: Judgement) -> set[Entry]:
    return {
        (f.code, str(f.node_id), f.input)
        for f in judgement.findings
        if f.severity is Severity.ERROR and f.code not in WHOLE_PROMPT
    }


class Comparison:
    """Judges what one server was asked and keeps what differs from its answers."""

    def __init__(self, server: recorded.Server, inventory: Inventory | None = None) -> None:
        self.server = server
        self.inventory = inventory
        self.cases = 0
        self.wrong_verdicts: list[str] = []
        self.wrong_outputs: list[str] = []
        self.entries = 0
        self.entries_found = 0
        self.entries_invented: list[str] = []

    def add(
        self,
        label: str,
        record: dict[str, Any],
        prompt: dict[str, Any],
        state: recorded.State = "full",
    ) -> None:
        catalog = self.server.catalog(state)
        inventory = self.inventory or self.server.inventory(state)
        before = json.dumps(prompt)
        judgement = judge(Conversion(prompt, targets=targets_of(record)), catalog, inventory)
        assert json.dumps(prompt) == before, f"{label}: judging changed the prompt"
        self.cases += 1
        wanted = expected_verdict(record, outputs_of(prompt, catalog))
        if judgement.verdict is not wanted:
            self.wrong_verdicts.append(f"{label}: {judgement.verdict} instead of {wanted}")
        if record["good_outputs"] is not None:
            run = sorted(output.node_id for output in judgement.outputs)
            if run != sorted(record["good_outputs"]):
                self.wrong_outputs.append(f"{label}: {run}")
        # What an older server reports about a circle depends on how deep Python's stack is, and so
        # does which node every server blames for a chain that is too long for it.
        if record.get("mutation") == "cyclic_link" or record.get("case") in UP_TO_THE_STACK:
            return
        wanted_entries, found = recorded_entries(record), judged_entries(judgement)
        self.entries += len(wanted_entries)
        self.entries_found += len(wanted_entries & found)
        self.entries_invented += [
            f"{label}: {entry}" for entry in sorted(map(str, found - wanted_entries))
        ]

    def add_workflows(self, state: recorded.State) -> None:
        for record in self.server.lines(f"verdicts_{state}"):
            prompt = self.server.prompts()[record["corpus"], record["name"]]
            self.add(record["name"], record, prompt, state)

    def add_mutated(self, kind: str = "mutated", *, broke_the_server: bool | None = None) -> None:
        for record in self.server.lines(kind):
            if broke_the_server is None or broke_the_server == (record["status"] == BROKE_DOWN):
                label = f"{record['name']} {record['mutation']}"
                self.add(label, record, record["prompt"])

    def add_edge_cases(
        self, kind: str = "edge_cases", *, broke_the_server: bool | None = None
    ) -> None:
        for record in self.server.lines(kind):
            # What is asked of a workflow is its prompt alone.
            if record["case"].startswith("body: "):
                continue
            if broke_the_server is None or broke_the_server == (record["status"] == BROKE_DOWN):
                request = record["request"]
                prompt = (request if isinstance(request, dict) else json.loads(request))["prompt"]
                self.add(record["case"], record, prompt)

    def report(self, note: Note, name: str) -> None:
        name = f"{self.server.version} {name}"
        note(f"verdicts, {name}", self.cases - len(self.wrong_verdicts), self.cases)
        if self.entries:
            note(f"error entries, {name}", self.entries_found, self.entries)


def targets_of(record: dict[str, Any]) -> frozenset[str] | None:
    request = record.get("request")
    if not isinstance(request, dict) or "partial_execution_targets" not in request:
        return None
    return frozenset(request["partial_execution_targets"])


on_each_server = pytest.mark.parametrize("server", recorded.SERVERS, ids=lambda s: s.version)


@on_each_server
@pytest.mark.parametrize("state", ["full", "empty"])
def test_workflows_get_the_servers_verdict(
    server: recorded.Server, state: recorded.State, agreement: Note
) -> None:
    comparison = Comparison(server)
    comparison.add_workflows(state)
    comparison.report(agreement, f"workflows, {state} state")
    assert comparison.wrong_verdicts == []
    assert comparison.wrong_outputs == []
    assert comparison.entries_found == comparison.entries
    assert comparison.entries_invented == []


@on_each_server
def test_mutated_prompts_get_the_servers_verdict(server: recorded.Server, agreement: Note) -> None:
    comparison = Comparison(server)
    comparison.add_mutated(broke_the_server=False)
    comparison.report(agreement, "mutated prompts")
    assert comparison.wrong_verdicts == []
    assert comparison.wrong_outputs == []
    # Which node the server blames for the exception of one that several need is up to the order of
    # a Python set, so a few entries name another input.
    assert comparison.entries_found >= 0.97 * comparison.entries
    assert all("exception_during" in entry for entry in comparison.entries_invented)


@on_each_server
def test_edge_cases_get_the_servers_verdict(server: recorded.Server, agreement: Note) -> None:
    comparison = Comparison(server)
    comparison.add_edge_cases(broke_the_server=False)
    comparison.report(agreement, "edge cases")
    assert comparison.wrong_verdicts == []
    assert comparison.entries_found == comparison.entries
    assert comparison.entries_invented == []


def test_what_breaks_the_server_down_is_broken(agreement: Note) -> None:
    mutated, edge_cases = Comparison(recorded.OF_0_33), Comparison(recorded.OF_0_33)
    mutated.add_mutated(broke_the_server=True)
    mutated.report(agreement, "mutated prompts at which the server fails")
    edge_cases.add_edge_cases(broke_the_server=True)
    edge_cases.report(agreement, "edge cases at which the server fails")
    assert mutated.wrong_verdicts == []
    assert edge_cases.wrong_verdicts == []
    assert mutated.entries_invented == []


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("mutated_symlinks", "links that lead outside"),
        ("edge_cases_symlinks_and_absolute", "edge cases of paths and links"),
    ],
)
def test_links_in_the_input_folder_get_the_servers_verdict(
    kind: str, name: str, agreement: Note
) -> None:
    comparison = Comparison(recorded.OF_0_33, recorded.OF_0_33.inventory_with_links())
    add = comparison.add_mutated if kind.startswith("mutated") else comparison.add_edge_cases
    add(kind)
    comparison.report(agreement, name)
    assert comparison.wrong_verdicts == []
    assert comparison.entries_found == comparison.entries
    assert comparison.entries_invented == []


@on_each_server
def test_entries_agree_overall(server: recorded.Server, agreement: Note) -> None:
    comparison = Comparison(server)
    comparison.add_workflows("full")
    comparison.add_workflows("empty")
    comparison.add_mutated()
    name = f"error entries, {server.version} workflows and mutations"
    agreement(name, comparison.entries_found, comparison.entries)
    assert comparison.entries_found >= 0.99 * comparison.entries
    assert len(comparison.entries_invented) <= 0.01 * comparison.entries


def test_a_saved_catalog_of_an_old_server_is_recognised() -> None:
    """Without a version the rules are those of the server that wrote the catalog."""
    unversioned = Catalog(recorded.OF_0_8.object_info("full"))
    assert rulebook(unversioned).rules == rulebook(recorded.OF_0_8.catalog("full")).rules


@on_each_server
def test_the_table_of_model_folders_is_the_recorded_one(server: recorded.Server) -> None:
    recorded_map = server.read_json("combo_folder_map")
    catalog = server.catalog("full")
    known = {}
    for key in recorded_map:
        node_type, _, input_name = key.partition(".")
        folder = model_folder(catalog[node_type], input_name)
        known[key] = [folder.name] if folder is not None else []
    assert known == recorded_map


@on_each_server
def test_no_other_choice_of_a_core_node_is_taken_for_a_model_file(server: recorded.Server) -> None:
    recorded_map = server.read_json("combo_folder_map")
    wrong = [
        f"{node_type.name}.{spec.name}"
        for node_type in server.catalog("full").values()
        for spec in node_type.inputs.values()
        if spec.choices is not None
        and f"{node_type.name}.{spec.name}" not in recorded_map
        and model_folder(node_type, spec.name) is not None
    ]
    assert wrong == []


def test_the_table_of_own_rules_is_the_recorded_one() -> None:
    """Each node type that judges inputs itself, with the inputs that its function names."""
    catalog = recorded.OF_0_33.catalog("full")
    known = {name: own_rules(catalog[name], (0, 33, 0)) for name in catalog}
    named = {
        name: {"args": sorted(rules.judges), "kwargs": rules.judges_all}
        for name, rules in known.items()
        if rules is not None and rules != OwnRules()
    }
    wanted = {
        name: {
            "args": sorted(set(said["args"]) - {"input_types"}),
            "kwargs": said["kwargs"],
        }
        for name, said in recorded.OF_0_33.read_json("validators").items()
    }
    assert named == wanted


def test_judging_is_quick() -> None:
    """Well under a second of processor time for all recorded workflows, on slow machines too."""
    catalog, inventory = recorded.OF_0_8.catalog("full"), recorded.OF_0_8.inventory("full")
    conversions = [Conversion(prompt) for prompt in recorded.OF_0_8.prompts().values()]
    for conversion in conversions[:20]:
        judge(conversion, catalog, inventory)
    begun = time.process_time()
    for conversion in conversions:
        judge(conversion, catalog, inventory)
    assert time.process_time() - begun < 1.0
