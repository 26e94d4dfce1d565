"""Running the playbooks on this machine, as progress and not as Ansible's full account of it."""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from comfywatchman.workstation.rights import Rights

_TASK = re.compile(r"TASK \[(?:[\w.]+ : )?(.*)\] \**")
_PLAY = re.compile(r"PLAY \[(.*)\] \**")
OWN: Final = Path(sys.executable).parent
"""Where the programs of the environment are that this runs in."""
SILENCE_SECONDS: Final = 1
CHECK: Final = "Run one check now"
"""The play after which nothing counts as a change."""


def command(
    checkout: Path,
    names: Sequence[str],
    variables: Mapping[str, object],
    rights: Rights,
    more: Sequence[str],
) -> list[str]:
    """The command line of ``ansible-playbook``; nothing secret is in it.

    Args:
        checkout: this checkout.
        names: the playbooks, without their suffix.
        variables: by their names in the role. What was found is data, never a template.
        rights: how Ansible becomes root; it asks for the password itself.
        more: further arguments.
    """
    given = {name: value for name, value in variables.items() if value is not None}
    # Not by a variable: it would reach the host's pip, which compiles what it installs.
    cache = ["-X", f"pycache_prefix={sys.pycache_prefix}"] if sys.pycache_prefix else []
    return [
        sys.executable,
        *cache,
        str(OWN / "ansible-playbook"),
        "--inventory",
        str(checkout / "inventories/local"),
        "--extra-vars",
        "{" + ", ".join(f"{name}: {_data(value)}" for name, value in given.items()) + "}",
        *(["--ask-become-pass"] if rights.ask else []),
        *more,
        *(str(checkout / f"playbooks/{name}.yml") for name in names),
    ]


def _data(value: object) -> str:
    """A value as YAML that Ansible does not look for templates in."""
    if not isinstance(value, str):
        return json.dumps(value)
    return "!unsafe " + json.dumps(value, ensure_ascii=False)


def run(argv: Sequence[str], checkout: Path, log: Path, output: TextIO) -> tuple[int, bool]:
    """Run it, show each step as it begins, and all of it where something fails.

    Args:
        argv: from :func:`command`.
        checkout: this checkout.
        log: where the full account goes.
        output: where the steps are shown.

    Returns:
        Its exit code, and whether anything was changed before the first check.

    Raises:
        OSError: it cannot be started, or the log cannot be written.
    """
    # The role shall find this machine's Python, not the one that Ansible runs with.
    path = [each for each in os.environ.get("PATH", os.defpath).split(":") if each != str(OWN)]
    environment = {
        **os.environ,
        "PATH": ":".join(path),
        "ANSIBLE_CONFIG": str(checkout / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_FORCE_COLOR": "0",
        "ANSIBLE_LOCALHOST_WARNING": "0",
    }
    with (
        open(log, "w", encoding="utf-8", opener=_private) as account,
        subprocess.Popen(  # noqa: S603  (from command() alone)
            argv, stdout=subprocess.PIPE, env=environment
        ) as process,
    ):
        assert process.stdout is not None  # noqa: S101  (for mypy)
        changed = False
        for shown, is_change in steps(_lines(process.stdout, account)):
            changed = changed or is_change
            if shown:
                output.write(shown + "\n")
                output.flush()
    return process.returncode, changed


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _lines(stream: IO[bytes], account: TextIO) -> Iterator[str | None]:
    """The lines as they come, also into the log; None for each second in which none came."""
    waiting = b""
    while True:
        if not select.select([stream], [], [], SILENCE_SECONDS)[0]:
            yield None
            continue
        more = os.read(stream.fileno(), 65536)
        account.write(more.decode(errors="replace"))
        account.flush()
        *lines, waiting = (waiting + more).split(b"\n")
        yield from (line.decode(errors="replace") for line in lines)
        if not more:
            return


def steps(lines: Iterable[str | None]) -> Iterator[tuple[str, bool]]:
    """What to show of Ansible's output, and whether it tells of a change.

    A step of the role is shown that changes something, fails, or takes its time.

    Args:
        lines: its output; None: nothing came for a second.
    """
    play, step, failing = "", "", False
    for line in lines:
        if line is None:
            yield step, False
            step = ""
        elif match := _PLAY.fullmatch(line):
            play, step, failing = match[1], "", False
        elif match := _TASK.fullmatch(line):
            _, is_ours, name = match[1].rpartition(" | ")
            step, failing = f"    {name}" if is_ours else "", False
        elif line.startswith(("fatal:", "failed:")) or failing:
            failing = bool(line)
            yield f"{step}\n{line}" if step else line, False
            step = ""
        elif line.startswith("changed:"):
            yield step, play != CHECK
            step = ""


def interpreter() -> str:
    """The Python that modules run with: every user can start it, unlike that of an environment."""
    name = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    usual = Path(sys.base_prefix, "bin", name)
    return str(usual) if usual.exists() else sys.executable
