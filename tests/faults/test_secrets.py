"""Secrets appear nowhere: not in what is printed, not in what is kept, however a cycle ends."""

from __future__ import annotations

import base64
import contextlib
import html
import json
import os
import re
import sqlite3
import threading
import zlib
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from comfywatchman.history import packing
from tests.faults.test_schedule import OFTEN, wait_for
from tests.standin.comfyui import StandIn
from tests.standin.healthchecks import Healthchecks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.conftest import Host

TOKEN = "tok-3n.of~ours"
LOGIN = "anna:pass-w0rd"
LEAKS = (TOKEN, "pass-w0rd", base64.b64encode(LOGIN.encode()).decode())


def unpacked(file: Path) -> str:
    """All that a database holds, each value as it was before it was packed."""
    texts: list[str] = []
    with closing(sqlite3.connect(file)) as connection:
        connection.text_factory = bytes
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        for (table,) in tables.fetchall():
            for row in connection.execute(f"SELECT * FROM {table.decode()}"):
                for value in row:
                    content = value if isinstance(value, bytes) else str(value).encode()
                    for read in (packing.unpack, zlib.decompress):
                        with suppress(ValueError, zlib.error):
                            texts.append(read(content).decode(errors="replace"))
                    texts.append(content.decode(errors="replace"))
    return "\n".join(texts)


def text_of(file: Path) -> str:
    text = file.read_text(errors="replace")
    return f"{text}\n{unpacked(file)}" if text.startswith("SQLite format 3") else text


def test_a_secret_in_a_database_would_be_seen(host: Host, comfyui: StandIn) -> None:
    (host.workflows / "named.json").write_text(json.dumps({"1": {"class_type": TOKEN}}))
    assert host.run(comfyui_url=comfyui.url).returncode == 0
    for name in ("history.sqlite3", "workflow-copies.sqlite3"):
        assert TOKEN.encode() not in (host.state / name).read_bytes()
        assert TOKEN in text_of(host.state / name)


def assert_nowhere(host: Host, *printed: str) -> None:
    texts = [*printed, *(text_of(file) for file in host.state.rglob("*"))]
    assert [leak for leak in LEAKS if any(leak in text for text in texts)] == []


def readings(text: str) -> list[str]:
    """A text as whoever comes by it might read it: decoded in each way that may be tried."""
    unescaped = re.sub(r"\\+u([0-9a-fA-F]{4})", lambda m: chr(int(m[1], 16)), text)
    joined = re.sub(r"(\\+[rn]|\s)+", "", text)
    return [text, unquote(text), unquote(unquote(text)), html.unescape(text), unescaped, joined]


def assert_nowhere_in_any_form(host: Host, *printed: str) -> None:
    files = [f for f in host.state.parent.rglob("*") if f.is_file() and f.name != "the secret"]
    texts = {str(file): text_of(file) for file in files}
    texts |= {f"printed {number}": text for number, text in enumerate(printed)}
    wanted = [TOKEN, "pass-w0rd", *(base64.b64encode(s.encode()).decode() for s in (TOKEN, LOGIN))]
    assert [
        (where, leak)
        for where, text in texts.items()
        for reading in readings(text)
        for leak in wanted
        if leak in reading
    ] == []


def secret(folder: Path, content: str, mode: int = 0o600) -> Path:
    file = folder / "the secret"
    file.write_text(f"{content}\n")
    file.chmod(mode)
    return file


@pytest.mark.parametrize(
    ("kind", "behaviour", "outcome"),
    [
        ("token", "ok", "done"),
        ("token", "401", "skipped"),
        ("token", "html", "skipped"),
        ("token", "redirect-loop", "skipped"),
        ("token", "truncated", "skipped"),
        ("basic", "ok", "done"),
        ("basic", "401", "skipped"),
    ],
)
def test_credentials(host: Host, tmp_path: Path, kind: str, behaviour: str, outcome: str) -> None:
    if kind == "token":
        server = StandIn(token=TOKEN, behaviour=behaviour)
        settings = {"comfyui_token_file": secret(tmp_path, TOKEN)}
    else:
        server = StandIn(basic=LOGIN, behaviour=behaviour)
        settings = {"comfyui_basic_auth_file": secret(tmp_path, LOGIN)}
    patience = "4" if behaviour == "truncated" else "60"  # which is how long it is asked again
    with server:
        ended = host.run("check", comfyui_url=server.url, read_timeout=patience, **settings)
    assert ended.returncode == 0
    assert host.last_run["outcome"] == outcome
    assert (
        server.requests[0]
        .headers["authorization"]
        .endswith(TOKEN if kind == "token" else LEAKS[-1])
    )
    assert_nowhere(host, ended.stdout, ended.stderr)


