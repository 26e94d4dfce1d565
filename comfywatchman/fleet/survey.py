"""Making one picture of the fleet out of what each host reported."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, cast, get_args

from comfywatchman import __version__
from comfywatchman.escape import NAME_LIMIT, SENTENCE_LIMIT, visible
from comfywatchman.fleet import changes
from comfywatchman.fleet.differences import DamagedModel, HostInventory, compare, damaged
from comfywatchman.fleet.model import (
    STATES,
    Cycle,
    Fleet,
    FleetFinding,
    Group,
    Host,
    HostState,
    Remark,
    State,
    Timer,
    Verdict,
    Version,
    Workflow,
)
from comfywatchman.fleet.shape import DamagedError, Shape
from comfywatchman.fleet.words import CACHED, counted, identity, moment, shown, shown_name, span

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from comfywatchman.fleet.folder import Collected

FINDING_LIMIT: Final = 20
"""Findings kept of one workflow on one host."""
PLACE_LIMIT: Final = 5
CHANNEL_LIMIT: Final = 5
"""Failing channels that are told of one host."""
_USUAL_INTERVAL_S: Final = 7200.0
_GRACE_S: Final = 900.0
_CLOCK_S: Final = 120.0
_MODELS_NAMED: Final = 3
_VERDICTS: Final = get_args(Verdict)
_SEVERITIES: Final = {"error": 0, "warning": 1, "info": 2}

_FindingKey = tuple[str, str, str, str | None, str]
_CellKey = tuple[
    Verdict,
    tuple[_FindingKey, ...],
    int,
    tuple[str, ...],
    tuple[str, ...],
    tuple[str, ...] | None,
    str | None,
]
"""Of a workflow on a host; the last but one are the damaged model files for which it will fail."""


def survey(collected: Iterable[Collected], now: float, stale_after: float | None = None) -> Fleet:
    """Put together what the hosts reported.

    Args:
        collected: the hosts, by name.
        now: the controller's clock, in seconds since 1970.
        stale_after: age in seconds from which a report is stale; None: two of the host's own
            intervals, the delay of its timer, and a quarter of an hour.
    """
    hosts: list[Host] = []
    cells: dict[str, dict[tuple[State, _CellKey], list[str]]] = {}
    inventories: list[HostInventory] = []
    damaged_models: dict[str, list[DamagedModel]] = {}
    histories: dict[str, list[changes.Cycle]] = {}
    changes_unknown: list[str] = []
    releases: dict[str, list[str]] = {}
    comfyui_versions: dict[str, list[str]] = {}
    seen: dict[_CellKey, _CellKey] = {}
    findings: dict[_FindingKey, int] = {}
    for each in collected:
        reading = Reading(each, now, stale_after)
        host = reading.host()
        hosts.append(host)
        for workflow, cell in reading.workflows.items():
            state: State = cell[0]
            if host.state == "silent" or host.state == "stale":
                state = host.state
            # Hosts agree more often than not: equal cells are kept once.
            key = state, seen.setdefault(cell, cell)
            cells.setdefault(workflow, {}).setdefault(key, []).append(host.name)
        if reading.cycles is not None:
            histories[host.name] = reading.cycles
        if reading.cycles is None or host.state in ("silent", "stale"):
            changes_unknown.append(host.name)
        releases.setdefault(host.release or "", []).append(host.name)
        comfyui_versions.setdefault(host.comfyui_version or "", []).append(host.name)
        if host.state != "silent" and reading.inventory is not None:
            inventories.append(reading.inventory)
        if host.state != "silent" and reading.damaged_models:
            damaged_models[host.name] = reading.damaged_models
    workflows = [
        _workflow(name, groups, findings) for name, groups in sorted(cells.items(), key=_by_name)
    ]
    differences = compare(inventories)
    damaged_files, damaged_left_out = damaged(damaged_models)
    changed, changes_left_out, worse_hosts = changes.merge(histories, now)
    return Fleet(
        comfywatchman_version=__version__,
        made_at=datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds"),
        well=not any(host.needs_attention for host in hosts),
        hosts=hosts,
        workflows=workflows,
        findings=[FleetFinding(*finding) for finding in findings],
        releases=_versions(releases),
        comfyui_versions=_versions(comfyui_versions),
        compared=[inventory.host for inventory in inventories],
        models=differences.models,
        models_left_out=differences.models_left_out,
        packs=differences.packs,
        model_sizes=differences.sizes,
        model_sizes_left_out=differences.sizes_left_out,
        damaged=damaged_files,
        damaged_left_out=damaged_left_out,
        changes=changed,
        changes_left_out=changes_left_out,
        worse_hosts=worse_hosts,
        changes_unknown=changes_unknown,
    )


class Reading:
    """What one host said, with all that is wrong about it."""

    def __init__(self, found: Collected, now: float, stale_after: float | None) -> None:
        self.found = found
        self.name = visible(found.name, limit=NAME_LIMIT)
        self.now = now
        self.stale_after = stale_after
        self.remarks: list[Remark] = []
        self.workflows: dict[str, _CellKey] = {}
        self.inventory: HostInventory | None = None
        self.cycles: list[changes.Cycle] | None = None
        """Those that found something changed; None if no history is kept."""
        self.silent = self.stale = False
        self.waits = False
        """Whether its cycles run, and are skipped: ComfyUI is off, or has no room for one."""
        self._versions: tuple[str | None, str | None] = (None, None)
        self.damaged_models: list[DamagedModel] = []
        """The first of them, if there are many."""
        self._damaged = 0

    def host(self) -> Host:
        """Read all of it."""
        found = self.found
        answered = found.collected_at
        self._say_what_was_missed()
        report_age = timer = cycle = release = None
        try:
            release, timer, cycle = self._read_status()
        except DamagedError as error:
            self._problem("damaged", f"what it answered is damaged: {error}", silent=True)
            found.status = None
        try:
            report_age = self._read_report()
        except DamagedError as error:
            self.workflows = {}
            self._problem("damaged", f"its report is damaged: {error}", silent=True)
        try:
            self.cycles = self._read_changes()
        except DamagedError as error:
            self._problem("damaged", f"what its report says of changes is damaged: {error}")
        try:
            if found.inventory is not None:
                self.inventory = HostInventory.read(self.name, found.inventory)
        except DamagedError as error:
            self._problem("damaged", f"its inventory is damaged: {error}")
        counts = [cell[0] for cell in self.workflows.values()]
        return Host(
            name=self.name,
            state=self._state(),
            remarks=self.remarks,
            collected_age_s=None if answered is None else max(0.0, self.now - answered),
            report_age_s=report_age,
            release=release,
            comfywatchman_version=self._versions[0],
            comfyui_version=self._versions[1],
            timer=timer,
            cycle=cycle,
            **{verdict: counts.count(verdict) for verdict in _VERDICTS},
            accepted=sum(cell[-1] is not None for cell in self.workflows.values()),
            will_fail=sum(
                cell[-2] is not None and cell[-1] is None for cell in self.workflows.values()
            ),
            damaged_models=self._damaged,
        )

    def _state(self) -> HostState:
        if self.silent:
            return "silent"
        if self.stale:
            return "stale"
        return "problem" if any(remark.problem for remark in self.remarks) else "well"

    def _problem(self, code: str, message: str, *, silent: bool = False) -> None:
        self.remarks.append(Remark(code, visible(message, limit=SENTENCE_LIMIT), problem=True))
        self.silent = self.silent or silent

    def _note(self, code: str, message: str) -> None:
        self.remarks.append(Remark(code, visible(message, limit=SENTENCE_LIMIT), problem=False))

    def _say_what_was_missed(self) -> None:
        found = self.found
        for damage in found.damage:
            self._problem("damaged", damage, silent=found.report is None)
        if found.missing:
            self._problem("not_collected", f"nothing is known of it: {found.missing}", silent=True)
        elif found.failure:
            code = "unreachable" if found.unreachable else "not_collected"
            verb = "could not be reached" if found.unreachable else "could not be asked"
            self._problem(code, f"it {verb}: {found.failure}", silent=True)

    def _since_collected(self) -> float:
        """Seconds since it answered: by the controller's clock, so that the host's may differ."""
        answered = self.found.collected_at
        return 0.0 if answered is None else max(0.0, self.now - answered)

    def _age(self, at: float | None, status: Shape) -> float | None:
        clock = status.number("now")
        if at is None or clock is None:
            return None
        return clock - at + self._since_collected()

    def _read_status(self) -> tuple[str | None, Timer | None, Cycle | None]:
        status = self.found.status
        if status is None:
            return None, None, None
        clock = status.number("now")
        answered = self.found.collected_at
        if clock is None:
            raise DamagedError("it does not say what time it is there")
        if answered is None:
            raise DamagedError("it does not say when it was given")
        if abs(clock - answered) > _CLOCK_S:
            ahead = "ahead" if clock > answered else "behind"
            self._note("clock", f"its clock is {span(abs(clock - answered))} {ahead}")
        release = _name(status.text("release"))
        if (holder := status.child("held_by")) is not None:
            who, what, since = (holder.text(key) or "?" for key in ("by", "playbook", "since"))
            self._note("held", f"{who} is changing this host ({what}, since {since})")
        if unseen := status.texts("unseen"):
            self._problem("not_seen", "; ".join(unseen), silent=not status.truth("installed"))
        elif not status.truth("installed"):
            self._problem(
                "not_installed",
                "ComfyWatchman is not installed there: run the playbook deploy",
                silent=True,
            )
        if not status.truth("installed"):
            return release, None, None
        cycle = self._read_cycle(status)
        return release, self._read_timer(status), cycle

    def _read_timer(self, status: Shape) -> Timer | None:
        if status.text("scheduler") == "apscheduler":  # there is no systemd, and so no timer
            return None
        if complaint := status.text("complaint"):
            self._problem("systemd", f"systemd could not be asked: {complaint}")
        found = status.child("timer")
        if found is None:
            if not status.truth("manager"):
                self._problem(
                    "manager",
                    f"the service manager of {status.text('user') or 'its user'} does not run, so "
                    "nothing starts the cycles: run the playbook deploy",
                )
            return None
        timer = Timer(
            sub=_name(found.text("sub")) or "unknown",
            enabled=found.truth("enabled"),
            next_at=found.number("next"),
        )
        if not timer.enabled:
            self._problem("timer", "its timer is not enabled: no cycle starts after a reboot")
        if timer.sub not in ("waiting", "running"):
            self._problem(
                "timer", f"its timer is not waiting but {timer.sub}: run the playbook deploy"
            )
        elif timer.sub == "waiting" and timer.next_at is None:
            self._problem("timer", "its timer has no next start: run the playbook deploy")
        return timer

    def _read_cycle(self, status: Shape) -> Cycle | None:
        if exposed := status.texts("exposed"):
            self._problem(
                "exposed", f"others may read {', '.join(exposed)}: run the playbook deploy"
            )
        service = status.child("service")
        found = status.child("last_run")
        active = service.text("active") if service is not None else None
        unrecorded = (
            active == "failed" and service is not None and service.raw().get("recorded") is False
        )
        if found is None:
            if unrecorded:
                self._service_failed(service)
            self._note("no_cycle", "no cycle has run there yet")
            return None
        outcome, reason = found.need("outcome"), found.text("reason") or ""
        ended = moment(found.text("finished_at")) or moment(found.text("started_at"))
        age = self._age(ended, status)
        ago = "" if age is None else f", {span(age)} ago"
        if unkept := found.text("history"):
            self._note("history", f"its last cycle is not wholly in its history: {unkept}")
        if outcome == "failed":
            self._problem("cycle_failed", f"its last cycle failed{ago}: {reason}")
        elif outcome == "skipped":
            self._note("cycle_skipped", f"its last cycle was skipped{ago}: {reason}")
            refusals = [g.text("name") for g in found.objects("gate") if not g.truth("ok")]
            # A disk is not freed by waiting.
            self.waits = age is not None and age <= self._limit(status) and "disk" not in refusals
        elif (
            outcome == "running"
            and service is not None
            and active
            not in (
                "activating",
                "active",
                "reloading",
                "deactivating",
            )
        ):
            self._problem("cycle_interrupted", f"its last cycle was killed in the middle{ago}")
        if active == "failed" and (outcome != "failed" or unrecorded):
            self._service_failed(service)
        return Cycle(
            outcome=visible(outcome, limit=NAME_LIMIT),
            reason=visible(reason, limit=SENTENCE_LIMIT),
            age_s=None if age is None else max(0.0, age),
        )

    def _service_failed(self, service: Shape | None) -> None:
        result = service.text("result") if service is not None else None
        why = service.text("why") if service is not None else None
        said = f"{result or 'no reason given'}" + (f": {why}" if why else "")
        self._problem("service_failed", f"its service failed ({said}): see its journal")

    def _read_report(self) -> float | None:
        report, status = self.found.report, self.found.status
        if report is None or status is None:
            if self.waits:
                self.stale = True
                self._note("always_skipped", "there is no full report of it yet, for that reason")
            elif not self.silent:
                self._problem("no_report", "there is no full report of it yet", silent=True)
            return None
        server = report.child("server")
        self._versions = (
            _name(report.text("comfywatchman_version")),
            _name(server.text("version")) if server is not None else None,
        )
        for workflow in report.objects("workflows"):
            name, cell = _cell(workflow)
            # Two of one name, e.g. in two folders: the one that needs a person counts.
            if name in self.workflows:
                cell = min(cell, self.workflows[name], key=_needs_a_person)
            self.workflows[name] = cell
        started = moment(report.need("started_at"))
        age = self._age(started, status)
        if age is None:
            raise DamagedError("it does not say when it was made")
        self._say_what_was_not_told(report, status)
        self._say_what_is_damaged(report)
        limit = self._limit(status)
        if age < -_CLOCK_S:
            self.stale = True
            self._problem(
                "stale",
                f"its last full report is dated {span(-age)} ahead of its own clock, so its age "
                "cannot be told",
            )
        elif age > limit:
            self.stale = True
            said = f"its last full report is {span(age)} old, more than {span(limit)}"
            if self.waits:
                self._note("always_skipped", f"{said}, for that reason")
            elif not self.silent:
                self._problem("stale", said)
        return max(0.0, age)

    def _say_what_was_not_told(self, report: Shape, status: Shape) -> None:
        notices = report.child("notices")
        if notices is None:
            return
        for channel in notices.objects("failing")[:CHANNEL_LIMIT]:
            lasts = self._age(moment(channel.text("since")), status)
            since = "" if lasts is None else f" for {span(max(0.0, lasts))}"
            self._note(
                "channels",
                f"as of its last full report, {channel.need('name')} could not be reached{since}: "
                f"{channel.need('why')}",
            )
        pending = int(notices.number("pending") or 0)
        if pending <= 0:
            return
        age = self._age(moment(notices.text("last_told")), status)
        last = "" if age is None else f"; what was told last is of {span(max(0.0, age))} ago"
        self._note(
            "messages",
            f"as of its last full report, {counted(pending, 'message')} could not be told yet"
            f"{last}: comfywatchman status there says why",
        )

    def _say_what_is_damaged(self, report: Shape) -> None:
        counts = report.child("model_files")
        number = int((counts and counts.number("damaged")) or 0)
        if number <= 0:
            return
        self._damaged = number
        self.damaged_models = [DamagedModel.read(m) for m in report.objects("damaged_models")]
        names = [f"{each.folder}/{each.name}" for each in self.damaged_models[:_MODELS_NAMED]]
        more = [f"{number - len(names):,} more"] if number > len(names) else []
        self._note(
            "damaged_models",
            f"{counted(number, 'model file')} damaged: {', '.join([*names, *more])}",
        )

    def _read_changes(self) -> list[changes.Cycle] | None:
        report, status = self.found.report, self.found.status
        if report is None or status is None:
            return None

        def at(moment_there: float) -> float:
            return self.now - max(0.0, self._age(moment_there, status) or 0.0)

        return changes.read(report, at, self.now - changes.WINDOW_S)

    def _limit(self, status: Shape) -> float:
        """Age in seconds from which something is too old."""
        if self.stale_after is not None:
            return self.stale_after
        timer = status.child("timer") or status.child("schedule")
        interval = (timer and timer.number("interval")) or _USUAL_INTERVAL_S
        slack = (timer and timer.number("slack")) or 0.0
        return 2 * interval + slack + _GRACE_S


def _cell(workflow: Shape) -> tuple[str, _CellKey]:
    verdict = workflow.need("verdict")
    if verdict not in _VERDICTS:
        raise DamagedError(f"{workflow.name}: there is no verdict {verdict!r}")
    merged: dict[tuple[str, str, str, str | None], list[str]] = {}
    for finding in workflow.objects("findings"):
        key = (
            shown_name(finding.need("code")),
            shown_name(finding.need("severity")),
            shown(finding.need("message")),
            None if (fix := _fix(finding)) is None else shown(fix),
        )
        place = _place(
            finding.text("node_type"),
            finding.text("node_id"),
            finding.text("input"),
            finding.text("title"),
        )
        merged.setdefault(key, []).append(place)
    ordered = sorted(merged, key=lambda key: _SEVERITIES.get(key[1], len(_SEVERITIES)))
    lost = workflow.objects("outputs_lost")[:FINDING_LIMIT]
    blind = workflow.texts("not_checked")[:FINDING_LIMIT] if verdict == "unknown" else ()
    return identity(workflow.need("path"), workflow.need("name")), (
        cast("Verdict", verdict),
        tuple((*key, _places(merged[key])) for key in ordered[:FINDING_LIMIT]),
        max(0, len(merged) - FINDING_LIMIT),
        tuple(_place(output.text("node_type"), output.text("node_id"), None) for output in lost),
        tuple(map(shown, blind)),
        _fails_for(workflow),
        _acceptance(workflow),
    )


def _fails_for(workflow: Shape) -> tuple[str, ...] | None:
    """The damaged model files for which it will fail; None if it will not."""
    if not workflow.truth("will_fail"):
        return None
    # What a server says of a model is said at a node.
    files = [
        "/".join(filter(None, (subject.text("folder"), subject.need("name"))))
        for finding in workflow.objects("findings")
        if finding.need("severity") == "error"
        and finding.text("node_id") is None
        and (subject := finding.child("subject")) is not None
        and subject.text("kind") == "model"
    ]
    return tuple(map(shown_name, files[:_MODELS_NAMED]))


def _acceptance(workflow: Shape) -> str | None:
    found = workflow.child("accepted")
    if found is None:
        return None
    by = f" by {shown_name(who)}" if (who := found.text("by")) else ""
    # Without its id: hosts on which the same was said of the same are one group.
    return shown(f"accepted until {shown_name(found.need('until'))}{by}: {found.need('reason')}")


def _needs_a_person(cell: _CellKey) -> tuple[bool, bool, int]:
    verdict, fails, accepted = cell[0], cell[-2], cell[-1]
    return verdict == "runnable" and fails is None, accepted is not None, STATES.index(verdict)


def _fix(finding: Shape) -> str | None:
    """The best fix in words; reports of schema 1 hold just that."""
    fixes = finding.objects("fixes")
    return fixes[0].text("text") if fixes else finding.text("fix")


@lru_cache(CACHED)
def _place(
    node_type: str | None, node_id: str | None, slot: str | None, title: str | None = None
) -> str:
    number = None if node_id is None else f"#{node_id}"
    quoted = None if title is None else f'"{title}"'
    node = " ".join(part for part in (node_type, number, quoted) if part)
    return shown_name(f"{node} ({slot})" if node and slot else node or slot or "")


def _places(places: list[str]) -> str:
    named = [place for place in dict.fromkeys(places) if place]
    more = len(named) - PLACE_LIMIT
    return ", ".join(named[:PLACE_LIMIT]) + (f" and {more} more" if more > 0 else "")


def _workflow(
    name: str,
    groups: Mapping[tuple[State, _CellKey], list[str]],
    findings: dict[_FindingKey, int],
) -> Workflow:
    ordered = sorted(groups.items(), key=lambda g: (STATES.index(g[0][0]), -len(g[1])))
    return Workflow(
        name=name,
        runnable_on=sorted(
            host
            for (state, (*_, fails, _)), hosts in ordered
            if state == "runnable" and fails is None
            for host in hosts
        ),
        groups=[
            Group(
                state=state,
                verdict=verdict,
                findings=[findings.setdefault(each, len(findings)) for each in found],
                findings_left_out=left_out,
                outputs_lost=list(lost),
                not_checked=list(not_checked),
                hosts=hosts,
                will_fail=fails is not None,
                accepted=accepted,
                damaged=list(fails or ()),
            )
            for (
                state,
                (verdict, found, left_out, lost, not_checked, fails, accepted),
            ), hosts in ordered
        ],
    )


def _by_name(item: tuple[str, Any]) -> tuple[str, str]:
    return item[0].casefold(), item[0]


def _versions(hosts: Mapping[str, list[str]]) -> list[Version]:
    return [Version(*item) for item in sorted(hosts.items(), key=lambda i: (-len(i[1]), i[0]))]


def _name(text: str | None) -> str | None:
    return None if text is None else shown_name(text)
