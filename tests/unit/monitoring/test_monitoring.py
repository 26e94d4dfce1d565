"""Alert rules and dashboard: they ask for what is written, and Prometheus' own tool tries them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from comfywatchman.metrics import families, textfile
from comfywatchman.metrics.textfile import Ending
from comfywatchman.results import Outcome
from tests.unit.collection import ansible
from tests.unit.metrics.test_textfile import broken, runnable
from tests.unit.report import sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MONITORING = ansible.CHECKOUT / "monitoring"
RULES = MONITORING / "rules.yml"
DASHBOARD: dict[str, Any] = json.loads((MONITORING / "dashboard.json").read_text())
DOCUMENTATION = (ansible.CHECKOUT / "docs" / "monitoring.md").read_text(encoding="utf-8")
OF_OTHERS = {"node_textfile_scrape_error"}
WRITTEN = {family.name for family in families.families()}

with_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not here: ./dev unit fetches it"
)


def promtool(*arguments: object) -> str:
    done = subprocess.run(
        ["promtool", *map(str, arguments)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def alerts(file: Path = RULES) -> list[dict[str, Any]]:
    groups = yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def queries() -> list[str]:
    """What the panels ask, for all hosts and instances."""
    return [
        re.sub(r"\$\w+", ".*", target["expr"])
        for panel in DASHBOARD["panels"]
        for target in panel["targets"]
    ]


def variables() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = DASHBOARD["templating"]["list"]
    return found


def metrics_in(query: str) -> set[str]:
    return set(re.findall(r"\b(?:comfywatchman|node)_\w+(?=[{\[\s),]|$)", query)) - {
        families.INSTANCE
    }


def rendered(tmp_path: Path, *more: str, hosts: Path = MONITORING / "hosts.yml") -> Path:
    playbook, file = ansible.CHECKOUT / "playbooks" / "monitoring.yml", tmp_path / "rules.yml"
    command = ["ansible-playbook", "-i", hosts, playbook, f"-ecomfywatchman_rules_file={file}"]
    done = ansible.run(*command, *more, cwd=tmp_path, home=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    return file


def test_the_example_is_what_the_playbook_makes_now(tmp_path: Path) -> None:
    assert RULES.read_text() == rendered(tmp_path).read_text(), "see docs/monitoring.md"


@with_promtool
def test_thresholds_and_names_are_the_inventory_s(tmp_path: Path) -> None:
    hosts = {"a": {}, "b": {"comfywatchman_instance": 0}}
    hosts["c"] = {"comfywatchman_prometheus_instance": "[fd00::1]"}
    of_ours = {
        "comfywatchman_alert_silent_after": 60,
        "comfywatchman_alert_skipped_after": 7200,
        "comfywatchman_alert_regressions_within": "1d",
        "comfywatchman_alert_broken_for": "30m",
        "comfywatchman_alert_for": "5m",
    }
    inventory = tmp_path / "hosts.json"
    inventory.write_text(json.dumps({"comfyui": {"hosts": hosts, "vars": of_ours}}))
    file = rendered(
        tmp_path, "-ecomfywatchman_user=x", "-ecomfywatchman_comfyui_dir=/x", hosts=inventory
    )
    promtool("check", "rules", file)
    text = file.read_text()
    assert "_interval_seconds + 60\n" in text
    assert "_timestamp_seconds > 7200\n" in text
    assert "[1d]" in text
    assert re.findall(r"for: (\d+m)", text) == ["5m", "5m", "30m", *["5m"] * 5]
    assert "runbook_url" not in text
    missing = [rule["expr"] for rule in alerts(file) if rule["alert"] == "ComfyWatchmanMissing"]
    asked = [re.findall(r'"([^"]*)"', expression) for expression in missing]
    assert asked == [
        ["[[]fd00::1[]](:[0-9]+)?", "comfywatchman"],
        ["a(:[0-9]+)?", "comfywatchman"],
        ["b(:[0-9]+)?", "comfywatchman-0"],
    ]


def test_a_name_that_would_be_something_else_in_a_rule_is_refused(tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.json"
    hosts = {"a": {"comfywatchman_prometheus_instance": 'a"} or vector(1) #'}}
    inventory.write_text(json.dumps({"comfyui": {"hosts": hosts}}))
    playbook = ansible.CHECKOUT / "playbooks" / "monitoring.yml"
    done = ansible.run("ansible-playbook", "-i", inventory, playbook, cwd=tmp_path, home=tmp_path)
    assert done.returncode == 2
    assert "give it, without its port, in comfywatchman_prometheus_instance" in " ".join(
        done.stdout.split()
    )


@with_promtool
def test_each_alert_fires_and_is_quiet_when_it_should() -> None:
    promtool("check", "rules", RULES)
    promtool("test", "rules", MONITORING / "rules_test.yml")


def test_there_is_a_firing_and_a_quiet_case_of_each() -> None:
    tests = yaml.safe_load((MONITORING / "rules_test.yml").read_text())["tests"]
    cases = [case for test in tests for case in test.get("alert_rule_test", [])]
    names = {rule["alert"] for rule in alerts()}
    assert {case["alertname"] for case in cases if case.get("exp_alerts")} == names
    assert {case["alertname"] for case in cases if not case.get("exp_alerts")} == names


def test_each_alert_has_a_section_to_which_it_points() -> None:
    anchors = {
        f"#{heading.lower()}" for heading in re.findall(r"^### (\w+)$", DOCUMENTATION, re.MULTILINE)
    }
    pointed = {rule["annotations"]["runbook_url"].partition("#")[2] for rule in alerts()}
    assert {f"#{name}" for name in pointed} <= anchors
    assert pointed == {rule["alert"].lower() for rule in alerts()}


def test_what_differs_between_hosts_of_one_cause_are_the_hosts() -> None:
    assert {frozenset(rule["labels"]) for rule in alerts()} == {
        frozenset({"severity", "team"}),
        frozenset({"severity", "team", "instance", "comfywatchman_instance"}),
    }


@pytest.mark.parametrize("query", [*queries(), *dict.fromkeys(rule["expr"] for rule in alerts())])
def test_only_what_is_written_is_asked_for(query: str) -> None:
    assert metrics_in(query)
    assert metrics_in(query) <= WRITTEN | OF_OTHERS


def test_all_that_is_written_is_shown() -> None:
    assert set().union(*map(metrics_in, queries())) == WRITTEN


def test_all_that_is_written_is_documented() -> None:
    assert set(re.findall(r"^\| `(comfywatchman_\w+)`", DOCUMENTATION, re.MULTILINE)) == WRITTEN


def test_the_dashboard_can_be_imported_and_provisioned() -> None:
    assert DASHBOARD["id"] is None
    assert DASHBOARD["uid"] == "comfywatchman"
    assert DASHBOARD["schemaVersion"] <= 39
    assert "__inputs" not in DASHBOARD
    source = {"type": "prometheus", "uid": "${datasource}"}
    datasource, *asked = variables()
    assert (datasource["name"], datasource["type"]) == ("datasource", "datasource")
    assert datasource["query"] == "prometheus"
    assert [variable["name"] for variable in asked] == ["instance", "comfywatchman_instance"]
    assert all(variable["datasource"] == source for variable in asked)
    for panel in DASHBOARD["panels"]:
        assert panel["datasource"] == source
        assert all(target["datasource"] == source for target in panel["targets"])
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))


def test_no_panel_lies_on_another() -> None:
    taken = [
        (x, y)
        for place in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 24


def series(text: str) -> Iterator[dict[str, str]]:
    """What a host's file holds, as promtool takes it: constant, of a host that is scraped."""
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            labels = {**one.labels, "instance": "render-01:9100", "job": "node"}
            shown = ", ".join(f"{name}={json.dumps(value)}" for name, value in labels.items())
            yield {"series": f"{one.name}{{{shown}}}", "values": f"{one.value!r}x200"}


@with_promtool
def test_prometheus_has_an_answer_to_each_query_where_a_host_has_its_file(tmp_path: Path) -> None:
    report = sample.report([broken(), runnable()])
    assert textfile.write(tmp_path, "gpu1", Ending(Outcome.DONE, report), tmp_path) is None
    text = (tmp_path / "comfywatchman-gpu1.prom").read_text()
    case = {
        "interval": "1m",
        "input_series": list(series(text)),
        "promql_expr_test": [
            {
                "expr": f"count({query}) > bool 0",
                "eval_time": "180m",
                "exp_samples": [{"labels": "{}", "value": 1}],
            }
            for query in queries()
        ],
    }
    (tmp_path / "tests.yml").write_text(yaml.safe_dump({"tests": [case]}))
    promtool("test", "rules", tmp_path / "tests.yml")
