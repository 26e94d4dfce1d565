#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""Ansible module: make one release the one that runs, whole and proven, or not at all."""

from __future__ import annotations

DOCUMENTATION = r"""
module: activation
short_description: Activate a release of ComfyWatchman, or go back to an earlier one
description:
  - Units and settings are staged inside the release and verified there, by systemd and by the
    release itself. Only then are they put in place, each by rename, the link C(current) is moved,
    systemd is told, the timer is enabled, and one check is run as a proof.
  - When any of that fails, what was active before is put back before the task fails, and a
    release that failed its proof is marked. What was active before is noted down on the host until
    then, so that it is put back all the same when the host stops in the middle and the next try
    fails.
  - What is proven is kept in the release, so that going back needs nothing but the host.
  - The timer is never restarted, so a deploy makes no host run its check out of turn.
author: The ComfyWatchman maintainers (!UNKNOWN)
options:
  state:
    description: >-
      Whether to activate the release named, or an earlier one with its own units and settings.
    type: str
    choices: [present, rolled_back]
    default: present
  scope: {description: Whose service manager., type: str, choices: [user, system], required: true}
  scheduler:
    description: >-
      What starts the checks. Without systemd there are neither units nor a timer.
    type: str
    choices: [systemd, apscheduler]
    default: systemd
  instance: {description: Name of the instance; empty for the usual one., type: str, default: ''}
  user: {description: The user who runs ComfyUI., type: str, required: true}
  paths:
    description: >-
      root, config, state, units, bin, share: as the probe found them.
    type: dict
    required: true
  release:
    description: >-
      Id of the release. To go back, an id, a version, or nothing for the release before.
    type: str
    default: ''
  units: {description: Contents by path below the folder of units., type: dict, default: {}}
  settings: {description: Content of config.toml., type: str, default: ''}
  accepted:
    description: >-
      Content of a team's accepted.team.toml; with nothing in it the file is removed. Going back
      leaves it as it is.
    type: str
    default: ''
  credentials: {description: Secrets by name; others are removed., type: dict, default: {}}
  state_dir_before:
    description: >-
      Where reports went until now; they move along.
    type: str
    default: ''
  timer_enabled: {description: Whether the timer shall run., type: bool, default: true}
  smoke_test: {description: Whether to run one check as a proof., type: bool, default: true}
  keep_releases:
    description: >-
      How many releases stay; those in use always do.
    type: int
    default: 3
  command_link:
    description: >-
      Whether the command shall be on the PATH. Going back leaves it as it is.
    type: bool
    default: true
  lease:
    description: >-
      What the probe returned of it; is renewed as long as this takes, and then released.
    type: dict
    default: {}
"""

EXAMPLES = r"""
# The role does this, with what the module comfywatchman.ops.probe found out.
- name: Activate a release that was built, and prove it by one check
  comfywatchman.ops.activation:
    scope: user
    user: comfy
    paths: "{{ host.paths }}"
    release: "{{ host.release.id }}"
    units: {comfywatchman.service: "{{ service }}", comfywatchman.timer: "{{ timer }}"}
    settings: "{{ lookup('ansible.builtin.template', 'config.toml.j2') }}"
  become: true

- name: Go back to the release before
  comfywatchman.ops.activation:
    state: rolled_back
    scope: user
    user: comfy
    paths: "{{ host.paths }}"
  become: true
"""

RETURN = r"""
actions:
  description: what was, or would be, done
  type: list
  elements: str
  returned: always
  sample: [link current -> releases/0.1.0-py3.11-1b2c3d4e]
release:
  description: the release that is, or would be, active
  type: str
  returned: always
  sample: 0.1.0-py3.11-1b2c3d4e
before: {description: the release that was active, type: str, returned: always}
run: {description: the run that held the lease until then, type: str, returned: always}
"""

import base64
import contextlib
import datetime as dt
import json
import os
import re
import shutil
import stat
import time
from typing import NamedTuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.comfywatchman.ops.plugins.module_utils import textfile
from ansible_collections.comfywatchman.ops.plugins.module_utils.accounts import (
    as_user,
    carry_out,
)
from ansible_collections.comfywatchman.ops.plugins.module_utils.command import Command
from ansible_collections.comfywatchman.ops.plugins.module_utils.ending import explain_unrecorded
from ansible_collections.comfywatchman.ops.plugins.module_utils.files import (
    link,
    make_directories,
    mode_of,
    read,
    remove_if_empty,
    write,
)
from ansible_collections.comfywatchman.ops.plugins.module_utils.installation import (
    CREDENTIALS,
    SETTINGS,
    TEAM_ACCEPTED,
    account_of,
    linked_release,
    name_of,
    read_last_run,
    seconds_of,
)
from ansible_collections.comfywatchman.ops.plugins.module_utils.integrity import COMPLETE
from ansible_collections.comfywatchman.ops.plugins.module_utils.lease import Held, LostError
from ansible_collections.comfywatchman.ops.plugins.module_utils.ownership import (
    claim_folder,
    other_hosts,
    unclaimed,
)
from ansible_collections.comfywatchman.ops.plugins.module_utils.releases import first_damage
from ansible_collections.comfywatchman.ops.plugins.module_utils.state_files import (
    database_of,
    holds_peoples_work,
    is_ours,
    is_remembered,
)
from ansible_collections.comfywatchman.ops.plugins.module_utils.systemd import (
    CommandError,
    Systemd,
    Units,
    attempt,
    run,
    stamp_of,
)

