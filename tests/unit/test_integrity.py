"""What is damaged in a release is seen, whatever it is, and nothing else is."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from comfywatchman import integrity
from comfywatchman.command_line import sentences
from tests.unit import release_folder

if TYPE_CHECKING:
    from collections.abc import Callable

ORJSON = f"venv/lib/python{release_folder.VERSION}/site-packages/orjson"
INFO = f"{ORJSON}-1.0.dist-info"
MADE_FOR = f"it was made for Python {release_folder.VERSION}"


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A release in a home whose name is not an easy one."""
    release = tmp_path / "home of änna $HOME" / "releases" / "1.0-a"
    release_folder.build(release)
    return release


def damage(release: Path, *, hashes: bool = False) -> list[str]:
    return [str(one) for one in integrity.damage(str(release), hashes=hashes)]


def rewrite(path: Path, change: Callable[[bytes], bytes]) -> None:
    """Write it anew in place, its time of change as it was."""
    was = path.stat()
    path.write_bytes(change(path.read_bytes()))
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))


def test_what_is_whole_is_not_damaged(release: Path) -> None:
    cache = release / ORJSON / "__pycache__"
    cache.mkdir()
    (cache / "__init__.cpython-399.pyc").write_bytes(b"compiled by whoever ran it")
    (release / ORJSON / "noted_by_nobody.txt").write_text("")
    assert damage(release) == damage(release, hashes=True) == []


def remove_package(release: Path) -> None:
    for file in (release / ORJSON).iterdir():
        file.unlink()
    (release / ORJSON).rmdir()


def remove_information(release: Path) -> None:
    for file in (release / INFO).iterdir():
        file.unlink()
    (release / INFO).rmdir()


def python_of(version: str) -> Callable[[Path], None]:
    def replace(release: Path) -> None:
        python = release / "venv" / "bin" / "python"
        python.unlink()
        python.write_text(f"#!/bin/sh\necho {version}\n")
        python.chmod(0o755)

    return replace


def link_python_to(target: str) -> Callable[[Path], None]:
    def replace(release: Path) -> None:
        (release / "venv" / "bin" / "python").unlink()
        (release / "venv" / "bin" / "python").symlink_to(target)

    return replace


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (remove_package, f"{ORJSON}/__init__.py of orjson is gone"),
        (remove_information, f"{INFO} of orjson is gone"),
        (lambda r: (r / INFO / "RECORD").unlink(), f"{INFO}/RECORD of orjson is gone"),
        (
            lambda r: (r / INFO / "RECORD").write_bytes(b""),
            f"{INFO}/RECORD of orjson is damaged: it is not what was installed",
        ),
        (
            lambda r: rewrite(r / INFO / "RECORD", lambda text: text[: text.index(b"\n") + 1]),
            f"{INFO}/RECORD of orjson is damaged: it is not what was installed",
        ),
        (
            lambda r: os.truncate(r / ORJSON / "orjson.so", 5),
            f"{ORJSON}/orjson.so of orjson has 5 bytes, and had 36 when installed",
        ),
        (
            lambda r: rewrite(r / ORJSON / "orjson.so", lambda b: b[:7] + b"\0" + b[8:]),
            f"{ORJSON}/orjson.so of orjson does not hold what was installed",
        ),
        (
            lambda r: (r / "venv/bin/comfywatchman").unlink(),
            "venv/bin/comfywatchman of comfywatchman is gone",
        ),
        (lambda r: (r / "venv/bin/python").unlink(), f"venv/bin/python is gone; {MADE_FOR}"),
        (
            link_python_to("/usr/bin/python-that-was-removed"),
            f"venv/bin/python leads to /usr/bin/python-that-was-removed, which is gone; {MADE_FOR}",
        ),
        (link_python_to("/bin/false"), f"venv/bin/python does not start; {MADE_FOR}"),
        (
            python_of("3.99"),
            f"venv/bin/python is Python 3.99 now; it was made for {release_folder.VERSION}",
        ),
        (
            lambda r: (r / "venv/pyvenv.cfg").write_text(""),
            "venv/pyvenv.cfg does not say for which Python it was made",
        ),
        (lambda r: (r / "venv/pyvenv.cfg").unlink(), "venv/pyvenv.cfg is gone"),
        (
            lambda r: (r / ".complete").unlink(),
            ".complete is not there: the release was not built to its end",
        ),
    ],
)
def test_each_damage_is_named(release: Path, harm: Callable[[Path], None], said: str) -> None:
    harm(release)
    assert said in damage(release)
    assert said in damage(release, hashes=True)
    assert all(one.in_size for one in integrity.damage(str(release), hashes=True))


