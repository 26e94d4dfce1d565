#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""Ansible module: make one release the one that runs, whole or not at all; or remove all."""

from __future__ import annotations

DOCUMENTATION = r"""
module: comfywatchman_activation
short_description: Activate a release of ComfyWatchman, or remove all of them
description:
  - Units and settings are staged inside the release and verified there, by systemd and by the
    release itself. Only then are they put in place, each by rename, the link C(current) is moved,
    systemd is told, and the timer is enabled.
  - When any of that fails, what was active before is put back before the task fails.
  - The timer is never restarted, so a deploy makes no host run its check out of turn.
author: The ComfyWatchman maintainers
options:
  state:
    description: >-
      Whether it shall be there.
    type: str
    choices: [present, absent]
    default: present
  scope: {description: Whose service manager., type: str, choices: [user, system], required: true}
  user: {description: The user who runs ComfyUI., type: str, required: true}
  paths:
    description: >-
      root, config, state, units: as the probe found them.
    type: dict
    required: true
  release: {description: Id of the release., type: str}
  units: {description: Contents by path below the folder of units., type: dict, default: {}}
  optional_units:
    description: >-
      Paths that are removed unless they are in C(units).
    type: list
    elements: str
    default: []
  settings: {description: Content of config.toml., type: str, default: ''}
  timer_enabled: {description: Whether the timer shall run., type: bool, default: true}
  keep_releases:
    description: >-
      How many releases stay; those in use always do.
    type: int
    default: 3
  keep_state:
    description: >-
      With absent, whether reports and history stay.
    type: bool
    default: false
  home: {description: 'With absent, the home of the user, who may be gone.', type: str}
  made:
    description: >-
      With absent, the directories that may go once they are empty.
    type: list
    elements: str
    default: []
"""

RETURN = r"""
actions: {description: what was, or would be, done, type: list, elements: str, returned: always}
"""

import contextlib
import os
import shutil
import stat

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.comfywatchman import (
    CREDENTIALS,
    NOTIFICATION,
    SERVICE,
    TIMER,
    UNIT,
    CommandError,
    Systemd,
    account_of,
    as_user,
    link,
    make_directories,
    mode_of,
    read,
    release_behind,
    run,
    write,
)

SETTINGS = "config.toml"
CHECK_SETTINGS = """
import pathlib, sys
from comfywatchman.errors import ConfigError
from comfywatchman.settings import load
try:
    load({}, pathlib.Path(sys.argv[1]))
except ConfigError as error:
    sys.exit(str(error))
"""
MODES = {  # (files, directories)
    "user": (0o600, 0o700),
    "system": (0o644, 0o755),
}


class RejectedError(Exception):
    """What was staged is no good; nothing was changed."""


