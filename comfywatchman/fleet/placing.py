"""Where a workflow runs, and what lacks elsewhere: for a terminal, and as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from comfywatchman.fleet.words import counted
from comfywatchman.report.markup import code, prose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from comfywatchman.fleet.model import HostAnswer, NeededModel, Where

NAMES_LIMIT: Final = 20
"""Files, packs or hosts named in one list; the JSON form has all."""
_UNITS: Final = ("bytes", "KiB", "MiB", "GiB", "TiB")
_STATES: Final = {
    "runnable": "runs",
    "not_judged": "was not judged there",
}


def text(where: Where) -> str:
    """Lines for a terminal, the last one with a newline."""
    lines = [headline(where, str)]
    lines += [f"  {line}" for line in _of_versions(where, str)]
    for host in where.hosts:
        lines += ["", f"{host.name}: {_state(host)}"]
        lines += [f"  {line}" for line in _of_host(where, host, str)]
    return "\n".join(lines) + "\n"


def markdown(where: Where) -> str:
    """Markdown that ends with a newline; nothing in it acts, whoever wrote it."""
    lines = ["# Where it runs", "", headline(where, code), ""]
    lines += [f"- {line}" for line in _of_versions(where, code)]
    for host in where.hosts:
        lines += ["", f"## {code(host.name)}: {prose(_state(host))}", ""]
        lines += [f"- {line}" for line in _of_host(where, host, code)]
    return "\n".join(lines).rstrip("\n") + "\n"


def headline(where: Where, named: Callable[[str], str]) -> str:
    """The answer in a sentence."""
    total = counted(len(where.hosts), "host")
    on = f": {_names(where.runnable_on, named)}" if where.runnable_on else ""
    return f"{named(where.workflow)} runs on {len(where.runnable_on):,} of {total}{on}"


def amount(size: int) -> str:
    """A number of bytes as people say it, e.g. ``6.5 GiB``."""
    scaled, unit = float(size), 0
    while scaled >= 1024 and unit < len(_UNITS) - 1:
        scaled, unit = scaled / 1024, unit + 1
    return f"{scaled:,.1f} {_UNITS[unit]}" if unit else counted(size, "byte")


def _of_versions(where: Where, named: Callable[[str], str]) -> Iterator[str]:
    if len(where.versions) < 2:
        return
    yield f"there are {len(where.versions)} contents of this name; the first is meant:"
    for version in where.versions[:NAMES_LIMIT]:
        digest = version.value[:12] or "not known"
        yield f"{named(digest)} on {_names(version.hosts, named)}"


def _state(host: HostAnswer) -> str:
    said = _STATES.get(host.state, host.state)
    if host.state in ("stale", "silent") and host.verdict is not None:
        said += f" (it was {host.verdict})"
    return said


def _of_host(where: Where, host: HostAnswer, named: Callable[[str], str]) -> Iterator[str]:
    said: Callable[[str], str] = prose if named is code else str
    if host.workflow is not None and host.workflow != where.workflow:
        yield f"the same content is called {named(host.workflow)} there"
    for remark in host.remarks:
        yield said(remark)
    if host.lacks_node_types:
        yield f"lacks node types: {_names(host.lacks_node_types, named)}"
    if host.lacks_packs:
        yield f"lacks packs: {_names(host.lacks_packs, named)}"
    if host.lacks_models:
        unknown = f", and {host.sizes_unknown:,} of unknown size" if host.sizes_unknown else ""
        yield f"lacks {counted(len(host.lacks_models), 'model')} ({amount(host.size)}{unknown}):"
        for copy in host.copies:
            files = _models(where.models, copy.models, named)
            yield f"from {named(copy.host)}, {amount(copy.size)}: {files}"
        if host.nowhere:
            yield f"on no host: {_models(where.models, host.nowhere, named)}"
    for error in host.errors:
        yield said(error)
    if host.state == "not_judged" and host.inventory_known and _nothing(host):
        yield "nothing of the models and packs that it names lacks"


def _nothing(host: HostAnswer) -> bool:
    return not (host.lacks_models or host.lacks_packs or host.lacks_node_types)


def _models(
    models: Sequence[NeededModel], numbers: Sequence[int], named: Callable[[str], str]
) -> str:
    told = []
    for number in numbers[:NAMES_LIMIT]:
        model = models[number]
        path = model.name if model.folder is None else f"{model.folder}/{model.name}"
        size = "" if model.size is None else f" ({amount(model.size)})"
        several = "contents" if model.contents_differ else "sizes"
        differ = f" in several {several}" if model.sizes_differ or model.contents_differ else ""
        told.append(f"{named(path)}{size}{differ}")
    more = len(numbers) - NAMES_LIMIT
    return ", ".join(told) + (f" and {more:,} more" if more > 0 else "")


def _names(names: Sequence[str], named: Callable[[str], str]) -> str:
    more = len(names) - NAMES_LIMIT
    shown = ", ".join(map(named, names[:NAMES_LIMIT]))
    return f"{shown} and {more:,} more" if more > 0 else shown