def test_a_byte_that_changed_without_a_trace_is_found_by_hash_alone(release: Path) -> None:
    rewrite(release / ORJSON / "orjson.so", lambda content: content[:-1] + b"?")
    late = time.time() + 60  # the disk has lost it, not a program: it was not touched since
    os.utime(release / ".complete", (late, late))
    assert damage(release) == []
    (found,) = integrity.damage(str(release), hashes=True)
    assert str(found) == f"{ORJSON}/orjson.so of orjson does not hold what was installed"
    assert not found.in_size


def test_a_release_that_was_moved_is_not_at_the_place_it_was_made_for(
    release: Path, tmp_path: Path
) -> None:
    there = release_folder.moved(release, tmp_path / "new home" / "releases" / "1.0-a")
    said = f"was made for another place: {release}/venv/bin/python starts it"
    assert damage(there) == [f"venv/bin/comfywatchman {said}"]
    release_folder.build(release)  # a copy, the old one still there
    assert damage(there) == [f"venv/bin/comfywatchman {said}"]


def test_another_name_of_the_same_place_is_no_other_place(release: Path, tmp_path: Path) -> None:
    (tmp_path / "home").symlink_to(release.parents[1])
    assert damage(tmp_path / "home" / "releases" / "1.0-a") == []
    above = tmp_path / "auto"
    release.parents[1].rename(above)
    release.parents[1].symlink_to(above)
    assert damage(above / "releases" / "1.0-a") == []


@pytest.mark.parametrize(
    "line",
    [
        "#!/bin/sh\n'''exec' \"{venv}/bin/python\" \"$0\" \"$@\"\n' '''\n",
        "#!/bin/sh\n'''exec' {venv}/bin/python3.11 \"$0\" \"$@\"\n' '''\n",
        "#!{venv}/bin/python3\n",
    ],
)
def test_each_way_in_which_pip_names_the_python_is_read(release: Path, line: str) -> None:
    script = line.format(venv=release / "venv").encode()
    release_folder.install(
        release,
        "comfywatchman",
        {**release_folder.FILES["comfywatchman"], "../../../bin/comfywatchman": script},
    )
    release_folder.complete(release)
    assert damage(release) == []


def test_a_release_of_before_has_no_list_but_its_requirements(release: Path) -> None:
    (release / "requirements.txt").write_text(
        "orjson==1.0 \\\n    --hash=sha256:00 \\\n    # via x\n"
        "colorama==0.4 ; sys_platform == 'win32' \\\n"
    )
    release_folder.complete(release, as_before=True)
    assert damage(release) == []
    (release / INFO / "RECORD").write_text("orjson/__init__.py,sha256=00,22\n")
    assert damage(release) == [f"{INFO}/RECORD of orjson is damaged: it is cut off, or empty"]
    remove_information(release)
    assert damage(release) == [f"{Path(ORJSON).parent} of orjson lacks the package"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("../../../../../../../etc/passwd,sha256=00,1", "outside of the environment"),
        ("/etc/passwd,sha256=00,1", "outside of the environment"),
        ("orjson/a\0b,sha256=00,1", ""),
        ("orjson,sha256=00,1", "is no file any more"),
        ("one,two,three,four", "it is no list of files"),
        ('"' + "x" * 200_000, "it is no list of files"),
    ],
)
def test_a_list_of_lies_harms_nothing(release: Path, line: str, said: str) -> None:
    release_folder.complete(release, as_before=True)
    with (release / INFO / "RECORD").open("a") as file:
        file.write(line + "\n")
    found = damage(release, hashes=True)
    assert len(found) == 1
    assert said in found[0]


def test_no_pipe_is_waited_for(release: Path) -> None:
    (release / INFO / "RECORD").unlink()
    os.mkfifo(release / INFO / "RECORD")
    (release / ORJSON / "orjson.so").unlink()
    os.mkfifo(release / ORJSON / "orjson.so")
    assert damage(release, hashes=True) == [f"{INFO}/RECORD of orjson is damaged: it is no file"]


def test_a_bug_of_a_damaged_release_is_told_as_damage(
    release: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (release.parents[1] / "current").symlink_to("releases/1.0-a")
    monkeypatch.setattr(sys, "prefix", str(release.parents[1] / "current" / "venv"))
    assert integrity.own_release() == str(release)
    with pytest.raises(AttributeError) as bug:
        raise AttributeError("dumps")
    assert sentences.of_bug(bug.value).startswith("a bug of ComfyWatchman")
    (release / ORJSON / "orjson.so").unlink()
    assert sentences.of_bug(bug.value) == (
        f"the installation is damaged: {ORJSON}/orjson.so of orjson is gone in {release}: "
        "deploy it again (AttributeError: dumps)"
    )


def test_a_program_that_the_role_has_not_installed_has_no_release() -> None:
    assert "releases" not in Path(sys.prefix).parts
    assert integrity.own_release() is None
    assert integrity.own_damage() == ""