class Activation:
    """One release, its units and its settings, about to become the active ones."""

    def __init__(self, module):
        given = module.params
        self.module = module
        self.paths = given["paths"]
        self.scope = given["scope"]
        self.account = account_of(given["user"])
        self.systemd = Systemd(self.scope, self.account)
        self.file_mode, self.directory_mode = MODES[self.scope]
        self.release = given["release"]
        self.release_path = os.path.join(self.paths["root"], "releases", self.release)
        self.units = {name: text.encode() for name, text in given["units"].items()}
        self.settings = given["settings"].encode()
        self.optional = set(given["optional_units"]) - set(self.units)
        self.timer_enabled = given["timer_enabled"]
        self.keep_releases = given["keep_releases"]

    def wanted_files(self):
        """``{path: (content or None, mode, group)}`` of all that goes outside the release."""
        settings_mode, group = (0o600, -1) if self.scope == "user" else (0o640, self.account.pw_gid)
        files = {self.settings_path: (self.settings, settings_mode, group)}
        for name, content in self.units.items():
            files[os.path.join(self.paths["units"], name)] = (content, self.file_mode, -1)
        for name in self.optional:
            files[os.path.join(self.paths["units"], name)] = (None, 0, -1)
        return files

    @property
    def staged_units(self):
        return os.path.join(self.release_path, "units.new")

    @property
    def settings_path(self):
        return os.path.join(self.paths["config"], SETTINGS)

    def different_files(self):
        return {
            path: wanted
            for path, wanted in self.wanted_files().items()
            if read(path) != wanted[0] or (wanted[0] is not None and mode_of(path) != wanted[1])
        }

    def current(self):
        """Id of the release that is active, or ``None``."""
        return release_behind(self.paths["root"], "current")

    def state_directory_is_right(self):
        try:
            found = os.stat(self.paths["state"])
        except FileNotFoundError:
            return False
        return found.st_uid == self.account.pw_uid and not found.st_mode & 0o077

    def timer_actions(self):
        """The words for ``systemctl`` that bring the timer to where it shall be."""
        if not self.systemd.running:
            return [("daemon-reload",), ("enable", TIMER), ("start", TIMER)]
        timer = self.systemd.show(TIMER, "UnitFileState", "ActiveState", "NeedDaemonReload")
        service = self.systemd.show(SERVICE, "NeedDaemonReload")
        stale = "yes" in (timer["NeedDaemonReload"], service["NeedDaemonReload"])
        actions = [("daemon-reload",)] if stale else []
        if self.timer_enabled:
            if timer["UnitFileState"] != "enabled":
                actions.append(("enable", TIMER))
            if timer["ActiveState"] != "active":
                actions.append(("start", TIMER))
        else:
            if timer["ActiveState"] == "active":
                actions.append(("stop", TIMER))
            if timer["UnitFileState"] == "enabled":
                actions.append(("disable", TIMER))
        return actions

    def plan(self):
        """``(different files, sentences)``: what has to change."""
        different = self.different_files()
        sentences = [
            f"{'write' if content is not None else 'remove'} {path}"
            for path, (content, _, _) in different.items()
        ]
        if self.current() != self.release:
            sentences.append(f"activate release {self.release}")
        if not self.state_directory_is_right():
            sentences.append(f"make {self.paths['state']}")
        sentences += ["systemctl " + " ".join(action) for action in self.timer_actions()]
        return different, sentences

    def diff(self, different):
        return [
            {
                "before_header": path,
                "after_header": path,
                "before": (read(path) or b"").decode("utf-8", "replace"),
                "after": (content or b"").decode(),
            }
            for path, (content, _, _) in different.items()
        ]

    def stage(self):
        """Write units and settings into the release and have them verified there."""
        staged = self.staged_units
        settings = os.path.join(self.release_path, "config.toml.new")
        shutil.rmtree(staged, ignore_errors=True)
        try:
            for name, content in self.units.items():
                path = os.path.join(staged, name)
                make_directories(os.path.dirname(path), self.directory_mode)
                write(path, content, self.file_mode)
            complaint = self.systemd.verify(
                [os.path.join(staged, SERVICE), os.path.join(staged, TIMER)]
            )
            if complaint:
                raise RejectedError(f"systemd does not accept the units: {complaint}")
            write(settings, self.settings, 0o644)
            python = os.path.join(self.release_path, "venv", "bin", "python")
            code, _, complaint = run(
                [*as_user(self.account), python, "-Ic", CHECK_SETTINGS, settings],
                {"PATH": "/usr/bin:/bin", "HOME": self.account.pw_dir, "LC_ALL": "C.UTF-8"},
            )
            if code != 0:
                raise RejectedError(
                    "ComfyWatchman does not accept its settings: "
                    + complaint.replace(settings, self.settings_path)
                )
        except BaseException:
            shutil.rmtree(staged, ignore_errors=True)
            raise
        finally:
            if os.path.lexists(settings):
                os.unlink(settings)

    def keep_staged(self):
        """The units that are active are those the release is kept with."""
        kept = os.path.join(self.release_path, "units")
        shutil.rmtree(kept, ignore_errors=True)
        os.rename(self.staged_units, kept)

    def put(self, files, undo):
        """Write or remove files; ``undo`` gets what undoes it, file by file."""
        for path, (content, mode, group) in files.items():
            before = None
            if os.path.lexists(path):
                found = os.lstat(path)
                before = read(path), stat.S_IMODE(found.st_mode), found.st_gid
            undo[path] = before or (None, 0, -1)
            if content is not None:
                make_directories(os.path.dirname(path), self.directory_mode)
                write(path, content, mode, group)
            elif before:
                os.unlink(path)
                remove_if_empty(os.path.dirname(path))

    def apply(self, different):
        """Make the change; on any error put everything back and raise."""
        root, before = self.paths["root"], self.current()
        make_directories(self.paths["state"], 0o700)
        if not self.state_directory_is_right():
            if os.geteuid() == 0:
                os.chown(self.paths["state"], self.account.pw_uid, self.account.pw_gid)
            os.chmod(self.paths["state"], 0o700)
        staged = bool(different) or before != self.release
        if staged:
            self.stage()
        undo = {}
        try:
            self.put(different, undo)
            if before != self.release:
                link(os.path.join(root, "current"), os.path.join("releases", self.release))
            if staged:
                self.systemd.systemctl("daemon-reload")
            for action in self.timer_actions():
                self.systemd.systemctl(*action)
        except BaseException:
            shutil.rmtree(self.staged_units, ignore_errors=True)
            self.restore(undo, before)
            raise
        if staged:
            self.keep_staged()
        if before is not None and before != self.release:
            link(os.path.join(root, "previous"), os.path.join("releases", before))

    def restore(self, undo, before):
        current = os.path.join(self.paths["root"], "current")
        if before is None:
            # Nothing was installed: leave no timer behind that has nothing to start.
            for action in (("stop", TIMER), ("disable", TIMER)):
                attempt(self.systemd.systemctl, *action)
            if os.path.lexists(current):
                os.unlink(current)
        else:
            link(current, os.path.join("releases", before))
        self.put(undo, {})
        attempt(self.systemd.systemctl, "daemon-reload")
        if before is not None and self.timer_enabled:
            attempt(self.systemd.systemctl, "start", TIMER)

    def superfluous_releases(self):
        """Paths of the releases that may go: the oldest, and those that were never completed."""
        releases = os.path.join(self.paths["root"], "releases")
        in_use = {self.release, release_behind(self.paths["root"], "previous")}
        completed = {
            name: mode_and_time[1]
            for name in (os.listdir(releases) if os.path.isdir(releases) else [])
            if name not in in_use
            for mode_and_time in [completed_at(os.path.join(releases, name))]
        }
        newest_first = sorted(completed, key=completed.get, reverse=True)
        kept = max(0, self.keep_releases - len(in_use - {None}))
        return [
            os.path.join(releases, name)
            for position, name in enumerate(newest_first)
            if position >= kept or completed[name] == 0
        ]


