"""Who changes a host: one run at a time, whatever became of the others."""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import json
import multiprocessing
import os
import pwd
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit import release_folder
from tests.unit.role import collection

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.synchronize import Barrier


def run_of(name: str, host: str = "render1") -> dict[str, Any]:
    """A run of Ansible, as its hosts note it down."""
    return {
        "run": name,
        "by": f"{name}@desk",
        "playbook": "playbooks/deploy.yml",
        "host": host,
        "controller": {"boot": "b", "processes": "p", "process": 7, "started": "1"},
    }


@pytest.fixture
def lease(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The module that knows leases, and ``at``, one of them."""
    monkeypatch.syspath_prepend(str(collection.COLLECTIONS))
    module = importlib.import_module(f"{collection.PACKAGE}.module_utils.lease")
    return SimpleNamespace(
        module=module,
        at=module.Lease(str(tmp_path / "root" / "lease")),
        file=tmp_path / "root" / "lease",
        HeldError=module.HeldError,
        LostError=module.LostError,
    )


def edit(lease: Any, **changes: Any) -> None:
    lease.file.write_text(json.dumps({**json.loads(lease.file.read_text()), **changes}))


def test_a_second_run_is_told_who_holds_it_and_since_when(lease: Any) -> None:
    lease.at.take(run_of("anna"))
    since = json.loads(lease.file.read_text())["since"]
    for ask in (lease.at.take, lease.at.respect):
        with pytest.raises(lease.HeldError) as held:
            ask(run_of("bob"))
        assert str(held.value) == (
            f"anna@desk is changing this host (playbooks/deploy.yml, since {since}, last sign of "
            "life 0 s ago): wait for its end, then run this again. A run that ended without a word "
            "is forgotten 10 minutes after its last sign of life; sooner with the playbook unlock."
        )
        assert held.value.holder["run"] == "anna"
    lease.at.release("bob")
    assert lease.at.holder()["run"] == "anna"
    lease.at.release("anna")
    assert not lease.file.parent.exists()
    lease.at.respect(run_of("bob"))
    lease.at.take(run_of("bob"))


def test_a_second_run_waits_a_little(lease: Any) -> None:
    lease.at.take(run_of("anna"))
    end = threading.Timer(0.3, lease.at.release, ["anna"])
    end.start()
    lease.at.take(run_of("bob"), wait=30)
    end.join()
    assert lease.at.holder()["run"] == "bob"


def test_the_same_run_goes_on_and_meets_itself_under_another_name(lease: Any) -> None:
    lease.at.take(run_of("anna"))
    lease.at.take(run_of("anna"))
    with pytest.raises(lease.HeldError, match=r"twice, as render1 and as 10.0.0.7, and this very"):
        lease.at.take(run_of("anna", "10.0.0.7"))
    lease.at.respect(run_of("anna", "10.0.0.7"))


@pytest.mark.parametrize(
    "changes",
    [
        lambda now: {"seen": now - 601},
        lambda now: {"boot": "another"},
        lambda now: {"seen": now + 3600},
        lambda now: {"seen": float("nan")},
        lambda now: {"seen": float("inf")},
        lambda now: {"seen": True},
        lambda now: {"seen": "1"},
        lambda now: {"run": ["anna"]},
    ],
)
def test_what_is_of_another_time_holds_nothing(
    lease: Any, changes: Callable[[float], dict[str, Any]]
) -> None:
    lease.at.take(run_of("anna"))
    edit(lease, seen=lease.module.now() - 599)
    assert lease.at.holder()["run"] == "anna"
    edit(lease, **changes(lease.module.now()))
    assert lease.at.holder() is None
    lease.at.take(run_of("bob"))
    with pytest.raises(lease.LostError, match=r"bob@desk has taken over since. Run it again."):
        lease.at.renew("anna")
    lease.at.release("anna")
    assert lease.at.holder()["run"] == "bob"


def test_a_lease_whose_time_is_over_is_kept_as_long_as_nobody_takes_it(lease: Any) -> None:
    lease.at.take(run_of("anna"))
    edit(lease, seen=lease.module.now() - 3600)
    lease.at.renew("anna")
    assert lease.at.holder()["silent_for"] < 60


def test_a_run_that_is_known_to_have_ended_holds_nothing(lease: Any) -> None:
    lease.at.take(run_of("anna"))
    with pytest.raises(lease.HeldError):
        lease.at.take(run_of("bob"), instead_of="carl")
    lease.at.respect(run_of("bob"), instead_of="anna")
    lease.at.take(run_of("bob"), instead_of="anna")
    assert lease.at.holder()["run"] == "bob"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 999,
        b"[1]",
        b"null",
        b'{"run": "x"',
        b"[" * 10_000,
        b'{"run": "x", "boot": 7, "seen": 1e999}' + b" " * 2**20,
        b"\xff\xfe",
    ],
)
def test_what_is_no_lease_holds_nothing(lease: Any, content: bytes) -> None:
    lease.file.parent.mkdir()
    lease.file.write_bytes(content)
    assert lease.at.holder() is None
    lease.at.take(run_of("bob"))
    assert lease.at.holder()["run"] == "bob"


def test_who_writes_into_a_lease_cannot_write_into_a_terminal(lease: Any) -> None:
    lease.at.take(run_of("anna"))
    edit(lease, by="\x1b]0;hi\x07" + "a" * 9999, playbook={"a": ["\n"]}, controller=[])
    with pytest.raises(lease.HeldError) as held:
        lease.at.take(run_of("bob"))
    assert "\x1b" not in str(held.value)
    assert "\n" not in str(held.value)
    assert len(str(held.value)) < 1000
    assert held.value.holder["controller"] == {}


def test_no_link_is_followed_and_no_pipe_waited_for(lease: Any, tmp_path: Path) -> None:
    lease.file.parent.mkdir()
    other = tmp_path / "other"
    other.write_text("mine")
    lease.file.symlink_to(other)
    with pytest.raises(OSError, match="symbolic links"):
        lease.at.take(run_of("bob"))
    assert other.read_text() == "mine"
    lease.file.unlink()
    os.mkfifo(lease.file)
    with pytest.raises(OSError, match="it is no file: remove it"):
        lease.at.take(run_of("bob"))
    assert lease.at.holder() is None


def test_who_keeps_the_file_locked_is_not_waited_for_for_good(
    lease: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease.module, "BUSY_SECONDS", 0.2)
    lease.at.take(run_of("anna"))
    with lease.file.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(BlockingIOError, match="another process keeps it locked"):
            lease.at.take(run_of("bob"), wait=60)
    assert lease.at.holder()["run"] == "anna"


def test_who_may_not_give_a_lease_away_is_told_so_and_does_not_try_for_ever(
    lease: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(lease.module, "BUSY_SECONDS", 0.2)
    monkeypatch.setattr(os, "fchmod", refuse)  # as fchown() is to a root without CAP_CHOWN
    with pytest.raises(PermissionError, match="Operation not permitted"):
        lease.at.take(run_of("anna"))


def test_force_is_noted_for_the_run_that_comes_back(lease: Any) -> None:
    assert lease.at.force("bob@desk") is None
    lease.at.take(run_of("anna"))
    assert lease.at.force("bob@desk")["by"] == "anna@desk"
    assert lease.at.holder() is None
    with pytest.raises(lease.LostError, match=r"bob@desk has released it by force. Run it again."):
        lease.at.renew("anna")
    lease.at.take(run_of("bob"))
    lease.at.release("bob")
    with pytest.raises(lease.LostError, match="it was released, or the host was started anew"):
        lease.at.renew("anna")


def _take(lease: Any, barrier: Barrier, results: Any, name: str) -> None:
    barrier.wait()
    try:
        lease.at.take(run_of(name))
    except lease.HeldError:
        return
    results.put(name)


def test_of_many_that_take_it_at_once_one_has_it(lease: Any) -> None:
    context = multiprocessing.get_context("fork")
    for released in (False, True, True):
        if released:
            lease.at.force("")
        barrier, results = context.Barrier(8), context.Queue()
        processes = [
            context.Process(target=_take, args=(lease, barrier, results, f"run{n}"))
            for n in range(8)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join(60)
        winner = results.get(timeout=60)
        assert results.empty()
        assert lease.at.holder()["run"] == winner


def test_as_long_as_a_module_works_it_gives_signs_of_life(
    lease: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease.module, "EXPIRES_AFTER", 0.5)
    lease.at.take(run_of("anna"))
    held = lease.module.Held({"path": str(lease.file), "run": "anna"})
    with held.kept():
        give_up = time.monotonic() + 1.5
        while time.monotonic() < give_up:
            assert lease.at.holder(), "it has expired"
            time.sleep(0.01)
    lease.at.release("anna")
    with pytest.raises(lease.LostError), held.kept():
        pytest.fail("it does not hold it")


def test_whether_a_run_of_this_machine_has_ended_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(collection.COLLECTIONS))
    runs = importlib.import_module(f"{collection.PACKAGE}.plugin_utils.runs")
    alive = runs.describe("render1")
    assert alive == runs.describe("render1")
    controller = alive["controller"]
    assert controller["process"] == os.getppid()
    assert not runs.has_ended(controller)
    assert runs.has_ended({**controller, "started": "1"})  # its number was given to another
    assert runs.has_ended({**controller, "process": 2**22 + 1})
    for elsewhere in ({"boot": "x"}, {"processes": "x"}, {"process": "1"}, {"started": ""}):
        assert not runs.has_ended({**controller, "started": "1", **elsewhere})
    assert not runs.has_ended({})


# --- The modules, as on a host -------------------------------------------------------------------

ACCOUNT = pwd.getpwuid(os.getuid())


class Host:
    """A home in which the modules put an instance that no other test has."""

    def __init__(self, home: Path) -> None:
        self.root = home / "root"
        self.instance = f"t{os.getpid()}"
        (home / "ComfyUI").mkdir()
        self.comfyui = home / "ComfyUI"

    def module(self, name: str, **arguments: Any) -> dict[str, Any]:
        done = collection.run(name, arguments)
        assert done.stderr == ""
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def probe(self, by: str = "anna", **arguments: Any) -> dict[str, Any]:
        asked = {
            "user": ACCOUNT.pw_name,
            "scope": "user",
            "scheduler": "apscheduler",
            "instance": self.instance,
            "root": str(self.root),
            "comfyui_dir": str(self.comfyui),
            "version": "1.0",
            "run": run_of(by),
            "lease": "take",
        }
        return self.module("probe", **{**asked, **arguments})

    def release(self, state: str, path: str, lease: dict[str, Any], **more: Any) -> dict[str, Any]:
        return self.module("release", state=state, path=path, lease=lease, **more)


@pytest.fixture
def host(tmp_path: Path) -> Any:
    host = Host(tmp_path)
    yield host
    with contextlib.suppress(FileNotFoundError, PermissionError):
        Path(f"/run/comfywatchman-{host.instance}.lease").unlink()


def fill(path: str) -> None:
    """What venv and pip do, in the folder that the role has begun."""
    folder = Path(path)
    made = folder.parent / "elsewhere"
    release_folder.build(made, at=folder)
    (made / "venv").rename(folder / "venv")
    (made / ".complete").unlink()
    made.rmdir()


def test_the_probe_takes_it_only_if_nothing_stands_in_the_way(host: Host) -> None:
    refused = host.probe(comfyui_dir="/no/such/folder")
    assert refused["problems"]
    assert refused["lease"] == {}
    assert host.probe(_ansible_check_mode=True)["lease"] == {}
    assert host.probe(lease="respect")["lease"] == {}
    first = host.probe("anna")
    assert first["problems"] == []
    assert first["lease"]["run"] == "anna"

    for how in ("take", "respect"):
        second = host.probe("bob", lease=how)
        assert second["problems"][0].startswith("anna@desk is changing this host (playbooks/deploy")
        assert second["held_by"]["run"] == "anna"
    assert host.probe("bob", lease="ignore")["problems"] == []
    assert host.probe("bob", _ansible_check_mode=True)["problems"] == []
    removing = host.probe("bob", preflight=False)
    assert removing["failed"]
    assert removing["msg"].startswith("anna@desk is changing this host")
    assert host.probe("bob", instead_of="anna")["lease"]["run"] == "bob"


def test_a_release_is_built_in_a_folder_of_its_own_and_completed(host: Host) -> None:
    found = host.probe()
    path, lease = found["release"]["path"], found["lease"]
    assert not found["release"]["complete"]
    assert host.release("begun", path, lease)["changed"]
    fill(path)
    again = host.release("begun", path, lease)
    assert "another run is at work" in again["msg"]
    assert host.release("complete", path, lease, description="a wheel")["changed"]
    found = host.probe()
    assert (found["release"]["path"], found["release"]["complete"]) == (path, True)
    host.release("given_up", path, lease)
    assert host.probe()["release"]["complete"]


def test_what_pip_has_left_damaged_is_not_completed(host: Host) -> None:
    found = host.probe()
    path, lease = found["release"]["path"], found["lease"]
    host.release("begun", path, lease)
    fill(path)
    library = release_folder.site_packages(Path(path)) / "orjson" / "orjson.so"
    library.write_bytes(bytes(library.stat().st_size))
    refused = host.release("complete", path, lease)
    assert "orjson.so of orjson does not hold what was installed" in refused["msg"]
    assert not host.probe()["release"]["complete"]
    assert host.release("given_up", path, lease)["changed"]
    assert not Path(path).exists()


@pytest.mark.parametrize("how", ["expired", "forced", "gone"])
def test_a_run_that_has_lost_the_host_harms_nothing_of_the_run_that_has_it(
    host: Host, how: str
) -> None:
    """H3: the second one completes and activates; then the first one goes on."""
    first = host.probe("anna")
    host.release("begun", first["release"]["path"], first["lease"])
    path = Path(first["lease"]["path"])
    if how == "expired":
        path.write_text(json.dumps({**json.loads(path.read_text()), "seen": 1}))
    elif how == "forced":
        host.module("lease", instance=host.instance, root=str(host.root), run=run_of("bob"))
    else:
        path.unlink()

    second = host.probe("bob")
    assert second["release"]["path"] == first["release"]["path"] + "-2"
    host.release("begun", second["release"]["path"], second["lease"])
    fill(second["release"]["path"])
    host.release("given_up", second["release"]["path"], first["lease"])
    assert host.release("complete", second["release"]["path"], second["lease"])["changed"]
    (host.root / "current").symlink_to(f"releases/{second['release']['id']}")
    if how != "expired":
        host.module("lease", lease=second["lease"])

    for module, arguments in {
        "release": {"state": "complete", "path": first["release"]["path"]},
        "files": {"directory": first["release"]["path"], "files": {"a": "b"}},
    }.items():
        lost = host.module(module, **arguments, lease=first["lease"])
        assert lost["failed"]
        assert "This run does not hold the host any more" in lost["msg"]
    for path_of_release in (first["release"]["path"], second["release"]["path"]):
        given_up = host.release("given_up", path_of_release, first["lease"])
        assert "This run does not hold the host any more" in given_up["lost"]
    assert not Path(first["release"]["path"]).exists()
    found = host.probe("carl", instead_of="bob")
    assert found["release"]["complete"]
    assert found["release"]["id"] == second["release"]["id"]


def test_a_fresh_release_is_built_beside_a_damaged_one(host: Host) -> None:
    found = host.probe()
    path = found["release"]["path"]
    release_folder.build(Path(path))
    (host.root / "current").symlink_to(f"releases/{found['release']['id']}")
    assert host.probe()["release"]["complete"]
    library = release_folder.site_packages(Path(path)) / "orjson" / "orjson.so"
    content = library.read_bytes()
    library.write_bytes(content[:-1] + b"?")
    found = host.probe()["release"]
    assert (found["path"], found["complete"]) == (path + "-2", False)
    file = library.relative_to(path)
    assert found["damaged"] == [f"{path}: {file} of orjson does not hold what was installed"]

    late = time.time() + 60
    os.utime(Path(path) / ".complete", (late, late))
    assert host.probe()["release"]["complete"]
    assert not host.probe(hashes=True)["release"]["complete"]
    verified = host.module(
        "status",
        user=ACCOUNT.pw_name,
        scope="user",
        instance=host.instance,
        root=str(host.root),
        verify=True,
    )
    assert verified["damaged"] == [f"{file} of orjson does not hold what was installed"]
    assert not verified["damage_shows"]
    assert verified["held_by"]["run"] == "anna"

    release_folder.build(Path(path + "-2"))
    assert host.probe(hashes=True)["release"]["id"].endswith("-2")
