"""The stand-in answers what was recorded, misbehaves as told, and leaves nothing running."""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
import zlib
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.standin import comfyui as module
from tests.standin.comfyui import BEHAVIOURS, DATA, Behaviour, StandIn

if TYPE_CHECKING:
    from tests.standin.certificates import Certificates


def ask(
    stand_in: StandIn,
    path: str,
    *,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
    timeout: float = 60,
) -> tuple[int, bytes, http.client.HTTPMessage]:
    """Send one request and read the whole answer."""
    url = urlsplit(stand_in.url)
    assert url.hostname
    connection = (
        http.client.HTTPSConnection(url.hostname, url.port, timeout=timeout, context=tls)
        if tls
        else http.client.HTTPConnection(url.hostname, url.port, timeout=timeout)
    )
    with closing(connection):
        connection.request(method, url.path + path, headers=headers or {})
        response = connection.getresponse()
        return response.status, response.read(), response.headers


def ask_json(stand_in: StandIn, path: str, headers: dict[str, str] | None = None) -> Any:
    status, body, _ = ask(stand_in, path, headers=headers)
    assert status == 200
    return json.loads(body)


@pytest.mark.parametrize("state", ["empty", "full"])
def test_every_recorded_answer_is_replayed(state: str) -> None:
    recorded = json.loads((DATA / f"answers_{state}.json").read_text())
    if state == "full":
        recorded["/embeddings"] = [
            name.removesuffix(".safetensors") for name in recorded["/models/embeddings"]
        ]
    with StandIn(state=state) as stand_in:
        for path, answer in recorded.items():
            assert ask_json(stand_in, path) == answer, path
            assert ask_json(stand_in, f"/api{path}") == answer, path
        assert ask(stand_in, "/object_info")[1] == module.recorded_object_info(state)
        assert ask_json(stand_in, "/object_info/KSampler").keys() == {"KSampler"}
        assert ask_json(stand_in, "/object_info/No%20such%2Fnode") == {}
        for path in ("/node_replacements", "/models/nonexistent"):
            status, body, headers = ask(stand_in, path)
            assert (status, body) == (404, b"")
            assert headers["Content-Type"] == "application/octet-stream"
    assert len(stand_in.requests) == 2 * len(recorded) + 5
    assert stand_in.writes == []


def test_recorded_numbers_of_node_types_and_models() -> None:
    assert (
        len(module.recorded_node_types("full")) == len(module.recorded_node_types("empty")) == 568
    )
    assert len(module.recorded("full")["/models/checkpoints"]) == 30
    assert module.recorded("empty")["/models/checkpoints"] == []


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_is_ever_queued(method: str, capsys: pytest.CaptureFixture[str]) -> None:
    with StandIn() as stand_in:
        assert ask(stand_in, "/prompt", method=method)[0] == 500
    assert [(r.method, r.path) for r in stand_in.writes] == [(method, "/prompt")]
    assert f"THE STAND-IN WAS ASKED TO {method} /prompt" in capsys.readouterr().err


def test_requests_are_recorded_as_sent(comfyui: StandIn) -> None:
    ask(comfyui, "/api/queue?x=%2F", headers={"Comfy-User": "anna"})
    (request,) = comfyui.requests
    assert (request.method, request.target, request.path) == (
        "GET",
        "/api/queue?x=%2F",
        "/api/queue",
    )
    assert request.headers["comfy-user"] == "anna"
    assert request.sent == 42
    assert comfyui.wait_for("/queue") is request
    with pytest.raises(TimeoutError, match="no request for /users"):
        comfyui.wait_for("/users", timeout=0.01)


@pytest.fixture
def userdata(tmp_path: Path) -> Path:
    workflows = tmp_path / "default" / "workflows"
    (workflows / "a folder").mkdir(parents=True)
    (workflows / "plain.json").write_text("{}")
    (workflows / "a folder" / "100% ä.json").write_text('{"a": 1}')
    (workflows / "a%20b.json").write_text('{"b": 2}')
    (workflows / ".index.json").write_text("{}")
    (tmp_path / "anna_1" / "workflows").mkdir(parents=True)
    (tmp_path / "anna_1" / "workflows" / "hers.json").write_text("[]")
    (tmp_path / "secret").write_text("outside of every user")
    (tmp_path / "users.json").write_text('{"anna_1": "Anna", "new_2": "New", "__system": "x"}')
    return tmp_path


