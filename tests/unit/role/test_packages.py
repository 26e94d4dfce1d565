"""A real pip in a real environment, on a host whose own settings would lead it elsewhere."""

from __future__ import annotations

import base64
import hashlib
import importlib
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.unit.role import collection

HOSTILE = """
[global]
user = true
no-index = true
find-links = WHEELS
[install]
target = ELSEWHERE
user = true
prefix = ELSEWHERE
root = ELSEWHERE
dry-run = true
no-binary = :all:
constraint = ELSEWHERE/none.txt
require-virtualenv = true
"""
PROGRAM = "import sys\ndef main():\n    print(sys.flags.isolated, sys.flags.utf8_mode)\n"


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(collection.COLLECTIONS))
    return importlib.import_module(f"{collection.PACKAGE}.modules.packages")


def wheel(folder: Path) -> str:
    """A wheel with one program in it; returns its line for a file of requirements."""
    files = {
        "tool.py": PROGRAM,
        "tool-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: tool\nVersion: 1\n",
        "tool-1.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "tool-1.dist-info/entry_points.txt": "[console_scripts]\ntool = tool:main\n",
    }
    record = "".join(f"{name},,\n" for name in [*files, "tool-1.dist-info/RECORD"])
    path = folder / "tool-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {**files, "tool-1.dist-info/RECORD": record}.items():
            archive.writestr(name, content)
    return f"tool==1 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


@pytest.mark.parametrize("name", ["venv", "an environment"])
def test_what_the_host_tells_pip_and_python_stays_outside(tmp_path: Path, name: str) -> None:
    venv, elsewhere, wheels, poison = (
        tmp_path / each for each in (name, "elsewhere", "wheels", "poison")
    )
    for folder in (wheels, poison):
        folder.mkdir()
    for module in ("pip", "tool"):  # what nothing but pip and the program would import
        (poison / f"{module}.py").write_text("raise SystemExit('poisoned')")
    (tmp_path / "requirements.txt").write_text(wheel(wheels))
    config = HOSTILE.replace("WHEELS", str(wheels)).replace("ELSEWHERE", str(elsewhere))
    (tmp_path / "pip.conf").write_text(config)
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)

    told = {
        "PIP_CONFIG_FILE": str(tmp_path / "pip.conf"),
        "PIP_TARGET": str(elsewhere),
        "PIP_DRY_RUN": "1",
        "VIRTUAL_ENV": str(elsewhere),
    }
    given = {"venv": str(venv), "requirements": [str(tmp_path / "requirements.txt")]}
    given |= {"programs": ["tool"], "environment": {"PIP_USER": "1"}}
    done = subprocess.run(
        collection.command("packages"),
        input=json.dumps(given),
        capture_output=True,
        text=True,
        env={
            **{k: v for k, v in os.environ.items() if not k.startswith("PIP_")},
            **told,
            "PYTHONPATH": f"{collection.COLLECTIONS}:{poison}",
        },
    )
    assert json.loads(done.stdout).get("changed"), done.stdout + done.stderr
    assert not elsewhere.exists()

    program = venv / "bin" / "tool"
    started = subprocess.run(
        [program],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(poison), "PYTHONUTF8": "0"},
    )
    assert started.stdout == "1 1\n", started.stderr

    (record,) = venv.glob("lib/python*/site-packages/tool-1.dist-info/RECORD")
    (line,) = [line for line in record.read_text().splitlines() if "bin/tool," in line]
    digest = base64.urlsafe_b64encode(hashlib.sha256(program.read_bytes()).digest()).decode()
    assert line.endswith(f",sha256={digest.rstrip('=')},{program.stat().st_size}")


def test_what_leads_to_an_index_still_counts(packages: Any, tmp_path: Path) -> None:
    files = []
    for variant, text in {
        "user": "[global]\nproxy = http://o'neil@proxy.example:3128\nuser = true\n",
        "env": "[install]\nextra_index_url = https://a.example\n  https://b.example\n",
        "global": "[global]\nindex-url = https://global.example\ncert=/etc/company.pem\n"
        "proxy = http://other.example\n[list]\nformat = columns\n",
    }.items():
        path = tmp_path / f"{variant}, exists: False.conf"
        path.write_text(text)
        files.append(f"{variant}:\n  {path}, exists: True\n    global.user: true\n")
    debugged = "env_var:\n" + "".join(files) + "site:\n  /nowhere/pip.conf, exists: False\n"
    found = packages.configuration_files(debugged)
    assert [Path(path).name.partition(",")[0] for path in found] == ["global", "user", "env"]
    environment = {"PIP_INDEX_URL": "https://by-variable.example", "PIP_TARGET": "/srv/elsewhere"}
    assert packages.ways_to_an_index(found, environment) == {
        "PIP_INDEX_URL": "https://by-variable.example",
        "PIP_CERT": "/etc/company.pem",
        "PIP_EXTRA_INDEX_URL": "https://a.example\nhttps://b.example",
        "PIP_PROXY": "http://o'neil@proxy.example:3128",
    }


def test_a_password_in_an_address_is_not_repeated(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    (tmp_path / "requirements.txt").write_text("tool==1 --hash=sha256:" + "0" * 64)
    given = {
        "venv": str(tmp_path / "venv"),
        "requirements": [str(tmp_path / "requirements.txt")],
        "environment": {
            "PIP_INDEX_URL": "http://anna:hunter2@127.0.0.1:9/simple",
            "PIP_RETRIES": "0",
        },
    }
    said = json.loads(collection.run("packages", given).stdout)["msg"]
    assert re.search("No matching distribution", said), said
    assert "hunter2" not in said