def completed_at(release):
    """``(complete, when)`` of a release directory; when is 0 for one that was never completed."""
    try:
        return True, os.stat(os.path.join(release, ".complete")).st_mtime
    except OSError:
        return False, 0


def attempt(function, *arguments):
    """Call a function of the way back: one step that fails must not stop the others."""
    with contextlib.suppress(CommandError, OSError):
        function(*arguments)


def remove_if_empty(directory):
    try:
        os.rmdir(directory)
    except OSError:
        return False
    return True


def present(module):
    activation = Activation(module)
    different, actions = activation.plan()
    diff = activation.diff(different)
    if module.check_mode:
        module.exit_json(changed=bool(actions), actions=actions, diff=diff)
    try:
        if actions:
            activation.apply(different)
        for path in activation.superfluous_releases():
            shutil.rmtree(path)
            actions.append(f"remove {path}")
    except RejectedError as error:
        module.fail_json(msg=f"{error}\nNothing was changed.")
    except CommandError as error:
        module.fail_json(msg=f"{error}\nWhat was active before is active again.")
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}")
    module.exit_json(changed=bool(actions), actions=actions, diff=diff)


class Removal:
    """Everything that was installed, about to go, also without the user or their manager."""

    def __init__(self, module):
        given = module.params
        self.module = module
        self.paths = given["paths"]
        self.keep_state = given["keep_state"]
        self.made = given["made"]
        account = account_of(given["user"])
        self.systemd = Systemd(given["scope"], account) if account else None
        timers = (
            os.path.join(given["home"], ".local/share/systemd/timers")
            if given["scope"] == "user"
            else "/var/lib/systemd/timers"
        )
        self.stamp = os.path.join(timers, "stamp-" + TIMER)

    def leftovers(self):
        """The paths that are there and have to go."""
        units, root, config = self.paths["units"], self.paths["root"], self.paths["config"]
        paths = [
            os.path.join(units, "timers.target.wants", TIMER),
            *(os.path.join(units, name + ".d", "50-site.conf") for name in (SERVICE, TIMER)),
            os.path.join(units, SERVICE),
            os.path.join(units, TIMER),
            os.path.join(units, NOTIFICATION),
            self.stamp,
            *(os.path.join(config, name) for name in [SETTINGS, *CREDENTIALS]),
            *(os.path.join(root, name) for name in ("current", "previous", "releases")),
        ]
        if not self.keep_state:
            paths += self.state_paths()
        return [path for path in paths if os.path.lexists(path)]

    def state_paths(self):
        """The whole state directory if the role made it, otherwise what is ours in it."""
        state = self.paths["state"]
        if state in self.made:
            return [state]
        names = os.listdir(state) if os.path.isdir(state) else []
        ours = ("last-", "latest.json", "report.", "verdicts.", "history.", "cycle.lock")
        return [os.path.join(state, name) for name in names if name.startswith(ours)]

    def empty_directories(self):
        units = self.paths["units"]
        usual = [
            *(os.path.join(units, name + ".d") for name in (SERVICE, TIMER)),
            self.paths["root"],
            self.paths["config"],
        ]
        return [path for path in [*usual, *self.made] if os.path.isdir(path)]

    def loaded(self):
        """Whether systemd still knows one of the units."""
        if self.systemd is None or not self.systemd.running:
            return False
        states = [self.systemd.show(unit, "LoadState", "ActiveState") for unit in (TIMER, SERVICE)]
        return any(
            state["LoadState"] not in ("not-found", "") or state["ActiveState"] == "failed"
            for state in states
        )

    def apply(self, loaded, leftovers):
        if loaded:
            self.systemd.systemctl("stop", TIMER, SERVICE)
        for path in leftovers:
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)
        if loaded:
            self.systemd.systemctl("daemon-reload")
            attempt(self.systemd.systemctl, "reset-failed", TIMER, SERVICE)


