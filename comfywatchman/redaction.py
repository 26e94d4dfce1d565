"""Keeps the credential of this process out of everything that it shows, sends on or keeps.

A server, or the proxy before it, may send back what it was sent: as it is, percent-encoded, as
base64, escaped as in JSON, HTML or a ``repr``, broken into lines. :func:`hide` finds it in all of
these forms. What a server sent passes here before anything else sees it (``comfyui/client.py``);
text that others wrote once more where it is made safe to show (:mod:`comfywatchman.escape`); and,
as a last net, whatever is written to the state folder and the standard streams (:func:`catch`).

Without a credential, and until :func:`protect` is told of it, all of this does nothing.

Secrets of others, which nobody has told of, are for :mod:`comfywatchman.masking`.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HIDDEN: Final = "***"
"""What stands in the place of a secret."""
LEAST: Final = 8
"""Characters below which a text is not looked for: within other words it would be everywhere."""

_LARGE: Final = 256 * 1024
"""Bytes from which on a text is searched more coarsely, see :meth:`Redactor.hide`."""
_HUGE: Final = 8 * 1024**2
_LONGEST: Final = 2048
"""Characters of a secret that are compared; what follows them without a break goes with them."""
_BLOCK: Final = 30
"""Of neighbouring blocks so long, one is whole in lines of 60 characters and more."""
_CHUNK: Final = 256 * 1024
_WIDEST: Final = 20
"""Characters that one may take, doubly escaped and with a line's end behind it."""

_UNIT: Final = re.compile(
    rb"""
      \r?\n | \\{1,3}r\\{1,3}n | \\{1,3}[rn] | %(?:25)*0[dDaA] | <br\ ?/?> | [ \t]+
    | \\+u(?P<high>[dD][89abAB][0-9a-fA-F]{2})\\+u(?P<low>[dD][c-fC-F][0-9a-fA-F]{2})
    | \\+u(?P<unit>[0-9a-fA-F]{4})
    | (?:\\+x|%(?:25)*)(?P<byte>[0-9a-fA-F]{2})
    | &(?:amp;)*(?:\#[xX]0*(?P<hex>[0-9a-fA-F]{1,6}) | \#0*(?P<number>[0-9]{1,7})
        | (?P<name>lt|gt|quot|apos)) ;?
    | &(?P<ampersand>(?:amp;)+)
    | \\*+(?P<plain>[^\\]) | \\+
    """,
    re.VERBOSE | re.DOTALL,
)
"""One character in any of its forms; backslashes before it belong to it.

Blanks are none: a header that was folded has one in the place of a line's end.
"""
_NAMED: Final = {b"amp": b"&", b"lt": b"<", b"gt": b">", b"quot": b'"', b"apos": b"'"}
_REST: Final = re.compile(
    rb"(?:[A-Za-z0-9+=._~-]|\\?[/._~+-]|%[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|&\#[xX]?[0-9a-fA-F]+;)*+"
)
_PLAIN_WORD: Final = re.compile(r"[a-z_]+")
_NUMBER: Final = re.compile(rb"[0-9.eE+-]+")
_SPECIAL: Final = re.compile(rb"[\\%&<\s]")


class _Blocks(NamedTuple):
    """Pieces of secrets: ``each`` of every form."""

    texts: tuple[bytes, ...]
    each: int


