"""``models verify``: whole files are read, and compared with what is written down of them.

What was read longest ago comes first, what was never read before all; so a run that is stopped is
gone on with by the next one. The server comes before everything: nothing is read while it works.
"""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from comfywatchman import __version__
from comfywatchman.escape import visible
from comfywatchman.modelfiles import reading_whole
from comfywatchman.modelfiles.hashes import Known
from comfywatchman.modelfiles.model import Outcome, Said, Verification, VerifiedFile
from comfywatchman.modelfiles.reading_whole import ChangedError, StoppedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from comfywatchman.comfyui.model_files import ModelFile
    from comfywatchman.modelfiles.expected import Expected
    from comfywatchman.modelfiles.hashes import Hashes

_WRITE_EVERY: Final = 30.0
"""Seconds whose work is lost at most when this is killed."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be done.

    Attributes:
        files: the files of the host.
        expected: what is written down of one.
        budget: bytes that may be read.
        busy: why nothing may be read now; empty if something may.
        told: takes what came of each file.
    """

    files: Sequence[ModelFile]
    expected: Callable[[ModelFile], Iterable[Expected]]
    budget: int
    busy: Callable[[], str]
    told: Callable[[VerifiedFile], None]


def verify(task: Task, hashes: Hashes, not_checked: Sequence[str] = ()) -> Verification:
    """Read as many files as the budget allows, and keep what they hold.

    Raises:
        OSError: what was found could not be kept.
    """
    return _Run(task, hashes).whole(not_checked)


class _Run:
    def __init__(self, task: Task, hashes: Hashes) -> None:
        self._task = task
        self._hashes = hashes
        self._began = datetime.now(UTC)
        self._clock = time.monotonic()
        self._written_at = time.monotonic()
        self._read = 0
        self._results: list[VerifiedFile] = []
        self._stopped = ""

    def whole(self, not_checked: Sequence[str]) -> Verification:
        groups = self._groups()
        self._hashes.forget_long_unseen({file.path for file in self._task.files}, time.time())
        done: set[int] = set()
        try:
            for number, names in enumerate(groups):
                if names[0].size > self._task.budget - self._read:
                    continue
                if self._stopped or not self._may():
                    break
                if self._one(names):
                    done.add(number)
        finally:
            self._hashes.write()
        left = [names[0] for number, names in enumerate(groups) if number not in done]
        return Verification(
            comfywatchman_version=__version__,
            host=socket.gethostname(),
            started_at=self._began,
            duration_s=round(time.monotonic() - self._clock, 3),
            budget=self._task.budget,
            bytes_read=self._read,
            files=self._results,
            ended=self._stopped or self._ended(left),
            files_left=len(left),
            never_read=sum(self._hashes.of(file) is None for file in left),
            too_large=sum(file.size > self._task.budget for file in left),
            not_checked=[*not_checked, *filter(None, [self._hashes.damage])],
        )

    def _ended(self, left: list[ModelFile]) -> str:
        if not left:
            return "every file was read" if self._results else "no model file was found here"
        if self._task.budget < min(file.size for file in left):
            return "each file that is left is larger than the budget: give a larger --budget"
        return "the budget is used up"

    def _groups(self) -> list[list[ModelFile]]:
        """The names of each file, those first that were read longest ago."""
        names: dict[tuple[int, int], list[ModelFile]] = {}
        for file in self._task.files:
            if file.is_file and file.size:
                names.setdefault((file.dev, file.inode), []).append(file)

        def last(group: list[ModelFile]) -> tuple[float, str]:
            known = self._hashes.of(group[0])
            return (known.checked_at if known else 0.0), group[0].path

        return sorted(names.values(), key=last)

    def _may(self) -> bool:
        self._stopped = self._task.busy()
        return not self._stopped

    def _one(self, names: list[ModelFile]) -> bool:
        """Read one file; whether that is done with for now."""
        file = names[0]
        room = self._task.budget - self._read
        try:
            found = reading_whole.read(file.path, room, self._may, self._count)
        except StoppedError:
            return False
        except ChangedError:
            self._tell(file, Outcome.CHANGED, "it was changed while it was read, or just before")
            return True
        except OSError as error:
            self._tell(file, Outcome.UNREADABLE, f"it cannot be read: {error.strerror or error}")
            return True
        if (found.size, found.mtime_ns) != (file.size, file.mtime_ns):
            self._tell(file, Outcome.CHANGED, "it was changed since the files were listed")
            return True
        self._compare(names, found.sha256)
        if time.monotonic() - self._written_at > _WRITE_EVERY:
            self._hashes.write()
            self._written_at = time.monotonic()
        return True

    def _count(self, read: int) -> None:
        self._read += read

    def _compare(self, names: list[ModelFile], sha256: str) -> None:
        file, now = names[0], time.time()
        before = next(filter(None, map(self._hashes.of, names)), None)
        expected = list(dict.fromkeys(each for name in names for each in self._task.expected(name)))
        said = [
            Said(source=each.source, sha256=list(each.sha256), agrees=sha256 in each.sha256)
            for each in expected
        ]
        differs = tuple(
            f"{each.source}{' (the file was changed after that)' if each.older else ''}"
            for each in expected
            if sha256 not in each.sha256
        )
        known = Known(
            size=file.size,
            mtime_ns=file.mtime_ns,
            sha256=before.sha256 if before else sha256,
            first_at=before.first_at if before else now,
            checked_at=now,
            now=sha256,
            differs=differs,
        )
        for name in names:
            self._hashes.put(name, known)
        if known.now != known.sha256:
            outcome = Outcome.ROTTEN
        elif differs:
            outcome = Outcome.DIFFERS
        else:
            outcome = Outcome.AGREES if said or before else Outcome.FIRST
        good = [each.source for each in said if each.agrees]
        if before and not known.wrong:
            good.append(f"what it held on {datetime.fromtimestamp(known.first_at, UTC):%Y-%m-%d}")
        text = known.wrong or (
            f"agrees with {' and '.join(good)}" if good else "is read for the first time"
        )
        self._tell(file, outcome, text, sha256, said)

    def _tell(
        self,
        file: ModelFile,
        outcome: Outcome,
        text: str,
        sha256: str | None = None,
        said: Sequence[Said] = (),
    ) -> None:
        result = VerifiedFile(
            folder=visible(file.folder),
            name=file.name,
            path=file.path,
            size=file.size,
            outcome=outcome,
            sha256=sha256,
            said=list(said),
            text=text,
        )
        self._results.append(result)
        self._task.told(result)
