"""Which hosts a download may speak to, and with which token."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from comfywatchman import redaction
from comfywatchman.errors import ConfigError
from comfywatchman.escape import visible
from comfywatchman.fixes.download_hosts import (
    LOOPBACK,
    PRIVATE,
    PUBLIC,
    SPECIAL,
    host_of,
    kind,
    may_lead_to,
    parsed,
    read_tokens,
    shown,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = "hf_abcdefghijklmnop"


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    file = tmp_path / "tokens"
    file.touch(mode=0o600)
    yield file
    redaction.protect_in_downloads()


def test_tokens_are_read_by_their_host(file: Path) -> None:
    file.write_text(f"# mine\n\nHuggingFace.co  {TOKEN}\n  [::1]:8443 {TOKEN}2\nx:443 {TOKEN}3\n")
    assert read_tokens(file) == {
        "huggingface.co": TOKEN,
        "[::1]:8443": f"{TOKEN}2",
        "x": f"{TOKEN}3",
    }


def test_without_a_file_there_are_none() -> None:
    assert read_tokens(None) == {}


@pytest.mark.parametrize(
    "line",
    [
        TOKEN,
        "huggingface.co",
        f"huggingface.co {TOKEN} {TOKEN}",
        f"https://huggingface.co {TOKEN}",
        "huggingface.co short",
        f"huggingface.co {TOKEN}\u00e9",
        f"huggingface.co {TOKEN}\x1b",
        f"x.example {TOKEN}\nx.example:443 {TOKEN}",
    ],
)
def test_a_line_that_is_none_is_named_and_not_repeated(file: Path, line: str) -> None:
    file.write_text(f"civitai.com {TOKEN}\n{line}\n")
    with pytest.raises(ConfigError, match=r"download_token_file: line [23] of ") as refusal:
        read_tokens(file)
    assert TOKEN not in str(refusal.value)
    assert str(refusal.value).isprintable()


def test_a_file_that_others_can_read_is_refused(file: Path) -> None:
    file.write_text(f"huggingface.co {TOKEN}")
    file.chmod(0o640)
    with pytest.raises(ConfigError, match=r"download_token_file: .* can be read by others"):
        read_tokens(file)


def test_tokens_are_shown_nowhere_whatever_else_is_hidden(file: Path) -> None:
    file.write_text(f"huggingface.co {TOKEN}")
    read_tokens(file)
    redaction.protect("hunter2hunter2")
    try:
        assert visible(f"{TOKEN} hunter2hunter2") == "*** ***"
    finally:
        redaction.protect()
    assert visible(TOKEN) == "***"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        *[(a, LOOPBACK) for a in ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1")],
        *[(a, PRIVATE) for a in ("10.1.2.3", "172.31.0.1", "192.168.0.1", "100.64.0.1", "fd00::1")],
        *[(a, PRIVATE) for a in ("198.18.0.1", "192.0.2.1", "2001:db8::1", "2002:c0a8:1::")],
        *[(a, SPECIAL) for a in ("0.0.0.0", "::", "169.254.169.254", "fe80::1%eth0", "224.0.0.1")],
        *[(a, PUBLIC) for a in ("1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1")],
    ],
)
def test_kinds_of_addresses(address: str, expected: str) -> None:
    assert kind(address) == expected


def test_where_a_redirect_may_lead_to() -> None:
    allowed = {
        (found, first)
        for found in (LOOPBACK, PRIVATE, SPECIAL, PUBLIC)
        for first in (LOOPBACK, PRIVATE, SPECIAL, PUBLIC)
        if may_lead_to(found, first)
    }
    assert allowed == {
        *((PUBLIC, first) for first in (LOOPBACK, PRIVATE, SPECIAL, PUBLIC)),
        (LOOPBACK, LOOPBACK),
        (PRIVATE, PRIVATE),
    }


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://HuggingFace.co/x", "huggingface.co"),
        ("https://huggingface.co:443/x", "huggingface.co"),
        ("https://huggingface.co:8443/x", "huggingface.co:8443"),
        ("https://huggingface.co./x", "huggingface.co."),
        ("https://[::1]:8443/x", "[::1]:8443"),
        ("https://b\u00fccher.example/", "xn--bcher-kva.example"),
        ("https://huggingface\u3002co/x", "huggingface.co"),
    ],
)
def test_a_host_is_named_as_the_settings_name_it(url: str, host: str) -> None:
    assert host_of(parsed(url)) == host


def test_what_may_log_in_is_not_shown() -> None:
    url = f"https://civitai.com/api/download/models/5?token={TOKEN}&type=Model"
    assert shown(url) == "https://civitai.com/api/download/models/5?***"
