"""A converted workflow must be the prompt that ComfyUI's real frontend makes of it."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from comfywatchman.workflow.convert import convert
from comfywatchman.workflow.load import load
from tests.oracle import frontend, recorded

if TYPE_CHECKING:
    from collections.abc import Callable

    from comfywatchman.comfyui.catalog import Catalog

DEVIATIONS = {
    "large_integers_1": "what needs more than 64 bits is a float: 1.8446744073709552e19",
    "large_integers_2": "the same",
    "large_integers_3": "the same",
    "autogrow_rows_ag1": "a row that grows by being wired is saved after all other widgets",
    "autogrow_rows_ag3": "the same, with two inputs a row",
    "links_1": "links saved as objects count in schema 0.4, too",
    "primitive_6": "a list in a primitive node: the frontend makes null of it",
    "primitive_7": "null in a primitive node: the frontend makes 0 of it",
    "layout_remote": "a list fetched by the browser: it sends 'Loading...' where nothing is saved",
    "layout_remote2": "the same, without a refresh button",
    "group_F": "a primitive node inside a group node keeps its value, a reroute its link",
    "group_F2": "the same, with fewer values",
    "group_F3": "the same, with none",
    "group_G": "slots of links inside a group node count as saved",
    "group_K": "only the numbers of the nodes differ",
    "group_L": "a group node inside a sub-graph is reported, not sent as a type of its own",
    "group_old_1": "the frontend drops links whose type differs after it reorders the outputs",
    "group_old_3": "an empty combo without a value is left out, not null",
}
"""Cases whose prompt differs from the frontend's, and why that is as it should be."""

ONLY_IN_1_49_6 = {
    ("new", "api_openai_gpt_image_25_flare_image_edit"),
    ("new", "templates_graphic_design_recomposer"),
}
"""Workflows of which frontend 1.49.6 makes something else than 1.58.1."""


def listed(differing: dict[str, list[str]]) -> str:
    return "\n".join(f"{name}: {line}" for name, lines in differing.items() for line in lines)


def convert_saved(workflow: dict[str, Any], catalog: Catalog) -> dict[str, Any]:
    """Through bytes, as a workflow comes from a file; and to what would be sent."""
    prompt = convert(load(json.dumps(workflow).encode()), catalog).prompt
    sent: dict[str, Any] = orjson.loads(orjson.dumps(prompt))
    return sent


@pytest.mark.parametrize("corpus", ["new", "old"])
def test_official_workflows_convert_exactly_on_0_8(
    corpus: str, agreement: Callable[[str, int, int], None]
) -> None:
    """Inputs that the server does not declare, and nodes of unknown types, included."""
    catalog = recorded.OF_0_8.catalog("empty")
    differing, count = {}, 0
    for case in frontend.official():
        if case.corpus != corpus:
            continue
        count += 1
        theirs = frontend.all_but_drawn(case.prompt, catalog)
        ours = frontend.all_but_drawn(convert_saved(case.workflow, catalog), catalog)
        if theirs != ours:
            differing[case.name] = frontend.differences(theirs, ours)
    agreement(f"conversion, 0.8.0, {corpus} templates", count - len(differing), count)
    assert differing == {}, listed(differing)
    assert count == {"new": 644, "old": 220}[corpus]


@pytest.mark.parametrize(
    ("prompts", "frontend_version", "unlike"),
    [
        ("prompts", "1.58.1", set()),
        ("prompts_frontend_1.49.6", "1.49.6", ONLY_IN_1_49_6),
    ],
)
def test_official_workflows_convert_exactly_on_0_33(
    prompts: str,
    frontend_version: str,
    unlike: set[tuple[str, str]],
    agreement: Callable[[str, int, int], None],
) -> None:
    """Inputs that the server does not declare included."""
    catalog = recorded.OF_0_33.catalog("empty")
    recordings = frontend.official_on_0_33(prompts)
    differing = {}
    for case in recordings:
        theirs = frontend.all_but_drawn(case.prompt, catalog)
        ours = frontend.all_but_drawn(convert_saved(case.workflow, catalog), catalog)
        if theirs != ours:
            differing[case.corpus, case.name] = frontend.differences(theirs, ours)
    count = len(recordings)
    agreement(f"conversion, 0.33.0, {frontend_version}", count - len(differing), count)
    unexpected = {name: lines for (c, name), lines in differing.items() if (c, name) not in unlike}
    assert unexpected == {}, listed(unexpected)
    assert set(differing) == unlike, "a documented difference is gone"
    assert count == 399


def test_small_cases_convert_exactly() -> None:
    catalog = frontend.cases_catalog()
    differing: dict[str, list[str]] = {}
    for case in frontend.cases():
        theirs = frontend.comparable(case.prompt, catalog)
        ours = frontend.comparable(convert_saved(case.workflow, catalog), catalog)
        if theirs != ours:
            differing[case.name] = frontend.differences(theirs, ours)
    unexpected = {name: lines for name, lines in differing.items() if name not in DEVIATIONS}
    assert unexpected == {}, listed(unexpected)
    assert set(DEVIATIONS) <= set(differing), "a documented deviation is gone"


def test_conversion_is_fast() -> None:
    """A bound that fails for a slip of an order of magnitude, not for a busy machine."""
    catalog = recorded.OF_0_8.catalog("empty")
    files = [orjson.dumps(case.workflow) for case in frontend.official()]
    start = time.process_time()
    for file in files:
        convert(load(file), catalog)
    assert (time.process_time() - start) / len(files) < 0.005
