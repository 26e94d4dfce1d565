"""ComfyUI's Python on this host: where what it can import lies. It is never run.

It is looked for in the usual places beside ComfyUI's folder, and among the processes, of which one
was started with the server's own command line. A place counts only if Python and PyTorch there are
those that the server says it runs on, so that no other environment is taken for its own.
Not seen: packages in the user's own folder (``~/.local``), and what ``PYTHONPATH`` adds.
"""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

from comfywatchman.comfyui.files import begin_of, names_in
from comfywatchman.history.environment import process
from comfywatchman.time_limit import Blind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from comfywatchman.time_limit import Budget

_BESIDE: Final = (
    *("venv", ".venv", "env", "../venv", "../.venv", "../env"),
    *("python_embeded", "../python_embeded", "../python_embedded"),
)
_CONFIG: Final = 16 * 1024
_MOST_ENTRIES: Final = 20_000


def site_packages(
    folder: Path,
    argv: Sequence[str],
    system: Mapping[str, object],
    budget: Budget,
    proc: Path = process.PROC,
) -> list[Path]:
    """Folders that hold the packages of the Python that runs ComfyUI, the first to count first.

    Args:
        folder: where ComfyUI's program lies.
        argv: the server's command line, which begins with its script.
        system: what the server says of itself.
        budget: how long it may take.
        proc: where the kernel tells of its processes.

    Raises:
        Blind: it was not found, or the time is over.
    """
    python = re.match(r"(\d+\.\d+)\.", str(system.get("python_version")))
    torch = str(system.get("pytorch_version")).partition("+")[0]
    beside = (folder / place for place in _BESIDE)
    for prefix in chain(beside, _of_processes(argv, budget, proc)):
        budget.check()
        found = [each for each in _below(prefix, python[1] if python else "3") if _is_dir(each)]
        if any(_torch(each) == torch for each in found):
            return found
    raise Blind(
        "which Python packages ComfyUI has: the Python that runs it was found neither beside its "
        "folder nor among the processes"
    )


def distributions(folder: Path) -> list[tuple[str, str, Path]]:
    """Name, version and folder of the metadata of each distribution in a folder.

    Raises:
        Blind: it cannot be read.
    """
    try:
        names = names_in(folder, _MOST_ENTRIES)
    except (OSError, ValueError):
        raise Blind("which Python packages ComfyUI has: where they lie is not to be read") from None
    found = []
    for name in names:
        stem, _, kind = name.rpartition(".")
        if kind == "dist-info" or kind == "egg-info":
            distribution, dash, version = stem.partition("-")
            if kind == "egg-info":
                version = re.sub(r"-py\d+(?:\.\d+)*$", "", version)
            if dash and distribution and version:
                found.append((normalised(distribution), version, folder / name))
    return found


def normalised(name: str) -> str:
    """A distribution's name as the index spells it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _of_processes(argv: Sequence[str], budget: Budget, proc: Path) -> Iterator[Path]:
    """Where the interpreter of the server's process lies, if only one may be its process."""
    found = {p.interpreter for p in process.running(argv, budget, proc)}
    if len(found) == 1:
        (interpreter,) = found
        if interpreter is not None:
            yield interpreter.parent.parent


def _below(prefix: Path, python: str) -> Iterator[Path]:
    for lib in ("lib", "lib64"):
        yield prefix / lib / f"python{python}" / "site-packages"
    yield prefix / "Lib" / "site-packages"
    config = (begin_of(prefix / "pyvenv.cfg", _CONFIG) or b"").decode(errors="replace")
    said = dict(re.findall(r"(?m)^([a-z-]+)[ \t]*=[ \t]*(\S.*?)[ \t\r]*$", config))
    if said.get("include-system-site-packages", "").lower() == "true" and "home" in said:
        prefix = Path(said["home"]).parent
        yield prefix / "lib" / f"python{python}" / "site-packages"
    elif config:
        return
    yield prefix / "local" / "lib" / f"python{python}" / "dist-packages"
    yield prefix / "lib" / f"python{python}" / "dist-packages"
    yield prefix / "lib" / "python3" / "dist-packages"


def _torch(folder: Path) -> str | None:
    try:
        found = [version for name, version, _ in distributions(folder) if name == "torch"]
    except Blind:
        return None
    return found[0].partition("+")[0] if found else None


def _is_dir(folder: Path) -> bool:
    try:
        return folder.is_dir()
    except (OSError, ValueError):
        return False
