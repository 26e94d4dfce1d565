"""Secrets appear nowhere: not in what is printed, not in what is kept, however a cycle ends."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING

import pytest

from tests.standin.comfyui import StandIn

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.conftest import Host

TOKEN = "tok-3n.of~ours"
LOGIN = "anna:pass-w0rd"
LEAKS = (TOKEN, "pass-w0rd", base64.b64encode(LOGIN.encode()).decode())


def assert_nowhere(host: Host, *printed: str) -> None:
    texts = [*printed, *(f.read_text(errors="replace") for f in host.state.rglob("*"))]
    assert [leak for leak in LEAKS if any(leak in text for text in texts)] == []


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
