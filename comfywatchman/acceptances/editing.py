"""Writing ``accepted.toml``: a person's comments and order stay as they are."""

from __future__ import annotations

import contextlib
import os
import re
import tomllib
from typing import TYPE_CHECKING, Any, Final

import tomlkit
import tomlkit.exceptions

from comfywatchman import state
from comfywatchman.acceptances.file import LARGEST
from comfywatchman.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from comfywatchman.judging.accepted import Entry

_HEADER: Final = re.compile(r"\[\[\s*accepted\s*\]\]\s*(#.*)?")
_INTRODUCTION: Final = """\
# What is accepted as it is on this host, each for a while; docs/operating.md says more.
# `comfywatchman accept` writes here, and keeps comments, order and what was written by hand.
"""


def add(file: Path, entry: Entry) -> bool:
    """Write an acceptance down, in place of one with the same id.

    Returns:
        Whether there was one.

    Raises:
        ConfigError: the file is not as it must be; nothing was written.
        OSError: it could not be written.
    """
    with _alone(file):
        text = _Text(file)
        at = text.position(entry.id)
        if at is None:
            text.append(toml(entry), _values(entry))
        else:
            text.replace(at, _renewed(text.parts[at], entry), _values(entry))
        text.write()
        return at is not None


def withdraw(file: Path, name: str) -> bool:
    """Take out the acceptance with an id; the comments around it stay.

    Returns:
        Whether there was one.

    Raises:
        ConfigError: the file is not as it must be; nothing was written.
        OSError: it could not be written.
    """
    with _alone(file):
        text = _Text(file)
        at = text.position(name)
        if at is not None:
            text.replace(at, "", None)
            text.write()
        return at is not None


def toml(entry: Entry) -> str:
    """An acceptance as it stands in a file."""
    table, entries = tomlkit.table(), tomlkit.aot()
    _fill(table, entry)
    entries.append(table)
    return tomlkit.dumps({"accepted": entries})


def _values(entry: Entry) -> dict[str, Any]:
    values = {
        "id": entry.id,
        "workflow": entry.workflow,
        "code": entry.code,
        "reason": entry.reason,
        "until": entry.until,
        "by": entry.by,
        "fingerprints": sorted(entry.fingerprints),
        "faults": sorted(entry.faults),
    }
    return {key: value for key, value in values.items() if value not in (None, [])}


def _fill(table: Any, entry: Entry) -> None:
    """Give a table the values of an entry; where it has them, they stay as they are written."""
    wanted = _values(entry)
    for key in [key for key in table if key not in wanted]:
        del table[key]
    for key, value in wanted.items():
        if isinstance(value, list) and table.get(key) != value:
            array = tomlkit.array()
            array.extend(value)
            table[key] = array.multiline(multiline=True)
        elif table.get(key) != value:
            table[key] = value


def _renewed(part: str, entry: Entry) -> str:
    try:
        document = tomlkit.parse(part)
    except tomlkit.exceptions.TOMLKitError:
        return toml(entry)
    _fill(document["accepted"][0], entry)
    return tomlkit.dumps(document)


class _Text:
    """The text of a file, cut where entries begin and end.

    Args:
        file: the file, which need not be there.

    Raises:
        ConfigError: it cannot be read, or cut.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        text = self._read()
        self._wanted = self._parsed(text)
        entries = self._wanted.setdefault("accepted", [])
        lines = text.splitlines(keepends=True)
        begins = [n for n, line in enumerate(lines) if _HEADER.fullmatch(line.strip())]
        if not isinstance(entries, list) or len(begins) != len(entries):
            raise self._by_hand()
        self._entries: list[Any] = entries
        self.parts: list[str] = []
        self._between = ["".join(lines[: begins[0]] if begins else lines)]
        for begin, following in zip(begins, [*begins[1:], len(lines)], strict=False):
            end = following
            while lines[end - 1].lstrip()[:1] in ("", "#"):
                end -= 1
            self.parts.append("".join(lines[begin:end]))
            self._between.append("".join(lines[end:following]))

    def position(self, name: str) -> int | None:
        """Which entry has an id."""
        ids = [entry.get("id") if isinstance(entry, dict) else None for entry in self._entries]
        return ids.index(name) if name in ids else None

    def append(self, part: str, says: dict[str, Any]) -> None:
        """Put an entry at the end."""
        if not self.parts and not self._between[0]:
            self._between[0] = _INTRODUCTION
        ended = self._between[-1] or self.parts[-1]
        self._between[-1] += "\n" * (not ended.endswith("\n")) + "\n"
        self.parts.append(part)
        self._between.append("")
        self._entries.append(says)

    def replace(self, at: int, part: str, says: dict[str, Any] | None) -> None:
        """Put another text in place of an entry, or none at all."""
        self.parts[at] = part
        self._entries[at : at + 1] = [] if says is None else [says]

    def write(self) -> None:
        """Write the text, if it says what it shall.

        Raises:
            ConfigError: it does not, so that nothing was written.
            OSError: it could not be written.
        """
        text = self._between[0]
        for part, between in zip(self.parts, self._between[1:], strict=True):
            text += part + between
        if {"accepted": [], **self._parsed(text)} != self._wanted:
            raise self._by_hand()
        target = self._file.resolve()
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        state.replace_file(target, text.encode(), like=self._like(target))

    def _like(self, target: Path) -> os.stat_result | None:
        """The file whose mode and owner it shall have: itself, or the configuration's."""
        for file in (target, self._file.with_name("config.toml")):
            with contextlib.suppress(OSError):
                return file.stat()
        return None

    def _read(self) -> str:
        try:
            return state.read_file(self._file, LARGEST).decode()
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise ConfigError(f"{self._file}: cannot be read: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise ConfigError(f"{self._file}: is not UTF-8 text ({error.reason})") from None

    def _parsed(self, text: str) -> dict[str, Any]:
        try:
            return tomllib.loads(text)
        except (ValueError, RecursionError) as error:
            raise ConfigError(
                f"{self._file}: is not valid TOML: {error}; correct it first; nothing was written"
            ) from None

    def _by_hand(self) -> ConfigError:
        return ConfigError(
            f"{self._file}: is written in a way that no program can change safely; change it by "
            "hand, or write each entry below a line [[accepted]] of its own; nothing was written"
        )


@contextlib.contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Keep two of these commands apart, as far as the system can."""
    with contextlib.ExitStack() as until:
        with contextlib.suppress(ImportError, OSError):
            import fcntl

            folder = os.open(file.parent, os.O_RDONLY)
            until.callback(os.close, folder)
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
