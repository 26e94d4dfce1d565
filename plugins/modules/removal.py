#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""Ansible module: remove an installation, whatever is left of it, and nothing else."""

from __future__ import annotations

DOCUMENTATION = r"""
module: removal
short_description: Remove an installation of ComfyWatchman
description:
  - Stops the units, also those that are started because one of them was stopped, and removes
    them, the command on the PATH, the settings, the secrets, what node_exporter reads, the
    releases and, unless they shall stay, the reports and the history. In the end the service
    manager knows none of the units.
  - Copies of workflows are people's work, and go only where that is asked for.
  - Works without the user and without their service manager too, and where their home has moved
    since. What is in a user's folders is removed with the rights of that user, or of whoever owns
    what a user has left who is gone.
author: The ComfyWatchman maintainers (!UNKNOWN)
options:
  scope: {description: Whose service manager., type: str, choices: [user, system], required: true}
  user: {description: The user who runs ComfyUI., type: str, required: true}
  instance: {description: Name of the instance; empty for the usual one., type: str, default: ''}
  paths:
    description: >-
      root, config, state, units, bin, share: as they were noted down.
    type: dict
    required: true
  home: {description: 'The home of the user, who may be gone.', type: str, required: true}
  made:
    description: >-
      The directories that may go once they are empty.
    type: list
    elements: str
    default: []
  keep_state: {description: Whether reports and history stay., type: bool, default: false}
  remove_copies:
    description: >-
      Whether the copies of workflows go as well.
    type: bool
    default: false
  lease: {description: What the probe returned of it; is renewed., type: dict, default: {}}
"""

EXAMPLES = r"""
# The role does this, with what was noted down when it was installed.
- name: Remove an installation, and leave the reports
  comfywatchman.ops.removal:
    scope: user
    user: comfy
    home: /home/comfy
    paths: "{{ host.record.paths }}"
    keep_state: true
  become: true
"""

RETURN = r"""
actions:
  description: what was, or would be, done
  type: list
  elements: str
  returned: always
  sample: [remove /home/comfy/.config/systemd/user/comfywatchman.timer]
left:
  description: the files of the state folder that stay, or would
  type: list
  elements: str
  returned: always
  sample: [/home/comfy/.local/state/comfywatchman/workflow-copies.sqlite3]
"""

import os
import shutil
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.comfywatchman.ops.plugins.module_utils.accounts import (
    AccountError,
    as_account,
    carry_out,
    owner_of,
    owner_on_the_way,
)
from ansible_collections.comfywatchman.ops.plugins.module_utils.command import Command
from ansible_collections.comfywatchman.ops.plugins.module_utils.files import read, remove_if_empty
from ansible_collections.comfywatchman.ops.plugins.module_utils.host import OWNER
from ansible_collections.comfywatchman.ops.plugins.module_utils.installation import (
    ACCEPTED,
    CREDENTIALS,
    SETTINGS,
    TEAM_ACCEPTED,
    account_of,
    name_of,
    paths_of,
    relocated,
)
from ansible_collections.comfywatchman.ops.plugins.module_utils.lease import Held, LostError
from ansible_collections.comfywatchman.ops.plugins.module_utils.ownership import other_hosts
from ansible_collections.comfywatchman.ops.plugins.module_utils.state_files import (
    holds_peoples_work,
    is_ours,
)
from ansible_collections.comfywatchman.ops.plugins.module_utils.systemd import (
    CommandError,
    Systemd,
    Units,
    attempt,
    stamp_of,
)
from ansible_collections.comfywatchman.ops.plugins.module_utils.textfile import folder_in, ours_in

# The service manager kills after 90 s what does not end, and a unit that ends may start another.
STOP_SECONDS = 240


class Place:
    """The folders of an installation below one home, and what there is another host's."""

    def __init__(self, given, home, account):
        scope, instance = given["scope"], given["instance"]
        self.paths = {
            name: relocated(path, given["home"], home) for name, path in given["paths"].items()
        }
        # In a home that several hosts use, what belongs to another one stays.
        self.others = other_hosts(self.paths, account)
        settings = os.path.join(self.paths["config"], SETTINGS)
        self.textfile_dir = relocated(folder_in(read(settings)), given["home"], home)
        units = Units(instance)
        self.stamps = [stamp_of(scope, home, each) for each in (units.timer, units.nightly_timer)]
        # An older version noted down no place for the command; a later one may have put it there.
        usual = paths_of(scope, home, "", "", instance)
        root_then = given["paths"]["root"]
        self.command = Command(scope, {**usual, **self.paths}, instance, root_then)


