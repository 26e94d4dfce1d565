# SPDX-License-Identifier: MIT
"""The service managers of a host, asked as the right user, and the units of an instance."""

from __future__ import annotations

import contextlib
import os
import subprocess

from ansible_collections.comfywatchman.ops.plugins.module_utils.accounts import as_user
from ansible_collections.comfywatchman.ops.plugins.module_utils.installation import name_of


class CommandError(Exception):
    """A command on the host ended with an error; the text is what it said."""


def run(argv, environment=None, timeout=60):
    """Run a command and return ``(exit code, stdout, stderr)``; 127 if it is not there."""
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=environment,
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError:
        return 127, "", argv[0] + " is not installed"
    except OSError as error:
        return 126, "", f"{argv[0]} does not start: {error.strerror}"
    except subprocess.TimeoutExpired:
        return 124, "", f"{argv[0]} has not ended after {timeout} seconds"
    decode = "utf-8", "replace"
    return done.returncode, done.stdout.decode(*decode), done.stderr.decode(*decode).strip()


def attempt(function, *arguments, **options):
    """Call a function of which one that fails must not keep the next step from being made."""
    with contextlib.suppress(CommandError, OSError):
        function(*arguments, **options)


def systemd_runs():
    """Whether systemd is process 1 here, found out as sd_booted(3) does."""
    return os.path.isdir("/run/systemd/system")


def stamp_of(scope, home, timer):
    """The file whose time is, to systemd, that of the timer's last run (``Persistent=``)."""
    folder = (
        os.path.join(home, ".local/share/systemd/timers")
        if scope == "user"
        else "/var/lib/systemd/timers"
    )
    return os.path.join(folder, "stamp-" + timer)


class Units:
    """The names of an instance's units."""

    def __init__(self, instance):
        self.service = name_of(instance) + ".service"
        self.timer = name_of(instance) + ".timer"
        self.notify = name_of(instance) + "-notify@.service"
        # Those of an instance called "notify" have a "-" in that place, and no "@".
        self.sender = name_of(instance) + ".notify.service"
        # What reads model files at night; not every host has them.
        self.nightly = name_of(instance) + ".models-verify.service"
        self.nightly_timer = name_of(instance) + ".models-verify.timer"
        named = [self.timer, self.service, self.sender, self.nightly_timer, self.nightly]
        self.all = [*named, self.notify]
        self.patterns = [*named, self.notify.replace("@", "@*")]
        # Has a login start what shows messages.
        self.login = os.path.join("graphical-session.target.d", name_of(instance) + ".conf")


class Systemd:
    """The service manager the units belong to: the user's own, or the system's.

    ``account`` is that of the user who runs ComfyUI; the system's manager can do without. All that
    is asked goes through the manager's own socket, so neither needs a bus: a host may lack
    dbus-user-session, or D-Bus altogether.
    """

    def __init__(self, scope, account):
        self._user = scope == "user"
        self._prefix = as_user(account) if self._user else []
        self._environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin:/usr/sbin:/sbin"),
            "HOME": account.pw_dir if self._user else "/root",
            "LC_ALL": "C",
            "SYSTEMD_COLORS": "0",
            "SYSTEMD_PAGER": "",
        }
        if self._user:
            self._environment["XDG_RUNTIME_DIR"] = f"/run/user/{account.pw_uid}"

    @property
    def running(self):
        """Whether there is a manager that answers, and it is not about to end."""
        if not systemd_runs():
            return False
        if self._user and not os.path.isdir(self._environment["XDG_RUNTIME_DIR"]):
            return False
        scope = "--user" if self._user else "--system"
        _, state, _ = run(
            [*self._prefix, "systemctl", scope, "is-system-running"], self._environment
        )
        return state.strip() not in ("", "offline", "stopping", "unknown")

    def systemctl(self, *arguments, timeout=60):
        """Run ``systemctl`` and return its output; raises :class:`CommandError`."""
        scope = ["--user"] if self._user else ["--system"]
        code, output, error = run(
            [*self._prefix, "systemctl", *scope, "--no-ask-password", *arguments],
            self._environment,
            timeout,
        )
        if code != 0:
            raise CommandError(f"systemctl {' '.join(arguments)}: {error or output.strip()}")
        return output

    def show(self, unit, *properties):
        """The unit's properties, as systemd writes them; several of one name are lines of one.

        A property that the unit does not have, as it is not loaded, is an empty text.
        """
        output = self.systemctl("show", unit, "--property=" + ",".join(properties))
        shown = dict.fromkeys(properties, "")
        for line in output.splitlines():
            name, _, value = line.partition("=")
            shown[name] = f"{shown[name]}\n{value}" if shown[name] else value
        return shown

    def loaded(self, patterns):
        """Names of the units that the manager has in memory and that match one of the patterns."""
        how = ["--all", "--full", "--plain", "--no-legend"]
        listed = self.systemctl("list-units", *how, "--", *patterns)
        return [line.split()[0] for line in listed.splitlines() if line.strip()]

    def complaint_of_trial(self, properties, command):
        """What goes wrong when a command is run as a service with these properties; empty if none.

        ``--wait`` would need a bus. A ``oneshot`` has not started before its command has ended.
        """
        scope = "--user" if self._user else "--system"
        code, _, error = run(
            [*self._prefix, "systemd-run", scope, "--quiet", "--collect"]
            + [f"--property={text}" for text in ("Type=oneshot", *properties)]
            + list(command),
            self._environment,
        )
        return "" if code == 0 else error or f"systemd-run ended with {code}"

    def verify(self, paths):
        """What ``systemd-analyze verify`` has against the unit files; an empty text if nothing."""
        scope = ["--user"] if self._user else ["--system"]
        command = [*self._prefix, "systemd-analyze", *scope, "verify"]
        # From version 250 on it can be told to look at these files alone, and to mean it.
        strict = run([*command, "--recursive-errors=no", *paths], self._environment)
        code, _, error = strict
        if code != 0 and "unrecognized option" in error:
            code, _, error = run([*command, *paths], self._environment)
        return error if code != 0 else ""