CHECK_SETTINGS = """
import datetime, pathlib, sys
from comfywatchman.errors import ConfigError
from comfywatchman.settings import load
file = pathlib.Path(sys.argv[1])
try:
    load({}, file)
except ConfigError as error:
    raise SystemExit(str(error))
try:
    from comfywatchman.acceptances import file as accepted
except ImportError:  # an older one
    raise SystemExit(0)
problems = accepted.read(file, datetime.date.today()).problems
if problems:
    raise SystemExit("; ".join(problem.text for problem in problems))
"""
MODES = {  # (files, directories)
    "user": (0o600, 0o700),
    "system": (0o644, 0o755),
}
LOCKED = 75  # another cycle, started by hand, is running
CYCLE_SECONDS = 1800  # for the test alone: the service has a limit of its own
YOUNG = 86_400  # seconds in which a release that was never active may be about to be activated
NUMBERED = re.compile(r"(.+-[0-9a-f]{12})-[0-9]+")  # built beside a damaged one


class RejectedError(Exception):
    """What was staged is no good; nothing was changed."""


class UnprovenError(Exception):
    """The check that was run as a proof did not work."""


class Wanted(NamedTuple):
    """What is to be active."""

    release: str
    units: dict  # content by path below the folder of units
    settings: bytes


class Before(NamedTuple):
    """What was active, and whole, before a change: what the way back leads to."""

    toward: str | None  # the release that a rollback was to lead to
    release: str | None
    previous: str | None
    timer: bool  # whether it was enabled
    files: dict  # {path: (content or None, mode, group)}

    def to_json(self):
        files = {
            path: (None if content is None else base64.b64encode(content).decode(), mode, group)
            for path, (content, mode, group) in self.files.items()
        }
        return json.dumps(self._replace(files=files)._asdict()).encode() + b"\n"

    @classmethod
    def from_json(cls, text):
        """Raises :class:`ValueError`, :class:`TypeError` or :class:`AttributeError`."""
        noted = cls(**json.loads(text))
        files = {
            path: (None if content is None else base64.b64decode(content), mode, group)
            for path, (content, mode, group) in noted.files.items()
        }
        return noted._replace(files=files)


