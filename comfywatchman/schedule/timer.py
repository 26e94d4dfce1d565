"""What starts the cycles of this instance, and when the next is due: a timer or a schedule.

Asked by ``status`` and ``doctor``. Imports nothing slow, and asks every service manager once.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import orjson

from comfywatchman import state, state_files
from comfywatchman.schedule import mounts
from comfywatchman.schedule.lingering import is_noted

if sys.platform != "win32":
    import pwd

if TYPE_CHECKING:
    from collections.abc import Sequence

_PROPERTIES = (
    "Id",
    "LoadState",
    "UnitFileState",
    "ActiveState",
    "SubState",
    "NextElapseUSecRealtime",
    "NextElapseUSecMonotonic",
    "LastTriggerUSec",
    "TimersMonotonic",
    "RandomizedDelayUSec",
    "AccuracyUSec",
    "Persistent",
    "Result",
)
_BOOTED = Path("/run/systemd/system")
"""Is there where systemd is the init system: sd_booted(3)."""
_UNITS = {
    "us": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86_400.0,
    "w": 604_800.0,
    "month": 2_629_800.0,
    "y": 31_557_600.0,
}


Scope = Literal["user", "system"]


@dataclass(frozen=True, slots=True)
class Schedule:
    """What starts the cycles.

    Attributes:
        by: ``systemd``, ``apscheduler``, or None where nothing was found.
        scope: whose service manager, where it is systemd's.
        unit: name of the timer.
        active: whether the timer is active, or the schedule runs.
        enabled: whether the timer is started at boot or login.
        sub_state: the timer's, as systemd says it: ``waiting``, ``running``, ``elapsed``, ``dead``.
        next_run: when the next cycle is due; None while one runs, and when none is.
        last_run: when the timer last started one.
        interval_s: seconds from one cycle to the next.
        slack_s: seconds by which one may be late.
        persistent: whether the timer makes up for what was missed.
        lingering: whether the user's service manager runs without a login.
        problem: why no cycle is due, or will not be for long; None when all is well.
        remedy: what to do about it.
    """

    by: Literal["systemd", "apscheduler"] | None = None
    scope: Scope | None = None
    unit: str | None = None
    active: bool = False
    enabled: bool = False
    sub_state: str | None = None
    next_run: datetime | None = None
    last_run: datetime | None = None
    interval_s: float | None = None
    slack_s: float | None = None
    persistent: bool | None = None
    lingering: bool | None = None
    problem: str | None = None
    remedy: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The same as JSON, times in ISO 8601."""
        values = asdict(self)
        for name in ("next_run", "last_run"):
            moment = getattr(self, name)
            values[name] = moment.isoformat() if moment else None
        return values


def read(instance: str, folder: Path, timeout: float = 2.0) -> Schedule:
    """Find out what starts the cycles. Never raises.

    Args:
        instance: name of the instance.
        folder: its state folder; whoever owns it is the user whose service manager is asked.
        timeout: seconds that all service managers together may take.
    """
    unit = f"{state.named(instance)}.timer"
    own = _apscheduler(folder)
    if own is not None and own.active:
        return own
    if sys.platform == "win32" or not _BOOTED.is_dir() or not shutil.which("systemctl"):
        return own or Schedule(
            problem="nothing starts cycles here: this host has no systemd",
            remedy="have your supervisor run: comfywatchman schedule (docs/operating.md)",
        )
    account = account_of(folder)
    found = _systemd(unit, account, timeout) or own or _unanswered(unit, account)
    return _behind_a_mount(found, account) if account and found.scope == "user" else found


def _behind_a_mount(schedule: Schedule, account: pwd.struct_passwd) -> Schedule:
    """Name the cause where the user's manager began before the home was mounted, or may next time.

    Where nothing is wrong yet and a mount is known to be late, that is the problem.
    """
    units = str(Path(account.pw_dir, ".config/systemd/user"))
    for late in mounts.late([units], account.pw_uid):
        if late.missed and not schedule.active:
            problem, remedy = mounts.cause(late, schedule.unit or "the timer")
        elif not schedule.problem and not late.awaited:
            problem, remedy = mounts.warning(late, account.pw_uid)
        else:
            continue
        return replace(schedule, problem=problem, remedy=remedy)
    return schedule


