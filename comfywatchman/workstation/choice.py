"""Which ComfyUI is meant, out of all that was found; or what has to be asked."""

from __future__ import annotations

import shlex
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from comfywatchman.escape import NAME_LIMIT, visible
from comfywatchman.workstation import accounts, places

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from comfywatchman.workstation.accounts import Account
    from comfywatchman.workstation.installed import Installation
    from comfywatchman.workstation.places import Place
    from comfywatchman.workstation.servers import Server

LISTED = 10


class Unsure(Exception):  # noqa: N818  (a question, not a fault)
    """A person has to say which one: the sentence names the flags.

    Attributes:
        asks: what is to be given: ``folder``, ``url``, or one of the ``candidates``; empty: what
            was given makes no sense.
        candidates: what there is to choose from.
    """

    def __init__(self, sentence: str, asks: str = "", candidates: Sequence[Target] = ()) -> None:
        super().__init__(sentence)
        self.asks = asks
        self.candidates = candidates


@dataclass(frozen=True, slots=True)
class Given:
    """What was given by flags; None: not given."""

    user: str | None = None
    folder: Path | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """The ComfyUI that ComfyWatchman is to be installed for.

    Attributes:
        user: who runs it.
        folder: its folder.
        url: its address; None: ComfyUI's usual one.
        source: where this is known from, in words.
    """

    user: Account
    folder: Path
    url: str | None
    source: str

    def flags(self) -> str:
        """The flags that choose it."""
        flags = ["--user", self.user.name, "--comfyui-dir", str(self.folder)]
        flags += ["--comfyui-url", self.url] if self.url else []
        return visible(" ".join(map(shlex.quote, flags)), limit=3 * NAME_LIMIT)


def choose(
    given: Given,
    caller: Account,
    *,
    is_root: bool,
    servers: Sequence[Server],
    search: Callable[[Iterable[Path]], list[Place]],
    before: Installation | None,
    noted: Installation | None = None,
) -> Target:
    """Choose.

    What was given comes first, then what is installed, then a server that runs, then the usual
    places. Those of the caller come before those of others, which root alone takes.

    Args:
        given: the flags.
        caller: who called.
        is_root: whether this process may look everywhere.
        servers: the servers that run.
        search: finds ComfyUI in homes and in the usual places.
        before: what is installed already.
        noted: what root has noted down of somebody else's, to be named where nothing is found.

    Raises:
        Unsure: a person has to say.
    """
    user = _account(given.user) if given.user else None
    if user is None and before is not None:
        user = accounts.of_name(before.user)
    if given.folder is not None and not _is_folder(given.folder):
        raise Unsure(
            f"--comfyui-dir: {_shown(given.folder)} is no folder here; give ComfyUI's own."
        )

    running = _running(servers, user, caller, is_root=is_root)
    known = [s for s in running if _agrees(s, given)]
    kept = _kept(before, given, known, user or caller)
    if kept is not None:
        return kept
    if given.folder is not None and (given.url is not None or not known):
        owner = user or _owner(given.folder, caller)
        return Target(owner, given.folder, given.url, "as it was given")
    if known:
        return _one_of(known, given, user, caller)
    return _on_disk(given, user, caller, search, servers, noted, is_root=is_root)


def _running(
    servers: Sequence[Server], user: Account | None, caller: Account, *, is_root: bool
) -> list[Server]:
    """The servers that count: the user's, else, for root, everybody's."""
    wanted = user or caller
    theirs = [s for s in servers if s.uid in (wanted.uid, None)]
    return theirs or ([] if user or not is_root else list(servers))


def _agrees(server: Server, given: Given) -> bool:
    same_folder = (
        given.folder is None or server.folder is None or _same(server.folder, given.folder)
    )
    return same_folder and (server.url is None or given.url in (None, server.url))


def _kept(
    before: Installation | None, given: Given, known: Sequence[Server], user: Account
) -> Target | None:
    """What is installed, with the address of the server that runs now if there is no doubt."""
    if before is None or before.folder is None or not _is_folder(before.folder):
        return None
    if given.folder is not None and not _same(given.folder, before.folder):
        return None
    urls = {s.url for s in known if s.url and s.folder and _same(s.folder, before.folder)}
    url = given.url or before.url
    if given.url is None and len(urls) == 1:
        url = urls.pop()
    return Target(user, before.folder, url, "as it is installed")