class Releases:
    """The releases on a host: ``releases/ID``, with the links ``current`` and ``previous``."""

    def __init__(self, root):
        self.root = root
        self.folder = os.path.join(root, "releases")
        self._damage = {}

    def path(self, release, *names):
        return os.path.join(self.folder, release, *names)

    @property
    def unproven_path(self):
        """A file that is there while a change is made and proven; it holds a ``Before``."""
        return os.path.join(self.root, "unproven")

    def unproven(self):
        """The :class:`Before` of a change that did not end; raises as its ``from_json``."""
        return Before.from_json(read(self.unproven_path) or b"null")

    def linked(self, name):
        return linked_release(self.root, name)

    def point(self, name, release):
        """Let a link point to a release, or to none."""
        path = os.path.join(self.root, name)
        if release is not None:
            link(path, os.path.join("releases", release))
        elif os.path.lexists(path):
            os.unlink(path)

    def completed(self):
        """Ids of the releases that were built to their end, whatever has become of them."""
        names = sorted(os.listdir(self.folder)) if os.path.isdir(self.folder) else []
        return [name for name in names if os.path.exists(self.path(name, COMPLETE))]

    def damage(self, release):
        """What keeps a release from being activated, part of a sentence; empty if nothing does."""
        if release not in self._damage:
            found = first_damage(self.path(release))
            self._damage[release] = found[0] if found else ""
        return self._damage[release]

    def kept(self, release):
        """The units and settings a release was proven with, or ``None``."""
        settings = read(self.path(release, SETTINGS))
        if settings is None:
            return None
        units, top = {}, self.path(release, "units")
        for folder, _, names in os.walk(top):
            for name in names:
                path = os.path.join(folder, name)
                units[os.path.relpath(path, top)] = read(path)
        return Wanted(release, units, settings)

    def keep(self, wanted, file_mode, directory_mode):
        """Keep what a release was proven with inside it."""
        folder, new = self.path(wanted.release, "units"), self.path(wanted.release, "units.new")
        shutil.rmtree(new, ignore_errors=True)
        make_directories(new, directory_mode)
        for name, content in wanted.units.items():
            make_directories(os.path.dirname(os.path.join(new, name)), directory_mode)
            write(os.path.join(new, name), content, file_mode)
        shutil.rmtree(folder, ignore_errors=True)
        os.rename(new, folder)
        write(self.path(wanted.release, SETTINGS), wanted.settings, 0o600)

    def rejection(self, release):
        """Why a release is not to be chosen: ``{"at", "reason", "failed"}``, or ``None``."""
        try:
            found = json.loads(read(self.path(release, ".rejected")) or b"null")
        except ValueError:
            found = None
        return found if isinstance(found, dict) else None

    def reject(self, release, reason, failed):
        """Mark a release, so that nobody goes back to it unawares."""
        now = dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds")  # noqa: UP017
        note = {"at": now, "reason": reason, "failed": failed}
        write(self.path(release, ".rejected"), json.dumps(note).encode() + b"\n", 0o644)

    def accept(self, release):
        """Take back the mark of a release that was proven after all, and note when that was."""
        if os.path.lexists(self.path(release, ".rejected")):
            os.unlink(self.path(release, ".rejected"))
        write(self.path(release, ".activated"), b"", 0o644)

    def activated_at(self, release):
        try:
            return os.stat(self.path(release, ".activated")).st_mtime_ns
        except OSError:
            return 0

    def rollback_target(self, current):
        """Id of the release to go back to, or ``None``: the last that was proven and is whole."""
        good = [
            name
            for name in self.completed()
            if name != current and self.kept(name) and not self.rejection(name)
        ]
        before = self.linked("previous")
        good.sort(key=lambda name: (name == before, self.activated_at(name)), reverse=True)
        return next((name for name in good if not self.damage(name)), None)

    def why_not(self, release):
        """What keeps a release from being gone back to."""
        if rejection := self.rejection(release):
            return "was rejected: " + rejection["reason"]
        if damage := self.damage(release):
            return f"is damaged: {damage}"
        return "was never active"

    def interrupted_rollback(self):
        """Where a rollback was to lead in which the host stopped, or ``None``."""
        with contextlib.suppress(ValueError, TypeError, AttributeError):
            toward = self.unproven().toward
            good = toward in self.completed() and self.kept(toward) and not self.damage(toward)
            return toward if good else None
        return None

    def named(self, name):
        """The release of that id or version; raises :class:`RejectedError`."""
        completed = self.completed()
        found = [one for one in completed if one == name] or [
            one for one in completed if one.startswith(name + "-")
        ]
        found = self._best(found)
        if len(found) != 1:
            there = ", ".join(completed) or "none"
            fault = "is not on this host" if not found else "stands for several releases"
            raise RejectedError(f"The release {name!r} {fault}; there are: {there}.")
        rejection = self.rejection(found[0])
        if rejection and rejection.get("failed"):
            raise RejectedError(
                f"The release {found[0]} failed here at {rejection.get('at')} "
                f"({rejection.get('reason')}); to try it again, deploy it."
            )
        if damage := self.damage(found[0]):
            raise RejectedError(f"The release {found[0]} is damaged ({damage}); deploy it.")
        if not self.kept(found[0]):
            raise RejectedError(f"The release {found[0]} was never active here; deploy it.")
        return found[0]

    def _best(self, names):
        """One name instead of those that differ in their number alone: of what is whole, if any."""
        of = {}
        for name in names:
            numbered = NUMBERED.fullmatch(name)
            of.setdefault(numbered.group(1) if numbered else name, []).append(name)
        return [
            max(same, key=lambda name: (not self.damage(name), self.activated_at(name)))
            if len(same) > 1
            else same[0]
            for same in of.values()
        ]

    def superfluous(self, keep):
        """Ids that may go: the oldest, and those that were never completed.

        Never one in use, nor one that a run which lost its lease may still be about to activate.
        """
        in_use = {self.linked("current"), self.linked("previous")}
        names = os.listdir(self.folder) if os.path.isdir(self.folder) else []
        others = sorted(set(names) - in_use, key=self._age, reverse=True)
        kept = max(0, keep - len(in_use - {None}))
        complete = set(self.completed())
        old = [n for position, n in enumerate(others) if position >= kept or n not in complete]
        return [name for name in old if not self._awaits_activation(name)]

    def damaged_and_unused(self):
        """Ids of the releases that nobody can go back to any more."""
        in_use = {self.linked("current"), self.linked("previous")}
        return [
            name
            for name in self.completed()
            if name not in in_use and not self._awaits_activation(name) and self.damage(name)
        ]

    def remove(self, release):
        """Remove a release; who still builds there, without the lease, may have the rest."""
        half_built = not os.path.exists(self.path(release, COMPLETE))
        shutil.rmtree(self.path(release), ignore_errors=half_built)

    def _awaits_activation(self, release):
        used = any(os.path.lexists(self.path(release, n)) for n in (".activated", ".rejected"))
        return not used and time.time() - self._age(release) < YOUNG

    def _age(self, release):
        try:
            return os.stat(self.path(release, COMPLETE)).st_mtime
        except OSError:
            return 0


