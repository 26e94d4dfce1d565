"""What is judged must be what a real server answered."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman.checks.engine.rulebook import rulebook
from comfywatchman.checks.known.model_folders import model_folder
from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.judging.prompt import Judgement, judge
from comfywatchman.results import Severity, Verdict
from comfywatchman.workflow.prompt import Conversion
from tests.oracle import recorded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Note = Callable[[str, int, int], None]
    Entry = tuple[str, str, str | None]

pytestmark = pytest.mark.filterwarnings("error")

# The server refuses the prompt as a whole for these, without an entry for a node.
WHOLE_PROMPT = {"missing_node_type", "prompt_no_outputs"}

# A request may name the outputs it wants, and a circle makes the server answer 200 although the
# output that needs it does not run: the recorded status alone does not tell.
CIRCLE = "reachable cycle plus a good output"


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
    types = {node_id: node.get("class_type") for node_id, node in prompt.items()}
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
    """Judges records of one data set and keeps what differs."""

    def __init__(self) -> None:
        self.cases = 0
        self.wrong_verdicts: list[str] = []
        self.wrong_outputs: list[str] = []
        self.entries = 0
        self.entries_found = 0
        self.entries_invented: list[str] = []

    def add(
        self, label: str, record: dict[str, Any], prompt: dict[str, Any], state: recorded.State
    ) -> None:
        catalog = recorded.OF_0_8.catalog(state)
        before = json.dumps(prompt)
        targets = targets_of(record)
        judgement = judge(
            Conversion(prompt, targets=targets), catalog, recorded.OF_0_8.inventory(state)
        )
        assert json.dumps(prompt) == before, f"{label}: judging changed the prompt"
        self.cases += 1
        wanted = expected_verdict(record, outputs_of(prompt, catalog))
        if judgement.verdict is not wanted:
            self.wrong_verdicts.append(f"{label}: {judgement.verdict} instead of {wanted}")
        if record["good_outputs"] is not None:
            run = sorted(output.node_id for output in judgement.outputs)
            if run != sorted(record["good_outputs"]):
                self.wrong_outputs.append(f"{label}: {run}")
        # What the server reports about a circle depends on how deep Python's stack is.
        if record.get("mutation") == "cyclic_link" or record.get("case") == CIRCLE:
            return
        wanted_entries, found = recorded_entries(record), judged_entries(judgement)
        self.entries += len(wanted_entries)
        self.entries_found += len(wanted_entries & found)
        self.entries_invented += [
            f"{label}: {entry}" for entry in sorted(map(str, found - wanted_entries))
        ]

    def report(self, note: Note, name: str) -> None:
        note(f"verdicts, {name}", self.cases - len(self.wrong_verdicts), self.cases)
        note(f"error entries, {name}", self.entries_found, self.entries)


def targets_of(record: dict[str, Any]) -> frozenset[str] | None:
    request = record.get("request")
    if not isinstance(request, dict) or "partial_execution_targets" not in request:
        return None
    return frozenset(request["partial_execution_targets"])


@pytest.mark.parametrize("state", ["full", "empty"])
def test_workflows_get_the_servers_verdict(state: recorded.State, agreement: Note) -> None:
    comparison = Comparison()
    for record in recorded.OF_0_8.lines(f"verdicts_{state}"):
        prompt = recorded.OF_0_8.prompts()[record["corpus"], record["name"]]
        comparison.add(record["name"], record, prompt, state)
    comparison.report(agreement, f"workflows, {state} state")
    assert comparison.wrong_verdicts == []
    assert comparison.wrong_outputs == []
    assert comparison.entries_found == comparison.entries
    assert comparison.entries_invented == []


def test_mutated_prompts_get_the_servers_verdict(agreement: Note) -> None:
    comparison = Comparison()
    for record in recorded.OF_0_8.lines("mutated"):
        label = f"{record['name']} {record['mutation']}"
        comparison.add(label, record, record["prompt"], "full")
    comparison.report(agreement, "mutated prompts")
    assert comparison.wrong_verdicts == []
    assert comparison.wrong_outputs == []
    # Which node the server blames for the exception of one that several need is up to the order of
    # a Python set, so a few entries name another input.
    assert comparison.entries_found >= 0.98 * comparison.entries
    assert all("exception_during" in entry for entry in comparison.entries_invented)


def test_edge_cases_get_the_servers_verdict(agreement: Note) -> None:
    comparison = Comparison()
    for record in recorded.OF_0_8.lines("edge_cases"):
        request = record["request"]
        prompt = (request if isinstance(request, dict) else json.loads(request))["prompt"]
        comparison.add(record["case"], record, prompt, "full")
    comparison.report(agreement, "edge cases")
    assert comparison.wrong_verdicts == []
    assert comparison.entries_found == comparison.entries
    assert comparison.entries_invented == []


def test_entries_agree_overall(agreement: Note) -> None:
    comparison = Comparison()
    states: tuple[recorded.State, ...] = ("full", "empty")
    for state in states:
        for record in recorded.OF_0_8.lines(f"verdicts_{state}"):
            prompt = recorded.OF_0_8.prompts()[record["corpus"], record["name"]]
            comparison.add(record["name"], record, prompt, state)
    for record in recorded.OF_0_8.lines("mutated"):
        comparison.add(record["name"], record, record["prompt"], "full")
    agreement(
        "error entries, workflows and mutations", comparison.entries_found, comparison.entries
    )
    assert comparison.entries_found >= 0.99 * comparison.entries
    assert len(comparison.entries_invented) <= 0.01 * comparison.entries


def test_a_saved_catalog_of_that_server_is_recognised() -> None:
    """Without a version the rules are those of the server that wrote the catalog."""
    unversioned = Catalog(recorded.OF_0_8.object_info("full"))
    assert rulebook(unversioned).rules == rulebook(recorded.OF_0_8.catalog("full")).rules


def test_the_table_of_model_folders_is_the_recorded_one() -> None:
    recorded_map = recorded.OF_0_8.read_json("combo_folder_map")
    known = {}
    for key in recorded_map:
        node_type, _, input_name = key.partition(".")
        folder = model_folder(node_type, input_name)
        known[key] = [folder.name] if folder is not None else []
    assert known == recorded_map


def test_no_other_choice_of_a_core_node_is_taken_for_a_model_file() -> None:
    recorded_map = recorded.OF_0_8.read_json("combo_folder_map")
    wrong = [
        f"{node_type.name}.{spec.name}"
        for node_type in recorded.OF_0_8.catalog("full").values()
        for spec in node_type.inputs.values()
        if spec.choices is not None
        and f"{node_type.name}.{spec.name}" not in recorded_map
        and model_folder(node_type.name, spec.name) is not None
    ]
    assert wrong == []


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
