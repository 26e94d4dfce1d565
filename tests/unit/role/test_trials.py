"""What an installation depends on, tried where it does not hold."""

from __future__ import annotations

import errno
import importlib
import json
import os
import pwd
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.role import collection
from tests.unit.role.test_accounts import let_all_pass

if TYPE_CHECKING:
    from pathlib import Path

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")
NOBODY = pwd.getpwnam("nobody")
BUILD = f"""
import json, sys
from {collection.PACKAGE}.module_utils.trials import building_problem
print(json.dumps([building_problem("artist", sys.argv[1], write) for write in (False, True)]))
"""


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(collection.COLLECTIONS))
    return importlib.import_module(f"{collection.PACKAGE}.module_utils.trials")


@pytest.fixture
def as_nobody(trials: Any, tmp_path: Path) -> Any:
    """Asks something as an account that gets to ``tmp_path``, but not everywhere below it."""
    accounts = importlib.import_module(f"{collection.PACKAGE}.module_utils.accounts")
    let_all_pass(tmp_path)
    return lambda ask, *given: accounts.as_account(NOBODY, lambda: ask(*given))


def build_on(tmp_path: Path, options: str) -> list[str | None]:
    """What is said, without and with a trial, of a folder on a tmpfs that is mounted so."""
    place = tmp_path / "mounted"
    place.mkdir()
    script = 'mount -t tmpfs -o "$0" none "$1" && exec "$2" -c "$3" "$1/new/root"'
    in_it = ["unshare", "--map-root-user", "--mount", "sh", "-c", script]
    done = subprocess.run(
        [*in_it, options, place, sys.executable, BUILD],
        capture_output=True,
        text=True,
        env=collection.environment(),
    )
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("nothing can be mounted here: " + done.stderr)
    assert done.stderr == ""
    said: list[str | None] = json.loads(done.stdout)
    return [text and text.replace(str(place), "MOUNTED") for text in said]


def test_a_folder_from_which_no_program_starts(tmp_path: Path) -> None:
    asked, tried = build_on(tmp_path, "noexec,size=1g")
    assert asked == tried
    assert asked == (
        "No program starts from MOUNTED, on MOUNTED (tried as artist: it is mounted noexec): mount "
        "it with exec, have SELinux, AppArmor or fapolicyd allow it, or set comfywatchman_root "
        "(MOUNTED/new/root) to a folder on another file system."
    )


def test_a_disk_without_inodes_is_not_told_to_make_room(tmp_path: Path) -> None:
    asked, tried = build_on(tmp_path, "size=1g,nr_inodes=2")
    assert asked == tried
    assert asked
    assert asked.startswith(
        "Too few inodes for MOUNTED/new/root on MOUNTED: 1 are left, 8000 are needed, however much "
        "space is free."
    )


def test_a_disk_without_room(tmp_path: Path) -> None:
    asked, tried = build_on(tmp_path, "size=10m")
    assert asked == tried
    assert asked == ("Too little disk space for MOUNTED/new/root: 10 MiB are free, 300 MiB needed.")


def test_a_disk_quota_is_told_for_what_it_is(trials: Any, tmp_path: Path) -> None:
    root = str(tmp_path / "new")
    refusal = OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))
    said = trials.storing_problem("artist", root, refusal)
    assert said.startswith(f"The disk quota of artist on {trials.mount_point(root)} leaves less")
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert trials.storing_problem("artist", root, full).startswith("Too little disk space for")


def test_a_trial_of_a_good_folder_leaves_nothing(trials: Any, tmp_path: Path) -> None:
    root = str(tmp_path / "new" / "root")
    assert trials.building_problem("artist", root, True) is None
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_said_to_be_missing(trials: Any, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    assert "has no home folder" in trials.home_problem("artist", missing)
    assert "is no folder on this host" in trials.comfyui_problem("artist", missing)
    assert trials.home_problem("artist", str(tmp_path)) is None
    assert trials.comfyui_problem("artist", str(tmp_path)) is None


@as_root
def test_a_folder_that_may_not_be_looked_at_is_not_said_to_be_missing(
    trials: Any, as_nobody: Any, tmp_path: Path
) -> None:
    (tmp_path / "closed").mkdir(mode=0o700)
    inside = str(tmp_path / "closed" / "inside")
    assert as_nobody(trials.home_problem, "nobody", inside) == (
        f"nobody may not look into the home folder {inside}, tried as nobody ({tmp_path}/closed: "
        "Permission denied): let nobody in, or set comfywatchman_scope to system."
    )
    assert as_nobody(trials.comfyui_problem, "nobody", inside) == (
        f"comfywatchman_comfyui_dir cannot be read by nobody: {inside!r} ({tmp_path}/closed: "
        "Permission denied); let that user in, or name the user who runs ComfyUI in "
        "comfywatchman_user."
    )
    assert as_nobody(trials.passage_problem, "nobody", inside) == (
        f"The checks run as nobody, who may not enter {tmp_path}/closed, on the way to "
        f"comfywatchman_root ({inside}): open it to nobody, or name another folder."
    )


@as_root
def test_a_folder_that_may_not_be_written(trials: Any, as_nobody: Any, tmp_path: Path) -> None:
    (tmp_path / "of root").mkdir(mode=0o755)
    (tmp_path / "file").touch(mode=0o644)
    (tmp_path / "theirs").mkdir()
    os.chown(tmp_path / "theirs", NOBODY.pw_uid, -1)
    places = {
        "comfywatchman_root": str(tmp_path / "of root" / "new"),
        "the settings": str(tmp_path / "file" / "new"),
        "the units": str(tmp_path / "theirs" / "new"),
    }
    closed, file = as_nobody(trials.writing_problems, "nobody", places)
    assert closed == (
        f"nobody may not write to {tmp_path}/of root, for comfywatchman_root: it belongs to root, "
        "mode 0755: let nobody write to it, or set comfywatchman_root to another folder."
    )
    assert file == (
        f"nobody may not write to {tmp_path}/file, for the settings: it is no folder: move it out "
        "of the way."
    )


def test_what_answers_no_more_is_not_a_matter_of_permissions(trials: Any) -> None:
    # What FUSE says of a file system whose program has ended.
    gone = OSError(107, "Transport endpoint is not connected")
    then = trials.what_to_do_about(gone, "let them in")
    assert then == "see that what is mounted there answers"