class Activation:
    """One release, its units and its settings, about to become the active ones."""

    def __init__(self, module, wanted, releases, backwards):
        given = module.params
        self.wanted = wanted
        self.releases = releases
        self.backwards = backwards
        self.paths = given["paths"]
        self.scope = given["scope"]
        self.instance = given["instance"]
        self.account = account_of(given["user"])
        self.scheduled = given["scheduler"] == "systemd"
        self.systemd = Systemd(self.scope, self.account) if self.scheduled else None
        self.names = Units(self.instance)
        self.file_mode, self.directory_mode = MODES[self.scope]
        self.accepted = None if backwards else given["accepted"]
        self.credentials = None if backwards else given["credentials"]
        self.timer_enabled = given["timer_enabled"]
        self.smoke_test = given["smoke_test"] and not backwards
        self.state_before = given["state_dir_before"]
        self.damaged = None  # the release of before, where there is no way back to it

    # --- What has to change ------------------------------------------------------------------

    def unit_files(self, units=None):
        """``{path: (content or None, mode, group)}`` of the units: those wanted, or others."""
        wanted = self.wanted.units if units is None else units
        drop_ins = [f"{name}.d/50-site.conf" for name in (self.names.service, self.names.timer)]
        ours = {*self.names.all, self.names.login, *drop_ins, *wanted} if self.scheduled else set()
        return {
            os.path.join(self.paths["units"], name): (wanted.get(name), self.file_mode, -1)
            for name in sorted(ours)
        }

    def setting_files(self):
        """The same of the settings, and of what else is beside them if it is to change too."""
        mode, group = (0o600, -1) if self.scope == "user" else (0o640, self.account.pw_gid)
        files = {self.settings_path: (self.wanted.settings, mode, group)}
        if self.accepted is not None:
            path = os.path.join(self.paths["config"], TEAM_ACCEPTED)
            files[path] = (self.accepted.encode() or None, mode, group)
        if self.credentials is not None:
            for name in CREDENTIALS:
                content = self.credentials.get(name)
                path = os.path.join(self.paths["config"], name)
                files[path] = (content.encode() if content is not None else None, 0o600, -1)
        return files

    @property
    def settings_path(self):
        return os.path.join(self.paths["config"], SETTINGS)

    def state_directory_is_right(self):
        try:
            found = os.stat(self.paths["state"])
        except FileNotFoundError:
            return False
        return found.st_uid == self.account.pw_uid and not found.st_mode & 0o077

    def state_moves(self):
        """``{from: to}`` of the reports that are still where they went before."""
        before, now = self.state_before, self.paths["state"]
        if not before or before == now or not os.path.isdir(before):
            return {}
        if other_hosts({**self.paths, "state": before}, self.account).get("state"):
            return {}
        return {
            os.path.join(before, name): os.path.join(now, name)
            for name in os.listdir(before)
            if is_ours(name)
        }

    def timer_actions(self):
        """The words for ``systemctl`` that bring the timer to where it shall be."""
        if not self.scheduled:
            return []
        timer_unit = self.names.timer
        if not self.systemd.running:
            return [("daemon-reload",), ("enable", timer_unit), ("start", timer_unit)]
        timer = self.systemd.show(timer_unit, "UnitFileState", "ActiveState", "NeedDaemonReload")
        nightly = self.systemd.show(self.names.nightly_timer, "ActiveState", "NeedDaemonReload")
        service = self.systemd.show(self.names.service, "NeedDaemonReload")
        stale = "yes" in (one["NeedDaemonReload"] for one in (timer, nightly, service))
        actions = [("daemon-reload",)] if stale else []
        if self.timer_enabled:
            if timer["UnitFileState"] != "enabled":
                actions.append(("enable", timer_unit))
            if timer["ActiveState"] != "active":
                actions.append(("start", timer_unit))
        else:
            if timer["ActiveState"] == "active":
                actions.append(("stop", timer_unit))
            if timer["UnitFileState"] == "enabled":
                actions.append(("disable", timer_unit))
        reads = self.timer_enabled and self.names.nightly_timer in self.wanted.units
        if reads != (nightly["ActiveState"] == "active"):
            actions.append(("start" if reads else "stop", self.names.nightly_timer))
        return actions

    def plan(self):
        """``(different files, sentences)``: what has to change."""
        different = differing({**self.unit_files(), **self.setting_files()})
        sentences = [
            f"{'write' if content is not None else 'remove'} {path}"
            for path, (content, _, _) in different.items()
        ]
        if self.releases.linked("current") != self.wanted.release:
            sentences.append(f"activate release {self.wanted.release}")
        if not self.state_directory_is_right():
            sentences.append(f"make {self.paths['state']}")
        if unclaimed(self.paths, self.account):
            sentences.append("note down that the folders are this host's")
        sentences += [f"move {old} to {new}" for old, new in self.state_moves().items()]
        sentences += ["systemctl " + " ".join(action) for action in self.timer_actions()]
        unfinished = os.path.exists(self.releases.unproven_path)
        if self.smoke_test and (sentences or unfinished):
            sentences.append("run one check as a proof")
        if not sentences and (unfinished or self.releases.kept(self.wanted.release) != self.wanted):
            sentences.append(f"keep units and settings in release {self.wanted.release}")
        return different, sentences

    def diff(self, different):
        return [
            {
                "before_header": path,
                "after_header": path,
                "before": (read(path) or b"").decode("utf-8", "replace"),
                "after": (content or b"").decode("utf-8", "replace"),
            }
            for path, (content, _, _) in different.items()
            if os.path.basename(path) not in CREDENTIALS
        ]

    # --- Changing it -------------------------------------------------------------------------

    def verify(self):
        """Have units and settings verified, inside the release; raises :class:`RejectedError`."""
        if self.wanted.release not in self.releases.completed():
            raise RejectedError(f"There is no complete release {self.wanted.release} on this host.")
        if damage := self.releases.damage(self.wanted.release):
            raise RejectedError(f"The release {self.wanted.release} is damaged: {damage}.")
        staged = self.releases.path(self.wanted.release, "staged")
        settings = os.path.join(staged, SETTINGS)
        shutil.rmtree(staged, ignore_errors=True)
        try:
            make_directories(staged, 0o755)
            for name, content in self.wanted.units.items():
                make_directories(os.path.dirname(os.path.join(staged, name)), 0o755)
                write(os.path.join(staged, name), content, 0o644)
            if self.scheduled:
                names = [name for name in self.names.all if name != self.names.notify]
                units = [os.path.join(staged, n) for n in names if n in self.wanted.units]
                complaint = self.systemd.verify(units)
                if complaint:
                    raise RejectedError(f"systemd does not accept the units: {complaint}")
            _, mode, group = self.setting_files()[self.settings_path]
            write(settings, self.wanted.settings, mode, group)
            if self.accepted:
                accepted = os.path.join(staged, TEAM_ACCEPTED)
                write(accepted, self.accepted.encode(), mode, group)
            code, _, complaint = run(
                [*as_user(self.account), self.python, "-Ic", CHECK_SETTINGS, settings],
                {"PATH": "/usr/bin:/bin", "HOME": self.account.pw_dir, "LC_ALL": "C.UTF-8"},
            )
            if code != 0:
                raise RejectedError(
                    "ComfyWatchman does not accept its settings: "
                    + complaint.replace(staged, self.paths["config"])
                )
        finally:
            shutil.rmtree(staged, ignore_errors=True)

    @property
    def python(self):
        return self.releases.path(self.wanted.release, "venv", "bin", "python")

    def put(self, files):
        """Write or remove files; returns whether any of them was another one before."""
        files = differing(files)
        for path, (content, mode, group) in files.items():
            if content is not None:
                make_directories(os.path.dirname(path), self.directory_mode)
                write(path, content, mode, group)
            else:
                os.unlink(path)
                if path.endswith(".conf"):
                    remove_if_empty(os.path.dirname(path))
        return bool(files)

    def put_program(self):
        if self.put(self.unit_files()):
            self.systemd.systemctl("daemon-reload")
        self.releases.point("current", self.wanted.release)

    def put_settings(self):
        self.put(self.setting_files())

    def apply(self, different):
        """Make the change and prove it; on any error put everything back and raise."""
        if different or self.releases.linked("current") != self.wanted.release:
            self.verify()
        self.claim("root", "config")
        before = self.what_was_before()
        write(self.releases.unproven_path, before.to_json(), 0o600)
        try:
            self.make_state_directory()
            replaced = before.release not in (None, self.wanted.release)
            self.releases.point("previous", before.release if replaced else before.previous)
            # A program knows the settings of an older one, not the other way round: whichever is
            # older comes last, should the host stop half-way.
            for put in (self.put_program, self.put_settings)[:: -1 if self.backwards else 1]:
                put()
            actions = self.timer_actions()
            for verb, *units in actions:
                if verb == "start":  # which may start the other timer as well
                    self.touch_stamp(*units)
            for action in actions:
                self.systemd.systemctl(*action)
            if self.smoke_test:
                self.prove()
        except UnprovenError as error:
            self.reject(before, str(error))
            raise
        except BaseException:
            self.restore(before)
            raise
        self.move_state()
        self.remove_metrics(before.files[self.settings_path][0])
        self.releases.keep(self.wanted, self.file_mode, self.directory_mode)
        if self.backwards:
            self.leave(before.release)
        self.releases.accept(self.wanted.release)
        os.unlink(self.releases.unproven_path)

    def remove_metrics(self, settings_before):
        """Remove them from where node_exporter reads none of this instance any more."""
        folder = textfile.folder_in(settings_before)
        if folder != textfile.folder_in(self.wanted.settings):
            textfile.remove_from(folder, name_of(self.instance))

    def leave(self, release):
        """Mark a release that is left for an older one; not one that an earlier rollback led to."""
        if release in (None, self.wanted.release):
            return
        if not self.releases.rejection(self.wanted.release):
            self.releases.reject(release, "it was rolled back by hand", False)
        self.releases.point("previous", self.releases.rollback_target(self.wanted.release))

    def what_was_before(self):
        """What is active now, or was before a change in which the host stopped."""
        files = {}
        for path in [*self.unit_files(), *self.setting_files()]:
            content = read(path)
            if content is None:
                files[path] = None, 0, -1
            else:
                found = os.lstat(path)
                files[path] = content, stat.S_IMODE(found.st_mode), found.st_gid
        timer = self.systemd.show(self.names.timer, "UnitFileState") if self.scheduled else {}
        current, previous = self.releases.linked("current"), self.releases.linked("previous")
        toward = self.wanted.release if self.backwards else None
        before = Before(toward, current, previous, timer.get("UnitFileState") == "enabled", files)
        with contextlib.suppress(ValueError, TypeError, AttributeError):
            noted = self.releases.unproven()
            # What that change did not touch is still what it was.
            before = noted._replace(toward=toward, files={**files, **noted.files})
        if before.release not in self.releases.completed():
            return before._replace(release=None, timer=False)
        return self.something_whole(before) if self.releases.damage(before.release) else before

    def something_whole(self, before):
        """Where to go back to instead of a release that is damaged: to nothing, if need be."""
        self.damaged = before.release
        target = self.releases.rollback_target(before.release)
        if target is None or target == self.wanted.release:
            return before._replace(release=None, timer=False)
        kept = self.releases.kept(target)
        _, mode, group = self.setting_files()[self.settings_path]
        files = {**before.files, **self.unit_files(kept.units)}
        files[self.settings_path] = kept.settings, mode, group
        return before._replace(release=target, previous=None, files=files)

    def claim(self, *names):
        """Note down that folders are this host's; raises :class:`RejectedError`."""
        for name in names:
            make_directories(self.paths[name], self.directory_mode)
            problem = claim_folder(name, self.paths)
            if problem:
                raise RejectedError(problem)

    def make_state_directory(self):
        # In system scope root makes what is above it, and the service's user must get through.
        make_directories(
            os.path.dirname(self.paths["state"]), 0o755 if os.geteuid() == 0 else 0o700
        )
        make_directories(self.paths["state"], 0o700)
        if not self.state_directory_is_right():
            if os.geteuid() == 0:
                os.chown(self.paths["state"], self.account.pw_uid, self.account.pw_gid)
            os.chmod(self.paths["state"], 0o700)
        self.claim("state")

    def touch_stamp(self, timer):
        """Have a timer that is about to start count from now, as if the last check were now.

        Otherwise all hosts of a rollout would make up at once for a check that nobody missed.
        """
        stamp = stamp_of(self.scope, self.account.pw_dir, timer)
        make_directories(os.path.dirname(stamp), self.directory_mode)
        with open(stamp, "ab"):
            os.utime(stamp)

    def move_state(self):
        moves = self.state_moves()
        comes = [
            old for old, new in moves.items() if not os.path.lexists(new) or outweighs(old, new)
        ]
        for old, new in moves.items():
            if old in comes:
                shutil.move(old, new)
            elif not holds_peoples_work(os.path.basename(old)):
                os.unlink(old)  # there is a newer one, from the proof
        if self.state_before not in ("", self.paths["state"]):
            remove_if_empty(self.state_before)

    # --- Proving it --------------------------------------------------------------------------

    def prove(self):
        """Run one check, as the timer would; raises :class:`UnprovenError`."""
        give_up = time.monotonic() + CYCLE_SECONDS
        while time.monotonic() < give_up:
            self.wait_for_the_service(give_up)
            earlier, started = read_last_run(self.paths["state"]), time.time()
            code, complaint = self.run_once()
            last = read_last_run(self.paths["state"]) or {}
            fresh = last != earlier and seconds_of(last.get("started_at")) >= started - 1
            if fresh and last.get("outcome") in ("done", "skipped"):
                return
            if code != LOCKED:
                reason = last.get("reason") if fresh else self.why_it_did_not_begin()
                raise UnprovenError(reason or complaint or f"it ended with {code} and no word")
            time.sleep(1)
        raise UnprovenError(f"another check has been running for {CYCLE_SECONDS} s")

    def wait_for_the_service(self, give_up):
        """A check that the timer started with the release of before comes to its end first."""
        while self.scheduled and time.monotonic() < give_up:
            state = self.systemd.show(self.names.service, "ActiveState")["ActiveState"]
            if state not in ("activating", "deactivating", "reloading"):
                return
            time.sleep(0.5)

    def why_it_did_not_begin(self):
        """Why the service failed that has left no word; an empty text if systemd does not know."""
        if not self.scheduled:
            return ""
        shown = self.systemd.show(self.names.service, "Result", "ExecMainStatus")
        if shown["Result"] in ("", "success"):
            return ""
        why, remedy = explain_unrecorded(shown["Result"], shown["ExecMainStatus"])
        return f"{why}; what to do: {remedy}"

    def run_once(self):
        """``(exit status, complaint)`` of one check."""
        if self.scheduled:
            attempt(self.systemd.systemctl, "reset-failed", self.names.service)
            try:
                self.systemd.systemctl("start", self.names.service, timeout=CYCLE_SECONDS)
            except CommandError as error:
                complaint = str(error)
            else:
                complaint = ""
            shown = self.systemd.show(self.names.service, "ExecMainStatus")
            return int(shown["ExecMainStatus"] or 0), complaint
        check = [self.python, "-m", "comfywatchman.cli", "--run-check"]  # as the unit does
        code, _, complaint = run(
            [*as_user(self.account), "sh", "-c", 'umask 077 && exec "$@"', "sh", *check],
            {
                "PATH": "/usr/bin:/bin",
                "HOME": self.account.pw_dir,
                "LC_ALL": "C.UTF-8",
                "PYTHONUTF8": "1",
                "COMFYWATCHMAN_CONFIG": self.settings_path,
            },
            CYCLE_SECONDS,
        )
        return code, complaint

    # --- The way back ------------------------------------------------------------------------

    def reject(self, before, reason):
        """Go back from a release that could not be proven, and mark it."""
        if self.scheduled:  # it may be about to be tried again
            attempt(self.systemd.systemctl, "stop", self.names.service)
            attempt(self.systemd.systemctl, "reset-failed", self.names.service)
        self.restore(before)
        active = self.releases.linked("current")
        if active != self.wanted.release:
            attempt(self.releases.reject, self.wanted.release, reason, True)
            self.releases.point("previous", self.releases.rollback_target(active))

    def restore(self, before):
        """Put back what was active before, or nothing with no timer that would start it."""
        if self.scheduled and not before.timer:  # as long as there is a unit to disable
            self.turn_timer("stop", "disable")
        in_units = os.path.join(self.paths["units"], "")
        units = {path: file for path, file in before.files.items() if path.startswith(in_units)}
        settings = {path: file for path, file in before.files.items() if path not in units}
        kept = [path for path, (content, _, _) in units.items() if content is not None]
        # As in apply(), the other way round.
        for files in (settings, units)[:: -1 if self.backwards else 1]:
            self.put(files)
        if self.scheduled:
            attempt(self.systemd.systemctl, "daemon-reload")
        self.releases.point("current", before.release)
        self.releases.point("previous", before.previous)
        if self.scheduled and before.timer:
            self.turn_timer("enable", "start")
        if self.scheduled and self.names.nightly_timer not in map(os.path.basename, kept):
            attempt(self.systemd.systemctl, "stop", self.names.nightly_timer)
        os.unlink(self.releases.unproven_path)

    def turn_timer(self, *actions):
        for action in actions:
            attempt(self.systemd.systemctl, action, self.names.timer)


