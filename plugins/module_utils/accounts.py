# SPDX-License-Identifier: MIT
"""The accounts of a host: what logind calls them, and acting wholly as one of them.

Root may not look everywhere: what an account has mounted with FUSE, or by NFS with root_squash, is
closed to it, and root without CAP_DAC_OVERRIDE sees no private folder at all. And where it may, it
follows whatever links the account lays there. So what is an account's is looked at, made and
removed as that account, for which root needs neither sudo nor a login shell nor PAM.
"""

from __future__ import annotations

import codecs
import contextlib
import json
import os
import pwd
import sys
import traceback
from typing import NamedTuple

from ansible_collections.comfywatchman.ops.plugins.module_utils.installation import account_of
from ansible_collections.comfywatchman.ops.plugins.module_utils.lingering import note_of

# Loaded now and not at their first use: another account may not get to where root's Python is.
for encoding in ("ascii", "latin-1", "utf-8"):
    codecs.lookup(encoding)


class AccountError(Exception):
    """What was to be done as another account was not done; the text says why."""


class Vanished(NamedTuple):
    """An account that is gone, told by what it has left: the owner of its home and folders."""

    pw_name: str
    pw_uid: int
    pw_gid: int
    pw_dir: str


def linger_file(user):
    """The file that says to logind that the user's manager runs without a login."""
    account = account_of(user)
    return note_of(account.pw_name if account else user)


def is_lingering(user):
    """Whether the user's service manager runs without a login."""
    return os.path.lexists(linger_file(user))


def first_owner(paths):
    """``(uid, gid)`` of the first on the way to one of the paths who is not root, or ``None``.

    Whoever owns a folder decides what is below it: root has no business there.
    """
    for path in paths:
        way = "/"
        for name in path.split("/"):
            way = os.path.join(way, name)
            try:
                found = os.lstat(way)
            except OSError:
                break
            if found.st_uid != 0:
                return found.st_uid, found.st_gid
    return None


def owner_on_the_way(path):
    """The :class:`Vanished` one whose folders are on the way to a path; ``None`` for root's own."""
    found = first_owner([path])
    return Vanished("the owner of " + path, *found, "/") if found else None


def owner_of(user, home, paths):
    """The account of that name; if it is gone, the :class:`Vanished` one that owns what it left.

    ``None`` if neither is there: then nothing is left that is not root's.
    """
    account = account_of(user)
    found = first_owner([home, *paths]) if account is None else None
    return Vanished(user, *found, home) if found else account


def as_user(account):
    """The start of a command line that runs the rest of it as ``account``, without a session."""
    if not is_another(account):
        return []
    gone = isinstance(account, Vanished)
    return [
        "setpriv",
        f"--reuid={account.pw_uid}",
        f"--regid={account.pw_gid}",
        "--clear-groups" if gone else "--init-groups",
        "--",
    ]


def is_another(account):
    """Whether this process is root's, and the account is another one that it can become."""
    return account is not None and os.geteuid() == 0 and account.pw_uid != 0


def as_account(account, function):
    """What ``function()`` returns, of JSON's types, called in a process that is all ``account``'s.

    Raises the :class:`OSError` that it raises, and :class:`AccountError` if root may not become
    that account, or the process came to a bad end. Without an account, or in a process that is not
    root's, it is called here.
    """
    if not is_another(account):
        return function()
    reading, writing = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.close(reading)
        with contextlib.suppress(BaseException), os.fdopen(writing, "w") as pipe:
            json.dump(outcome_of(account, function), pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    try:
        outcome = json.loads(text)
    except ValueError:  # it was killed
        outcome = {}
    if "returned" in outcome:
        return outcome["returned"]
    if "refused" in outcome:
        raise OSError(*outcome["refused"])
    raise AccountError(
        outcome.get("failed") or f"what root did as {account.pw_name} was ended in the middle"
    )


def outcome_of(account, function):
    """What came of calling a function as an account; ends this process's time as root."""
    try:
        become(account)
    except OSError as error:
        return {"failed": f"root may not become {account.pw_name} here: {error.strerror}"}
    try:
        return {"returned": function()}
    except OSError as error:
        return {"refused": [error.errno, error.strerror, error.filename]}
    except Exception:  # noqa: BLE001 (whatever it is, the process that waits has to be told)
        return {"failed": traceback.format_exc()}


def become(account):
    """Turn this process into one of the account, in every respect: FUSE asks for no less."""
    if isinstance(account, Vanished):
        os.setgroups([])
    else:
        os.initgroups(account.pw_name, account.pw_gid)
    os.setresgid(*[account.pw_gid] * 3)
    os.setresuid(*[account.pw_uid] * 3)
    os.chdir("/")
    for name in [name for name in os.environ if name.startswith(("SUDO_", "XDG_"))]:
        del os.environ[name]
    os.environ.update(identity(account))


def identity(account):
    """What the environment of a process of the account says of it."""
    return {
        "HOME": account.pw_dir,
        "USER": account.pw_name,
        "LOGNAME": account.pw_name,
        "XDG_RUNTIME_DIR": f"/run/user/{account.pw_uid}",
    }


def starting_as(account):
    """The start of a command line that runs the rest of it as ``account``, in its surroundings."""
    if not is_another(account):
        return []
    return [*as_user(account), "env", *(f"{name}={v}" for name, v in identity(account).items())]


class Messenger:
    """In a process of another account, what stands for the AnsibleModule, which has to answer."""

    class Said(Exception):  # noqa: N818 (it is no error)
        """The module has said its last word."""

    def __init__(self, module):
        self.params = module.params
        self.check_mode = module.check_mode
        self.warnings = []
        self.word = None

    def warn(self, sentence):
        self.warnings.append(sentence)

    def exit_json(self, **outcome):
        self.word = {"changed": False, **outcome}
        raise self.Said

    def fail_json(self, **outcome):
        self.exit_json(**outcome, failed=True)


def carry_out(module, account, work):
    """Have a module's ``work`` done as the account; it is called with what it says its word to.

    An :class:`OSError` that it leaves alone ends the module with the file and the reason.
    """
    messenger = Messenger(module)

    def word():
        with contextlib.suppress(Messenger.Said):
            work(messenger)
        return [messenger.word, messenger.warnings]

    try:
        outcome, warnings = as_account(account, word)
    except AccountError as error:
        outcome, warnings = {"failed": True, "msg": str(error)}, []
    except OSError as error:
        said = f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror)
        outcome, warnings = {"failed": True, "msg": said}, []
    for sentence in warnings:
        module.warn(sentence)
    if outcome.get("failed"):
        module.fail_json(**outcome)
    module.exit_json(**outcome)


def name_of_uid(uid):
    """The account's name, or its number if it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
