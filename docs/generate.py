"""Writes the parts of docs/ that are drawn from the code: ``python docs/generate.py``.

A test holds what is committed equal to what this makes.
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import yaml
from pydantic import ByteSize
from pydantic_core import PydanticUndefined

from comfywatchman import cli, schemas
from comfywatchman.cycle import graph
from comfywatchman.judging.catalogue import catalogue_markdown
from comfywatchman.settings import ENV_PREFIX, Settings

DOCS = Path(__file__).parent
_COMMANDS = (cli.check, cli.schedule)
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
    for name, field in Settings.model_fields.items():
        lines += [
            f"## `{name}`",
            "",
            str(field.description),
            "",
            f"- Default: {_default(field)}",
            f"- Environment: `{ENV_PREFIX}{name.upper()}`",
            *_flag(name, field),
            "",
        ]
    return "\n".join(lines)


def _flag(name: str, field: Any) -> list[str]:
    command = next((c for c in _COMMANDS if name in inspect.signature(c).parameters), None)
    if command is None:
        return []
    flag = f"`--{name.replace('_', '-')}`"
    if field.annotation is bool:
        flag += f" / `--no-{name.replace('_', '-')}`"
    return [f"- Flag: {flag} of `{command.__name__}`"]


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


def architecture() -> str:
    """docs/architecture.md with the graph as LangGraph draws it now."""
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    before, _, rest = text.partition(_GRAPH_BEGINS)
    _, _, after = rest.partition(_GRAPH_ENDS)
    drawn = graph.build().get_graph().draw_mermaid()
    return f"{before}{_GRAPH_BEGINS}```mermaid\n{drawn}```\n{_GRAPH_ENDS}{after}"


def generated() -> dict[Path, str]:
    """Path → content of every generated file."""
    files = {
        DOCS / "settings.md": settings_reference(),
        DOCS / "role-variables.md": role_variables(),
        DOCS / "findings.md": catalogue_markdown(),
        DOCS / "architecture.md": architecture(),
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
