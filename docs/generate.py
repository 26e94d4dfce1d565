"""Writes the parts of docs/ that are drawn from the code: ``python docs/generate.py``.

A test holds what is committed equal to what this makes.
"""

from __future__ import annotations

import json
import lzma
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
import typer.main
import yaml
from pydantic import ByteSize
from pydantic_core import PydanticUndefined

sys.path.insert(0, str(Path(__file__).parents[1]))  # the recorded answers are among the tests

from comfywatchman import cli, schemas
from comfywatchman.catalogue import catalogue_markdown
from comfywatchman.comfyui.provenance import core
from comfywatchman.cycle import graph
from comfywatchman.judging.prompt import judge
from comfywatchman.settings import ENV_PREFIX, Settings, declared_flags
from comfywatchman.workflow.prompt import Conversion
from tests.oracle import recorded

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).parent
RECORDED = DOCS.parent / "tests" / "oracle" / "data"
ROLE = DOCS.parent / "roles" / "comfywatchman"
_GRAPH_BEGINS = "<!-- the graph, drawn by LangGraph: python docs/generate.py -->\n"
_GRAPH_ENDS = "<!-- end of the graph -->\n"


def settings_reference() -> str:
    """Every setting, with its names, default and meaning."""
    lines = [
        "# Settings",
        "",
        "One model, one name everywhere. A TOML file (`~/.config/comfywatchman/config.toml`, or",
        "the one named by `--config` or `COMFYWATCHMAN_CONFIG`) is overruled by the environment,",
        "which is overruled by flags. The role writes the file from its",
        "variables `comfywatchman_NAME`.",
        "",
        "Sizes are bytes, or text such as `2GiB`. Times are seconds. Paths are absolute or start",
        "with `~/`. An unknown key or a value that makes no sense ends the program with exit code",
        "78 and a sentence that names where it stands.",
        "",
    ]
    takers = _takers()
    for name, field in Settings.model_fields.items():
        lines += [
            f"## `{name}`",
            "",
            str(field.description),
            "",
            f"- Default: {_default(field)}",
            f"- Environment: `{ENV_PREFIX}{name.upper()}`",
            *_flag(name, field, takers[name]),
            "",
        ]
    return "\n".join(lines)


def _takers() -> dict[str, list[str]]:
    """Setting → the commands that have its flag; the ``--fail-on`` of ``fleet`` is another."""
    flags = declared_flags()
    takers: dict[str, list[str]] = {name: [] for name in Settings.model_fields}
    program: Any = typer.main.get_command(cli.app)
    for command in program.list_commands(typer.Context(program)):
        for parameter in program.commands[command].params:
            if parameter.name in flags and parameter.help == flags[parameter.name].help:
                takers[parameter.name].append(command)
    return takers


def _flag(name: str, field: Any, commands: list[str]) -> list[str]:
    if not commands:
        return []
    flag = f"`--{name.replace('_', '-')}`"
    if field.annotation is bool:
        flag += f" / `--no-{name.replace('_', '-')}`"
    *others, last = [f"`{command}`" for command in commands]
    of = f"{', '.join(others)} and {last}" if others else last
    return [f"- Flag: {flag} of {of}"]


def role_variables() -> str:
    """Every variable of the role, from its argument_specs."""
    specs = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
    lines = [
        "# Role variables",
        "",
        "What an operator may set in the inventory, with `-e`, or where the role is used. Only the",
        "two required ones have no default. Ansible checks each value before anything is done.",
        "",
    ]
    for name, option in specs["argument_specs"]["main"]["options"].items():
        kind = str(option["type"])
        if "choices" in option:
            kind = " or ".join(f"`{choice}`" for choice in option["choices"])
        elif "elements" in option:
            kind = f"list of {option['elements']}"
        required = option.get("required", False)
        default = "" if required else f"; default `{json.dumps(option['default'])}`"
        description = option["description"]
        if isinstance(description, list):
            description = " ".join(description)
        lines += [
            f"## `{name}`",
            "",
            " ".join(description.split()),
            "",
            f"{'**Required.** ' if required else ''}Type: {kind}{default}.",
            "",
        ]
    return "\n".join(lines)


