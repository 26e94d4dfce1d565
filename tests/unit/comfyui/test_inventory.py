from __future__ import annotations

import os
from pathlib import Path

import pytest

from comfywatchman.comfyui.files import folders, names_below
from comfywatchman.comfyui.inventory import Inventory, Presence
from comfywatchman.comfyui.inventory_source import take_inventory

TREE = {
    "input": frozenset({"a.png", "sub", "sub/b.png", "dir.d", "dir.d/c.png", "empty"}),
    "output": frozenset({"o.png"}),
    "temp": frozenset(),
}

NAMES = [
    "a.png",
    "A.png",
    " a.png",
    "a.png ",
    "./a.png",
    "sub",
    "sub/",
    "sub/.",
    "sub//b.png",
    "sub/../a.png",
    "gone/../a.png",
    "a.png/../a.png",
    "a.png/",
    "a.png/.",
    "dir.d/c.png",
    "dir.d/../sub/b.png",
    "empty/",
    "empty/..",
    "",
    ".",
    "gone.png",
    "a.png [input]",
    "a.png[input]",
    "a.pngx[input]",
    "o.png [output]",
    "o.png [temp]",
    "o.png [Output]",
    "[input]",
    " [input]",
    "../input/a.png",
    "../output/o.png",
    "../output/gone.png",
    "../input/../output/o.png",
    "../output/../input/sub/b.png",
    "a.png\0",
    "x" * 5000,
    "sub/" * 2000 + "b.png",
    "./" * 3000 + "a.png",
    "\ud800.png",
]


@pytest.fixture(scope="module")
def comfyui(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same tree as real files."""
    root = tmp_path_factory.mktemp("ComfyUI")
    for folder, names in TREE.items():
        (root / folder).mkdir()
        for name in sorted(names):
            path = root / folder / name
            if name in {"sub", "dir.d", "empty"}:
                path.mkdir()
            else:
                path.touch()
    return root


def on_disk(comfyui: Path, value: str) -> bool:
    """What the server finds: the file system's own answer."""
    folder, name = "input", value
    for annotated in TREE:
        if value.endswith(f"[{annotated}]"):
            folder, name = annotated, value[: -len(annotated) - 3]
    return os.path.exists(os.path.join(comfyui, folder, name))  # noqa: PTH110, PTH118


@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name[:30]))
def test_names_are_looked_up_as_the_file_system_does(comfyui: Path, name: str) -> None:
    wanted = Presence.PRESENT if on_disk(comfyui, name) else Presence.ABSENT
    assert Inventory(files=TREE).presence(name) is wanted


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "/etc/passwd [output]", "..", "../", "../../x", "sub/../../models/x"]
)
def test_what_lies_outside_is_not_looked_at(name: str) -> None:
    assert Inventory(files=TREE).presence(name) is Presence.OUTSIDE


def test_links_are_listed_with_where_they_lead(tmp_path: Path) -> None:
    root, outside = tmp_path / "input", tmp_path / "outside"
    (root / "real").mkdir(parents=True)
    (root / "real" / "a.png").touch()
    outside.mkdir()
    (outside / "x.png").touch()
    (root / "out").symlink_to(outside)
    (root / "out.png").symlink_to(outside / "x.png")
    (root / "dead").symlink_to(tmp_path / "gone")
    below = names_below(root)
    assert below is not None
    assert below.names == {"real", "real/a.png", "out", "out/x.png", "out.png"}
    assert below.links == {"out": str(outside), "out.png": str(outside / "x.png")}


def test_a_folder_that_two_links_lead_to_is_listed_under_both(tmp_path: Path) -> None:
    root = tmp_path / "input"
    (root / "real").mkdir(parents=True)
    (root / "real" / "a.png").touch()
    (root / "one").symlink_to(root / "real")
    (root / "two").symlink_to("real")
    below = names_below(root)
    assert below is not None
    assert {"real/a.png", "one/a.png", "two/a.png"} <= below.names


def test_a_link_to_a_folder_that_it_is_in_is_not_followed_again(tmp_path: Path) -> None:
    root = tmp_path / "input"
    (root / "sub").mkdir(parents=True)
    (root / "sub" / "up").symlink_to(root)
    (root / "sub" / "self").symlink_to(root / "sub")
    below = names_below(root)
    assert below is not None
    assert below.names == {"sub", "sub/up", "sub/self"}


def test_links_that_multiply_end_at_the_limit(tmp_path: Path) -> None:
    for i in range(12):
        (tmp_path / f"d{i}").mkdir()
    for i in range(11):
        for name in "ab":
            (tmp_path / f"d{i}" / name).symlink_to(tmp_path / f"d{i + 1}")
    assert names_below(tmp_path / "d0", most=500) is None


