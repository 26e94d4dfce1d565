"""``./dev`` where there is nothing yet: a copy of it, with stand-ins for Python, pip and podman."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
# Makes environments in which each program says how it was called.
PYTHON = """#!/bin/sh
case "$*" in
*' --look '*) cat "$0.look" 2>/dev/null && exit; exit 100 ;;
*'import ensurepip'*) ;;
*sys.version*) echo "3.13.9 /usr" ;;
'-m venv '*)
    mkdir -p "$3/bin"
    for name in python ansible-playbook; do
        printf '#!/bin/sh\\necho "%s in $PWD: ${PYTHONPATH-} $*"\\n' "$name" >"$3/bin/$name"
        chmod +x "$3/bin/$name"
    done
    echo "made $3"
    ;;
esac
"""


class Fresh:
    """A checkout as it was cloned, and a machine on which nothing was made."""

    def __init__(self, top: Path) -> None:
        self.checkout, self.cache, self.programs = top / "a clone", top / "cache", top / "bin"
        self.checkout.mkdir()
        shutil.copy(CHECKOUT / "dev", self.checkout)
        shutil.copytree(CHECKOUT / "requirements", self.checkout / "requirements")
        self.programs.mkdir()
        self.program("python3", PYTHON)
        self.program("podman", "#!/bin/sh\n")  # there are no containers and no images

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{self.programs}:/usr/bin:/bin",
            "HOME": str(self.cache.parent),
            "XDG_CACHE_HOME": str(self.cache),
        }

    def program(self, name: str, text: str) -> None:
        (self.programs / name).write_text(text)
        (self.programs / name).chmod(0o755)

    def dev(self, *arguments: str, cwd: Path | None = None) -> str:
        return subprocess.run(
            [self.checkout / "dev", *arguments],
            cwd=cwd or self.checkout,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
            env=self.environment,
        ).stdout

    def made(self) -> set[str]:
        """What lies in the checkout beside what was cloned."""
        return {path.name for path in self.checkout.iterdir()} - {"dev", "requirements"}


@pytest.fixture
def fresh(tmp_path: Path) -> Fresh:
    return Fresh(tmp_path)


def test_to_deploy_ansible_alone_is_installed(fresh: Fresh) -> None:
    said = fresh.dev("run", "ansible-playbook", "-i", "inventories/mine", "x.yml")
    assert f"made {fresh.cache}/comfywatchman/controller-" in said
    assert said.endswith(f"ansible-playbook in {fresh.checkout}:  -i inventories/mine x.yml\n")
    assert ".venv" not in fresh.made()
    assert "made" not in fresh.dev("run", "ansible-playbook", "x.yml")  # once


def test_install_writes_nothing_into_the_checkout(fresh: Fresh, tmp_path: Path) -> None:
    for command in ("install", "uninstall"):
        said = fresh.dev(command, "--comfyui-dir", "../Comfy UI", cwd=tmp_path)
        asked = said.splitlines()[-1]
        # In the folder that it was called from, to which what is given refers.
        assert asked.startswith(f"python in {tmp_path}: {fresh.checkout} -P ")
        assert asked.endswith(
            f" --log-dir {fresh.cache}/comfywatchman {command} --comfyui-dir ../Comfy UI"
        )
    assert fresh.made() == set()


def test_what_can_be_said_without_ansible_installs_nothing(fresh: Fresh) -> None:
    fresh.program("python3.look", "not installed here\n")
    for arguments in (["install", "--help"], ["uninstall"]):
        assert fresh.dev(*arguments) == "not installed here\n"
    assert not list(fresh.cache.glob("comfywatchman/controller-*"))


def test_clean_removes_what_install_made_for_itself(fresh: Fresh) -> None:
    fresh.dev("install")
    assert list(fresh.cache.glob("comfywatchman/controller-*"))
    said = fresh.dev("clean")
    assert f"Removed {fresh.cache}/comfywatchman" in said
    assert not (fresh.cache / "comfywatchman").exists()


def test_an_environment_that_nobody_uses_any_more_is_removed(fresh: Fresh) -> None:
    cache = fresh.cache / "comfywatchman"
    made = {name: cache / f"controller-{name}" for name in ("lately", "long_ago", "half")}
    for folder in made.values():
        folder.mkdir(parents=True)
    made["lately"].joinpath(".made").touch()
    made["long_ago"].joinpath(".made").touch()
    os.utime(made["long_ago"] / ".made", (0, 0))
    fresh.dev("install")
    [own] = set(cache.glob("controller-*")) - {made["lately"]}
    assert own.joinpath(".made").exists()
    # Using it, too, keeps it.
    os.utime(own / ".made", (0, 0))
    made["long_ago"].mkdir()
    fresh.dev("uninstall")
    assert set(cache.glob("controller-*")) == {made["lately"], made["long_ago"], own}
    assert (own / ".made").stat().st_mtime > 0


def test_it_is_said_for_what_another_dev_is_waited_for(fresh: Fresh) -> None:
    cache = fresh.cache / "comfywatchman"
    cache.mkdir(parents=True)
    with (cache / "environment.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with subprocess.Popen(
            [fresh.checkout / "dev", "install"], stdout=subprocess.PIPE, env=fresh.environment
        ) as waiting:
            assert waiting.stdout is not None
            said = waiting.stdout.readline().decode()
            fcntl.flock(lock, fcntl.LOCK_UN)
            waiting.communicate(timeout=60)
    assert said == f"Waiting for another ./dev that uses the environment in {cache} ...\n"
    assert waiting.returncode == 0


def test_clean_knows_of_what_root_has_made(fresh: Fresh) -> None:
    home = fresh.cache.parent / "home of root"
    made = home / ".cache/comfywatchman/controller-x"
    made.mkdir(parents=True)
    fresh.program("getent", f"#!/bin/sh\necho 'root:x:0:0:root:{home}:/bin/sh'\n")
    if os.geteuid() != 0:
        assert fresh.dev("clean").endswith("and what root has made: sudo ./dev clean\n")
        return
    os.chown(fresh.cache.parent, 65534, -1)  # as sudo may leave HOME as it was
    said = fresh.dev("clean")
    assert f"Removed {made.parent}\n" in said
    assert not made.parent.exists()
    assert "sudo" not in said


def test_help_lists_every_command(fresh: Fresh) -> None:
    said = fresh.dev("help")
    for command in ("install", "uninstall", "demo", "test", "run", "clean"):
        assert f"\n  {command} " in said or f"\n  {command}\n" in said