class Removal:
    """Everything that was installed, about to go.

    ``owner`` is whose it is, if not root's: an account, one that is gone, or ``None``.
    """

    def __init__(self, given, owner):
        self.keep_state, self.remove_copies = given["keep_state"], given["remove_copies"]
        self.name = name_of(given["instance"])
        self.units = Units(given["instance"])
        account = account_of(given["user"])
        # Where it was put, and where it went if the home was moved since.
        self.homes = {given["home"]: None}
        if account is not None and given["scope"] == "user":
            self.homes[account.pw_dir] = None
        self.places = [Place(given, home, owner or account) for home in self.homes]
        self.made = [
            relocated(path, given["home"], home) for home in self.homes for path in given["made"]
        ]
        reachable = owner is not None or given["scope"] == "system"
        reachable = reachable and not all("config" in place.others for place in self.places)
        self.systemd = Systemd(given["scope"], owner or account) if reachable else None
        self.has_manager = self.systemd is not None and self.systemd.running

    @property
    def unit_folders(self):
        return [place.paths["units"] for place in self.places]

    def leftovers(self):
        """The paths that are there and have to go."""
        paths = [path for place in self.places for path in self.leftovers_in(place)]
        return [path for path in dict.fromkeys(paths) if os.path.lexists(path)]

    def leftovers_in(self, place):
        units, root, config = (place.paths[name] for name in ("units", "root", "config"))
        links = ("current", "previous", "releases", "unproven")
        of_config = [SETTINGS, ACCEPTED, TEAM_ACCEPTED, *CREDENTIALS, OWNER]
        paths = []
        if "config" not in place.others:
            paths += [
                *place.command.ours(),
                *ours_in(place.textfile_dir, self.name),
                os.path.join(units, "timers.target.wants", self.units.timer),
                *(os.path.join(units, name + ".d", "50-site.conf") for name in self.units.all),
                *(os.path.join(units, name) for name in [*self.units.all, self.units.login]),
                *place.stamps,
                *(os.path.join(config, name) for name in of_config),
            ]
        if "root" not in place.others:
            paths += [os.path.join(root, name) for name in [*links, OWNER]]
        if "state" not in place.others:
            paths += self.state_paths(place.paths["state"])
        return paths

    def state_paths(self, state):
        """The whole state directory if the role made it and nothing stays, else what is ours."""
        files = files_of(state)
        goes = [file for file in files if not self.stays(file)]
        return [state] if state in self.made and goes == files and not self.keep_state else goes

    def stays(self, file):
        """Whether one of our files in a state directory is to be left there."""
        return not self.remove_copies if is_copy(file) else self.keep_state

    def left(self):
        """Our files that stay."""
        folders = [place.paths["state"] for place in self.places if "state" not in place.others]
        files = [file for folder in folders for file in files_of(folder)]
        return [file for file in dict.fromkeys(files) if self.stays(file)]

    def empty_directories(self):
        usual = [
            path
            for place in (place.paths for place in self.places)
            for path in (
                *(os.path.join(place["units"], name + ".d") for name in self.units.all),
                os.path.join(place["units"], os.path.dirname(self.units.login)),
                place["root"],
                place["config"],
                # One of this name is ours, also where no note says who made it.
                *([place["state"]] if os.path.basename(place["state"]) == self.name else []),
            )
        ]
        kept = {place.paths[name] for place in self.places for name in place.others}
        paths = dict.fromkeys([*usual, *self.made])
        return [path for path in paths if os.path.isdir(path) and path not in kept]

    def known(self):
        """``{unit: (ActiveState, whether it is to be stopped)}`` of what systemd has to forget.

        systemd is asked for all that it has in memory: a check that is stopped may fail, and then
        starts a unit that tells of it.
        """
        known = {}
        for unit in self.systemd.loaded(self.units.patterns) if self.has_manager else ():
            shown = self.systemd.show(unit, "ActiveState", "FragmentPath", "Job")
            state, file = shown["ActiveState"], shown["FragmentPath"]
            if state != "inactive" or shown["Job"] or os.path.dirname(file) in self.unit_folders:
                known[unit] = state, state not in ("inactive", "failed") or bool(shown["Job"])
        return known

    def plan(self):
        """``(whether systemd has to read its units again, sentences)``."""
        known, leftovers = self.known(), self.leftovers()
        in_units = tuple(os.path.join(folder, "") for folder in self.unit_folders)
        reload = self.has_manager and any(path.startswith(in_units) for path in leftovers)
        reload = reload or bool(known)
        sentences = [f"stop {unit}" for unit, (_, busy) in known.items() if busy]
        sentences += [f"remove {path}" for path in leftovers]
        sentences += ["systemctl daemon-reload"] if reload else []
        sentences += [f"reset {unit}" for unit, (state, _) in known.items() if state == "failed"]
        return reload, sentences

    def apply(self, reload):
        self.stop()
        for path in self.leftovers():
            as_account(owner_on_the_way(path), lambda path=path: remove(path))
            if os.path.lexists(path):  # a folder of theirs in one of root's
                os.rmdir(path)
        if reload:
            self.systemd.systemctl("daemon-reload")
            self.stop(forget=True)

    def stop(self, forget=False):
        """Stop the units until none runs or, to ``forget``, until systemd knows none of them."""
        give_up = time.monotonic() + STOP_SECONDS
        while known := self.known():
            busy = [unit for unit, (_, busy) in known.items() if busy]
            if not busy and not forget:
                return
            if time.monotonic() > give_up:
                left = ", ".join(f"{unit} ({state})" for unit, (state, _) in known.items())
                raise CommandError(f"After {STOP_SECONDS} s systemd still has {left}.")
            if busy:
                attempt(self.systemd.systemctl, "stop", *busy, timeout=STOP_SECONDS)
            if forget:
                attempt(self.systemd.systemctl, "reset-failed", *known)
            time.sleep(0.1)


