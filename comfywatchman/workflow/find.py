"""Finding saved workflows, on this host and on the server, and reading them without risk.

What lies in a folder is nobody's promise: pipes, devices, loops of links, files that grow while
they are read. Only regular files are read, and never more than the set size.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Final

from comfywatchman.comfyui import userdata
from comfywatchman.comfyui.client import ComfyUIError
from comfywatchman.comfyui.connections import at_once
from comfywatchman.comfyui.fetching import is_of_the_server, lives
from comfywatchman.comfyui.userdata_reader import NotReadError, UserdataReader
from comfywatchman.escape import visible
from comfywatchman.exclusion import Exclusion
from comfywatchman.findings import declare
from comfywatchman.results import Severity
from comfywatchman.state import open_at_once
from comfywatchman.workflow import pictures
from comfywatchman.workflow.postponed import not_fetched
from comfywatchman.workflow.prompt import WorkflowError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from io import BufferedReader
    from pathlib import Path

    from comfywatchman.comfyui.client import ComfyUIClient
    from comfywatchman.results import Finding

WORKFLOW_UNREADABLE = declare(
    "workflow_unreadable",
    Severity.WARNING,
    title="File that cannot be read",
    explanation="The file is there but its content could not be had: it belongs to another user, "
    "it is no regular file, or the server that keeps it does not give it. The verdict is "
    "`unknown`.",
    remedy="Let the user that runs the check read it, or move what is no workflow elsewhere.",
)
WORKFLOW_TOO_LARGE = declare(
    "workflow_too_large",
    Severity.WARNING,
    title="File larger than the limit",
    explanation="The file is larger than `max_workflow_size`, so it was not read. Saved workflows "
    "are rarely larger than a few megabytes. The verdict is `unknown`.",
    remedy="Look at what the file is; raise `max_workflow_size` if it is a workflow.",
)


NOTHING_EXCLUDED: Final = Exclusion(())
_PICTURES: Final = (".png", ".webp")
_NO_WORKFLOW: Final = (pictures.PICTURE_WITHOUT_WORKFLOW.name, pictures.PICTURE_DAMAGED.name)


@dataclass(frozen=True, slots=True)
class WorkflowFile:
    """A saved workflow on this host.

    Attributes:
        file: where it is.
        name: the path below the folder that was searched.
    """

    file: Path
    name: str

    @property
    def path(self) -> str:
        """How the report names it."""
        return visible(str(self.file))

    def digest(self, _max_bytes: int) -> str | None:
        """SHA-256 of what is to be read, if that is known without reading it: it is not."""
        return None

    def read(self, max_bytes: int) -> bytes:
        """Read it.

        Raises:
            WorkflowError: it cannot be read, is no regular file, or is too large.
        """
        with _opened(self.file) as (stream, size):
            raw = b"" if size > max_bytes else stream.read(size + 1)
            if len(raw) > size:  # it has grown since
                raw += stream.read(max_bytes + 1 - len(raw))
        if len(raw) > max_bytes or size > max_bytes:
            raise WorkflowError(_too_large(max_bytes, size))
        return raw


@dataclass(frozen=True, slots=True)
class PictureFile(WorkflowFile):
    """A picture on this host that may have a workflow in it, which is what is read of it."""

    def read(self, max_bytes: int) -> bytes:
        """Read the workflow in it.

        Raises:
            WorkflowError: it cannot be read, holds none, is damaged, or what it holds is too large.
        """
        with _opened(self.file) as (stream, _):
            try:
                return pictures.workflow_in(stream, max_bytes)
            except pictures.TooLargeError as error:
                raise WorkflowError(_too_large(max_bytes, error.size)) from None

    def holds_workflow(self, max_bytes: int) -> bool:
        """Whether there is one to be judged, be it only as one that cannot be read."""
        try:
            self.read(max_bytes)
        except WorkflowError as error:
            return error.finding.code not in _NO_WORKFLOW
        return True


@contextmanager
def _opened(file: Path) -> Iterator[tuple[BufferedReader, int]]:
    """Open a regular file, and say how large it is.

    Raises:
        WorkflowError: it cannot be read, or is something else.
    """
    try:
        _must_be_regular(file.stat())  # opening a device may do something by itself
        with open_at_once(file) as stream:
            status = os.fstat(stream.fileno())
            _must_be_regular(status)
            yield stream, status.st_size
    except OSError as error:
        raise WorkflowError(
            WORKFLOW_UNREADABLE.finding(
                f"it cannot be read: {error.strerror}",
                fix="Let the user that runs the check read it.",
            )
        ) from None


def _must_be_regular(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise WorkflowError(
            WORKFLOW_UNREADABLE.finding(
                "it is not a regular file (a folder, pipe, device or socket)",
                fix="Move it out of the folder that is searched.",
            )
        )


@dataclass(frozen=True, slots=True)
class WorkflowOnServer:
    """A saved workflow that only the server can give."""

    reader: UserdataReader
    saved: userdata.SavedOnServer

    @property
    def name(self) -> str:
        """User and path."""
        return visible(f"{self.saved.user}/{self.saved.path}")

    @property
    def path(self) -> str:
        """How the report names it."""
        return visible(f"userdata:{self.saved.user}/workflows/{self.saved.path}")

    def digest(self, max_bytes: int) -> str | None:
        """SHA-256 of what is to be read, in hexadecimal, if that is known without reading it."""
        too_large = self.saved.size is not None and self.saved.size > max_bytes
        return None if too_large else self.reader.digest(self.saved)

    def read(self, max_bytes: int) -> bytes:
        """Read it: what was fetched and kept, or fetch it now.

        Raises:
            WorkflowError: the server does not give it, or not in time, or it is too large.
        """
        if self.saved.size is not None and self.saved.size > max_bytes:
            raise WorkflowError(_too_large(max_bytes, self.saved.size))
        try:
            return self.reader.read(self.saved, max_bytes)
        except NotReadError:
            raise WorkflowError(not_fetched(self.reader.url)) from None
        except ComfyUIError as error:
            raise WorkflowError(
                WORKFLOW_UNREADABLE.finding(
                    f"the server does not give it: {error}",
                    fix="Open it in ComfyUI and save it again.",
                )
            ) from None


@dataclass(frozen=True, slots=True)
class WorkflowCopy:
    """The bytes of a workflow, to be judged as if they lay where it is, or was.

    Attributes:
        path: how the report names it.
        name: what it was called.
        raw: its bytes.
    """

    path: str
    name: str
    raw: bytes

    def digest(self, _max_bytes: int) -> str:
        """SHA-256 of its bytes in hexadecimal."""
        return hashlib.sha256(self.raw).hexdigest()

    def read(self, _max_bytes: int) -> bytes:
        """Its bytes."""
        return self.raw


Workflow = WorkflowFile | WorkflowOnServer | WorkflowCopy


@dataclass(frozen=True, slots=True)
class Found:
    """What was found.

    Attributes:
        workflows: the workflows to judge.
        not_checked: one sentence for each place that could not be seen.
        left_out: the workflows that an exclusion names.
        unseen: the folders and files that could not be seen, as reports name them; what they held
            before may well be there still.
    """

    workflows: list[Workflow] = field(default_factory=list)
    not_checked: list[str] = field(default_factory=list)
    left_out: list[Workflow] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)


def in_folders(
    roots: Iterable[Path],
    exclusion: Exclusion = NOTHING_EXCLUDED,
    *,
    largest_picture: int | None = None,
) -> Found:
    """Find the workflow files below folders; a root may be a single file too.

    Args:
        roots: the folders and files. A file that is named here is never left out.
        exclusion: what to leave out, by the path below the folder that is searched.
        largest_picture: look for workflows of up to this size in pictures too; None: do not.
    """
    found = Found()
    for root in roots:
        try:
            if stat.S_ISDIR(root.stat().st_mode):
                _walk(root, exclusion, largest_picture, found)
            elif largest_picture is not None and _is_picture_name(root.name):
                found.workflows.append(PictureFile(root, visible(root.name)))
            else:
                found.workflows.append(WorkflowFile(root, visible(root.name)))
        except OSError as error:
            found.not_checked.append(f"{visible(str(root))} was not searched: {error.strerror}")
            found.unseen.append(visible(str(root)))
    return found


def _walk(root: Path, exclusion: Exclusion, largest_picture: int | None, found: Found) -> None:
    seen: set[tuple[int, int]] = set()
    pending = [(root, "")]
    # Folders that are left out come last: what else leads to what lies there is no way round.
    left_out: list[tuple[Path, str]] = []
    while pending or left_out:  # os.walk of Python 3.11 recurses, and paths may be thousands deep
        searched = bool(pending)
        folder, prefix = (pending or left_out).pop()
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            files, subfolders = _entries(folder)
        except OSError as error:
            if searched:
                found.not_checked.append(
                    f"{visible(str(folder))} was not searched: {error.strerror}"
                )
                found.unseen.append(visible(str(folder)))
            continue
        for name in sorted(files):
            if (workflow := _workflow(folder / name, prefix + name, largest_picture)) is None:
                continue
            judged = searched and not exclusion.names(prefix + name, is_folder=False)
            (found.workflows if judged else found.left_out).append(workflow)
        # In a user's folder, `subgraphs` beside `workflows` holds blueprints, not workflows.
        blueprints = {"subgraphs"} if "workflows" in subfolders else set()
        for name in sorted(subfolders, reverse=True):
            if not name.startswith(".") and name not in blueprints:
                inside = searched and not exclusion.names(prefix + name, is_folder=True)
                (pending if inside else left_out).append((folder / name, f"{prefix}{name}/"))


def _workflow(file: Path, below: str, largest_picture: int | None) -> WorkflowFile | None:
    """What a file in a folder is, if it is a workflow or holds one."""
    if userdata.is_workflow_name(file.name):
        return WorkflowFile(file, visible(below))
    if largest_picture is not None and _is_picture_name(file.name):
        picture = PictureFile(file, visible(below))
        return picture if picture.holds_workflow(largest_picture) else None
    return None


def _is_picture_name(name: str) -> bool:
    return name.lower().endswith(_PICTURES) and not name.startswith(".")


def _entries(folder: Path) -> tuple[list[str], list[str]]:
    """Names of what is in a folder: files and whatever else is no folder, then folders."""
    files: list[str] = []
    folders: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                is_folder = entry.is_dir()
            except OSError:  # a link to where this user may not look
                is_folder = False
            (folders if is_folder else files).append(entry.name)
    return files, folders


def on_server(
    client: ComfyUIClient,
    user_folder: Path | None,
    exclusion: Exclusion = NOTHING_EXCLUDED,
    reader: UserdataReader | None = None,
) -> Found:
    """Find the workflows saved on the server, of all its users.

    Args:
        client: the server.
        user_folder: where the server keeps them, if that is on this host: what lies there as the
            server lists it is read from the disk.
        exclusion: what to leave out, by the path below the ``workflows`` folder of each user.
        reader: reads those that only the server can give; None: one that keeps nothing.

    Raises:
        ComfyUIError: the server is gone.
    """
    found = Found()
    reader = reader or UserdataReader(client)
    try:
        users = userdata.users(client)
    except ComfyUIError as error:
        if error.transient:
            raise
        found.not_checked.append(f"the workflows saved on the server were not seen: {error}")
        found.unseen.extend(_everywhere(user_folder))
        return found
    too_late = 0
    ends = time.monotonic() + reader.seconds_left
    listings = at_once(lambda user: _listing(client, user, ends), users)
    for user, listing in zip(users, listings, strict=True):
        if listing is None:
            too_late += 1
            found.unseen.extend(_everywhere(user_folder, user))
        elif isinstance(listing, ComfyUIError):
            found.not_checked.append(f"the workflows of {visible(user)} were not seen: {listing}")
            found.unseen.extend(_everywhere(user_folder, user))
        else:
            for each in listing:
                kept = found.left_out if exclusion.leaves_out(each.path) else found.workflows
                kept.append(_nearest(reader, each, user_folder))
    if too_late:
        found.not_checked.append(
            f"the workflows of {too_late:,} of {len(users):,} users were not seen: {client.url} is "
            "slow, or the network is, and the time for reading them was over"
        )
    reader.begin(saved_on_server(found.workflows), all_seen=not found.not_checked)
    return found


def _everywhere(user_folder: Path | None, user: str | None = None) -> list[str]:
    """How reports name where the workflows of a user of the server may be; None: of all users."""
    on_server = "userdata:" if user is None else f"userdata:{user}/workflows"
    on_disk = [] if user_folder is None else [str(user_folder / (user or ""))]
    return [visible(place) for place in (on_server, *on_disk)]


def _listing(
    client: ComfyUIClient, user: str, ends: float
) -> list[userdata.SavedOnServer] | ComfyUIError | None:
    """What a user has saved, or why it cannot be seen; None if there is no time for it.

    Raises:
        ComfyUIError: the server is gone.
    """
    if time.monotonic() >= ends:
        return None
    try:
        return userdata.workflows(client, user)
    except ComfyUIError as error:
        if is_of_the_server(error) and not lives(client):
            raise
        return error


def _nearest(
    reader: UserdataReader, saved: userdata.SavedOnServer, user_folder: Path | None
) -> Workflow:
    if user_folder is not None and saved.size is not None:
        file = user_folder / saved.user / "workflows" / saved.path
        try:
            status = file.stat()
            inside = file.resolve().is_relative_to(user_folder.resolve())
        except (OSError, ValueError):  # ValueError: no file can be named so
            return WorkflowOnServer(reader, saved)
        if inside and stat.S_ISREG(status.st_mode) and status.st_size == saved.size:
            return WorkflowFile(file, visible(f"{saved.user}/{saved.path}"))
    return WorkflowOnServer(reader, saved)


def saved_on_server(workflows: Iterable[Workflow]) -> list[userdata.SavedOnServer]:
    """Those of them that only the server can give."""
    return [each.saved for each in workflows if isinstance(each, WorkflowOnServer)]


def distinct(workflows: Iterable[Workflow]) -> list[Workflow]:
    """Leave out a file that was found twice, e.g. in a folder that the server lists too."""
    real_folder = cache(os.path.realpath)

    def where(workflow: Workflow) -> tuple[str, str]:
        if not isinstance(workflow, WorkflowFile):
            return workflow.path, ""
        if os.path.islink(workflow.file):  # noqa: PTH114  (Path's own raises without permission)
            folder, name = os.path.split(os.path.realpath(workflow.file))
            return folder, name
        return real_folder(workflow.file.parent), workflow.file.name

    kept: dict[tuple[str, str], Workflow] = {}
    for workflow in workflows:
        kept.setdefault(where(workflow), workflow)
    return list(kept.values())


def _too_large(limit: int, size: int) -> Finding:
    return WORKFLOW_TOO_LARGE.finding(
        f"it has {size / 1024**2:,.1f} MiB, more than {limit / 1024**2:,.0f} MiB: it was not read",
        fix="If it is a workflow, raise max_workflow_size; else move it out of the folder.",
    )