def test_systemd_credentials(host: Host, tmp_path: Path) -> None:
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "comfyui_token").write_text(TOKEN)
    host.environment["CREDENTIALS_DIRECTORY"] = str(tmp_path / "credentials")
    with StandIn(token=TOKEN) as server:
        ended = host.run(comfyui_url=server.url)
    assert host.last_run["outcome"] == "done"
    assert_nowhere(host, ended.stdout, ended.stderr)


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        (TOKEN, 0o644, "can be read by others (mode 0644); run: chmod 600 '"),
        (f"{TOKEN}\n{TOKEN}", 0o600, "must hold one line of text"),
        (f"{TOKEN}ä", 0o600, "holds characters that no bearer token has"),
        ("", 0o600, "must hold one line of text"),
    ],
)
def test_a_file_that_is_no_good(
    host: Host, comfyui: StandIn, tmp_path: Path, content: str, mode: int, words: str
) -> None:
    file = secret(tmp_path, content, mode)
    ended = host.run(comfyui_url=comfyui.url, comfyui_token_file=file)
    assert ended.returncode == 78
    assert f"comfyui_token_file: {file}" in ended.stderr
    assert words in ended.stderr
    assert host.last_run["outcome"] == "failed"
    assert words in host.last_run["reason"]
    assert comfyui.requests == []
    assert_nowhere(host, ended.stdout, ended.stderr)


@pytest.mark.parametrize("key", ["comfyui_token_file", "ca_file"])
def test_a_pipe_in_the_place_of_a_secret_is_not_waited_for(
    host: Host, tmp_path: Path, key: str
) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    host.environment["COMFYWATCHMAN_COMFYUI_URL"] = "https://127.0.0.1:9"
    ended = host.run(**{key: tmp_path / "pipe"})
    assert ended.returncode == 78
    assert f"{key}: {tmp_path / 'pipe'}" in ended.stderr
    assert "is not a regular file" in ended.stderr


def test_a_login_in_the_address_is_refused_unseen(host: Host, tmp_path: Path) -> None:
    url = f"http://{LOGIN}@127.0.0.1:8188/{TOKEN}"
    file = tmp_path / "config.toml"
    file.write_text(f'comfyui_url = "{url}"\n')
    for arguments, settings, where in (
        ([], {"comfyui_url": url}, "COMFYWATCHMAN_COMFYUI_URL"),
        (["check", "--comfyui-url", url], {}, "--comfyui-url"),
        (["check", "--config", str(file)], {}, str(file)),
    ):
        ended = host.run(*arguments, **settings)
        assert ended.returncode == 78
        assert where in ended.stderr
        assert "comfyui_basic_auth_file" in ended.stderr
        assert host.last_run["outcome"] == "failed"
        assert_nowhere(host, ended.stdout, ended.stderr)


@pytest.fixture(params=["token", "basic"])
def reflecting(request: pytest.FixtureRequest, host: Host, tmp_path: Path) -> Iterator[StandIn]:
    """A server that sends the credential back, which the host is set up to send it."""
    is_token = request.param == "token"
    file = secret(tmp_path, TOKEN if is_token else LOGIN)
    key = "TOKEN_FILE" if is_token else "BASIC_AUTH_FILE"
    login = {"token": TOKEN} if is_token else {"basic": LOGIN}
    with StandIn(**login, behaviour="reflect", manager="4.3") as server:
        host.environment[f"COMFYWATCHMAN_COMFYUI_{key}"] = str(file)
        host.environment["COMFYWATCHMAN_COMFYUI_URL"] = server.url
        yield server


