"""What people are told, by whole cycles and what they put into the outbox, also when killed."""

from __future__ import annotations

import copy
import json
import shutil
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from comfywatchman import state_files
from comfywatchman.channels.sending import kept
from comfywatchman.events.outbox import Outbox, State
from comfywatchman.gate import lock
from tests.faults.conftest import BROKEN, NEEDS_A_MODEL, RUNNABLE, make_host
from tests.standin.comfyui import StandIn, recorded_node_types
from tests.standin.healthchecks import Healthchecks
from tests.unit.channels.bus import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.faults.conftest import Host

CHANNEL = """#!/bin/sh
[ ! -e "$0.down" ] || exit 1
printf '%s\\n' "$COMFYWATCHMAN_TOPICS|$COMFYWATCHMAN_SUBJECT" >>"$0.told"
"""


@pytest.fixture
def server() -> Iterator[StandIn]:
    with StandIn(state="full") as stand_in:
        yield stand_in


class People:
    """Who is told by a command that writes a line for each message.

    Cycles run as a unit's do: they start no process that sends, and systemd is not there to.
    """

    def __init__(self, host: Host, server: StandIn, folder: Path) -> None:
        self.host = host
        self.file = folder / "channel"
        self.file.write_text(CHANNEL)
        self.file.chmod(0o700)
        host.environment |= {
            "INVOCATION_ID": "1",
            "COMFYWATCHMAN_ON_CHANGE_COMMAND": str(self.file),
            "COMFYWATCHMAN_COMFYUI_URL": server.url,
            "COMFYWATCHMAN_MIN_FREE_VRAM": "0",
            "COMFYWATCHMAN_USERDATA": "false",
        }

    @property
    def down(self) -> Path:
        """There while the channel takes nothing."""
        return self.file.with_name("channel.down")

    @property
    def told(self) -> list[str]:
        """Each message: topics and subject."""
        file = self.file.with_name("channel.told")
        return file.read_text().splitlines() if file.exists() else []

    @property
    def topics(self) -> list[str]:
        """The topics of each message."""
        return [line.partition("|")[0] for line in self.told]

    def cycle(self, **settings: str) -> None:
        """Run a cycle, and have sent what it tells."""
        done = self.host.run(**settings)
        assert done.returncode == 0, done.stderr
        sent = self.host.run("notify", "--send", **settings)
        assert sent.returncode == 0, sent.stderr

    def by_hand(self, folder: Path) -> None:
        """From now on cycles run by hand, and start what sends; no systemd is asked for it."""
        folder.mkdir()
        systemctl = folder / "systemctl"
        systemctl.write_text("#!/bin/sh\nexit 1\n")
        systemctl.chmod(0o700)
        del self.host.environment["INVOCATION_ID"]
        self.host.environment["PATH"] = f"{folder}:{self.host.environment['PATH']}"

    def save(self, name: str, workflow: object) -> None:
        """Save a workflow."""
        (self.host.workflows / name).write_text(json.dumps(workflow))


@pytest.fixture
def people(host: Host, server: StandIn, tmp_path: Path) -> People:
    return People(host, server, tmp_path)


def test_people_hear_of_a_change_once(people: People) -> None:
    for _ in range(2):
        people.cycle()
    [first] = people.told
    assert first.startswith("summary|")
    assert "1 runnable, 1 broken" in first
    for workflow in (BROKEN, BROKEN, RUNNABLE, BROKEN):
        people.save("good.json", workflow)
        people.cycle()
    assert people.topics == ["summary", "worse", "mended", "flapping"]
    assert "good.json broke because" in people.told[1]
    assert people.host.latest["notices"]["pending"] == 0


MANY = """
import sys
from comfywatchman import cli
def run(*arguments):
    try:
        cli.app(list(arguments))
    except SystemExit as ended:
        if ended.code:
            raise
for _ in range(int(sys.argv[1])):
    run("--run-check")
    run("notify", "--send")
"""
"""Cycles one after the other, each sent what it tells: a process of its own takes far longer."""


def test_of_a_hundred_bad_cycles_there_is_one_message_and_of_bad_good_bad_three(
    people: People, server: StandIn
) -> None:
    few = recorded_node_types("full")
    server.object_info = {name: few[name] for name in ("EmptyImage", "SaveImage")}
    people.cycle()
    people.host.program = ["-c", MANY]
    for workflow, count in ((BROKEN, "100"), (RUNNABLE, "1"), (BROKEN, "2")):
        people.save("good.json", workflow)
        done = people.host.run(count)
        assert done.returncode == 0, done.stderr
    assert people.topics == ["summary", "worse", "mended", "flapping"]
    assert people.host.latest["notices"]["pending"] == 0


