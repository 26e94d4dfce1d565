"""What changes between cycles, and what that does: whole cycles against a server that changes."""

from __future__ import annotations

import copy
import errno
import json
import os
import signal
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.conftest import BROKEN, NEEDS_A_MODEL, RUNNABLE, bind
from tests.standin.comfyui import StandIn, recorded_node_types
from tests.standin.main import lay_out

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.conftest import Host
    from tests.faults.disk import FailingDisk


@pytest.fixture
def server() -> Iterator[StandIn]:
    with StandIn(state="full") as stand_in:
        yield stand_in


def cycle(host: Host, server: StandIn, **settings: str) -> dict[str, Any]:
    """Run a cycle; what its report says of changes."""
    done = host.run(comfyui_url=server.url, min_free_vram="0", **settings)
    assert done.returncode == 0, done.stderr
    changes: dict[str, Any] = host.latest["changes"]
    return changes


def save(host: Host, name: str, workflow: object) -> None:
    (host.workflows / name).write_text(json.dumps(workflow))


def worse(changes: dict[str, Any]) -> dict[str, list[str]]:
    """Of each workflow that got worse the texts of its causes."""
    texts = {cause["id"]: cause["text"] for cause in changes["causes"]}
    return {
        w["name"]: [texts[c] for c in w["causes"]]
        for w in changes["workflows"]
        if w["kind"] == "worse"
    }


def database(host: Host) -> sqlite3.Connection:
    return sqlite3.connect(host.state / "history.sqlite3")


def test_the_first_cycle_has_nothing_to_compare_with(host: Host, server: StandIn) -> None:
    assert cycle(host, server) is None
    nothing = cycle(host, server)
    assert (nothing["workflows"], nothing["causes"], nothing["host"]) == ([], [], [])


def test_a_node_type_that_lost_an_output(host: Host, server: StandIn) -> None:
    save(host, "model.json", NEEDS_A_MODEL)
    cycle(host, server)
    declared = copy.deepcopy(dict(recorded_node_types("full")))
    declared["VAEDecode"]["output"] = []
    declared["VAEDecode"]["output_name"] = []
    server.object_info = declared
    changes = cycle(host, server)
    [text] = worse(changes)["model.json"]
    assert "VAEDecode" in text
    assert "dropped output" in text
    assert changes["causes"][0]["sureness"] == "certain"
    told = host.run("history", "--since", "1d")
    assert told.returncode == 0
    assert "dropped output" in told.stdout


def test_a_model_that_is_gone_and_comes_back(host: Host, server: StandIn) -> None:
    save(host, "model.json", NEEDS_A_MODEL)
    cycle(host, server)
    server.object_info = without(dict(recorded_node_types("full")), "ae.safetensors")
    server.without = frozenset({"ae.safetensors"})
    changes = cycle(host, server)
    [text] = worse(changes)["model.json"]
    assert "ae.safetensors" in text
    assert "gone" in text
    server.object_info, server.without = None, frozenset()
    back = cycle(host, server)
    assert [(w["name"], w["kind"]) for w in back["workflows"]] == [("model.json", "mended")]
    [cause] = back["causes"]
    assert (cause["text"], cause["sureness"]) == ("vae/ae.safetensors is new", "likely")
    assert back["workflows"][0]["causes"] == [cause["id"]]


def test_a_workflow_that_was_edited(host: Host, server: StandIn) -> None:
    cycle(host, server)
    save(host, "good.json", BROKEN)
    changes = cycle(host, server)
    assert list(worse(changes)) == ["good.json"]
    [cause] = changes["causes"]
    assert (cause["kind"], cause["sureness"]) == ("workflow", "certain")


def test_a_file_that_lost_its_workflow_is_told_until_it_grows_again(
    host: Host, server: StandIn
) -> None:
    large = {str(n): RUNNABLE["1"] for n in range(3, 20)} | RUNNABLE
    save(host, "large.json", large)
    cycle(host, server)
    save(host, "large.json", RUNNABLE)
    for _ in range(2):
        cycle(host, server)
        [found] = [w for w in host.latest["workflows"] if w["name"] == "large.json"]
        assert "workflow_shrunk" in [f["code"] for f in found["findings"]]
        assert found["verdict"] == "runnable"
    save(host, "large.json", large)
    cycle(host, server)
    [found] = [w for w in host.latest["workflows"] if w["name"] == "large.json"]
    assert found["findings"] == []


