"""Ledgers that are made up, for the forms that they have."""

from __future__ import annotations

from datetime import UTC, datetime

from comfywatchman.modelfiles.model import (
    Ledger,
    LedgerFile,
    LedgerWorkflow,
    MissingModel,
    SameFile,
)
from tests.unit.report.sample import HOSTILE

NOW = datetime(2026, 5, 3, 8, 0, tzinfo=UTC)
FOLDERS = ("checkpoints", "diffusion_models", "embeddings", "loras", "vae")
STATES = ("ok",) * 12 + ("model_truncated", "not_looked_at", "not_found", "model_hash_differs")


def ledger(files: int = 40, workflows: int = 12) -> Ledger:
    """Every third file is named by workflows; of the others nobody knows."""
    rows = [
        LedgerFile(
            folder=FOLDERS[n % len(FOLDERS)],
            name=f"studio/model number {n:05d} fp16.safetensors",
            path=f"/opt/ComfyUI/models/{FOLDERS[n % len(FOLDERS)]}/model {n}.safetensors",
            size=(n * 7_919_000_011) % 24_000_000_000,
            modified=NOW,
            state=STATES[n % len(STATES)],
            detail="it lacks 3 bytes" if STATES[n % len(STATES)] == "model_truncated" else "",
            sha256=f"{n:064x}" if n % 2 else None,
            verified_at=NOW if n % 2 else None,
            needed_by=[n % workflows] if n % 3 == 0 else [],
            named_by=sorted({n % workflows, (n + 1) % workflows}) if n % 3 == 0 else [],
        )
        for n in range(files)
    ]
    return Ledger(
        comfywatchman_version="1",
        host="render01",
        made_at=NOW,
        source="the server at http://127.0.0.1:8188",
        workflows_read=workflows,
        workflows_unread=1,
        workflows_excluded=2,
        files=rows,
        workflows=[
            LedgerWorkflow(
                path=f"/w/shot {n}.json",
                name=f"shot {n}.json",
                bytes_needed=n * 1_000_000_000,
                bytes_missing=5 * 1024**3 if n == 1 else 0,
                missing=[MissingModel(folder="vae", name="gone.safetensors")] if n == 1 else [],
                largest=n % files,
            )
            for n in range(workflows)
        ],
        same=[
            SameFile(kind="linked", size=5 * 1024**3, files=[0, 1]),
            SameFile(kind="copied", size=1024**3, files=[2, 3]),
        ],
        total_bytes=sum(row.size or 0 for row in rows),
        not_named=sum(not row.named_by for row in rows),
        not_named_bytes=sum(row.size or 0 for row in rows if not row.named_by),
        not_checked=["the files of vae could not be looked at: the disk did not answer"],
    )


def hostile() -> Ledger:
    """Names that try to be something else."""
    made = ledger(len(HOSTILE), len(HOSTILE))
    return made.model_copy(
        update={
            "host": HOSTILE[0],
            "files": [
                LedgerFile(folder=t, name=t, path=t, size=1, state="ok", detail=t, named_by=[n])
                for n, t in enumerate(HOSTILE)
            ],
            "workflows": [
                LedgerWorkflow(path=t, name=t, missing=[MissingModel(folder=t, name=t)])
                for t in HOSTILE
            ],
            "not_checked": list(HOSTILE),
        }
    )
