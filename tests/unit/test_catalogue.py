"""Every code is declared, documented, and emitted by nothing but its declaration."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import comfywatchman
from comfywatchman import checks
from comfywatchman.catalogue import catalogue, catalogue_markdown
from comfywatchman.checks.engine import registry
from comfywatchman.findings import declare
from comfywatchman.results import Severity, Verdict
from tests.unit.checks.judging import codes, image, judged, preview

PACKAGE = Path(comfywatchman.__file__).parent
TESTS = Path(__file__).parent
DECLARING = PACKAGE / "findings.py"


def calls(name: str) -> list[tuple[Path, ast.Call]]:
    """Every call of a function of this name in the package."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = node.func
                if (isinstance(called, ast.Name) and called.id == name) or (
                    isinstance(called, ast.Attribute) and called.attr == name
                ):
                    found.append((path, node))
    return found


def test_only_a_declared_code_makes_a_finding() -> None:
    assert [str(path) for path, _ in calls("Finding") if path != DECLARING] == []


def test_every_declaration_in_the_package_is_in_the_catalogue() -> None:
    names = []
    for path, call in calls("declare"):
        if path == DECLARING:
            continue
        name = call.args[0]
        assert isinstance(name, ast.Constant), f"{path}: a code's name is written out"
        names.append(name.value)
    assert sorted(names) == [code.name for code in catalogue()]


@pytest.mark.parametrize("code", catalogue(), ids=lambda code: code.name)
def test_every_code_is_documented(code: object) -> None:
    from comfywatchman.findings import Code

    assert isinstance(code, Code)
    assert code.title
    assert not code.title.endswith(".")
    for text in (code.explanation, code.remedy):
        assert re.search(r"[.)`]$", text), text
    heading = f"### `{code.name}`"
    assert catalogue_markdown().count(heading) == 1


def test_every_code_of_a_check_is_named_in_a_test() -> None:
    text = "".join(
        path.read_text(encoding="utf-8")
        for folder in (TESTS / "checks", TESTS.parent / "oracle")
        for path in folder.rglob("*.py")
    )
    in_checks = {
        str(call.args[0].value)
        for path, call in calls("declare")
        if path.is_relative_to(PACKAGE / "checks") and isinstance(call.args[0], ast.Constant)
    }
    assert [name for name in sorted(in_checks) if f'"{name}"' not in text] == []


def test_the_servers_names_are_kept() -> None:
    servers = {
        "bad_linked_input",
        "custom_validation_failed",
        "exception_during_inner_validation",
        "exception_during_validation",
        "invalid_input_type",
        "missing_node_type",
        "prompt_no_outputs",
        "required_input_missing",
        "return_type_mismatch",
        "value_bigger_than_max",
        "value_not_in_list",
        "value_smaller_than_min",
    }
    errors = {code.name for code in catalogue() if code.severity is Severity.ERROR}
    assert servers <= errors


def test_a_code_is_declared_once() -> None:
    with pytest.raises(ValueError, match="declared twice: 'api_node'"):
        declare("api_node", Severity.INFO, title="t", explanation="e", remedy="r")


@pytest.mark.parametrize("name", ["", "Upper", "with-dash", "1st", "a b"])
def test_a_code_is_a_plain_word(name: str) -> None:
    with pytest.raises(ValueError, match="not a code name"):
        declare(name, Severity.INFO, title="t", explanation="e", remedy="r")


def test_a_new_check_needs_nothing_but_its_own_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file beside the others is found, asked, and its findings count."""
    source = """
from comfywatchman.checks.engine.registry import on_node
from comfywatchman.findings import Code
from comfywatchman.results import Severity

CODE = Code("added_by_a_test", Severity.ERROR, "t", "e", "r")

@on_node
def check(case):
    if case.type.name == "Image":
        yield case.finding(CODE, "found")
"""
    (tmp_path / "added_by_a_test.py").write_text(source, encoding="utf-8")
    before = list(registry.registered().node)
    monkeypatch.setattr(checks, "__path__", [*checks.__path__, str(tmp_path)])
    registry.registered.cache_clear()
    try:
        judgement = judged({"1": image(), "9": preview("1")})
    finally:
        registry.registered().node[:] = before
        registry.registered.cache_clear()
    assert judgement.verdict is Verdict.BROKEN
    assert codes(judgement) == ["added_by_a_test"]
    assert judged({"1": image(), "9": preview("1")}).findings == []
