"""Units and settings, rendered word for word, also for paths that want to be something else."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.filter.core import FilterModule
from ansible.plugins.test.core import TestModule as AnsibleTests
from ansible.template import Templar

from comfywatchman.host import APPLICATION, OWNER
from tests.unit.role import collection

HOSTILE = [
    "/srv/with space",
    "/srv/100% of $HOME ${HOME} $$",
    "/srv/a \"quoted\" 'path'",
    "/srv/back\\slash \\n",
    "/srv/%h %%n",
    "/srv/naïve 模型 😀",
    "/srv/trailing ; # [Service]",
]


def internal_variable(name: str, **variables: Any) -> Any:
    """A variable of vars/main.yml, as Ansible makes it of an operator's variables."""
    loader = DataLoader()
    given = {"inventory_hostname": "a", "groups": {}, "comfywatchman_user": "artist"}
    for file in ("defaults", "vars"):
        path = str(collection.ROLE / file / "main.yml")
        given |= loader.load_from_file(path, trusted_as_template=True)
    return Templar(loader, variables=given | variables).template(given[name])


def render(template: str, **variables: Any) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(collection.ROLE / "templates"),
        trim_blocks=True,  # as Ansible does
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,
    )
    environment.filters.update(FilterModule().filters())
    environment.tests.update(AnsibleTests().tests())
    lookups = {
        "ansible.builtin.file": lambda path: Path(path).read_text(),
        "ansible.builtin.vars": lambda name: variables[name],
    }
    environment.globals["lookup"] = lambda kind, what: lookups[kind](what)
    defaults = yaml.safe_load((collection.ROLE / "defaults" / "main.yml").read_text())
    internal = yaml.safe_load((collection.ROLE / "vars" / "main.yml").read_text())
    groups = json.dumps(internal["__comfywatchman_sandbox_groups"])
    variables = {**defaults, "__comfywatchman_sandbox": ["filters", "mounts"], **variables}
    paths = {"config": "/home/a/.config/comfywatchman", "state": "/home/a/.local/state/cw"}
    return environment.get_template(template).render(
        {
            "ansible_managed": "Ansible managed",
            "role_path": str(collection.ROLE),
            "comfywatchman_user": "artist",
            "comfywatchman_comfyui_dir": "/srv/ComfyUI",
            "__comfywatchman_instance": "",
            "__comfywatchman_name": "comfywatchman",
            "__comfywatchman_on_calendar": "*-*-* 00/2:00:00",
            "__comfywatchman_release": "/home/a/releases/1",
            "__comfywatchman_reads_models": False,
            "__comfywatchman_paths": paths,
            "__comfywatchman_credentials": {},
            "__comfywatchman_sandbox_groups": json.loads(
                environment.from_string(groups).render(variables)
            ),
            **variables,
        }
    )


def directive(unit: str, name: str) -> str:
    """The value of the last line that sets ``name``."""
    lines = [line for line in unit.splitlines() if line.startswith(name + "=")]
    return lines[-1].partition("=")[2]


def as_systemd_reads_word(text: str) -> str:
    """A quoted word after systemd.syntax(7), its specifiers resolved."""
    assert text[0] == text[-1] == '"'
    read, position = "", 1
    while position < len(text) - 1:
        if text[position] == "\\":
            position += 1
            assert text[position] in '\\"', "an escape systemd would read as something else"
        else:
            assert text[position] != '"', "the quote ends in the middle"
        read += text[position]
        position += 1
    return as_systemd_reads_path(read)


def as_systemd_reads_path(text: str) -> str:
    assert "%" not in text.replace("%%", ""), "a specifier"
    return text.replace("%%", "%")


def directives(unit: str) -> list[str]:
    return [line for line in unit.splitlines() if line and not line.startswith("#")]


