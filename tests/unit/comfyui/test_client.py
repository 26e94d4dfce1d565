"""Every way a server can fail, caused for real, becomes one sentence that says what to do."""

from __future__ import annotations

import json
import math
import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from httpcore import HTTP11Connection

from comfywatchman import settings
from comfywatchman.comfyui import client as module
from comfywatchman.comfyui.client import ComfyUIClient, ComfyUIError, patience
from comfywatchman.errors import ConfigError
from tests.standin.comfyui import Answer, StandIn

if TYPE_CHECKING:
    from tests.standin.certificates import Certificates
    from tests.unit.comfyui.conftest import Connect

ROLE = Path(__file__).parents[3] / "roles" / "comfywatchman"
NOT_COMFYUI = ["answered something that is not JSON", "Correct comfyui_url"]


def failure(client: ComfyUIClient, path: str = "/system_stats") -> ComfyUIError:
    with pytest.raises(ComfyUIError) as caught:
        client.get_json(path)
    return caught.value


@pytest.mark.parametrize(
    ("behaviour", "transient", "words"),
    [
        ("401", False, ["asks for a login (HTTP 401)", "set comfyui_token_file or"]),
        ("407", False, ["asks for a login of its own (HTTP 407)", "reached without it"]),
        ("403", False, ["refuses us (HTTP 403)", "allow this host in the proxy"]),
        ("404", False, ["is not there (HTTP 404)", "Correct comfyui_url"]),
        ("418", False, ["answered HTTP 418", "Correct comfyui_url, or the proxy"]),
        ("201", False, ["answered HTTP 201 instead of 200"]),
        ("204", False, ["answered without content (HTTP 204)", "correct the proxy"]),
        ("205", False, ["answered without content (HTTP 205)"]),
        ("206", False, ["sent a part of its answer (HTTP 206)"]),
        ("300", False, ["offers several addresses (HTTP 300)"]),
        ("301", False, ["redirects (HTTP 301) without saying where; correct the proxy"]),
        ("304", False, ["answered 'not modified' (HTTP 304)", "cache or proxy before ComfyUI"]),
        ("305", False, ["wants to be asked through a proxy that it names (HTTP 305)"]),
        ("306", False, ["answered HTTP 306, which names no other address"]),
        ("308", False, ["redirects (HTTP 308) without saying where"]),
        ("511", True, ["failed with HTTP 511; the log of ComfyUI or of its proxy says why"]),
        ("500", True, ["failed with HTTP 500", "ComfyUI's own log says why"]),
        ("502", True, ["is up but not ready (HTTP 502)", "it may be starting or overloaded"]),
        ("503", True, ["is up but not ready (HTTP 503)"]),
        ("429", True, ["is up but not ready (HTTP 429)"]),
        ("504", True, ["is up but not ready (HTTP 504)"]),
        ("refused", True, ["nothing listens at", "start ComfyUI, or correct comfyui_url"]),
        ("reset", True, ["broke off its answer", "may have stopped or is restarting"]),
        ("reset-first", True, ["broke off its answer"]),
        ("truncated", True, ["broke off its answer", "received 296 bytes, expected 592"]),
        ("gzip-bomb", False, ["answered compressed (gzip)", "turn compression off in the proxy"]),
        ("padded:17", False, ["answered more than 16 MiB", "Correct comfyui_url"]),
        ("endless", False, ["answered more than 16 MiB", "Correct comfyui_url"]),
        ("redirect-loop", False, ["redirects to /system_stats, which is not followed"]),
        ("redirect:http://elsewhere.invalid", False,
         ["redirects to http://elsewhere.invalid/system_stats", "set comfyui_url to the address"]),
        ("html", False, [*NOT_COMFYUI, "<!DOCTYPE html>"]),
        ("empty", False, [*NOT_COMFYUI, "(it begins '')"]),
        ("binary", False, [*NOT_COMFYUI, r"\x00\x01"]),
        ("deep-json", False, NOT_COMFYUI),
    ],
)  # fmt: skip
def test_faults(
    comfyui: StandIn,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
    behaviour: str,
    transient: bool,
    words: list[str],
) -> None:
    monkeypatch.setattr(module, "PAUSES", (1000.0,))  # longer than there is time: asked once
    comfyui.behaviour = behaviour
    error = failure(connect(comfyui.url))
    assert error.transient is transient
    for word in [comfyui.url, *words]:
        assert word in str(error)
    assert str(error).isprintable()


