"""The controller's watch: what it tells of a fleet, once, whatever happens in between."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman.fleet import command as fleet
from comfywatchman.state import CHANGE_VARIABLES
from tests.unit.channels.sending import test_relaying
from tests.unit.collection import ansible
from tests.unit.fleet import sample
from tests.unit.role import collection

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = collection.ROLE / "files" / "watch.py"
PLAYBOOKS = ansible.CHECKOUT / "playbooks"
# In place of ansible-playbook: puts a picture there that is made, and notes down how it was run.
LOOK = """
import json, os, pathlib, sys
here = pathlib.Path(sys.argv[1])
try:
    os.close(os.open("/dev/tty", os.O_RDWR))
    asks = True
except OSError:
    asks = bool(sys.stdin.read())
(here / "looked.json").write_text(json.dumps({"argv": sys.argv[2:], "asks": asks}))
if not (here / "picture.json").exists():
    sys.exit("ERROR! no hosts")
vars = json.loads(sys.argv[-1].partition("=")[2])
folder = pathlib.Path(vars["comfywatchman_fleet_dir"])
folder.mkdir(exist_ok=True)
(folder / "new").write_bytes((here / "picture.json").read_bytes())
(folder / "new").rename(folder / "fleet.json")
sys.exit(2)
"""
# In place of mail or the like: keeps what it is told, unless it shall fail.
TELL = """
import json, os, pathlib, sys
here = pathlib.Path(sys.argv[1])
names = [name for name in os.environ if name.startswith("COMFYWATCHMAN_")]
told = {name: os.environ[name] for name in names} | {"text": sys.stdin.read()}
if (here / "deaf").exists():
    sys.exit(3)
with (here / "told").open("a") as file:
    file.write(json.dumps(told) + "\\n")
