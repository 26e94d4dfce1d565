# SPDX-License-Identifier: MIT
"""Runs on the controller: looks at all hosts, and tells what has changed since it last told.

Usage: watch.py FOLDER, which holds settings.json: what playbooks/watch.yml has written.

Runs playbooks/status.yml, which may ask for nothing, and compares its picture with told.json. What
is new goes to ComfyWatchman's own channels, and to a program of the operator's: as text on its
standard input, and in its environment. Only what these have taken counts as told, so each is told
at least once, and again only if this was killed in between, or the other has not taken it. Last,
the dead man's switch hears whether all is well.

Exit code: 0, also where hosts are not well; 1 if they could not be looked at or it could not be
told. Standard library only, but for dead_man.py, which lies beside it.
"""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import json
import os
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dead_man

AT_MOST = 10  # hosts or differences that are named under one heading
TELLING_SECONDS = 30
SENDING_SECONDS = 90  # its channels have 30 of their own, and so much is left to their process
PING_SECONDS = 10
STATES = {
    "silent": "fell silent",
    "stale": "went stale",
    "problem": "has a problem",
    "well": "is well again",
}


class WatchError(Exception):
    """A sentence for the operator, without a secret."""


@dataclass
class Picture:
    """What there is to say of the hosts, as fleet.json has it or as was told last.

    Attributes:
        hosts: state, and the codes of all problems, by name.
        compared: the hosts whose models and packs were compared.
        differs: what is not the same on all of them, by what tells it from others.
        remarks: what is wrong with a host, by name; not kept.
        failed: why the hosts could not be looked at; empty if they could.
    """

    hosts: dict[str, list[str]] = field(default_factory=dict)
    compared: list[str] = field(default_factory=list)
    differs: dict[str, str] = field(default_factory=dict)
    remarks: dict[str, str] = field(default_factory=dict)
    failed: str = ""

    @classmethod
    def of(cls, fleet: dict[str, Any]) -> Picture:
        """Read a fleet.json."""
        made = cls(compared=fleet["compared"])
        for host in fleet["hosts"]:
            problems = [remark for remark in host["remarks"] if remark["problem"]]
            codes = sorted({remark["code"] for remark in problems})
            made.hosts[host["name"]] = [host["state"], *codes]
            made.remarks[host["name"]] = "; ".join(remark["message"] for remark in problems)
        for models in fleet["models"]:
            for name in models["names"]:
                on, off = ", ".join(models["on"]), ", ".join(models["missing_on"])
                said = f"model {models['folder']}/{name} is on {on}, not on {off}"
                made.differs[f"model {models['folder']}/{name}"] = said
        for model in fleet["model_sizes"]:
            name = f"{model['folder']}/{model['name']}"
            sizes = [f"{one['size']} bytes on {', '.join(one['hosts'])}" for one in model["sizes"]]
            made.differs[f"size {name}"] = f"model {name} differs: {'; '.join(sizes)}"
        for pack in fleet["packs"]:
            variants = {_variant(each): ", ".join(each["hosts"]) for each in pack["variants"]}
            said = "; ".join(f"{variant} on {hosts}" for variant, hosts in variants.items())
            key = f"pack {pack['name']}: {', '.join(sorted(variants))}"
            made.differs[key] = f"pack {pack['name']}: {said}"
        return made

    def unseen(self) -> Picture:
        """This, when nobody could look."""
        return Picture(self.hosts, self.compared, self.differs, failed="yes")

    def after(self, told: Picture) -> Picture:
        """This, as it is to be kept: what a host brought that is silent now, is not mended."""
        if set(told.compared) <= set(self.compared) | (set(told.compared) - set(self.hosts)):
            return self
        differs = told.differs | self.differs
        compared = sorted(set(told.compared) & set(self.hosts) | set(self.compared))
        return Picture(self.hosts, compared, differs, self.remarks)


@dataclass
class Message:
    """What is told: topics, one line, and lines."""

    topics: list[str]
    subject: str
    lines: list[str]

    @property
    def text(self) -> str:
        """All of it."""
        return "\n".join([self.subject, *[""] * bool(self.lines), *self.lines]) + "\n"


def _variant(variant: dict[str, Any]) -> str:
    if variant["import_failed"]:
        return "not imported"
    if not variant["node_types"]:
        return "disabled" if variant["enabled"] is False else "missing"
    known = [variant["version"], (variant["commit"] or "")[:10]]
    return " ".join(filter(None, known)) or f"{variant['node_types']} node types"