@pytest.mark.parametrize("behaviour", ["hang", "slow-head", "slow-loris", "endless"])
def test_an_answer_that_does_not_end_is_ended(
    comfyui: StandIn, connect: Connect, behaviour: str
) -> None:
    comfyui.behaviour = behaviour
    client = connect(comfyui.url, read_timeout=0.4)
    start = time.monotonic()
    with pytest.raises(ComfyUIError) as caught:
        client.get_json("/system_stats", max_bytes=2**50)
    assert 0.3 < time.monotonic() - start < 30
    assert caught.value.transient
    assert "did not finish its answer within 0.4 s" in str(caught.value)
    assert "look at its log, restart it" in str(caught.value)


def test_a_slow_answer_over_tls_is_ended(tls: Certificates, connect: Connect) -> None:
    with StandIn(tls=(tls.certificate, tls.key), behaviour="slow-head") as comfyui:
        client = connect(comfyui.url, read_timeout=0.4, ca_file=tls.authority)
        assert "did not finish its answer within 0.4 s" in str(failure(client))


def test_the_whole_time_that_was_asked_for_is_given(comfyui: StandIn, connect: Connect) -> None:
    """A server with many packs is silent for longer than other answers may take at all."""
    comfyui.behaviour = "hang"
    client = connect(comfyui.url, read_timeout=0.1)
    start = time.monotonic()
    with pytest.raises(ComfyUIError, match=r"within 0\.6 s"):
        client.get_json("/object_info", seconds=0.6)
    assert time.monotonic() - start > 0.5


@pytest.mark.parametrize("behaviour", ["reset-first", "flaky", "starting:1,2"])
def test_what_passes_is_asked_again(comfyui: StandIn, connect: Connect, behaviour: str) -> None:
    comfyui.behaviour = behaviour
    start = time.monotonic()
    assert connect(comfyui.url, read_timeout=60).get_json("/queue")
    assert time.monotonic() - start > (1.9 if "starting" in behaviour else 0.9)


def test_a_server_that_asks_for_more_time_than_there_is_is_left_alone(
    comfyui: StandIn, connect: Connect
) -> None:
    comfyui.behaviour = "503:31"
    error = failure(connect(comfyui.url))
    assert "(HTTP 503), and asks to be left alone for 31 s; it may be starting" in str(error)
    assert len(comfyui.requests) == 1


def test_retry_after_as_a_date(comfyui: StandIn, connect: Connect) -> None:
    comfyui.behaviour = f"429:{format_datetime(datetime.now(UTC) + timedelta(hours=1))}"
    error = failure(connect(comfyui.url))
    assert re.search(r"left alone for 3(59\d|600) s", str(error))