CONFINED = [
    "a.png",
    "a.png/",
    "a.png/.",
    "a.png/../sub/b.png",
    "gone/../a.png",
    "sub/../a.png",
    "../input/a.png",
    "../output/o.png",
    "../output/o.png [output]",
    "../input/a.png [output]",
    "..",
    ".",
    "",
    "in.png",
    "near.png",
    "out.png",
    "dead.png",
    "indir/b.png",
    "indir/../a.png",
    "outdir",
    "outdir/x.png",
    "outdir/../input/a.png",
    "outdir/back/a.png",
    "/etc/passwd",
]


@pytest.fixture(scope="module")
def linked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree of the other tests, with links, and with its input folder itself a link."""
    root = tmp_path_factory.mktemp("linked")
    (root / "data" / "input" / "sub").mkdir(parents=True)
    (root / "data" / "outside").mkdir()
    (root / "output").mkdir()
    for name in ("data/input/a.png", "data/input/sub/b.png", "data/outside/x.png", "output/o.png"):
        (root / name).touch()
    (root / "input").symlink_to("data/input")
    for name, target in {
        "in.png": "a.png",
        "near.png": "../../output/o.png",
        "out.png": "../outside/x.png",
        "dead.png": "nowhere",
        "indir": "sub",
        "outdir": "../outside",
        "../outside/back": "../input",
    }.items():
        (root / "data" / "input" / name).symlink_to(target)
    return root


@pytest.mark.parametrize("confined", [True, False])
@pytest.mark.parametrize("absolute", [True, False])
@pytest.mark.parametrize("name", CONFINED)
def test_where_a_path_really_leads_decides(
    linked: Path, name: str, absolute: bool, confined: bool
) -> None:
    """Compared with what Python itself finds out on the disk."""
    if absolute and not name.startswith("/"):
        name = f"{linked}/input/{name}"
    inventory, _ = take_inventory(None, folders(linked))
    meant, path = ("output", name[:-9]) if name.endswith(" [output]") else ("input", name)
    joined = os.path.join(linked, meant, path)  # noqa: PTH118
    real = os.path.realpath(joined)
    below = {folder: os.path.realpath(linked / folder) for folder in ("input", "output")}
    within = [f for f, root in below.items() if real == root or real.startswith(root + "/")]
    presence = inventory.presence(name, confined=confined)
    if confined:
        there = within == [meant] and os.path.exists(real)  # noqa: PTH110
        assert (presence is Presence.PRESENT) is there
        assert (presence is Presence.ABSENT) is (within == [meant] and not there)
    elif os.path.exists(joined) and within:  # noqa: PTH110
        assert presence is Presence.PRESENT
    else:
        assert (presence is Presence.ABSENT) <= (not os.path.exists(joined))  # noqa: PTH110


@pytest.mark.parametrize(
    ("argv", "place"),
    [
        ([], "/comfyui/input"),
        (["main.py", "--input-directory", "/data"], "/data"),
        (["main.py", "--input-directory=/data"], "/data"),
        (["main.py", "--input-dir", "/data"], "/data"),
        (["main.py", "--inp=/data"], "/data"),
        (["main.py", "--input-directory", "/a", "--input-directory", "/b"], "/b"),
        (["main.py", "--input-directory=/a", "--input-d", "b"], "/comfyui/b"),
        (["main.py", "--base-directory", "/base"], "/base/input"),
        (["main.py", "--base-dir", "/base", "--port", "8188"], "/base/input"),
        (["main.py", "--listen", "--", "-", "input"], "/comfyui/input"),
        (["main.py", "--input-directory"], "/comfyui/input"),
    ],
)
def test_options_are_read_as_the_server_reads_them(argv: list[str], place: str) -> None:
    assert folders(Path("/comfyui"), argv).input == Path(place)


@pytest.mark.parametrize("name", ["a.png", "", "o.png [output]", "../output/o.png"])
def test_what_was_not_listed_was_not_seen(name: str) -> None:
    assert Inventory().presence(name) is Presence.UNSEEN


def test_an_absolute_path_may_lead_into_a_folder_that_was_not_seen() -> None:
    assert Inventory().presence("/srv/ComfyUI/input/a.png", confined=True) is Presence.UNSEEN
    assert Inventory().presence("/srv/ComfyUI/input/a.png") is Presence.OUTSIDE
    assert Inventory(files=TREE).presence("/etc/a.png", confined=True) is Presence.OUTSIDE


def test_model_folders_are_found_by_file_name() -> None:
    inventory = Inventory(models={"checkpoints": ("a/x.ckpt", "x.ckpt"), "loras": ("b\\x.ckpt",)})
    assert inventory.folders_with("any/where/x.ckpt") == ["checkpoints", "loras"]
    assert inventory.folders_with("y.ckpt") == []
    assert Inventory().folders_with("x.ckpt") == []


def test_embeddings_that_were_not_listed_are_unknown() -> None:
    assert Inventory().has_embedding("a") is None
    assert Inventory(embeddings=frozenset()).has_embedding("a") is False
