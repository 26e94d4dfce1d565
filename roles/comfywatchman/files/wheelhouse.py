# SPDX-License-Identifier: MIT
"""Runs on the controller: makes a wheelhouse, or packs what one host needs of it.

Usage: wheelhouse.py make WHEELHOUSE LOCK, with on stdin a JSON object of

- hosts: by name, the target of a host, or null if it could not be asked;
- targets: further targets, each {"python": "3.13", "machine": "aarch64", "glibc": "2.36"};
- environment: variables for pip, which downloads.

Usage: wheelhouse.py pack WHEELHOUSE LOCK, with the target of a host on stdin: puts its wheels into
one archive, which stays in the wheelhouse until that is made again.

Both print JSON. What a target needs is what the lock names for it; a wheel counts only if the lock
has its hash. wheelhouse.json in the wheelhouse remembers the targets of the hosts, and which wheels
were put there, which are the only ones that are ever removed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

MANIFEST = "wheelhouse.json"
PACKED = ".packed"
MACHINES = ("x86_64", "aarch64")
PYTHON_OLDEST = (3, 11)
GLIBC_USUAL = "2.28"  # the oldest of the distributions that have such a Python
GLIBC_OLDEST = 17  # no wheel of today is for an older one
OLD_NAMES = {5: "manylinux1", 12: "manylinux2010", 17: "manylinux2014"}


class WheelhouseError(Exception):
    """A sentence for the operator."""


class Target(NamedTuple):
    """What a host's Python can load: the version of Python, the machine, the oldest glibc."""

    python: tuple[int, int]
    machine: str
    glibc: tuple[int, int]

    @classmethod
    def of(cls, given: Any) -> Target:
        """Read a target as it is in the inventory, or as a host answered."""
        if not isinstance(given, dict):
            raise WheelhouseError(
                f'{given!r} is no target: write one such as {{python: "3.13", machine: x86_64}}.'
            )
        version = given.get("python", given.get("version"))
        python = re.match(r"(3)\.(\d+)(\.|$)", str(version))
        if not python or (3, int(python[2])) < PYTHON_OLDEST:
            raise WheelhouseError(
                f"python is {version!r} in {given}: write the version that the hosts "
                'have, 3.11 or newer, such as "3.13".'
            )
        if given.get("machine") not in MACHINES:
            raise WheelhouseError(
                f"machine is {given.get('machine')!r} in {given}: there are wheels for "
                f"{' and '.join(MACHINES)}, as `uname -m` says it."
            )
        glibc = re.match(r"(2)\.(\d+)$", str(given.get("glibc", GLIBC_USUAL)))
        if not glibc:
            raise WheelhouseError(
                f"glibc is {given['glibc']!r} in {given}: there are wheels for hosts with the GNU "
                'C library, in a version such as "2.36".'
            )
        if int(glibc[2]) < GLIBC_OLDEST:
            raise WheelhouseError(
                f"glibc is {glibc[0]} in {given}, older than any wheel is for; if it is "
                f"2.{glibc[2]}0, write it in quotes."
            )
        return cls((3, int(python[2])), str(given["machine"]), (2, int(glibc[2])))

    def __str__(self) -> str:
        python, glibc = (".".join(map(str, version)) for version in (self.python, self.glibc))
        return f"Python {python} on {self.machine} with glibc {glibc}"

    def given(self) -> dict[str, str]:
        """The target as it is in the inventory."""
        python, glibc = (".".join(map(str, version)) for version in (self.python, self.glibc))
        return {"python": python, "machine": self.machine, "glibc": glibc}

    @property
    def abi(self) -> str:
        return "cp{}{}".format(*self.python)

    @property
    def platforms(self) -> list[str]:
        """The names that wheels have for what runs there, the closest first."""
        names = []
        for minor in range(self.glibc[1], 4, -1):
            names.append(f"manylinux_2_{minor}_{self.machine}")
            if minor in OLD_NAMES:
                names.append(f"{OLD_NAMES[minor]}_{self.machine}")
        return names

    def ranks(self) -> dict[Tag, int]:
        """The tags of wheels that can be installed there; the lowest number is the best."""
        tags = [
            *cpython_tags(self.python, [self.abi], self.platforms),
            *compatible_tags(self.python, self.abi, self.platforms),
        ]
        return {tag: rank for rank, tag in reversed(list(enumerate(tags)))}

    def markers(self) -> dict[str, str]:
        """What the lock's markers ask about."""
        python = ".".join(map(str, self.python))
        return {
            "implementation_name": "cpython",
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_system": "Linux",
            "python_full_version": f"{python}.0",
            "python_version": python,
            "sys_platform": "linux",
        }


class Pin(NamedTuple):
    """One line of the lock: a version of a package, and the hashes of its files."""

    name: str
    version: str
    requirement: Requirement
    hashes: frozenset[str]

    def line(self) -> str:
        """The same for pip, without the marker, which pip would judge for the controller."""
        hashes = " ".join(f"--hash=sha256:{value}" for value in sorted(self.hashes))
        return f"{self.name}=={self.version} {hashes}\n"