def test_a_channel_that_was_down_is_told_once_it_is_back(people: People) -> None:
    people.cycle()
    people.down.touch()
    people.save("good.json", BROKEN)
    for _ in range(5):
        people.cycle()
    assert people.topics == ["summary"]
    notices = people.host.latest["notices"]
    assert notices["pending"] == 1
    (failing,) = notices["failing"]
    assert failing["why"] == "it ended with exit code 1"
    people.down.unlink()
    people.cycle()
    people.cycle()
    assert people.topics == ["summary", "worse"]
    notices = people.host.latest["notices"]
    assert (notices["pending"], notices["failing"]) == (0, [])


def test_a_cycle_has_ended_while_two_of_five_channels_hang(people: People, tmp_path: Path) -> None:
    hang = threading.Event()
    with Healthchecks(hang=hang) as hangs, Healthchecks() as works:
        urls = tmp_path / "urls"
        lines = [f"json{url[4:]}/api/push/{n}" for url in (hangs.url, works.url) for n in (1, 2)]
        urls.write_text("\n".join(lines))
        urls.chmod(0o600)
        people.by_hand(tmp_path / "bin")
        people.host.environment["COMFYWATCHMAN_NOTIFY_URLS_FILE"] = str(urls)
        assert people.host.run().returncode == 0
        # What hangs is given up after ten seconds, and noted: that has not come yet.
        assert kept.failing(people.host.state) == []
        with Outbox(people.host.state, readonly=True) as outbox:
            deliveries = {each.channel: each for each in outbox.deliveries()}
        assert (deliveries["apprise"].state, deliveries["apprise"].tries) == (State.PENDING, 0)
        wait_for(lambda: len(hangs.came) == 2 and len(works.pushes) == 2 and bool(people.told))
        assert hangs.pushes == []
        hang.set()
        with lock.make(people.host.state / state_files.NOTIFY_LOCK).acquire(timeout=60):
            pass
        people.cycle()  # should the machine have been so slow that they were given up
    with Outbox(people.host.state, readonly=True) as outbox:
        assert {each.state for each in outbox.deliveries()} == {State.SENT}
    assert (len(works.pushes), people.topics) == (2, ["summary"])


def test_nothing_is_put_by_where_nobody_is_to_be_told(host: Host, server: StandIn) -> None:
    done = host.run(comfyui_url=server.url, min_free_vram="0")
    assert done.returncode == 0
    assert host.latest["notices"] is None


def test_cycles_that_fail_and_are_done_again(people: People) -> None:
    people.cycle()
    crash = (
        "import sys; from comfywatchman import cli; from comfywatchman.cycle import graph\n"
        "def fail(*given): raise ValueError\n"
        "graph.summarize = fail\n"
        "sys.exit(cli.main())"
    )
    usual = people.host.program
    for _ in range(3):
        people.host.program = ["-c", crash]
        assert people.host.run("--run-check").returncode == 70
        people.host.program = usual
        people.host.run("notify", "--send")
    assert people.topics == ["summary", "cycles_failing"]
    people.cycle()
    assert people.topics == ["summary", "cycles_failing", "mended"]


def test_nothing_is_told_while_it_is_quiet(people: People) -> None:
    people.cycle()
    begun = people.host.run("quiet", "until", "2h")
    assert begun.returncode == 0, begun.stderr
    people.save("good.json", BROKEN)
    people.cycle()
    assert people.topics == ["summary"]
    people.save("good.json", RUNNABLE)
    people.cycle()
    assert people.host.run("quiet", "--end").returncode == 0
    people.cycle()
    assert people.topics == ["summary"]
    people.save("good.json", BROKEN)
    people.cycle()
    assert people.topics == ["summary", "worse"]


def test_the_server_is_looked_at_again_before_it_is_said_to_have_lost_its_nodes(
    people: People, server: StandIn
) -> None:
    for number in range(6):
        people.save(f"{number}.json", NEEDS_A_MODEL)
    people.cycle()
    lacking = copy.deepcopy(dict(recorded_node_types("full")))
    del lacking["VAEDecode"]
    server.object_info = lacking
    assert people.host.run().returncode == 0
    at_once(people.host)
    server.object_info = None
    assert "had VAEDecode again" in people.host.run("notify", "--send").stderr
    people.cycle()
    assert people.topics == ["summary"]
    server.object_info = lacking
    assert people.host.run().returncode == 0
    at_once(people.host)
    people.cycle()
    people.cycle()
    assert people.topics == ["summary", "worse"]
    assert "the server lost its custom nodes? 6 of 8 workflows got worse at once" in people.told[1]


def at_once(host: Host) -> None:
    """Have the second look due: nobody waits for a minute here."""
    from datetime import UTC, datetime

    from comfywatchman.history import packing

    with Outbox(host.state) as outbox:
        [message] = outbox.pending("command")
        assert message.doubt is not None
        now = message.doubt.model_copy(update={"not_before": datetime.now(UTC)})
        due = packing.pack(message.model_copy(update={"doubt": now}).as_json())
        change = "UPDATE message SET content = ? WHERE id = ?"
        outbox._write(lambda connection: connection.execute(change, (due, message.id)))


