"""Addresses of Apprise, and a mail to a real server."""

from __future__ import annotations

import email
import email.policy
import socket
from typing import TYPE_CHECKING, Any

import pytest
from aiosmtpd.controller import Controller

from comfywatchman.channels import apprise
from comfywatchman.channels.sending import trying
from comfywatchman.channels.sending.target import Target
from comfywatchman.errors import ConfigError
from comfywatchman.events.message import Message, Priority, Topic
from comfywatchman.settings import load
from tests.standin.healthchecks import Healthchecks
from tests.unit.events.messages import message

if TYPE_CHECKING:
    from pathlib import Path

    from aiosmtpd.smtp import SMTP, Envelope, Session


def written(folder: Path, text: str, mode: int = 0o600) -> Path:
    file = folder / "urls"
    file.write_text(text)
    file.chmod(mode)
    return file


def test_a_line_is_an_address_with_tags(tmp_path: Path) -> None:
    text = """
# a comment
ntfy://host/topic?x=a=b
worse, mended = mailto://anna:hunter2@example.com
warning=json://host
"""
    ntfy, mail, json = apprise.targets(load({"notify_urls_file": written(tmp_path, text)}))
    assert [t.name for t in (ntfy, mail, json)] == [
        "ntfy (line 3)",
        "mailto (line 4)",
        "json (line 5)",
    ]
    assert ntfy.given == {"url": "ntfy://host/topic?x=a=b"}
    summary = message(topics=(Topic.SUMMARY,), priority=Priority.NOTICE)
    mended = message(topics=(Topic.SUMMARY, Topic.MENDED), priority=Priority.NOTICE)
    assert [[t.wants(m) for t in (ntfy, mail, json)] for m in (summary, mended, message())] == [
        [True, False, False],
        [True, True, False],
        [True, True, True],
    ]
    assert "hunter2" not in repr(mail)
    assert len({t.key for t in (ntfy, mail, json)}) == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ntfy://a\nhunter2", "line 2 is not of the form"),
        ("sometimes=ntfy://hunter2", "sometimes is no tag; those are: acceptance_expired, all,"),
        ("ntfy://hunter2 and more", "line 1 is not of the form"),
    ],
)
def test_a_line_that_is_none_is_named_and_not_shown(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as raised:
        apprise.targets(load({"notify_urls_file": written(tmp_path, text)}))
    assert words in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can be read by others"):
        apprise.targets(load({"notify_urls_file": written(tmp_path, "ntfy://a", 0o644)}))


def test_a_credential_counts_for_more_than_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notify_urls").write_text("json://other")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    for settings in (load({}), load({"notify_urls_file": tmp_path / "not there"})):
        assert apprise.configured(settings)
        assert [t.given["url"] for t in apprise.targets(settings)] == ["json://other"]


def send(url: str, what: Message) -> str:
    """Send a message as the sender does, in a process of its own; why it was not sent."""
    return trying.attempt(Target("apprise", "it", {"url": url}), what, {}, 30, 60).why


class Inbox:
    """A mail server that keeps what it is sent."""

    def __init__(self) -> None:
        self.mails: list[Any] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.original_content or b""
        self.mails.append(email.message_from_bytes(content, policy=email.policy.default))
        return "250 taken"


def test_a_mail_arrives_and_no_name_forges_its_head(tmp_path: Path) -> None:
    inbox = Inbox()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Controller(inbox, hostname="127.0.0.1", port=port)
    server.start()
    try:
        url = f"mailto://127.0.0.1:{port}?mode=insecure&from=watch@example.com&to=anna@example.com"
        hostile = message(
            subject="host: a\r\nBcc: eve@example.com", body="<b>one & two</b>\n.\n{x}"
        )
        assert send(url, hostile) == ""
    finally:
        server.stop()
    (mail,) = inbox.mails
    assert mail["To"].endswith("anna@example.com")
    assert mail["Bcc"] is None
    assert mail["Subject"] == "host: a\\r\\nBcc: eve@example.com"
    plain = mail.get_body(("plain", "html"))
    text = plain.get_content()
    assert "<b>one & two</b>" in text or "&lt;b&gt;one &amp; two&lt;/b&gt;" in text


def test_what_goes_wrong_is_said_without_the_address() -> None:
    with Healthchecks(status=503) as server:
        url = f"json://anna:hunter22@{server.url[7:]}/s3cret-path?+X-Token=t0p-s3cret"
        said = send(url, message())
    assert "503" in said
    for leak in ("anna", "hunter22", "s3cret-path", "t0p-s3cret", server.url[7:]):
        assert leak not in said


@pytest.mark.parametrize("url", ["nosuch://hunter2", "mailto://"])
def test_an_address_that_apprise_does_not_know(url: str) -> None:
    assert send(url, message()).startswith("Apprise does not understand the address")