def absent(module):
    removal = Removal(module)
    try:
        loaded, leftovers = removal.loaded(), removal.leftovers()
        actions = [f"remove {path}" for path in leftovers]
        if loaded:
            actions.append(f"stop {UNIT}")
        if not module.check_mode:
            if actions:
                removal.apply(loaded, leftovers)
            actions += [
                f"remove {path}" for path in removal.empty_directories() if remove_if_empty(path)
            ]
    except CommandError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}")
    module.exit_json(changed=bool(actions), actions=actions)


def main():
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "scope": {"type": "str", "choices": ["user", "system"], "required": True},
            "user": {"type": "str", "required": True},
            "paths": {"type": "dict", "required": True},
            "release": {"type": "str"},
            "units": {"type": "dict", "default": {}},
            "optional_units": {"type": "list", "elements": "str", "default": []},
            "settings": {"type": "str", "default": ""},
            "timer_enabled": {"type": "bool", "default": True},
            "keep_releases": {"type": "int", "default": 3},
            "keep_state": {"type": "bool", "default": False},
            "made": {"type": "list", "elements": "str", "default": []},
            "home": {"type": "str"},
        },
        required_if=[
            ("state", "present", ["release", "settings"]),
            ("state", "absent", ["home"]),
        ],
        supports_check_mode=True,
    )
    if module.params["state"] == "present":
        present(module)
    else:
        absent(module)


if __name__ == "__main__":
    main()
