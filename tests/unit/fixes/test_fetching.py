"""The downloads of a plan: only on request, only among the models, and never taken back."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from comfywatchman.fixes.download_order import Limits
from comfywatchman.fixes.fetching import Fetcher
from comfywatchman.fixes.proposal import Download, Proposal
from comfywatchman.fixes.writing import RefusedError
from comfywatchman.results import Confidence, FixKind
from tests.standin.file_host import FileHost
from tests.unit.fixes.host import Host, flow
from tests.unit.fixes.test_downloading import WHOLE, saying

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.standin.certificates import Certificates

NAME = "new.safetensors"


@pytest.fixture
def files(tls: Certificates) -> Iterator[FileHost]:
    with FileHost(tls, WHOLE) as host:
        yield host


@pytest.fixture
def host(tmp_path: Path) -> Host:
    host = Host(tmp_path)
    host.workflow("a.json", flow(NAME))
    return host


@pytest.fixture
def fetcher(host: Host, files: FileHost) -> Fetcher:
    folders = {str(host.root / "models/vae")}
    limits = Limits(folders, [files.name], 0, files.authority)
    return Fetcher(limits, {}, lambda _: None)


def ordered(host: Host, files: FileHost, name: str = NAME, folder: str = "models/vae") -> Proposal:
    target = str(host.root / folder / name)
    url = f"{files.url()}?token=secret"
    return Proposal(
        id="d",
        workflow=str(host.root / "flows" / "a.json"),
        strategy="download",
        kind=FixKind.DOWNLOAD,
        confidence=Confidence.LIKELY,
        text="Download it.",
        fingerprints=("f",),
        download=Download(url, "vae", name, target, hashlib.sha256(WHOLE).hexdigest(), len(WHOLE)),
    )


def test_only_on_request(host: Host, files: FileHost, fetcher: Fetcher) -> None:
    plan = host.plan(ordered(host, files))
    assert host.apply(plan).record is None
    assert host.apply(plan, only_proven=True, fetcher=fetcher).record is None
    assert files.asked == []
    done = host.apply(plan, fetcher=fetcher)
    target = host.root / "models/vae" / NAME
    assert done.said == [f"{target} is there: {len(WHOLE):,} bytes"]
    assert target.read_bytes() == WHOLE
    assert done.record is not None
    assert "secret" not in done.record.model_dump_json()
    assert host.undo() == [f"{target} stays: no model is deleted"]
    assert target.read_bytes() == WHOLE


def test_a_download_that_fails_is_told(host: Host, files: FileHost, fetcher: Fetcher) -> None:
    files.answer = saying(404, {})
    done = host.apply(host.plan(ordered(host, files)), fetcher=fetcher)
    assert done.said == []
    assert len(done.failed) == 1
    assert not (host.root / "models/vae" / NAME).exists()


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        (NAME, "flows"),
        (NAME, "models/vae/sub"),
        ("x.sh", "models/vae"),
        ("../x.safetensors", "models/vae"),
        ("a\nb.safetensors", "models/vae"),
    ],
)
def test_what_must_not_be_fetched_keeps_all_from_being_done(
    host: Host, files: FileHost, fetcher: Fetcher, name: str, folder: str
) -> None:
    plan = host.plan(ordered(host, files, name, folder))
    with pytest.raises(RefusedError):
        host.apply(plan, fetcher=fetcher)
    assert files.asked == []
    assert list(host.state.iterdir()) == []


def test_what_is_there_by_now_is_named(host: Host, files: FileHost, fetcher: Fetcher) -> None:
    plan = host.plan(ordered(host, files))
    host.model(f"vae/{NAME}", b"mine")
    with pytest.raises(RefusedError, match="is there by now"):
        host.apply(plan, fetcher=fetcher)
