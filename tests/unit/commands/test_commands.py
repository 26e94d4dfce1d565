"""What holds for every command."""

from __future__ import annotations

import subprocess
import sys
from typing import get_args

import pytest
from typer.testing import CliRunner

from comfywatchman import cli, commands, discovery
from comfywatchman.flag import Group
from comfywatchman.settings import Settings, declared_flags

NAMES = discovery.names(commands)
HEAVY = {"pydantic", "pydantic_settings", "langgraph", "httpx", "jinja2", "rich"}


def groups(name: str) -> tuple[str, ...]:
    return getattr(discovery.load(commands, name), "FLAGS", ())


def help_of(*arguments: str) -> str:
    shown = CliRunner().invoke(cli.app, [*arguments, "--help"], env={"COLUMNS": "100"})
    assert shown.exit_code == 0, shown.output
    return shown.output


@pytest.mark.parametrize("name", NAMES)
def test_its_help_has_each_flag_of_its_groups(name: str) -> None:
    shown = " ".join(help_of(name).split())
    for setting, flag in declared_flags().items():
        spelled = setting.replace("_", "-")
        if Settings.model_fields[setting].annotation is bool:
            expected = f"--{spelled} / --no-{spelled} {flag.help}"
        else:
            kind = "path" if setting.endswith(("_dir", "_dirs", "_file")) else "str"
            expected = f"--{spelled} <{kind}> {flag.help}"
        if flag.group in groups(name):
            assert expected in shown
        elif setting != "state_dir":  # which commands that read no settings have too
            assert expected not in shown


def test_each_group_of_flags_is_taken_by_a_command() -> None:
    assert {group for name in NAMES for group in groups(name)} == set(get_args(Group))


def test_the_help_of_the_program_names_each_with_what_it_is_for() -> None:
    listed = help_of().partition("Commands:\n")[2]
    for name in NAMES:
        first = (discovery.load(commands, name).run.__doc__ or "").split()[:6]
        assert f"{name} {' '.join(first)}" in " ".join(listed.split())


def test_one_that_is_not_there_is_named_with_the_one_that_was_meant() -> None:
    refused = CliRunner().invoke(cli.app, ["chekc"])
    assert refused.exit_code == 2
    assert "No such command 'chekc'. Did you mean 'check'?" in refused.output


@pytest.mark.parametrize(
    "arguments", [[], *([name] for name in NAMES if not groups(name))], ids=" ".join
)
def test_help_imports_nothing_slow_without_need(arguments: list[str]) -> None:
    program = (
        f"import sys; sys.argv = ['comfywatchman', *{arguments!r}, '--help'];"
        "from comfywatchman import cli\n"
        "try:\n    cli.main()\nexcept SystemExit:\n    pass\n"
        f"print('slow:', sorted({HEAVY!r} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.stdout.endswith("slow: []\n"), ran.stdout + ran.stderr
