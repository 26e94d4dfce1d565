"""What ansible-playbook is given, and what of its output is shown."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comfywatchman.workstation import command, playbooks
from comfywatchman.workstation.rights import Rights
from tests.unit.role.collection import CHECKOUT

if TYPE_CHECKING:
    import pytest

HOSTILE = "/home/anna/{{ lookup('pipe', 'touch /tmp/caught') }}: \"é\" \U0001f600 #{% if %}"


def test_what_was_found_reaches_ansible_as_it_is(tmp_path: Path) -> None:
    show = tmp_path / "playbooks" / "show.yml"
    show.parent.mkdir()
    show.write_text(
        "- hosts: localhost\n  gather_facts: false\n  tasks:\n"
        "    - copy:\n        dest: '{{ playbook_dir }}/shown'\n"
        "        content: '{{ [folder, flag, missing | default(7), path, cache] | to_json }}'\n"
        '      vars:\n        path: \'{{ lookup("env", "PATH") }}\'\n'
        '        cache: \'{{ lookup("env", "PYTHONPYCACHEPREFIX") }}\'\n'
    )
    variables = {"folder": HOSTILE, "flag": True, "missing": None}
    argv = playbooks.command(tmp_path, ["show"], variables, Rights(become=False), [])
    argv[argv.index("--inventory") + 1] = "localhost,"
    output = io.StringIO()
    more = ["--connection=local", f"--extra-vars=ansible_python_interpreter={sys.executable}"]
    code, changed = playbooks.run([*argv, *more], CHECKOUT, tmp_path / "log", output)
    assert (code, changed) == (0, True), (tmp_path / "log").read_text()
    *shown, path, cache = json.loads((show.parent / "shown").read_text())
    assert shown == [HOSTILE, True, 7]
    assert str(Path(sys.executable).parent) not in path.split(":")
    assert cache == ""  # it would lead pip, too, to compile a release into there
    assert stat.S_IMODE((tmp_path / "log").stat().st_mode) == 0o600
    assert output.getvalue() == ""  # a step of the role it was not


def test_a_password_is_asked_for_and_passed_nowhere() -> None:
    argv = playbooks.command(Path("/c"), ["deploy"], {}, Rights(become=True, ask=True), ["-v"])
    assert argv[-3:] == ["--ask-become-pass", "-v", "/c/playbooks/deploy.yml"]
    assert "--ask-become-pass" not in playbooks.command(Path(), [], {}, Rights(become=True), [])


def test_what_ansible_compiles_goes_where_that_of_this_process_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lookup = tmp_path / "checkout" / "playbooks" / "lookup_plugins" / "here.py"
    lookup.parent.mkdir(parents=True)
    lookup.write_text(
        "from ansible.plugins.lookup import LookupBase\n\n\n"
        "class LookupModule(LookupBase):\n"
        "    def run(self, terms, variables=None, **more):\n        return [1]\n"
    )
    show = tmp_path / "checkout" / "playbooks" / "show.yml"
    show.write_text(
        "- hosts: localhost\n  gather_facts: false\n  tasks:\n"
        "    - debug:\n        msg: '{{ lookup(\"here\") }}'\n"
    )
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path / "cache"))
    argv = playbooks.command(tmp_path / "checkout", ["show"], {}, Rights(become=False), [])
    argv[argv.index("--inventory") + 1] = "localhost,"
    code, _ = playbooks.run(argv, CHECKOUT, tmp_path / "log", io.StringIO())
    assert code == 0, (tmp_path / "log").read_text()
    assert not list((tmp_path / "checkout").rglob("__pycache__"))
    assert list((tmp_path / "cache").rglob("here*.pyc"))


def test_a_step_is_shown_that_changes_something_fails_or_takes_its_time() -> None:
    lines: list[str | None] = [
        "PLAY [Deploy ComfyWatchman] ****",
        "",
        "TASK [comfywatchman.ops.comfywatchman : Preflight | Look at the host] ***",
        "ok: [localhost]",
        "TASK [comfywatchman.ops.comfywatchman : Remove what was elsewhere] ***",
        "skipping: [localhost]",
        "TASK [comfywatchman.ops.comfywatchman : Release | Make the environment] ***",
        None,
        None,
        "changed: [localhost]",
        "TASK [Count the hosts] ***",
        None,
        "TASK [comfywatchman.ops.comfywatchman : Activate | Put it in place] ***",
        "fatal: [localhost]: FAILED! => ",
        "    msg: no",
        "",
        "    not this",
        "PLAY [Run one check now] ****",
        "TASK [x : Run now | Start it] ***",
        "changed: [localhost]",
    ]
    shown = [(text, change) for text, change in playbooks.steps(lines) if text or change]
    assert shown == [
        ("    Make the environment", False),
        ("", True),
        ("    Put it in place\nfatal: [localhost]: FAILED! => ", False),
        ("    msg: no", False),
        ("    Start it", False),
    ]


def program(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """``./dev install`` without ``./dev``: with the Python of the machine and nothing else."""
    start = f"""