def test_the_service_of_a_user() -> None:
    unit = render("comfywatchman.service.j2")
    assert directive(unit, "ExecCondition").rpartition("' sh ")[2] == (
        r'"/home/a/.local/state/cw" "\"/home/a/.local/state/cw\""'
    )
    assert [line for line in directives(unit) if not line.startswith("ExecCondition=")] == [
        "[Unit]",
        "Description=ComfyWatchman: which saved ComfyUI workflows can run here now",
        "OnFailure=comfywatchman-notify@%n.service",
        "StartLimitIntervalSec=15min",
        "StartLimitBurst=10",
        "[Service]",
        "Type=oneshot",
        "WorkingDirectory=/home/a/releases/1",
        "ExecStart=/home/a/releases/1/venv/bin/python -m comfywatchman.cli --run-check",
        (
            """ExecStopPost=-+:sh -c 'test ! -e "$1/notify.wanted" || exec systemctl --user """
            """--no-ask-password start --no-block "$2"' sh "/home/a/.local/state/cw" """
            "comfywatchman.notify.service"
        ),
        'Environment="COMFYWATCHMAN_CONFIG=/home/a/.config/comfywatchman/config.toml"',
        "Environment=PYTHONUNBUFFERED=1 PYTHONUTF8=1 LANGSMITH_TRACING=false",
        (
            "UnsetEnvironment=PYTHONPATH PYTHONHOME PYTHONPLATLIBDIR PYTHONSTARTUP "
            "PYTHONINSPECT PYTHONOPTIMIZE PYTHONWARNINGS PYTHONIOENCODING"
        ),
        (
            "UnsetEnvironment=PYTHONDEBUG PYTHONVERBOSE PYTHONDEVMODE PYTHONMALLOC "
            "PYTHONTRACEMALLOC PYTHONPROFILEIMPORTTIME PYTHONHASHSEED"
        ),
        "UnsetEnvironment=PYTHONCASEOK PYTHONPYCACHEPREFIX PYTHON_GIL",
        "UMask=0077",
        "SyslogIdentifier=comfywatchman",
        "LogRateLimitIntervalSec=0",
        "TimeoutStartSec=15min",
        "TimeoutStopSec=30s",
        "SuccessExitStatus=75 143",
        "Restart=on-failure",
        "RestartSec=1min",
        "RestartPreventExitStatus=1 2 70 78 143 SIGTERM",
        "NoNewPrivileges=true",
        "Nice=19",
        "CPUWeight=20",
        "IOSchedulingClass=idle",
        "IOWeight=20",
        "MemoryMax=3G",
        "OOMScoreAdjust=1000",
        "TasksMax=128",
        "LockPersonality=true",
        "ProtectHostname=true",
        "ProtectKernelLogs=true",
        "ProtectKernelModules=true",
        "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
        "RestrictNamespaces=true",
        "RestrictRealtime=true",
        "RestrictSUIDSGID=true",
        "SystemCallArchitectures=native",
        "SystemCallFilter=@system-service",
        "SystemCallFilter=~@privileged @resources",
        "SystemCallErrorNumber=EPERM",
        "PrivateUsers=true",
        "CapabilityBoundingSet=",
        "ProtectSystem=strict",
        "ProtectHome=read-only",
        "PrivateTmp=true",
        "ProtectControlGroups=true",
        "ProtectKernelTunables=true",
        "ProtectProc=invisible",
        'ReadWritePaths="-/home/a/.local/state/cw"',
        'ExecStartPre=+:mkdir --parents --mode=0700 "/home/a/.local/state/cw"',
    ]


SIGNS = '{"name": "node1", "machine": "c0ffee"}'


@pytest.mark.parametrize(
    ("name", "machine", "owner", "given", "starts"),
    [
        ("node1", "c0ffee", None, "", True),  # the first time
        ("node1", "c0ffee", SIGNS, "", True),
        ("renamed", "c0ffee", SIGNS, "", True),
        ("node1", "another", SIGNS, "", True),  # installed anew
        ("node2", "another", SIGNS, "", False),
        ("node", "another", SIGNS, "", False),
        ("node2", "", SIGNS, "", True),  # no machine ID: for the program to decide
        ("node2", "another", SIGNS, "worker", True),
    ],
)
def test_the_service_is_skipped_on_another_host_that_has_the_home(
    name: str, machine: str, owner: str | None, given: str, starts: bool, tmp_path: Path
) -> None:
    state = tmp_path / "the state"
    state.mkdir()
    if owner:
        (state / OWNER).write_text(owner)
    for tool, said in {"uname": name, "systemd-id128": machine}.items():
        (tmp_path / tool).write_text(f"#!/bin/sh\necho {said}\n")
        (tmp_path / tool).chmod(0o755)
    line = directive(render("comfywatchman.service.j2"), "ExecCondition")
    script = re.fullmatch(r":sh -c '(.*)' sh .*", line)
    assert script
    assert APPLICATION.hex() in script[1]
    ended = subprocess.run(
        ["sh", "-c", script[1], "sh", str(state), f'"{state}"'],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "COMFYWATCHMAN_HOST_NAME": given},
    )
    assert (ended.returncode == 0) is starts