LISTING = "/userdata?dir=workflows&recurse=true&split=false&full_info=true"


def test_userdata_of_the_only_user(userdata: Path) -> None:
    with StandIn(userdata=userdata) as stand_in:
        listing = {entry["path"]: entry for entry in ask_json(stand_in, LISTING)}
        assert listing.keys() == {"plain.json", "a folder/100% ä.json", "a%20b.json"}
        entry = listing["a folder/100% ä.json"]
        assert entry["size"] == 8
        assert entry["modified"] == pytest.approx(time.time() * 1000, abs=60_000)
        assert sorted(ask_json(stand_in, "/userdata?dir=workflows")) == ["a%20b.json", "plain.json"]
        assert ask_json(stand_in, "/users") == {"storage": "server", "migrated": True}
        name = "/userdata/workflows%2Fa%20folder%2F100%25%20%C3%A4.json"
        assert ask_json(stand_in, name) == {"a": 1}
        # a name that looks percent-encoded has to be encoded twice
        assert ask(stand_in, "/userdata/workflows%2Fa%2520b.json")[0] == 404
        assert ask_json(stand_in, "/userdata/workflows%2Fa%252520b.json") == {"b": 2}
        assert ask(stand_in, "/userdata/workflows/plain.json")[0] == 404
        assert ask(stand_in, "/userdata")[0] == 400
        assert ask(stand_in, "/userdata/..%2Fsecret")[0] == 403
        assert ask(stand_in, "/userdata?dir=nowhere")[:2] == (404, b"Directory not found")


def test_userdata_of_several_users(userdata: Path) -> None:
    with StandIn(userdata=userdata, multi_user=True) as stand_in:
        assert ask_json(stand_in, "/users")["users"]["anna_1"] == "Anna"
        listing = ask_json(stand_in, LISTING, {"comfy-user": "anna_1"})
        assert [entry["path"] for entry in listing] == ["hers.json"]
        assert ask_json(stand_in, "/userdata/workflows%2Fhers.json", {"comfy-user": "anna_1"}) == []
        status, body, _ = ask(stand_in, LISTING, headers={"comfy-user": "new_2"})
        assert (status, body) == (404, b"Directory not found")
        for unknown in ({"comfy-user": "eve"}, {"comfy-user": "__system"}, {}):
            assert ask(stand_in, LISTING, headers=unknown)[0] == 500


def test_version_devices_and_node_types_can_be_others() -> None:
    with StandIn(comfyui_version="0.12.1", gpu=2, object_info={"A/B": {"input": {}}}) as stand_in:
        stats = ask_json(stand_in, "/system_stats")
        assert stats["system"]["comfyui_version"] == "0.12.1"
        assert [device["type"] for device in stats["devices"]] == ["cuda", "cuda"]
        assert "--cpu" not in stats["system"]["argv"]
        assert ask_json(stand_in, "/object_info") == {"A/B": {"input": {}}}
        assert ask_json(stand_in, "/object_info/A%2FB").keys() == {"A/B"}
        stand_in.behaviour = "low-vram:100"
        free = ask_json(stand_in, "/system_stats")["devices"][0]["vram_free"]
        assert free == 100 * 1024**2


def test_busy_queue() -> None:
    with StandIn(behaviour="busy:2,3") as stand_in:
        queue = ask_json(stand_in, "/queue")
        assert (len(queue["queue_running"]), len(queue["queue_pending"])) == (2, 3)
        assert ask_json(stand_in, "/prompt") == {"exec_info": {"queue_remaining": 5}}


def test_prefix_and_credentials() -> None:
    with StandIn(prefix="/comfy/", token="s3cret") as stand_in:
        assert stand_in.url.endswith("/comfy")
        status, _, headers = ask(stand_in, "/queue")
        assert (status, headers["WWW-Authenticate"]) == (401, 'Basic realm="ComfyUI"')
        assert ask(stand_in, "/queue", headers={"Authorization": "Bearer s3cret"})[0] == 200
        stand_in.prefix = "/other"
        assert (
            ask(stand_in, "/../comfy/queue", headers={"Authorization": "Bearer s3cret"})[0] == 404
        )
    login = base64.b64encode(b"anna:p:w").decode()
    with StandIn(basic="anna:p:w") as stand_in:
        assert ask(stand_in, "/queue", headers={"Authorization": f"Basic {login}"})[0] == 200
        assert ask(stand_in, "/queue", headers={"Authorization": "Basic YTpi"})[0] == 401