def _one_of(known: Sequence[Server], given: Given, user: Account | None, caller: Account) -> Target:
    unseen = [s for s in known if s.folder is None and given.folder is None]
    if unseen and len(unseen) == len(known):
        raise Unsure(
            f"ComfyUI runs here (process {unseen[0].pid}), but in a folder that is not seen from "
            f"here ({_shown(unseen[0].inside)}): give the one that holds its models and input with "
            "--comfyui-dir.",
            "folder",
        )
    targets = []
    for server in known:
        folder = given.folder or server.folder
        if folder is None:
            continue
        url = given.url or server.url
        if url is None:
            raise Unsure(
                f"ComfyUI in {_shown(folder)} runs in a container (process {server.pid}), and its "
                "port here cannot be told: give its address with --comfyui-url, such as "
                "http://127.0.0.1:8188.",
                "url",
            )
        owner = user or (None if server.uid is None else accounts.of_uid(server.uid))
        owner = owner or _owner(folder, caller)
        how = "answers" if server.answers else "does not answer yet"
        targets.append(Target(owner, folder, url, f"of process {server.pid}, which {how}"))
    return _only(targets, "ComfyUI servers run here")


def _on_disk(
    given: Given,
    user: Account | None,
    caller: Account,
    search: Callable[[Iterable[Path]], list[Place]],
    servers: Sequence[Server],
    noted: Installation | None,
    *,
    is_root: bool,
) -> Target:
    found = search([(user or caller).home])
    if not found and is_root and user is None:
        found = search(_homes())
    targets = [
        Target(
            user or _owner(place.folder, caller),
            place.folder,
            given.url or place.url,
            "found on the disk; no server runs",
        )
        for place in found
    ]
    if not targets:
        asked = f" at {visible(given.url, limit=NAME_LIMIT)}" if given.url else ""
        others = [server.pid for server in servers]
        # Where its settings cannot be read, its user's name would lead no further.
        whose = noted.user if given.user is None and noted and noted.folder else None
        raise Unsure(
            f"No ComfyUI was found for {visible((user or caller).name)}: no server of theirs runs"
            f"{asked}, and none is in the usual places. Give its folder, the one that holds models "
            "and input, with --comfyui-dir, and who runs it, if that is somebody else, with --user."
            + (f" (Process {others[0]} is a ComfyUI of somebody else.)" if others else "")
            + (
                f" (ComfyWatchman is installed here for {_shown(whose)}: --user "
                f"{_shown(shlex.quote(whose))}.)"
                if whose
                else ""
            ),
            "folder",
        )
    return _only(targets, "ComfyUI folders are here")


def _only(targets: Sequence[Target], what: str) -> Target:
    if len(targets) == 1:
        return targets[0]
    listed = [each.flags() for each in targets[:LISTED]]
    more = len(targets) - len(listed)
    listed += [f"{more} more"] if more else []
    raise Unsure(f"{len(targets)} {what}; say which one: {', or '.join(listed)}.", "one", targets)


def _owner(folder: Path, caller: Account) -> Account:
    """Who runs the ComfyUI in a folder: the caller; for root itself, whose the folder is."""
    if caller.uid != 0:
        return caller
    try:
        return accounts.of_uid(folder.stat().st_uid) or caller
    except OSError:
        return caller


def _account(name: str) -> Account:
    account = accounts.of_name(name)
    if account is None:
        raise Unsure(f"--user: there is no account {visible(name, limit=NAME_LIMIT)!r} here.")
    return account


def _homes() -> list[Path]:
    try:
        return sorted(Path("/home").iterdir())
    except OSError:
        return []


def search(homes: Iterable[Path]) -> list[Place]:
    """The usual places of this machine."""
    return places.find(homes)


def _is_folder(folder: Path) -> bool:
    try:
        return stat.S_ISDIR(folder.stat().st_mode)
    except PermissionError:
        raise Unsure(
            f"{_shown(folder)} may not be entered by the one who runs this: run it as ComfyUI's "
            "user or as root, or give another folder with --comfyui-dir."
        ) from None
    except (OSError, ValueError):
        return False


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _shown(path: str | Path) -> str:
    return visible(str(path), limit=NAME_LIMIT)