def read_lock(path: Path) -> list[Pin]:
    """Read a requirements file with hashes."""
    pins = []
    for line in re.sub(r"\\\n", " ", path.read_text(encoding="utf-8")).splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        text, *hashes = line.split("--hash=sha256:")
        requirement = Requirement(text)
        (version,) = requirement.specifier
        pins.append(
            Pin(
                canonicalize_name(requirement.name),
                version.version,
                requirement,
                frozenset(value.strip() for value in hashes),
            )
        )
    return pins


class Wheelhouse:
    """A folder of wheels on the controller."""

    def __init__(self, folder: Path, lock: list[Pin]) -> None:
        self.folder = folder
        self._lock = lock
        self._digests: dict[Path, str] = {}

    def digest(self, wheel: Path) -> str:
        """The wheel's SHA-256."""
        if wheel not in self._digests:
            self._digests[wheel] = hashlib.sha256(wheel.read_bytes()).hexdigest()
        return self._digests[wheel]

    def add(self, wheel: Path) -> Path:
        """Take in a wheel from elsewhere on the same file system, in place of one of its name."""
        added = wheel.replace(self.folder / wheel.name)
        self._digests.pop(added, None)
        return added

    def find(self, target: Target) -> tuple[list[Path], list[Pin], list[Path]]:
        """The wheels for a target, the pins that have none, the wheels that were changed."""
        ranks = target.ranks()
        there: dict[tuple[str, str], list[tuple[int, Path]]] = {}
        for wheel in sorted(self.folder.glob("*.whl")):
            try:
                name, version, _, tags = parse_wheel_filename(wheel.name)
            except InvalidWheelFilename:
                continue
            fitting = [ranks[tag] for tag in tags if tag in ranks]
            if fitting:
                there.setdefault((str(name), str(version)), []).append((min(fitting), wheel))
        wheels, missing, changed = [], [], []
        for pin in self._lock:
            if pin.requirement.marker and not pin.requirement.marker.evaluate(target.markers()):
                continue
            found = [wheel for _, wheel in sorted(there.get((pin.name, pin.version), []))]
            good = next((wheel for wheel in found if self.digest(wheel) in pin.hashes), None)
            if good is not None:
                wheels.append(good)
            else:
                changed += found
                missing.append(pin)
        return wheels, missing, changed

    def read_manifest(self) -> dict[str, Any]:
        """What earlier runs remembered."""
        path = self.folder / MANIFEST
        try:
            found = json.loads(path.read_bytes())
        except FileNotFoundError:
            return {"hosts": {}, "wheels": {}}
        except (ValueError, RecursionError) as error:
            raise WheelhouseError(f"{path} is no JSON ({error}): remove it.") from error
        parts = [found.get(name) for name in ("hosts", "wheels")] if isinstance(found, dict) else []
        if not parts or not all(isinstance(part, dict) for part in parts):
            raise WheelhouseError(f"{path} was not made by the playbook wheelhouse: remove it.")
        return found

    def write_manifest(self, manifest: dict[str, Any]) -> None:
        """Remember."""
        new = self.folder / f".{MANIFEST}"
        new.write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        new.replace(self.folder / MANIFEST)


