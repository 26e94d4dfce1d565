"""One try to send one message: a process of its own, which is ended when it takes too long.

What is to be sent, and where to, comes by its standard input: neither is on a command line, nor in
an environment. What libraries say stays in the process. On its standard output it says that it is
ready, a line end, and then what became of it. On a busy host the first takes long, and a message
that had arrived would be sent again if that counted.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from comfywatchman.channels.sending.target import ChannelError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from comfywatchman.channels.sending.target import Target
    from comfywatchman.events.message import Message

_MODULE = "comfywatchman.channels.sending.trying"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a try.

    Attributes:
        why: one sentence why it was not sent; empty if it was.
        waits: whether it waits for something, and nothing is wrong.
        keep: what its channel keeps for the next.
    """

    why: str = ""
    waits: bool = False
    keep: dict[str, Any] = field(default_factory=dict)


def attempt(
    target: Target,
    message: Message | None,
    kept: Mapping[str, Any],
    limit: float,
    whole: float,
    **more: Any,
) -> Outcome:
    """Try to send a message.

    Args:
        target: where to.
        message: what; None for a channel that is told of something else, by ``more``.
        kept: what its channel kept the last time.
        limit: seconds that sending may take.
        whole: seconds for that and for getting ready.
        more: what else its channel is given.
    """
    asked = {
        "kind": target.kind,
        "given": {**target.given, **more},
        "message": message.as_json().decode() if message else None,
        "kept": kept,
    }
    ends = time.monotonic() + whole
    try:
        with os.fdopen(os.memfd_create("message"), "w+b") as given:
            given.write(orjson.dumps(asked))
            given.seek(0)
            process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-P", "-m", _MODULE],
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
    except OSError as error:
        return Outcome(f"no process could be started: {error.strerror}")
    assert process.stdout is not None  # noqa: S101
    with process:
        try:
            said = _read(process.stdout.fileno(), ends, b"\n")
            if said is None:
                return Outcome(f"what sends it was not ready within {whole:.0f} s")
            limit = min(limit, max(ends - time.monotonic(), 0.0))
            rest = _read(process.stdout.fileno(), time.monotonic() + limit)
            if rest is None:
                return Outcome(f"it took longer than {limit:.0f} s")
            told = orjson.loads(said + rest)
            return Outcome(told["why"], told["waits"], told["keep"])
        except (OSError, ValueError, KeyError, TypeError):
            return Outcome(f"the process that sends ended early ({_ending(process)})")
        finally:
            with suppress(OSError):  # with all that it started
                os.killpg(process.pid, signal.SIGKILL)


def _read(pipe: int, until: float, end: bytes = b"") -> bytes | None:
    """What comes by a pipe to its end, or to a mark; None if that is not there in time."""
    said = b""
    while not (end and end in said):
        left = until - time.monotonic()
        if left <= 0 or not select.select([pipe], [], [], left)[0]:
            return None
        part = os.read(pipe, 2**16)
        if not part:
            break
        said += part
    return said


def _ending(process: subprocess.Popen[bytes]) -> str:
    code = process.wait()
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def main() -> None:
    """Send what standard input says, and say on standard output what became of it."""
    from comfywatchman.channels.sending import catalogue
    from comfywatchman.events.message import Message

    answer = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints
    asked = orjson.loads(sys.stdin.buffer.read())
    told: dict[str, Any] = {"why": "", "waits": False, "keep": {}}
    try:
        message = Message.from_json(asked["message"]) if asked["message"] else None
        channel = catalogue.by_kind(asked["kind"])
        if prepare := getattr(channel, "prepare", None):
            prepare()
        os.write(answer, b"\n")
        told["keep"] = channel.send(asked["given"], message, asked["kept"])
    except ChannelError as error:
        told |= {"why": str(error), "waits": error.waits}
    except ImportError as error:
        told["why"] = f"the installation is damaged: deploy it again (no module {error.name})"
    except Exception as error:  # noqa: BLE001  (its words may hold the address)
        told["why"] = f"it failed: {type(error).__name__}"
    os.write(answer, orjson.dumps(told))


if __name__ == "__main__":
    main()
