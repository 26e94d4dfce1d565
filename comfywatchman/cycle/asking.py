"""The order in which a server is asked for its own word (``ask_server: doubtful``).

Nothing may ever be queued by it. So a question is put only if the queue is empty, once for each
digest of prompt and catalog, after a calibration, and noted down before. Should the server accept
one all the same: the off switch first, on the disk; then that prompt out of the queue; then that
prompt interrupted; then it is told. What is no answer ends the asking for this cycle, and it is
looked up what became of the prompt.
"""

from __future__ import annotations

import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from comfywatchman import off_switch, room
from comfywatchman.comfyui import asking as server
from comfywatchman.comfyui.client import ComfyUIError
from comfywatchman.cycle.answers import Answers
from comfywatchman.escape import visible
from comfywatchman.judging.question import calibration
from comfywatchman.judging.refusal import Accepted, Refusal, is_as_calibrated, read

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from comfywatchman.comfyui.catalog import Catalog
    from comfywatchman.comfyui.client import ComfyUIClient
    from comfywatchman.judging.question import Question
    from comfywatchman.off_switch import OffSwitch

_WITHDRAWN: Final = {
    True: "It was taken out of the queue",
    False: "It could not be taken out of the queue: do so by hand",
}
_INTERRUPTED: Final = {
    "told": ", and interrupted in case it ran",
    "not told": ", and could not be interrupted: see that it does not run",
    "not by id": ", and was not interrupted, as this release is not known to interrupt one prompt "
    "and no other: see that it does not run",
}
_SILENT: Final = (
    "the server's own word on some doubtful workflows (ask_server): they were asked about before, "
    "no answer came, and they are not asked about again until they or the server's node types "
    "change"
)
_ANSWERS_LEFT: Final = 6
"""Answers that there must be time for when a question is put: what follows if it is accepted."""
MOST_ASKED: Final = 50
"""Most questions of a cycle: each leaves lines in the server's log. The rest waits for the next."""


