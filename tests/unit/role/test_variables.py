"""What the role documents, defaults and checks is the same, and is what the program can be told."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from comfywatchman.settings import Settings, load, memory_needed
from tests.unit.role import collection
from tests.unit.role.test_templates import internal_variable, render

if TYPE_CHECKING:
    from pathlib import Path

SPECS: dict[str, Any] = yaml.safe_load(
    (collection.ROLE / "meta" / "argument_specs.yml").read_text()
)["argument_specs"]
OPTIONS: dict[str, Any] = SPECS["main"]["options"]


def documented_defaults() -> dict[str, tuple[str, object]]:
    """Name -> (comment, default or "required") of defaults/main.yml."""
    found: dict[str, tuple[str, object]] = {}
    comment: list[str] = []
    for line in (collection.ROLE / "defaults" / "main.yml").read_text().splitlines():
        if match := re.match(r"(# )?(comfywatchman_\w+):(.*)", line):
            default = "required" if match[1] else yaml.safe_load(match[3])
            found[match[2]] = " ".join(comment), default
            comment = []
        elif line.startswith("# ") and not line.startswith("# ---"):
            comment.append(line[2:])
        else:
            comment = []
    return found


def documented_in_readme() -> dict[str, tuple[str, ...]]:
    """Name -> (type, default, description) of the tables in the role's README."""
    rows = re.findall(
        r"^\| `(comfywatchman_\w+)` \| (.*?) \| (.*?) \| (.*) \|$",
        (collection.ROLE / "README.md").read_text(),
        re.MULTILINE,
    )
    return {name: rest for name, *rest in rows}


def default_of(option: dict[str, Any]) -> object:
    return "required" if option.get("required") else option["default"]


def type_of(option: dict[str, Any]) -> str:
    if "choices" in option:
        return "one of " + ", ".join(f"`{choice}`" for choice in option["choices"])
    elements = option.get("elements")
    return f"{option['type']} of {elements}" if elements else str(option["type"])


def test_defaults_say_what_argument_specs_say() -> None:
    assert documented_defaults() == {
        name: (option["description"], default_of(option)) for name, option in OPTIONS.items()
    }


def test_readme_says_what_argument_specs_say() -> None:
    expected = {}
    for name, option in OPTIONS.items():
        default = default_of(option)
        shown = default if default == "required" else f"`{json.dumps(default)}`"
        expected[name] = [type_of(option), shown, option["description"]]
    assert documented_in_readme() == expected


@pytest.mark.parametrize("entry", [entry for entry in SPECS if entry != "main"])
def test_every_entry_point_has_the_same_options(entry: str) -> None:
    assert (collection.ROLE / "tasks" / f"{entry}.yml").is_file()
    options = SPECS[entry]["options"]
    assert options == {name: OPTIONS[name] for name in options}


def test_every_setting_of_the_program_is_a_variable() -> None:
    by_credential = {
        "comfyui_token_file",
        "comfyui_basic_auth_file",
        "notify_urls_file",
        "ping_url_file",
        "download_token_file",
    }
    settings = set(Settings.model_fields) - by_credential
    assert {name for name in settings if f"comfywatchman_{name}" not in OPTIONS} == set()
    assert {f"comfywatchman_{name.removesuffix('_file')}" for name in by_credential} <= set(OPTIONS)


def test_every_setting_of_the_program_is_written() -> None:
    secrets = {"comfyui_token": "x", "notify_urls": "x", "ping_url": "x", "download_token": "x"}
    given = {"__comfywatchman_instance": "a", "__comfywatchman_credentials": secrets}
    written = render("config.toml.j2", comfywatchman_ca_file="/ca", **given)
    assert set(tomllib.loads(written)) == set(Settings.model_fields) - {
        "comfyui_token_file",
        "comfyui_basic_auth_file",
    }


def test_secrets_are_kept_from_the_log() -> None:
    assert {name for name, option in OPTIONS.items() if option.get("no_log")} == {
        "comfywatchman_comfyui_token",
        "comfywatchman_comfyui_basic_auth",
        "comfywatchman_notify_urls",
        "comfywatchman_ping_url",
        "comfywatchman_download_token",
        "comfywatchman_watch_notify_urls",
        "comfywatchman_pip_environment",
    }
    module = (collection.PLUGINS / "modules" / "activation.py").read_text()
    assert re.search(r'"credentials": \{.*"no_log": True\}', module)


def test_a_file_of_addresses_has_a_line_for_each() -> None:
    urls = ["json://127.0.0.1/a", "warning=json://127.0.0.1/b"]
    made = internal_variable("__comfywatchman_credentials", comfywatchman_notify_urls=urls)
    assert made == {"notify_urls": "json://127.0.0.1/a\nwarning=json://127.0.0.1/b"}


def test_what_pip_is_told_is_on_no_command_line() -> None:
    (build,) = yaml.safe_load((collection.ROLE / "tasks" / "release.yml").read_text())
    told = [task for task in build["block"] if "pip_environment" in str(task)]
    assert [task["name"].partition(" | ")[2] for task in told] == [
        "Install what the lock names, and nothing else",
    ]
    assert told[0]["no_log"] is True
    assert "environment" not in told[0]
    assert told[0]["comfywatchman.ops.packages"]["environment"]
    *_, playbook = yaml.safe_load(
        (collection.ROLE.parents[1] / "playbooks" / "wheelhouse.yml").read_text()
    )
    assert playbook["tasks"][0]["no_log"] is True
    assert "environment" not in playbook["tasks"][0]


