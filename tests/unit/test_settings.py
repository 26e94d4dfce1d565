"""Settings: precedence, one name everywhere, and errors that say where, what and what to do."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from comfywatchman import settings
from comfywatchman.command_line.building import build
from comfywatchman.commands import check, schedule
from comfywatchman.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("COMFYWATCHMAN_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "nothing-here"))


def config(folder: Path, text: str) -> Path:
    file = folder / "config.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_file_is_overruled_by_environment_and_that_by_flags(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = config(tmp_path, 'comfyui_url = "http://file:1"\nread_timeout = 7\nmin_free_vram = 5')
    monkeypatch.setenv("COMFYWATCHMAN_COMFYUI_URL", "http://environment:2")
    monkeypatch.setenv("COMFYWATCHMAN_READ_TIMEOUT", "8")
    loaded = settings.load({"comfyui_url": "http://flag:3"}, file)
    assert (loaded.comfyui_url, loaded.read_timeout, loaded.min_free_vram) == (
        "http://flag:3",
        8.0,
        5,
    )


def test_an_empty_variable_is_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMFYWATCHMAN_COMFYUI_URL", "")
    assert settings.load({}).comfyui_url == "http://127.0.0.1:8188"


def test_the_environment_lists_folders_as_path_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMFYWATCHMAN_WORKFLOW_DIRS", f"{tmp_path}/a b:{tmp_path}/c")
    assert settings.load({}).workflow_dirs == [tmp_path / "a b", tmp_path / "c"]


def test_the_environment_lists_patterns_as_gitignore_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMFYWATCHMAN_WORKFLOW_EXCLUDE", "# old ones\n\narchive/\n!a b.json\n")
    assert settings.load({}).workflow_exclude == ["# old ones", "archive/", "!a b.json"]


def test_a_trailing_slash_and_a_base_path_are_understood(tmp_path: Path) -> None:
    file = config(tmp_path, 'comfyui_url = "https://farm.example/comfy/"')
    assert settings.load({}, file).comfyui_url == "https://farm.example/comfy"


def test_https_in_capitals_is_verified_all_the_same(tmp_path: Path) -> None:
    file = config(tmp_path, 'comfyui_url = "HTTPS://Farm.example"')
    assert settings.load({}, file).comfyui_url == "https://Farm.example"


def test_hosts_of_downloads_are_named_in_small_letters_without_the_usual_port(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COMFYWATCHMAN_DOWNLOAD_HOSTS", "HuggingFace.co:443 [::1]:8443")
    assert settings.load({}).download_hosts == ["huggingface.co", "[::1]:8443"]


NONSENSE = [
    ('instance = "GPU 1"', "up to 32 small letters"),
    ("instance = 1", "must be text"),
    ("comfyui_url = 5", "must be text"),
    ('comfyui_url = "ftp://host"', "must look like http://HOST:PORT"),
    ('comfyui_url = "http://host:99999"', "port"),
    ('comfyui_url = "http://host/?x"', "must not hold '?'"),
    ('comfyui_url = "http:///x"', "must look like"),
    ('comfyui_url = "http://ho st"', "must not hold spaces"),
    ('comfyui_dir = "relative"', "absolute path"),
    ('comfyui_dir = "/does/not/exist"', "is not a folder on this host"),
    ('comfyui_dir = "~nobody-of-that-name/x"', "names no home folder"),
    ("comfyui_dir = 3", "must be text"),
    ('comfyui_token_file = "relative/path"', "absolute path"),
    ('comfyui_basic_auth_file = "relative/path"', "absolute path"),
    ("ca_file = []", "must be text"),
    ('workflow_dirs = "/srv/a"', "must be a list of paths"),
    ("workflow_dirs = [1]", "must be a path"),
    ('workflow_dirs = ["relative"]', "absolute path"),
    ('workflow_exclude = "drafts/"', "must be a list of patterns"),
    ("workflow_exclude = [1]", "must be text"),
    ('workflow_exclude = ["!"]', "'!' is no pattern as in a .gitignore"),
    ('workflow_exclude = ["[z-a]"]', "'[z-a]' is no pattern as in a .gitignore"),
    ('workflow_exclude = ["[[:digit:]]"]', "'[[:digit:]]' is no pattern as in a .gitignore"),
    ('workflow_exclude = ["["]', "'[' is no pattern as in a .gitignore"),
    ('workflow_exclude = ["a\\tb"]', "is not one line of plain text"),
    ("userdata = 1", "must be true or false"),
    ('userdata = "maybe"', "must be true or false"),
    ('min_free_vram = "lots"', "must be a size"),
    ("min_free_vram = -1", "must be a size"),
    ("min_free_vram = true", "must be a size"),
    ("min_free_vram = 1.5", "must be a size"),
    ('min_free_vram = "99999999999GiB"', "less than 1 PiB"),
    ('min_free_disk = "some"', "must be a size"),
    ("skip_when_busy = 2", "must be true or false"),
    ("connect_timeout = 0", "greater than 0"),
    ("connect_timeout = nan", "greater than 0"),
    ('read_timeout = "5"', "must be a number of seconds"),
    ("catalog_timeout = true", "must be a number of seconds"),
    ("max_catalog_size = 0", "more than nothing"),
    ('max_workflow_size = ""', "must be a size"),
    ("max_workflow_depth = 5", "greater than or equal to 10"),
    ("max_workflow_depth = 10.5", "must be a whole number"),
    ("history_days = -1", "greater than or equal to 0"),
    ("history_days = true", "must be a"),
    ('workflow_copies = "much"', "must be a size"),
    ('hash_budget = "a bit"', "must be a size"),
    ('fail_on = "sometimes"', "'never', 'partial' or 'broken'"),
    ('ask_server = "always"', "'never' or 'doubtful'"),
    ('cache = "yes"', "must be true or false"),
    ('state_dir = "relative"', "absolute path"),
    ('textfile_dir = "relative"', "absolute path"),
    ('on_failure_command = "/bin/true"', "must be a list of texts"),
    ("on_failure_command = [1]", "must be text"),
    ('on_failure_command = ["mail"]', "absolute path of a program"),
    ('on_change_command = "/bin/true"', "must be a list of texts"),
    ("notify_urls_file = 5", "must be text"),
    ('ping_url_file = "relative"', "absolute path"),
    ('ping_fail_on = "sometimes"', "'never', 'partial' or 'broken'"),
    ("desktop_notifications = 1", "must be true or false"),
    ('download_hosts = "huggingface.co"', "must be a list of hosts"),
    ('download_hosts = ["https://huggingface.co"]', "must be hosts such as huggingface.co"),
    ('download_hosts = ["a b"]', "must be hosts such as huggingface.co"),
    ('download_hosts = ["a:0"]', "must be hosts such as huggingface.co"),
    ("download_hosts = [1]", "must be text"),
    ('download_token_file = "relative"', "absolute path"),
    ("report_url = 5", "must be text"),
    ('report_url = "reports.example"', "begins with http:// or https://"),
    ('report_url = "http://reports.example/a b"', "neither blanks nor a login"),
    ('reminders = "often"', "'none', 'daily' or 'diminishing'"),
    ("schedule_interval = 0", "greater than 0"),
    ("schedule_jitter = -1", "greater than or equal to 0"),
    ('schedule_first_delay = "5min"', "must be a number of seconds"),
    ("cycle_time_limit = inf", "less than or equal to 86400"),
]


@pytest.mark.parametrize(
    "line",
    [
        'comfyui_token = "c2VjcmV0/dG9r"',
        'comfyui_token_file = "c2VjcmV0/dG9r"',
        'comfyui_basic_auth_file = "anna:c2VjcmV0/dG9r"',
        'report_url = "https://anna:c2VjcmV0@reports.example"',
        'notify_urls_file = "ntfy://c2VjcmV0/dG9r"',
        'ping_url = "https://hc-ping.com/c2VjcmV0/dG9r"',
        'ping_url_file = "https://hc-ping.com/c2VjcmV0/dG9r"',
        'download_token_file = "huggingface.co c2VjcmV0/dG9r"',
        'comfyui_url = "http://127.0.0.1:8188/?token=c2VjcmV0/dG9r"',
        'comfyui_url = "http://127.0.0.1:8188/#c2VjcmV0/dG9r"',
        'comfyui_url = "http://anna:c2VjcmV0@127.0.0.1:8188"',
    ],
)
def test_a_secret_in_the_wrong_place_is_not_repeated(tmp_path: Path, line: str) -> None:
    with pytest.raises(ConfigError, match="not shown: it may ") as raised:
        settings.load({}, config(tmp_path, line))
    assert "c2VjcmV0" not in str(raised.value)


@pytest.mark.parametrize(("line", "problem"), NONSENSE)
def test_nonsense_names_file_key_value_and_remedy(tmp_path: Path, line: str, problem: str) -> None:
    file = config(tmp_path, line)
    key, _, value = line.partition(" = ")
    with pytest.raises(ConfigError) as raised:
        settings.load({}, file)
    sentence = str(raised.value)
    assert sentence.startswith(f"{file}: {key} = ")
    assert problem in sentence
    assert value.strip("\"'[]").lower() in sentence.lower() or "not shown" in sentence
    assert "\n" not in sentence


def test_each_setting_is_tried_with_nonsense() -> None:
    assert {line.split(" = ")[0] for line, _ in NONSENSE} == set(settings.Settings.model_fields)


def test_an_unknown_key_is_named_with_the_one_that_was_meant(tmp_path: Path) -> None:
    file = config(tmp_path, 'comfyui_ulr = "http://x"')
    with pytest.raises(ConfigError, match=r"unknown key 'comfyui_ulr'.*did you mean comfyui_url\?"):
        settings.load({}, file)


def test_an_unknown_variable_is_named_with_the_one_that_was_meant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COMFYWATCHMAN_MIN_FREE_RAM", "1")
    with pytest.raises(ConfigError, match=r"unknown variable .*did you mean .*MIN_FREE_VRAM"):
        settings.load({})


def test_a_variable_in_small_letters_is_named_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("comfywatchman_fail_on", "sometimes")
    with pytest.raises(ConfigError, match="environment: COMFYWATCHMAN_FAIL_ON = 'sometimes': "):
        settings.load({})


def test_a_wrong_variable_and_a_wrong_flag_are_named_as_such(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COMFYWATCHMAN_READ_TIMEOUT", "soon")
    with pytest.raises(ConfigError, match="environment: COMFYWATCHMAN_READ_TIMEOUT = 'soon'"):
        settings.load({})
    with pytest.raises(ConfigError, match="--read-timeout = 'later'"):
        settings.load({"read_timeout": "later"})


@pytest.mark.parametrize(
    "line",
    [
        'comfyui_url = "http://user:hunter2@host"',
        'comfyui_token = "hunter2"',
        'comfyui_token_file = "hunter2"',
        'comfyui_basic_auth_file = "user:hunter2"',
        'comfyui_password = "hunter2"',
    ],
)
def test_what_may_be_a_secret_is_not_shown(tmp_path: Path, line: str) -> None:
    with pytest.raises(ConfigError) as raised:
        settings.load({}, config(tmp_path, line))
    assert "hunter2" not in str(raised.value)


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"config\.toml: is not valid TOML: .*line 1"):
        settings.load({}, config(tmp_path, "a = = 1"))
    with pytest.raises(ConfigError, match=r"nowhere\.toml: there is no such file"):
        settings.load({}, tmp_path / "nowhere.toml")
    (tmp_path / "latin1.toml").write_bytes(b'comfyui_url = "\xe9"')
    with pytest.raises(ConfigError, match=r"latin1\.toml: is not UTF-8 text"):
        settings.load({}, tmp_path / "latin1.toml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        settings.load({}, tmp_path)


def test_settings_of_cycles_are_flags_of_the_same_name() -> None:
    flags = {p.name for command in (check, schedule) for p in build(command).params}
    assert set(settings.Settings.model_fields) - flags == {
        *("instance", "on_failure_command", "on_change_command"),
        *("notify_urls_file", "ping_url_file", "ping_fail_on", "desktop_notifications"),
        *("report_url", "reminders", "hash_budget", "download_hosts", "download_token_file"),
    }


def test_a_command_in_the_environment_is_read_as_a_shell_reads_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COMFYWATCHMAN_ON_FAILURE_COMMAND", "/bin/mail -s 'it failed' me")
    assert settings.load({}).on_failure_command == ["/bin/mail", "-s", "it failed", "me"]


def test_what_a_command_on_failure_is_told_is_no_unknown_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COMFYWATCHMAN_FAILED_UNIT", "comfywatchman.service")
    settings.load({})


def test_an_instance_has_folders_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    file = config(tmp_path, 'instance = "gpu1"')
    assert settings.load({}, file).resolved_state_dir == tmp_path / "state" / "comfywatchman-gpu1"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("COMFYWATCHMAN_INSTANCE", "gpu2")
    folder = tmp_path / "comfywatchman-gpu2"
    folder.mkdir()
    config(folder, "read_timeout = 7")
    loaded = settings.load({})
    assert (loaded.instance, loaded.read_timeout) == ("gpu2", 7)
    assert loaded.resolved_state_dir == tmp_path / "state" / "comfywatchman-gpu2"


def test_every_setting_is_documented() -> None:
    assert [n for n, f in settings.Settings.model_fields.items() if not f.description] == []


def test_settings_know_where_their_file_is_or_would_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "other.toml"
    file.touch()
    assert settings.load({}, file).config_file == file
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("COMFYWATCHMAN_CONFIG", raising=False)
    assert settings.load({}).config_file == tmp_path / "comfywatchman" / "config.toml"