def files_of(state):
    """Our files in a state directory."""
    names = sorted(os.listdir(state)) if os.path.isdir(state) else []
    return [os.path.join(state, name) for name in names if is_ours(name)]


def is_copy(file):
    """Whether a file holds copies of workflows."""
    return holds_peoples_work(os.path.basename(file))


def remove(path):
    """Remove a file, a link or a whole folder; of a folder in one of root's, what is in it."""
    if not os.path.isdir(path) or os.path.islink(path):
        os.unlink(path)
    elif os.access(os.path.dirname(path), os.W_OK):
        shutil.rmtree(path)
    else:
        for entry in os.scandir(path):
            remove(entry.path)


def work(module):
    """Remove it, in a process of its owner's."""
    given = module.params
    try:
        Held({} if module.check_mode else given["lease"]).renew()
        removal = Removal(given, owner(given))
        reload, actions = removal.plan()
        left = removal.left()
        if not module.check_mode:
            if actions:
                removal.apply(reload)
            actions += [
                f"remove {path}" for path in removal.empty_directories() if remove_if_empty(path)
            ]
    except (CommandError, AccountError, LostError) as error:
        module.fail_json(msg=str(error))
    for place in removal.places:
        for stranger in place.command.strangers():
            module.warn(stranger)
        for name, host in place.others.items():
            module.warn(f"{place.paths[name]} belongs to the host {host.shown}: it was left alone.")
    copies = [file for file in left if is_copy(file)]
    if copies and not given["keep_state"]:
        module.warn(
            f"Copies of workflows, which are people's work, stay: {', '.join(copies)}. They go too "
            "with comfywatchman_remove_copies=true, or by hand."
        )
    told = "".join(f"{text}\n" for text in [*actions, *(f"leave {file}" for file in left)])
    module.exit_json(
        changed=bool(actions),
        actions=actions,
        left=left,
        diff={"prepared": told} if actions else {},
    )


def owner(given):
    """Whose it is, if not root's."""
    if given["scope"] == "system":
        return None
    return owner_of(given["user"], given["home"], given["paths"].values())


def main():
    module = AnsibleModule(
        argument_spec={
            "scope": {"type": "str", "choices": ["user", "system"], "required": True},
            "user": {"type": "str", "required": True},
            "instance": {"type": "str", "default": ""},
            "paths": {"type": "dict", "required": True},
            "home": {"type": "str", "required": True},
            "made": {"type": "list", "elements": "str", "default": []},
            "keep_state": {"type": "bool", "default": False},
            "remove_copies": {"type": "bool", "default": False},
            "lease": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    carry_out(module, owner(module.params), work)


if __name__ == "__main__":
    main()
