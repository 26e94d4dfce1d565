"""The credential is found in whatever form it takes, and nothing else is."""

from __future__ import annotations

import base64
import html
import json
import sys
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from comfywatchman import redaction, streams
from comfywatchman.escape import visible
from comfywatchman.redaction import HIDDEN, Redactor

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "tok-3n.of~ours"
ODD = "pä😀'\"<&> \\x7/+"


@pytest.fixture
def protected() -> Iterator[None]:
    redaction.protect(TOKEN)
    yield
    redaction.protect()


def utf16(text: str) -> str:
    raw = text.encode("utf-16-be")
    return "".join(f"\\u{raw[at : at + 2].hex()}" for at in range(0, len(raw), 2))


FORMS = {
    "as it is": lambda s: s,
    "percent": lambda s: quote(s, safe=""),
    "all percent": lambda s: "".join(f"%{octet:02x}" for octet in s.encode()),
    "capital percent": lambda s: "".join(f"%{octet:02X}" for octet in s.encode()),
    "twice percent": lambda s: quote(quote(s, safe=""), safe=""),
    "JSON": lambda s: json.dumps(s)[1:-1],
    "JSON in JSON": lambda s: json.dumps(json.dumps(s))[3:-3],
    "JSON, all escaped": utf16,
    "JSON, one escaped": lambda s: s[:4] + utf16(s[4]) + s[5:],
    "HTML": html.escape,
    "HTML, decimal": lambda s: "".join(f"&#{ord(c)};" for c in s),
    "HTML, hexadecimal": lambda s: "".join(f"&#x{ord(c):X};" for c in s),
    "repr of bytes": lambda s: repr(s.encode())[2:-1],
    "lines": lambda s: f"{s[:5]}\n{s[5:]}",
    "lines of Windows": lambda s: f"{s[:3]}\r\n\t{s[3:7]}\r\n{s[7:]}",
    "escaped lines": lambda s: f"{s[:3]}\\n{s[3:7]}\\r\\n{s[7:]}",
    "folded header": lambda s: f"{s[:6]}  {s[6:]}",
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64 in an address": lambda s: quote(base64.b64encode(s.encode())),
    "base64 for addresses": lambda s: base64.urlsafe_b64encode(s.encode()).decode(),
    "Markdown": lambda s: s.replace("-", r"\-").replace(".", r"\."),
}


@pytest.mark.parametrize("secret", [TOKEN, ODD, "x" * 3000 + "-the-end"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_hidden(form: str, secret: str) -> None:
    text = f"<a title='{FORMS[form](secret)}'>"
    hidden = Redactor([secret]).hide_text(text)
    assert hidden.removesuffix("'>").replace("%3D", "=").rstrip("=") == f"<a title='{HIDDEN}", form


@pytest.mark.parametrize("around", ["Bearer {}", "{}:x", "ab{}cd", "anna:{}"])
def test_base64_of_what_holds_it(around: str) -> None:
    encoded = base64.b64encode(around.format(TOKEN).encode()).decode()
    hidden = Redactor([TOKEN]).hide_text(encoded)
    assert HIDDEN in hidden
    assert len(hidden) < len(around) + 8


@pytest.mark.parametrize("secret", [TOKEN, ODD, "nine lives", "back\\slash\\", "12345678"])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_json_stays_json(secret: str, ascii_only: bool) -> None:
    document = {
        secret: [secret, f"\n{secret}", f"\\{secret}", f"{secret}\\", f'"{secret}"', 12345678],
        "n": f"\\n{secret}",
    }
    raw = json.dumps(document, ensure_ascii=ascii_only).encode()
    hidden = Redactor([secret]).hide(raw)
    assert len(json.loads(hidden)) == 2
    assert secret.encode() not in hidden


def test_what_holds_none_is_left_as_it_is() -> None:
    raw = json.dumps({"tok-3n": "token %2D &amp; \\u002d tok\n-", "of": "~ours"}).encode()
    assert Redactor([TOKEN]).hide(raw) is raw
    assert Redactor([]).hide(raw) is raw


def test_one_that_is_too_short_is_hidden_only_in_what_is_given_with_it() -> None:
    redactor = Redactor(["cat", "Bearer cat"])
    assert redactor.hide_text("Bearer cat: concatenate, category") == "***: concatenate, category"


@pytest.mark.parametrize("size", [1000, 9 * 1024**2])
def test_in_large_texts_and_at_their_ends(size: int) -> None:
    filler = b'"some model.safetensors", ' * (size // 26)
    for form in (TOKEN, quote(TOKEN), FORMS["all percent"](TOKEN), utf16(TOKEN)):
        raw = form.encode() + filler + form.encode() + filler + form.encode()
        hidden = Redactor([TOKEN]).hide(raw)
        assert hidden == b"***" + filler + b"***" + filler + b"***"


def test_a_huge_answer_loses_what_is_in_one_piece_at_once_and_the_rest_when_it_is_shown(
    protected: None,
) -> None:
    filler = b'"some model.safetensors", ' * 400_000
    escaped = FORMS["all percent"](TOKEN)
    encoded = FORMS["base64"](TOKEN).encode()
    raw = TOKEN.encode() + filler + encoded + filler + escaped.encode()
    hidden = redaction.hide(raw)
    assert hidden == b"***" + filler + b"***=" + filler + escaped.encode()
    assert visible(escaped) == HIDDEN
    assert redaction.catch(hidden) == b"***" + filler + b"***=" + filler + b"***"


def test_it_is_hidden_before_text_is_cut_off(protected: None) -> None:
    assert visible(f"{'x' * 95}{TOKEN}", limit=100) == f"{'x' * 95}***"


def test_a_stream_lets_it_not_pass(
    protected: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    streams.guard()
    print(f"one {TOKEN}")
    print(f"two {TOKEN}", file=sys.stderr)
    sys.stdout.writelines([f"three {TOKEN}\n"])
    out, err = capsys.readouterr()
    assert out == "one ***\nthree ***\n"
    assert err == "two ***\n"


def test_a_plain_word_is_no_word_that_reports_are_made_of() -> None:
    redaction.protect("not_checked")
    try:
        assert redaction.catch(b'{"not_checked": 1}') == b'{"not_checked": 1}'
        assert redaction.hide(b'{"not_checked": 1}') == b'{"***": 1}'
    finally:
        redaction.protect()
