"""State: where it is, how it is replaced, and what ``status`` reads out of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from comfywatchman import settings, state, state_files, status
from comfywatchman.errors import ConfigError
from comfywatchman.gate import lock
from comfywatchman.report.store import ReportStore
from comfywatchman.results import Outcome, Summary
from tests.unit.report.sample import damaged, remembered

START = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("STATE_DIRECTORY", "COMFYWATCHMAN_STATE_DIR", "COMFYWATCHMAN_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg-config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg-state"))


def test_the_state_folder_is_found_as_the_settings_find_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert state.locate(None, None) == tmp_path / "xdg-state" / "comfywatchman"
    monkeypatch.setenv("STATE_DIRECTORY", "/from/systemd:/second")
    assert state.locate(None, None) == Path("/from/systemd")
    config = tmp_path / "config.toml"
    config.write_text('state_dir = "/from/file"')
    assert state.locate(None, config) == Path("/from/file")
    monkeypatch.setenv("COMFYWATCHMAN_STATE_DIR", "/from/environment")
    assert state.locate(None, config) == Path("/from/environment")
    assert state.locate(Path("/from/flag"), config) == Path("/from/flag")


def test_the_state_folder_of_an_instance_is_found_as_the_settings_find_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config.toml"
    config.write_text('instance = "gpu1"')
    assert state.locate(None, config) == tmp_path / "xdg-state" / "comfywatchman-gpu1"
    monkeypatch.setenv("COMFYWATCHMAN_INSTANCE", "gpu2")
    assert state.locate(None, config) == tmp_path / "xdg-state" / "comfywatchman-gpu2"
    assert state.locate(None, None) == tmp_path / "xdg-state" / "comfywatchman-gpu2"
    monkeypatch.setenv("COMFYWATCHMAN_INSTANCE", "../x")
    with pytest.raises(ConfigError, match=r"COMFYWATCHMAN_INSTANCE = '\.\./x': must be up to 32"):
        state.locate(None, config)


def test_an_instance_whose_configuration_cannot_be_read_is_told_by_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert state.likely_instance(None) == ""
    assert state.likely_instance(tmp_path / "comfywatchman-gpu1" / "config.toml") == "gpu1"
    assert state.likely_instance(tmp_path / "comfywatchman" / "config.toml") == ""
    monkeypatch.setenv("COMFYWATCHMAN_CONFIG", "/etc/comfywatchman-gpu2/config.toml")
    assert state.likely_instance(None) == "gpu2"


def test_a_configuration_file_is_named_as_in_a_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    home = Path.home()
    (home / "c.toml").write_text('state_dir = "/from/home"')
    assert state.locate(None, Path("~/c.toml")) == Path("/from/home")
    monkeypatch.setenv("COMFYWATCHMAN_CONFIG", "~/c.toml")
    assert state.locate(None, None) == Path("/from/home")


def test_a_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    target.write_text("old")
    with target.open() as reader:
        state.replace_file(target, b"new")
        assert reader.read() == "old"
    assert target.read_text() == "new"
    assert target.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_a_failed_replacement_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    target.mkdir()
    with pytest.raises(OSError, match="folder"):
        state.replace_file(target, b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_two_that_replace_a_file_at_once_never_mix(tmp_path: Path) -> None:
    target = tmp_path / "file"
    contents = [letter * 2**18 for letter in (b"a", b"b")]
    with ThreadPoolExecutor(2) as pool:
        for content in contents * 20:
            pool.submit(state.replace_file, target, content)
            pool.submit(state.replace_file, target, content).result()
            assert target.read_bytes() in contents
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_what_lies_in_the_way_of_a_replacement_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getpid", lambda: 1)  # as in every container
    monkeypatch.setattr(threading, "get_native_id", lambda: 1)
    victim, state_dir = tmp_path / "victim", tmp_path / "state"
    victim.write_text("mine")
    state_dir.mkdir()
    (state_dir / ".file.1.1.part").symlink_to(victim)
    (state_dir / ".file.1.part").symlink_to(victim)
    state.replace_file(state_dir / "file", b"new")
    assert (state_dir / "file").read_bytes() == b"new"
    assert victim.read_text() == "mine"


def test_leftovers_of_a_killed_cycle_are_removed_when_the_next_begins(tmp_path: Path) -> None:
    store = ReportStore(tmp_path)
    (tmp_path / ".latest.json.123.part").write_text("half")
    store.begin(START, [])
    assert [p.name for p in tmp_path.iterdir()] == [state_files.LAST_RUN]


def test_the_state_folder_is_private(tmp_path: Path) -> None:
    ReportStore(tmp_path / "new" / "state")
    assert (tmp_path / "new" / "state").stat().st_mode & 0o777 == 0o700


def test_a_state_folder_that_cannot_be_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"state_dir: .*/file/state cannot be made: Not a dir"):
        ReportStore(tmp_path / "file" / "state")


def words(folder: Path) -> str:
    return status.in_words(status.read(folder), START + timedelta(hours=2, minutes=5))


def test_status_before_the_first_cycle(tmp_path: Path) -> None:
    assert "No cycle has run yet" in words(tmp_path)
    assert "No cycle has run yet" in words(tmp_path / "not-there")


def test_status_of_a_cycle_that_ended(tmp_path: Path) -> None:
    ReportStore(tmp_path).finish(
        Outcome.SKIPPED, "nothing listens at http://x", START, summary=Summary()
    )
    (tmp_path / state_files.LATEST).write_text(
        json.dumps({"started_at": START.isoformat(), "summary": {"runnable": 3, "broken": 0}})
    )
    told = words(tmp_path)
    assert "Last cycle   skipped" in told
    assert "nothing listens at http://x" in told
    assert "Last report  2 hours ago (2026-11-23 10:00:00 UTC): 3 runnable" in told


def test_status_counts_what_was_left_out(tmp_path: Path) -> None:
    latest = {"started_at": START.isoformat(), "summary": {"runnable": 3}, "left_out": 12}
    (tmp_path / state_files.LATEST).write_text(json.dumps(latest))
    assert ": 3 runnable; 12 left out\n" in words(tmp_path)


def test_status_counts_what_is_accepted(tmp_path: Path) -> None:
    latest = {"summary": {"runnable": 3, "broken": 2}, "accepted": {"partial": 0, "broken": 1}}
    (tmp_path / state_files.LATEST).write_text(json.dumps(latest))
    assert ": 3 runnable, 2 broken; 1 accepted\n" in words(tmp_path)
    assert (status.read(tmp_path)["report"] or {})["accepted"] == {"partial": 0, "broken": 1}
    (tmp_path / state_files.LATEST).write_text(json.dumps(latest | {"accepted": {"broken": "x"}}))
    assert ": 3 runnable, 2 broken\n" in words(tmp_path)


def test_status_names_what_will_fail_and_counts_model_files(tmp_path: Path) -> None:
    latest = damaged().model_dump(mode="json")
    (tmp_path / state_files.LATEST).write_text(json.dumps(latest))
    told = words(tmp_path)
    assert ": 3 runnable; 2 will fail\n" in told
    assert "Will fail    a.json\n             b.json\n" in told
    assert "Model files  2 damaged, 1 unread\n" in told
    report = status.read(tmp_path)["report"] or {}
    assert report["will_fail"] == ["a.json", "b.json"]
    assert report["model_files"]["sound"] == 3


@pytest.mark.parametrize("nonsense", [5, "x", [1], {"damaged": "x"}, {"damaged": None}])
def test_status_of_model_files_that_are_nonsense(tmp_path: Path, nonsense: object) -> None:
    latest = {"model_files": nonsense, "workflows": nonsense, "summary": {"runnable": 3}}
    (tmp_path / state_files.LATEST).write_text(json.dumps(latest))
    assert "Model files" not in words(tmp_path)


def test_status_counts_what_got_worse_on_the_host(tmp_path: Path) -> None:
    latest = remembered().model_dump(mode="json")
    (tmp_path / state_files.LATEST).write_text(json.dumps(latest))
    assert ": 12 runnable, 2 partial, 8 broken, 1 unknown; 6 got worse\n" in words(tmp_path)
    assert (status.read(tmp_path)["report"] or {})["worse"] == 6


@pytest.mark.parametrize(
    "changes",
    [None, 5, "x", [], {}, {"causes": 1}, {"causes": [], "workflows": [1]}, {"causes": [{}]}],
)
def test_changes_of_wrong_types_are_not_counted(tmp_path: Path, changes: object) -> None:
    latest = {"summary": {"runnable": 3}, "changes": changes}
    (tmp_path / state_files.LATEST).write_text(json.dumps(latest))
    assert words(tmp_path).count(": 3 runnable\n") == 1


def test_status_says_since_when_workflows_are_broken(tmp_path: Path) -> None:
    since = [{"since": (START - timedelta(days=n)).isoformat()} for n in range(8)]
    workflows = [{"name": f"{n}.json", "verdict": "broken"} | since[n] for n in range(8)]
    workflows[7]["name"] = "a\x1b[32m.json"
    more = [
        {"name": "runs.json", "verdict": "runnable", "since": START.isoformat()},
        {"name": "accepted.json", "verdict": "broken", "accepted": {"id": "x"}} | since[7],
        {"name": "no history.json", "verdict": "broken", "since": None},
    ]
    latest = {"summary": {"broken": 10}, "workflows": [*more, *workflows]}
    (tmp_path / state_files.LATEST).write_text(json.dumps(latest))
    lines = words(tmp_path).splitlines()
    at = lines.index("Broken       a\\x1b[32m.json, since 2026-11-16 10:00 UTC (7 days)")
    assert lines[at + 1] == "             6.json, since 2026-11-17 10:00 UTC (6 days)"
    assert lines[at + 5] == "             and 3 more"
    assert lines[at + 6].startswith("State ")


@pytest.mark.parametrize(
    "workflows",
    [None, 7, "x", [7], [{}], [{"verdict": "broken", "name": "a", "since": 7}]],
)
def test_workflows_of_wrong_types_are_not_named(tmp_path: Path, workflows: object) -> None:
    latest = {"summary": {"broken": 3}, "workflows": workflows}
    (tmp_path / state_files.LATEST).write_text(json.dumps(latest))
    assert "\nBroken " not in words(tmp_path)


def test_status_says_what_is_wrong_with_the_history(tmp_path: Path) -> None:
    store = ReportStore(tmp_path)
    store.finish(Outcome.DONE, "all is well", START)
    file = tmp_path / state_files.LAST_RUN
    last_run = json.loads(file.read_text())
    assert "History" not in words(tmp_path)
    file.write_text(json.dumps(last_run | {"history": "no room\non the disk"}))
    assert "\nHistory      no room\\non the disk\n" in words(tmp_path)


def test_status_tells_a_running_cycle_from_one_that_was_killed(tmp_path: Path) -> None:
    only_one = lock.make(tmp_path / state_files.LOCK)
    assert lock.probe(only_one).ok
    ReportStore(tmp_path).begin(START, [])
    assert "A cycle is running, since 2 hours ago" in words(tmp_path)
    only_one.release()
    assert "was killed in the middle" in words(tmp_path)


def test_damaged_state_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / state_files.LAST_RUN).write_bytes(b"\x00\xff{")
    (tmp_path / state_files.LATEST).write_text("[]")
    told = words(tmp_path)
    assert f"{tmp_path}/last-run.json: cannot be understood" in told
    assert f"{tmp_path}/latest.json: cannot be understood" in told
    assert "What became of the last cycle is not known" in told
    assert "No cycle has run yet" not in told


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (state_files.LAST_RUN, {"outcome": "done", "paths": 5}),
        (state_files.LATEST, {"summary": ["runnable"]}),
        (state_files.LATEST, {"summary": None}),
        (state_files.LATEST, {"left_out": "many"}),
        (state_files.LATEST, {"accepted": [1]}),
    ],
)
def test_state_of_wrong_types_is_damaged(tmp_path: Path, name: str, content: object) -> None:
    (tmp_path / name).write_text(json.dumps(content))
    assert f"{tmp_path / name}: cannot be understood" in words(tmp_path)


def test_state_that_is_odd_is_shown_as_far_as_it_goes(tmp_path: Path) -> None:
    last_run = {"outcome": 1, "paths": [2], "finished_at": "0001-01-01T00:00:00+14:00"}
    (tmp_path / state_files.LAST_RUN).write_text(json.dumps(last_run))
    (tmp_path / state_files.LATEST).write_text(json.dumps({"summary": {"\x1b[2J": 1}}))
    told = words(tmp_path)
    assert "Last cycle   1, at an unknown time" in told
    assert "(by hand, for: 2)" in told
    assert "Last report  at an unknown time: 1 \\x1b[2J" in told


@pytest.mark.parametrize("name", [state_files.LAST_RUN, state_files.LATEST])
@pytest.mark.parametrize("kind", ["pipe", "folder", "endless", "loop"])
def test_what_is_no_file_in_the_place_of_state_is_not_waited_for(
    tmp_path: Path, name: str, kind: str
) -> None:
    place = tmp_path / name
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "folder":
        place.mkdir()
    elif kind == "loop":
        place.symlink_to(place)
    else:
        with place.open("wb") as file:
            file.truncate(2**40)
    assert f"{place}: cannot be understood" in words(tmp_path)


def test_state_of_another_user_is_not_taken_for_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(file: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr(state, "read_file", refuse)  # permissions do not bind root
    with pytest.raises(ConfigError, match="ask as the user that the cycles run as"):
        status.read(tmp_path)


def test_a_user_without_a_home_folder_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(number: int) -> None:
        raise KeyError(number)

    monkeypatch.delenv("HOME")
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setattr("pwd.getpwuid", nobody)
    monkeypatch.delenv("XDG_CONFIG_HOME")
    with pytest.raises(ConfigError, match="no home folder"):
        state.locate(None, None)


def test_names_that_no_folder_or_text_can_have(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('state_dir = "/srv/\\u0000"')
    with pytest.raises(ConfigError, match="NUL"):
        state.locate(None, config)
    with pytest.raises(ConfigError, match=r"state_dir = .* must not hold a NUL character"):
        settings.load({}, config)
    ReportStore(tmp_path).refuse("no such file: /srv/\udcff")
    assert "/srv/\\udcff" in words(tmp_path)


def test_a_second_lock_is_refused_and_one_of_a_dead_process_is_not(tmp_path: Path) -> None:
    file = tmp_path / state_files.LOCK
    program = (
        "import sys; from pathlib import Path; from comfywatchman.gate import lock;"
        "held = lock.make(Path(sys.argv[1])); held.acquire(); print('held', flush=True);"
        "sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, file],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    refused = lock.probe(lock.make(file))
    assert not refused.ok
    assert "another cycle is running" in refused.reason
    holder.kill()
    holder.communicate()
    assert lock.probe(lock.make(file)).ok


def test_status_imports_nothing_slow() -> None:
    program = (
        "import sys; sys.argv = ['comfywatchman', 'status'];"
        "from comfywatchman import cli\n"
        "try:\n    cli.main()\nexcept SystemExit:\n    pass\n"
        "slow = {'langgraph', 'pydantic_settings', 'httpx', 'jinja2', 'comfywatchman.checks'}\n"
        "slow &= set(sys.modules)\n"
        "print('slow:', sorted(slow))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout.endswith("slow: []\n")