def download(pins: list[Pin], target: Target, folder: Path, environment: dict[str, object]) -> None:
    """Have pip download the wheels of a target."""
    if importlib.util.find_spec("pip"):
        pip = [sys.executable, "-m", "pip"]
    elif found := shutil.which("pip3") or shutil.which("pip"):
        pip = [found]
    else:
        raise WheelhouseError(
            f"The Python that runs Ansible ({sys.executable}) has no pip, and there is none on "
            "PATH; it downloads the wheels: install it (Debian: apt install python3-pip)."
        )
    lock = folder / "requirements.txt"
    lock.write_text("".join(pin.line() for pin in pins), encoding="utf-8")
    command = [*pip, "download", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:"]
    command += [f"--requirement={lock}", f"--dest={folder}", "--implementation=cp"]
    command += [f"--python-version={'.'.join(map(str, target.python))}"]
    command += [f"--abi={abi}" for abi in (target.abi, "abi3", "none")]
    command += [f"--platform={platform}" for platform in target.platforms]
    quiet = {"PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(
        command,
        env={**os.environ, **quiet, **{name: str(value) for name, value in environment.items()}},
        capture_output=True,
        text=True,
        check=False,
    )
    lock.unlink()
    if done.returncode == 0:
        return
    said = re.sub(r"://\S+@", "://***@", done.stderr.strip())
    if none := re.search(r"No matching distribution found for ([^\s=]+)==(\S+)", said):
        raise WheelhouseError(
            f"The index has no wheel of {none[1]} {none[2]} for {target}, or it cannot be reached. "
            f"pip said: {said}"
        )
    if "Traceback" in said:
        said = said.splitlines()[-1]
    raise WheelhouseError(f"pip could not download the wheels for {target}: {said}")


def make(wheelhouse: Wheelhouse, given: dict[str, Any]) -> dict[str, Any]:
    """Bring the wheelhouse up to the lock, for all targets."""
    manifest = wheelhouse.read_manifest()
    known: dict[str, Any] = manifest["hosts"]
    hosts = {}
    for name, answer in given["hosts"].items():
        try:
            hosts[name] = Target.of(answer).given() if answer else known.get(name)
        except WheelhouseError as error:
            raise WheelhouseError(f"{name}: {error}") from error
    oldest: dict[tuple[tuple[int, int], str], Target] = {}
    for target in map(Target.of, [*filter(None, hosts.values()), *given["targets"]]):
        kind = target.python, target.machine
        oldest[kind] = min(oldest.get(kind, target), target, key=lambda one: one.glibc)
    if not oldest:
        raise WheelhouseError(
            "No host of the group comfyui could be asked for its Python: name what they have in "
            'comfywatchman_wheelhouse_targets, such as [{python: "3.13", machine: x86_64}].'
        )
    wheelhouse.folder.mkdir(parents=True, exist_ok=True)
    downloaded: list[str] = []
    kept: set[Path] = set()
    for target in sorted(oldest.values()):
        wheels, missing, _ = wheelhouse.find(target)
        kept.update(wheels)
        if missing:
            with tempfile.TemporaryDirectory(prefix=".new-", dir=wheelhouse.folder) as new:
                download(missing, target, Path(new), given["environment"])
                for wheel in sorted(Path(new).glob("*.whl")):
                    kept.add(wheelhouse.add(wheel))
                    downloaded.append(wheel.name)
    wheels_now = {wheel.name: wheelhouse.digest(wheel) for wheel in kept}
    removed = sorted(manifest["wheels"].keys() - wheels_now.keys())
    for name in removed:
        (wheelhouse.folder / Path(name).name).unlink(missing_ok=True)
    shutil.rmtree(wheelhouse.folder / PACKED, ignore_errors=True)
    wanted = {
        "hosts": {name: target for name, target in hosts.items() if target},
        "wheels": wheels_now,
    }
    if wanted != manifest:
        wheelhouse.write_manifest(wanted)
    return {
        "path": str(wheelhouse.folder),
        "targets": [str(target) for target in sorted(oldest.values())],
        "downloaded": downloaded,
        "removed": removed,
        "wheels": len(wheels_now),
        "not_asked": sorted(name for name, target in given["hosts"].items() if not target),
        "unknown": sorted(name for name, target in hosts.items() if not target),
        "changed": bool(downloaded or removed or wanted != manifest),
    }


def readable(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """A file of nobody in particular that all may read."""
    entry.mode = 0o644
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = 0
    return entry


def pack(wheelhouse: Wheelhouse, target: Target) -> str:
    """Put the wheels of a target into one archive, the same for the same wheels."""
    command = "the playbook wheelhouse with"
    if not wheelhouse.folder.is_dir():
        raise WheelhouseError(
            f"comfywatchman_wheelhouse is no folder on the controller: {wheelhouse.folder}; make "
            f"it by {command} -e comfywatchman_wheelhouse={wheelhouse.folder}"
        )
    wheels, missing, changed = wheelhouse.find(target)
    again = f"make it anew by {command} -e comfywatchman_wheelhouse={wheelhouse.folder}"
    if changed:
        raise WheelhouseError(
            f"Not what the lock names, and so refused: {', '.join(map(str, changed))} (its SHA-256 "
            f"is another); {again}"
        )
    if missing:
        names = ", ".join(f"{pin.name} {pin.version}" for pin in missing)
        raise WheelhouseError(
            f"The wheelhouse {wheelhouse.folder} has no wheel for {target} of {names}; {again}"
        )
    key = json.dumps([(wheel.name, wheelhouse.digest(wheel)) for wheel in wheels])
    folder = wheelhouse.folder / PACKED
    path = folder / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.tar"
    if not path.exists():
        folder.mkdir(exist_ok=True)
        descriptor, new = tempfile.mkstemp(prefix=".", dir=folder)
        with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w") as archive:
            for wheel in wheels:
                archive.add(wheel, wheel.name, filter=readable)
        Path(new).replace(path)
    return str(path)


def main(command: str, wheelhouse: str, lock: str) -> None:
    """Do it and print what became of it."""
    pins = read_lock(Path(lock))
    here = Wheelhouse(Path(wheelhouse).expanduser().absolute(), pins)
    given = json.load(sys.stdin)
    try:
        if command == "make":
            found = make(here, given)
        else:
            found = {"archive": pack(here, Target.of(given)), "problem": ""}
    except WheelhouseError as error:
        if command == "make":
            sys.exit(str(error))
        found = {"archive": "", "problem": str(error)}
    except OSError as error:
        sys.exit(f"{error.filename or wheelhouse}: {error.strerror}.")
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
