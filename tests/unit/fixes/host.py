"""A host to be mended: real files, and the node types of a server that lists them."""

from __future__ import annotations

import copy
import json
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from comfywatchman import host as hosts
from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.comfyui.model_files import ModelFile
from comfywatchman.fixes import apply, planning, proposing, seeing, undo
from comfywatchman.fixes import record as records
from comfywatchman.fixes.here import Here, Saved
from comfywatchman.fixes.plan import Plan, PlanHost
from comfywatchman.history.world import World
from comfywatchman.workflow.find import WorkflowFile
from tests.standin.comfyui import recorded_object_info

if TYPE_CHECKING:
    from pathlib import Path

    from comfywatchman.fixes.apply import Applied
    from comfywatchman.fixes.fetching import Fetcher
    from comfywatchman.fixes.proposal import Proposal

LONG_AGO = 1_000_000_000
IDLE: dict[str, list[Any]] = {"queue_running": [], "queue_pending": []}
LISTS = {"VAELoader": ("vae_name", "vae"), "CheckpointLoaderSimple": ("ckpt_name", "checkpoints")}


@cache
def recorded() -> dict[str, Any]:
    wanted = (*LISTS, "EmptyLatentImage", "VAEDecode", "SaveImage")
    declared = json.loads(recorded_object_info("empty"))
    return {name: declared[name] for name in wanted}


def flow(vae: str) -> dict[str, Any]:
    latent = {"width": 64, "height": 64, "batch_size": 1}
    return {
        "1": {"class_type": "VAELoader", "inputs": {"vae_name": vae}},
        "2": {"class_type": "EmptyLatentImage", "inputs": latent},
        "3": {"class_type": "VAEDecode", "inputs": {"samples": ["2", 0], "vae": ["1", 0]}},
        "4": {"class_type": "SaveImage", "inputs": {"images": ["3", 0], "filename_prefix": "x"}},
    }


@dataclass
class Host:
    """A host in a folder of its own.

    Attributes:
        root: the folder.
        queue: what the server works on.
        version: its release.
        lacking: the node types that it has not.
        signs: by what the host is known.
    """

    root: Path
    queue: Any = field(default_factory=lambda: copy.deepcopy(IDLE))
    version: str = "0.8.0"
    lacking: set[str] = field(default_factory=set)
    signs: hosts.Host = field(default_factory=lambda: hosts.Host("render1", "0" * 32))
    instance: str = ""

    def __post_init__(self) -> None:
        for folder in ("flows", "state", "models/vae", "models/checkpoints"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)

    @property
    def state(self) -> Path:
        return self.root / "state"

    def model(self, name: str, content: bytes = b"a model") -> Path:
        file = self.root / "models" / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
        os.utime(file, (LONG_AGO, LONG_AGO))
        return file

    def workflow(self, name: str, content: bytes | dict[str, Any]) -> Path:
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        file = self.root / "flows" / name
        file.write_bytes(raw)
        os.utime(file, (LONG_AGO, LONG_AGO))
        return file

    def listed(self) -> dict[str, list[str]]:
        return {
            folder: sorted(
                str(file.relative_to(self.root / "models" / folder))
                for file in (self.root / "models" / folder).rglob("*")
                if file.is_file()
            )
            for _, folder in LISTS.values()
        }

    def here(self) -> Here:
        listed = self.listed()
        declared = copy.deepcopy(recorded())
        for node_type, (name, folder) in LISTS.items():
            declared[node_type]["input"]["required"][name][0] = listed[folder]
        for node_type in self.lacking:
            del declared[node_type]
        models = {folder: tuple(names) for folder, names in listed.items()}
        world = World(Catalog(declared, self.version), Inventory(models=models), 200, 2**24)
        saved = []
        for file in sorted((self.root / "flows").iterdir()):
            if file.is_file():
                raw = file.read_bytes()
                report = planning.judged(world, str(file), file.name, raw)
                saved.append(Saved(WorkflowFile(file, file.name), raw, report))
        places = {folder: [self.root / "models" / folder] for folder in listed}
        return Here(world, saved, self._files(listed), places)

    def _files(self, listed: dict[str, list[str]]) -> list[ModelFile]:
        files = []
        for folder, names in listed.items():
            for name in names:
                path = self.root / "models" / folder / name
                s = path.stat()
                numbers = (s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_dev, s.st_ino)
                files.append(ModelFile(folder, name, str(path), *numbers))
        return files

    def plan(self, *proposals: Proposal) -> Plan:
        """Of these proposals; else of all that are found."""
        here = self.here()
        planned = planning.plan(here, proposals or proposing.propose(here))
        return Plan(
            comfywatchman_version="0",
            host=PlanHost(name=self.signs.name, machine=self.signs.machine, given=self.signs.given),
            instance=self.instance,
            comfyui_url="http://127.0.0.1:8188",
            made_at=datetime.now(UTC),
            catalog=seeing.catalog_digest(here.world, planned.workflows),
            comfyui_version=self.version,
            workflows=planned.workflows,
            reads=list(planned.reads.values()),
            by_hand=planned.by_hand,
            not_written=planned.not_written,
            not_checked=[],
        )

    def apply(
        self, plan: Plan, *, only_proven: bool = False, fetcher: Fetcher | None = None
    ) -> Applied:
        def queue() -> object:
            return self.queue() if callable(self.queue) else self.queue

        place = apply.Place(self.here(), self.signs, self.instance, self.state, queue)
        return apply.apply(plan, place, only_proven=only_proven, fetcher=fetcher)

    def undo(self) -> list[str]:
        (record,), problems = records.everything(self.state)
        assert not problems
        return undo.undo(self.state, record)

    def files(self) -> dict[str, tuple[object, ...]]:
        """All that a fix could write to: what it is, and what it holds."""
        found: dict[str, tuple[object, ...]] = {}
        for top in ("flows", "models"):
            for file in sorted((self.root / top).rglob("*")):
                status = file.lstat()
                held = file.read_bytes() if file.is_file() else b""
                found[str(file)] = (status.st_mode, status.st_uid, os.path.realpath(file), held)
        return found
