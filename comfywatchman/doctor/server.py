"""Can ComfyUI, its GPUs and its folders be reached?"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from comfywatchman.comfyui import files
from comfywatchman.doctor.point import Examination, Point, Status
from comfywatchman.exclusion import Exclusion
from comfywatchman.gate import comfyui as comfyui_gate
from comfywatchman.gate import gpu
from comfywatchman.workflow import find

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def comfyui(examination: Examination) -> Iterator[Point]:
    """Whether the server answers, and as ComfyUI does."""
    assert examination.settings is not None  # noqa: S101
    url = examination.settings.comfyui_url
    answer = comfyui_gate.judge(examination.server, url, skip_when_busy=False)
    yield Point("ComfyUI", Status.OK if answer.ok else Status.PROBLEM, answer.reason)


def gpus(examination: Examination) -> Iterator[Point]:
    """What NVML says of each GPU, and whether that would do for a cycle."""
    assert examination.settings is not None  # noqa: S101
    reading, server = gpu.read(), examination.server
    answer = gpu.judge(reading, server.devices, examination.settings.min_free_vram, server.argv)
    trouble = Status.NOTE if answer.ok else Status.PROBLEM
    if reading.problem:
        yield Point("GPU", trouble, reading.problem)
    for card in reading.gpus:
        name = f"GPU {card.index}"
        if card.problem or card.free is None or card.total is None:
            yield Point(name, trouble, f"{card.name or 'unnamed'}: {card.problem}")
        else:
            free, total = (size / 1024**3 for size in (card.free, card.total))
            yield Point(name, Status.OK, f"{card.name}: {free:.1f} of {total:.1f} GiB free")
    if not (answer.ok and reading.problem):
        yield Point("VRAM", Status.OK if answer.ok else Status.PROBLEM, answer.reason)


def comfyui_folder(examination: Examination) -> Iterator[Point]:
    """Whether this user can read ComfyUI's own folder."""
    assert examination.settings is not None  # noqa: S101
    folder = examination.settings.comfyui_dir
    if folder is None:
        said = "comfyui_dir is not set: input files are judged by the server's lists alone"
        yield Point("ComfyUI folder", Status.NOTE, said)
        return
    problem = _unreadable(folder) or _unreadable(
        files.folders(folder, examination.server.argv).input
    )
    if problem:
        yield Point("ComfyUI folder", Status.PROBLEM, problem, "correct comfyui_dir or its mode")
    else:
        yield Point("ComfyUI folder", Status.OK, f"{folder} can be read")


def workflow_folders(examination: Examination) -> Iterator[Point]:
    """Whether the folders of saved workflows can be read, and hold any."""
    settings = examination.settings
    assert settings is not None  # noqa: S101
    for folder in settings.workflow_dirs:
        if problem := _unreadable(folder):
            remedy = "correct workflow_dirs or its mode, or mount what is missing"
            yield Point("workflow folder", Status.PROBLEM, problem, remedy)
            continue
        found = find.in_folders([folder], Exclusion(settings.workflow_exclude))
        for not_searched in found.not_checked:
            yield Point("workflow folder", Status.NOTE, not_searched)
        said = f"{folder}: {len(found.workflows):,} saved workflows"
        if found.left_out:
            said += f", and {len(found.left_out):,} left out by workflow_exclude"
        yield Point("workflow folder", Status.OK, said)
    if not settings.workflow_dirs and not settings.userdata:
        said = "there is nothing to judge: workflow_dirs is empty and userdata is off"
        yield Point("workflow folder", Status.PROBLEM, said, "set one of them")
    elif not settings.workflow_dirs:
        yield Point("workflow folder", Status.OK, "none are set; those on the server are judged")


def _unreadable(folder: Path) -> str | None:
    if not folder.is_dir():
        return f"{folder} is not there, or no folder"
    if not os.access(folder, os.R_OK | os.X_OK):
        return f"{folder} cannot be read by this user"
    return None