class Redactor:
    """Finds secrets in whatever form they take.

    Args:
        secrets: what is to be hidden. Those shorter than :data:`LEAST` characters are left alone:
            give them within what goes with them (``Basic …``).

    Attributes:
        has_short_ones: whether there are any of those.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        secrets = list(secrets)
        self.has_short_ones = any(len(secret) < LEAST for secret in secrets)
        kept = [secret.encode() for secret in secrets if len(secret) >= LEAST]
        whole = [*kept, *(_without_padding(base64.b64encode(secret)) for secret in kept)]
        parts = [form for secret in kept for form in _inside_base64(secret)]
        whole = [form for each in whole for form in (each, each.translate(_URL_SAFE))]
        self._all = _longest_first(form[:_LONGEST] for form in [*whole, *parts])
        self._reach = len(self._all[0]) * _WIDEST if kept else 0
        self._blocks = _blocks(self._all, 4)
        self._beginnings = _blocks({form[:_LONGEST] for form in whole}, 1).texts
        self._few_blocks = _blocks({form[:_LONGEST] for form in whole}, 2)
        self._escapes = _escapes_of(b"".join(self._all)) if kept else None
        self._suspicious = _suspicious(self._blocks) if kept else None

    def hide(self, data: bytes, *, coarsely: bool = False) -> bytes:
        """Put :data:`HIDDEN` in the place of every secret.

        What is JSON stays JSON. From 256 KiB on, one that is broken into lines or partly escaped is
        found if one half of it is whole (below: one quarter), and in base64 if nothing else is
        encoded with it but what :func:`protect` was given.

        Args:
            data: any bytes.
            coarsely: find only what is in one piece and not escaped: 0.06 s for 100 MB, a fifth.

        Returns:
            ``data`` itself if it holds none.
        """
        if self._escapes is None:
            return data
        if coarsely:
            anchors = sorted({at for text in self._beginnings for at in _places(text, data)})
        else:
            blocks = self._few_blocks if len(data) >= _LARGE else self._blocks
            anchors = self._anchors(data, blocks)
        spans = sorted({span for part in self._regions(data, anchors) for span in self._in(*part)})
        if not spans:
            return data
        pieces, done = [], 0
        for start, end in spans:
            if start >= done:
                pieces += [data[done:start], _stand_in(data[start:end])]
            done = max(done, end)
        return b"".join([*pieces, data[done:]])

    def hide_text(self, text: str) -> str:
        """As :meth:`hide`, of text; fast where it is short, as names are."""
        if self._suspicious is None or not self._suspicious.search(text):
            return text
        raw = text.encode(errors="surrogatepass")
        hidden = self.hide(raw)
        return text if hidden is raw else hidden.decode(errors="surrogatepass")

    def _anchors(self, data: bytes, blocks: _Blocks) -> list[int]:
        """Where a secret may be: a piece of it, or escapes enough that no piece is whole."""
        assert self._escapes is not None  # noqa: S101
        found = {at for block in blocks.texts for at in _places(block, data)}
        escapes = sorted(e.start() for escape in self._escapes for e in escape.finditer(data))
        for first, last in zip(escapes, escapes[blocks.each - 1 :], strict=False):
            if last - first <= self._reach:
                found |= {first, last}
        return sorted(found)

    def _regions(self, data: bytes, anchors: list[int]) -> Iterator[tuple[bytes, int]]:
        """The text around each anchor, with its place, no piece of it much larger than a chunk."""
        reach = self._reach
        start = end = 0
        for anchor in [*anchors, len(data) + 2 * reach + 1]:
            if end and (anchor - reach > end or anchor - start > _CHUNK):
                begin = start
                while begin and data[begin - 1] == _BACKSLASH:
                    begin -= 1
                yield data[begin:end], begin
                end = 0
            start = start if end else max(0, anchor - reach)
            end = min(len(data), anchor + reach)

    def _in(self, text: bytes, offset: int) -> Iterator[tuple[int, int]]:
        """Where in a piece of text, which begins at ``offset``, secrets are."""
        for form in self._all:
            for at in _places(form, text):
                yield self._span(text, at, at + len(form), offset, form)
        if not _SPECIAL.search(text):
            return
        plain = bytearray()
        starts: list[int] = []
        ends: list[int] = []
        for unit in _UNIT.finditer(text):
            character = _read(unit)
            plain += character
            starts += [unit.start()] * len(character)
            ends += [unit.end()] * len(character)
        for form in self._all:
            wanted = _plain(form)
            for at in _places(wanted, bytes(plain)):
                yield self._span(text, starts[at], ends[at + len(wanted) - 1], offset, form)

    @staticmethod
    def _span(text: bytes, start: int, end: int, offset: int, form: bytes) -> tuple[int, int]:
        """A place, with the backslashes before it: they would escape what stands in its place."""
        while start and text[start - 1] == _BACKSLASH:
            start -= 1
        if len(form) == _LONGEST and (rest := _REST.match(text, end)):
            end = rest.end()
        return offset + start, offset + end


_BACKSLASH: Final = ord("\\")
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


def _places(wanted: bytes, text: bytes) -> Iterator[int]:
    at = text.find(wanted) if wanted else -1
    while at >= 0:
        yield at
        at = text.find(wanted, at + len(wanted))


def _stand_in(found: bytes) -> bytes:
    """What is put in the place of a secret; of one that is a number, a number: JSON stays JSON."""
    return re.sub(rb"[0-9]", b"1", found) if _NUMBER.fullmatch(found) else HIDDEN.encode()


def _longest_first(forms: Iterable[bytes]) -> tuple[bytes, ...]:
    return tuple(sorted(dict.fromkeys(forms), key=lambda form: (-len(form), form)))


def _without_padding(encoded: bytes) -> bytes:
    return encoded.rstrip(b"=")


def _inside_base64(secret: bytes) -> Iterator[bytes]:
    """What base64 of any text that holds the secret must hold, by where in it the secret begins."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + secret)
        sure = encoded[-(-before * 8 // 6) : (before + len(secret)) * 8 // 6]
        yield from (sure, sure.translate(_URL_SAFE))


def _escapes_of(characters: bytes) -> tuple[re.Pattern[bytes], ...]:
    """What finds an escape of one of these: each begins with a letter, and so is fast."""
    text = characters.decode(errors="replace")  # the longest are cut, within a character too
    encoded = text.encode("utf-16-be")
    units = {encoded[at : at + 2].hex() for at in range(0, len(encoded), 2)}
    octets = {f"{octet:02x}" for octet in characters}
    references = {
        f"#0*{ord(c)}(?![0-9])|#[xX]0*{_either_case([f'{ord(c):x}']).decode()}" for c in text
    }
    references |= {f"{name.decode()};" for name, c in _NAMED.items() if c in characters}
    return (
        re.compile(rb"%%(?:25)*(?:%s)" % _either_case(octets)),
        re.compile(rb"\\(?:u(?:%s)|x(?:%s))" % (_either_case(units), _either_case(octets))),
        re.compile(rb"&(?:amp;)*(?:%s)" % "|".join(sorted(references)).encode()),
    )


def _blocks(forms: Iterable[bytes], each: int) -> _Blocks:
    """Pieces of each form, so many of it; none of a form that holds another, which is enough."""
    forms = list(forms)
    least = [f for f in forms if not any(other in f for other in forms if other != f)]
    pieces: dict[bytes, None] = {}
    for form in least:
        size = min(_BLOCK, max(4, -(-len(form) // each)))
        pieces |= dict.fromkeys(form[size * n : size * (n + 1)] for n in range(each))
    return _Blocks(tuple(piece for piece in pieces if len(piece) > 2), each)


def _suspicious(blocks: _Blocks) -> re.Pattern[str]:
    """What a text must hold to be worth a closer look."""
    texts = {text for block in blocks.texts if len(text := block.decode(errors="ignore")) > 1}
    escapes = [r"\\[uUx]", "%[0-9A-Fa-f]{2}", "&[#alqg]"]
    return re.compile("|".join([*map(re.escape, sorted(texts)), *escapes]))


def _either_case(digits: Iterable[str]) -> bytes:
    """A pattern for hexadecimal numbers, whichever case each digit has."""
    spelled = (
        "".join(f"[{d}{d.upper()}]" if d.isalpha() else d for d in number)
        for number in sorted(digits)
    )
    return "|".join(spelled).encode()


def _plain(form: bytes) -> bytes:
    """A secret as :meth:`Redactor._in` reads it in any of its forms."""
    return b"".join(map(_read, _UNIT.finditer(form)))


def _read(unit: re.Match[bytes]) -> bytes:
    """What one unit stands for; nothing for a blank, or a backslash, which may be an escape."""
    kind = unit.lastgroup
    if kind is None:
        return b""
    found = unit[kind]
    match kind:
        case "plain":
            return found
        case "name":
            return _NAMED[found]
        case "ampersand":
            return b"&"
        case "byte":
            read = bytes.fromhex(found.decode())
        case "low":
            high, low = int(unit["high"], 16), int(found, 16)
            read = chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)).encode()
        case _:
            point = int(found, 10 if kind == "number" else 16)
            read = chr(point).encode(errors="surrogatepass") if point <= 0x10FFFF else b""
    return read.strip(b"\\ \t\r\n")


_in_use = Redactor(())
_in_use_for_net = Redactor(())
_of_server: tuple[str, ...] = ()
_of_downloads: tuple[str, ...] = ()


def protect(*secrets: str) -> None:
    """From now on, hide these, and no longer those of before."""
    global _of_server  # noqa: PLW0603  (a process has one credential)
    _of_server = secrets
    _use()


def protect_in_downloads(*secrets: str) -> None:
    """From now on, hide these too, whatever credential for the server there is beside them."""
    global _of_downloads  # noqa: PLW0603  (a process has one file of tokens)
    _of_downloads = secrets
    _use()


def _use() -> None:
    global _in_use, _in_use_for_net  # noqa: PLW0603
    secrets = (*_of_server, *_of_downloads)
    _in_use = Redactor(secrets)
    # Reports are made of plain words, down to the keys of their JSON.
    _in_use_for_net = Redactor(s for s in secrets if not _PLAIN_WORD.fullmatch(s))


def some_are_too_short() -> bool:
    """Whether a secret in use is hidden only where it stands with what goes with it."""
    return _in_use.has_short_ones


def hide(data: bytes) -> bytes:
    """What a server sent, without the credential; see :meth:`Redactor.hide`.

    Of 8 MiB on it is looked for coarsely: of a list of node types so large a few words are ever
    shown, and in those it is found, in whatever form, when they are.
    """
    return _in_use.hide(data, coarsely=len(data) >= _HUGE)


def hide_text(text: str) -> str:
    """As :func:`hide`, of text."""
    return _in_use.hide_text(text)


def catch(data: bytes) -> bytes:
    """What is about to be written, without a credential that should never have come so far.

    A credential that is nothing but a plain word (small letters and ``_``) is let through: it may
    be a word of ours.
    """
    return _in_use_for_net.hide(data)


def catch_text(text: str) -> str:
    """As :func:`catch`, of text."""
    return _in_use_for_net.hide_text(text)
