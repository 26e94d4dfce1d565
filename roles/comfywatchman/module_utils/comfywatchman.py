# SPDX-License-Identifier: MIT
"""What the role's modules share: files replaced by rename, systemd asked as the right user."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import stat
import subprocess
import tempfile

from ansible.module_utils.comfywatchman_state_files import LAST_RUN

CREDENTIALS = ["comfyui_token", "comfyui_basic_auth"]
LINGERING = "/var/lib/systemd/linger"
RECORDS = "/var/lib/comfywatchman"
SETTINGS = "config.toml"
LAST_RUN_BYTES = 1024**2


def name_of(instance):
    """What units, folders and the record of an instance are named after; the usual one has no name.

    ``comfywatchman``, or ``comfywatchman-gpu1`` for the instance ``gpu1``.
    """
    return "comfywatchman" + ("-" + instance if instance else "")


class Units:
    """The names of an instance's units."""

    def __init__(self, instance):
        self.service = name_of(instance) + ".service"
        self.timer = name_of(instance) + ".timer"
        self.notify = name_of(instance) + "-notify@.service"
        self.all = [self.service, self.timer, self.notify]
        # Those of an instance called "notify" have no "@" in that place.
        self.patterns = [self.timer, self.service, self.notify.replace("@", "@*")]


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


def as_user(account):
    """The start of a command line that runs the rest of it as ``account``, without a session."""
    if os.geteuid() != 0 or account.pw_uid == 0:
        return []
    return [
        "setpriv",
        f"--reuid={account.pw_uid}",
        f"--regid={account.pw_gid}",
        "--init-groups",
        "--",
    ]


def systemd_runs():
    """Whether systemd is process 1 here, found out as sd_booted(3) does."""
    return os.path.isdir("/run/systemd/system")


class Systemd:
    """The service manager the units belong to: the user's own, or the system's.

    ``account`` is that of the user who runs ComfyUI; the system's manager can do without.
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
            self._bus = f"/run/user/{account.pw_uid}/bus"
            self._environment["XDG_RUNTIME_DIR"] = os.path.dirname(self._bus)

    @property
    def running(self):
        """Whether there is a manager to talk to, and it is not about to end."""
        if not systemd_runs() or (self._user and not os.path.exists(self._bus)):
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

    def runs(self, properties, command):
        """Whether a command, run as a service with these properties, starts and succeeds."""
        scope = "--user" if self._user else "--system"
        code, _, _ = run(
            [*self._prefix, "systemd-run", scope, "--quiet", "--wait", "--collect"]
            + [f"--property={text}" for text in properties]
            + list(command),
            self._environment,
        )
        return code == 0

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


def read(path):
    """The file's bytes, or ``None`` if there is no such file."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None


def mode_of(path):
    """The file's permission bits, or ``None`` if there is no such file."""
    try:
        return os.lstat(path).st_mode & 0o7777
    except (FileNotFoundError, NotADirectoryError):
        return None


def make_directories(path, mode):
    """Make a directory and those above it, all of them with ``mode``, whatever the umask is."""
    if os.path.isdir(path):
        return
    make_directories(os.path.dirname(path), mode)
    # Another instance on this host may be at it in the same moment.
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)
        os.chmod(path, mode)


def write(path, content, mode, gid=-1):
    """Replace a file by rename: a reader, or a crash, never sees half of it."""
    descriptor, temporary = tempfile.mkstemp(prefix=".comfywatchman-", dir=os.path.dirname(path))
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            os.fchown(descriptor, -1, gid)
            os.fchmod(descriptor, mode)
            file.flush()
            os.fsync(descriptor)
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def link(path, target):
    """Point a symbolic link at ``target`` by rename: it is never missing."""
    temporary = path + ".new"
    if os.path.lexists(temporary):
        os.unlink(temporary)
    os.symlink(target, temporary)
    os.rename(temporary, path)


def attempt(function, *arguments, **options):
    """Call a function of which one that fails must not keep the next step from being made."""
    with contextlib.suppress(CommandError, OSError):
        function(*arguments, **options)


def remove_if_empty(directory):
    """Remove a directory that has nothing in it; returns whether that was so."""
    try:
        os.rmdir(directory)
    except OSError:
        return False
    return True


def account_of(name):
    """The user's entry in the host's user database, or ``None``."""
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def paths_of(scope, home, root, state_dir, instance):
    """Where everything is on this host; a leading ``~/`` is the user's home."""
    name = name_of(instance)

    def expand(path, usual):
        path = path or usual
        return os.path.normpath(os.path.join(home, path[2:]) if path.startswith("~/") else path)

    if scope == "user":
        usual = {
            "root": "~/.local/share/" + name,
            "config": "~/.config/" + name,
            "state": "~/.local/state/" + name,
            "units": "~/.config/systemd/user",
        }
    else:
        usual = {
            "root": "/opt/" + name,
            "config": "/etc/" + name,
            "state": f"/var/lib/{name}/state",
            "units": "/etc/systemd/system",
        }
    return {
        "root": expand(root, usual["root"]),
        "config": expand("", usual["config"]),
        "state": expand(state_dir, usual["state"]),
        "units": expand("", usual["units"]),
    }


def stamp_of(scope, home, timer):
    """The file whose time is, to systemd, that of the timer's last run (``Persistent=``)."""
    folder = (
        os.path.join(home, ".local/share/systemd/timers")
        if scope == "user"
        else "/var/lib/systemd/timers"
    )
    return os.path.join(folder, "stamp-" + timer)


def read_last_run(state):
    """The content of ``last-run.json`` in a state folder, or ``None``.

    The folder is the user's, and root may be reading: no link is followed, and no
    pipe waited for.
    """
    path = os.path.join(state, LAST_RUN)
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return None
            text = file.read(LAST_RUN_BYTES + 1)
        found = json.loads(text) if len(text) <= LAST_RUN_BYTES else None
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def record_name(instance):
    """Name of the file, in ``RECORDS``, in which an installation is noted down."""
    return f"installation-{instance}.json" if instance else "installation.json"


def read_record(file_name):
    """What an installation noted down, or ``None``; only root can have written it."""
    try:
        return json.loads(read(os.path.join(RECORDS, file_name)) or b"null")
    except ValueError:
        return None


def linked_release(root, name):
    """Id of the release that a link in ``root`` points to, or ``None``."""
    try:
        return os.path.basename(os.readlink(os.path.join(root, name)))
    except OSError:
        return None
