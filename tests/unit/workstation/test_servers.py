"""ComfyUI servers are found among processes: each layout as ``/proc`` shows it, and for real."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from comfywatchman.schedule.mounts import mount_of
from comfywatchman.workstation import answer, containers, processes, servers
from comfywatchman.workstation.servers import Asker
from tests.standin import main as standin
from tests.unit.workstation.machine import CGROUPS, CONTAINER, IN_CONTAINER, Proc, close

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from comfywatchman.workstation.processes import Process
    from comfywatchman.workstation.servers import Server


@pytest.fixture
def proc(tmp_path: Path) -> Proc:
    return Proc(tmp_path / "proc")


@pytest.fixture
def comfyui(tmp_path: Path) -> Path:
    return standin.lay_out(tmp_path / "Comfy UI")


def silent(_: str) -> None:
    return None


ANNA = Asker(1000, is_root=False)


def found(
    proc: Proc,
    answers: dict[str, list[str]] | None = None,
    said: str = "",
    asker: Asker = ANNA,
) -> list[Server]:
    """What is found where only some addresses answer, and podman and docker say one thing."""
    return servers.find(
        processes.running(proc.folder),
        processes.mounts(proc.folder / "self"),
        asker,
        ask=(answers or {}).get,
        inspect=lambda _: said,
        look=lambda process: process.cwd,
        is_here=lambda host: host in ("127.0.0.1", "192.168.7.5", "fd00::5"),
    )


@pytest.mark.parametrize(
    ("argv", "url"),
    [
        (["python", "main.py"], "http://127.0.0.1:8188"),
        (["./venv/bin/python3.13", "main.py", "--port", "8000"], "http://127.0.0.1:8000"),
        (["/x/python", "-s", "-u", "-W", "ignore", "main.py", "--port=9"], "http://127.0.0.1:9"),
        (["python", "main.py", "--listen"], "http://127.0.0.1:8188"),
        (["python", "main.py", "--listen", "--port", "1"], "http://127.0.0.1:1"),
        (["python", "main.py", "--listen", "0.0.0.0,::"], "http://127.0.0.1:8188"),
        (["python", "main.py", "--listen", "192.168.7.5"], "http://192.168.7.5:8188"),
        (["python", "main.py", "--listen", "fd00::5"], "http://[fd00::5]:8188"),
        (["python", "main.py", "--listen", "x y\x1b"], "http://127.0.0.1:8188"),
        (
            ["python", "main.py", "--tls-keyfile", "k", "--tls-certfile", "c"],
            "https://127.0.0.1:8188",
        ),
        (["python", "main.py", "--port", "99999"], None),
        (["python", "main.py", "--port", "$(reboot)"], None),
    ],
)
def test_the_address_is_read_off_the_command_line(
    proc: Proc, comfyui: Path, argv: Sequence[str], url: str | None
) -> None:
    proc.add(40, argv, cwd=str(comfyui))
    [server] = found(proc)
    assert (server.folder, server.uid, server.url, server.answers) == (comfyui, 1000, url, False)


def test_desktop_keeps_its_models_elsewhere_than_its_code(proc: Proc, tmp_path: Path) -> None:
    code = standin.lay_out(tmp_path / "opt/ComfyUI/resources/ComfyUI")
    base = tmp_path / "home/Documents/ComfyUI"
    base.mkdir(parents=True)
    electron = ["/opt/ComfyUI/comfyui", "--type=renderer"]
    server = [f"{base}/.venv/bin/python", f"{code}/main.py", "--user-directory", f"{base}/user"]
    server += ["--base-directory", str(base), "--port", "8000", "--listen", "127.0.0.1"]
    proc.add(7, electron)
    proc.add(8, server, parent=7, cwd="/")
    [desktop] = found(proc)
    assert (desktop.folder, desktop.url) == (base, "http://127.0.0.1:8000")


def test_a_portable_is_started_from_the_folder_above(proc: Proc, tmp_path: Path) -> None:
    code = standin.lay_out(tmp_path / "portable/ComfyUI")
    argv = ["./python_embeded/python", "-s", "ComfyUI/main.py", "--windows-standalone-build"]
    proc.add(9, argv, cwd=str(code.parent))
    assert [server.folder for server in found(proc)] == [code]


@pytest.mark.parametrize("runtime", CGROUPS)
def test_in_a_container_its_files_and_its_port_are_elsewhere(proc: Proc, runtime: str) -> None:
    proc.add(
        20,
        ["python3", "main.py", "--listen", "0.0.0.0"],
        cwd="/app/ComfyUI",
        uid=0,
        cgroup=CGROUPS[runtime],
        namespaces=("mnt:[7]", "net:[7]"),
        mountinfo=IN_CONTAINER,
    )
    bindings = json.dumps({"8188/tcp": [{"HostIp": "", "HostPort": "28190"}], "22/tcp": None})
    answers = {"http://127.0.0.1:28190": ["main.py", "--listen", "0.0.0.0"]}
    [server] = found(proc, answers, said=bindings)
    assert (server.url, server.answers, server.uid) == ("http://127.0.0.1:28190", True, None)
    assert server.inside == "/app/ComfyUI"
    [process] = processes.running(proc.folder)
    host = processes.mounts(proc.folder / "self")
    assert process.container is not None
    assert process.container[1] == CONTAINER
    for inside, here in {
        "/app/ComfyUI": "/home/anna/ComfyUI",
        "/app/ComfyUI/input/a": "/home/anna/ComfyUI/input/a",
        "/app/ComfyUI/models": "/mnt/big disk/models of all",
        "/root/ComfyUI": None,  # of the image
    }.items():
        assert containers.host_path(inside, process, host) == (Path(here) if here else None)


def test_docker_that_may_not_be_asked_is_seen_by_its_proxies(proc: Proc) -> None:
    proxy = ["/usr/bin/docker-proxy", "-proto", "tcp", "-host-ip", "127.0.0.1", "-host-port"]
    proc.add(30, [*proxy, "8200", "-container-ip", "172.17.0.2", "-container-port", "8188"], uid=0)
    proc.add(31, [*proxy, "2222", "-container-ip", "172.17.0.2", "-container-port", "22"], uid=0)
    proc.add(
        32,
        ["python", "main.py", "--listen"],
        cwd=None,
        uid=0,
        cgroup=CGROUPS["docker, cgroup v2"],
        namespaces=None,
    )
    [server] = found(proc, {"http://127.0.0.1:8200": ["main.py", "--listen"]})
    assert (server.url, server.folder, server.uid) == ("http://127.0.0.1:8200", None, None)


def test_in_the_same_container_all_is_as_it_seems(proc: Proc, comfyui: Path) -> None:
    around = CGROUPS["podman, cgroup v1"]
    (proc.folder / "self/cgroup").write_text(around)
    # Root has no right there to see the namespaces of others.
    proc.add(34, ["python", "main.py"], cwd=str(comfyui), cgroup=around, namespaces=None)
    [server] = found(proc)
    assert (server.folder, server.url, server.uid) == (comfyui, "http://127.0.0.1:8188", 1000)


def test_a_server_whose_port_cannot_be_told_has_no_address(proc: Proc, comfyui: Path) -> None:
    proc.add(33, ["python", "main.py"], cwd=str(comfyui), namespaces=("mnt:[1]", "net:[9]"))
    assert [server.url for server in found(proc)] == [None]
    of_another = {"http://127.0.0.1:8188": ["main.py", "--cpu"]}
    assert [(s.url, s.answers) for s in found(proc, of_another)] == [(None, False)]


def test_workers_are_their_server(proc: Proc, comfyui: Path) -> None:
    argv = ["python", "main.py"]
    proc.add(50, argv, cwd=str(comfyui))
    proc.add(51, argv, cwd=str(comfyui), parent=50)
    proc.add(52, argv, cwd=str(comfyui), parent=51)
    assert [server.pid for server in found(proc)] == [50]


@pytest.mark.parametrize(
    "argv",
    [
        ["python", "-m", "main.py"],
        ["python", "-c", "main.py"],
        ["python", "train.py", "main.py"],
        ["vim", "main.py"],
        ["python"],
        ["python", "-W"],
        ["", "main.py"],
        ["\x1b[2Jpython", "main.py"],
        [b"\xff\xfe", b"main.py"],
        ["python", "main.py\n"],
    ],
)
def test_what_is_no_server(proc: Proc, comfyui: Path, argv: Sequence[str | bytes]) -> None:
    proc.add(60, argv, cwd=str(comfyui))
    assert found(proc) == []


def test_a_program_of_the_same_name_is_no_server(proc: Proc, tmp_path: Path) -> None:
    (tmp_path / "main.py").touch()
    proc.add(61, ["python", "main.py", "--port", "5000"], cwd=str(tmp_path))
    proc.add(62, ["python", "main.py"], cwd=str(tmp_path) + " (deleted)")
    assert found(proc) == []


def test_hostile_processes_harm_nothing(proc: Proc, comfyui: Path) -> None:
    huge = ["python", "main.py", "--port", "8188", *["x" * 1000] * 1000]
    proc.add(70, huge, cwd=str(comfyui))
    proc.add(71, ["python", "../" * 5000 + "main.py"], cwd=str(comfyui))
    proc.add(72, ["python", "\ud800main.py".encode(errors="surrogatepass"), "main.py"], cwd="/")
    (proc.folder / "73").mkdir()  # it ended while it was looked at
    (proc.folder / "70/cgroup").write_text("docker-" + "a" * 64 + "\n" + "docker-" * 100_000)
    (proc.folder / "70/mountinfo").write_text("- - -\n \n1 2\n" * 1000)
    assert [server.pid for server in found(proc)] == [70]
    for said in (
        "",
        "[]",
        "{",
        '{"8188/tcp": []}',
        '{"8188/tcp": [{"HostPort": "1e9"}]}',
        "[" * 9**6,
    ):
        assert containers._from_client(said, 8188) is None


def test_a_machine_without_proc_has_no_servers(tmp_path: Path) -> None:
    assert list(processes.running(tmp_path / "nothing")) == []


# --- Real processes ------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def start() -> Iterator[object]:
    """Starts a program in a folder, and waits until a port is open."""
    running: list[subprocess.Popen[bytes]] = []

    def start(argv: Sequence[str], cwd: Path, port: int) -> int:
        process = subprocess.Popen(argv, cwd=cwd)
        running.append(process)
        give_up = time.monotonic() + 60
        while True:
            assert process.poll() is None
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                assert time.monotonic() < give_up
                time.sleep(0.02)
            else:
                return process.pid

    yield start
    for process in running:
        process.terminate()
        process.wait(timeout=30)


def of(pid: int) -> list[Server]:
    """What is found among the real processes of this machine, of one and those below it."""
    seen: list[Process] = [p for p in processes.running() if p.pid == pid]
    me = Asker(os.geteuid(), os.geteuid() == 0)
    return servers.find(seen, processes.mounts(processes.PROC / "self"), me)


def test_real_servers_are_found_and_answer(tmp_path: Path, start: object) -> None:
    assert callable(start)
    python = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    one = standin.lay_out(tmp_path / "venv layout é")
    (one / "venv/bin").mkdir(parents=True)
    (one / "venv/bin" / python).symlink_to(Path(sys.base_prefix, "bin", python))
    port = free_port()
    pid = start([f"venv/bin/{python}", "-s", "main.py", "--port", str(port)], one, port)
    [server] = of(pid)
    assert (server.folder, server.url, server.answers) == (one, f"http://127.0.0.1:{port}", True)
    assert server.uid == os.geteuid()

    base = tmp_path / "Documents/ComfyUI"
    base.mkdir(parents=True)
    desktop = free_port()
    argv = [sys.executable, f"{one}/main.py", "--base-directory", str(base), "--port"]
    pid = start([*argv, str(desktop), "--listen"], tmp_path, desktop)
    [server] = of(pid)
    assert (server.folder, server.url, server.answers) == (
        base,
        f"http://127.0.0.1:{desktop}",
        True,
    )


def test_an_address_at_which_no_comfyui_answers(tmp_path: Path, start: object) -> None:
    assert callable(start)
    port = free_port()
    (tmp_path / "system_stats").write_text('{"system": {"argv": ["main.py"]}}')
    start([sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"], tmp_path, port)
    for text in ('{"system": {"argv": ["main.py"]}}', "[" * 100_000, '{"system": []}', "<html>"):
        (tmp_path / "system_stats").write_text(text)
        assert answer.arguments(f"http://127.0.0.1:{port}") is None
    (tmp_path / "system_stats").write_text(
        '{"system": {"comfyui_version": "0.1", "argv": [1, "a"]}}'
    )
    assert answer.arguments(f"http://127.0.0.1:{port}") == ["a"]
    assert answer.arguments("http://127.0.0.1:1") is None


def trickle(listener: socket.socket, head: bytes) -> None:
    """Answer whoever comes with a byte now and then, without an end."""
    connection, _ = listener.accept()
    with contextlib.suppress(OSError), connection:
        connection.sendall(head)
        while True:
            connection.sendall(b" ")
            time.sleep(0.05)


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 ", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_an_answer_that_trickles_is_not_waited_for(
    head: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer, "SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=trickle, args=(listener, head), daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        began = time.monotonic()
        assert answer.Round()(url) is None
        assert answer.Round(seconds=0)(url) is None
        assert time.monotonic() - began < 2.5


def test_no_more_are_asked_than_the_limit_says(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(answer, "arguments", lambda url, _: asked.append(url))
    ask = answer.Round()
    for number in range(2 * answer.MOST):
        ask(f"http://127.0.0.1:{number + 1}")
    assert len(asked) == answer.MOST


def test_only_addresses_of_this_machine_are_its_own() -> None:
    for host in ("127.0.0.1", "127.8.9.1", "::1"):
        assert answer.is_of_this_machine(host)
    for host in ("192.0.2.7", "2001:db8::7", "224.0.0.1", "0.0.0.0", "example.org", "", "1.2"):
        assert not answer.is_of_this_machine(host)


class Asked(dict[str, list[str]]):
    """Answers nothing, and keeps what was asked."""

    def __init__(self) -> None:
        super().__init__({"": []})
        self.urls: list[str] = []

    def get(self, url: str, _: object = None) -> None:  # type: ignore[override]
        self.urls.append(url)


def test_nobody_else_says_where_requests_go(proc: Proc, comfyui: Path) -> None:
    main = f"{comfyui}/main.py"
    proc.add(80, ["python", main, "--listen", "203.0.113.9"], uid=2000)
    proc.add(81, ["python", main, "--listen", "203.0.113.9", "--port", "9"])
    asked = Asked()
    urls = [server.url for server in found(proc, asked)]
    assert urls == ["http://127.0.0.1:9", "http://127.0.0.1:8188"]
    assert asked.urls == ["http://127.0.0.1:9"]
    asked.urls.clear()
    found(proc, asked, asker=Asker(1000, is_root=True))
    assert asked.urls == ["http://127.0.0.1:9", "http://127.0.0.1:8188"]


def test_a_proxy_of_somebody_elses_is_none_of_dockers(proc: Proc) -> None:
    proxy = ["docker-proxy", "-proto", "tcp", "-host-ip", "203.0.113.9", "-host-port", "8200"]
    proc.add(83, [*proxy, "-container-ip", "172.17.0.2", "-container-port", "8188"], uid=2000)
    container = {"cgroup": CGROUPS["docker, cgroup v2"], "namespaces": None}
    proc.add(84, ["python", "main.py"], cwd=None, uid=0, **container)  # type: ignore[arg-type]
    asked = Asked()
    found(proc, asked)
    assert asked.urls == ["http://127.0.0.1:8188"]


@pytest.mark.parametrize(
    ("uid", "seen"), [(0, None), (1000, None), (100_500, None), (165_536, 165_536), (2000, 2000)]
)
def test_a_container_is_the_callers_by_its_ids_alone(
    proc: Proc, comfyui: Path, uid: int, seen: int | None
) -> None:
    proc.add(
        85,
        ["python", f"{comfyui}/main.py"],
        uid=uid,
        cgroup=CGROUPS["podman, cgroup v2"],
        namespaces=("mnt:[7]", "net:[1]"),
        mountinfo="1 0 254:0 / / rw - ext4 /dev/vda rw\n",
    )
    (proc.folder / "self/mountinfo").write_text("1 0 254:0 / / rw - ext4 /dev/vda rw\n")
    anna = Asker(1000, is_root=False, subordinate=(range(100_000, 165_536),))
    assert [server.uid for server in found(proc, asker=anna)] == [seen]


def test_a_folder_that_nobody_may_enter_is_passed_over(
    proc: Proc, comfyui: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    proc.add(86, ["python", f"{comfyui}/main.py", "--base-directory", f"{closed}/ai"])
    proc.add(87, ["python", f"{comfyui}/main.py", "--port", "9"])
    close(closed, monkeypatch)
    assert [server.folder for server in found(proc)] == [None, comfyui]


def test_options_are_read_as_the_server_reads_them(proc: Proc, comfyui: Path) -> None:
    base = comfyui / "base"
    base.mkdir()
    shortened = ["--base", str(base), "--po", "9", "--lis", "192.168.7.5"]
    proc.add(88, ["python", f"{comfyui}/main.py", "--port", "7", *shortened])
    assert [(s.folder, s.url) for s in found(proc)] == [(base, "http://192.168.7.5:9")]


def test_names_of_mounts_are_read_as_utf8(proc: Proc) -> None:
    names = "/mnt/gro\\303\\237e\\040Platte", "/mnt/größe\\040\U0001f600\u2028x"
    lines = [f"61 27 8:17 / {name} rw - ext4 /dev/sdb1 rw\n" for name in names]
    (proc.folder / "self/mountinfo").write_text("".join(lines), encoding="utf-8")
    points = [mount.point for mount in processes.mounts(proc.folder / "self")]
    assert points == ["/mnt/große Platte", "/mnt/größe \U0001f600\u2028x"]
    assert [mount_of(f"{p}/x", "".join(lines))[0] for p in points] == points


def test_a_process_does_not_choose_by_its_name_whose_it_is() -> None:
    """A real one: of its name the kernel escapes line feeds and backslashes alone."""
    script = """if True:
        import ctypes, sys
        ctypes.CDLL(None).prctl(15, b"x\\x0bUid:\\t0 7 0")
        print("named", flush=True)
        sys.stdin.read()"""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"named\n"
        [uid] = [each.uid for each in processes.running() if each.pid == child.pid]
        child.communicate()
    assert uid == os.geteuid()