def fixes_reference() -> str:
    """How many of the findings on the recorded mutations have a fix that a program can follow."""
    counts: dict[str, Counter[bool]] = {}
    for server in recorded.SERVERS:
        catalog, inventory = server.catalog("full"), server.inventory("full")
        for record in server.lines("mutated"):
            if isinstance(record["prompt"], dict):
                judgement = judge(Conversion(record["prompt"]), catalog, inventory)
                for finding in judgement.findings:
                    mechanical = bool(finding.fixes and finding.fixes[0].mechanical)
                    counts.setdefault(finding.code, Counter())[mechanical] += 1
    total, followed = (
        sum(by.total() for by in counts.values()),
        sum(by[True] for by in counts.values()),
    )
    rows = [
        f"| `{code}` | {by.total():,} | {by[True]:,} | {by[False]:,} |"
        for code, by in sorted(counts.items())
    ]
    return "\n".join(
        [
            "",
            "## Fixes that a program can follow",
            "",
            "Some first fixes say exactly what to set, or where to put which file; their `kind` is",
            "`set_value`, `put_file`, `download` or `move_file`, and they have an `after`. A test",
            "does what they say, to the recorded prompts that each have one fault put into them,",
            "and judges again: the finding is gone, and no new error is there. The others are for",
            f"a person to follow. Of {total:,} findings on those prompts, {followed:,} have one:",
            "",
            "| code | findings | with such a fix | for a person |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


def architecture() -> str:
    """docs/architecture.md with the graph as LangGraph draws it now."""
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    before, _, rest = text.partition(_GRAPH_BEGINS)
    _, _, after = rest.partition(_GRAPH_ENDS)
    drawn = graph.build().get_graph().draw_mermaid()
    return f"{before}{_GRAPH_BEGINS}```mermaid\n{drawn}```\n{_GRAPH_ENDS}{after}"


def core_node_types() -> str:
    """ComfyUI's own node types by the release by which each is known to be there.

    A recorded catalog says what a release has and what it has not; an official template says with
    which release a node was saved, which may have been one in the making: what a recorded catalog
    of that release has not came later.
    """
    catalogs = {
        folder.name: _json(folder / "object_info_empty.json.xz").keys()
        for folder in sorted(RECORDED.iterdir(), key=lambda folder: _numbers(folder.name))
        if (folder / "object_info_empty.json.xz").exists()
    }
    had: dict[str, set[str]] = {}
    for release, names in catalogs.items():
        for name in names:
            had.setdefault(name, set()).add(release)
    for name, release in _saved_in_templates():
        had.setdefault(name, set()).add(release)
    by: dict[str, list[str]] = {}
    after: dict[str, list[str]] = {}
    gone: dict[str, list[str]] = {}
    for name, releases in sorted(had.items()):
        lacking = [release for release, names in catalogs.items() if name not in names]
        having = [release for release, names in catalogs.items() if name in names]
        before = [r for r in lacking if not having or _numbers(r) < _numbers(having[0])]
        later = [r for r in releases if not before or _numbers(r) > _numbers(before[-1])]
        if later:
            by.setdefault(min(later, key=_numbers), []).append(name)
        else:
            after.setdefault(before[-1], []).append(name)
        if having and (since := [r for r in lacking if _numbers(r) > _numbers(having[-1])]):
            gone.setdefault(since[0], []).append(name)
    table = {"by": by, "after": after, "gone": gone}
    return json.dumps(table, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _saved_in_templates() -> Iterator[tuple[str, str]]:
    """Names and releases of the nodes that official templates say to be ComfyUI's own."""
    frontend = {"Note", "MarkdownNote", "Reroute", "PrimitiveNode"}
    for file in sorted(RECORDED.glob("workflows*.jsonl.xz")):
        for line in lzma.decompress(file.read_bytes()).splitlines():
            workflow = json.loads(line)["workflow"]
            definitions = workflow.get("definitions", {}).get("subgraphs", [])
            instances = {definition["id"] for definition in definitions}
            for part in (workflow, *definitions):
                for node in part.get("nodes", []):
                    properties = node.get("properties", {})
                    if properties.get("cnr_id") != "comfy-core":
                        continue
                    if node["type"] not in frontend | instances and _numbers(properties.get("ver")):
                        yield node["type"], properties["ver"]


def _numbers(release: str | None) -> tuple[int, ...]:
    return core.release(release) or ()


def _json(file: Path) -> Any:
    return json.loads(lzma.decompress(file.read_bytes()))


def generated() -> dict[Path, str]:
    """Path → content of every generated file."""
    files = {
        DOCS / "settings.md": settings_reference(),
        DOCS / "role-variables.md": role_variables(),
        DOCS / "findings.md": catalogue_markdown() + fixes_reference(),
        DOCS / "architecture.md": architecture(),
        Path(core.__file__).with_name("core_node_types.json"): core_node_types(),
    }
    files |= {DOCS / "schema" / name: text for name, text in schemas.schemas().items()}
    return files


def _default(field: Any) -> str:
    value = field.default
    if value is PydanticUndefined:
        value = field.default_factory()
    if value is None:
        return "unset"
    if isinstance(value, ByteSize):
        return f"`{value.human_readable(separator='').replace('.0', '')}`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value!s}`" if value != [] else "none"


if __name__ == "__main__":
    for file, content in generated().items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
