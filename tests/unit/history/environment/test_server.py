"""What ComfyUI says of itself, and what its folder tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman.history.environment import server
from comfywatchman.time_limit import Blind

if TYPE_CHECKING:
    from pathlib import Path

    from comfywatchman.time_limit import Budget

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SYSTEM: dict[str, Any] = {
    "os": "linux",
    "ram_free": 1,
    "comfyui_version": "0.33.0",
    "required_frontend_version": "1.49.6",
    "installed_templates_version": "0.11.44",
    "comfy_package_versions": [
        {"name": "comfyui-frontend-package", "installed": "1.49.7", "required": "1.49.6"},
        {"name": "comfyui-workflow-templates", "installed": "0.11.45", "required": "0.11.44"},
        {"name": "comfy-kitchen", "installed": "0.2.31", "required": "0.2.31"},
    ],
    "python_version": "3.11.7 (main, May  9 2026, 07:35:25) [GCC 12.2.0]",
    "pytorch_version": "2.14.1+cu130",
}


def test_version_and_commit(tmp_path: Path, budget: Budget) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/HEAD").write_text(COMMIT)
    assert server.comfyui("0.33.0", tmp_path, budget) == {
        "": {"version": "0.33.0", "commit": COMMIT}
    }
    assert server.comfyui("0.33.0", None, budget) == {"": {"version": "0.33.0"}}
    assert server.comfyui(None, tmp_path, budget) == {"": {"commit": COMMIT}}
    with pytest.raises(Blind):
        server.comfyui(None, None, budget)


def test_where_its_program_lies(tmp_path: Path) -> None:
    data, code = tmp_path / "data", tmp_path / "code"
    data.mkdir()
    code.mkdir()
    script = str(code / "main.py")
    assert server.code_folder(data, [script]) == data
    (code / "main.py").touch()
    assert server.code_folder(data, [script, "--cpu"]) == code
    assert server.code_folder(data, ["main.py"]) == data
    assert server.code_folder(data, ["/a\0b"]) == data
    assert server.code_folder(data, []) == data
    assert server.code_folder(None, [script]) is None
    (data / "main.py").touch()
    assert server.code_folder(data, [script]) == data


def test_the_frontend_as_installed() -> None:
    assert server.frontend(SYSTEM, None) == {
        "comfyui-frontend-package": {"version": "1.49.7"},
        "comfyui-workflow-templates": {"version": "0.11.45"},
    }


def test_the_frontend_of_an_older_release() -> None:
    older = SYSTEM | {"comfy_package_versions": None}
    assert server.frontend(older, None) == {
        "comfyui-frontend-package": {"version": "1.49.6"},
        "comfyui-workflow-templates": {"version": "0.11.44"},
    }
    packages: Any = {"comfyui-frontend-package": {"version": "1.50"}, "torch": {"version": "2"}}
    assert server.frontend(older, packages)["comfyui-frontend-package"] == {"version": "1.50"}
    assert server.frontend({}, packages) == {"comfyui-frontend-package": {"version": "1.50"}}
    with pytest.raises(Blind):
        server.frontend({"comfy_package_versions": [1, {}, {"name": []}]}, None)


def test_the_runtime(tmp_path: Path) -> None:
    common = {
        "python": {"version": "3.11.7"},
        "torch": {"version": "2.14.1+cu130"},
        "os": {"version": "linux"},
    }
    assert server.runtime(SYSTEM, None, None) == common
    assert server.runtime(SYSTEM, None, tmp_path) == common
    (tmp_path / "nvidia").mkdir()
    (tmp_path / "nvidia/version").write_text("580.65.06\n")
    assert server.runtime(SYSTEM, None, tmp_path) == common | {"driver": {"version": "580.65.06"}}
    assert server.runtime(SYSTEM, "581", tmp_path) == common | {"driver": {"version": "581"}}
    assert server.runtime({"os": 1, "python_version": None}, None, None) == {}
    with pytest.raises(Blind):
        server.runtime({}, "581", tmp_path)


def test_the_command_line() -> None:
    argv = ["/srv/My ComfyUI/main.py", "--listen", "0.0.0.0", "it's", "--api-key", "hunter2"]
    assert server.arguments(argv) == {
        "": {"text": "'/srv/My ComfyUI/main.py' --listen 0.0.0.0 'it'\"'\"'s' --api-key ***"}
    }
    with pytest.raises(Blind):
        server.arguments([])


def test_a_command_line_that_means_harm() -> None:
    argv = ["main.py", "\ud800\x1b[2J", *["x" * 10_000] * 1000]
    (value,) = server.arguments(argv).values()
    text = value["text"]
    assert isinstance(text, str)
    assert text.startswith("main.py '\\ud800\\x1b[2J'") or "\\ud800\\x1b[2J" in text
    assert len(text.encode()) < 10_000
