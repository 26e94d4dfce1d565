"""Takes the secrets of others out of what is kept of a host, and of what is said of an error.

Nobody has told of them: they are known by where they stand and what they look like. Rather too much
is hidden than too little. Our own credential is for :mod:`comfywatchman.redaction`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from comfywatchman.redaction import HIDDEN, hide_text

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAMES_OF_SECRETS: Final = (
    r"(?:token|secret|passw(?:or)?d|passphrase|pwd|auth|authori[sz]ation|credentials?|cookie"
    r"|signature|bearer|jwt|key)s?"
)
_IS_SECRET_NAME: Final = re.compile(rf"[\w.-]*{_NAMES_OF_SECRETS}", re.IGNORECASE)
_SECRETS: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    # What logs in, before the host; a password may hold a slash, but a port and a path hold no @.
    (re.compile(r"(?<=://)(?:[^\s/?#]*|[^\s/@:]+:(?!\d{1,5}/)[^\s@]*)@"), f"{HIDDEN}@"),
    (re.compile(r"(?<![\w/])[^\s/@:\\=]{1,200}:[^\s/@\\]{1,500}@"), f"{HIDDEN}@"),
    (re.compile(r"(://[^\s?#\"']*)[?#][^\s\"']*"), rf"\1?{HIDDEN}"),
    (
        re.compile(
            rf"((?<![\w.-])[\w.-]*{_NAMES_OF_SECRETS}[\"']?\s*[=:]\s*)(?:(?:bearer|basic|token)\s+)?"
            rf"(?:\"[^\"]*(?:\"|$)|'[^']*(?:'|$)|[^\s\"'&;,}}]+)",
            re.IGNORECASE,
        ),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"\b(bearer|basic)\s+[\w+/=.~-]{6,}", re.IGNORECASE), rf"\1 {HIDDEN}"),
    # Tokens of GitHub, GitLab, Hugging Face, OpenAI and its like, Slack, AWS, Google, npm, PyPI,
    # Docker, Replicate, ComfyUI; and JSON Web Tokens.
    (
        re.compile(
            r"(?<![A-Za-z0-9])(?:gh[a-z]_\w{16,}|github_pat_\w{16,}|gl[a-z]{2,5}-[\w-]{16,}|hf_\w{16,}"
            r"|api_org_\w{16,}|[sr]k[-_][\w-]{16,}|xox[a-z]-[\w-]{10,}|A[KS]IA[0-9A-Z]{16}"
            r"|AIza[\w-]{30,}|npm_\w{16,}|pypi-[\w-]{16,}|dckr_pat_[\w-]{16,}|r8_\w{16,}"
            r"|comfyui-[0-9a-f]{32,}|eyJ[\w-]{6,}\.[\w-]{6,}\.[\w-]*)"
        ),
        HIDDEN,
    ),
)
_LIKE_SECRETS: Final = re.compile(
    r"(?<![\w-])(?:(?=[\w-]*[0-9])(?=[\w-]*[a-z])(?=[\w-]*[A-Z])[\w-]{32,}"
    r"|(?=[0-9a-fA-F]*[0-9])[0-9a-fA-F]{32,}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
    r"(?![\w-])"
)
_LONGEST_TEXT: Final = 2048
_LAST_WORD: Final = re.compile(r"(?<!\S)\S*\Z")
_NEGATIVE: Final = re.compile(r"-[0-9.]+")


def without_secrets(text: str) -> str:
    """A text without what may log in somewhere, by where it stands and what it looks like.

    Of an address that is what stands before the host and behind the path; of ``NAME=VALUE`` and
    ``NAME: VALUE`` the value where the name says that it is secret; and what has the form of a
    token.

    Args:
        text: any text; what is beyond 2,048 characters is cut off, with the word that it is in.
    """
    text = hide_text(text)
    if len(text) > _LONGEST_TEXT:
        text = _LAST_WORD.sub(HIDDEN, text[:_LONGEST_TEXT])
    for pattern, stand_in in _SECRETS:
        text = pattern.sub(stand_in, text)
    return text


def arguments_without_secrets(arguments: Sequence[str]) -> list[str]:
    """A command line without what may log in somewhere; see :func:`without_secrets`.

    What follows an option whose name says that it is secret is hidden too, and so is every long
    text that is as random as tokens are.
    """
    shown: list[str] = []
    secret = False
    for argument in arguments:
        is_option = argument.startswith("-") and not _NEGATIVE.fullmatch(argument)
        name, equals, _ = argument.partition("=")
        named = len(name) <= _LONGEST_TEXT and _IS_SECRET_NAME.fullmatch(name) is not None
        if secret and not is_option:
            shown.append(HIDDEN)
        elif equals and named:
            shown.append(f"{name}={HIDDEN}")
        else:
            shown.append(_LIKE_SECRETS.sub(HIDDEN, without_secrets(argument)))
        secret = (secret and not is_option) or (is_option and named and not equals)
    return shown