def test_names_forge_nothing(people: People) -> None:
    people.cycle()
    people.save("x\nReport: http:\u2028evil\x1b[2J|summary.json", BROKEN)
    people.cycle()
    [_, told] = people.told
    assert told.startswith("new_broken|")
    assert told.isprintable()


KILLED = """
import os, signal, sys
from importlib import import_module
name, function, when = {step!r}
from comfywatchman import cli
thing = import_module(name)
*path, last = function.split(".")
for each in path:
    thing = getattr(thing, each)
usual = getattr(thing, last)
def killed(*given, **named):
    if when == "after":
        usual(*given, **named)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(thing, last, killed)
sys.exit(cli.main())
"""
OF_A_CYCLE = [
    ("comfywatchman.report.store", "ReportStore.publish", "before"),
    ("comfywatchman.report.store", "ReportStore.publish", "after"),
    ("comfywatchman.cycle.memory", "Memory.tell", "after"),
    ("comfywatchman.history.writing", "write", "after"),
    ("comfywatchman.events.outbox", "keep", "after"),
    ("comfywatchman.events.outbox", "put", "after"),
    ("comfywatchman.cycle.memory", "Memory.remember", "after"),
    ("comfywatchman.report.store", "ReportStore.finish", "before"),
    ("comfywatchman.report.store", "ReportStore.finish", "after"),
]
OF_SENDING = [
    ("comfywatchman.channels.sending.sender", "Round.jobs", "before"),
    ("comfywatchman.channels.sending.trying", "attempt", "before"),
    ("comfywatchman.channels.sending.trying", "attempt", "after"),
    ("comfywatchman.channels.sending.kept", "Kept.write", "before"),
    ("comfywatchman.channels.sending.kept", "Kept.write", "after"),
    ("comfywatchman.events.outbox", "Outbox.sent", "before"),
    ("comfywatchman.events.outbox", "Outbox.sent", "after"),
    ("comfywatchman.channels.sending.sender", "Round.end", "before"),
]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[People, Path, Path]]:
    """People who have heard the summary, and the state when a workflow broke, and a cycle later."""
    folder = tmp_path_factory.mktemp("people")
    with StandIn(state="full") as server:
        people = People(make_host(folder), server, folder)
        people.cycle()
        people.save("good.json", BROKEN)
        before = shutil.copytree(people.host.state, folder / "before")
        assert people.host.run().returncode == 0
        yield people, before, shutil.copytree(people.host.state, folder / "waiting")


@pytest.fixture
def before_it_broke(prepared: tuple[People, Path, Path]) -> People:
    people, before, _ = prepared
    return put_back(people, before)


@pytest.fixture
def before_it_is_sent(prepared: tuple[People, Path, Path]) -> People:
    people, _, waiting = prepared
    return put_back(people, waiting)


def put_back(people: People, state: Path) -> People:
    """Nobody has heard of what is broken now, and the state is as it was then."""
    shutil.rmtree(people.host.state)
    shutil.copytree(state, people.host.state)
    people.file.with_name("channel.told").unlink(missing_ok=True)
    return people


@pytest.mark.parametrize("step", OF_A_CYCLE, ids=":".join)
def test_what_a_cycle_that_was_killed_found_is_told_once(
    before_it_broke: People, step: tuple[str, str, str]
) -> None:
    people = before_it_broke
    killed(people.host, step, "--run-check")
    assert people.host.run().returncode == 0
    people.cycle()
    assert people.topics == ["worse"]


@pytest.mark.parametrize("step", OF_SENDING, ids=":".join)
def test_what_was_killed_while_it_was_sent_is_told_at_most_twice(
    before_it_is_sent: People, step: tuple[str, str, str]
) -> None:
    people = before_it_is_sent
    killed(people.host, step, "notify", "--send")
    for _ in range(2):
        assert people.host.run("notify", "--send").returncode == 0
    assert people.topics in (["worse"], ["worse"] * 2)


def test_k_kills_tell_it_k_times_more_at_most(before_it_is_sent: People) -> None:
    people = before_it_is_sent
    sent = ("comfywatchman.channels.sending.trying", "attempt", "after")
    for _ in range(3):
        killed(people.host, sent, "notify", "--send")
    people.cycle()
    assert people.topics == ["worse"] * 4


def killed(host: Host, step: tuple[str, str, str], *arguments: str) -> None:
    """Run the program, which is killed at a step."""
    usual, host.program = host.program, ["-c", KILLED.format(step=step)]
    assert host.run(*arguments).returncode == -signal.SIGKILL
    host.program = usual
