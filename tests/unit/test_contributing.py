"""What CONTRIBUTING.md shows is true: each of its examples is added to a copy, and works there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from comfywatchman.errors import Exit
from tests.unit.program import PROMPT

ROOT = Path(__file__).parents[2]
COPIED = ("comfywatchman", "meta", "plugins", "roles", "playbooks", "tests/unit/role")
SETTINGS = "comfywatchman/settings.py"
ROLE = "roles/comfywatchman/"


def examples() -> dict[str, str]:
    """File → what CONTRIBUTING.md shows to be put there."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    shown = re.findall(r"^```(?:python|yaml)\n# (\S+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return dict(shown)


def example(folder: str) -> str:
    """The file that CONTRIBUTING.md shows for a folder."""
    (name,) = (name for name in examples() if name.rpartition("/")[0] == folder)
    return name


@dataclass
class Copy:
    """A copy of this repository, as far as a change of these kinds needs it."""

    root: Path

    def insert(self, name: str, text: str, before: str = "") -> None:
        """Put text into a file, new or not, before its first line that starts so, or at its end."""
        file = self.root / name
        old = file.read_text(encoding="utf-8") if file.exists() else ""
        place = old.index(f"\n{before}") + 1 if before else len(old)
        file.write_text(old[:place] + text + old[place:], encoding="utf-8")

    def touched(self) -> set[str]:
        """The files that are not as they are in this repository."""
        return {
            str(file.relative_to(self.root))
            for folder in COPIED
            for file in (self.root / folder).rglob("*")
            if file.is_file()
            and "__pycache__" not in file.parts
            and not _same(file, ROOT / file.relative_to(self.root))
        }

    def python(self, *arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
        """Run the copy's Python code."""
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=self.root,
            env=os.environ | {"PYTHONPATH": str(self.root), "COLUMNS": "100"} | more,
        )

    def program(self, *arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
        """Run the copy's program."""
        return self.python("-m", "comfywatchman.cli", *arguments, **more)


def _same(file: Path, original: Path) -> bool:
    return original.is_file() and file.read_bytes() == original.read_bytes()


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    made = Copy(tmp_path / "copy")
    for folder in COPIED:
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, made.root / folder, symlinks=True, ignore=ignore)
    (made.root / "tests" / "unit" / "__init__.py").touch()
    (made.root / "tests" / "__init__.py").touch()
    assert made.touched() == set()
    return made


def test_a_check_is_one_file(copy: Copy, flow: Path, object_info: Path) -> None:
    name = example("comfywatchman/checks")
    copy.insert(name, examples()[name])
    assert copy.touched() == {name}
    ended = copy.program("check", flow, "--object-info", object_info, "--format", "json")
    (workflow,) = json.loads(ended.stdout)["workflows"]
    assert [finding["code"] for finding in workflow["findings"]] == ["tiny_picture"]
    catalogue = "from comfywatchman.catalogue import catalogue_markdown as made"
    assert "tiny_picture" in copy.python("-c", f"{catalogue}; print(made())").stdout


PROPOSE = """
import json, sys
from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.fixes.here import Here, Saved
from comfywatchman.fixes.proposing import propose
from comfywatchman.history.world import World
from comfywatchman.judging.cache import VerdictCache
from comfywatchman.judging.workflow import judge_workflow
from comfywatchman.workflow.find import WorkflowCopy

raw, catalog = sys.argv[1].encode(), Catalog(json.load(open(sys.argv[2])))
copy, verdicts = WorkflowCopy("w", "w", raw), VerdictCache(None, catalog, Inventory(), {})
report = judge_workflow(copy, verdicts, max_bytes=10**6, max_depth=99)
for fix in propose(Here(World(catalog, Inventory(), 99, 10**6), [Saved(copy, raw, report)])):
    print(fix.strategy, fix.edits[0].after)
"""


def test_a_way_to_find_a_fix_is_one_file(copy: Copy, object_info: Path) -> None:
    name = example("comfywatchman/fixes/strategies")
    copy.insert(name, examples()[name])
    assert copy.touched() == {name}
    size = {"width": 9, "height": 9, "crop": "disabled"}
    scale = {"image": ["1", 0], "upscale_method": "nearest", **size}
    preview = {"class_type": "PreviewImage", "inputs": {"images": ["3", 0]}}
    nodes = {**PROMPT, "2": preview, "3": {"class_type": "ImageScale", "inputs": scale}}
    ended = copy.python("-c", PROPOSE, json.dumps(nodes), object_info)
    assert ended.stdout == f"{Path(name).stem} nearest-exact\n", ended.stderr


def test_a_command_is_one_file(copy: Copy) -> None:
    name = example("comfywatchman/commands")
    copy.insert(name, examples()[name])
    assert copy.touched() == {name}
    command = Path(name).stem
    assert re.search(
        rf"^  {command} +Print the address", copy.program("--help").stdout, re.MULTILINE
    )
    assert "--comfyui-url" in copy.program(command, "--help").stdout
    assert copy.program(command, "--comfyui-url", "http://h:1").stdout == "http://h:1\n"
    refused = copy.program(command, "--comfyui-url", "nonsense")
    assert "--comfyui-url = 'nonsense': must look like" in refused.stderr


def test_an_output_format_is_one_file(copy: Copy, flow: Path, object_info: Path) -> None:
    name = example("comfywatchman/report/formats")
    copy.insert(name, examples()[name])
    assert copy.touched() == {name}
    form = Path(name).stem
    assert f"|{form}|" in copy.program("check", "--help").stdout
    flow.write_text(json.dumps({**PROMPT, "3": {"class_type": "Gone", "inputs": {}}}))
    ended = copy.program("check", flow, "--object-info", object_info, "--format", form)
    assert (ended.returncode, ended.stdout) == (Exit.OK, "flow.json\n"), ended.stderr


def test_a_format_of_model_files_is_one_file(copy: Copy, tmp_path: Path) -> None:
    name = example("comfywatchman/modelfiles/formats")
    copy.insert(name, examples()[name])
    assert copy.touched() == {name}
    array = b"\x93NUMPY\x01\x00\x06\x00{'a':}"
    for file, raw in (("a.npy", array), ("b.npy", array[:-2]), ("c.gguf", array)):
        (tmp_path / file).write_bytes(raw)
    inspect = "from comfywatchman.modelfiles.inspecting import inspect as made; import sys"
    tell = "print(*(made(file, 0).code for file in sys.argv[1:]), sep=',')"
    ended = copy.python("-c", f"{inspect}; {tell}", *sorted(tmp_path.glob("?.*")))
    assert ended.stdout == ",model_truncated,model_extension_lies\n", ended.stderr


def test_a_setting_is_one_field_and_the_three_of_the_role(copy: Copy, flow: Path) -> None:
    shown = examples()
    specs = ROLE + "meta/argument_specs.yml"
    copy.insert(SETTINGS, shown[SETTINGS], before="    _file_values: ")
    copy.insert(specs, shown[specs], before="  status:\n")
    (described,) = re.findall(r">-\n +(.*)", shown[specs])
    variable = "comfywatchman_max_workflows"
    copy.insert(ROLE + "defaults/main.yml", f"\n# {described}\n{variable}: 100000\n")
    copy.insert(ROLE + "README.md", f"| `{variable}` | int | `100000` | {described} |\n")
    of_the_role = {ROLE + name for name in ("defaults/main.yml", "README.md")}
    assert copy.touched() == {SETTINGS, specs, *of_the_role}

    helped = " ".join(copy.program("check", "--help").stdout.split())
    assert "--max-workflows <str> Judge no more workflows than this." in helped
    config = copy.root / "config.toml"
    check = ["check", flow, "--config", config]
    config.write_text('max_workflows = "x"')
    in_file = copy.program(*check)
    assert f"{config}: max_workflows = 'x': must be a whole number" in in_file.stderr
    config.write_text("max_workflows = 0")
    by_variable = copy.program(*check, COMFYWATCHMAN_MAX_WORKFLOWS="soon")
    assert "environment: COMFYWATCHMAN_MAX_WORKFLOWS = 'soon'" in by_variable.stderr
    by_flag = copy.program(*check, "--max-workflows=0", COMFYWATCHMAN_MAX_WORKFLOWS="soon")
    assert "--max-workflows = '0': input should be greater" in by_flag.stderr

    of_role = "tests/unit/role/test_variables.py"
    ended = copy.python("-m", "pytest", "-q", "-p", "no:cacheprovider", of_role)
    assert ended.returncode == 0, ended.stdout
