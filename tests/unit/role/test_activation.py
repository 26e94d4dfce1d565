"""The module that activates a release, run for real on stand-ins of releases, without systemd."""

from __future__ import annotations

import json
import os
import pwd
import re
import shlex
import signal
import stat
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman import state_files
from comfywatchman.host import OWNER, claim
from comfywatchman.host import Host as Signs
from tests.unit import release_folder
from tests.unit.role import collection

if TYPE_CHECKING:
    from pathlib import Path

USER = pwd.getpwuid(os.getuid()).pw_name
# A stand-in for a release's Python: does what the file `told` in the release says.
PYTHON = """#!/bin/sh
told=$(cat "${0%/venv/*}/told")
case $1 in
-ISc) echo VERSION && exit ;;
-Ic)
    for file in "$3" "${3%/*}/accepted.team.toml"; do
        if grep -qs unknown "$file"; then
            echo "$file: unknown: no such setting" >&2
            exit 1
        fi
    done
    exit 0
    ;;
esac
test "$*" = '-m comfywatchman.cli --run-check' || exit 2
sed "s/^/$told: /" "$COMFYWATCHMAN_CONFIG" >>STATE/checks
case $told in
good) outcome='"done"' code=0 ;;
bad) outcome='"failed", "reason": "no such luck"' code=1 ;;
mute) echo 'it fell over' >&2; exit 3 ;;
slow) sleep 600 ;;
esac
now=$(date -u +%Y-%m-%dT%H:%M:%S+00:00)
printf '{"pid": %s, "started_at": "%s", "outcome": %s}' $$ "$now" "$outcome" >STATE/last-run.json
exit $code
"""


