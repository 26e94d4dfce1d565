"""``comfywatchman fleet DIR``: reads what was collected, writes the picture, says how it is."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from comfywatchman import state, streams
from comfywatchman.errors import ConfigError, Exit
from comfywatchman.fleet import folder as collection
from comfywatchman.fleet import html, markdown, placing, telling, text
from comfywatchman.fleet import where as whereabouts
from comfywatchman.fleet.survey import survey

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from comfywatchman.fleet.model import Fleet, Where


FailOn = Literal["never", "hosts", "broken", "partial"]


def make(folder: Path, stale_after_s: float | None = None) -> Fleet:
    """Put together what was collected in ``folder``.

    Raises:
        ConfigError: it cannot be read.
    """
    return survey(collection.read(folder), time.time(), stale_after_s)


def write(fleet: Fleet, folder: Path) -> None:
    """Write ``fleet.json``, ``fleet.md`` and ``fleet.html``, each replaced in one step.

    Raises:
        ConfigError: they cannot be written.
    """
    _write(
        folder,
        {
            "fleet.md": lambda: markdown.render(fleet),
            "fleet.html": lambda: html.render(fleet),
            "fleet.json": lambda: as_json(fleet),
        },
    )


def _write(folder: Path, files: Mapping[str, Callable[[], str]]) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, render in files.items():
            state.replace_file(folder / name, render().encode(), mode=0o666)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be written: {error.strerror}") from None


def as_json(fleet: Fleet | Where) -> str:
    """The fleet, or where a workflow runs in it, as JSON that ends with a newline."""
    return json.dumps(fleet, default=_as_object, ensure_ascii=False) + "\n"


def exit_code(fleet: Fleet, fail_on: FailOn) -> Exit:
    """What the command ends with.

    Args:
        fleet: the fleet.
        fail_on: 1 if a host is not well (``hosts``), or also if a workflow is broken or will fail
            (``broken``), or is partial (``partial``), on a host where nobody has accepted it as it
            is.
    """
    wrong = {"broken": {"broken"}, "partial": {"broken", "partial"}}.get(fail_on, set())
    well = fleet.well and not any(
        (g.state in wrong or (wrong and telling.fails(g))) and g.accepted is None
        for w in fleet.workflows
        for g in w.groups
    )
    return Exit.OK if well or fail_on == "never" else Exit.FAIL_ON


def _as_object(value: Any) -> dict[str, Any]:
    return {each.name: getattr(value, each.name) for each in fields(value)}


def run(
    folder: Path,
    output: Path | None,
    *,
    json_wanted: bool,
    fail_on: FailOn,
    stale_after: float | None,
) -> Exit:
    """Do it all, and print the fleet.

    Args:
        folder: what ``playbooks/status.yml`` filled.
        output: where to write; None means ``folder`` itself.
        json_wanted: whether to print JSON and not text.
        fail_on: see :func:`exit_code`.
        stale_after: age in hours from which a report is stale.

    Raises:
        ConfigError: something cannot be read or written, or ``stale_after`` is no length of time.
    """
    os.umask(0o077)  # reports name workflows and paths: for their reader alone
    fleet = make(folder, _seconds(stale_after))
    where = output or folder
    write(fleet, where)
    if json_wanted:
        shown = as_json(fleet)
    else:
        shown = f"{text.render(fleet)}\n\nFor a browser: {where.absolute() / 'fleet.html'}\n"
    _print(shown)
    return exit_code(fleet, fail_on)


def tell_where(
    folder: Path,
    output: Path | None,
    workflow: str,
    *,
    json_wanted: bool,
    stale_after: float | None,
) -> Exit:
    """Say which hosts can run a workflow.

    Args:
        folder: what ``playbooks/status.yml`` filled.
        output: where to write ``where.json`` and ``where.md`` too; None writes neither.
        workflow: its name, its path, the end of either, or the begin of its digest.
        json_wanted: whether to print JSON and not text.
        stale_after: age in hours from which a report is stale.

    Returns:
        1 where no host can run it.

    Raises:
        ConfigError: something cannot be read or written, or ``stale_after`` is no length of time.
        NotNamedError: it is not clear which workflow is meant.
    """
    os.umask(0o077)
    collected = collection.read(folder)
    found = whereabouts.where(collected, workflow, time.time(), _seconds(stale_after))
    if output is not None:
        _write(
            output,
            {"where.md": lambda: placing.markdown(found), "where.json": lambda: as_json(found)},
        )
    _print(as_json(found) if json_wanted else placing.text(found))
    return Exit.OK if found.runnable_on else Exit.FAIL_ON


def _seconds(stale_after: float | None) -> float | None:
    if stale_after is not None and not stale_after >= 0:
        raise ConfigError(f"--stale-after is {stale_after}: give a number of hours, 0 or more")
    return None if stale_after is None else stale_after * 3600


def _print(shown: str) -> None:
    sys.stdout.write(streams.encodable(shown, sys.stdout))
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m comfywatchman.fleet``: the same without anything that Ansible does not bring."""
    parser = argparse.ArgumentParser(prog="comfywatchman fleet", description=__doc__)
    parser.add_argument("folder", metavar="DIR", type=Path)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.add_argument("--fail-on", choices=get_args(FailOn), default="hosts")
    parser.add_argument("--stale-after", metavar="HOURS", type=float)
    parser.add_argument("--where", metavar="WORKFLOW")
    given = parser.parse_args(arguments)
    try:
        if given.where is not None:
            return tell_where(
                given.folder,
                given.output,
                given.where,
                json_wanted=given.format == "json",
                stale_after=given.stale_after,
            )
        return run(
            given.folder,
            given.output,
            json_wanted=given.format == "json",
            fail_on=given.fail_on,
            stale_after=given.stale_after,
        )
    except ConfigError as error:
        sys.stderr.write(f"comfywatchman: {error}\n")
        return Exit.CONFIG
    except whereabouts.NotNamedError as error:
        sys.stderr.write(f"comfywatchman: {error}\n")
        return Exit.USAGE
    except OSError as error:
        reason = streams.write_out(sys.stdout) or str(error.strerror)
        sys.stderr.write(f"comfywatchman: {streams.unwritten(reason)}\n")
        return Exit.UNWRITABLE
