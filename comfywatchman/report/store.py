"""Keeping what a cycle found: ``last-run.json`` of every cycle, and the last full report."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import ValidationError

from comfywatchman import __version__, started, state, state_files
from comfywatchman.errors import ConfigError
from comfywatchman.escape import visible
from comfywatchman.results import GateAnswer, LastRun, Outcome, Report, Summary

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class ReportStore:
    """The state folder of one instance. Every file is replaced in one step.

    Args:
        folder: made if it is not there, for its owner alone.

    Raises:
        ConfigError: it cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        state.make_folder(folder)

    @property
    def verdicts(self) -> Path:
        """Where the verdicts of the last cycle are kept."""
        return self.folder / state_files.VERDICTS

    @property
    def verdicts_so_far(self) -> Path:
        """Where those are that a cycle has reached which has not ended."""
        return self.folder / state_files.VERDICTS_SO_FAR

    @property
    def model_answers(self) -> Path:
        """Where it is kept what was found of model files."""
        return self.folder / state_files.MODEL_ANSWERS

    @property
    def node_map(self) -> Path:
        """Where the node map of the server's Manager is kept."""
        return self.folder / state_files.NODE_MAP

    @property
    def server_workflows(self) -> Path:
        """Where the workflows that the server sent are kept."""
        return self.folder / state_files.SERVER_WORKFLOWS

    def last_run(self) -> LastRun | None:
        """What became of the last cycle; None if there was none, or that cannot be read."""
        try:
            content = state.read_file(self.folder / state_files.LAST_RUN)
            return LastRun.model_validate_json(content, extra="ignore")
        except (OSError, ValidationError):
            return None

    def begin(self, started_at: datetime, paths: Sequence[str]) -> None:
        """Mark a cycle as running, so that one that is killed leaves a trace. Call it locked.

        Raises:
            OSError: it could not be written.
        """
        state.remove_leftovers(self.folder)
        self._leave_lock_to_owner()
        self._write(
            self._last_run(Outcome.RUNNING, "the cycle is running", started_at, paths=paths)
        )

    def _leave_lock_to_owner(self) -> None:
        if owner := state.owner_besides_root(self.folder):
            with suppress(OSError):
                os.chown(self.folder / state_files.LOCK, *owner, follow_symlinks=False)

    def finish(
        self,
        outcome: Outcome,
        reason: str,
        started_at: datetime,
        *,
        duration_s: float = 0.0,
        paths: Sequence[str] = (),
        gate: Sequence[GateAnswer] = (),
        summary: Summary | None = None,
        history: str | None = None,
        metrics: str | None = None,
    ) -> None:
        """Write how a cycle ended.

        Raises:
            OSError: it could not be written.
        """
        self._write(
            self._last_run(outcome, reason, started_at, paths=paths).model_copy(
                update={
                    "finished_at": datetime.now(UTC),
                    "duration_s": duration_s,
                    "gate": list(gate),
                    "summary": summary,
                    "history": history,
                    "metrics": visible(metrics) if metrics else None,
                }
            )
        )

    def refuse(self, reason: str) -> None:
        """Write that a cycle could not begin.

        Raises:
            OSError: it could not be written.
        """
        self.finish(Outcome.FAILED, reason, datetime.now(UTC))

    def publish(self, report: Report, inventory: dict[str, Any]) -> None:
        """Replace the last full report, in each of its forms; the JSON last, as it is the truth.

        Args:
            report: the report.
            inventory: the content of ``inventory.json``; see :mod:`comfyui.inventory_file`.

        Raises:
            OSError: they could not be written, and are as they were.
        """
        from comfywatchman.report import html
        from comfywatchman.report.formats import markdown

        state.replace_files(
            {
                self.folder / state_files.INVENTORY: orjson.dumps(inventory) + b"\n",
                self.folder / state_files.REPORT_MARKDOWN: markdown.render(report).encode(),
                self.folder / state_files.REPORT_HTML: html.render(report).encode(),
                self.folder / state_files.LATEST: report.model_dump_json().encode() + b"\n",
            }
        )

    @staticmethod
    def latest(folder: Path) -> Report:
        """Read the last full report in a state folder, and make nothing there.

        Raises:
            ConfigError: there is none, or it is damaged or of another major version.
        """
        file = folder / state_files.LATEST
        try:
            return Report.model_validate_json(state.read_file(file), extra="ignore")
        except FileNotFoundError:
            raise ConfigError(
                f"{file}: there is no report yet; make one with: comfywatchman check"
            ) from None
        except OSError as error:
            raise ConfigError(f"{file}: cannot be read: {error.strerror}") from None
        except ValidationError as error:
            raise ConfigError(
                f"{file}: is damaged or of another version ({error.error_count()} problems); "
                "replace it with: comfywatchman check"
            ) from None

    def _last_run(
        self, outcome: Outcome, reason: str, started_at: datetime, *, paths: Sequence[str]
    ) -> LastRun:
        return LastRun(
            comfywatchman_version=__version__,
            host=socket.gethostname(),
            pid=os.getpid(),
            invocation=started.invocation(),
            outcome=outcome,
            reason=reason.encode(errors="backslashreplace").decode(),
            paths=list(paths),
            started_at=started_at,
        )

    def _write(self, last_run: LastRun) -> None:
        content = last_run.model_dump_json(indent=2).encode() + b"\n"
        state.replace_file(self.folder / state_files.LAST_RUN, content)