def test_no_sandbox() -> None:
    unit = render("comfywatchman.service.j2", __comfywatchman_sandbox=[])
    assert directives(unit)[-1] == "TasksMax=128"


def test_nothing_closes_the_devices_that_nvml_needs() -> None:
    for scope in ("user", "system"):
        unit = render("comfywatchman.service.j2", comfywatchman_scope=scope)
        closing = "PrivateDevices=|DeviceAllow=|DevicePolicy=|ProtectClock=|ProcSubset="
        assert not re.search(closing, unit)


def test_the_notification_of_a_failure() -> None:
    unit = render("comfywatchman-notify@.service.j2", __comfywatchman_release="/srv/a b/1")
    assert directive(unit, "ExecStart") == (
        ':"/srv/a b/1/venv/bin/python" -m comfywatchman.cli notify --failed-unit %i'
    )


@pytest.mark.parametrize("scope", ["user", "system"])
def test_what_sends_has_the_sandbox_of_the_check_and_secrets_of_its_own(scope: str) -> None:
    secrets = {"comfyui_token": "hunter2", "notify_urls": "hunter3", "ping_url": "hunter4"}
    secrets["download_token"] = "huggingface.co hunter5"  # which no service needs
    given = {"comfywatchman_scope": scope, "__comfywatchman_credentials": secrets}
    sender, check = (
        render(template, **given)
        for template in ("comfywatchman.notify.service.j2", "comfywatchman.service.j2")
    )
    assert directive(sender, "ExecStart") == (
        "/home/a/releases/1/venv/bin/python -m comfywatchman.cli notify --send"
    )
    sandbox = {
        line
        for line in directives(sender)
        if re.match("Protect|Restrict|System|Private|Capab|Lock|No|ReadWrite|UMask|UnsetEnv", line)
    }
    assert {"ProtectSystem=strict", "NoNewPrivileges=true"} < sandbox < set(directives(check))
    folder = "/home/a/.config/comfywatchman"
    credentials = [line for line in directives(sender) if line.startswith("LoadCredential")]
    assert credentials == [
        f"LoadCredential=comfyui_token:{folder}/comfyui_token",
        f"LoadCredential=notify_urls:{folder}/notify_urls",
        f"LoadCredential=ping_url:{folder}/ping_url",
    ]
    assert directive(check, "LoadCredential") == f"comfyui_token:{folder}/comfyui_token"
    settings = tomllib.loads(render("config.toml.j2", **given))
    assert settings["notify_urls_file"] == f"{folder}/notify_urls"
    assert settings["download_token_file"] == f"{folder}/download_token"
    assert not re.search("hunter", sender + check + str(settings))
    # A command of the operator's own is not confined.
    mine = render("comfywatchman.notify.service.j2", comfywatchman_on_change_command=["/bin/x"])
    assert not re.search("Protect|Restrict|NoNew", mine)


def test_a_login_starts_what_shows_messages_and_does_not_wait_for_it() -> None:
    wants = render("graphical-session.conf.j2", __comfywatchman_name="comfywatchman-gpu1")
    assert directives(wants) == ["[Unit]", "Wants=comfywatchman-gpu1.notify.service"]
    unit = render("comfywatchman.notify.service.j2")
    assert directive(unit, "After") == "graphical-session.target"
    given = {"comfywatchman_desktop_notifications": True, "comfywatchman_scope": "system"}
    problems = internal_variable("__comfywatchman_input_problems", **given)
    assert any("a service of the system has no desktop" in problem for problem in problems)


