"""A dead man's switch: it is told how each cycle ended, and raises the alarm when nobody tells it.

How, :mod:`comfywatchman.channels.sending.dead_man` says. The address is a secret.

What is told is how the last cycle ended, and an ending is told once. One that could not be told is
worth nothing once the next is there, so pings are in no outbox. ``/start`` is not sent: what sends
runs when the cycle has ended, and would have Healthchecks measure its own duration.
"""

from __future__ import annotations

import re
import socket
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import orjson

from comfywatchman import private_file, state, state_files
from comfywatchman.channels.sending import dead_man
from comfywatchman.channels.sending.target import ChannelError, Target
from comfywatchman.errors import ConfigError
from comfywatchman.escape import visible
from comfywatchman.schedule.ending import KILLED
from comfywatchman.settings import FailOn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from comfywatchman.events.message import Message
    from comfywatchman.settings import Settings

KIND = "ping"
CREDENTIAL = "ping_url"
SKIPPING: Final = timedelta(hours=24)
"""For how long cycles may be skipped before the switch is left to run out."""
_STATES: Final = {"": "up", "fail": "down"}
"""Of a push monitor, by the path of Healthchecks; ``log`` is for it to say nothing."""
_SECONDS: Final = 8.0


def configured(settings: Settings) -> bool:
    """Whether there is an address."""
    return _file(settings) is not None


def targets(settings: Settings) -> list[Target]:
    """The address."""
    found = _file(settings)
    if found is None:
        return []
    key, file = found
    url = _with_host(private_file.read_line(key, file), settings.instance)
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or " " in url:
        raise ConfigError(
            f"{key}: {file} must hold an address that begins with http:// or https://, and no more"
        )
    given = {
        "url": url,
        "ca_file": str(settings.ca_file) if settings.ca_file else None,
        "fail_on": settings.ping_fail_on,
    }
    return [Target(KIND, "ping", given, (url,))]


def _file(settings: Settings) -> tuple[str, Path] | None:
    file = settings.ping_url_file
    named = None if file is None else ("ping_url_file", file)
    return private_file.credential(CREDENTIAL) or named


def _with_host(url: str, instance: str) -> str:
    """Put the host's name, and that of a named instance, in the place of ``{host}``: for slugs."""
    name = f"{socket.gethostname()}-{instance}" if instance else socket.gethostname()
    return url.replace("{host}", re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-"))


def due(folder: Path, kept: Mapping[str, Any], fail_on: str) -> dict[str, Any] | None:
    """What is to be told of the last cycle.

    Args:
        folder: the state folder.
        kept: what :func:`send` returned the last time.
        fail_on: from which verdict on a cycle failed.

    Returns:
        ``action`` (a path of Healthchecks, or empty), ``cycle`` (its start), ``body``,
        ``duration_ms`` and ``skipping_since``; None if there is nothing to tell: it was told, runs
        still, or was killed.
    """
    try:
        last = orjson.loads(state.read_file(folder / state_files.LAST_RUN))
        outcome, reason, cycle = last["outcome"], str(last["reason"]), str(last["started_at"])
        began = datetime.fromisoformat(cycle)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if last.get("paths") or cycle == kept.get("cycle") or reason.startswith(KILLED):
        return None
    action, since = "", None
    if outcome == "failed":
        action = "fail"
    elif outcome == "skipped":
        since = kept.get("skipping_since") or cycle
        if began - datetime.fromisoformat(since) >= SKIPPING:
            action = "log"
    elif outcome != "done":
        return None
    elif _as_bad_as(fail_on, folder):
        action = "fail"
    seconds = last.get("duration_s") or 0
    body = f"{outcome}: {reason}\n{cycle}, {seconds:.1f} s"
    return {
        "action": action,
        "cycle": cycle,
        "body": "\n".join(visible(line) for line in body.split("\n")),
        "duration_ms": round(seconds * 1000),
        "skipping_since": since,
    }


def _as_bad_as(fail_on: str, folder: Path) -> bool:
    verdicts = {FailOn.BROKEN: ("broken",), FailOn.PARTIAL: ("broken", "partial")}
    wanted = verdicts.get(FailOn(fail_on), ())
    if not wanted:
        return False
    try:
        latest = orjson.loads(state.read_file(folder / state_files.LATEST))
        summary, accepted = latest["summary"], latest.get("accepted") or {}
        workflows = latest.get("workflows") or []
        failing = any(w.get("will_fail") and not w.get("accepted") for w in workflows)
        return failing or any(summary.get(v, 0) - accepted.get(v, 0) > 0 for v in wanted)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def trial() -> dict[str, Any]:
    """What ``notify --test`` tells: something that changes no state."""
    now = datetime.now(UTC).isoformat()
    return {"action": "log", "cycle": now, "body": "a test of ComfyWatchman", "duration_ms": 0}


def send(
    given: Mapping[str, Any],
    message: Message | None,  # noqa: ARG001
    kept: Mapping[str, Any],
) -> dict[str, Any]:
    """Tell it.

    Raises:
        ChannelError: the server is not there, or does not take it.
    """
    from comfywatchman.comfyui.http import authorities, httpx

    url, told = given["url"], given["due"]
    limit = kept.get("limit", dead_man.BODY_LIMIT)
    keep = {"cycle": told["cycle"], "limit": limit, "skipping_since": told.get("skipping_since")}
    if dead_man.is_push(url):
        status = "up" if given.get("test") else _STATES.get(told["action"])
        if status is None:
            return keep
        url = dead_man.push_url(url, status, told["body"], told["duration_ms"])
        request = httpx.Request("GET", url)
    else:
        run = str(uuid.uuid5(uuid.NAMESPACE_URL, told["cycle"]))
        content = dead_man.body(told["body"], limit)
        request = httpx.Request(
            "POST", dead_man.check_url(url, told["action"], run), content=content
        )
    try:
        verify = authorities(url, Path(given["ca_file"]) if given["ca_file"] else None)
        with httpx.Client(verify=verify, timeout=_SECONDS) as client:
            answer = client.send(request)
    except ConfigError as error:
        raise ChannelError(str(error)) from None
    except httpx.TimeoutException:
        raise ChannelError("the server did not answer in time") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        why = str(error).replace(url, "***") if isinstance(error, httpx.ConnectError) else ""
        why = why or type(error).__name__
        raise ChannelError(f"the server cannot be reached: {visible(why, limit=200)}") from None
    if refused := dead_man.refusal(answer.status_code, answer.text):
        raise ChannelError(refused)
    says = answer.headers.get("Ping-Body-Limit", "")
    return keep | ({"limit": int(says)} if says.isdecimal() and len(says) < 10 else {})
