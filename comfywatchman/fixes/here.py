"""All that fixes are found in: a host, its workflows, and what is known of its files."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from comfywatchman.comfyui.names import last_part, plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from comfywatchman.comfyui.model_files import ModelFile
    from comfywatchman.history.facts import Value
    from comfywatchman.history.world import World
    from comfywatchman.results import WorkflowReport
    from comfywatchman.workflow.find import Workflow


@dataclass(frozen=True, slots=True)
class Saved:
    """A saved workflow, as it was judged.

    Attributes:
        workflow: where it is.
        raw: its bytes.
        report: what was found of them.
    """

    workflow: Workflow
    raw: bytes
    report: WorkflowReport


class Content(NamedTuple):
    """By what a file's content is known.

    Attributes:
        sha256: in hexadecimal; None if it is not known.
        size: in bytes, likewise.
    """

    sha256: str | None = None
    size: int | None = None


@dataclass(frozen=True)
class Here:
    """A host.

    Attributes:
        world: what its workflows are judged against.
        workflows: all of them, so that no fix of one harms another.
        files: its model files, as far as they lie on this host.
        places: by model folder, where its files may lie.
        contents: by folder and name, what is known of the content of model files that were read as
            a whole, of those that are there and of those that were.
        gone: size and time of the model files that were there once, by the names of their facts.
    """

    world: World
    workflows: Sequence[Saved]
    files: Sequence[ModelFile] = ()
    places: Mapping[str, Sequence[Path]] = field(default_factory=dict)
    contents: Mapping[tuple[str, str], Content] = field(default_factory=dict)
    gone: Mapping[str, Value] = field(default_factory=dict)

    @cached_property
    def files_called(self) -> Mapping[str, Sequence[ModelFile]]:
        """The model files by the last part of their names, in whatever case."""
        found: dict[str, list[ModelFile]] = {}
        for file in self.files:
            found.setdefault(plain(last_part(file.name)), []).append(file)
        return found

    @cached_property
    def files_as_large(self) -> Mapping[int, Sequence[ModelFile]]:
        """The model files by their size."""
        found: dict[int, list[ModelFile]] = {}
        for file in self.files:
            found.setdefault(file.size, []).append(file)
        return found

    @cached_property
    def files_in(self) -> Mapping[str, Mapping[str, ModelFile]]:
        """The model files by folder and name."""
        found: dict[str, dict[str, ModelFile]] = {}
        for file in self.files:
            found.setdefault(file.folder, {})[file.name] = file
        return found