"""
SILENT = {"unreachable": True, "failure": "no route to host"}


class Watch:
    """A watch in a folder, that looks at pictures instead of hosts."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.place = folder / "comfywatchman.watch", folder
        self.folder.mkdir()
        self.settings: dict[str, Any] = {
            "command": [sys.executable, "-c", LOOK, str(folder)],
            "environment": {"NO_COLOR": "1"},
            "ping_url_file": "",
            "relay": [],
            "run_in": str(folder),
            "tell": [sys.executable, "-c", TELL, str(folder)],
        }

    def sees(self, *hosts: dict[str, Any]) -> None:
        """What the hosts answer from now on."""
        made = sample.write(self.place / "answers", hosts)
        (self.place / "picture.json").write_text(fleet.as_json(fleet.make(made)))

    def run(self) -> subprocess.CompletedProcess[str]:
        (self.folder / "settings.json").write_text(json.dumps(self.settings))
        done = subprocess.run(
            [sys.executable, PROGRAM, self.folder], capture_output=True, text=True, cwd="/"
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def looks(self) -> list[str]:
        """Topics of what it tells when it looks once more."""
        before = len(self.told())
        done = self.run()
        assert done.returncode == 0, done.stderr
        return [told["COMFYWATCHMAN_TOPICS"] for told in self.told()[before:]]

    def told(self) -> list[dict[str, str]]:
        file = self.place / "told"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    return Watch(tmp_path)


def well(name: str, **more: Any) -> dict[str, Any]:
    """A host that has just answered."""
    now = time.time()
    report = sample.report({"a.json": "runnable"}, now - sample.HOUR)
    answered = {"asked_at": now, "collected_at": now, "status": status(), "report": report}
    return sample.host(name, **answered | more)


def status() -> dict[str, Any]:
    return sample.status(time.time())


def test_each_change_is_told_once(watch: Watch) -> None:
    watch.sees(well("a"), well("b"))
    assert watch.looks() == ["summary"]
    assert watch.told()[0]["text"] == "watching 2 hosts: 2 well\n"
    assert watch.looks() == []
    watch.sees(well("a"), well("b", **SILENT))
    assert watch.looks() == ["silent"]
    told = watch.told()[-1]
    assert set(told) >= {*CHANGE_VARIABLES, "COMFYWATCHMAN_HOST"}  # as on_change_command has them
    assert told["COMFYWATCHMAN_SUBJECT"] == "b fell silent"
    assert told["COMFYWATCHMAN_PRIORITY"] == "warning"
    assert told["COMFYWATCHMAN_REPORT"] == str(watch.folder / "fleet-report" / "fleet.html")
    assert "no route to host" in told["text"]
    assert watch.looks() == []
    watch.sees(well("a"), well("b"))
    assert watch.looks() == ["well"]
    assert watch.told()[-1]["COMFYWATCHMAN_PRIORITY"] == "notice"
    assert "b is well again" in watch.told()[-1]["text"]


def test_another_problem_of_a_host_is_told_and_one_that_ends_is_not(watch: Watch) -> None:
    dead = status()
    dead["timer"]["sub"] = "dead"
    failed = {**dead, "service": {**dead["service"], "active": "failed", "result": "oom-kill"}}
    watch.sees(well("a", status=dead))
    assert watch.looks() == ["summary"]
    watch.sees(well("a", status=failed))
    assert watch.looks() == ["problem"]
    watch.sees(well("a", status=dead))
    assert watch.looks() == []


def test_all_hosts_at_once_are_one_message_with_a_likely_cause(watch: Watch) -> None:
    names = [f"gpu{number:02}" for number in range(40)]
    watch.sees(*map(well, names))
    watch.looks()
    watch.sees(*(well(name, **SILENT) for name in names))
    assert watch.looks() == ["silent"]
    told = watch.told()[-1]
    assert told["COMFYWATCHMAN_SUBJECT"] == "40 hosts fell silent"
    assert "and 30 more" in told["text"]
    assert "the controller's own network" in told["text"]


def test_what_nobody_took_is_told_again(watch: Watch) -> None:
    watch.sees(well("a"))
    watch.looks()
    watch.sees(well("a", **SILENT))
    (watch.place / "deaf").touch()
    for _ in range(2):
        done = watch.run()
        assert done.returncode == 1
        assert "will be tried again" in done.stderr
        assert "exit code 3" in done.stderr
    (watch.place / "deaf").unlink()
    assert watch.looks() == ["silent"]
    assert watch.looks() == []


@pytest.mark.parametrize("command", [["/nowhere"], ["/bin/sh\0"], ["/bin/false"]])
def test_a_program_that_is_none_is_told_as_such(watch: Watch, command: list[str]) -> None:
    watch.settings["tell"] = command
    watch.sees(well("a"))
    done = watch.run()
    assert done.returncode == 1
    assert command[0].strip("\0") in done.stderr
    assert "watching 1 host: 1 well" in done.stdout


def test_channels_are_told_once_whenever_they_are_there(watch: Watch) -> None:
    (watch.place / "channels").mkdir()
    channels = test_relaying.Relay(watch.place / "channels")
    relay = [sys.executable, "-m", "comfywatchman.cli", "notify", "--relay"]
    watch.settings["relay"] = [*relay, f"--config={channels.config}"]
    watch.sees(well("a"), well("b"))
    assert watch.looks() == ["summary"]
    assert channels.told == ["watching 2 hosts: 2 well"]
    # The program takes nothing, and so is told again; the channel has it.
    (watch.place / "deaf").touch()
    watch.sees(well("a"), well("b", **SILENT))
    for _ in range(2):
        assert watch.run().returncode == 1
    (watch.place / "deaf").unlink()
    assert watch.looks() == ["silent"]
    assert channels.told[1:] == ["b fell silent"]
    # The channel takes nothing, and has it after a later look.
    channels.down.touch()
    watch.sees(well("a"), well("b"))
    assert watch.looks() == ["well"]
    assert channels.told[2:] == []
    channels.down.unlink()
    assert watch.looks() == []
    assert watch.looks() == []
    assert channels.told[2:] == ["b is well again"]
    # The same once more is another message.
    watch.sees(well("a"), well("b", **SILENT))
    assert watch.looks() == ["silent"]
    assert channels.told[3:] == ["b fell silent"]


def test_hosts_that_cannot_be_looked_at_are_told_once(watch: Watch) -> None:
    watch.sees(well("a"))
    watch.looks()
    (watch.place / "picture.json").rename(watch.place / "kept")
    for _ in range(2):
        done = watch.run()
        assert done.returncode == 1
    assert [told["COMFYWATCHMAN_TOPICS"] for told in watch.told()] == ["summary", "watch_failed"]
    assert "ERROR! no hosts" in watch.told()[-1]["text"]
    (watch.place / "kept").rename(watch.place / "picture.json")
    assert watch.looks() == ["watch_works"]
    assert watch.looks() == []


@pytest.mark.parametrize(
    "given", [{"command": ["/nowhere"]}, {"run_in": "/nowhere"}, {"command": ["/bin/true"]}]
)
def test_an_ansible_that_does_not_run_is_told(watch: Watch, given: dict[str, Any]) -> None:
    watch.settings |= given
    assert watch.run().returncode == 1
    assert [told["COMFYWATCHMAN_TOPICS"] for told in watch.told()] == ["watch_failed"]


@pytest.mark.parametrize("content", ["", "[]", '{"hosts": []}', "\0"])
def test_damaged_files_are_no_end(watch: Watch, content: str) -> None:
    watch.sees(well("a"))
    (watch.folder / "told.json").write_text(content)
    assert watch.looks() == ["summary"]
    (watch.place / "picture.json").write_text(content)
    assert watch.run().returncode == 1
    assert "cannot be read" in watch.told()[-1]["text"]


def test_nobody_is_asked_for_anything(watch: Watch) -> None:
    watch.sees(well("a"))
    watch.looks()
    looked = json.loads((watch.place / "looked.json").read_text())
    assert looked["asks"] is False
    assert "--ssh-extra-args=-o BatchMode=yes" in looked["argv"]


def test_a_difference_is_told_once_also_if_a_host_was_silent_in_between(watch: Watch) -> None:
    pack = {"version": "1.0", "commit": None, "node_types": 3, "enabled": True}
    old = sample.known_inventory({}, {"PACK": pack})
    new = sample.known_inventory({}, {"PACK": {**pack, "version": "2.0"}})
    watch.sees(well("a", inventory=old), well("b", inventory=old))
    watch.looks()
    watch.sees(well("a", inventory=old), well("b", inventory=new))
    assert watch.looks() == ["differs"]
    assert "pack PACK: 1.0 on a; 2.0 on b" in watch.told()[-1]["text"]
    watch.sees(well("a", inventory=old), well("b", inventory=new, **SILENT))
    assert watch.looks() == ["silent"]
    watch.sees(well("a", inventory=old), well("b", inventory=new))
    assert watch.looks() == ["well"]
    watch.sees(well("a", inventory=new), well("b", inventory=new))
    assert watch.looks() == []
    watch.sees(well("a", inventory=old), well("b", inventory=new))
    assert watch.looks() == ["differs"]


class Switch(HTTPServer):
    """A stand-in for a dead man's switch."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, str]] = []
        self.status, self.text = 200, "OK"
        switch = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length).decode()
                switch.heard.append((self.command, self.path, body))
                self.send_response(switch.status)
                self.send_header("Content-Length", str(len(switch.text)))
                self.end_headers()
                self.wfile.write(switch.text.encode())

            do_GET = do_POST  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)


@pytest.fixture
def switch() -> Iterator[Switch]:
    with Switch() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ping_by(watch: Watch, url: str, mode: int = 0o600) -> None:
    file = watch.place / "ping"
    file.write_text(url + "\n")
    file.chmod(mode)
    watch.settings["ping_url_file"] = str(file)


def test_the_dead_mans_switch_hears_whether_all_is_well(watch: Watch, switch: Switch) -> None:
    ping_by(watch, f"http://127.0.0.1:{switch.server_port}/key/farm?create=1")
    watch.sees(well("a"))
    watch.looks()
    watch.sees(well("a", **SILENT))
    watch.looks()
    (watch.place / "picture.json").unlink()
    assert watch.run().returncode == 1
    paths = [path.partition("&rid=") for _, path, _ in switch.heard]
    ends = ["/start", "", "/start", "/fail", "/start", "/fail"]
    assert [path for path, *_ in paths] == [f"/key/farm{end}?create=1" for end in ends]
    runs = [run for *_, run in paths]
    assert runs[0] == runs[1] != runs[2] == runs[3]
    bodies = [body.partition("\n")[0] for _, _, body in switch.heard]
    assert bodies[1::2] == [
        "watching 1 host: 1 well",
        "watching 1 host: 1 silent",
        "the hosts could not be looked at",
    ]


def test_a_push_address_is_told_in_its_own_way(watch: Watch, switch: Switch) -> None:
    address = "push/secret?status={status}&msg={msg}&ping={ping}"
    ping_by(watch, f"http://127.0.0.1:{switch.server_port}/{address}")
    watch.sees(well("a", **SILENT))
    watch.looks()
    ((method, path, _),) = switch.heard
    assert method == "GET"
    assert path.startswith("/push/secret?status=down&msg=watching%201%20host%3A%201%20silent&ping=")


@pytest.mark.parametrize(
    ("url", "mode", "said"),
    [
        ("http://127.0.0.1:9/secret", 0o600, "cannot be reached: [Errno"),
        ("http://secret.invalid\x7f/", 0o600, "cannot be reached"),
        ("http://[secret", 0o600, "cannot be reached"),
        ("http://:secret@/", 0o600, "cannot be reached"),
        ("ftp://127.0.0.1/secret", 0o600, "must hold an address"),
        ("", 0o600, "must hold an address"),
        ("http://127.0.0.1:9/secret", 0o640, "chmod 0600"),
    ],
)
def test_a_switch_that_does_not_hear_is_told_without_its_address(
    watch: Watch, url: str, mode: int, said: str
) -> None:
    ping_by(watch, url, mode)
    watch.sees(well("a"))
    done = watch.run()
    assert done.returncode == 1
    assert said in done.stderr
    assert "secret" not in (done.stdout + done.stderr).replace("holds a secret", "")
    assert [told["COMFYWATCHMAN_TOPICS"] for told in watch.told()] == ["summary"]
    assert watch.run().returncode == 1
    assert len(watch.told()) == 1


@pytest.mark.parametrize(
    ("status", "text", "said"),
    [
        (404, "not found", "HTTP 404"),
        (409, "ambiguous slug", "several checks have this slug"),
        (503, "", "HTTP 503"),
        # By a UUID, Healthchecks says so only here.
        (200, "OK (not found)", "there is no such check"),
    ],
)
def test_a_switch_that_refuses_is_told(
    watch: Watch, switch: Switch, status: int, text: str, said: str
) -> None:
    switch.status, switch.text = status, text
    ping_by(watch, f"http://127.0.0.1:{switch.server_port}/secret")
    watch.sees(well("a"))
    done = watch.run()
    assert (done.returncode, said in done.stderr) == (1, True), done.stderr
    assert "secret" not in done.stdout + done.stderr


def test_it_looks_by_the_playbook(watch: Watch) -> None:
    hosts = {"here": ansible.HERE, "there": ansible.HERE}
    inventory = ansible.inventory(watch.place / "hosts.json", hosts)
    watch.settings["command"] = [sys.executable, "-m", "ansible", "playbook", f"-i{inventory}"]
    watch.settings["command"].append(str(PLAYBOOKS / "status.yml"))
    watch.settings["environment"] = {
        "ANSIBLE_CONFIG": str(ansible.CHECKOUT / "ansible.cfg"),
        "HOME": str(watch.place),
    }
    assert watch.looks() == ["summary"]
    assert watch.told()[0]["text"].startswith("watching 2 hosts: 2 silent\n\nhere: ")
    assert watch.looks() == []
    assert {f.name for f in watch.place.iterdir()} >= {"hosts.json", "told"}
    modes = {path.stat().st_mode & 0o077 for path in watch.folder.rglob("*.html")}
    assert modes == {0}


@pytest.mark.skipif(Path("/run/systemd/system").exists(), reason="it would be set up here")
def test_without_systemd_it_is_refused_and_nothing_made(tmp_path: Path) -> None:
    hosts = ansible.inventory(tmp_path / "hosts.json")
    before = sorted(Path("/var/lib").iterdir())
    command = ["ansible-playbook", "-i", hosts, PLAYBOOKS / "watch.yml"]
    done = ansible.run(*command, cwd=tmp_path, home=tmp_path)
    assert done.returncode == 2
    assert "The watch needs systemd" in " ".join(done.stdout.split()), done.stdout
    assert sorted(Path("/var/lib").iterdir()) == before
    assert [file.name for file in tmp_path.iterdir() if file.name[0] != "."] == ["hosts.json"]
