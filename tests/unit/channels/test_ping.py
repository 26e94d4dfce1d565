"""The dead man's switch, against a stand-in that follows the protocol's document."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman import state_files
from comfywatchman.channels import ping
from comfywatchman.channels.sending.target import ChannelError
from comfywatchman.errors import ConfigError
from comfywatchman.settings import load
from tests.standin.healthchecks import KEY, UUID, Healthchecks

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def ended(folder: Path, outcome: str = "done", at: datetime = NOW, **more: Any) -> None:
    last = {"outcome": outcome, "reason": "it is so", "started_at": at.isoformat()}
    last |= {"duration_s": 1.5, "paths": []} | more
    (folder / state_files.LAST_RUN).write_text(json.dumps(last))


def tell(
    folder: Path, url: str, kept: dict[str, Any] | None = None, fail_on: str = "never"
) -> dict[str, Any] | None:
    """Tell of the last cycle; what is kept for the next time, None if nothing was told."""
    told = ping.due(folder, kept or {}, fail_on)
    given = {"url": url, "ca_file": None, "due": told}
    return None if told is None else ping.send(given, None, kept or {})


def test_authorities_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    due, file = ping.trial(), tmp_path / "none.pem"
    with pytest.raises(ChannelError, match=f"ca_file: {file} cannot be used"):
        ping.send({"url": "HTTPS://127.0.0.1:9/x", "ca_file": str(file), "due": due}, None, {})


@pytest.mark.parametrize(("outcome", "action"), [("done", ""), ("skipped", ""), ("failed", "fail")])
def test_each_ending_is_told_once(tmp_path: Path, outcome: str, action: str) -> None:
    ended(tmp_path, outcome)
    with Healthchecks() as server:
        kept = tell(tmp_path, f"{server.url}/{UUID}")
        assert kept is not None
        assert tell(tmp_path, f"{server.url}/{UUID}", kept) is None
    (told,) = server.pings
    assert (told.check, told.action) == (UUID, action)
    assert told.body.decode() == f"{outcome}: it is so\n{NOW.isoformat()}, 1.5 s"
    assert told.run is not None


@pytest.mark.parametrize(
    ("outcome", "more"),
    [
        ("running", {}),
        ("failed", {"reason": "the cycle was ended in the middle: the kernel killed it"}),
        ("done", {"paths": ["/a.json"]}),
    ],
)
def test_what_is_not_told(tmp_path: Path, outcome: str, more: dict[str, Any]) -> None:
    ended(tmp_path, outcome, **more)
    assert ping.due(tmp_path, {}, "never") is None


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"outcome": "done", "reason": "x"}', "\0"])
def test_a_record_that_is_damaged_tells_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / state_files.LAST_RUN).write_text(content)
    assert ping.due(tmp_path, {}, "never") is None


def test_what_is_skipped_for_a_day_lets_the_check_run_out(tmp_path: Path) -> None:
    kept: dict[str, Any] | None = None
    with Healthchecks() as server:
        for hours in (0, 22, 24, 26):
            ended(tmp_path, "skipped", NOW + timedelta(hours=hours))
            kept = tell(tmp_path, f"{server.url}/{UUID}", kept)
        ended(tmp_path, "done", NOW + timedelta(hours=28))
        kept = tell(tmp_path, f"{server.url}/{UUID}", kept)
        ended(tmp_path, "skipped", NOW + timedelta(hours=30))
        tell(tmp_path, f"{server.url}/{UUID}", kept)
    assert [each.action for each in server.pings] == ["", "", "log", "log", "", ""]


@pytest.mark.parametrize(
    ("fail_on", "summary", "accepted", "action"),
    [
        ("never", {"broken": 1}, {}, ""),
        ("broken", {"broken": 1}, {}, "fail"),
        ("broken", {"broken": 1}, {"broken": 1}, ""),
        ("broken", {"partial": 1}, {}, ""),
        ("partial", {"partial": 2}, {"partial": 1}, "fail"),
        ("partial", {"unknown": 2}, {}, ""),
    ],
)
def test_when_broken_workflows_are_a_failure(
    tmp_path: Path, fail_on: str, summary: object, accepted: object, action: str
) -> None:
    ended(tmp_path)
    latest = {"summary": summary, "accepted": accepted}
    (tmp_path / state_files.LATEST).write_text(json.dumps(latest))
    told = ping.due(tmp_path, {}, fail_on)
    assert told is not None
    assert told["action"] == action


def test_a_body_is_as_long_as_the_server_takes(tmp_path: Path) -> None:
    with Healthchecks(limit=101) as server:
        ended(tmp_path, reason="ä" * 20_000)
        kept = tell(tmp_path, f"{server.url}/{UUID}")
        ended(tmp_path, reason="ä" * 20_000, at=NOW + timedelta(hours=2))
        tell(tmp_path, f"{server.url}/{UUID}", kept)
    assert [size <= limit for size, limit in zip(server.sizes, (10_000, 101), strict=True)] == [
        True,
        True,
    ]
    assert server.pings[1].body.decode().startswith("done: ä")  # no character is cut in two


def test_slugs_make_a_check_a_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "Node_7.example")
    file = tmp_path / "ping_url"
    ended(tmp_path)
    with Healthchecks() as server:
        file.write_text(f"{server.url}/{KEY}/comfywatchman-{{host}}?create=1\n")
        file.chmod(0o600)
        (target,) = ping.targets(load({"ping_url_file": file, "instance": "gpu1"}))
        tell(tmp_path, target.given["url"])
        ended(tmp_path, "failed", NOW + timedelta(hours=2))
        tell(tmp_path, target.given["url"])
        server.slugs.append("comfywatchman-node-7-example-gpu1")
        ended(tmp_path, "done", NOW + timedelta(hours=4))
        with pytest.raises(ChannelError, match="several checks have this slug"):
            tell(tmp_path, target.given["url"])
    assert [(each.check, each.action) for each in server.pings] == [
        ("comfywatchman-node-7-example-gpu1", ""),
        ("comfywatchman-node-7-example-gpu1", "fail"),
    ]
    assert "127.0.0.1" not in repr(target)


def test_a_push_monitor(tmp_path: Path) -> None:
    with Healthchecks() as server:
        url = f"{server.url}/api/push/tok?status={{status}}&msg={{msg}}&ping={{ping}}"
        ended(tmp_path, reason="a & b=c/\N{SNOWMAN}")
        kept = tell(tmp_path, url)
        ended(tmp_path, "failed", NOW + timedelta(hours=1))
        kept = tell(tmp_path, url, kept)
        ended(tmp_path, "skipped", NOW + timedelta(hours=2))
        kept = tell(tmp_path, url, (kept or {}) | {"skipping_since": NOW.isoformat()})
        ended(tmp_path, "skipped", NOW + timedelta(hours=30))
        tell(tmp_path, url, kept)  # says nothing, so that it runs out
    assert server.pushes == [
        {"status": ["up"], "msg": ["done: a & b=c/\N{SNOWMAN}"], "ping": ["1500"]},
        {"status": ["down"], "msg": ["failed: it is so"], "ping": ["1500"]},
        {"status": ["up"], "msg": ["skipped: it is so"], "ping": ["1500"]},
    ]


@pytest.mark.parametrize(
    ("status", "path", "words"),
    [
        (0, "00000000-d4c7-4bf5-bcc8-b8d8a82ea278", "there is no such check"),
        (0, f"{KEY}/unknown", "?create=1 makes one"),
        (302, UUID, "correct the address"),
        (503, UUID, "refused it (HTTP 503)"),
    ],
)
def test_what_goes_wrong_is_said_without_the_address(
    tmp_path: Path, status: int, path: str, words: str
) -> None:
    ended(tmp_path)
    with Healthchecks(status=status) as server, pytest.raises(ChannelError) as raised:
        tell(tmp_path, f"{server.url}/{path}")
    assert words in str(raised.value)
    assert path not in str(raised.value)
    with pytest.raises(ChannelError, match="cannot be reached") as raised:
        tell(tmp_path, f"http://127.0.0.1:9/{path}")
    assert path not in str(raised.value)


@pytest.mark.parametrize("text", ["hunter2", "https://hc.example/hunter2  # a check a host"])
def test_a_file_with_no_address(tmp_path: Path, text: str) -> None:
    file = tmp_path / "ping_url"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(ConfigError, match="begins with http") as raised:
        ping.targets(load({"ping_url_file": file}))
    assert "hunter2" not in str(raised.value)
