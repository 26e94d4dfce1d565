"""The downloads of a plan: into which folders, from which hosts, and with which tokens."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from comfywatchman.escape import visible
from comfywatchman.fixes import download_hosts
from comfywatchman.fixes.download_order import DownloadError, Limits, Order, check
from comfywatchman.fixes.downloading import Progress, download

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from comfywatchman.fixes.here import Here
    from comfywatchman.fixes.plan import PlannedDownload
    from comfywatchman.settings import Settings


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Fetches what a plan names.

    Attributes:
        limits: what it keeps to.
        tokens: by host.
        tell: hears how far it is.
    """

    limits: Limits
    tokens: Mapping[str, str]
    tell: Callable[[Progress], None]

    def trouble(self, planned: PlannedDownload) -> str | None:
        """Why it would not be fetched, as far as that is known without asking anybody."""
        order = _order(planned)
        if order.target != planned.target:
            return f"{visible(planned.target)} is no plain path: nothing is put there"
        try:
            check(order, self.limits)
            download_hosts.refuse_unlisted(download_hosts.parsed(order.url), self.limits.hosts)
        except DownloadError as error:
            return str(error)
        return f"stale: {order.target} is there by now" if os.path.lexists(order.target) else None

    def fetch(self, planned: PlannedDownload) -> str:
        """Fetch it.

        Raises:
            DownloadError: why it is not there.
        """
        result = download(_order(planned), self.limits, self.tokens, self.tell)
        return f"{visible(planned.target)} is there: {result.size:,} bytes"


def fetcher(settings: Settings, here: Here, tell: Callable[[Progress], None]) -> Fetcher:
    """What fetches files for a host.

    Raises:
        ConfigError: the tokens cannot be read.
    """
    roots = {str(root) for places in here.places.values() for root in places}
    known = {os.path.dirname(file.path) for file in here.files}  # noqa: PTH120
    limits = Limits(
        folders=roots | known,
        hosts=settings.download_hosts,
        min_free=int(settings.min_free_disk),
        ca_file=settings.ca_file,
    )
    return Fetcher(limits, download_hosts.read_tokens(settings.download_token_file), tell)


def _order(planned: PlannedDownload) -> Order:
    folder, name = os.path.split(planned.target)
    return Order(planned.url, folder, name, planned.sha256, planned.size)