def compare(told: Picture | None, now: Picture) -> Message | None:
    """What is to be told.

    Args:
        told: what was told last; None: nothing ever was.
        now: how it is.
    """
    if now.failed:
        if told is not None and told.failed:
            return None
        subject = "the hosts could not be looked at"
        return Message(["watch_failed"], subject, now.failed.splitlines())
    states = {name: state for name, (state, *_) in now.hosts.items()}
    if told is None:
        counts = {state: list(states.values()).count(state) for state in STATES}
        said = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
        lines = [f"{name}: {now.remarks[name]}" for name in states if states[name] != "well"]
        lines += [f"{len(now.differs)} differences between the hosts"] * bool(now.differs)
        hosts = f"{len(states)} host{'s' * (len(states) != 1)}"
        return Message(["summary"], f"watching {hosts}: {said or 'none'}", _some(lines))
    topics, subjects, lines = [], [], []
    if told.failed:
        topics.append("watch_works")
        subjects.append("the hosts can be looked at again")
    for state, words in STATES.items():
        names = [name for name in states if states[name] == state and _is_new(told, now, name)]
        if names:
            topics.append(state)
            subjects.append(_who(names, words))
            lines += _some([f"{name} {words}: {now.remarks[name]}".rstrip(": ") for name in names])
    if "silent" in topics and len(states) > 1 and set(states.values()) == {"silent"}:
        lines.append("No host is left: it may be the controller's own network.")
    if new := [now.differs[key] for key in now.differs if key not in told.differs]:
        topics.append("differs")
        subjects.append(f"{len(new)} new difference{'s' * (len(new) > 1)} between the hosts")
        lines += _some(new)
    return Message(topics, ", ".join(subjects), lines) if topics else None


def _is_new(told: Picture, now: Picture, name: str) -> bool:
    """Whether a host is in another state than was told, or has a problem that it had not."""
    before, after = told.hosts.get(name, ["well"]), now.hosts[name]
    return before[0] != after[0] or not set(after) <= set(before)


def _who(names: list[str], words: str) -> str:
    if len(names) == 1:
        return f"{names[0]} {words}"
    several = {"has": "have", "is": "are"}
    verb, _, rest = words.partition(" ")
    return f"{len(names)} hosts {several.get(verb, verb)} {rest}"


def _some(lines: list[str]) -> list[str]:
    more = [f"and {len(lines) - AT_MOST} more"] * (len(lines) > AT_MOST)
    return [*lines[:AT_MOST], *more]