def test_model_files_are_read_at_night_where_that_is_asked_for() -> None:
    timer = render("comfywatchman.timer.j2", __comfywatchman_reads_models=True)
    assert directive(timer, "Wants") == "comfywatchman.models-verify.timer"
    assert directives(render("comfywatchman.models-verify.timer.j2")) == [
        "[Unit]",
        "Description=Read model files as a whole at night",
        "PartOf=comfywatchman.timer",
        "[Timer]",
        "OnCalendar=*-*-* 03:30:00",
        "Persistent=true",
        "RandomizedDelaySec=30min",
        "FixedRandomDelay=true",
    ]
    nightly, check = (
        render(template)
        for template in ("comfywatchman.models-verify.service.j2", "comfywatchman.service.j2")
    )
    assert directive(nightly, "ExecStart") == (
        "/home/a/releases/1/venv/bin/python -m comfywatchman.cli models verify"
    )
    for same in ("ExecCondition", "ProtectSystem", "ReadWritePaths", "IOSchedulingClass"):
        assert directive(nightly, same) == directive(check, same)


@pytest.mark.parametrize(
    ("budget", "host", "reads"),
    [
        *(("0", "", False), ("0GiB", "", False), ("20GiB", "", True), ("1", "", True)),
        *(("20GiB", "a", True), ("20GiB", "b", False)),
    ],
)
def test_one_host_of_a_share_reads_it(budget: str, host: str, *, reads: bool) -> None:
    given = {"comfywatchman_hash_budget": budget, "comfywatchman_hash_host": host}
    assert internal_variable("__comfywatchman_reads_models", **given) == reads


def test_the_timer() -> None:
    assert directives(render("comfywatchman.timer.j2")) == [
        "[Unit]",
        "Description=Run ComfyWatchman every two hours, after boot and after login",
        "[Timer]",
        "OnBootSec=5min",
        "OnStartupSec=5min",
        "OnUnitActiveSec=2h",
        "OnCalendar=*-*-* 00/2:00:00",
        "Persistent=true",
        "RandomizedDelaySec=2min",
        "FixedRandomDelay=true",
        "AccuracySec=1min",
        "[Install]",
        "WantedBy=timers.target",
    ]


def test_the_service_of_the_system_has_a_user_and_credentials() -> None:
    unit = render(
        "comfywatchman.service.j2",
        comfywatchman_scope="system",
        comfywatchman_user="art%ist",
        __comfywatchman_credentials={"comfyui_token": "hunter2"},
    )
    assert directive(unit, "User") == "art%%ist"
    assert directive(unit, "LoadCredential") == (
        "comfyui_token:/home/a/.config/comfywatchman/comfyui_token"
    )
    assert "hunter2" not in unit


@pytest.mark.parametrize("path", HOSTILE)
def test_the_service_of_the_system_waits_for_what_its_state_lies_on(path: str) -> None:
    given = {"__comfywatchman_paths": {"config": "/etc/c", "state": path}}
    unit = render("comfywatchman.service.j2", comfywatchman_scope="system", **given)
    assert as_systemd_reads_word(directive(unit, "RequiresMountsFor")) == path
    assert "RequiresMountsFor" not in render("comfywatchman.service.j2", **given)


@pytest.mark.parametrize("path", HOSTILE)
def test_hostile_paths_reach_systemd_as_they_are(path: str) -> None:
    unit = render(
        "comfywatchman.service.j2",
        __comfywatchman_release=path + "/r",
        __comfywatchman_paths={"config": path, "state": path},
        __comfywatchman_credentials={"comfyui_token": "x"},
    )
    command = directive(unit, "ExecStart")
    assert command.startswith(":"), "systemd would replace variables"
    word, _, arguments = command[1:].rpartition('" ')
    assert arguments == "-m comfywatchman.cli --run-check"
    assert as_systemd_reads_word(word + '"') == path + "/r/venv/bin/python"
    assert as_systemd_reads_path(directive(unit, "WorkingDirectory")) == path + "/r"
    assert as_systemd_reads_path(directive(unit, "LoadCredential")) == (
        f"comfyui_token:{path}/comfyui_token"
    )
    setting = next(line for line in unit.splitlines() if "COMFYWATCHMAN_CONFIG" in line)
    assert as_systemd_reads_word(setting.removeprefix("Environment=")) == (
        f"COMFYWATCHMAN_CONFIG={path}/config.toml"
    )
    assert as_systemd_reads_word(directive(unit, "ReadWritePaths")) == "-" + path
    make = directive(unit, "ExecStartPre").removeprefix("+:mkdir --parents --mode=0700 ")
    assert as_systemd_reads_word(make) == path


