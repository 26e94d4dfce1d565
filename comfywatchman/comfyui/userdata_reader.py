"""What a cycle reads of the workflows that are saved on the server: as little as it can.

What has not changed is not asked for. The rest is, those first that were asked for longest ago,
until the time for it is up.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Final

from comfywatchman.comfyui import userdata
from comfywatchman.comfyui.client import ComfyUIError
from comfywatchman.comfyui.connections import AT_ONCE
from comfywatchman.comfyui.fetching import Fetching, is_of_the_server, lives
from comfywatchman.comfyui.kept_workflows import KeptWorkflows, Packed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from comfywatchman.comfyui.client import ComfyUIClient
    from comfywatchman.comfyui.fetching import Fetched
    from comfywatchman.comfyui.userdata import SavedOnServer

ANSWERS: Final = 10
"""Reading may take as long as so many answers may (``read_timeout``): 5 minutes by default."""
_RESERVED: Final = 2
"""So many answers' time is left to what a cycle asks afterwards."""


class NotReadError(Exception):
    """The server was too slow for this workflow, or gone."""


class UserdataReader:
    """Reads the workflows of one server in one cycle.

    Attributes:
        url: the server's address.
        remark: one sentence once some could not be read in time; None if all could.
        brief: the same in a few words.

    Args:
        client: the server.
        kept: what earlier cycles read; None: nothing is kept.
        most_s: seconds that reading may take, if not less time is left for other reasons.
    """

    def __init__(
        self, client: ComfyUIClient, kept: KeptWorkflows | None = None, most_s: float = math.inf
    ) -> None:
        self.url = client.url
        self.remark: str | None = None
        self.brief: str | None = None
        self._client = client
        self._kept = kept or KeptWorkflows(None, client.url)
        self._most_s = most_s
        self._seconds = 0.0
        self._ends: float | None = None
        self._refused: dict[SavedOnServer, ComfyUIError] = {}
        self._not_read: set[SavedOnServer] = set()

    @property
    def trouble(self) -> str | None:
        """One sentence if what is read cannot be kept, or what was kept is lost."""
        return self._kept.trouble

    @property
    def seconds_left(self) -> float:
        """How long reading may still take; its time runs from when this is first asked."""
        now = time.monotonic()
        if self._ends is None:
            answer_s = self._client.answer_s
            left = self._client.seconds_left - _RESERVED * answer_s
            self._seconds = max(0.0, min(ANSWERS * answer_s, self._most_s, left))
            self._ends = now + self._seconds
        return self._ends - now

    def digest(self, saved: SavedOnServer) -> str | None:
        """SHA-256 of a workflow's bytes, in hexadecimal, if it is known without asking for them."""
        return self._kept.digest(saved)

    def to_fetch(self, workflows: Sequence[SavedOnServer], max_bytes: int) -> list[SavedOnServer]:
        """Those that have to be asked for, in the order in which that should be done.

        Args:
            workflows: all that are wanted.
            max_bytes: do not ask for larger ones.
        """
        changed = [
            each
            for each in workflows
            if self._kept.digest(each) is None and (each.size or 0) <= max_bytes
        ]
        return sorted(changed, key=self._kept.asked_at)

    def fetch(
        self,
        workflows: Sequence[SavedOnServer],
        max_bytes: int,
        sent: Callable[[], object] = lambda: None,
    ) -> None:
        """Ask for workflows, until all are read or the time is up.

        Args:
            workflows: as :meth:`to_fetch` gives them.
            max_bytes: refuse larger ones.
            sent: is called each time that the server has sent one.
        """
        ends = time.monotonic() + self.seconds_left
        fetching = Fetching(self._client, self._kept, max_bytes, ends, sent)
        fetched = fetching.run(workflows)
        self._refused.update(fetched.refused)
        self._not_read.update(fetched.not_read)
        if fetched.not_read:
            self._tell(fetched, len(workflows))

    def begin(self, workflows: Sequence[SavedOnServer], *, all_seen: bool) -> None:
        """Read what earlier cycles kept.

        Args:
            workflows: all that are wanted.
            all_seen: whether they are all that there are, so that others are kept no longer.
        """
        self._kept.open()
        if all_seen:
            self._kept.keep_only(workflows)

    def read(self, saved: SavedOnServer, max_bytes: int) -> bytes:
        """The bytes of a workflow: kept, or asked for now.

        Raises:
            NotReadError: the server was too slow, or is gone.
            ComfyUIError: the server does not give it, or it is larger than ``max_bytes``.
        """
        if saved in self._not_read:
            raise NotReadError
        if saved in self._refused:
            raise self._refused[saved]
        raw = self._kept.content(saved, max_bytes)
        if raw is not None:
            return raw
        try:
            raw = userdata.fetch(self._client, saved, max_bytes)
        except ComfyUIError as error:
            if is_of_the_server(error) and not lives(self._client):
                self._not_read.add(saved)
                raise NotReadError from None
            raise
        self._kept.put(saved, Packed.of(raw))
        return raw

    def _tell(self, fetched: Fetched, wanted: int) -> None:
        took = ""
        if fetched.median is not None:
            took = f", {fetched.median:.2g} s each in the middle"
        pace = f"{fetched.requests:,} requests, at most {AT_ONCE} at once{took}"
        what = (
            f"{len(fetched.not_read):,} of {wanted:,} new or changed workflows were not read from "
            "the server"
        )
        if fetched.stopped is not None:
            self.brief = f"the server sent only some of its workflows ({pace})"
            self.remark = f"{what}: {fetched.stopped} ({pace})"
            return
        over = ""
        if fetched.time_up:
            over = f", and the {self._seconds:.0f} s for reading them were over"
        self.brief = f"the server is slow ({pace})"
        self.remark = (
            f"{what}: {self.url} is slow, or the network is ({pace}){over}; the next cycle begins "
            "with them"
        )