import sys
sys.path.insert(0, {str(CHECKOUT)!r})
from comfywatchman.workstation.command import main
sys.exit(main(sys.argv[1:]))"""
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", start, *arguments],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        env={"PATH": "/usr/bin:/bin", **environment},
    )  # fmt: skip


def test_a_wrong_flag_is_a_sentence_and_exit_code_2(tmp_path: Path) -> None:
    cases: dict[str, list[Any]] = {
        "no such option": ["install", "--no-such"],
        "no address": ["install", "--comfyui-url", "localhost:8188"],
        "a name for an instance": ["install", "--instance", "GPU 1"],
        "no folder": ["install", "--user", "root", "--comfyui-dir", str(tmp_path / "none")],
        "no account": ["install", "--user", "no-such-user", "--comfyui-dir", str(tmp_path)],
        "no command": [],
    }
    for case, arguments in cases.items():
        done = program(*arguments)
        assert (case, done.returncode, done.stdout) == (case, 2, "")
        assert done.stderr.count("\n") == 1, done.stderr
        # Before anything is downloaded.
        done = program("--look", *arguments)
        assert (case, done.returncode, done.stdout) == (case, 2, "") or "--user" in arguments


def test_what_can_be_said_without_ansible_is_said_without_it(tmp_path: Path) -> None:
    said = "ComfyWatchman is not installed here for no-such-user.\n"
    done = program("--look", "uninstall", "--user", "no-such-user")
    assert (done.returncode, done.stdout, done.stderr) == (0, said, "")
    assert program("--look", "install", "--help").returncode == 0
    done = program("--look", "install", "--comfyui-dir", str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (command.GO_ON, "", "")


def test_a_password_in_an_address_is_refused_and_shown_nowhere(tmp_path: Path) -> None:
    for url in (
        "http://anna:s3cret@127.0.0.1:8188",
        "http://anna:s3cret@127.0.0.1\uff0f:8188",  # Python quotes this one in its own complaint
        "http://127.0.0.1:8188/?token=s3cret",
        "//s3cret",
    ):
        done = program("install", "--comfyui-dir", str(tmp_path), "--comfyui-url", url)
        assert (done.returncode, done.stdout) == (2, "")
        assert "--comfyui-url: must " in done.stderr
        assert "s3cret" not in done.stderr


def test_nothing_is_taken_off_where_nothing_is_installed() -> None:
    done = program("uninstall", "--user", "no-such-user")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "ComfyWatchman is not installed here for no-such-user.\n"


def test_help_says_what_there_is() -> None:
    done = program("install", "--help", COLUMNS="80")
    assert done.returncode == 0
    assert os.linesep in done.stdout
    for flag in ("--user", "--comfyui-dir", "--comfyui-url", "--instance", "--scope"):
        assert flag in done.stdout
