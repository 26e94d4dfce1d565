"""What may log in somewhere is taken out of what is kept of a host, and nothing else is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from comfywatchman import masking, redaction
from comfywatchman.redaction import HIDDEN

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "tok-3n.of~ours"
SECRET = "Zx9-qW3_" + "kLm7"
"""Nothing that its form gives away."""
TOKENS = (
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "gho_abcdefghijklmnopqrstuvwxyz0123456789",
    "github_pat_11ABCDEFG0abcdefghijkl_mnopqrstuvwxyz",
    "glpat-abcdefghij0123456789",
    "gldt-abcdefghij0123456789",
    "hf_abcdefghijklmnopqrstuvwxyzABCDEFGH",
    "api_org_abcdefghijklmnopqrstuvwxyz",
    "sk-abcdefghijklmnopqrstuvwxyz0123",
    "sk-proj-abcdefghij-klmnopqrst_uvwxyz",
    "rk_live_abcdefghijklmnopqrst",
    "xoxb-123456789012-abcdefghij",
    "AKIAIOSFODNN7EXAMPLE",
    "ASIAIOSFODNN7EXAMPLE",
    "AIzaSyA-abcdefghijklmnopqrstuvwxyz01234",
    "npm_abcdefghijklmnopqrstuvwxyz0123456789",
    "pypi-AgEIcHlwaS5vcmcabcdefghij",
    "dckr_pat_abcdefghijklmnopqrst",
    "r8_abcdefghijklmnopqrstuvwxyz",
    "comfyui-0123456789abcdef0123456789abcdef0123456789abcdef",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dBjftJeZ4CVP",
)


@pytest.fixture
def protected() -> Iterator[None]:
    redaction.protect(TOKEN)
    yield
    redaction.protect()


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize(
    "form", ["{}", "--x={}", "https://host/{}/a", "a {} b", "'{}'", '["{}"]', "x={},y", "/srv/{}"]
)
def test_a_token_is_known_by_its_form(token: str, form: str) -> None:
    shown = masking.without_secrets(form.format(token))
    assert token not in shown
    assert token[8:] not in shown
    assert HIDDEN in shown


@pytest.mark.parametrize(
    "form",
    [
        "https://{}@host/a",
        "https://me:{}@host/a",
        "https://{}:x-oauth-basic@host/a",
        "git+https://me:{}@host/a.git@v1",
        "git+ssh://me:{}@host/a",
        "http://me:{}@host:8080",
        "https://me:{}/x?y#z@host/a",
        "socks5h://me:{}@127.0.0.1:1080",
        "me:{}@proxy.example:3128",
        "x https://me:{}@host/a https://me:{}@other/b",
        "https://host/a?token={}",
        "https://host/a?x=1&sig={}&y=2",
        "https://host/a?{}",
        "https://host/a#access_token={}",
        "https://host/a?x#{}",
        "HF_TOKEN={}",
        "hf_token: {}",
        "CIVITAI_API_KEY={}",
        "--apiKey={}",
        "password={}",
        "PASSWD = '{}'",
        'PASSWORD="{} and more"',
        "db-password:{}",
        "client_secret={}",
        "AWS_SECRET_ACCESS_KEY={}",
        "Authorization: Bearer {}",
        "Authorization: Basic {}",
        "Authorization={}",
        "authorization: token {}",
        "bearer {}",
        "Cookie: {}",
        "X-Api-Key: {}",
        '{{"token": "{}"}}',
        '{{"a": {{"apiKey":"{} b"}}}}',
        "{{'secret': '{}'}}",
        "a?b=1;token={};c",
    ],
)
def test_a_secret_is_known_by_where_it_stands(form: str) -> None:
    shown = masking.without_secrets(form.format(SECRET, SECRET))
    assert SECRET not in shown
    assert "kLm7" not in shown
    assert HIDDEN in shown


@pytest.mark.parametrize(
    "text",
    [
        "/srv/ComfyUI/main.py",
        "C:\\ComfyUI\\main.py",
        "https://github.com/Comfy-Org/ComfyUI",
        "git+https://github.com/o/n.git@v1.0",
        "https://host:8080/a/b@v1",
        "git@github.com:o/n.git",
        "0.0.0.0:8188",
        "2.14.1+cu130",
        "0123456789abcdef0123456789abcdef01234567",
        "--tls-keyfile=/etc/ssl/key.pem",
        "--front-end-version=Comfy-Org/ComfyUI_frontend@latest",
        "--reserve-vram",
        "file:///srv/src/pack",
        "owner/tokenizer",
        "keyframes",
        "\ud800 \0 \u202e",
        "",
    ],
)
def test_what_is_no_secret_is_left_alone(text: str) -> None:
    assert masking.without_secrets(text) == text


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["--token", SECRET, "--cpu"], ["--token", "***", "--cpu"]),
        (["--api-key", SECRET], ["--api-key", "***"]),
        (
            ["--hf-token", SECRET, SECRET, "--port", "1"],
            ["--hf-token", "***", "***", "--port", "1"],
        ),
        (["--password", "-123"], ["--password", "***"]),
        (["--password=correct horse"], ["--password=***"]),
        (["HF_TOKEN=correct horse"], ["HF_TOKEN=***"]),
        (["--use-auth", "--listen", "::"], ["--use-auth", "--listen", "::"]),
        (["--tls-keyfile", "/etc/key.pem"], ["--tls-keyfile", "/etc/key.pem"]),
        (["-H", f"Authorization: Bearer {SECRET}"], ["-H", "Authorization: ***"]),
        (["--x", "0123456789abcdef0123456789abcdef"], ["--x", "***"]),
        (["--x", "123e4567-e89b-12d3-a456-426614174000"], ["--x", "***"]),
        (["--x", "aB3" * 11], ["--x", "***"]),
        (["--cuda-device", "0,1", "main.py"], ["--cuda-device", "0,1", "main.py"]),
        (["--comfy-api-base", f"https://me:{SECRET}@h/"], ["--comfy-api-base", "https://***@h/"]),
        (["--base-directory", "/srv/a-long-folder-of-models-and-inputs"],) * 2,
        ([], []),
    ],
)
def test_a_command_line_without_its_secrets(arguments: list[str], shown: list[str]) -> None:
    assert masking.arguments_without_secrets(arguments) == shown


def test_our_own_credential_is_hidden_there_too(protected: None) -> None:
    assert masking.without_secrets(f"a {TOKEN} b") == "a *** b"
    assert masking.arguments_without_secrets(["-x", TOKEN]) == ["-x", "***"]


def test_a_secret_at_the_edge_of_what_is_shown() -> None:
    for length in range(1900, 2050):
        for form in ("https://me:{}@host/", "https://host/?x={}", 'password="a {}"'):
            text = f"{'x' * length} {form.format(SECRET)} {'x' * 200}"
            assert SECRET[:4] not in masking.without_secrets(text)
