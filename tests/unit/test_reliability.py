"""docs/reliability.md is true: its tests exist, and the program says what it quotes."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
    for line in PAGE.splitlines()
    if re.match(r"\| (?!fault \|)", line)
]
FAULTS = """
    disk full; quota; read-only; permissions; clock set; NTP; suspend; summer time; second user;
    stale lock; upgrade in the middle; two versions; damaged; killed; refused; reset; slow-loris;
    never-ending body; gzip bomb; wrong types; half an answer; redirect loops; 429; 503;
    Retry-After; restart in the middle; TLS; driver missing; do not match; GPU lost; MIG;
    permission denied; ten GPUs; sick; quotes, newlines, escape codes, HTML, `%`, `$`, bidi marks;
    200 MB; depth 100,000; loops of links; FIFOs; devices; files that change; vanish; huge numbers;
    duplicate keys; NaN; lone surrogates; sub-graphs that unfold
"""


@cache
def functions_of(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@cache
def texts() -> str:
    """All text in the program, with `…` where a value is put in."""
    found = []
    for file in [*(ROOT / "comfywatchman").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (p.value if isinstance(p, ast.Constant) else "…" for p in node.values)
                found.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return "\n".join(found)


def test_the_table_is_read() -> None:
    assert len(ROWS) > 50
    assert {len(row) for row in ROWS} == {4}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_the_test_of_a_fault_exists(row: list[str]) -> None:
    file, _, name = row[3].strip("`").partition("::")
    assert name in functions_of(file)


@pytest.mark.parametrize("row", [r for r in ROWS if r[2]], ids=lambda row: row[0])
def test_the_program_says_what_the_table_quotes(row: list[str]) -> None:
    for piece in re.split("…", row[2].strip("`")):
        assert piece.strip(" ;:,()") in texts()


@pytest.mark.parametrize("fault", [f.strip() for f in FAULTS.replace("\n    ", " ").split(";")])
def test_every_fault_has_its_row(fault: str) -> None:
    assert any(fault.lower() in row[0].lower() for row in ROWS)
