"""``comfywatchman schedule``: cycles again and again, on hosts without systemd.

APScheduler says when. Each cycle is a process of its own, so that one that crashes, hangs or is
killed is its own affair, and takes the same lock as every other cycle on the host.
"""

from __future__ import annotations

import logging
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from logging.handlers import RotatingFileHandler
from typing import TYPE_CHECKING

import filelock
import orjson
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from comfywatchman import __version__, room, state, state_files
from comfywatchman.clock import ahead
from comfywatchman.errors import ConfigError, Exit
from comfywatchman.escape import visible
from comfywatchman.gate import lock
from comfywatchman.schedule import child, failure, timer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import IO

    from apscheduler.job import Job

    from comfywatchman.settings import Settings

_TICK = 1.0
"""Seconds between two looks at the clock."""
_JUMP = 0.5
"""Seconds that the wall clock must gain or lose within a tick to have been set, or have slept."""
_LAST_WORDS = 5.0
"""Seconds for the last lines of a cycle; all of them only if what it started keeps its log open."""
_CANNOT_START = 203
"""systemd's exit code for a program that cannot be started."""
_LOG_BYTES = 1024**2
_LOG_COUNT = 5
_PRIORITY = re.compile(r"<([0-7])>")
_LEVELS = (logging.ERROR,) * 4 + (logging.WARNING, logging.INFO, logging.INFO, logging.DEBUG)
"""Levels of the logging module by the priorities of sd-daemon(3)."""

_log = logging.getLogger("comfywatchman")


class AlreadyScheduledError(Exception):
    """Another schedule serves the same state folder."""


def run(settings: Settings, config: Path | None, *, run_now: bool) -> None:
    """Run cycles on schedule until a signal says stop.

    Args:
        settings: the settings; each cycle reads its own.
        config: the configuration file, as on the command line.
        run_now: whether the first is due at once.

    Raises:
        AlreadyScheduledError: another schedule serves the state folder.
        ConfigError: the state folder cannot be made, or the lock not be taken.
    """
    os.umask(0o077)
    folder = settings.resolved_state_dir
    state.make_folder(folder)
    other = timer.read(settings.instance, folder)
    only_one = lock.make(folder / state_files.SCHEDULE_LOCK)
    try:
        only_one.acquire()
    except filelock.Timeout:
        raise AlreadyScheduledError(
            f"another `comfywatchman schedule` serves {folder}; stop that one, or give this one a "
            "state_dir or an instance of its own"
        ) from None
    except OSError as error:
        raise ConfigError(
            f"{only_one.lock_file} cannot be taken: {error.strerror}; correct its owner"
        ) from None
    with only_one:
        signals = _signals()
        _start_log(folder)
        _log.info("comfywatchman %s: schedule begins (process %d)", __version__, os.getpid())
        if other.by == "systemd" and other.active:
            _log.warning("%s starts cycles here as well: stop it, or this schedule", other.unit)
        cycles = _Cycles(folder, config, settings.cycle_time_limit)
        scheduler = _scheduler()
        job = scheduler.add_job(
            cycles.run,
            IntervalTrigger(
                seconds=settings.schedule_interval,
                start_date=_now() + timedelta(seconds=settings.schedule_first_delay),
                timezone=UTC,
                jitter=settings.schedule_jitter or None,
            ),
            **({"next_run_time": _now()} if run_now else {}),
        )
        scheduler.start()
        try:
            stopped_by = _watch(scheduler, job, folder / state_files.SCHEDULE, signals, settings)
            _log.info("%s: schedule ends", stopped_by)
        finally:
            cycles.stop()
            scheduler.shutdown()
            with suppress(OSError):
                (folder / state_files.SCHEDULE).unlink(missing_ok=True)


def _signals() -> queue.SimpleQueue[str]:
    """Collect the signals that mean stop. The queue may be filled at any moment, a lock may not."""
    wanted: queue.SimpleQueue[str] = queue.SimpleQueue()
    for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda number, _: wanted.put(signal.Signals(number).name))
    return wanted


def _scheduler() -> BackgroundScheduler:
    return BackgroundScheduler(
        executors={"default": ThreadPoolExecutor(1)},
        job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1},
        timezone=UTC,
    )


def _watch(
    scheduler: BackgroundScheduler,
    job: Job,
    facts: Path,
    signals: queue.SimpleQueue[str],
    settings: Settings,
) -> str:
    """Keep the schedule true to the clock, and on record, until a signal comes; return its name.

    APScheduler goes by the wall clock, but waits by one that neither counts sleep nor is ever set.
    """
    offset = ahead()
    on_record = None
    while True:
        before, offset = offset, ahead()
        jump = offset - before
        if jump > _JUMP:
            _log.info("the clock went %.0f s forward: the host slept, or it was set", jump)
            scheduler.wakeup()
        elif jump < -_JUMP:
            _log.info("the clock was set %.0f s back; what is due moves with it", -jump)
            job.modify(next_run_time=job.next_run_time + timedelta(seconds=jump))
        next_run = job.next_run_time
        if next_run != on_record and next_run > _now():
            with suppress(OSError):
                _record(facts, next_run, settings)
                on_record = next_run
                _log.info("the next cycle is due at %s", f"{next_run:%Y-%m-%d %H:%M:%S} UTC")
        with suppress(queue.Empty):
            return signals.get(timeout=_TICK)


