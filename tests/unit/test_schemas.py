import json
import subprocess
import sys
from pathlib import Path

from comfywatchman.results import LastRun, Outcome, Report
from comfywatchman.schemas import schemas
from tests.unit.report.sample import realistic

PUBLISHED = Path(__file__).parents[2] / "docs" / "schema"


def test_the_published_schemas_are_those_of_the_models() -> None:
    published = {file.name: file.read_text(encoding="utf-8") for file in PUBLISHED.iterdir()}
    assert published == schemas(), "run: python -m comfywatchman.schemas docs/schema"


def test_the_command_writes_them(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "comfywatchman.schemas"]
    subprocess.run([*command, str(tmp_path / "a" / "b")], check=True)
    assert {f.name: f.read_text() for f in (tmp_path / "a" / "b").iterdir()} == schemas()
    refused = subprocess.run(command, capture_output=True, text=True)
    assert refused.returncode == 1
    assert refused.stderr.startswith("usage: ")


def test_what_is_written_has_every_key_the_schema_promises() -> None:
    schema = json.loads(schemas()["report-2.json"])
    document = json.loads(realistic().model_dump_json())
    assert set(document) == set(schema["required"])
    for kind, values in {
        "WorkflowReport": document["workflows"],
        "Finding": [f for w in document["workflows"] for f in w["findings"]],
        "Server": [document["server"]],
        "GateAnswer": document["gate"],
        "Summary": [document["summary"]],
    }.items():
        assert values
        for value in values:
            assert set(value) == set(schema["$defs"][kind]["required"])


def test_a_later_version_may_add_keys() -> None:
    for text in schemas().values():
        schema = json.loads(text)
        for kind in (schema, *schema.get("$defs", {}).values()):
            assert "additionalProperties" not in kind


def test_they_are_read_back() -> None:
    assert Report.model_validate_json(realistic().model_dump_json()) == realistic()
    run = LastRun(
        comfywatchman_version="0.1.0",
        host="h",
        pid=1,
        outcome=Outcome.RUNNING,
        reason="it runs",
        started_at=realistic().started_at,
    )
    assert LastRun.model_validate_json(run.model_dump_json()) == run