def test_https(tls: Certificates) -> None:
    with StandIn(tls=(tls.certificate, tls.key)) as stand_in:
        assert stand_in.url.startswith("https://")
        trusting = ssl.create_default_context(cafile=tls.authority)
        assert ask(stand_in, "/queue", tls=trusting)[0] == 200
        with pytest.raises(ssl.SSLCertVerificationError):
            ask(stand_in, "/queue", tls=ssl.create_default_context())


@pytest.mark.parametrize("status", [401, 403, 429, 500, 502, 503])
def test_error_pages(status: int) -> None:
    with StandIn(behaviour=f"{status}@/queue") as stand_in:
        got, body, headers = ask(stand_in, "/queue")
        assert got == status
        assert (b"nginx" in body) is (status != 500)
        assert headers["Retry-After"] == ("120" if status in (429, 503) else None)
        assert ask(stand_in, "/system_stats")[0] == 200


def test_refused_starting_flaky_and_down() -> None:
    with StandIn(behaviour="refused") as stand_in:
        with pytest.raises(ConnectionRefusedError):
            ask(stand_in, "/queue")
        stand_in.behaviour = "reset-first:2"
        for _ in range(2):
            with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
                ask(stand_in, "/queue")
        assert ask(stand_in, "/queue")[0] == 200
        stand_in.behaviour = "starting:1"
        assert [ask(stand_in, "/queue")[0] for _ in range(2)] == [503, 200]
        stand_in.behaviour = "flaky@/object_info"
        assert [ask(stand_in, "/queue")[0] for _ in range(2)] == [200, 200]
        assert [ask(stand_in, "/object_info")[0] for _ in range(2)] == [500, 200]
        stand_in.behaviour = "down-after:2"
        assert [ask(stand_in, "/queue")[0] for _ in range(2)] == [200, 200]
        with pytest.raises(ConnectionRefusedError):
            ask(stand_in, "/queue")


def test_nobody_else_is_given_the_port_while_nothing_listens_at_it() -> None:
    with StandIn() as stand_in:
        stand_in.behaviour = "refused"
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind((stand_in.host, stand_in.port))
        stand_in.behaviour = "ok"
        assert ask(stand_in, "/queue")[0] == 200
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind((stand_in.host, stand_in.port))


def test_bodies_that_end_badly() -> None:
    with StandIn(behaviour="truncated") as stand_in:
        with pytest.raises(http.client.IncompleteRead):
            ask(stand_in, "/object_info")
        stand_in.behaviour = "reset"
        with pytest.raises(ConnectionResetError):
            ask(stand_in, "/object_info")
        stand_in.behaviour = "padded:2"
        body = ask(stand_in, "/queue")[1]
        assert len(body) == 2 * 1024**2 + 42
        assert json.loads(body)["queue_running"] == []
        stand_in.behaviour = "gzip-bomb:2"
        _, body, headers = ask(stand_in, "/queue")
        assert headers["Content-Encoding"] == "gzip"
        assert len(body) < 10_000
        assert zlib.decompress(body, wbits=31) == b" " * 2 * 1024**2 + b"{}"


def test_redirects() -> None:
    with StandIn(behaviour="redirect-loop") as stand_in:
        status, _, headers = ask(stand_in, "/queue?a=1")
        assert (status, headers["Location"]) == (302, "/queue?a=1")
        stand_in.behaviour = "redirect:http://user@other.invalid:1/x/"
        assert ask(stand_in, "/queue")[2]["Location"] == "http://user@other.invalid:1/x/queue"


@pytest.mark.parametrize(
    "name", ["html", "json-object", "json-list", "json-null", "empty", "binary"]
)
def test_what_is_not_comfyui(name: str) -> None:
    with StandIn(behaviour=name) as stand_in:
        status, body, _ = ask(stand_in, "/system_stats")
        assert status == 200
        assert b"comfyui_version" not in body