def test_a_skipped_cycle_is_on_record_and_widens_the_interval(host: Host, server: StandIn) -> None:
    cycle(host, server)
    since = host.latest["started_at"]
    server.behaviour = "refused"
    host.run(comfyui_url=server.url, min_free_vram="0")
    server.behaviour = "ok"
    changes = cycle(host, server)
    assert changes["since"] == since
    assert changes["skipped"] == 1


def test_a_killed_cycle_is_on_record(host: Host, server: StandIn) -> None:
    cycle(host, server)
    server.behaviour = "hang@/object_info"
    before = len(server.requests)
    process = host.start(comfyui_url=server.url, min_free_vram="0")
    while not any(request.path == "/object_info" for request in server.requests[before:]):
        assert process.poll() is None
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    server.behaviour = "ok"
    assert cycle(host, server)["skipped"] == 1


def test_a_folder_that_is_not_seen_loses_no_workflow(host: Host, server: StandIn) -> None:
    cycle(host, server)
    host.workflows.rename(host.workflows.with_name("away"))
    changes = cycle(host, server)
    assert changes["workflows"] == []
    assert any("could not look" in sentence for sentence in changes["not_known"])
    host.workflows.with_name("away").rename(host.workflows)
    (host.workflows / "good.json").unlink()
    changes = cycle(host, server)
    assert [(w["name"], w["kind"]) for w in changes["workflows"]] == [("good.json", "gone")]


def test_a_damaged_history_is_begun_anew_and_the_report_is_whole(
    host: Host, server: StandIn
) -> None:
    cycle(host, server)
    file = host.state / "history.sqlite3"
    file.write_bytes(file.read_bytes()[:4096] + b"\xff" * 50_000)
    assert cycle(host, server) is None
    assert host.latest["summary"]["runnable"] == 1
    assert "history.sqlite3" in host.last_run["history"]
    assert (host.state / "history.sqlite3.damaged").exists()
    assert cycle(host, server)["workflows"] == []
    assert any("the cycle before" in sentence for sentence in host.latest["not_checked"])


def test_a_newer_history_is_left_alone_and_told(host: Host, server: StandIn) -> None:
    cycle(host, server)
    with database(host) as connection:
        connection.execute("PRAGMA user_version = 999")
    before = (host.state / "history.sqlite3").read_bytes()
    cycle(host, server)
    assert (host.state / "history.sqlite3").read_bytes() == before
    assert "newer" in host.last_run["history"]
    assert "newer" in host.run("status").stdout


def test_no_history_is_kept_where_none_is_wanted(host: Host, server: StandIn) -> None:
    assert cycle(host, server, history_days="0") is None
    assert cycle(host, server, history_days="0") is None
    assert not [name for name in host.files() if "sqlite" in name]
    assert host.latest["timeline"] == []


def test_a_check_of_some_paths_leaves_the_history_alone(host: Host, server: StandIn) -> None:
    cycle(host, server)
    before = (host.state / "history.sqlite3").read_bytes()
    host.run("check", str(host.workflows), comfyui_url=server.url, min_free_vram="0")
    assert (host.state / "history.sqlite3").read_bytes() == before


def test_a_change_of_the_program_is_told_once_as_such(host: Host, server: StandIn) -> None:
    """The code is the same, so the history is told that another one judged last time."""
    save(host, "model.json", NEEDS_A_MODEL)
    cycle(host, server)
    with database(host) as connection:
        rows = dict(connection.execute("SELECT name, value FROM meta"))
        assert "program" in rows
        connection.execute("UPDATE meta SET value = ? WHERE name = 'program'", ('"other"',))
    changes = cycle(host, server)
    assert worse(changes) == {}