class Host:
    """Folders as on a host, in which releases are activated."""

    def __init__(self, top: Path) -> None:
        self.root, self.config, self.state = top / "root", top / "config", top / "state"
        self.paths = {
            "root": str(self.root),
            "config": str(self.config),
            "state": str(self.state),
            "units": str(top / "units"),
        }

    def build(self, release: str, told: str = "good") -> None:
        """What the role has built before it activates a release."""
        python = PYTHON.replace("STATE", shlex.quote(str(self.state)))
        python = python.replace("VERSION", release_folder.VERSION)
        release_folder.build(self.release(release), python)
        self.tell(release, told)

    def release(self, release: str) -> Path:
        return self.root / "releases" / release

    def tell(self, release: str, told: str) -> None:
        (self.release(release) / "told").write_text(told)

    def start(self, **arguments: Any) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            collection.command("activation"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env=collection.environment(),
        )
        here = {"scope": "user", "scheduler": "apscheduler", "user": USER}
        assert process.stdin is not None
        process.stdin.write(json.dumps({**here, "paths": self.paths, **arguments}))
        process.stdin.close()
        process.stdin = None
        return process

    def run(self, **arguments: Any) -> dict[str, Any]:
        process = self.start(**arguments)
        output, error = process.communicate(timeout=60)
        assert error == ""
        result: dict[str, Any] = json.loads(output)
        assert process.returncode == (1 if result.get("failed") else 0)
        return result

    def activate(self, release: str, **arguments: Any) -> dict[str, Any]:
        return self.run(**{"release": release, "settings": f"of = '{release}'\n", **arguments})

    def go_back(self, release: str = "") -> dict[str, Any]:
        return self.run(state="rolled_back", release=release)

    def lose_power(self, release: str, **arguments: Any) -> None:
        """Activate a release and kill everything in the middle of its proof."""
        self.tell(release, "slow")
        checks = len(self.checks())
        process = self.start(**{"release": release, "settings": f"of = '{release}'\n", **arguments})
        try:
            give_up = time.monotonic() + 60
            while len(self.checks()) == checks:
                assert process.poll() is None
                assert time.monotonic() < give_up
                time.sleep(0.02)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        assert (self.root / "unproven").exists()

    def checks(self) -> list[str]:
        """What was run as a proof: what the release was told, and its settings."""
        path = self.state / "checks"
        return path.read_text().splitlines() if path.exists() else []

    def links(self) -> tuple[str | None, str | None]:
        links = [self.root / "current", self.root / "previous"]
        current, previous = (x.readlink().name if x.is_symlink() else None for x in links)
        return current, previous

    def rejection(self, release: str) -> dict[str, Any] | None:
        path = self.release(release) / ".rejected"
        found: dict[str, Any] | None = json.loads(path.read_text()) if path.exists() else None
        return found

    def active(self) -> dict[str, tuple[int, str]]:
        """All that is active: mode and content of files, targets of links."""
        files = [path for path in self.config.rglob("*") if path.is_file() and path.name != OWNER]
        found = {
            str(path.relative_to(self.config)): (
                stat.S_IMODE(path.stat().st_mode),
                path.read_text(),
            )
            for path in files
        }
        for name, target in zip(("current", "previous"), self.links(), strict=True):
            found[name] = 0, str(target)
        if (self.root / "unproven").exists():
            found["unproven"] = 0, ""
        return found

    def everything(self) -> dict[str, Any]:
        """Each path below the host's folders, with its content and the time of its last change."""
        top = self.root.parent
        return {
            str(path.relative_to(top)): (
                str(path.readlink())
                if path.is_symlink()
                else (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else None)
            )
            for path in sorted(top.rglob("*"))
        }


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host on which 1.0-a is built and nothing is active."""
    host = Host(tmp_path)
    host.build("1.0-a")
    return host


@pytest.fixture
def host_with_two(host: Host) -> Host:
    """A host on which 2.0-b is active, with a token, after 1.0-a."""
    host.build("2.0-b")
    assert host.activate("1.0-a")["changed"]
    assert host.activate("2.0-b", credentials={"comfyui_token": "two"})["changed"]
    assert host.links() == ("2.0-b", "1.0-a")
    return host


def test_activation_tells_in_check_mode_then_writes_proves_and_then_changes_nothing(
    host: Host,
) -> None:
    token = {"credentials": {"comfyui_token": "secret word"}}
    before = host.everything()
    told = host.activate("1.0-a", **token, _ansible_check_mode=True, _ansible_diff=True)
    assert host.everything() == before
    assert told["changed"]

    done = host.activate("1.0-a", **token, _ansible_diff=True)
    assert (done["release"], done["before"]) == ("1.0-a", None)
    assert (
        done["actions"]
        == told["actions"]
        == [
            f"write {host.config}/config.toml",
            f"write {host.config}/comfyui_token",
            "activate release 1.0-a",
            f"make {host.state}",
            "note down that the folders are this host's",
            "run one check as a proof",
        ]
    )
    assert [one["after_header"] for one in done["diff"]] == [f"{host.config}/config.toml"]
    assert "secret word" not in json.dumps([told, done])
    assert host.active() == {
        "config.toml": (0o600, "of = '1.0-a'\n"),
        "comfyui_token": (0o600, "secret word"),
        "current": (0, "1.0-a"),
        "previous": (0, "None"),
    }
    assert host.checks() == ["good: of = '1.0-a'"]
    assert stat.S_IMODE(host.state.stat().st_mode) == 0o700
    assert (host.release("1.0-a") / "config.toml").read_text() == "of = '1.0-a'\n"

    before = host.everything()
    again = host.activate("1.0-a", **token)
    assert (again["changed"], again["actions"]) == (False, [])
    assert host.everything() == before

    (host.config / "comfyui_token").chmod(0o644)
    assert host.activate("1.0-a", **token)["actions"][0] == f"write {host.config}/comfyui_token"
    assert stat.S_IMODE((host.config / "comfyui_token").stat().st_mode) == 0o600

    gone = host.activate("1.0-a")
    assert gone["actions"] == [f"remove {host.config}/comfyui_token", "run one check as a proof"]
    assert "comfyui_token" not in host.active()


def test_what_a_team_accepts_is_beside_the_settings_and_the_hosts_own_stays(host: Host) -> None:
    team = {"accepted": "# reviewed\n"}
    done = host.activate("1.0-a", **team, _ansible_diff=True)
    assert f"write {host.config}/accepted.team.toml" in done["actions"]
    assert [one["after"] for one in done["diff"]] == ["of = '1.0-a'\n", "# reviewed\n"]
    own = host.config / "accepted.toml"
    own.write_text("# ours\n")
    own.chmod(0o600)
    assert host.active()["accepted.team.toml"] == (0o600, "# reviewed\n")
    assert not host.activate("1.0-a", **team)["changed"]

    host.build("2.0-b")
    host.activate("2.0-b", accepted="# anew\n")
    host.go_back()
    assert host.active()["accepted.team.toml"] == (0o600, "# anew\n")  # the host's, as secrets are
    refused = host.activate("1.0-a", accepted="unknown = 1\n")
    assert refused["msg"] == (
        "ComfyWatchman does not accept its settings: "
        f"{host.config}/accepted.team.toml: unknown: no such setting\nNothing was changed."
    )
    host.tell("2.0-b", "bad")
    assert host.activate("2.0-b", accepted="# worse\n")["failed"]
    assert host.active()["accepted.team.toml"] == (0o600, "# anew\n")

    gone = host.activate("1.0-a")
    assert gone["actions"][0] == f"remove {host.config}/accepted.team.toml"
    assert "accepted.team.toml" not in host.active()
    assert host.active()["accepted.toml"] == (0o600, "# ours\n")


def test_what_is_refused_changes_nothing(host_with_two: Host) -> None:
    host = host_with_two
    host.build("3.0-c")
    (host.root / "unproven").write_text("not what it should be")
    before = host.everything()
    refused = host.activate("3.0-c", settings="unknown = 1\n", credentials={})
    assert refused["msg"] == (
        "ComfyWatchman does not accept its settings: "
        f"{host.config}/config.toml: unknown: no such setting\nNothing was changed."
    )
    del before["root/releases/3.0-c"]  # the settings were staged there
    now = host.everything()
    del now["root/releases/3.0-c"]
    assert now == before

    first = Host(host.root.parent / "first")
    first.build("1.0-a")
    assert "Nothing was changed." in first.activate("1.0-a", settings="unknown = 1\n")["msg"]
    assert sorted(path.name for path in first.root.parent.iterdir()) == ["root"]
    assert "Nothing was changed." in first.activate("9.9-z")["msg"]
    assert [path.name for path in (first.root / "releases").iterdir()] == ["1.0-a"]


def test_a_failing_proof_puts_everything_back(host_with_two: Host) -> None:
    host = host_with_two
    before = host.active()
    host.build("3.0-c", "bad")
    failed = host.activate("3.0-c", credentials={"comfyui_basic_auth": "three"})
    assert failed["msg"] == (
        "The check that was to prove release 3.0-c failed: no such luck\n"
        "Active again, as before: release 2.0-b."
    )
    assert host.checks()[-1] == "bad: of = '3.0-c'"
    assert host.active() == before
    rejection = host.rejection("3.0-c")
    assert rejection is not None
    assert (rejection["reason"], rejection["failed"]) == ("no such luck", True)

    host.tell("2.0-b", "mute")
    failed = host.activate("2.0-b", settings="other = 1\n")
    assert "failed: it fell over\nActive again, as before: release 2.0-b." in failed["msg"]
    assert host.active() == before
    assert host.rejection("2.0-b") is None

    host.tell("1.0-a", "bad")
    failed = host.activate("1.0-a")
    assert "Active again, as before: release 2.0-b." in failed["msg"]
    assert host.links() == ("2.0-b", None)  # 1.0-a is nothing to go back to any more

    host.tell("3.0-c", "good")
    assert host.activate("3.0-c")["changed"]
    assert host.links() == ("3.0-c", "2.0-b")
    assert host.rejection("3.0-c") is None


def test_a_first_release_that_fails_leaves_nothing_active(host: Host) -> None:
    host.tell("1.0-a", "bad")
    failed = host.activate("1.0-a", credentials={"comfyui_token": "one"})
    assert failed["msg"].endswith("failed: no such luck\nNothing is active.")
    assert host.active() == {"current": (0, "None"), "previous": (0, "None")}
    assert host.rejection("1.0-a") is not None


def test_an_error_of_the_host_puts_everything_back_and_blames_no_release(host: Host) -> None:
    host.config.write_text("where a folder should be")
    failed = host.activate("1.0-a")
    assert failed["msg"].startswith(f"{host.config}/")
    assert failed["msg"].endswith(": Not a directory\nNothing is active.")
    assert host.active() == {"current": (0, "None"), "previous": (0, "None")}
    assert host.rejection("1.0-a") is None


def test_after_a_power_cut_a_release_that_fails_is_left_for_the_one_before(
    host_with_two: Host,
) -> None:
    host = host_with_two
    before = host.active()
    host.build("3.0-c")
    token = {"credentials": {"comfyui_token": "three", "comfyui_basic_auth": "three"}}
    host.lose_power("3.0-c", **token)
    assert host.links() == ("3.0-c", "2.0-b")
    assert stat.S_IMODE((host.root / "unproven").stat().st_mode) == 0o600  # it holds secrets

    host.tell("3.0-c", "bad")
    failed = host.activate("3.0-c", **token)
    assert "no such luck\nActive again, as before: release 2.0-b." in failed["msg"]
    assert host.active() == before
    assert host.rejection("3.0-c") is not None
    assert host.links() == ("2.0-b", "1.0-a")

    # Half of the files were written, and then it is another release that fails.
    host.lose_power("3.0-c", **token)
    (host.config / "comfyui_token").write_text("two")
    (host.root / "previous").replace(host.root / "current")
    host.build("4.0-d", "bad")
    failed = host.activate("4.0-d", credentials={"comfyui_token": "four"})
    assert (
        "release 4.0-d failed: no such luck\nActive again, as before: release 2.0-b."
        in (failed["msg"])
    )
    assert host.active() == before

    # A change of settings alone: the release is not the one to blame.
    host.lose_power("2.0-b", settings="other = 1\n")
    host.tell("2.0-b", "bad")
    failed = host.activate("2.0-b", settings="other = 1\n")
    assert "Active again, as before: release 2.0-b." in failed["msg"]
    assert host.active() == before
    assert host.rejection("2.0-b") is None


def test_after_a_power_cut_nothing_stays_active_if_there_was_nothing_that_runs(host: Host) -> None:
    host.lose_power("1.0-a", credentials={"comfyui_token": "one"})
    assert host.links() == ("1.0-a", None)
    host.tell("1.0-a", "bad")
    failed = host.activate("1.0-a", credentials={"comfyui_token": "one"})
    assert failed["msg"].endswith("failed: no such luck\nNothing is active.")
    assert host.active() == {"current": (0, "None"), "previous": (0, "None")}
    assert host.rejection("1.0-a") is not None

    host.tell("1.0-a", "good")
    host.activate("1.0-a")
    host.build("2.0-b")
    host.lose_power("2.0-b")
    (host.release("1.0-a") / ".complete").unlink()
    host.tell("2.0-b", "bad")
    assert host.activate("2.0-b")["msg"].endswith("Nothing is active.")
    assert host.links() == (None, None)


def test_after_a_power_cut_a_release_is_proven_all_the_same(host_with_two: Host) -> None:
    host = host_with_two
    host.build("3.0-c")
    host.lose_power("3.0-c")
    host.tell("3.0-c", "good")
    told = host.activate("3.0-c", _ansible_check_mode=True)
    done = host.activate("3.0-c")
    assert done["actions"] == told["actions"] == ["run one check as a proof"]
    assert host.checks()[-1] == "good: of = '3.0-c'"
    assert not (host.root / "unproven").exists()
    assert host.links() == ("3.0-c", "2.0-b")
    assert (host.release("3.0-c") / "config.toml").exists()
    assert not host.activate("3.0-c")["changed"]

    host.build("4.0-d")
    host.lose_power("4.0-d")
    assert host.activate("3.0-c")["changed"]  # the one before after all
    assert host.links() == ("3.0-c", "2.0-b")
    assert not (host.root / "unproven").exists()

    # Without a proof, also when nothing is left to be written.
    host.lose_power("2.0-b")
    assert host.activate("2.0-b", smoke_test=False)["changed"]
    assert host.links() == ("2.0-b", "3.0-c")
    assert not (host.root / "unproven").exists()


def test_going_back_takes_the_release_that_was_proven_before(host_with_two: Host) -> None:
    host = host_with_two
    host.build("3.0-c")
    host.activate("3.0-c", credentials={"comfyui_token": "three"})
    proofs = host.checks()
    told = host.run(state="rolled_back", _ansible_check_mode=True)
    assert host.links() == ("3.0-c", "2.0-b")
    back = host.go_back()
    assert back["actions"] == told["actions"]
    assert (back["release"], back["before"]) == ("2.0-b", "3.0-c")
    assert host.active() == {
        "config.toml": (0o600, "of = '2.0-b'\n"),
        "comfyui_token": (0o600, "three"),  # secrets are the host's, not the release's
        "current": (0, "2.0-b"),
        "previous": (0, "1.0-a"),
    }
    rejection = host.rejection("3.0-c")
    assert rejection is not None
    assert (rejection["reason"], rejection["failed"]) == ("it was rolled back by hand", False)
    assert host.checks() == proofs

    assert not host.go_back("2.0-b")["changed"]
    assert host.go_back()["release"] == "1.0-a"  # further back, not forth
    assert host.links() == ("1.0-a", None)
    nowhere = host.go_back()["msg"]
    assert nowhere.startswith("There is no release to go back to from 1.0-a: 2.0-b was rejected: ")
    assert nowhere.endswith("\nNothing was changed.")

    assert host.go_back("3.0")["release"] == "3.0-c"  # the rollback taken back
    assert host.rejection("3.0-c") is None
    assert host.rejection("1.0-a") is None
    assert host.links() == ("3.0-c", "1.0-a")
    assert not host.activate("3.0-c", credentials={"comfyui_token": "three"})["changed"]


def test_a_way_back_that_was_cut_off_is_gone_to_its_end(host_with_two: Host) -> None:
    host = host_with_two
    host.build("3.0-c")
    host.activate("3.0-c")
    stumbling = host.release("3.0-c") / ".rejected"
    stumbling.mkdir()
    cut_off = host.go_back()["msg"]
    assert cut_off.endswith("Release 2.0-b is active, in the middle of a change; run it again.")
    stumbling.rmdir()
    assert host.go_back()["release"] == "2.0-b"  # and neither forth nor further back
    assert host.links() == ("2.0-b", "1.0-a")
    assert host.rejection("3.0-c") is not None
    assert not (host.root / "unproven").exists()
    assert host.go_back()["release"] == "1.0-a"


def test_going_back_refuses_what_it_cannot_answer_for(host_with_two: Host) -> None:
    host = host_with_two
    host.build("3.0-c", "bad")
    host.activate("3.0-c")
    host.build("4.0-d")
    host.build("2.0-e")
    host.build("5.0-f")
    (host.release("5.0-f") / ".complete").unlink()
    before = host.everything()
    for name, reason in {
        "3.0": r"The release 3.0-c failed here at .* \(no such luck\); to try it again, deploy it",
        "4.0-d": "The release 4.0-d was never active here; deploy it",
        "5.0-f": "'5.0-f' is not on this host; there are: 1.0-a, 2.0-b, 2.0-e, 3.0-c, 4.0-d",
        "2.0": "The release '2.0' stands for several releases; there are: 1.0-a, ",
        "../1.0-a": "is not on this host",
    }.items():
        refused = host.go_back(name)["msg"]
        assert re.search(reason, refused), refused
        assert refused.endswith(".\nNothing was changed.")
    assert host.everything() == before
    assert host.go_back()["release"] == "1.0-a"


def test_the_oldest_releases_go_but_none_in_use(host_with_two: Host) -> None:
    host = host_with_two
    host.build("0.1-half")
    (host.release("0.1-half") / ".complete").unlink()
    for position, name in enumerate(["2.0-b", "1.0-a"]):  # older than their use
        os.utime(host.release(name) / ".complete", (position, position))
    for position, name in enumerate(["0.2-x", "0.3-y", "0.4-z"], 1000):
        host.build(name)
        os.utime(host.release(name) / ".complete", (position, position))
    same: dict[str, Any] = {"release": "2.0-b", "credentials": {"comfyui_token": "two"}}
    for keep, gone in {9: "0.1-half", 4: "0.2-x"}.items():
        done = host.activate(**same, keep_releases=keep)
        assert done["actions"] == [f"remove {host.release(gone)}"]
    host.activate(**same, keep_releases=0)
    assert {path.name for path in (host.root / "releases").iterdir()} == {"1.0-a", "2.0-b"}

    host.build("3.0-c", "bad")
    host.activate("3.0-c", keep_releases=0)
    assert {path.name for path in (host.root / "releases").iterdir()} > {"1.0-a", "2.0-b"}


def test_reports_move_and_what_is_of_somebody_else_stays(host: Host, tmp_path: Path) -> None:
    before = tmp_path / "reports of all kinds"
    before.mkdir()
    kept = (state_files.HISTORY, state_files.WORKFLOW_COPIES)
    beside = [f"{name}{end}" for name in kept for end in ("-journal", ".before-2", ".damaged")]
    more = [*state_files.OF_OTHER_RELEASES, ".latest.json.7.8.part", *beside]
    ours = [*state_files.FILES, *more]
    others = {"report.pdf", "inventory.csv", "schedule.ics", "history.txt", "last-will.odt"}
    for name in {*ours, *others}:
        (before / name).touch()
    host.build("1")
    host.activate("1", state_dir_before=str(before))
    assert {path.name for path in before.iterdir()} == others
    assert {path.name for path in host.state.iterdir()} >= {*ours} - {state_files.LAST_RUN}


def test_what_is_remembered_moves_though_the_proof_has_begun_anew(
    host: Host, tmp_path: Path
) -> None:
    before = tmp_path / "reports"
    before.mkdir()
    host.state.mkdir(mode=0o700, exist_ok=True)
    remembered = [state_files.HISTORY, state_files.WORKFLOW_COPIES]
    for name in [*remembered, state_files.LATEST]:
        (before / name).write_text("of two years")
        (host.state / name).write_text("one cycle")
    (before / f"{state_files.HISTORY}-journal").write_text("half of a transaction")
    (host.state / f"{state_files.HISTORY}-journal").touch()
    host.activate("1.0-a", state_dir_before=str(before))
    assert {(host.state / name).read_text() for name in remembered} == {"of two years"}
    journal = host.state / f"{state_files.HISTORY}-journal"
    assert journal.read_text() == "half of a transaction"
    assert (host.state / state_files.LATEST).read_text() == "one cycle"
    assert not before.exists()


def test_copies_of_workflows_are_never_thrown_away_for_others(host: Host, tmp_path: Path) -> None:
    before = tmp_path / "reports"
    before.mkdir()
    host.state.mkdir(mode=0o700, exist_ok=True)
    for name in (state_files.HISTORY, state_files.WORKFLOW_COPIES):
        (before / name).write_text("little")
        (host.state / name).write_text("what an earlier installation left here")
    host.activate("1.0-a", state_dir_before=str(before))
    assert [path.name for path in before.iterdir()] == [state_files.WORKFLOW_COPIES]
    assert (host.state / state_files.WORKFLOW_COPIES).read_text().startswith("what an earlier")


def test_what_is_of_another_host_is_neither_moved_nor_taken(host: Host, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / state_files.LATEST).touch()
    other = Signs("render1", "1" * 32, ("a card",))
    assert claim(theirs, other) is None
    host.activate("1.0-a", state_dir_before=str(theirs))
    assert {path.name for path in theirs.iterdir()} == {state_files.LATEST, OWNER}
    assert not (host.state / state_files.LATEST).exists()

    (host.config / OWNER).unlink()
    assert claim(host.config, other) is None
    before = host.everything()
    refused = host.activate("1.0-a", settings="of = 'another'\n")["msg"]
    assert refused.startswith(f"{host.config} belongs to the host render1")
    assert refused.endswith("\nNothing was changed.")
    assert {name for name, what in host.everything().items() if before.get(name) != what} <= {
        "root/releases/1.0-a"  # the settings were staged there
    }


def damage(host: Host, release: str) -> str:
    """Take a file away that a package has brought; returns what is said of it."""
    file = release_folder.site_packages(host.release(release)) / "orjson" / "orjson.so"
    file.unlink()
    return f"{file.relative_to(host.release(release))} of orjson is gone"


def test_going_back_never_leads_to_a_damaged_release(host_with_two: Host) -> None:
    host = host_with_two
    host.build("3.0-c")
    host.activate("3.0-c")
    gone = damage(host, "2.0-b")
    before = host.everything()
    refused = host.go_back("2.0-b")["msg"]
    assert refused == f"The release 2.0-b is damaged ({gone}); deploy it.\nNothing was changed."
    assert host.everything() == before
    assert host.go_back()["release"] == "1.0-a"
    damage(host, "3.0-c")
    refused = host.go_back()["msg"]
    assert f"2.0-b is damaged: {gone}" in refused
    assert "3.0-c was rejected: it was rolled back by hand" in refused


def test_a_damaged_release_is_not_activated(host_with_two: Host) -> None:
    host = host_with_two
    host.build("3.0-c")
    gone = damage(host, "3.0-c")
    before = host.active()
    refused = host.activate("3.0-c")["msg"]
    assert refused == f"The release 3.0-c is damaged: {gone}.\nNothing was changed."
    assert host.active() == before


def test_the_way_back_from_a_bad_release_does_not_lead_to_a_damaged_one(
    host_with_two: Host,
) -> None:
    host = host_with_two
    damage(host, "2.0-b")
    host.build("3.0-c", "bad")
    failed = host.activate("3.0-c")["msg"]
    assert failed.endswith("\nActive now, as 2.0-b is damaged: release 1.0-a.")
    assert host.active()["config.toml"] == (0o600, "of = '1.0-a'\n")
    assert host.links() == ("1.0-a", None)

    damage(host, "1.0-a")
    host.build("4.0-d", "bad")
    assert host.activate("4.0-d")["msg"].endswith("\nNothing is active.")
    assert host.links() == (None, None)


def test_a_fresh_release_takes_the_place_of_the_damaged_one_beside_it(host_with_two: Host) -> None:
    host = host_with_two
    old = "7.0-py3.11-0123456789ab"
    host.build(old)
    host.activate(old)
    damage(host, old)
    host.build(old + "-2")
    done = host.activate(old + "-2")
    assert done["actions"][-1] == f"remove {host.release(old)}"
    assert host.links() == (old + "-2", "2.0-b")
    host.build(old)
    assert host.go_back("2.0-b")["changed"]
    assert host.go_back("7.0")["release"] == old + "-2"  # the one that was active, not another
    gone = damage(host, old + "-2")
    assert host.go_back("2.0-b")["changed"]
    assert gone in host.go_back(old + "-2")["msg"]


def test_what_another_run_has_built_and_not_activated_yet_stays(host_with_two: Host) -> None:
    host = host_with_two
    host.build("3.0-of-another-run")
    for _ in range(2):
        host.activate("2.0-b", credentials={"comfyui_token": "two"}, keep_releases=0)
        assert host.release("3.0-of-another-run").exists()
    old = time.time() - 2 * 86_400
    os.utime(host.release("3.0-of-another-run") / ".complete", (old, old))
    host.activate("2.0-b", credentials={"comfyui_token": "two"}, keep_releases=0)
    assert not host.release("3.0-of-another-run").exists()