def test_a_removal_reads_nothing_that_may_be_in_a_vault() -> None:
    *_, playbook = yaml.safe_load(
        (collection.ROLE.parents[1] / "playbooks" / "uninstall.yml").read_text()
    )
    (task,) = playbook["tasks"]
    assert task["ansible.builtin.import_role"]["tasks_from"] == "absent"
    files = [
        (collection.ROLE / "tasks" / f"{name}.yml").read_text() for name in ("absent", "remove")
    ]
    read = set(re.findall(r"\bcomfywatchman_\w+", "".join(files)))
    assert read == {*SPECS["absent"]["options"], "comfywatchman_user"}
    assert not [name for name in read if OPTIONS[name].get("no_log")]


def test_variables_are_named_after_the_role() -> None:
    internal = yaml.safe_load((collection.ROLE / "vars" / "main.yml").read_text())
    assert all(name.startswith("comfywatchman_") for name in OPTIONS)
    ours = internal.keys() - {"ansible_pipelining"}  # Ansible's own, of its connections
    assert all(name.startswith("__comfywatchman_") for name in ours)


def too_little_memory(**variables: Any) -> list[str]:
    problems = internal_variable("__comfywatchman_input_problems", **variables)
    return [problem for problem in problems if "of memory" in problem]


def test_the_default_limits_fit_each_other() -> None:
    defaults = {name: default_of(option) for name, option in OPTIONS.items()}
    assert defaults["comfywatchman_memory_max"] == "3G"
    ours = load({})
    assert memory_needed(ours.max_catalog_size, ours.max_workflow_size) < 3 * 1024**3
    assert too_little_memory() == []


@pytest.mark.parametrize(
    ("variables", "raise_to"),
    [
        ({"comfywatchman_max_catalog_size": "512MiB"}, "8.3 GiB with .* raise it to 9G"),
        ({"comfywatchman_max_catalog_size": "0.5 GiB"}, "8.3 GiB with .* raise it to 9G"),
        ({"comfywatchman_max_catalog_size": 536870912}, "8.3 GiB with .* raise it to 9G"),
        ({"comfywatchman_max_workflow_size": "256MB"}, "4.2 GiB with .* raise it to 5G"),
        ({"comfywatchman_memory_max": "1G"}, "2.7 GiB with .* raise it to 3G"),
        ({"comfywatchman_memory_max": 1073741824}, "2.7 GiB with .* raise it to 3G"),
        (
            {"comfywatchman_unit_overrides": {"service": {"Service": {"MemoryMax": "1G"}}}},
            "2.7 GiB with .* raise it to 3G",
        ),
        ({"comfywatchman_memory_max": "1G", "comfywatchman_max_catalog_size": "24MiB",
          "comfywatchman_max_workflow_size": "48MiB"}, None),
        ({"comfywatchman_memory_max": "9G", "comfywatchman_max_catalog_size": "512MiB"}, None),
        ({"comfywatchman_memory_max": "infinity", "comfywatchman_max_catalog_size": "1GiB"}, None),
        ({"comfywatchman_memory_max": "20%"}, None),
        ({"comfywatchman_unit_overrides": {"service": {"Service": {"Nice": 5}}}}, None),
    ],
)  # fmt: skip
def test_limits_that_do_not_fit_are_refused(
    variables: dict[str, Any], raise_to: str | None
) -> None:
    found = too_little_memory(**variables)
    assert len(found) == (0 if raise_to is None else 1)
    assert raise_to is None or re.search(raise_to, found[0]), found


def test_the_role_counts_as_the_program_does() -> None:
    sizes = {"comfywatchman_max_catalog_size": 10**8, "comfywatchman_max_workflow_size": 10**7}
    needed = internal_variable("__comfywatchman_memory_needed", **sizes)
    assert int(needed) == memory_needed(10**8, 10**7)


def test_a_teams_file_that_is_not_there_is_missed_in_time(tmp_path: Path) -> None:
    file = tmp_path / "accepted.toml"
    given = {"comfywatchman_accepted_file": str(file)}
    (problem,) = internal_variable("__comfywatchman_input_problems", **given)
    assert problem == (
        f"comfywatchman_accepted_file is {file}, and no such file is on the controller; correct "
        "it, or leave it empty."
    )
    file.touch()
    assert internal_variable("__comfywatchman_input_problems", **given) == []


@pytest.mark.parametrize("text", ["", '# {{ not.a.variable }}\n[[accepted]]\nid = "a"\n\n'])
def test_a_teams_file_is_read_as_it_is(tmp_path: Path, text: str) -> None:
    file = tmp_path / "accepted.toml"
    file.write_text(text)
    of_role = [f"@{collection.ROLE}/{folder}/main.yml" for folder in ("defaults", "vars")]
    given = [*of_role, f"comfywatchman_accepted_file={file if text else ''}"]
    shown = subprocess.run(
        [
            *("ansible", "-i", "localhost,", "-c", "local", "localhost", "-o"),
            *("-m", "ansible.builtin.debug", "-a", "var=__comfywatchman_accepted"),
            *(word for each in given for word in ("-e", each)),
        ],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert json.loads(shown.stdout.partition("=>")[2])["__comfywatchman_accepted"] == text
