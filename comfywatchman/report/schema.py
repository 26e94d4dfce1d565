"""The published JSON Schemas: ``python -m comfywatchman.report.schema DIR`` writes them anew."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comfywatchman.report.model import REPORT_SCHEMA_VERSION, LastRun, Report

if TYPE_CHECKING:
    from pydantic import BaseModel

_PUBLISHED: dict[str, type[BaseModel]] = {
    f"report-{REPORT_SCHEMA_VERSION}.json": Report,
    "last-run-1.json": LastRun,
}


def schemas() -> dict[str, str]:
    """File name → JSON Schema (draft 2020-12), as text."""
    return {
        name: json.dumps(
            {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "$id": f"urn:comfywatchman:{name.removesuffix('.json')}",
                **_as_promised(model.model_json_schema(mode="serialization")),
            },
            indent=2,
        )
        + "\n"
        for name, model in _PUBLISHED.items()
    }


def _as_promised(schema: dict[str, Any]) -> dict[str, Any]:
    """State the promise to readers: each key of today is always there, others may be added."""
    for kind in (schema, *schema.get("$defs", {}).values()):
        if kind.get("type") == "object":
            kind["required"] = list(kind["properties"])
            del kind["additionalProperties"]
    return schema


def main(arguments: list[str]) -> str | None:
    """Write the schemas into the folder named; returns what is wrong with ``arguments``."""
    if len(arguments) != 1:
        return "usage: python -m comfywatchman.report.schema DIR"
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    for name, schema in schemas().items():
        (folder / name).write_text(schema, encoding="utf-8")
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
