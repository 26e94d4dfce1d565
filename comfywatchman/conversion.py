"""``comfywatchman convert``: saved workflows as API prompts, for scripts and for other tools."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from comfywatchman import basis
from comfywatchman.comfyui import catalog_file
from comfywatchman.comfyui.client import ComfyUIError
from comfywatchman.exclusion import Exclusion
from comfywatchman.judging.workflow import failure
from comfywatchman.workflow import find
from comfywatchman.workflow.budget import Budget
from comfywatchman.workflow.convert import convert
from comfywatchman.workflow.load import load
from comfywatchman.workflow.prompt import WorkflowError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from comfywatchman.comfyui.catalog import Catalog
    from comfywatchman.settings import Settings
    from comfywatchman.workflow.prompt import Prompt

__all__ = ["ComfyUIError", "Converted", "catalog", "convert_all"]


@dataclass(frozen=True, slots=True)
class Converted:
    """What became of one file: its prompt, or one sentence why there is none."""

    path: str
    prompt: Prompt | None = None
    error: str | None = None

    def as_json(self) -> str:
        """The prompt alone."""
        return json.dumps(self.prompt, indent=2)

    def as_jsonl(self) -> str:
        """One line: ``path`` and ``prompt`` or ``error``."""
        if self.error is not None:
            return json.dumps({"path": self.path, "error": self.error})
        return json.dumps({"path": self.path, "prompt": self.prompt})


def catalog(settings: Settings, object_info: Path | None, release: str | None = None) -> Catalog:
    """Get the catalog from a file, else from the server.

    Args:
        settings: the settings.
        object_info: the file.
        release: the release of ComfyUI that the file came from, if it does not say so itself.

    Raises:
        ConfigError: the file or a credential cannot be used.
        ComfyUIError: the server cannot be asked.
    """
    if object_info is not None:
        size = settings.max_catalog_size
        return catalog_file.read(object_info, release=release, max_bytes=size).catalog
    return basis.catalog(settings)


def convert_all(paths: Sequence[Path], catalog: Catalog, settings: Settings) -> Iterator[Converted]:
    """Convert files, and every workflow below folders, in pictures too, one at a time."""
    found = find.in_folders(
        paths, Exclusion(settings.workflow_exclude), largest_picture=settings.max_workflow_size
    )
    for workflow in found.workflows:
        try:
            raw = workflow.read(settings.max_workflow_size)
            document = load(raw, max_depth=settings.max_workflow_depth)
            conversion = convert(document, catalog, Budget(len(raw)))
        except WorkflowError as error:
            converted = Converted(workflow.path, error=str(error))
        except Exception as bug:  # noqa: BLE001  (no file may cost the others their prompts)
            converted = Converted(workflow.path, error=failure(bug).message)
        else:
            converted = Converted(workflow.path, prompt=conversion.prompt)
        yield converted
