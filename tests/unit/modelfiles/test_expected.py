"""What others have written down of a model file's hash."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from comfywatchman.errors import ConfigError
from comfywatchman.modelfiles import expected
from tests.unit.modelfiles.files import listed, written

if TYPE_CHECKING:
    from pathlib import Path

    from comfywatchman.comfyui.model_files import ModelFile

SHA = "ab" * 32
OTHER = "cd" * 32


def said(file: ModelFile) -> list[tuple[str, ...]]:
    return [each.sha256 for each in expected.beside(file)]


def test_of_workflows() -> None:
    notes = expected.InWorkflows()
    model = {"name": "a.safetensors", "hash": SHA.upper(), "hash_type": "SHA256"}
    node = {"properties": {"models": [{**model, "directory": "loras", "url": "https://x"}]}}
    notes.add("one.json", json.dumps({"nodes": [node]}).encode())
    inner = {"definitions": {"subgraphs": [{"nodes": [node]}]}}
    notes.add("two.json", json.dumps(inner).encode())
    notes.add("bad.json", b'{"hash" nonsense')
    notes.add("deep.json", b'{"hash":' + b"[" * 100_000)
    odd = [{"name": "a.safetensors", "hash": h, "hash_type": t} for h, t in ((SHA, "MD5"), (1, ""))]
    notes.add("odd.json", json.dumps(odd).encode())

    def of(folder: str, name: str) -> list[expected.Expected]:
        from comfywatchman.comfyui.model_files import ModelFile

        return list(notes.of(ModelFile(folder, name, f"/{name}", 1, 1, 1, 1, 1)))

    assert of("loras", "sub/a.safetensors") == [expected.Expected("the workflow one.json", (SHA,))]
    assert of("checkpoints", "a.safetensors") == []
    assert of("loras", "b.safetensors") == []


def test_of_a_git_lfs_pointer(tmp_path: Path) -> None:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{SHA}\nsize 5\n"
    assert said(written(tmp_path / "a.safetensors", pointer.encode())) == [(SHA,)]
    assert said(written(tmp_path / "b.safetensors", b"version https://git-lfs" * 99)) == []


@pytest.mark.parametrize("above", ["", "sub/", "sub/dir/"])
def test_of_hugging_faces_downloader(tmp_path: Path, above: str) -> None:
    file = written(tmp_path / "loras" / f"{above}a.safetensors")
    note = tmp_path / "loras" / ".cache/huggingface/download" / f"{above}a.safetensors.metadata"
    note.parent.mkdir(parents=True)
    note.write_text(f"{'0' * 40}\n{SHA}\n{file.mtime_ns / 1e9 + 9}\n")
    assert [(e.sha256, e.older) for e in expected.beside(file)] == [((SHA,), False)]
    note.write_text(f"{'0' * 40}\n{SHA}\n{file.mtime_ns / 1e9 - 9}\n")
    assert [(e.sha256, e.older) for e in expected.beside(file)] == [((SHA,), True)]
    note.write_text(f"{'0' * 40}\n{'0' * 40}\n1\n")  # of a file that is not in LFS: a git hash
    assert said(file) == []


def test_of_hugging_faces_cache(tmp_path: Path) -> None:
    blob = tmp_path / "models--x" / "blobs" / SHA
    written(blob)
    link = tmp_path / "a.safetensors"
    link.symlink_to(blob)
    assert said(listed(link)) == [(SHA,)]


@pytest.mark.parametrize(
    ("ending", "note"),
    [
        (".metadata.json", {"file_name": "a", "sha256": SHA}),
        (".civitai.info", {"files": [{"name": "a", "hashes": {"SHA256": SHA.upper()}}]}),
        (".cm-info.json", {"Hashes": {"SHA256": SHA, "BLAKE3": "x"}}),
    ],
)
def test_of_files_beside_it(tmp_path: Path, ending: str, note: object) -> None:
    file = written(tmp_path / "a.v1.safetensors")
    beside = tmp_path / f"a.v1{ending}"
    beside.write_text(json.dumps(note))
    assert said(file) == [(SHA,)]
    for damaged in ("", "[]", "{", '{"sha256": 5, "files": 3}', '{"files": [1, {"hashes": 2}]}'):
        beside.write_text(damaged)
        assert said(file) == []


def test_a_version_with_several_files_may_mean_any_of_them(tmp_path: Path) -> None:
    file = written(tmp_path / "a.safetensors")
    files = [{"hashes": {"SHA256": SHA}}, {"hashes": {"SHA256": OTHER}}]
    (tmp_path / "a.civitai.info").write_text(json.dumps({"files": files}))
    assert said(file) == [(SHA, OTHER)]


@pytest.mark.parametrize(
    "document",
    [
        {"models": {"loras": {"a.pt": 7}}, "hashes": {"loras": {"a.pt": SHA}}},
        {"inventory": {"models": {"loras": {"a.pt": 7}}, "hashes": {"loras": {"a.pt": SHA}}}},
        {"files": [{"folder": "loras", "name": "a.pt", "size": 7, "sha256": SHA}, 3, {}]},
    ],
)
def test_of_another_host(tmp_path: Path, document: object) -> None:
    file = tmp_path / "other.json"
    file.write_text(json.dumps(document))
    other = expected.read_other_host(file)
    assert other.sizes == {("loras", "a.pt"): 7}
    assert [each.sha256 for each in other.of(written(tmp_path / "a.pt"))] == [(SHA,)]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"models": 3, "files": 4}', "[" * 99_999])
def test_what_is_no_other_host(tmp_path: Path, content: str) -> None:
    file = tmp_path / "other.json"
    file.write_text(content)
    with pytest.raises(ConfigError, match="--against"):
        expected.read_other_host(file)