def look(settings: dict[str, Any], folder: Path) -> Picture:
    """Ask all hosts, by playbooks/status.yml; nobody is asked for anything."""
    made = folder / "fleet-report"
    fleet = made / "fleet.json"
    before = _which(fleet)
    command = [
        *settings["command"],
        "--ssh-extra-args=-o BatchMode=yes",
        f"--extra-vars={json.dumps({'comfywatchman_fleet_dir': str(made)})}",
    ]
    asking = ("DISPLAY", "WAYLAND_DISPLAY", "SSH_ASKPASS")
    try:
        done = subprocess.run(
            command,
            cwd=settings["run_in"],
            env={k: v for k, v in os.environ.items() if k not in asking} | settings["environment"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # no terminal to ask at
            check=False,
        )
    except (OSError, ValueError) as error:
        return Picture(failed=f"ansible-playbook cannot be started: {error}")
    # It also fails where a host is not well; what counts is whether it came to its end.
    if _which(fleet) in (None, before):
        last = "\n".join(done.stdout.strip().splitlines()[-20:])
        return Picture(failed=f"ansible-playbook ended with {done.returncode}:\n{last}")
    try:
        return Picture.of(json.loads(fleet.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Picture(failed=f"{fleet} cannot be read: {error!r}")


def _which(file: Path) -> tuple[int, int] | None:
    """Tells a file from the one that takes its place."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def tell(settings: dict[str, Any], message: Message, report: Path, since: str) -> None:
    """Hand it to the channels and to the program, if there are such, and to the journal.

    Args:
        settings: what there is.
        message: what is told.
        report: the page of the hosts.
        since: what tells the last time that something was told from others.

    Raises:
        WatchError: it was not taken.
    """
    sys.stdout.write(message.text)
    sys.stdout.flush()
    bad = {"silent", "stale", "problem", "differs", "watch_failed"}
    # The channels drop what they have already.
    identity = hashlib.sha256(f"{since}\n{message.text}".encode()).hexdigest()[:32]
    given = {
        "COMFYWATCHMAN_MESSAGE": identity,
        "COMFYWATCHMAN_TOPICS": ",".join(message.topics),
        "COMFYWATCHMAN_PRIORITY": "warning" if bad & set(message.topics) else "notice",
        "COMFYWATCHMAN_SUBJECT": message.subject,
        "COMFYWATCHMAN_REPORT": str(report),
        "COMFYWATCHMAN_HOST": socket.gethostname(),
    }
    _hand(settings["relay"], message.text, given, SENDING_SECONDS)
    _hand(settings["tell"], message.text, given, TELLING_SECONDS)


def _hand(command: list[str], text: str, given: dict[str, str], seconds: float) -> None:
    """Run a program with a text, if there is one.

    Raises:
        WatchError: it did not take it.
    """
    if not command:
        return
    try:
        done = subprocess.run(
            command,
            input=text.encode(),
            env={**os.environ, **given},
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise WatchError(f"{command[0]} took longer than {seconds} s") from None
    except (OSError, ValueError) as error:
        raise WatchError(f"{command[0]} cannot be started: {error}") from None
    if done.returncode:
        raise WatchError(f"{command[0]} ended with exit code {done.returncode}")


class Switch:
    """A dead man's switch: a check of Healthchecks, or an address with marks as Uptime Kuma's.

    Args:
        file: holds the address, which is a secret; empty: there is none.
    """

    def __init__(self, file: str) -> None:
        self.began, self.run = time.monotonic(), str(uuid.uuid4())
        self.url = ""
        if not file:
            return
        try:
            mode = Path(file).stat().st_mode
            content = Path(file).read_text(encoding="utf-8").split()
        except (OSError, ValueError) as error:
            raise WatchError(f"{file} cannot be read: {error}") from None
        if stat.S_IMODE(mode) & 0o077:
            raise WatchError(f"{file} holds a secret, and others may read it: chmod 0600 {file}")
        if len(content) != 1 or not content[0].startswith(("http://", "https://")):
            raise WatchError(f"{file} must hold an address that begins with http:// or https://")
        self.url = content[0]

    def ping(self, action: str, body: str = "") -> None:
        """Tell it.

        Args:
            action: ``start``, ``fail``, or nothing: all is well.
            body: what to show.

        Raises:
            WatchError: it was not taken.
        """
        is_push = dead_man.is_push(self.url)
        if not self.url or (is_push and action == "start"):
            return
        try:
            if is_push:
                status, took = "down" if action else "up", time.monotonic() - self.began
                url = dead_man.push_url(self.url, status, body, round(1000 * took))
            else:
                url = dead_man.check_url(self.url, action, self.run)
            request = urllib.request.Request(  # noqa: S310
                url, None if is_push else dead_man.body(body)
            )
            with urllib.request.urlopen(request, timeout=PING_SECONDS) as answer:  # noqa: S310
                text = answer.read(100).decode(errors="replace")
                refused = dead_man.refusal(answer.status, text)
        except urllib.error.HTTPError as error:
            refused = dead_man.refusal(error.code, "")
        # The words of these may hold the address.
        except (OSError, ValueError, http.client.HTTPException) as error:
            why = getattr(error, "reason", None)
            why = why if isinstance(why, OSError) else type(error).__name__
            raise WatchError(f"the dead man's switch cannot be reached: {why}") from None
        if refused:
            raise WatchError(f"the dead man's switch was not told: {refused}")


def remembered(file: Path) -> Picture | None:
    """What was told last; None if nothing was, or nobody can read it."""
    try:
        kept = json.loads(file.read_bytes())
        return Picture(kept["hosts"], kept["compared"], kept["differs"], {}, kept["failed"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember(file: Path, picture: Picture) -> None:
    """Keep what was told."""
    kept = {name: value for name, value in vars(picture).items() if name != "remarks"}
    part = file.with_suffix(".part")
    part.write_text(json.dumps(kept), encoding="utf-8")
    part.replace(file)


def watch(folder: Path) -> int:
    """Look, tell, remember; the exit code."""
    settings = json.loads((folder / "settings.json").read_bytes())
    troubles: list[str] = []
    switch = Switch("")
    try:
        switch = Switch(settings["ping_url_file"])
        switch.ping("start")
    except WatchError as error:
        troubles.append(str(error))
    now, told = look(settings, folder), remembered(folder / "told.json")
    summary, message = compare(None, now), compare(told, now)
    try:
        if message:
            since = str(_which(folder / "told.json"))
            tell(settings, message, folder / "fleet-report" / "fleet.html", since)
        else:
            _hand(settings["relay"], "", {}, SENDING_SECONDS)  # what a channel did not take
        if summary and not message:
            sys.stdout.write(f"{summary.subject}; nothing new to tell\n")
        before = told or Picture()
        remember(folder / "told.json", before.unseen() if now.failed else now.after(before))
    except WatchError as error:
        troubles.append(f"It could not be told, and will be tried again: {error}")
    well = not now.failed and all(state == "well" for state, *_ in now.hosts.values())
    try:
        switch.ping("" if well else "fail", summary.text if summary else "")
    except WatchError as error:
        troubles.append(str(error))
    for trouble in dict.fromkeys(troubles):
        sys.stderr.write(f"{trouble}\n")
    return int(bool(troubles or now.failed))


def main() -> int:
    """The program."""
    os.umask(0o077)
    folder = Path(sys.argv[1])
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            sys.stderr.write("Another one is looking just now.\n")
            return 1
        return watch(folder)


if __name__ == "__main__":
    sys.exit(main())
