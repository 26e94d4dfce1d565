"""ComfyUI's Python and its packages: found, told from others, and never run."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman.history.environment import interpreter, packages
from comfywatchman.time_limit import Blind, Budget

if TYPE_CHECKING:
    from pathlib import Path

SYSTEM = {"python_version": "3.12.3 (main) [GCC]", "pytorch_version": "2.14.1+cu130"}


def installed(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).mkdir()
    return folder


def environment(prefix: Path, torch: str = "2.14.1", python: str = "3.12") -> Path:
    return installed(
        prefix / f"lib/python{python}/site-packages", f"torch-{torch}.dist-info", "torch"
    )


def find(comfyui: Path, budget: Budget, argv: tuple[str, ...] = (), **more: Any) -> list[Path]:
    comfyui.mkdir(exist_ok=True)
    return interpreter.site_packages(
        comfyui, argv, SYSTEM, budget, more.pop("proc", comfyui / "no proc")
    )


@pytest.mark.parametrize("place", ["ComfyUI/venv", "ComfyUI/.venv", "venv", ".venv"])
@pytest.mark.parametrize("torch", ["2.14.1", "2.14.1+cu130"])
def test_beside_comfyui(tmp_path: Path, place: str, torch: str, budget: Budget) -> None:
    site = environment(tmp_path / place, torch)
    (found,) = find(tmp_path / "ComfyUI", budget)
    assert found.resolve() == site


def test_the_portable_one(tmp_path: Path, budget: Budget) -> None:
    site = installed(tmp_path / "python_embeded/Lib/site-packages", "torch-2.14.1.dist-info")
    (found,) = find(tmp_path / "ComfyUI", budget)
    assert found.resolve() == site


@pytest.mark.parametrize(
    "other", [{"torch": "2.13.0"}, {"torch": "2.14.10"}, {"python": "3.11"}], ids=str
)
def test_another_environment_is_not_taken_for_it(
    tmp_path: Path, other: dict[str, str], budget: Budget
) -> None:
    environment(tmp_path / "ComfyUI/venv", **other)
    with pytest.raises(Blind, match="found neither beside its folder nor among the processes"):
        find(tmp_path / "ComfyUI", budget)
    environment(tmp_path / ".venv")
    assert len(find(tmp_path / "ComfyUI", budget)) == 1


def test_a_process_with_the_servers_command_line(tmp_path: Path, budget: Budget) -> None:
    site = environment(tmp_path / "conda/envs/comfy")
    proc = tmp_path / "proc"
    argv = ("main.py", "--port", "8188")

    def process(number: str, *arguments: str) -> None:
        (proc / number).mkdir(parents=True)
        (proc / number / "cmdline").write_bytes(b"".join(a.encode() + b"\0" for a in arguments))

    process("1", "/sbin/init")
    process("20", str(tmp_path / "other/bin/python"), "main.py", "--port", "8189")
    process("21", "python", *argv)
    process("self", str(tmp_path / "other/bin/python"), *argv)
    with pytest.raises(Blind):
        find(tmp_path / "ComfyUI", budget, argv, proc=proc)
    (proc / "21/cmdline").unlink()
    process("22", "/usr/bin/uv", "run", "python", *argv)
    process("30", str(tmp_path / "conda/envs/comfy/bin/python3.12"), "-s", *argv)
    assert find(tmp_path / "ComfyUI", budget, argv, proc=proc) == [site]
    process("31", str(tmp_path / "other/bin/python"), *argv)
    with pytest.raises(Blind):  # which of both?
        find(tmp_path / "ComfyUI", budget, argv, proc=proc)


def test_the_environment_that_one_rests_on(tmp_path: Path, budget: Budget) -> None:
    own = installed(tmp_path / "venv/lib/python3.12/site-packages", "a-1.dist-info")
    config = tmp_path / "venv/pyvenv.cfg"
    config.write_text(f"home = {tmp_path}/usr/bin\ninclude-system-site-packages = false\n")
    base = environment(tmp_path / "usr")
    dist = installed(tmp_path / "usr/lib/python3/dist-packages", "a-2.dist-info", "b-3.egg-info")
    with pytest.raises(Blind):
        find(tmp_path / "ComfyUI", budget)
    config.write_text(config.read_text().replace("false", "true"))
    found = find(tmp_path / "ComfyUI", budget)
    assert [folder.resolve() for folder in found] == [own, base, dist]
    assert packages.packages(found, budget) == {
        "a": {"version": "1"},
        "b": {"version": "3"},
        "torch": {"version": "2.14.1"},
    }


def test_names_and_versions(tmp_path: Path, budget: Budget) -> None:
    installed(
        tmp_path,
        "Pillow-11.0.dist-info",
        "ruamel.yaml.clib-0.2.dist-info",
        "typing_extensions-4.dist-info",
        "numpy-1.26.4.dist-info",
        "numpy-2.0.0.dist-info",
        "~orch-2.0.dist-info",
        "old-1.0-py3.12.egg-info",
        "dash-less.egg-info",
        "nothing.dist-info",
        ".dist-info",
        "numpy",
        "__pycache__",
    )
    assert packages.packages([tmp_path], budget) == {
        "pillow": {"version": "11.0"},
        "ruamel-yaml-clib": {"version": "0.2"},
        "typing-extensions": {"version": "4"},
        "numpy": {"version": "1.26.4, 2.0.0"},
        "~orch": {"version": "2.0"},
        "old": {"version": "1.0"},
        "dash": {"version": "less"},
    }


TOKEN = "ghp_abcdefghijklmnopqrstuvwxyz0123456789"


@pytest.mark.parametrize(
    ("said", "origin"),
    [
        ({"url": "file:///srv/src/pack", "dir_info": {"editable": True}}, "file:///srv/src/pack"),
        (
            {"url": f"https://{TOKEN}@github.com/o/n.git", "vcs_info": {"commit_id": "a1b2"}},
            "https://***@github.com/o/n.git@a1b2",
        ),
        ({"url": f"https://me:{TOKEN}@host/x.whl"}, "https://***@host/x.whl"),
        ({"url": f"https://host/x.whl?token={TOKEN}#egg=x"}, "https://host/x.whl"),
        ({"url": f"https://host/{TOKEN}/x.whl"}, "https://host/***/x.whl"),
        (
            {"url": "https://host/x.whl", "vcs_info": {"commit_id": f"?{TOKEN}"}},
            "https://host/x.whl",
        ),
        ({"url": "https://host/x.whl", "vcs_info": 1}, "https://host/x.whl"),
        ({"url": 1}, None),
        ([], None),
        (None, None),
    ],
)
def test_where_it_was_installed_from(
    tmp_path: Path, said: object, origin: str | None, budget: Budget
) -> None:
    installed(tmp_path, "x-1.dist-info")
    (tmp_path / "x-1.dist-info/direct_url.json").write_text(json.dumps(said))
    expected = {"version": "1"} | ({} if origin is None else {"origin": origin})
    assert packages.packages([tmp_path], budget) == {"x": expected}


@pytest.mark.parametrize("content", [b"[" * 10_000, b"{", b"\xff", b'{"url": "' + b"x" * 10**6])
def test_an_origin_that_makes_no_sense(tmp_path: Path, content: bytes, budget: Budget) -> None:
    installed(tmp_path, "x-1.dist-info")
    (tmp_path / "x-1.dist-info/direct_url.json").write_bytes(content)
    assert packages.packages([tmp_path], budget) == {"x": {"version": "1"}}


def test_what_cannot_be_read(tmp_path: Path, budget: Budget) -> None:
    with pytest.raises(Blind, match="where they lie is not to be read"):
        packages.packages([tmp_path / "gone"], budget)
    installed(tmp_path, "x-1.dist-info")
    os.mkfifo(tmp_path / "x-1.dist-info/direct_url.json")
    (tmp_path / os.fsdecode(b"\xff-\xfe.dist-info")).mkdir()
    assert packages.packages([tmp_path], budget) == {
        "x": {"version": "1"},
        "\\udcff": {"version": "\\udcfe"},
    }
    with pytest.raises(Blind, match="did not answer"):
        packages.packages([tmp_path], Budget(0))