@pytest.mark.parametrize("path", HOSTILE)
@pytest.mark.parametrize("scope", ["user", "system"])
def test_the_sandbox_is_open_where_node_exporter_reads(path: str, scope: str) -> None:
    given = {"comfywatchman_scope": scope, "comfywatchman_textfile_dir": path}
    unit = render("comfywatchman.service.j2", **given)
    opened = [line for line in unit.splitlines() if line.startswith("ReadWritePaths=")]
    words = [as_systemd_reads_word(line.partition("=")[2]) for line in opened]
    assert words == ["-/home/a/.local/state/cw", "-" + path]
    without = render("comfywatchman.service.j2", **given, __comfywatchman_sandbox=["filters"])
    assert "ReadWritePaths=" not in without
    assert tomllib.loads(render("config.toml.j2", **given))["textfile_dir"] == path


@pytest.mark.parametrize("path", HOSTILE)
def test_hostile_paths_reach_the_program_as_they_are(path: str) -> None:
    text = render(
        "config.toml.j2",
        comfywatchman_comfyui_dir=path,
        comfywatchman_workflow_dirs=[path, "/b"],
        __comfywatchman_paths={"config": path, "state": path},
        comfywatchman_ca_file=path,
    )
    settings = tomllib.loads(text)
    assert settings["comfyui_dir"] == settings["state_dir"] == settings["ca_file"] == path
    assert settings["workflow_dirs"] == [path, "/b"]


def test_settings_keep_their_types_whatever_the_inventory_gives() -> None:
    text = render(
        "config.toml.j2",
        comfywatchman_userdata="no",
        comfywatchman_read_timeout="7",
        comfywatchman_max_workflow_depth="50",
        comfywatchman_min_free_vram=0,
    )
    settings = tomllib.loads(text)
    assert settings["userdata"] is False
    assert settings["read_timeout"] == 7.0
    assert settings["max_workflow_depth"] == 50
    assert settings["min_free_vram"] == "0"


@pytest.mark.parametrize("number", [0, 1])
def test_instances_may_be_numbered(number: int) -> None:
    hosts = {"a": {}, "b": {"comfywatchman_instance": number, "ansible_host": "a"}}
    here = {"groups": {"comfyui": ["a", "b"]}, "hostvars": hosts, "ansible_host": "a"}
    here["comfywatchman_instance"] = number
    assert internal_variable("__comfywatchman_name", **here) == f"comfywatchman-{number}"
    assert internal_variable("__comfywatchman_on_calendar", **here) == "*-*-* 01/2:00:00"
    instance = internal_variable("__comfywatchman_instance", **here)
    text = render("config.toml.j2", __comfywatchman_instance=instance)
    assert tomllib.loads(text)["instance"] == str(number)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        *[("rollout_serial", v) for v in ("1,25%", "x", [], 0, None, [1, "x"], [[1]], [1.5])],
        ("workflow_dirs", "/srv/flows"),
        ("workflow_exclude", "drafts/"),
        ("on_failure_command", "/usr/bin/mail root"),
        ("download_hosts", "huggingface.co"),
    ],
)
def test_what_ansible_takes_and_then_trips_over_is_refused(variable: str, value: object) -> None:
    (problem,) = internal_variable(
        "__comfywatchman_input_problems", **{f"comfywatchman_{variable}": value}
    )
    assert problem.startswith(f"comfywatchman_{variable} is ")


@pytest.mark.parametrize("entry", ["hf_token", "a b c", "a b\nc d", ""])
def test_a_token_is_given_with_its_host(entry: str) -> None:
    given = {"comfywatchman_download_token": ["huggingface.co hf_token", entry]}
    (problem,) = internal_variable("__comfywatchman_input_problems", **given)
    assert problem.startswith("An entry of comfywatchman_download_token is not a host")


