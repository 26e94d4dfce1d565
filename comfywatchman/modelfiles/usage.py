"""Which workflow names which model file: everything that may be a use counts as one.

A workflow is searched as the text that it is, not node by node: packs keep names of files in lists,
in objects of their own and in JSON within texts, and people keep them in notes. So nothing here
says that a file is not used, only that no workflow that was read names it.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from json import detect_encoding
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from comfywatchman.comfyui.names import last_part

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

EMBEDDINGS: Final = "embeddings"
_LONGEST: Final = 1024
"""Characters that are looked at before the end of a name, and behind the begin of one."""
_MOST_PLACES: Final = 20_000
"""Of one kind in one workflow; one that names so many files was made to do harm."""
_MOST_ENDINGS: Final = 64
_LONGEST_ENDING: Final = 16
_SHORT: Final = 300
_MOST_REMEMBERED: Final = 100_000
"""Pieces of texts whose meaning is remembered, if they are short: they come again and again."""

_ODD_ESCAPE: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\u([0-9a-fA-F]{4})")
_ANY_ESCAPE: Final = re.compile(r"(?<!\\)\\+u([0-9a-fA-F]{4})")
_PAIR: Final = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_SLASHES: Final = re.compile(r"[\\/]+")
_EDGE: Final = re.compile(r"[^A-Za-z0-9_.\-]")
"""What may stand before a name, or behind one: nothing that would make it another name."""
_BREAK: Final = re.compile("/[nrtbf]")
"""A line break in JSON, or a folder whose name begins so: nobody can tell, so both count."""
_EMBEDDING: Final = re.compile(r"[Ee]mbedding:([^\"]{1,300})")
_TAG: Final = re.compile(r"<[A-Za-z_]{1,32}:([^<>\"]{1,300})")
_STRENGTH: Final = re.compile(r'"(?:strength|weight)')
_ROW: Final = re.compile(r"\{[^{}]{1,4096}\}")
"""Maybe a pack's row of a file and its strength, of which some name the file without its ending."""
_CONTROLS: Final = str.maketrans({c: "/" + repr(c)[2:-1] for c in "\n\r\t"})
_QUOTE: Final = re.compile(r'(?<!\\)\\*"')


@dataclass(frozen=True, slots=True)
class Named:
    """What the bytes of one workflow name, by the keys of a :class:`Vocabulary`.

    Attributes:
        whole: names of files as the server lists them, with the folders before them.
        last: last parts of names, where no whole name was given.
        stems: last parts without their ending, of tags in texts and of packs' rows.
        embeddings: names of embeddings without their ending.
    """

    whole: frozenset[str] = frozenset()
    last: frozenset[str] = frozenset()
    stems: frozenset[str] = frozenset()
    embeddings: frozenset[str] = frozenset()


@dataclass(slots=True)
class Usage:
    """Which workflows name each key: the positions of the workflows in the order of :meth:`add`."""

    _whole: dict[str, list[int]] = field(default_factory=dict)
    _last: dict[str, list[int]] = field(default_factory=dict)
    _stems: dict[str, list[int]] = field(default_factory=dict)
    _embeddings: dict[str, list[int]] = field(default_factory=dict)

    def add(self, workflow: int, named: Named) -> None:
        """Note what a workflow names."""
        for kept, keys in (
            (self._whole, named.whole),
            (self._last, named.last),
            (self._stems, named.stems),
            (self._embeddings, named.embeddings),
        ):
            for key in keys:
                kept.setdefault(key, []).append(workflow)

    def of(self, folder: str, name: str) -> list[int]:
        """The workflows that name a file, in their order."""
        path = _tidy(name)
        last = last_part(path)
        stem = without_ending(last)
        found = {*self._whole.get(path, ()), *self._last.get(last, ())}
        found.update(self._stems.get(stem, ()))
        if folder == EMBEDDINGS:
            for key in sub_paths(path):
                found.update(self._embeddings.get(key, ()))
        return sorted(found)