def told_everywhere(host: Host, server: StandIn, words: str) -> dict[str, Any]:
    """That a cycle is not in the history is told where people look; what the next one says."""
    assert words in host.last_run["history"]
    assert words in " ".join(host.run("status").stdout.split())
    changes = cycle(host, server)
    [lacks] = [s for s in host.latest["not_checked"] if "the cycle before this one" in s]
    assert words in lacks
    assert host.last_run["history"] is None
    assert "history.sqlite3" not in host.run("status").stdout
    return changes


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (errno.ENOSPC, "could not be written: database or disk is full; make room there"),
        (errno.EDQUOT, "could not be written: disk I/O error"),
        (errno.EIO, "could not be written: disk I/O error"),
    ],
)
def test_a_disk_that_fails_the_history_alone_costs_no_report_and_no_change(
    host: Host, server: StandIn, failing_disk: FailingDisk, error: int, words: str
) -> None:
    cycle(host, server)
    since = host.latest["started_at"]
    save(host, "good.json", BROKEN)
    fails = failing_disk.environment(host.state / "history.sqlite3", error)
    host.environment |= fails
    done = host.run(comfyui_url=server.url, min_free_vram="0")
    assert (done.returncode, host.last_run["outcome"]) == (0, "done")
    assert "this cycle is not in the history" in done.stderr
    assert words in done.stderr
    assert list(worse(host.latest["changes"])) == ["good.json"]
    for name in fails:
        del host.environment[name]
    again = told_everywhere(host, server, words)
    assert (again["since"], list(worse(again))) == (since, ["good.json"])


def test_a_disk_without_room_for_copies_is_told_and_they_are_made_later(
    host: Host, server: StandIn, failing_disk: FailingDisk
) -> None:
    fails = failing_disk.environment(host.state / "workflow-copies.sqlite3", errno.ENOSPC)
    host.environment |= fails
    assert cycle(host, server) is None
    assert "disk is full" in host.last_run["history"]
    for name in fails:
        del host.environment[name]
    cycle(host, server)
    assert host.last_run["history"] is None
    with sqlite3.connect(host.state / "workflow-copies.sqlite3") as connection:
        assert connection.execute("SELECT count(*) FROM seen").fetchone() == (2,)


def test_a_history_that_may_not_be_written_costs_no_report(host: Host, server: StandIn) -> None:
    cycle(host, server)
    bind(host)
    (host.state / "history.sqlite3").chmod(0o400)
    assert cycle(host, server) is None
    assert any("what changed" in s and "denied" in s for s in host.latest["not_checked"])
    (host.state / "history.sqlite3").chmod(0o600)
    told_everywhere(host, server, "Permission denied")


def test_a_folder_in_the_place_of_the_history_costs_no_report(host: Host, server: StandIn) -> None:
    cycle(host, server)
    (host.state / "history.sqlite3").unlink()
    (host.state / "history.sqlite3").mkdir()
    assert cycle(host, server) is None
    assert any("what changed" in sentence for sentence in host.latest["not_checked"])
    (host.state / "history.sqlite3").rmdir()
    told_everywhere(host, server, "history.sqlite3")


@pytest.mark.parametrize("held", ["EXCLUSIVE", "IMMEDIATE"])
def test_a_lock_that_another_process_holds_costs_no_report(
    host: Host, server: StandIn, held: str
) -> None:
    cycle(host, server)
    connection = database(host)
    connection.execute(f"BEGIN {held}")
    changes = cycle(host, server)
    assert (changes is None) is (held == "EXCLUSIVE")
    connection.execute("ROLLBACK")
    connection.close()
    told_everywhere(host, server, "locked")


KILLED = """
import os, signal
from comfywatchman import cli
from comfywatchman.history import retention
from comfywatchman.history.store import History
from comfywatchman.report.store import ReportStore

{point} = lambda *_, **more: os.kill(os.getpid(), signal.SIGKILL)
cli.main()
"""