@pytest.mark.parametrize(
    ("other", "refused"),
    [
        ({}, True),
        ({"ansible_host": "b"}, False),
        ({"ansible_port": 2222}, False),
        ({"comfywatchman_instance": ""}, False),  # another name of the same installation
        ({"comfywatchman_root": "/srv/other"}, False),
        ({"comfywatchman_user": "other"}, True),
        ({"comfywatchman_user": "other", "comfywatchman_root": "~/watch"}, False),
    ],
)
def test_instances_of_a_host_share_no_folder(other: dict[str, Any], refused: bool) -> None:
    here = {
        "ansible_host": "a",
        "comfywatchman_user": "artist",
        "comfywatchman_root": other.get("comfywatchman_root", "/srv/watch").replace(
            "other", "watch"
        ),
    }
    root = here["comfywatchman_root"]
    neighbour = {**here, "comfywatchman_instance": "gpu1", **other}
    hosts = {"a": here, "a-gpu1": neighbour}
    problems = internal_variable(
        "__comfywatchman_input_problems",
        groups={"comfyui": list(hosts)},
        hostvars=hosts,
        **here,
    )
    said = f"comfywatchman_root is {root}, and so it is for a-gpu1, on the same host"
    assert [problem.partition(":")[0] for problem in problems] == [said] * refused


@pytest.mark.parametrize("value", ["3", 3, "50 %", [2, "25%", "100%"]])
def test_batches_may_be_any_that_ansible_has(value: object) -> None:
    given = {"comfywatchman_rollout_serial": value}
    assert internal_variable("__comfywatchman_input_problems", **given) == []


WAITING = {"enabled": True, "sub": "waiting", "persistent": True, "next": 60, "slack": 0}
OFF = {"enabled": False, "sub": "dead", "persistent": True, "next": None, "slack": 0}


@pytest.mark.parametrize(
    ("timer", "wanted", "complaints"),
    [
        (WAITING, True, []),
        (WAITING | {"next": 9000}, True, ["The next check is due within the interval"]),
        (OFF, True, ["The timer is enabled and waits"]),
        (OFF, False, []),
    ],
)
def test_what_verify_says_of_a_timer(
    timer: dict[str, Any], wanted: bool, complaints: list[str]
) -> None:
    loader = DataLoader()
    tasks = loader.load_from_file(
        str(collection.ROLE / "tasks" / "verify.yml"), trusted_as_template=True
    )
    status = {"scheduler": "systemd", "scope": "user", "installed": True, "manager": True}
    status |= {
        "lingering": True,
        "complaint": "",
        "overridden": "",
        "unseen": [],
        "exposed": [],
        "last_run": None,
        "now": 0,
    }
    status |= {"damaged": [], "timer": timer | {"interval": 7200}}
    ansible = Templar(
        loader,
        variables={"__comfywatchman_status": status, "comfywatchman_timer_enabled": wanted},
    )

    def holds(conditions: str | list[str]) -> bool:
        listed = [conditions] if isinstance(conditions, str) else conditions
        return all(ansible.evaluate_conditional(condition) for condition in listed)

    failed = [
        task["name"].partition(" | ")[2]
        for task in tasks[1:]
        if holds(task.get("when", [])) and not holds(task["ansible.builtin.assert"]["that"])
    ]
    assert failed == complaints


def test_a_drop_in() -> None:
    text = render(
        "50-site.conf.j2",
        sections={
            "Unit": {"ConditionPathExists": "/srv/ComfyUI"},
            "Timer": {"OnCalendar": ["", "daily"], "Persistent": False, "AccuracySec": 1},
        },
    )
    assert text == (
        "#\n# Ansible managed\n#\n"
        "\n[Unit]\nConditionPathExists=/srv/ComfyUI\n"
        "\n[Timer]\nOnCalendar=\nOnCalendar=daily\nPersistent=false\nAccuracySec=1\n"
    )


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    python = tmp_path / "100% $HOME" / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)
    release = str(tmp_path / "100% $HOME")
    units = (
        "comfywatchman.service",
        "comfywatchman.timer",
        "comfywatchman-notify@.service",
        "comfywatchman.notify.service",
        "comfywatchman.models-verify.service",
        "comfywatchman.models-verify.timer",
    )
    for unit in units:
        (tmp_path / unit).write_text(
            render(unit + ".j2", comfywatchman_scope="system", comfywatchman_user="root",
                   __comfywatchman_release=release, __comfywatchman_reads_models=True)
        )  # fmt: skip
    done = subprocess.run(
        ["systemd-analyze", "verify", "--recursive-errors=no", "--man=no",
         *(tmp_path / unit for unit in units)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
