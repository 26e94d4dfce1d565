"""``./dev install`` and ``./dev uninstall``."""

from __future__ import annotations

import argparse
import dataclasses
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from comfywatchman.address import server_url
from comfywatchman.errors import Exit
from comfywatchman.escape import NAME_LIMIT, visible
from comfywatchman.state import instance_name
from comfywatchman.workstation import (
    accounts,
    choice,
    installed,
    playbooks,
    processes,
    rights,
    servers,
)
from comfywatchman.workstation.accounts import Account
from comfywatchman.workstation.choice import Given, Target, Unsure
from comfywatchman.workstation.rights import NoRightsError
from comfywatchman.workstation.servers import Asker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from comfywatchman.workstation.installed import Installation

CHECKOUT = Path(__file__).parents[2]
GO_ON = 100
"""What a look ends with where Ansible is needed to do it."""
REPORT_BYTES = 1024**2
"""Bytes that are shown at most of what a user's program says."""
_TRIAL = re.compile(
    r"--(?:ch(?:e|ec|eck)?|sy[a-z-]*|list-(?:h[a-z]*|tas[a-z]*|tag[a-z]*))|-[bkvDJK]*C[bkvCDJK]*"
)
"""The options with which ``ansible-playbook`` changes nothing, shortened too."""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence."""

    def error(self, message: str) -> object:  # type: ignore[override]
        raise Unsure(f"{message}; see {self.prog} --help.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Do it; what it ends with.

    Args:
        arguments: the command line; None: that of this process.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    end = given.index("--") if "--" in given else len(given)
    more = given[end + 1 :]
    try:
        options = _parser().parse_args(given[:end])
        if options.look and options.command == "install":
            return GO_ON
        act = _install if options.command == "install" else _uninstall
        return act(options, more)
    except (Unsure, NoRightsError) as problem:
        sys.stderr.write(f"{visible(str(problem))}\n")
        return Exit.USAGE
    except OSError as error:
        what = visible(str(error.filename or "ansible-playbook"), limit=NAME_LIMIT)
        sys.stderr.write(f"{what}: {error.strerror}.\n")
        return Exit.FAIL_ON
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped. Run it again to go on.\n")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="./dev", add_help=False)
    parser.add_argument("--log-dir", type=Path, default=Path(), help=argparse.SUPPRESS)
    parser.add_argument("--look", action="store_true", help=argparse.SUPPRESS)
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Parser)
    install = commands.add_parser(
        "install",
        description="Install ComfyWatchman for the ComfyUI of this machine, or bring it up to "
        "date. What is not given is found out, and asked for on a terminal. What stands after -- "
        "goes to ansible-playbook: -- -e comfywatchman_min_free_vram=4GiB",
    )
    install.add_argument("--comfyui-dir", type=_folder, metavar="DIR", help="ComfyUI's folder")
    install.add_argument("--comfyui-url", type=_url, metavar="URL", help="its address")
    install.add_argument("--scope", choices=("user", "system"), help="whose service manager")
    uninstall = commands.add_parser("uninstall", description="Take ComfyWatchman off this machine.")
    uninstall.add_argument("--keep-state", action="store_true", help="reports and history stay")
    uninstall.add_argument(
        "--remove-copies", action="store_true", help="the copies of your workflows go as well"
    )
    for each in (install, uninstall):
        each.add_argument("--user", metavar="NAME", help="who runs ComfyUI")
        each.add_argument(
            "--instance", type=_instance, metavar="NAME", help="one of several on this machine"
        )
    return parser


def _folder(text: str) -> Path:
    if any(not character.isprintable() for character in text):
        raise argparse.ArgumentTypeError("must not hold control characters")
    return Path(os.path.abspath(os.path.expanduser(text)))  # noqa: PTH100, PTH111  (links stay)


def _url(text: str) -> str:
    try:
        return server_url(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _instance(text: str) -> str:
    try:
        return instance_name(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


# --- Installing ----------------------------------------------------------------------------------


def _install(options: argparse.Namespace, more: Sequence[str]) -> int:
    caller = _caller()
    instance = options.instance or ""
    of_whom = accounts.of_name(options.user) if options.user else caller
    before = _installed(instance, of_whom, options, caller) if of_whom else None
    target = _target(options, caller, before)
    # Root may have found somebody else's.
    before = _installed(instance, target.user, options, caller)
    scope = options.scope or (before.scope if before else "user")
    _headline("ComfyUI")
    _row("user", target.user.name)
    _row("folder", f"{target.folder} ({target.source})")
    _row("address", target.url or "http://127.0.0.1:8188, ComfyUI's usual one (--comfyui-url)")

    why = rights.reason(target.user, scope, os.geteuid())
    if before and before.scope != scope:
        why = why or f"to remove it from {before.scope} scope"
    noted = _noted_for_another(instance, target.user)
    if noted and (why or os.geteuid() == 0):
        name = target.user.name
        raise Unsure(
            f"It is installed here for {noted.user}, and would be removed there: give it a name "
            f"of its own for {name}, such as --instance {name}, or run ./dev uninstall first."
        )
    allowed = rights.obtain(
        why, uid=os.geteuid(), terminal=_is_terminal(), command=_called("install")
    )
    _headline("Deploy")
    _say_who_asks(allowed, why)
    variables = {
        "comfywatchman_user": target.user.name,
        "comfywatchman_comfyui_dir": str(target.folder),
        "comfywatchman_comfyui_url": target.url,
        "comfywatchman_scope": scope,
        "comfywatchman_instance": instance,
    }
    log = options.log_dir / "install.log"
    trial = _trial(more)
    code, changed = _play(
        ["deploy"] if trial else ["deploy", "run_now"], variables, allowed, more, log
    )
    if code != 0:
        _say(f"It did not work out; the full account is in {log}.")
        return Exit.FAIL_ON
    done = "Brought up to date" if before else "Installed"
    if trial:
        _headline(f"A trial ({trial}): nothing was {done.lower()}; the full account is in {log}")
        return Exit.OK
    now = _installed(instance, target.user, options, caller)
    _headline("A check" if before else "The first check")
    _show_report(target.user, now)
    _headline(done if changed else "Nothing had to be changed")
    _say_what_comes_next(target.user, scope, instance, now)
    return Exit.OK


def _installed(
    instance: str, account: Account, options: argparse.Namespace, caller: Account
) -> Installation | None:
    for each in _concerned(account, options, caller):
        if each.instance == instance:
            return each
    return None


def _noted_for_another(instance: str | None, account: Account) -> Installation | None:
    """The first that root has noted down for somebody else, of that name, or of any."""
    for each in installed.find(account.name, account.home):
        if each.noted and instance in (None, each.instance) and each.user != account.name:
            return each
    return None


def _target(options: argparse.Namespace, caller: Account, before: Installation | None) -> Target:
    given = Given(options.user, options.comfyui_dir, options.comfyui_url)
    wanted = (accounts.of_name(options.user) if options.user else None) or caller
    found = servers.find(
        processes.running(),
        processes.mounts(processes.PROC / "self"),
        Asker(wanted.uid, os.geteuid() == 0, accounts.subordinate(wanted)),
    )
    while True:
        try:
            target = choice.choose(
                given,
                caller,
                is_root=os.geteuid() == 0,
                servers=found,
                search=choice.search,
                before=before,
                noted=_noted_for_another(options.instance or "", wanted),
            )
            break
        except Unsure as question:
            if not _is_terminal() or not question.asks:
                raise
            if question.asks == "one":
                target = _pick(question)
                break
            given = _asked(question, given)
    if any(not character.isprintable() for character in str(target.folder)):
        raise Unsure(
            f"The name of ComfyUI's folder holds a control character "
            f"({visible(str(target.folder), limit=NAME_LIMIT)}): rename it, or reach it by a link, "
            "and give that with --comfyui-dir."
        )
    return target


def _pick(question: Unsure) -> Target:
    _say("There are several ComfyUIs here:")
    for number, target in enumerate(question.candidates, 1):
        _say(
            f"  {number}  {target.folder}  {target.url or ''}  {target.user.name}, {target.source}"
        )
    answer = _ask(f"Which one, 1 to {len(question.candidates)}? ")
    if answer.isascii() and answer.isdigit() and 0 < int(answer) <= len(question.candidates):
        return question.candidates[int(answer) - 1]
    raise question


def _asked(question: Unsure, given: Given) -> Given:
    """What was given, with the answer to a question."""
    _say(str(question))
    answer = _ask(f"ComfyUI's {'folder' if question.asks == 'folder' else 'address'}? ")
    if not answer:
        raise question
    try:
        if question.asks == "folder":
            return dataclasses.replace(given, folder=_folder(answer))
        return dataclasses.replace(given, url=_url(answer))
    except argparse.ArgumentTypeError as error:
        raise Unsure(f"That {error}.") from None


def _show_report(user: Account, now: Installation | None) -> None:
    """The report as the user may read it; only root and the user can."""
    if now is None or os.geteuid() not in (0, user.uid):
        _say("The report is for its user to read: comfywatchman report")
        return
    # Not with what root has at hand: neither its terminal, nor its groups, nor its environment.
    another = os.geteuid() != user.uid
    surroundings = {
        **{name: text for name in ("PATH", "LC_ALL") if (text := os.environ.get(name))},
        "HOME": str(user.home),
        "USER": user.name,
        "LOGNAME": user.name,
        "XDG_RUNTIME_DIR": f"/run/user/{user.uid}",
    }
    for form in ("status", "report"):
        try:
            with subprocess.Popen(  # noqa: S603  (what has just been installed)
                [str(now.program), form],
                cwd="/",
                env=surroundings if another else None,
                user=user.uid if another else None,
                group=user.gid if another else None,
                extra_groups=os.getgrouplist(user.name, user.gid) if another else None,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                # That there is no report yet, the status has said.
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            ) as program:
                assert program.stdout is not None  # noqa: S101  (for mypy)
                shown = program.stdout.read(REPORT_BYTES)
                if len(shown) == REPORT_BYTES:
                    program.kill()
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            _say(f"{now.program} {form} cannot be started: {why}.")
            return
        for line in shown.decode(errors="replace").splitlines():
            _say(line)
        if len(shown) == REPORT_BYTES:
            _say(f"The rest is not shown here: {now.program} {form}")
        _say("")


def _say_what_comes_next(
    user: Account, scope: str, instance: str, now: Installation | None
) -> None:
    folder = Path("/usr/local/bin") if scope == "system" else user.home / ".local/bin"
    command = folder / ("comfywatchman" + (f"-{instance}" if instance else ""))
    if now is None or not _leads_to(command, now.program):
        _say(f"Without a command on the PATH; it is {now.program if now else 'in the root'}.")
    elif os.geteuid() == user.uid and str(folder) not in os.environ.get("PATH", "").split(":"):
        _say(
            f"By hand: {command.name} status. {folder} is not on your PATH yet: log in anew, or put"
            ' this into ~/.profile: export PATH="$HOME/.local/bin:$PATH"'
        )
    else:
        _say(f"By hand: {command.name} status, report, check, doctor ({command})")
    if rights.SYSTEMD.is_dir():
        _say("From now on it checks every two hours. A newer version: git pull, ./dev install.")
    else:
        _say(
            f"No systemd runs here: have your start script run '{command} schedule &', as "
            "docs/operating.md shows, and it checks every two hours."
        )


def _leads_to(link: Path, target: Path) -> bool:
    try:
        return link.readlink() == target
    except OSError:
        return False


# --- Taking it off -------------------------------------------------------------------------------


def _uninstall(options: argparse.Namespace, more: Sequence[str]) -> int:
    caller = _caller()
    account = accounts.of_name(options.user) if options.user else caller
    account = account or Account(options.user, -1, -1, Path("/nonexistent"))  # it may be gone
    there = [
        each
        for each in _concerned(account, options, caller)
        if options.instance in (None, each.instance)
    ]
    if not there:
        said = f"ComfyWatchman is not installed here for {visible(account.name, limit=NAME_LIMIT)}"
        noted = None if options.user else _noted_for_another(options.instance, account)
        if os.geteuid() not in (0, account.uid) and account.uid >= 0:
            again = f"sudo ./dev {_called('uninstall')}"
            _say(f"{said}, as far as may be seen without root; to look again as root: {again}")
        elif noted:
            _say(f"{said}, but for {noted.user}: --user {shlex.quote(noted.user)}.")
        else:
            _say(f"{said}.")
        return Exit.OK
    if options.look:
        return GO_ON
    one = there[0] if len(there) == 1 else _which(there)
    noted = None if one.noted else _noted_for_another(one.instance, account)
    if noted and (os.geteuid() == 0 or account.uid != os.geteuid()):
        raise Unsure(
            f"Root would remove that of {noted.user}, which is noted down here under the same "
            f"name: have {one.user} run ./dev uninstall, without root's rights."
        )
    why = None
    if one.noted:
        why = "to take away what root has made"
    elif account.uid != os.geteuid():
        why = f"to remove what is {one.user}'s"
    allowed = rights.obtain(
        why, uid=os.geteuid(), terminal=_is_terminal(), command=_called("uninstall")
    )
    _headline(f"Remove ComfyWatchman of {one.user}")
    _say_who_asks(allowed, why)
    variables = {
        "comfywatchman_user": one.user,
        "comfywatchman_comfyui_dir": str(one.folder or "/"),
        "comfywatchman_scope": one.scope,
        "comfywatchman_instance": one.instance,
        "comfywatchman_keep_state": bool(options.keep_state),
        "comfywatchman_remove_copies": bool(options.remove_copies),
    }
    log = options.log_dir / "uninstall.log"
    code, _ = _play(["uninstall"], variables, allowed, more, log)
    if code != 0:
        _say(f"It did not work out; the full account is in {log}.")
        return Exit.FAIL_ON
    if trial := _trial(more):
        _headline(f"A trial ({trial}): nothing was removed; the full account is in {log}")
        return Exit.OK
    sudo = "sudo " if os.geteuid() == 0 and caller.uid != 0 else ""
    _say(f"Removed. What ./dev made for itself goes with: {sudo}./dev clean")
    return Exit.OK


def _which(there: Sequence[Installation]) -> Installation:
    names = [each.instance for each in there]
    flags = ", or ".join(f"--instance {name or repr('')}" for name in names)
    question = Unsure(f"{len(there)} instances are installed here; say which one: {flags}.")
    if not _is_terminal():
        raise question
    answer = _ask(
        f"Which instance, {' or '.join(name or 'none for the usual one' for name in names)}? "
    )
    for each in there:
        if each.instance == ("" if answer == "none" else answer) and answer:
            return each
    raise question


# --- What both need ------------------------------------------------------------------------------


def _caller() -> Account:
    account = accounts.caller(os.geteuid(), os.environ)
    if account is None:
        raise Unsure(f"User {os.geteuid()} has no account here: call it as one that has.")
    return account


def _concerned(
    account: Account, options: argparse.Namespace, caller: Account
) -> list[Installation]:
    """What is installed for an account; somebody else's only where root itself asks for nobody's.

    Whoever became root by sudo is a caller with an account of their own.
    """
    found = installed.find(account.name, account.home)
    itself = options.user is None and caller.uid == 0 and account.uid == 0
    return installed.concerned(found, account.name, others=itself)


def _say_who_asks(allowed: rights.Rights, why: str | None) -> None:
    if allowed.ask:
        whose = "your" if allowed.method == "sudo" else "root's"
        _say(f"Root's rights are needed {why}; Ansible asks for {whose} password.")


def _play(
    names: Sequence[str],
    variables: dict[str, object],
    allowed: rights.Rights,
    more: Sequence[str],
    log: Path,
) -> tuple[int, bool]:
    variables |= {
        "ansible_become": allowed.become,
        "ansible_become_method": allowed.method,
        "ansible_python_interpreter": playbooks.interpreter(),
    }
    argv = playbooks.command(CHECKOUT, names, variables, allowed, more)
    return playbooks.run(argv, CHECKOUT, log, sys.stdout)


def _trial(more: Sequence[str]) -> str | None:
    """The option for Ansible with which it changes nothing, if there is one."""
    return next((each for each in more if _TRIAL.fullmatch(each)), None)


def _called(command: str) -> str:
    """What was called, without what is for Ansible: secrets may be among it."""
    given = sys.argv[sys.argv.index(command) + 1 :]
    if "--" in given:
        given = given[: given.index("--")]
        return " ".join([command, *map(shlex.quote, given), "-- ..."])
    return " ".join([command, *map(shlex.quote, given)])


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _ask(question: str) -> str:
    try:
        return input(question).strip()
    except EOFError:
        return ""


def _say(text: str) -> None:
    sys.stdout.write(f"{visible(text)}\n")
    sys.stdout.flush()


def _row(name: str, text: str) -> None:
    _say(f"    {name:<8} {text}")


def _headline(text: str) -> None:
    sys.stdout.write(f"\n==> {visible(text)}\n")
    sys.stdout.flush()
