"""The published JSON Schemas: ``python -m comfywatchman.schemas DIR`` writes them anew."""

from __future__ import annotations

import ast
import inspect
import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from comfywatchman.comfyui.catalog_file import CATALOG_SCHEMA_VERSION, SavedCatalog
from comfywatchman.fixes.plan import PLAN_SCHEMA_VERSION, Plan
from comfywatchman.fixes.record import FIX_LIST_SCHEMA_VERSION, FixList
from comfywatchman.fleet.model import FLEET_SCHEMA_VERSION, WHERE_SCHEMA_VERSION, Fleet, Where
from comfywatchman.modelfiles.model import (
    MODELS_SCHEMA_VERSION,
    VERIFICATION_SCHEMA_VERSION,
    Ledger,
    Verification,
)
from comfywatchman.results import (
    BOM_CHECK_SCHEMA_VERSION,
    BOM_SCHEMA_VERSION,
    FORECAST_SCHEMA_VERSION,
    HISTORY_SCHEMA_VERSION,
    LAST_GOOD_SCHEMA_VERSION,
    REPORT_SCHEMA_VERSION,
    Bom,
    BomCheck,
    Forecast,
    HistoryReport,
    LastGood,
    LastRun,
    Report,
)

_PUBLISHED: dict[str, type] = {
    f"report-{REPORT_SCHEMA_VERSION}.json": Report,
    "last-run-1.json": LastRun,
    f"history-{HISTORY_SCHEMA_VERSION}.json": HistoryReport,
    f"last-good-{LAST_GOOD_SCHEMA_VERSION}.json": LastGood,
    f"forecast-{FORECAST_SCHEMA_VERSION}.json": Forecast,
    f"bom-{BOM_SCHEMA_VERSION}.json": Bom,
    f"bom-check-{BOM_CHECK_SCHEMA_VERSION}.json": BomCheck,
    f"fix-plan-{PLAN_SCHEMA_VERSION}.json": Plan,
    f"fix-list-{FIX_LIST_SCHEMA_VERSION}.json": FixList,
    f"models-{MODELS_SCHEMA_VERSION}.json": Ledger,
    f"models-verify-{VERIFICATION_SCHEMA_VERSION}.json": Verification,
    f"catalog-{CATALOG_SCHEMA_VERSION}.json": SavedCatalog,
    f"fleet-{FLEET_SCHEMA_VERSION}.json": Fleet,
    f"fleet-where-{WHERE_SCHEMA_VERSION}.json": Where,
}


def schemas() -> dict[str, str]:
    """File name → JSON Schema (draft 2020-12), as text."""
    return {
        name: json.dumps(
            {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "$id": f"urn:comfywatchman:{name.removesuffix('.json')}",
                **_as_promised(_described(kind)),
            },
            indent=2,
        )
        + "\n"
        for name, kind in _PUBLISHED.items()
    }


def _described(model: type) -> dict[str, Any]:
    """The schema, in which each field has the docstring that stands below it in the source."""
    schema = TypeAdapter(model).json_schema(mode="serialization")
    kinds = {schema["title"]: schema, **schema.get("$defs", {})}
    for kind in ast.parse(inspect.getsource(sys.modules[model.__module__])).body:
        if not isinstance(kind, ast.ClassDef):
            continue
        fields = kinds.get(kind.name, {}).get("properties", {})
        for field, below in pairwise(kind.body):
            match field, below:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(
                    value=ast.Constant(value=str(text))
                ):
                    if name in fields:
                        fields[name] = {"description": inspect.cleandoc(text), **fields[name]}
                case _:
                    pass
    return schema


def _as_promised(schema: dict[str, Any]) -> dict[str, Any]:
    """State the promise to readers: each key of today is always there, others may be added."""
    for kind in (schema, *schema.get("$defs", {}).values()):
        if kind.get("type") == "object":
            kind["required"] = list(kind["properties"])
            kind.pop("additionalProperties", None)
    return schema


def main(arguments: list[str]) -> str | None:
    """Write the schemas into the folder named; returns what is wrong with ``arguments``."""
    if len(arguments) != 1:
        return "usage: python -m comfywatchman.schemas DIR"
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    for name, schema in schemas().items():
        (folder / name).write_text(schema, encoding="utf-8")
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