def _apscheduler(folder: Path) -> Schedule | None:
    """What ``comfywatchman schedule`` left word of; None where none has run."""
    try:
        facts = orjson.loads(state.read_file(folder / state_files.SCHEDULE))
        next_run = datetime.fromisoformat(facts["next_run"])
        pid = int(facts["pid"])
        found = Schedule(
            by="apscheduler",
            active=True,
            enabled=True,
            next_run=next_run,
            interval_s=float(facts["interval_s"]),
            slack_s=float(facts["jitter_s"]),
        )
    except (OSError, ArithmeticError, ValueError, TypeError, KeyError):
        return None
    if is_held(folder / state_files.SCHEDULE_LOCK):
        return found
    return replace(
        found,
        active=False,
        next_run=None,
        problem=f"`comfywatchman schedule` (process {pid}) did not end by itself: it was killed",
        remedy="start it again: comfywatchman schedule",
    )


def is_held(file: Path) -> bool:
    """Whether a process holds the lock now. Takes nothing that it could miss for long."""
    if not file.exists():
        return False
    import filelock

    try:
        with filelock.FileLock(file, blocking=False, mode=0o600):
            return False
    except filelock.Timeout:
        return True
    except OSError:
        return False


def account_of(folder: Path) -> pwd.struct_passwd | None:
    """The user to ask for: root may ask for the one whose state it is. None: nobody has a name."""
    uid = os.geteuid()
    with suppress(OSError, KeyError):
        return pwd.getpwuid(folder.stat().st_uid if uid == 0 else uid)
    with suppress(KeyError):
        return pwd.getpwuid(uid)
    return None


def _systemd(unit: str, account: pwd.struct_passwd | None, timeout: float) -> Schedule | None:
    """The timer as the user's or the system's service manager knows it; None where neither does."""
    now, monotonic = datetime.now(UTC), time.monotonic()
    for scope, shown in ask(unit, _PROPERTIES, account, timeout).items():
        found = parse(shown, scope, now, monotonic)
        if found is not None:
            lingering = _lingers(account) if scope == "user" else None
            return judge(replace(found, lingering=lingering), now)
    return None


def ask(
    unit: str, properties: Sequence[str], account: pwd.struct_passwd | None, timeout: float
) -> dict[Scope, str]:
    """Ask the user's service manager and the system's, side by side, about a unit.

    Args:
        unit: its name.
        properties: as ``systemctl show`` knows them.
        account: the user; None asks the system's manager alone.
        timeout: seconds that both together may take.

    Returns:
        What those that answered have shown, the user's first. Times are in UTC.
    """
    deadline = time.monotonic() + timeout
    command = ["systemctl", "show", unit, "--property", ",".join(properties)]
    asked: dict[Scope, subprocess.Popen[str]] = {}
    with suppress(OSError):
        if account is not None:
            asked["user"] = _ask_user(command, account)
        asked["system"] = _start(command, {})
    answers: dict[Scope, str] = {}
    for scope, process in asked.items():
        try:
            shown, _ = process.communicate(timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        else:
            answers[scope] = shown
    return answers


def show_loaded(
    unit: str, properties: Sequence[str], folder: Path, timeout: float
) -> tuple[Scope | None, dict[str, str]]:
    """What the first service manager that has loaded a unit shows of it, and whose that is.

    Args:
        unit: its name.
        properties: as ``systemctl show`` knows them, ``LoadState`` among them.
        folder: a state folder; its owner's service manager is asked first.
        timeout: seconds that all together may take.

    Returns:
        Nobody's and nothing where none has loaded it, or none can be asked.
    """
    if sys.platform == "win32":
        return None, {}
    for scope, shown in ask(unit, properties, account_of(folder), timeout).items():
        values = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
        if values.get("LoadState") == "loaded":
            return scope, values
    return None, {}


def _ask_user(command: list[str], account: pwd.struct_passwd) -> subprocess.Popen[str]:
    # Neither su nor cron sets it, and one who asks for another has the wrong one.
    environment = {"XDG_RUNTIME_DIR": f"/run/user/{account.pw_uid}"}
    options: dict[str, Any] = {}
    if account.pw_uid != os.geteuid():
        options = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    return _start([command[0], "--user", *command[1:]], environment, **options)


def _start(
    command: list[str], environment: dict[str, str], **options: Any
) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603
        command,
        env=os.environ | {"TZ": "UTC", "LC_ALL": "C"} | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        **options,
    )


