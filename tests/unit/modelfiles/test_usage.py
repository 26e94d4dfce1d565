"""Which workflow names which model file."""

from __future__ import annotations

import json

import pytest

from comfywatchman.modelfiles.usage import Usage, Vocabulary

FILES = [
    ("checkpoints", "sd15.safetensors"),
    ("checkpoints", "SDXL/base v1.0.safetensors"),
    ("checkpoints", "SDXL\\windows.ckpt"),
    ("loras", "style/ink-01.safetensors"),
    ("loras", "other/ink-01.safetensors"),
    ("loras", "naïve_日本.safetensors"),
    ("embeddings", "neg/easynegative.pt"),
    ("embeddings", "bad_hands.safetensors"),
    ("diffusers", "kolors"),
    ("unet", "new.gguf"),
    ("vae", 'the "best" vae.pt'),
]


def users(*documents: object, files: list[tuple[str, str]] = FILES) -> dict[str, list[int]]:
    """The workflows of each file that any of them names."""
    vocabulary, usage = Vocabulary(files), Usage()
    for number, document in enumerate(documents):
        raw = document if isinstance(document, bytes) else json.dumps(document).encode()
        usage.add(number, vocabulary.named_in(raw))
    found = {name: usage.of(folder, name) for folder, name in files}
    return {name: workflows for name, workflows in found.items() if workflows}


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("sd15.safetensors", ["sd15.safetensors"]),
        ("/opt/ComfyUI/models/checkpoints/sd15.safetensors", ["sd15.safetensors"]),
        ("D:\\models\\sd15.safetensors", ["sd15.safetensors"]),
        ("made with sd15.safetensors, 20 steps", ["sd15.safetensors"]),
        ("使用sd15.safetensors。", ["sd15.safetensors"]),
        ("ckpt=sd15.safetensors", ["sd15.safetensors"]),
        ("line\nsd15.safetensors\nline", ["sd15.safetensors"]),
        ("SD15.safetensors", []),
        ("mysd15.safetensors", ["sd15.safetensors"]),
        ("old/my-new.gguf", ["new.gguf"]),
        ("sd15.safetensors2", []),
        ("sd15", []),
        ("https://x.example/base%20v1.0.safetensors?download=true", ["SDXL/base v1.0.safetensors"]),
        ("base v1.0.safetensors", ["SDXL/base v1.0.safetensors"]),
        ("SDXL\\base v1.0.safetensors", ["SDXL/base v1.0.safetensors"]),
        ("SDXL/windows.ckpt", ["SDXL\\windows.ckpt"]),
        ("style/ink-01.safetensors", ["style/ink-01.safetensors"]),
        ("ink-01.safetensors", ["style/ink-01.safetensors", "other/ink-01.safetensors"]),
        ("gone/ink-01.safetensors", ["style/ink-01.safetensors", "other/ink-01.safetensors"]),
        ("naïve_日本.safetensors", ["naïve_日本.safetensors"]),
        ("nai\u0308ve_日本.safetensors", ["naïve_日本.safetensors"]),
        ("a cat, embedding:easynegative", ["neg/easynegative.pt"]),
        ("a cat, embedding:easynegative.pt, b", ["neg/easynegative.pt"]),
        ("(embedding:neg/easynegative:1.2)", ["neg/easynegative.pt"]),
        ("embedding:neg\\easynegative\nx", ["neg/easynegative.pt"]),
        ("{embedding:bad_hands|x}", ["bad_hands.safetensors"]),
        ("embedding:bad_hands2", []),
        ("<lora:ink-01:0.8> x", ["style/ink-01.safetensors", "other/ink-01.safetensors"]),
        ("<lora:style/ink-01.safetensors>", ["style/ink-01.safetensors"]),
        ("<lora:naïve_日本:1:0.5>", ["naïve_日本.safetensors"]),
        ("<lora:ink-0:0.8>", []),
        ("kolors", ["kolors"]),
        ("the kolors of it", []),
        ("models\\new.gguf", ["new.gguf"]),
        ("see \nnew.gguf", ["new.gguf"]),
        ('the "best" vae.pt', ['the "best" vae.pt']),
    ],
)
def test_what_a_value_names(value: str, names: list[str]) -> None:
    as_node = {"nodes": [{"id": 1, "type": "X", "widgets_values": [value]}]}
    within = {"nodes": [{"properties": {"state": json.dumps({"rows": [{"a": value}]})}}]}
    unescaped = json.dumps(as_node, ensure_ascii=False).encode()
    for document in (as_node, within, unescaped):
        found = set(users(document))
        if names and "ink-01.safetensors>" in value:  # its tag names both, the text in it one
            assert found >= set(names)
        else:
            assert found == set(names)


@pytest.mark.parametrize(
    "row",
    [
        {"on": True, "lora": "style/ink-01.safetensors", "strength": 0.8},
        {"name": "ink-01", "strength": 0.8, "active": True},
        {"strengthTwo": None, "strength": 1, "lora": "style\\ink-01"},
    ],
)
def test_rows_of_packs_that_stack_files(row: dict[str, object]) -> None:
    found = users({"nodes": [{"type": "Power", "widgets_values": [{}, row, ""]}]})
    assert "style/ink-01.safetensors" in found


def test_a_name_without_its_ending_counts_in_a_row_with_a_strength_only() -> None:
    assert not users({"inputs": [{"name": "ink-01", "type": "MODEL"}]})


def test_each_file_with_the_workflows_that_name_it() -> None:
    assert users(["sd15.safetensors"], [], ["x/sd15.safetensors", "kolors"]) == {
        "sd15.safetensors": [0, 2],
        "kolors": [2],
    }


@pytest.mark.parametrize(
    "raw", [b"", b"\xff\xfe\0sd", b"not json sd15.safetensors", b'{"a": "sd15.safetensors', b"\0"]
)
def test_what_is_no_json_is_searched_all_the_same(raw: bytes) -> None:
    assert bool(users(raw)) == (b"sd15" in raw)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32", "utf-8-sig"])
def test_what_is_saved_in_another_encoding_is_searched_too(encoding: str) -> None:
    assert users('{"a": "sd15.safetensors"}'.encode(encoding))


def test_names_that_are_hostile() -> None:
    names = ["", "/", ".", "a" * 300 + ".pt", "\0.pt", "x\n.pt", "\ud800.pt", "(.*).pt", ".pt"]
    files = [("loras", name) for name in names]
    found = users(names, files=files)
    assert {"\ud800.pt", "(.*).pt", "x\n.pt", "\0.pt"} <= found.keys()


def test_thousands_of_endings_and_of_files_with_one_name() -> None:
    files = [("loras", f"{n}/model.e{n}") for n in range(3_000)]
    files += [("loras", f"{n}/model.pt") for n in range(3_000)]
    found = users(["model.pt", "7/model.e7"], files=files)
    assert len(found) == 3_001
    assert found["7/model.e7"] == [0]


def test_a_longer_name_that_a_file_has_means_that_file_alone() -> None:
    files = [("vae", "v1.safetensors"), ("vae", "my-v1.safetensors")]
    document = {"nodes": [{"widgets_values": ["my-v1.safetensors"]}]}
    named = Vocabulary(files).named_in(json.dumps(document).encode())
    usage = Usage()
    usage.add(0, named)
    assert [usage.of(*file) for file in files] == [[], [0]]