def outweighs(old, new):
    """Whether what was remembered before takes the place of what a proof left: the larger stays."""
    if not is_remembered(os.path.basename(old)):
        return False
    before, since = (
        os.path.join(os.path.dirname(path), database_of(os.path.basename(path)))
        for path in (old, new)
    )
    return size_of(before) >= size_of(since)


def size_of(file):
    """Bytes in a file; 0 if it is not there."""
    return os.path.getsize(file) if os.path.exists(file) else 0


def differing(files):
    """Those of ``{path: (content or None, mode, group)}`` that are not like that on the disk."""
    return {
        path: wanted
        for path, wanted in files.items()
        if read(path) != wanted[0] or (wanted[0] is not None and mode_of(path) != wanted[1])
    }


def wanted_of(given, releases):
    """``(what to activate, whether that is going back)``; raises :class:`RejectedError`."""
    if given["state"] == "present":
        units = {name: text.encode() for name, text in given["units"].items()}
        return Wanted(given["release"], units, given["settings"].encode()), False
    current = releases.linked("current")
    if given["release"]:
        release = releases.named(given["release"])
    else:
        release = releases.interrupted_rollback() or releases.rollback_target(current)
    if release is None:
        why = [
            f"{name} {releases.why_not(name)}" for name in releases.completed() if name != current
        ]
        raise RejectedError(
            f"There is no release to go back to from {current or 'nothing'}"
            + (": " + "; ".join(why) if why else "")
            + "."
        )
    return releases.kept(release), True