def _record(file: Path, next_run: datetime, settings: Settings) -> None:
    content = {
        "comfywatchman_version": __version__,
        "pid": os.getpid(),
        "next_run": next_run,
        "interval_s": settings.schedule_interval,
        "jitter_s": settings.schedule_jitter,
    }
    state.replace_file(file, orjson.dumps(content, option=orjson.OPT_INDENT_2) + b"\n")


class _Cycles:
    """Starts a cycle in a process of its own, bounds it, and copies what it says to the log.

    Args:
        folder: the state folder.
        config: the configuration file, as on the command line.
        limit: seconds that a cycle may take.
    """

    def __init__(self, folder: Path, config: Path | None, limit: float) -> None:
        self._folder = folder
        self._config = config
        self._limit = limit
        self._command = [sys.executable, "-m", "comfywatchman.cli", "--run-check"]
        self._command.append(f"--state-dir={folder}")
        if config:
            self._command.append(f"--config={config}")
        # Its standard input ends with this process, however that ends, and the cycle ends with it.
        self._command.append("--end-with-stdin")
        self._stopping = threading.Event()

    def run(self) -> None:
        """Run one cycle. Whatever becomes of it is said in the log and raises nothing."""
        if self._stopping.is_set():
            return
        try:
            self._await(_start(self._command))
        except OSError as error:  # no memory, no processes, or no program
            _log.error("the cycle cannot be started: %s", error)
            self._tell("exit-code", _CANNOT_START)
        except Exception as error:  # noqa: BLE001  (what fails here must not end the schedule)
            _log.error("the cycle could not be run: %s: %s", type(error).__name__, error)

    def stop(self) -> None:
        """Have the cycle that runs now, if any, ended, and start no other."""
        self._stopping.set()

    def _await(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr is not None  # noqa: S101
        copying = threading.Thread(target=_copy, args=[process.stderr], daemon=True)
        copying.start()
        began = time.monotonic()
        too_long = child.wait(process, self._limit, self._stopping)
        copying.join(_LAST_WORDS)
        assert process.stdin is not None  # noqa: S101
        process.stdin.close()
        code = process.returncode
        if code is None:
            _log.error("the cycle (process %d) cannot be ended: the kernel holds it", process.pid)
        elif code in (Exit.OK, Exit.LOCKED):
            _log.info("the cycle took %.1f s", time.monotonic() - began)
        elif not self._stopping.is_set():
            result = "timeout" if too_long else "exit-code" if code > 0 else "signal"
            self._tell(result, abs(code))

    def _tell(self, result: str, status: int) -> None:
        """Do about a failed cycle what systemd does by OnFailure=."""
        limit = f"cycle_time_limit ({self._limit:g} s)"
        failed = failure.Failure("the cycle", result, str(status), limit)
        failure.handle(failed, self._folder, self._config, _say, self._stopping)


def _say(priority: int, text: str) -> None:
    _log.log(_LEVELS[priority], "%s", text)


def _start(command: Sequence[str]) -> subprocess.Popen[bytes]:
    reading, writing = os.pipe()
    try:
        # The child takes its standard error for the journal, so each line comes with its priority.
        pipe = os.fstat(writing)
        environment = os.environ | {"JOURNAL_STREAM": f"{pipe.st_dev}:{pipe.st_ino}"}
        process = child.start(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=writing,
            env=environment,
        )
    except BaseException:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    process.stderr = os.fdopen(reading, "rb")
    return process


def _copy(lines: IO[bytes]) -> None:
    with lines:
        for raw in lines:
            line = raw.decode(errors="backslashreplace").rstrip("\n")
            priority = _PRIORITY.match(line)
            level = _LEVELS[int(priority[1])] if priority else logging.INFO
            _log.log(level, "%s", visible(line[priority.end() :] if priority else line))


def _start_log(folder: Path) -> None:
    """Log to standard error and to a file that is turned over before it grows large."""
    logging.raiseExceptions = False  # a log that is full or gone ends no schedule
    logging.Formatter.converter = time.gmtime
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    problem = None
    try:
        handlers.append(
            RotatingFileHandler(
                folder / state_files.SCHEDULE_LOG,
                maxBytes=_LOG_BYTES,
                backupCount=_LOG_COUNT,
                encoding="utf-8",
                errors="backslashreplace",
            )
        )
    except OSError as error:
        why = room.why(error, folder)
        problem = f"{folder / state_files.SCHEDULE_LOG} cannot be written: {why}"
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%SZ",
        handlers=handlers,
    )
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    if problem:
        _log.warning("%s; this log goes to standard error alone", problem)


def _now() -> datetime:
    return datetime.now(UTC)
