"""Builds the archive of the Ansible collection comfywatchman.ops: ``./dev collection [FOLDER]``.

It holds what git tracks of this checkout, as it lies there now, and nothing else, with the wheel of
the program in place of its sources. The same files give the same bytes, whoever builds, wherever
and whenever; what wrote the wheel (hatchling) and what compresses (zlib) have to be the same.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable

CHECKOUT = Path(__file__).resolve().parents[1]
DESCRIPTION = "galaxy.yml"
PARTS = (
    DESCRIPTION,
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "changelogs",
    "docs",
    "meta",
    "monitoring",
    "playbooks",
    "plugins",
    "roles",
    "tests/sanity",
)
"""What an installed collection is made of."""
LEFT_OUT = ("changelogs/generate.py", "docs/generate.py", "playbooks/collections")
SOURCES = ("LICENSE", "README.md", "comfywatchman", "pyproject.toml")
"""What the wheel is made of."""
WHEEL_SCRIPT = "roles/comfywatchman/files/wheel.py"
LINK, SUBMODULE = "120000", "160000"


class CollectionError(Exception):
    """A sentence for who builds."""


class Tracked:
    """What git tracks of a checkout.

    Attributes:
        modes: path below the checkout → mode, as git writes it.
    """

    def __init__(self, checkout: Path) -> None:
        """Ask git.

        Raises:
            CollectionError: git does not answer.
        """
        self.checkout = checkout
        self.modes: dict[str, str] = {}
        listed = self._git("ls-files", "--stage", "-z")
        for entry in filter(None, listed.split("\0")):
            about, _, path = entry.partition("\t")
            self.modes[path] = about.split()[0]

    def below(self, parts: Iterable[str]) -> list[str]:
        """The tracked paths that are one of ``parts`` or below it."""
        wanted = [PurePosixPath(part) for part in parts]
        return [
            path
            for path in sorted(self.modes)
            if any(PurePosixPath(path).is_relative_to(part) for part in wanted)
        ]

    def changed(self) -> list[str]:
        """The tracked paths that are not as they were committed."""
        changes = self._git("diff", "--name-only", "-z", "HEAD")
        return [path for path in changes.split("\0") if path]

    def copy(self, path: str, to: Path) -> None:
        """Copy one file to ``to / path``; a link becomes the file that it leads to.

        Raises:
            CollectionError: it is not, or does not lead to, a file that git tracks here.
        """
        file = self.checkout / path
        if not os.path.lexists(file):
            return  # removed, and that is not committed yet
        where = file.resolve()
        inside = where.is_relative_to(self.checkout)
        target = where.relative_to(self.checkout).as_posix() if inside else ""
        as_git_knows_it = self.modes[path] == LINK or target == path
        if (
            not as_git_knows_it
            or not where.is_file()
            or self.modes.get(target, SUBMODULE) in (LINK, SUBMODULE)
        ):
            raise CollectionError(
                f"{path} is not, or does not lead to, a file that git tracks in {self.checkout}: "
                "the collection cannot hold it."
            )
        copied = to / path
        copied.parent.mkdir(parents=True, exist_ok=True)
        copied.write_bytes(where.read_bytes())
        copied.chmod(0o755 if self.modes[target] == "100755" else 0o644)

    def _git(self, *arguments: str) -> str:
        surroundings = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
        try:
            done = subprocess.run(
                ["git", "-C", self.checkout, *arguments],
                capture_output=True,
                text=True,
                encoding="utf-8",
                errors="surrogateescape",
                env=surroundings,
                check=False,
            )
        except OSError as error:
            raise CollectionError(f"git cannot be run: {error.strerror}.") from None
        if done.returncode != 0:
            raise CollectionError(
                "The archive holds what git tracks, and git does not tell: "
                f"{' '.join(done.stderr.split())}"
            )
        return done.stdout


def build(checkout: Path, folder: Path) -> Path:
    """Build the archive into ``folder``, and return its path.

    Raises:
        CollectionError: it cannot be built.
    """
    tracked = Tracked(checkout)
    with tempfile.TemporaryDirectory(prefix="comfywatchman-collection-") as temporary:
        work = Path(temporary)
        for path in tracked.below(PARTS):
            if not any(PurePosixPath(path).is_relative_to(part) for part in LEFT_OUT):
                tracked.copy(path, work / "collection")
        for path in tracked.below(SOURCES):
            tracked.copy(path, work / "sources")
        add_wheel(work)
        # What it names is not among the parts, and a wheel would be.
        description = work / "collection" / DESCRIPTION
        about = yaml.safe_load(description.read_text(encoding="utf-8")) | {"build_ignore": []}
        description.write_text(yaml.safe_dump(about), encoding="utf-8")
        galaxy = Path(sys.executable).with_name("ansible-galaxy")
        run([galaxy, "collection", "build", f"--output-path={work}", work / "collection"], work)
        (built,) = work.glob("*.tar.gz")
        folder.mkdir(parents=True, exist_ok=True)
        place = folder / built.name
        partial = place.with_name(f".{place.name}.part")
        partial.write_bytes(repacked(built))
        partial.replace(place)
    return place


def add_wheel(work: Path) -> None:
    """Build the wheel, and put it where the role looks for it."""
    script = work / "collection" / WHEEL_SCRIPT
    found = json.loads(run([sys.executable, script, work / "sources"], work))
    version = yaml.safe_load((work / "collection" / DESCRIPTION).read_text())["version"]
    if found["version"] != version:
        raise CollectionError(
            f"{DESCRIPTION} says version {version}, and the package is {found['version']}: "
            "they go together."
        )
    Path(found["path"]).rename(script.with_name(found["name"]))


def run(command: list[str | Path], work: Path) -> str:
    """Run a program with caches and settings of its own, and return what it printed."""
    no_settings = work / "ansible.cfg"
    no_settings.touch()
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=work,
        env={
            **os.environ,
            "XDG_CACHE_HOME": str(work / "cache"),
            "ANSIBLE_CONFIG": str(no_settings),
            "LC_ALL": "C.UTF-8",
        },
        check=False,
    )
    if done.returncode != 0:
        raise CollectionError((done.stderr or done.stdout).strip())
    return done.stdout


def repacked(archive: Path) -> bytes:
    """The archive with order, times, owners and modes that say nothing of who built it.

    ``FILES.json`` lists the files in the order in which the file system did, and ``MANIFEST.json``
    holds its digest: both are written anew.
    """
    with tarfile.open(archive) as opened:
        content = {
            member.name: (member.mode & 0o111, extracted.read())
            for member in opened
            if (extracted := opened.extractfile(member)) is not None
        }
    listed = json.loads(content["FILES.json"][1])
    listed["files"].sort(key=lambda entry: entry["name"])
    content["FILES.json"] = 0, json.dumps(listed, indent=1).encode()
    manifest = json.loads(content["MANIFEST.json"][1])
    digest = hashlib.sha256(content["FILES.json"][1]).hexdigest()
    manifest["file_manifest_file"]["chksum_sha256"] = digest
    content["MANIFEST.json"] = 0, json.dumps(manifest, indent=1).encode()

    packed = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as written,
    ):
        folders = [e["name"] for e in listed["files"] if e["ftype"] == "dir" and e["name"] != "."]
        # ansible-galaxy reads these two first.
        first = ["MANIFEST.json", "FILES.json"]
        for name in [*first, *sorted({*content, *folders} - {*first})]:
            member = tarfile.TarInfo(name)
            if name in content:
                executable, data = content[name]
                member.size, member.mode = len(data), 0o755 if executable else 0o644
                written.addfile(member, io.BytesIO(data))
            else:
                member.type, member.mode = tarfile.DIRTYPE, 0o755
                written.addfile(member)
    return packed.getvalue()


def main(folder: str = str(CHECKOUT / "dist")) -> None:
    """Build it and say where it is."""
    try:
        changed = Tracked(CHECKOUT).changed()
        place = build(CHECKOUT, Path(folder).absolute())
    except (CollectionError, OSError) as error:
        sys.exit(f"The collection cannot be built. {error}")
    print(f"{hashlib.sha256(place.read_bytes()).hexdigest()}  {place}")
    if changed:
        print(f"It holds changes that are not committed: {', '.join(changed[:5])}", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
