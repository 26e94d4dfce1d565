from __future__ import annotations

import pytest

from comfywatchman.comfyui.names import Names, how_alike, looks_like_file, tidy


@pytest.mark.parametrize(
    ("path", "tidied"),
    [
        ("a.png", "a.png"),
        ("sub/a.png", "sub/a.png"),
        ("sub\\a.png", "sub/a.png"),
        ("./sub//a.png ", "sub/a.png"),
        (" sub / a.png", "sub/a.png"),
        ("/home/me/a.png", "a.png"),
        ("C:\\me\\a.png", "a.png"),
        ("C:a.png", "C:a.png"),
        ("\\\\host\\share\\a.png", "a.png"),
        ("file:///me/a.png", "a.png"),
        ("../output/a.png", "a.png"),
        ("sub/..", ""),
        ("", ""),
        (" / ", ""),
    ],
)
def test_a_path_by_which_a_file_can_be_put(path: str, tidied: str) -> None:
    assert tidy(path) == tidied
    assert tidy(tidied) == tidied or ":" in tidied


def test_the_separator_is_the_servers() -> None:
    assert tidy("sub/a.png", "\\") == "sub\\a.png"


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("a.jpg", ("a.png",)),
        ("b.jpg", ()),
        ("b", ("b.mp4",)),
        ("c.ckpt", ("sub/c.safetensors",)),
        ("c.png", ()),
        ("d.gif", ("d.webm", "d.png")),
        ("model.ckpt", ()),
        ("", ()),
    ],
)
def test_another_ending_is_of_the_same_kind(wanted: str, found: tuple[str, ...]) -> None:
    names = ["a.png", "b.mp4", "sub/c.safetensors", "d.webm", "d.png", "model.safetensors", 5]
    assert Names(names).same_stem(wanted) == found


def test_what_looks_alike_is_told_apart() -> None:
    assert how_alike("a.png", "a.png") == how_alike("a.png", "A.PNG") == ""
    assert "another Unicode form" in how_alike("\u00e9.png", "e\u0301.png")
    assert "a space" in how_alike("a.png ", "a.png")
    assert "another ending" in how_alike("x/a.png", "a.jpg")


@pytest.mark.parametrize("name", ["a.safetensors", "a.PNG", "a.pt "])
def test_names_of_files(name: str) -> None:
    assert looks_like_file(name)


@pytest.mark.parametrize("name", [".png", "png", "a.v2", "", None, 5])
def test_other_names(name: object) -> None:
    assert not looks_like_file(name)
