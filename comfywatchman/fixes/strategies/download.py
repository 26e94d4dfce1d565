"""The file that lacks, from the address that the workflow itself names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from comfywatchman.findings import NAME_LENGTH, printable, quoted
from comfywatchman.fixes.candidate import Candidate
from comfywatchman.fixes.proposal import Download
from comfywatchman.results import FixKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfywatchman.fixes.fault import Fault

ORDER: Final = 100

_LONGEST: Final = 2_000


def candidates(fault: Fault) -> Iterator[Candidate]:
    """Fetch it into the folder where the node looks."""
    wanted, folder, target = fault.wanted, fault.folder, fault.target
    named = fault.named_model
    url = named.get("url")
    if wanted is None or folder is None or target is None or not isinstance(url, str):
        return
    if not may_be_fetched(url):
        return
    text = (
        f"Download {printable(url, 400)}, which the workflow names, into "
        f"models/{printable(folder)} as {quoted(wanted, NAME_LENGTH)}."
    )
    content = fault.expected
    download = Download(url, folder, wanted, target, content.sha256, content.size)
    yield Candidate(FixKind.DOWNLOAD, text, download=download)


def may_be_fetched(url: str) -> bool:
    """Whether an address is https and nothing odd; from which hosts is for others to say."""
    if not url.isascii() or not url.isprintable() or len(url) > _LONGEST or set(url) & set(' \\"'):
        return False
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname) and "@" not in parts.netloc