class Vocabulary:
    """The names of a host's model files, to be found in texts.

    Args:
        files: folder and name of each, as the server lists them.
    """

    def __init__(self, files: Iterable[tuple[str, str]]) -> None:
        self._whole: set[str] = set()
        self._last: set[str] = set()
        self._stems: set[str] = set()
        self._embeddings: set[str] = set()
        self._plain: set[str] = set()
        endings: Counter[str] = Counter()
        for folder, name in files:
            path = _tidy(name)
            last = last_part(path)
            self._whole.add(path)
            self._last.add(last)
            self._stems.add(without_ending(last))
            if folder == EMBEDDINGS:
                self._embeddings.update(sub_paths(path))
            endings[_ending(last)] += 1
        self._longest = max(map(len, self._last), default=0)
        known = [e for e, _ in endings.most_common(_MOST_ENDINGS) if e]
        self._plain = {last for last in self._last if _ending(last) not in known}
        # What has no quotes has none of them within a name, and most texts end at one.
        self._quoted = any('"' in last for last in self._whole)
        alternatives = "|".join(map(re.escape, sorted(known, key=len, reverse=True)))
        self._name = re.compile(f"(?:{alternatives})(?![A-Za-z0-9_])") if known else None
        self._remembered: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}

    def named_in(self, raw: bytes) -> Named:
        """What a workflow names, whether or not it can be read as one.

        Args:
            raw: its bytes.
        """
        whole: set[str] = set()
        last: set[str] = set()
        stems: set[str] = set()
        embeddings: set[str] = set()
        for text in _texts(raw):
            for piece in islice(self._pieces(text), _MOST_PLACES):
                as_whole, as_last = self._ends_in(piece)
                whole.update(as_whole)
                last.update(as_last)
            if "mbedding:" in text:
                for match in islice(_EMBEDDING.finditer(text), _MOST_PLACES):
                    embeddings.update(self._begins_with(match[1], self._embeddings))
            for match in islice(_TAG.finditer(text), _MOST_PLACES):
                stems.update(self._begins_with(match[1], self._stems, by_last_part=True))
            if _STRENGTH.search(text):
                rows = (match[0] for match in _ROW.finditer(text))
                for row in islice(filter(_STRENGTH.search, rows), _MOST_PLACES):
                    stems.update(self._rows(row))
        return Named(frozenset(whole), frozenset(last), frozenset(stems), frozenset(embeddings))

    def _pieces(self, text: str) -> Iterator[str]:
        """The parts of a text that may end in the name of a file."""
        for match in self._name.finditer(text) if self._name else ():
            end = match.end()
            begin = max(0, end - _LONGEST)
            if not self._quoted:
                begin = max(begin, text.rfind('"', begin, end) + 1)
            yield text[begin:end]
        if self._plain:
            yield from (p for p in _QUOTE.split(text) if last_part(_tidy(p)) in self._plain)

    def _ends_in(self, piece: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The whole names that a part of a text ends in; where there is none, the last parts."""
        known = self._remembered.get(piece)
        if known is not None:
            return known
        text = _tidy(_QUOTE.sub('"', piece))
        ends = [text[begin:] for begin in _begins(text)]
        if "%" in text:  # the address of a file
            plain = _tidy(unquote(text))
            ends += [plain[begin:] for begin in _begins(plain)]
        whole = tuple(end for end in ends if end in self._whole)
        last = () if whole else tuple(end for end in ends if end in self._last)
        if not (whole or last):  # a longer name that no file here has
            tail = last_part(text)[-self._longest :]
            last = tuple(tail[n:] for n in range(len(tail)) if tail[n:] in self._last)
        if len(piece) < _SHORT and len(self._remembered) < _MOST_REMEMBERED:
            self._remembered[piece] = whole, last
        return whole, last

    def _begins_with(
        self, piece: str, known: set[str], *, by_last_part: bool = False
    ) -> Iterator[str]:
        """The names without an ending that a part of a text begins with."""
        text = _tidy(piece)
        for end in (*(match.start() for match in _EDGE.finditer(text)), len(text)):
            name = text[:end].strip().rstrip(".")
            for each in (name, without_ending(name)):
                key = last_part(each) if by_last_part else each
                if key in known:
                    yield key

    def _rows(self, row: str) -> Iterator[str]:
        for text in _QUOTE.split(row):
            if (key := last_part(_tidy(text))) in self._stems:
                yield key


def _texts(raw: bytes) -> Iterator[str]:
    """What bytes may say: ComfyUI reads UTF-8, and people save other things."""
    yield from _readings(raw.decode("utf-8", "replace"))
    encoding = detect_encoding(raw)
    if not encoding.startswith("utf-8"):
        yield from _readings(raw.decode(encoding, "replace"))


def _readings(text: str) -> Iterator[str]:
    r"""A text of JSON with what is escaped in it as it is; twice where that may mean two things.

    ``\\u00e9`` is a letter in JSON that stands within a text of JSON, else a folder's name.
    """
    if "\\u" not in text:
        yield text
        return
    once = _ODD_ESCAPE.sub(lambda match: match[1] + chr(int(match[2], 16)), text)
    yield _PAIR.sub(_joined, once)
    if _ANY_ESCAPE.search(once):
        yield _PAIR.sub(_joined, _ANY_ESCAPE.sub(lambda match: chr(int(match[1], 16)), text))


def _joined(match: re.Match[str]) -> str:
    return match[0].encode("utf-16", "surrogatepass").decode("utf-16")


def _tidy(path: str) -> str:
    """A path with one kind of slash, its letters in one Unicode form, line breaks as in JSON."""
    if not path.isascii():
        path = unicodedata.normalize("NFC", path)
    if not path.isprintable():
        path = path.translate(_CONTROLS)
    return _SLASHES.sub("/", path)


def _begins(text: str) -> Iterator[int]:
    """Where in a text the name that it ends in may begin."""
    yield 0
    for match in _EDGE.finditer(text):
        yield match.start()  # a name may begin with anything
        yield match.end()
    for match in _BREAK.finditer(text):
        yield match.end()


def _ending(name: str) -> str:
    dot = name.rfind(".")
    return name[dot:] if dot > 0 and len(name) - dot <= _LONGEST_ENDING else ""


def without_ending(name: str) -> str:
    """A name, or a path, without what follows the last dot of its last part."""
    ending = _ending(last_part(name))
    return name[: len(name) - len(ending)]


def sub_paths(path: str) -> Iterator[str]:
    """The names under which a text encoder finds an embedding: in any folder above it."""
    parts = without_ending(path).split("/")
    return ("/".join(parts[begin:]) for begin in range(len(parts)))