def parse(shown: str, scope: Scope, now: datetime, monotonic: float) -> Schedule | None:
    """Read what ``systemctl show`` says of a timer (with ``TZ=UTC``); None where there is none.

    Args:
        shown: its output.
        scope: whose service manager said it.
        now: the time.
        monotonic: the kernel's monotonic clock at that time, by which systemd says some moments.
    """
    values: dict[str, str] = {}
    interval = None
    for line in shown.splitlines():
        name, _, value = line.partition("=")
        if name == "TimersMonotonic" and (
            every := re.search(r"OnUnitActiveUSec=([^;]*?) ;", value)
        ):
            interval = seconds(every[1])
        values[name] = value
    if values.get("LoadState") in (None, "not-found"):
        return None
    due = [_moment(values.get("NextElapseUSecRealtime", ""))]
    since_boot = seconds(values.get("NextElapseUSecMonotonic", ""))
    if since_boot:
        due.append(now + timedelta(seconds=since_boot - monotonic))
    slack = [seconds(values.get(n, "")) or 0.0 for n in ("RandomizedDelayUSec", "AccuracyUSec")]
    timer = Schedule(
        by="systemd",
        scope=scope,
        unit=values.get("Id"),
        active=values.get("ActiveState") == "active",
        enabled=values.get("UnitFileState", "").startswith("enabled"),
        sub_state=values.get("SubState"),
        next_run=min((moment for moment in due if moment), default=None),
        last_run=_moment(values.get("LastTriggerUSec", "")),
        interval_s=interval,
        slack_s=sum(slack),
        persistent=values.get("Persistent") == "yes",
    )
    if timer.sub_state != "waiting":
        timer = replace(timer, next_run=None)
    if values["LoadState"] != "loaded":
        problem = f"systemd cannot load {timer.unit} (LoadState={values['LoadState']})"
        return replace(
            timer, problem=problem, remedy=f"see: {_systemctl(scope)} status {timer.unit}"
        )
    return timer


def judge(timer: Schedule, now: datetime) -> Schedule:
    """Say what is wrong with a timer that is there."""
    systemctl = _systemctl(timer.scope)
    if timer.problem:
        return timer
    problem = remedy = None
    if not timer.active and timer.enabled:
        problem = f"{timer.unit} is enabled but not active ({timer.sub_state})"
        remedy = f"{systemctl} start {timer.unit}"
    elif not timer.active:
        problem = f"{timer.unit} is disabled"
        remedy = f"{systemctl} enable --now {timer.unit}"
    elif timer.sub_state == "elapsed":
        problem = f"{timer.unit} is dead: all its times are past and none is to come (elapsed)"
        remedy = f"give it OnCalendar=, or deploy again; for now: {systemctl} restart {timer.unit}"
    elif not timer.enabled:
        problem = f"{timer.unit} is not enabled: after the next boot no cycle is due"
        remedy = f"{systemctl} enable {timer.unit}"
    elif timer.lingering is False:
        problem = "the user's service manager, and the timer with it, ends with the last login"
        remedy = "loginctl enable-linger"
    elif timer.next_run is not None and timer.interval_s is not None:
        late = (timer.next_run - now).total_seconds() - (timer.slack_s or 0)
        if late > timer.interval_s:
            problem = (
                f"the next run is due later than an interval ({timer.interval_s:g} s) from now"
            )
            remedy = f"see: {systemctl} cat {timer.unit}; was the clock set?"
    return replace(timer, problem=problem, remedy=remedy)


def _unanswered(unit: str, account: pwd.struct_passwd | None) -> Schedule:
    """What to say when no service manager knows the timer."""
    if account and Path(account.pw_dir, ".config/systemd/user", unit).exists():
        return Schedule(
            by="systemd",
            scope="user",
            unit=unit,
            lingering=_lingers(account),
            problem=f"{unit} is installed, but the service manager of {account.pw_name} cannot be "
            "reached",
            remedy=f"loginctl enable-linger {account.pw_name}; then: systemctl --user status",
        )
    if Path("/etc/systemd/system", unit).exists():
        return Schedule(
            by="systemd",
            scope="system",
            unit=unit,
            problem=f"{unit} is installed, but the system's service manager does not answer",
            remedy="see: systemctl status; systemctl daemon-reload",
        )
    who = account.pw_name if account else "this user"
    return Schedule(
        problem=f"{unit} is not installed, for {who} or the system",
        remedy="deploy it (README.md), or run: comfywatchman schedule",
    )


def _systemctl(scope: str | None) -> str:
    return "systemctl --user" if scope == "user" else "systemctl"


def _lingers(account: pwd.struct_passwd | None) -> bool | None:
    return is_noted(account.pw_name) if account else None


def _moment(text: str) -> datetime | None:
    """Read ``Mon 2026-11-23 16:00:49 UTC``; None where systemd says none."""
    try:
        return datetime.strptime(text, "%a %Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC)
    except ValueError:
        return None


def seconds(text: str) -> float | None:
    """Read a time span as systemd says it, ``1h 2min 3.5s``; None where it is none or infinite."""
    found = re.findall(r"([0-9.]+)([a-z]+)", text)
    if not found or any(unit not in _UNITS for _, unit in found):
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in found)