class Asking:
    """Asks the server, or says why not.

    Args:
        client: the server.
        folder: the state folder.
        catalog: the node types of the server, and its version.
        digest: of the catalog.
        answer_s: how long one answer may take, in seconds.
        alarm: is told at once what a person must see.

    Attributes:
        asked: how many questions were put in this cycle, the calibration aside.
        remarks: why others were not, a sentence each.
        alarms: what a person must see at once.
    """

    def __init__(
        self,
        client: ComfyUIClient,
        folder: Path,
        catalog: Catalog,
        digest: str,
        *,
        answer_s: float,
        alarm: Callable[[str], None],
    ) -> None:
        self._client = client
        self._folder = folder
        self._catalog = catalog
        self._time_needed = _ANSWERS_LEFT * answer_s
        self._alarm = alarm
        self._answers = Answers(folder, digest)
        self._stopped = False
        self._missed = False
        self.asked = 0
        self.remarks: list[str] = []
        self.alarms: list[str] = []

    def known(self, question: Question) -> Refusal | None:
        """What the server answered to a question before; it is not asked now."""
        self._missed = not self._answers.has(question.digest)
        answer = self._answers.get(question.digest)
        if answer is None and not self._missed and _SILENT not in self.remarks:
            self.remarks.append(_SILENT)
        return answer

    def missed(self) -> bool:
        """Whether :meth:`known`, called last, did not know: the question is to be put."""
        missed, self._missed = self._missed, False
        return missed

    def finish_the_last(self) -> None:
        """Do what a cycle that was ended in the middle left. Call it before :meth:`ask`."""
        switch = off_switch.read(self._folder)
        if switch is not None:
            self._stopped = True
            if not switch.withdrawn and switch.prompt_id is not None:
                self._take_back(switch, switch.prompt_id, f"{switch.sentence}. ")
        try:
            for prompt_id in self._answers.open:
                accepted = self._was_accepted(prompt_id)
                if accepted:
                    self._accepted(prompt_id, mark=prompt_id)
                elif accepted is not None:
                    self._answers.close(prompt_id)
        except OSError as error:
            self._stop(f"what it is asked cannot be noted down: {room.why(error, self._folder)}")

    def ask(self, question: Question) -> Refusal | None:
        """Put a question to the server, if all that guards it holds; None where it does not."""
        if not self._answers.has(question.digest):
            if self.asked >= MOST_ASKED:
                self._stop(f"{MOST_ASKED} questions were put, the others wait for the next cycles")
            self._calibrate()
            if not self._stopped:
                self._put(question)
        return self._answers.get(question.digest)

    @property
    def stopped(self) -> bool:
        """Whether nothing more is asked in this cycle."""
        return self._stopped

    def _calibrate(self) -> None:
        """See that the server refuses as others do, if that was not seen with this catalog."""
        if self._answers.calibrated is None and not self._stopped:
            question = calibration(self._catalog)
            if question is None:
                self._stop("it lacks the node types of ComfyUI's own that a first question needs")
            else:
                self._put(question, is_calibration=True)
        if self._answers.calibrated is False:
            self._stop("it did not refuse a first question as ComfyUI does")

    def _put(self, question: Question, *, is_calibration: bool = False) -> None:
        prompt_id = str(uuid.uuid4())
        if self._client.seconds_left < self._time_needed:
            self._stop("the time for all that a cycle asks is nearly up")
            return
        try:
            if server.queued(self._client):
                self._stop("its queue was not empty")
                return
        except ComfyUIError as error:
            self._stop(f"its queue could not be looked at: {error}")
            return
        try:
            self._answers.begin(question.digest, prompt_id)
            answer = self._post(question, prompt_id)
            self.asked += not is_calibration and answer is not None
            if isinstance(answer, Accepted):
                self._accepted(answer.prompt_id or prompt_id, mark=prompt_id)
            elif answer is not None:
                if is_calibration:
                    self._answers.calibrate(passed=is_as_calibrated(answer))
                self._answers.answered(question.digest, prompt_id, answer)
        except OSError as error:
            self._stop(f"what it is asked cannot be noted down: {room.why(error, self._folder)}")

    def _post(self, question: Question, prompt_id: str) -> Refusal | Accepted | None:
        """Post a question; what is no answer ends the asking.

        Raises:
            OSError: what became of it could not be noted.
        """
        try:
            answer = read(*server.post(self._client, question.prompt, prompt_id))
        except ComfyUIError as error:
            self._stop(f"a question was not answered: {error}")
            if not error.sent:
                self._answers.take_back(question.digest, prompt_id)
                return None
            answer = None
        if answer is None:
            self._stop("a question was answered with something that is no answer of ComfyUI's")
            if self._was_accepted(prompt_id):
                return Accepted(prompt_id)
        return answer

    def _was_accepted(self, prompt_id: str) -> bool | None:
        """Whether a prompt without an answer was queued; None if that cannot be told now."""
        try:
            return server.was_accepted(self._client, prompt_id)
        except ComfyUIError as error:
            self._stop(f"what became of a question is not known: {error}")
            return None

    def _accepted(self, prompt_id: str, *, mark: str) -> None:
        """The server accepted what it had to refuse: off for good, and the prompt taken back.

        Raises:
            OSError: that it is known what became of the prompt could not be noted.
        """
        self._stopped = True
        begins = f"ComfyUI accepted a prompt that was made to be refused ({visible(prompt_id)}). "
        try:
            switch = off_switch.throw(self._folder, prompt_id)
        except OSError as error:
            file = self._folder / off_switch.NAME
            begins += (
                f"{file} could not be stored ({room.why(error, self._folder)}): set ask_server to "
                "never now. "
            )
            self._take_back(None, prompt_id, begins)
            return
        begins += f"It is never asked again until a person removes {switch.file}. "
        self._take_back(switch, prompt_id, begins)
        self._answers.close(mark)

    def _take_back(self, switch: OffSwitch | None, prompt_id: str, begins: str) -> None:
        withdrawn = server.withdraw(self._client, prompt_id)
        interrupted = server.interrupt(self._client, prompt_id, self._catalog.version)
        if switch is not None and withdrawn:
            with suppress(OSError):  # then it is done once more in the next cycle
                off_switch.settle(switch)
        sentence = begins + _WITHDRAWN[withdrawn] + _INTERRUPTED[interrupted]
        self.alarms.append(sentence)
        self._alarm(sentence)

    def _stop(self, why: str) -> None:
        if not self._stopped:
            self._stopped = True
            self.remarks.append(
                f"the server's own word on all doubtful workflows (ask_server): {why}"
            )