def test_a_server_that_sends_the_credential_back_in_every_answer(
    host: Host, reflecting: StandIn
) -> None:
    catalog = host.state.parent / "catalog.json"
    ended = [
        host.run("check"),
        host.run("check", "--no-cache", "--format", "json"),
        host.run("check", "--format", "markdown"),
        host.run("status"),
        host.run("report"),
        host.run("doctor"),
        host.run("catalog", "--save", str(catalog)),
        host.run("convert", str(host.workflows / "good.json")),
    ]
    assert host.last_run["outcome"] == "done"
    by_name = {w["name"]: w["verdict"] for w in host.latest["workflows"]}
    assert by_name["good.json"] == "runnable"
    assert "default/seen.json" in by_name
    assert "***" in (host.state / "report.md").read_text()
    assert "***" in catalog.read_text()
    assert any("held the credential that it was sent" in s for s in host.latest["not_checked"])
    assert_nowhere_in_any_form(host, *(e.stdout for e in ended), *(e.stderr for e in ended))


@pytest.mark.parametrize("kind", ["302", "401", "404", "html", "encoding", "head"])
def test_a_server_that_fails_and_sends_the_credential_back(
    host: Host, reflecting: StandIn, kind: str
) -> None:
    reflecting.behaviour = f"reflect:{kind}"
    ended = host.run("check", read_timeout="1")
    assert host.last_run["outcome"] == "skipped"
    assert_nowhere_in_any_form(host, ended.stdout, ended.stderr)


def test_what_a_failure_is_told_by_holds_no_credential(host: Host, reflecting: StandIn) -> None:
    """Not the log of the schedule, nor the environment of ``on_failure_command``."""
    told = host.state.parent / "told"
    host.state.mkdir()
    (host.state / "latest.json").mkdir()
    command = f"/bin/sh -c 'env >{told}'"
    process = host.start("schedule", on_failure_command=command, **OFTEN)
    try:
        wait_for(lambda: told.exists() and told.read_text(), "the command", 20)
    finally:
        process.terminate()
        stdout, stderr = process.communicate(timeout=60)
    assert "COMFYWATCHMAN_REASON=" in told.read_text()
    assert_nowhere_in_any_form(host, stdout, stderr)


def test_where_messages_go_is_seen_by_nobody(host: Host, comfyui: StandIn, tmp_path: Path) -> None:
    """Not in what is kept or said, nor on any command line, nor in an environment."""
    hang = threading.Event()
    with Healthchecks(hang=hang) as server:
        where = server.url.removeprefix("http")
        urls, ping = tmp_path / "notify", tmp_path / "ping"
        urls.write_text(f"json{where}/{TOKEN}?+X-Key=pass-w0rd\nnosuch://{TOKEN}")
        ping.write_text(f"{server.url}/{TOKEN}/pass-w0rd")
        urls.chmod(0o600)
        ping.chmod(0o600)
        settings = {"notify_urls_file": urls, "ping_url_file": ping, "comfyui_url": comfyui.url}
        settings |= {"on_change_command": f"/bin/sh -c 'env >{tmp_path}/told'"}
        sending = host.start("notify", "--test", **settings)
        seen: dict[str, bytes] = {}
        wait_for(lambda: _look(sending.pid, seen, b"channels.sending.trying") > 2, "tries", 60)
        hang.set()
        stdout, stderr = sending.communicate(timeout=60)
        server.status = 500
        ended = [host.run(**settings)]  # which has them sent
        noted = host.state / "notify.json"
        wait_for(lambda: noted.exists() and b"HTTP 500" in noted.read_bytes(), "the sender", 60)
        ended += [host.run("notify", "--send", **settings)]
        ended += [host.run(each, **settings) for each in ("status", "doctor", "report")]
    assert "nosuch (line 2): not sent: " in stdout
    assert "ping could not be reached" in ended[2].stdout
    assert any("ping could not be reached" in e.stdout for e in ended[3:])
    urls.unlink()
    ping.unlink()
    texts = [text.decode(errors="replace") for text in seen.values()]
    texts += [stdout, stderr, *(e.stdout for e in ended), *(e.stderr for e in ended)]
    assert_nowhere_in_any_form(host, *texts)
    assert TOKEN not in (tmp_path / "told").read_text()


def _look(pid: int, seen: dict[str, bytes], command: bytes) -> int:
    """Note command lines and environments of a process and its children; how many run a command."""
    children = Path(f"/proc/{pid}/task").glob("*/children")
    found = [pid, *(int(child) for file in children for child in file.read_text().split())]
    for each in found:
        for name in ("cmdline", "environ"):
            with contextlib.suppress(OSError):
                seen[f"{each} {name}"] = Path(f"/proc/{each}/{name}").read_bytes()
    return sum(command in text for text in seen.values())
