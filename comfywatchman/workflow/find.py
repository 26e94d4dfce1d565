"""Finding saved workflows, on this host and on the server, and reading them without risk.

What lies in a folder is nobody's promise: pipes, devices, loops of links, files that grow while
they are read. Only regular files are read, and never more than the set size.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING

from comfywatchman.comfyui import userdata
from comfywatchman.comfyui.client import ComfyUIError
from comfywatchman.escape import visible
from comfywatchman.findings import declare
from comfywatchman.results import Severity
from comfywatchman.workflow.prompt import WorkflowError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
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

    def read(self, max_bytes: int) -> bytes:
        """Read it.

        Raises:
            WorkflowError: it cannot be read, is no regular file, or is too large.
        """
        try:
            # O_NONBLOCK: opening a pipe that nobody writes to must not wait for ever.
            descriptor = os.open(self.file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            with open(descriptor, "rb") as stream:  # noqa: PTH123
                status = os.fstat(descriptor)
                if not stat.S_ISREG(status.st_mode):
                    raise WorkflowError(
                        WORKFLOW_UNREADABLE.finding(
                            "it is not a regular file (a folder, pipe, device or socket)",
                            fix="Move it out of the folder that is searched.",
                        )
                    )
                raw = b"" if status.st_size > max_bytes else stream.read(status.st_size + 1)
                if len(raw) > status.st_size:  # it has grown since
                    raw += stream.read(max_bytes + 1 - len(raw))
        except OSError as error:
            raise WorkflowError(
                WORKFLOW_UNREADABLE.finding(
                    f"it cannot be read: {error.strerror}",
                    fix="Let the user that runs the check read it.",
                )
            ) from None
        if len(raw) > max_bytes or status.st_size > max_bytes:
            raise WorkflowError(_too_large(max_bytes, status.st_size))
        return raw


@dataclass(frozen=True, slots=True)
class WorkflowOnServer:
    """A saved workflow that only the server can give."""

    client: ComfyUIClient
    saved: userdata.SavedOnServer

    @property
    def name(self) -> str:
        """User and path."""
        return visible(f"{self.saved.user}/{self.saved.path}")

    @property
    def path(self) -> str:
        """How the report names it."""
        return visible(f"userdata:{self.saved.user}/workflows/{self.saved.path}")

    def read(self, max_bytes: int) -> bytes:
        """Fetch it.

        Raises:
            WorkflowError: the server does not give it, or it is too large.
            ComfyUIError: the server is gone.
        """
        if self.saved.size is not None and self.saved.size > max_bytes:
            raise WorkflowError(_too_large(max_bytes, self.saved.size))
        try:
            return userdata.fetch(self.client, self.saved, max_bytes)
        except ComfyUIError as error:
            if _server_is_gone(self.client, error):
                raise
            raise WorkflowError(
                WORKFLOW_UNREADABLE.finding(
                    f"the server does not give it: {error}",
                    fix="Open it in ComfyUI and save it again.",
                )
            ) from None


Workflow = WorkflowFile | WorkflowOnServer


@dataclass(frozen=True, slots=True)
class Found:
    """The workflows that were found, and one sentence for each place that could not be seen."""

    workflows: list[Workflow]
    not_checked: list[str]


def in_folders(roots: Iterable[Path]) -> Found:
    """Find the workflow files below folders; a root may be a single file too."""
    found: list[Workflow] = []
    not_checked: list[str] = []
    for root in roots:
        try:
            if stat.S_ISDIR(root.stat().st_mode):
                found += _walk(root, not_checked)
            else:
                found.append(WorkflowFile(root, visible(root.name)))
        except OSError as error:
            not_checked.append(f"{visible(str(root))} was not searched: {error.strerror}")
    return Found(found, not_checked)


def _walk(root: Path, not_checked: list[str]) -> Iterator[WorkflowFile]:
    seen: set[tuple[int, int]] = set()
    pending = [root]
    while pending:  # os.walk of Python 3.11 recurses, and folders may be as deep as a path is long
        folder = pending.pop()
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            files, subfolders = _entries(folder)
        except OSError as error:
            not_checked.append(f"{visible(str(folder))} was not searched: {error.strerror}")
            continue
        for name in sorted(files):
            if userdata.is_workflow_name(name):
                file = folder / name
                yield WorkflowFile(file, visible(str(file.relative_to(root))))
        # In a user's folder, `subgraphs` beside `workflows` holds blueprints, not workflows.
        blueprints = {"subgraphs"} if "workflows" in subfolders else set()
        pending += [
            folder / name
            for name in sorted(subfolders, reverse=True)
            if not name.startswith(".") and name not in blueprints
        ]


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


def on_server(client: ComfyUIClient, user_folder: Path | None) -> Found:
    """Find the workflows saved on the server, of all its users.

    Args:
        client: the server.
        user_folder: where the server keeps them, if that is on this host: what lies there as the
            server lists it is read from the disk.

    Raises:
        ComfyUIError: the server is gone.
    """
    found: list[Workflow] = []
    not_checked: list[str] = []
    try:
        users = userdata.users(client)
    except ComfyUIError as error:
        if error.transient:
            raise
        return Found([], [f"the workflows saved on the server were not seen: {error}"])
    for user in users:
        try:
            saved = userdata.workflows(client, user)
        except ComfyUIError as error:
            if _server_is_gone(client, error):
                raise
            not_checked.append(f"the workflows of {visible(user)} were not seen: {error}")
            continue
        found += [_nearest(client, s, user_folder) for s in saved]
    return Found(found, not_checked)


def _server_is_gone(client: ComfyUIClient, error: ComfyUIError) -> bool:
    """Whether asking for another file is in vain, as it is not about the one that was asked for."""
    if not error.transient or error.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return False
    try:
        client.get_json("/system_stats")
    except ComfyUIError:
        return True
    return False


def _nearest(
    client: ComfyUIClient, saved: userdata.SavedOnServer, user_folder: Path | None
) -> Workflow:
    if user_folder is not None and saved.size is not None:
        file = user_folder / saved.user / "workflows" / saved.path
        try:
            status = file.stat()
            inside = file.resolve().is_relative_to(user_folder.resolve())
        except (OSError, ValueError):  # ValueError: no file can be named so
            return WorkflowOnServer(client, saved)
        if inside and stat.S_ISREG(status.st_mode) and status.st_size == saved.size:
            return WorkflowFile(file, visible(f"{saved.user}/{saved.path}"))
    return WorkflowOnServer(client, saved)


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