def activate(module):
    """Do it, and end the module."""
    given = module.params
    releases = Releases(given["paths"]["root"])
    before = releases.linked("current")
    try:
        wanted, backwards = wanted_of(given, releases)
        activation = Activation(module, wanted, releases, backwards)
        different, actions = activation.plan()
        diff = activation.diff(different)
        if not module.check_mode:
            if actions:
                activation.apply(different)
            gone = dict.fromkeys(releases.superfluous(given["keep_releases"]))
            if actions and not backwards:  # they have been replaced
                gone |= dict.fromkeys(releases.damaged_and_unused())
            for release in gone:
                releases.remove(release)
                actions.append(f"remove {releases.path(release)}")
        if not backwards:
            command = Command(given["scope"], given["paths"], given["instance"])
            done, complaints = command.put(given["command_link"], module.check_mode)
            actions += done
            for complaint in complaints:
                module.warn(complaint)
    except RejectedError as error:
        module.fail_json(msg=f"{error}\nNothing was changed.")
    except UnprovenError as error:
        active = releases.linked("current")
        again = f"Active again, as before: release {active}."
        if activation.damaged:
            again = f"Active now, as {activation.damaged} is damaged: release {active}."
        module.fail_json(
            msg=f"The check that was to prove release {given['release']} failed: {error}\n"
            + (again if active else "Nothing is active.")
        )
    except CommandError as error:
        module.fail_json(msg=f"{error}\nWhat was active before is active again.")
    except OSError as error:
        active = releases.linked("current")
        unfinished = os.path.exists(releases.unproven_path)
        module.fail_json(
            msg=f"{error.filename or releases.root}: {error.strerror}\n"
            + (f"Release {active} is active" if active else "Nothing is active")
            + (", in the middle of a change; run it again." if unfinished else ".")
        )
    module.exit_json(
        changed=bool(actions),
        actions=actions,
        diff=diff,
        release=wanted.release,
        before=before,
        run=given["lease"].get("run", ""),
    )


