"""One try to send one message: a process of its own, which is ended when it takes too long.

What is to be sent, and where to, comes by its standard input: neither is on a command line, nor in
an environment. What libraries say stays in the process.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
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
    target: Target, message: Message | None, kept: Mapping[str, Any], limit: float, **more: Any
) -> Outcome:
    """Try to send a message.

    Args:
        target: where to.
        message: what; None for a channel that is told of something else, by ``more``.
        kept: what its channel kept the last time.
        limit: seconds it may take.
        more: what else its channel is given.
    """
    asked = {
        "kind": target.kind,
        "given": {**target.given, **more},
        "message": message.as_json().decode() if message else None,
        "kept": kept,
    }
    try:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-P", "-m", _MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        return Outcome(f"no process could be started: {error.strerror}")
    with process:
        try:
            answer, _ = process.communicate(orjson.dumps(asked), timeout=limit)
            told = orjson.loads(answer)
            return Outcome(told["why"], told["waits"], told["keep"])
        except subprocess.TimeoutExpired:
            return Outcome(f"it took longer than {limit:.0f} s")
        except (OSError, ValueError, KeyError, TypeError):
            return Outcome(f"the process that sends ended early ({_ending(process)})")
        finally:
            with suppress(OSError):  # with all that it started
                os.killpg(process.pid, signal.SIGKILL)


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
