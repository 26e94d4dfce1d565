"""No file, whatever its shape, costs the others their verdicts."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from tests import growth
from tests.faults.conftest import RUNNABLE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.conftest import Host
    from tests.standin.comfyui import StandIn

MIB = 1024**2
REFUSED = {
    "bypass_chain": "workflow_too_tangled",
    "doubling": "workflow_too_many_nodes",
    "group": "workflow_too_many_nodes",
    "group_links": "workflow_too_many_nodes",
    "instances": "workflow_too_many_nodes",
    "long_ids": "workflow_too_many_nodes",
    "promoted_to_many_nodes": "workflow_too_many_nodes",
    "promoted_to_one_widget": "workflow_too_many_promoted",
    "names_in_instances": "workflow_too_many_nodes",
    "texts_in_instances": "workflow_too_many_nodes",
    "wired_instances": "workflow_too_many_promoted",
}
"""Shapes that are far more than their file is large."""


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file of 200 kB of each shape, and one that is runnable."""
    folder = tmp_path_factory.mktemp("shapes")
    for name, shape in growth.SHAPES.items():
        (folder / f"{name}.json").write_bytes(growth.of_size(shape, 200_000))
    (folder / "z.png").write_bytes(growth.in_picture(growth.of_size(growth.group, 200_000)))
    (folder / "~ the last.json").write_text(json.dumps(RUNNABLE))
    return folder


def limited(host: Host) -> Host:
    """The host, with as much memory as a cycle needs without these files, and little more."""
    if not shutil.which("prlimit"):
        pytest.skip("without prlimit, the memory of a cycle cannot be limited")
    host.prefix = ["prlimit", f"--as={700 * MIB}", "--cpu=120"]
    host.environment["MALLOC_ARENA_MAX"] = "1"  # else each thread sets 64 MiB of addresses aside
    return host


def test_each_is_judged_or_refused_and_so_are_the_others(
    host: Host, comfyui: StandIn, shapes: Path
) -> None:
    ended = limited(host).run(comfyui_url=comfyui.url, workflow_dirs=f"{shapes}:{host.workflows}")
    assert (ended.returncode, host.last_run["outcome"]) == (0, "done"), ended.stderr
    found = {w["name"].removesuffix(".json"): w for w in host.latest["workflows"]}
    assert len(found) == len(growth.SHAPES) + 3
    assert (found["good"]["verdict"], found["~ the last"]["verdict"]) == ("runnable",) * 2
    for name, code in REFUSED.items():
        assert (name, found[name]["verdict"]) == (name, "unknown")
        assert [f["code"] for f in found[name]["findings"]] == [code]
        assert found[name]["findings"][0]["message"] in found[name]["not_checked"]
        assert found[name]["findings"][0]["fixes"]
    judged = [w for name, w in found.items() if name not in REFUSED]
    assert not any(f["code"] == "internal_error" for w in judged for f in w["findings"])


def test_each_is_converted_or_refused_and_so_are_the_others(
    host: Host, shapes: Path, tmp_path: Path
) -> None:
    catalog = tmp_path / "object_info.json"
    catalog.write_text(json.dumps(growth.catalog().declarations))
    arguments = ["convert", "--jsonl", "--object-info", str(catalog), str(shapes)]
    ended = limited(host).run(*arguments)
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert len(lines) == len(growth.SHAPES) + 2
    refused = {line["path"].rpartition("/")[2] for line in lines if "error" in line}
    assert refused >= {f"{name}.json" for name in REFUSED} | {"z.png"}
    assert "prompt" in lines[-1]


OUT_OF_MEMORY = """
import sys
from comfywatchman.judging import workflow
from comfywatchman import conversion

convert = workflow.convert

def fail(document, *others):
    if "nodes" in document:
        kept = [bytearray(2**20) for _ in range(2**20)]
    if "deep" in document:
        return fail(document, *others)
    return convert(document, *others)

workflow.convert = conversion.convert = fail
from comfywatchman import cli
cli.main()
"""


@pytest.mark.parametrize("command", ["check", "convert"])
def test_without_memory_or_stack_one_file_is_unknown(
    host: Host, comfyui: StandIn, command: str
) -> None:
    (host.workflows / "big.json").write_text('{"nodes": []}')
    (host.workflows / "deep.json").write_text('{"deep": 1, "1": {"class_type": "X"}}')
    limited(host).program = ["-c", OUT_OF_MEMORY]
    if command == "convert":
        arguments = ["convert", "--jsonl", str(host.workflows)]
        lines = host.run(*arguments, comfyui_url=comfyui.url).stdout.splitlines()
        errors = {
            line["path"].rpartition("/")[2]: line.get("error") for line in map(json.loads, lines)
        }
        assert errors["big.json"] == "there was not enough memory to judge it"
        assert "RecursionError" in errors["deep.json"]
        assert errors["good.json"] is None
        return
    ended = host.run(comfyui_url=comfyui.url)
    assert (ended.returncode, host.last_run["outcome"]) == (0, "done"), ended.stderr
    found = {
        w["name"]: (w["verdict"], [f["code"] for f in w["findings"]])
        for w in host.latest["workflows"]
    }
    assert found["big.json"] == ("unknown", ["out_of_memory"])
    assert found["deep.json"] == ("unknown", ["internal_error"])
    assert found["good.json"] == ("runnable", [])