@pytest.mark.parametrize("name", ["wrong-types", "nonsense"])
def test_values_that_make_no_sense(name: str) -> None:
    with StandIn() as stand_in:
        for path in module.ALTERED[name]:
            sane = ask(stand_in, path)[1]
            stand_in.behaviour = name
            status, body, _ = ask(stand_in, path)
            assert status == 200
            assert body != sane
            json.loads(body)
            stand_in.behaviour = "ok"


@pytest.mark.parametrize("name", ["hang", "slow-loris", "slow-head", "endless", "hold"])
def test_what_never_ends_is_ended_with_the_stand_in(name: str) -> None:
    before = set(threading.enumerate())  # of which one of an earlier test may end meanwhile
    stand_in = StandIn(behaviour=name).start()
    with socket.create_connection((stand_in.host, stand_in.port), timeout=60) as connection:
        connection.sendall(b"GET /object_info HTTP/1.1\r\nHost: x\r\n\r\n")
        stand_in.wait_for("/object_info")
        start = time.monotonic()
        stand_in.close()
        while connection.recv(1024**2):
            pass
    assert time.monotonic() - start < 60
    assert set(threading.enumerate()) <= before


def test_hold_answers_once_it_is_switched() -> None:
    with StandIn(behaviour="hold@/queue") as stand_in:
        answers: list[int] = []
        thread = threading.Thread(target=lambda: answers.append(ask(stand_in, "/queue")[0]))
        thread.start()
        stand_in.wait_for("/queue")
        assert ask(stand_in, "/prompt")[0] == 200
        assert answers == []
        stand_in.behaviour = "ok"
        thread.join(60)
        assert answers == [200]


def test_the_notation_of_behaviours() -> None:
    assert Behaviour.parse("503:30@/queue") == Behaviour("503", "30", "/queue")
    assert Behaviour.parse("redirect:http://a@b/") == Behaviour("redirect", "http://a@b/")
    with pytest.raises(ValueError, match="no behaviour 'nice'"):
        Behaviour.parse("nice")
    with StandIn(behaviour="503:30@/queue") as stand_in:
        assert stand_in.behaviour == "503:30@/queue"


def test_readme_names_every_behaviour() -> None:
    readme = (DATA.parent / "README.md").read_text()
    assert [name for name in BEHAVIOURS if f"| `{name}" not in readme] == []


def test_as_a_program(tmp_path: Path) -> None:
    """As a test host runs it: one file and its data, the system's Python, no package."""
    program = Path(module.__file__)
    process = subprocess.Popen(
        [sys.executable, "-I", program, "--port", "0", "--state", "empty", "--gpu",
         "--behaviour", "503@/queue"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    try:
        assert process.stdout
        line = process.stdout.readline()
        url = urlsplit(line.removeprefix("stand-in for ComfyUI: ").strip())
        remote = StandIn(host=url.hostname or "", port=url.port or 0)  # never started: an address
        assert ask_json(remote, "/system_stats")["devices"][0]["type"] == "cuda"
        assert ask(remote, "/queue")[0] == 503
        connection = http.client.HTTPConnection(remote.host, remote.port, timeout=60)
        with closing(connection):
            connection.request("PUT", "/standin/behaviour", body=b"ok")
            assert connection.getresponse().read() == b'"ok"'
            connection.request("PUT", "/standin/behaviour", body=b"nice")
            assert connection.getresponse().status == 400
        assert ask(remote, "/queue")[0] == 200
        assert [r["target"] for r in ask_json(remote, "/standin/requests")] == [
            "/system_stats", "/queue", "/queue",
        ]  # fmt: skip
    finally:
        process.terminate()
        assert process.wait(timeout=60) == 0
        process.communicate()


def test_a_model_file_that_is_gone_is_in_no_list() -> None:
    name = "sd_xl_base_1.0.safetensors"
    with StandIn(without=[name]) as stand_in:
        for path in ("/object_info", "/models/checkpoints", "/experiment/models/checkpoints"):
            with urllib.request.urlopen(stand_in.url + path) as answer:
                listed = answer.read().decode()
            assert "flux1-dev-fp8.safetensors" in listed
            assert f'"{name}"' not in listed