@pytest.mark.parametrize(
    ("point", "kept"),
    [("History.remember", False), ("retention.apply", False), ("ReportStore.finish", True)],
    ids=["before the history", "while it is written", "before its end is told"],
)
def test_kill_9_between_the_report_and_the_last_word(
    host: Host, server: StandIn, point: str, kept: bool
) -> None:
    cycle(host, server)
    first = host.latest["started_at"]
    save(host, "good.json", BROKEN)
    program, host.program = host.program, ["-c", KILLED.format(point=point)]
    killed = host.run(comfyui_url=server.url, min_free_vram="0")
    assert killed.returncode == -signal.SIGKILL
    second = host.latest["started_at"]
    assert second > first
    assert list(worse(host.latest["changes"])) == ["good.json"]
    host.program = program
    changes = cycle(host, server)
    assert changes["since"] == (second if kept else first)
    assert list(worse(changes)) == ([] if kept else ["good.json"])
    assert changes["skipped"] == (0 if kept else 1)
    told = host.run("history", "--format", "json").stdout
    assert told.count('"good.json"') == 1
    with database(host) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT count(*) FROM cycle").fetchone() == (3,)


def test_a_forecast_names_what_another_catalog_would_break(host: Host, server: StandIn) -> None:
    save(host, "model.json", NEEDS_A_MODEL)
    declared = copy.deepcopy(dict(recorded_node_types("full")))
    declared["VAEDecode"]["input"]["required"]["strength"] = ["FLOAT", {"min": 0}]
    declared["VAELoader"]["input"]["required"]["vae_name"][0] = ["of the other host.safetensors"]
    other = host.workflows.parent / "canary.json"
    other.write_text(json.dumps(declared))
    before = host.files() if host.state.exists() else set()
    done = host.run("forecast", str(other), "--format", "json", comfyui_url=server.url)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert list(worse(found["changes"])) == ["model.json"]
    [text] = worse(found["changes"])["model.json"]
    assert "VAEDecode" in text
    assert "strength" in text
    assert (host.files() if host.state.exists() else set()) == before


def test_a_forecast_names_how_many_workflows_it_could_not_read(host: Host, server: StandIn) -> None:
    save(host, "model.json", NEEDS_A_MODEL)
    (host.workflows / "large.json").write_bytes(b" " * 100_000)
    other = host.workflows.parent / "canary.json"
    other.write_text(json.dumps(recorded_node_types("full")))
    options = {"comfyui_url": server.url, "max_workflow_size": "50kB"}
    done = host.run("forecast", str(other), "--format", "json", **options)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["judged"] == len(list(host.workflows.iterdir())) - 1
    assert any("large.json" in told for told in found["changes"]["not_known"])
    assert "large.json" in host.run("forecast", str(other), **options).stdout


def test_a_forecast_without_a_server_uses_the_catalog_that_was_kept(
    host: Host, server: StandIn
) -> None:
    save(host, "model.json", NEEDS_A_MODEL)
    cycle(host, server)
    declared = dict(recorded_node_types("full"))
    del declared["VAEDecode"]
    other = host.workflows.parent / "canary.json"
    other.write_text(json.dumps(declared))
    server.behaviour = "refused"
    done = host.run("forecast", str(other), comfyui_url=server.url)
    assert done.returncode == 0, done.stderr
    assert "the catalog that was kept" in " ".join(done.stdout.split())
    assert "model.json" in done.stdout
    done = host.run("forecast", str(other), comfyui_url=server.url, state_dir=host.state / "none")
    assert done.returncode == 78
    assert "no catalog of an earlier check is kept" in done.stderr


def test_a_bill_without_a_server_is_made_of_what_was_kept(host: Host, server: StandIn) -> None:
    save(host, "model.json", NEEDS_A_MODEL)
    cycle(host, server)
    asked = host.run("bom", "model.json", comfyui_url=server.url)
    assert asked.returncode == 0, asked.stderr
    server.behaviour = "refused"
    kept = host.run("bom", "model.json", comfyui_url=server.url)
    assert kept.returncode == 0, kept.stderr
    now, then = json.loads(asked.stdout), json.loads(kept.stdout)
    assert now["taken_from"] == server.url
    assert then["taken_from"].startswith("the catalog that was kept")
    for part in ("workflow", "comfyui", "packs", "node_types"):
        assert now[part] == then[part]
    bill = host.workflows.parent / "bill"
    bill.write_text(asked.stdout)
    checked = host.run("bom", "--check", str(bill), comfyui_url=server.url)
    assert checked.returncode == 0, checked.stdout
    assert "nothing lacks" in checked.stdout
    for form in ("cyclonedx", "snapshot"):
        assert json.loads(host.run("bom", "model.json", "--as", form).stdout)
    none = host.run("bom", "model.json", comfyui_url=server.url, state_dir=host.state / "none")
    assert none.returncode == 78
    assert "no catalog of an earlier check is kept" in none.stderr