def main():
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "rolled_back"], "default": "present"},
            "scope": {"type": "str", "choices": ["user", "system"], "required": True},
            "scheduler": {
                "type": "str",
                "choices": ["systemd", "apscheduler"],
                "default": "systemd",
            },
            "instance": {"type": "str", "default": ""},
            "user": {"type": "str", "required": True},
            "paths": {"type": "dict", "required": True},
            "release": {"type": "str", "default": ""},
            "units": {"type": "dict", "default": {}},
            "settings": {"type": "str", "default": ""},
            "accepted": {"type": "str", "default": ""},
            "credentials": {"type": "dict", "default": {}, "no_log": True},
            "state_dir_before": {"type": "str", "default": ""},
            "timer_enabled": {"type": "bool", "default": True},
            "smoke_test": {"type": "bool", "default": True},
            "keep_releases": {"type": "int", "default": 3},
            "command_link": {"type": "bool", "default": True},
            "lease": {"type": "dict", "default": {}},
        },
        required_if=[("state", "present", ["release", "settings"])],
        supports_check_mode=True,
    )
    of_user = module.params["scope"] == "user"
    carry_out(module, account_of(module.params["user"]) if of_user else None, work)


def work(module):
    """Activate the release, in a process of its owner's, and let go of the host."""
    held = Held({} if module.check_mode else module.params["lease"])
    try:
        with held.kept():
            activate(module)
    except LostError as error:
        module.fail_json(msg=f"{error}\nNothing was changed.")
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}\nNothing was changed.")
    finally:
        held.release()


if __name__ == "__main__":
    main()