@pytest.mark.parametrize(
    "value",
    [
        "soon",
        "-5",
        "1e99",
        "Mon, 99 Foo 2026",
        "9" * 5000,
        "Mon, 1 Jan 2026 00:00:00 +9999999999999",
        "1 Jan 99999999999999999999 00:00:00 GMT",
    ],
)
def test_a_retry_after_that_makes_no_sense(
    comfyui: StandIn, connect: Connect, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setattr(module, "PAUSES", (1000.0,))
    comfyui.behaviour = f"503:{value}"
    assert "(HTTP 503)" in str(failure(connect(comfyui.url)))


def test_what_does_not_pass_is_told_with_how_often_it_was_asked(
    comfyui: StandIn, connect: Connect
) -> None:
    comfyui.behaviour = "500"
    error = failure(connect(comfyui.url))
    assert str(error).endswith("ComfyUI's own log says why; asked 2 times")
    assert (error.transient, error.status) == (True, 500)


def test_only_a_server_that_has_answered_is_waited_for(comfyui: StandIn, connect: Connect) -> None:
    client = connect(comfyui.url, read_timeout=60)
    comfyui.behaviour = "refused"
    error = str(failure(client))
    assert "nothing listens at" in error
    assert "asked" not in error
    comfyui.behaviour = "ok"
    assert client.get_json("/queue")
    comfyui.behaviour = "refused"
    back = threading.Timer(1.5, setattr, (comfyui, "behaviour", "ok"))
    back.start()
    assert client.get_json("/queue")
    back.join()


def test_all_answers_together_have_a_limit(
    comfyui: StandIn, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "patience", lambda settings: 1.0)
    comfyui.behaviour = "hang@/queue"
    client = connect(comfyui.url)
    start = time.monotonic()
    client._ends = start + 1.0  # making the client takes some of it, on a busy machine all
    assert "did not finish its answer within" in str(failure(client, "/queue"))
    assert 0.9 < time.monotonic() - start < 30
    assert "took more than 1 s for all that a cycle asks" in str(failure(client))


def test_the_limit_ends_a_cycle_before_its_service_does() -> None:
    unit = yaml.safe_load((ROLE / "defaults/main.yml").read_text())
    assert unit["comfywatchman_timeout_start_sec"] == "15min"
    a_stuck_driver = 15
    assert patience(settings.load({})) + a_stuck_driver < 10 * 60


def test_a_host_that_drops_packets(connect: Connect) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        queue = []
        for _ in range(2):  # with its queue full, the kernel answers no further connection
            waiting = socket.socket()
            waiting.setblocking(False)
            waiting.connect_ex(address)
            queue.append(waiting)
        error = failure(connect(f"http://127.0.0.1:{address[1]}", connect_timeout=0.3))
        for waiting in queue:
            waiting.close()
    assert error.transient
    assert "does not accept a connection within 0.3 s" in str(error)
    assert "is the host up, is a firewall between?" in str(error)


def test_a_name_that_does_not_exist(connect: Connect) -> None:
    error = failure(connect("http://comfyui.invalid:8188"))
    assert "http://comfyui.invalid:8188 cannot be reached" in str(error)
    assert "correct comfyui_url, or see to the network" in str(error)


def test_an_answer_larger_than_its_cap_names_the_setting(
    comfyui: StandIn, connect: Connect
) -> None:
    comfyui.behaviour = "padded:2"
    with pytest.raises(ComfyUIError, match=r"more than 1 MiB; .* raise max_catalog_size"):
        connect(comfyui.url).get_json("/object_info", max_bytes=1024**2, cap="max_catalog_size")


def test_an_answer_of_more_values_than_its_memory_allows(connect: Connect) -> None:
    dense: dict[str, list[Any]] = {"A": [[]] * 100_000}
    with StandIn(object_info=dense) as comfyui:
        client = connect(comfyui.url)
        assert client.get_json("/object_info", max_bytes=4 * 1024**2, cap="max_catalog_size")
        with pytest.raises(ComfyUIError, match=r"65,536 values, .* raise max_catalog_size, and"):
            client.get_json("/object_info", max_bytes=1024**2, cap="max_catalog_size")


def test_https_needs_a_trusted_authority(tls: Certificates, connect: Connect) -> None:
    with StandIn(tls=(tls.certificate, tls.key)) as comfyui:
        assert connect(comfyui.url, ca_file=tls.authority).get_json("/queue")
        error = failure(connect(comfyui.url))
        assert f"the certificate of {comfyui.url} is not trusted" in str(error)
        assert "CA store, or name it in ca_file" in str(error)


def test_https_and_http_mixed_up(
    tls: Certificates, connect: Connect, comfyui: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = failure(connect(comfyui.url.replace("http:", "https:")))
    assert "does not speak TLS as https needs" in str(error)
    assert "is it http?" in str(error)
    with StandIn(tls=(tls.certificate, tls.key)) as secure:
        monkeypatch.setattr(module, "PAUSES", (1000.0,))
        plain = connect(secure.url.replace("https:", "http:"))
        error = failure(plain)
        assert "broke off its answer" in str(error)


@pytest.mark.parametrize("content", [b"no certificate", None])
def test_a_ca_file_that_cannot_be_used(
    tmp_path: Path, connect: Connect, content: bytes | None
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=f"ca_file: {file} cannot be used .*PEM"):
        connect("https://127.0.0.1:1", ca_file=file)


def secret_file(folder: Path, content: str) -> Path:
    file = folder / "secret"
    file.write_text(content)
    file.chmod(0o600)
    return file


def test_a_bearer_token_and_a_base_path(tmp_path: Path, connect: Connect) -> None:
    with StandIn(token="t0k3n", prefix="/comfy") as comfyui:
        client = connect(comfyui.url, comfyui_token_file=secret_file(tmp_path, "t0k3n\n"))
        assert client.get_json("/queue") == {"queue_running": [], "queue_pending": []}
        assert comfyui.requests[0].target == "/comfy/queue"
        assert "t0k3n" not in repr(vars(client))
        wrong = failure(connect(comfyui.url, comfyui_token_file=secret_file(tmp_path, "other")))
        assert "asks for a login (HTTP 401)" in str(wrong)
        assert "other" not in str(wrong)


def test_basic_authentication(tmp_path: Path, connect: Connect) -> None:
    with StandIn(basic="anna:p:ä") as comfyui:
        file = secret_file(tmp_path, "anna:p:ä")
        assert connect(comfyui.url, comfyui_basic_auth_file=file).get_json("/queue")
        assert "HTTP 401" in str(failure(connect(comfyui.url)))


def test_a_secret_goes_to_no_other_server(tmp_path: Path, connect: Connect) -> None:
    with StandIn() as other, StandIn(token="t0k3n", behaviour=f"redirect:{other.url}") as comfyui:
        failure(connect(comfyui.url, comfyui_token_file=secret_file(tmp_path, "t0k3n")))
        assert other.requests == []


def connections(comfyui: StandIn) -> list[int]:
    return [request.connection for request in comfyui.requests]


def test_a_connection_is_kept(tls: Certificates, comfyui: StandIn, connect: Connect) -> None:
    client = connect(comfyui.url)
    for _ in range(5):
        assert client.get_json("/queue")
    assert connections(comfyui) == [1] * 5
    with StandIn(tls=(tls.certificate, tls.key)) as secure:
        client = connect(secure.url, ca_file=tls.authority)
        for _ in range(5):
            assert client.get_json("/queue")
        assert connections(secure) == [1] * 5


def test_no_more_than_four_are_asked_at_once(comfyui: StandIn, connect: Connect) -> None:
    comfyui.behaviour = "delay:100"
    client = connect(comfyui.url)
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(client.get_json, ["/queue"] * 12))
    assert len(answers) == 12
    assert comfyui.most_at_once == 4
    assert set(connections(comfyui)) == {1, 2, 3, 4}


@pytest.mark.parametrize("behaviour", ["closes", "closes:told"])
def test_a_server_that_closes_each_connection(
    comfyui: StandIn, connect: Connect, behaviour: str
) -> None:
    comfyui.behaviour = behaviour
    client = connect(comfyui.url, read_timeout=0.5)  # shorter than the first pause
    for _ in range(5):
        assert client.get_json("/queue")
    assert connections(comfyui) == [1, 2, 3, 4, 5]


def test_a_connection_that_was_lost_meanwhile_costs_nothing(
    comfyui: StandIn, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the server closes it while the request is on its way."""
    monkeypatch.setattr(HTTP11Connection, "has_expired", lambda self: False)
    client = connect(comfyui.url, read_timeout=0.5)
    assert client.get_json("/queue")
    comfyui.hang_up()
    comfyui.behaviour = "ok"
    assert client.get_json("/queue")
    assert connections(comfyui) == [1, 2]


def test_what_is_posted_goes_over_a_new_connection(connect: Connect) -> None:
    with StandIn(posts=lambda method, path, body: Answer(200, b"{}")) as comfyui:
        client = connect(comfyui.url)
        assert client.get_json("/queue") == {}
        assert client.post_once("/prompt", {}) == (200, b"{}")
        assert client.get_json("/queue") == {}
    assert connections(comfyui) == [1, 2, 2]


def test_a_limit_ends_its_own_request_alone(comfyui: StandIn, connect: Connect) -> None:
    client = connect(comfyui.url, read_timeout=0.5)
    comfyui.behaviour = "hang@/users"
    for _ in range(2):
        assert client.get_json("/queue")
        assert "did not finish its answer within 0.5 s" in str(failure(client, "/users"))
    with ThreadPoolExecutor(4) as pool:
        late = [pool.submit(failure, client, "/users") for _ in range(3)]
        for _ in range(20):
            assert client.get_json("/queue")
        assert all(each.result().late for each in late)


def test_proxies_of_the_environment_are_left_out(
    comfyui: StandIn, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    with StandIn() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        assert connect(comfyui.url).get_json("/queue")
        assert proxy.requests == []


def test_no_cookie_is_kept(comfyui: StandIn, connect: Connect) -> None:
    client = connect(comfyui.url)
    comfyui.behaviour = "cookie"
    assert client.get_json("/queue")
    assert client.get_json("/queue")
    assert "cookie" not in comfyui.requests[-1].headers


def test_what_is_asked(comfyui: StandIn, connect: Connect) -> None:
    connect(comfyui.url).get_json("/queue", headers={"comfy-user": "anna"})
    (request,) = comfyui.requests
    assert request.method == "GET"
    assert request.headers["comfy-user"] == "anna"
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["user-agent"].startswith("comfywatchman/")


def test_json_as_python_servers_write_it(connect: Connect) -> None:
    odd = {"A": {"input": {}, "nan": math.nan, "name": "\udcff", "big": 10**40}}
    with StandIn(object_info=odd) as comfyui:
        answer = connect(comfyui.url).get_json("/object_info")
    assert math.isnan(answer["A"].pop("nan"))
    assert answer["A"] == {"input": {}, "name": "\udcff", "big": 10**40}


def test_a_flood_is_not_read_to_its_end(comfyui: StandIn, connect: Connect) -> None:
    comfyui.behaviour = "padded:400"
    failure(connect(comfyui.url))
    assert comfyui.requests[0].sent < 100 * 1024**2


def test_nothing_but_get_is_in_the_source() -> None:
    """The one call of httpx is a GET: what cannot be sent cannot queue anything."""
    source = Path(module.__file__).read_text()
    assert source.count("http.stream(") == 1
    assert json.dumps("GET") in source
    for verb in ("post", "put", "delete", "patch", "request(", "send("):
        assert f"http.{verb}" not in source