def without(declared: dict[str, Any], name: str) -> dict[str, Any]:
    """Node types without a file in their lists."""
    changed = copy.deepcopy(declared)
    for node_type in changed.values():
        for group in node_type["input"].values():
            for spec in group.values() if isinstance(group, dict) else ():
                if isinstance(spec, list) and spec and isinstance(spec[0], list):
                    spec[0] = [choice for choice in spec[0] if choice != name]
    return changed


def test_the_last_good_environment_is_told_and_written(host: Host, server: StandIn) -> None:
    save(host, "model.json", NEEDS_A_MODEL)
    cycle(host, server)
    server.object_info = without(dict(recorded_node_types("full")), "ae.safetensors")
    server.without = frozenset({"ae.safetensors"})
    cycle(host, server)
    told = host.run("history", "--last-good", "model.json")
    assert told.returncode == 0, told.stderr
    assert "It last ran on" in told.stdout
    assert "ae.safetensors" in told.stdout
    for form in ("snapshot", "constraints"):
        written = host.run("history", "--last-good", "model.json", "--as", form)
        assert written.returncode == 0, written.stderr
    never = host.run("history", "--last-good", "bad.json", "--as", "snapshot")
    assert never.returncode == 2
    assert "never seen to run" in never.stderr


def test_an_edit_is_told_beside_the_last_good_environment(host: Host, server: StandIn) -> None:
    cycle(host, server)
    assert "since the history began, 20" in host.run("history").stdout
    save(host, "good.json", BROKEN)
    cycle(host, server)
    told = " ".join(host.run("history", "--last-good", "good.json").stdout.split())
    assert "Its own file was edited since then" in told
    found = json.loads(host.run("history", "--last-good", "good.json", "--format", "json").stdout)
    assert found["edited"]


def test_a_copy_is_written_out_and_over_nothing(host: Host, server: StandIn) -> None:
    good = host.workflows / "good.json"
    original = good.read_bytes()
    cycle(host, server)
    good.write_text("{}")
    cycle(host, server)
    listed = host.run("history", "--restore-copy", "good.json")
    assert len(listed.stdout.splitlines()) == 2
    target = host.workflows.parent / "restored.json"
    done = host.run("history", "--restore-copy", "good.json", "--to", str(target))
    assert done.returncode == 0, done.stderr
    assert target.read_bytes() == original
    refused = host.run("history", "--restore-copy", "good.json", "--to", str(good))
    assert refused.returncode == 2
    assert "nothing is ever overwritten" in refused.stderr
    assert good.read_text() == "{}"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--as", "snapshot"], "--last-good"),
        (["--to", "x"], "--restore-copy"),
        (["--last-good", "a", "--at", "1d"], "each ask for another thing"),
        (["--last-good", "nothing"], "the history has no workflow 'nothing'"),
        (["--restore-copy", "nothing"], "the history has no workflow 'nothing'"),
    ],
)
def test_what_makes_no_sense_is_refused(
    host: Host, server: StandIn, arguments: list[str], why: str
) -> None:
    cycle(host, server)
    done = host.run("history", *arguments)
    assert done.returncode == 2
    assert why in " ".join(done.stderr.split())


def test_the_metrics_name_the_commit_that_comfyui_is_at(host: Host, server: StandIn) -> None:
    comfyui = lay_out(host.workflows.parent / "ComfyUI")
    (comfyui / ".git").mkdir()
    (comfyui / ".git/HEAD").write_text("0123456789abcdef0123456789abcdef01234567\n")
    cycle(host, server, comfyui_dir=str(comfyui))
    metrics = (host.state / "metrics.prom").read_text()
    assert 'commit="0123456789abcdef0123456789abcdef01234567"' in metrics
