"""What to do when a cycle has failed: say why, put it on record, run ``on_failure_command``.

systemd's ``OnFailure=`` and ``comfywatchman schedule`` come here. It must work where the
configuration does not, as that may be what failed.
"""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import filelock
import orjson

from comfywatchman import ownership, state, state_files
from comfywatchman.errors import ConfigError
from comfywatchman.escape import visible
from comfywatchman.gate import lock
from comfywatchman.schedule import child, ending, service, timer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

COMMAND_TIME_LIMIT = 30.0
"""Seconds that ``on_failure_command`` may take."""
_RECENT = timedelta(minutes=10)
_ERROR, _WARNING, _INFO = 3, 4, 6
_PROPERTIES = ("LoadState", "Result", "ExecMainStatus", "InvocationID")


class Say(Protocol):
    """Tells a line, at a priority of sd-daemon(3)."""

    def __call__(self, priority: int, text: str) -> None:
        """Tell one line."""


@dataclass(frozen=True, slots=True)
class Failure:
    """How a unit or cycle failed, in systemd's words.

    Attributes:
        unit: what failed.
        result: ``exit-code``, ``timeout``, ``signal``, …: ``$SERVICE_RESULT`` in systemd.exec(5).
        status: the exit status, or the name of the signal.
        limit: what set the time limit.
        log: the command that shows what it said.
        invocation: systemd's id of the start that failed; empty where it is not known.
    """

    unit: str
    result: str
    status: str
    limit: str = "TimeoutStartSec="
    log: str = ""
    invocation: str = ""

    @property
    def exit_code(self) -> int | None:
        """The exit code; None where it did not exit."""
        return ending.exit_code(self.result, self.status)

    def explain(self, *, recorded: bool = True) -> tuple[str, str]:
        """One sentence why, one what to do.

        Args:
            recorded: whether the last word of a cycle may be of the start that failed.
        """
        if not recorded:
            return ending.explain_unrecorded(self.result, self.status)
        return ending.explain(self.result, self.status, self.limit)


def of_unit(unit: str, environment: Mapping[str, str], folder: Path) -> Failure:
    """Find out how a unit failed: from what OnFailure= hands on (systemd 251), else by asking."""
    result = environment.get("MONITOR_SERVICE_RESULT")
    status = environment.get("MONITOR_EXIT_STATUS", "")
    invocation = environment.get("MONITOR_INVOCATION_ID", "")
    scope = None
    if result is None:
        scope, values = timer.show_loaded(unit, _PROPERTIES, folder, 5.0)
        result = values.get("Result", "unknown")
        status, invocation = values.get("ExecMainStatus", ""), values.get("InvocationID", "")
    log = f"journalctl _SYSTEMD_INVOCATION_ID={invocation}" if invocation else ""
    if not log:
        log = f"journalctl {'--user ' if scope == 'user' else ''}--unit {shlex.quote(unit)}"
    return Failure(unit, result, status, log=log, invocation=invocation)


def handle(
    failure: Failure,
    folder: Path,
    config: Path | None,
    say: Say,
    stopping: threading.Event | None = None,
) -> None:
    """Tell of a failure wherever it shall be told. Raises nothing that could hide it.

    Args:
        failure: what failed.
        folder: the state folder.
        config: the configuration file, as on the command line.
        say: writes to the log.
        stopping: set when there is no time left, not even for ``on_failure_command``.
    """
    said = _own_words(failure, folder)
    why, remedy = failure.explain(recorded=said is not None)
    reason = f"{why}: {said}" if said else why
    say(_ERROR, visible(f"{failure.unit} failed: {reason}"))
    say(_ERROR, f"what to do: {remedy}; then: comfywatchman doctor")
    if failure.log:
        say(_INFO, f"all it said: {failure.log}")
    try:
        if _put_on_record(folder, f"{ending.KILLED}: {reason}"):
            say(_INFO, f"{folder / state_files.LAST_RUN} said that it still runs; it now says this")
    except (OSError, ValueError) as error:
        say(_WARNING, f"{folder / state_files.LAST_RUN} could not be brought up to date: {error}")
    try:
        command = _command(config)
    except ConfigError as error:
        say(_WARNING, f"on_failure_command is not known: {error}")
        return
    if command:
        environment = _environment(failure, reason, folder)
        _run(command, environment, say, stopping or threading.Event())


def _own_words(failure: Failure, folder: Path) -> str | None:
    """What the cycle itself said last; None where the last word is certainly an earlier cycle's."""
    if failure.exit_code is None or failure.exit_code >= ending.NOT_BEGUN:
        return ""
    if ownership.of_other_host(folder):
        return ""
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        last_run = orjson.loads(state.read_file(folder / state_files.LAST_RUN))
        if not service.is_recorded(last_run, failure.invocation, failure.exit_code):
            return None
        age = datetime.now(UTC) - datetime.fromisoformat(last_run["finished_at"])
        if abs(age) < _RECENT and last_run["outcome"] in ("failed", "done"):
            return str(last_run["reason"])
    return ""


def _put_on_record(folder: Path, reason: str) -> bool:
    """Have ``last-run.json`` say how a cycle ended that could not say so itself.

    Returns:
        Whether there was need to.
    """
    file = folder / state_files.LAST_RUN
    if not file.exists() or ownership.of_other_host(folder):
        return False
    try:
        with lock.make(folder / state_files.LOCK):
            record: Any = orjson.loads(state.read_file(file))
            if not isinstance(record, dict):
                raise ValueError("it is damaged; the next cycle replaces it")
            if record.get("outcome") != "running":
                return False
            record |= {"outcome": "failed", "reason": reason, "finished_at": datetime.now(UTC)}
            state.replace_file(file, orjson.dumps(record, option=orjson.OPT_INDENT_2) + b"\n")
    except filelock.Timeout:  # the next cycle runs already
        return False
    return True


def _command(config: Path | None) -> list[str]:
    """Read ``on_failure_command`` alone: other settings may be what is wrong.

    Raises:
        ConfigError: the configuration file cannot be read, or this is no command.
    """
    if text := os.environ.get("COMFYWATCHMAN_ON_FAILURE_COMMAND"):
        try:
            return shlex.split(text)
        except ValueError as error:
            raise ConfigError(f"environment: COMFYWATCHMAN_ON_FAILURE_COMMAND: {error}") from None
    file, values = state.read_config(config)
    command = values.get("on_failure_command", [])
    if not isinstance(command, list) or not all(isinstance(word, str) for word in command):
        raise ConfigError(f"{file}: on_failure_command must be a list of texts")
    return command


def _environment(failure: Failure, reason: str, folder: Path) -> dict[str, str]:
    told = (failure.unit, socket.gethostname(), reason)
    environment = os.environ | dict(zip(state.FAILURE_VARIABLES, told, strict=True))
    return environment | {"COMFYWATCHMAN_STATE_DIR": str(folder)}


def _run(
    command: list[str], environment: dict[str, str], say: Say, stopping: threading.Event
) -> None:
    name = visible(command[0])
    try:
        process = child.start(command, stdin=subprocess.DEVNULL, env=environment)
    except (OSError, ValueError) as error:
        say(_ERROR, f"on_failure_command: {name} cannot be started: {error}")
        return
    if child.wait(process, COMMAND_TIME_LIMIT, stopping):
        say(_ERROR, f"on_failure_command: {name} took longer than {COMMAND_TIME_LIMIT:g} s: ended")
    elif process.returncode:
        say(_ERROR, f"on_failure_command: {name} ended with exit code {process.returncode}")
    else:
        say(_INFO, f"on_failure_command: {name} has run")
