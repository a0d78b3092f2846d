"""What watches over Linkferry asks for what there is, in Prometheus's own eyes too, and for all of it."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import Counter, Histogram, Metric

from shared import metrics
from shared.errors import Code
from shared.health import Check, Report
from shared.load import Load
from shared.monitor import Sight, gauges
from shared.states import JobState
from tests.bots.web.test_api import running
from tests.bots.web.test_monitoring import CHECKS

ROOT = Path(__file__).resolve().parents[2]
MONITORING = ROOT / "infra" / "monitoring"
DASHBOARDS = MONITORING / "grafana" / "dashboards"
OF_TARGETS = {"job", "instance", "service"}  # labels that prometheus.yml gives to whatever it asks
OURS = re.compile(r"\blinkferry_\w+")
ENDINGS = {Counter: ("_total",), Histogram: ("_bucket", "_sum", "_count")}
SIGHT = Sight(
    Report(status="ok", checks={name: Check(ok=True, seconds=0, reason="") for name in CHECKS}),
    Load(queued=1, oldest_queued=1.0, outbox_rows=1, outbox_lag=1.0, workers={"a:1": 3}),
    *(1, 10**10, 10**9, 30),
)


def promtool(*words: str, said: str | None = None) -> str:
    """Let Prometheus's own tool judge; returns what it says."""
    command = ["promtool", *words]
    done = subprocess.run(command, cwd=ROOT, input=said, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def counted() -> Iterator[tuple[str, Counter | Histogram]]:
    """What this code counts, by family."""
    for metric in vars(metrics).values():
        if isinstance(metric, Counter | Histogram):
            yield metric.describe()[0].name, metric


def seen() -> dict[str, Metric]:
    """What is looked at for each answer, by name."""
    return {family.name: family for family in gauges(SIGHT)}


def series() -> dict[str, tuple[str, set[str]]]:
    """Every series of ours: the family it belongs to, and its labels."""
    found = {name: (name, set(family.samples[0].labels)) for name, family in seen().items()}
    for name, metric in counted():
        for ending in ENDINGS[type(metric)]:
            found[name + ending] = name, {*metric._labelnames, *(["le"] if ending == "_bucket" else [])}
    return found


def rules() -> list[dict[str, Any]]:
    """The alerts."""
    return [rule for group in read(MONITORING / "alerts.yml")["groups"] for rule in group["rules"]]


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DASHBOARDS / "linkferry.json").read_text())
    return found


def targets() -> list[dict[str, str]]:
    """What the dashboard asks Prometheus."""
    return [target for panel in dashboard()["panels"] for target in panel.get("targets", ())]


def expressions() -> list[str]:
    return [rule["expr"] for rule in rules()] + [target["expr"] for target in targets()]


def test_prometheus_takes_its_configuration_and_the_rules() -> None:
    assert "SUCCESS" in promtool("check", "config", str(MONITORING / "prometheus.yml"))


def test_alerts_are_raised_when_they_should_and_only_then() -> None:
    assert "SUCCESS" in promtool("test", "rules", "tests/monitoring/alerts.yml")


def test_every_alert_is_tried() -> None:
    tried = (ROOT / "tests" / "monitoring" / "alerts.yml").read_text()
    assert [rule["alert"] for rule in rules() if rule["alert"] not in tried] == []


def test_every_alert_says_what_it_is_and_what_to_do() -> None:
    for rule in rules():
        assert rule["labels"]["severity"] in ("critical", "warning")
        for words in (rule["annotations"]["summary"], rule["annotations"]["action"]):
            assert words[0].isupper() or words.startswith(("{{", "yt-dlp", "linkferry"))
            assert words.endswith(".") or "linkferry " in words.rpartition(". ")[2]


async def test_prometheus_likes_what_a_process_says(tmp_path: Path) -> None:
    async with running(tmp_path) as web:
        await web.job()
        said = (await web.client.get("/metrics")).text
    assert promtool("check", "metrics", said=said) == ""


def test_no_family_is_told_twice() -> None:
    names = [name for name, _ in counted()] + list(seen())
    assert len(names) == len(set(names))
    assert all(name.startswith("linkferry_") for name in names)


@pytest.mark.parametrize("expression", expressions())
def test_what_is_asked_for_exists(expression: str) -> None:
    known = series()
    text = re.sub(r'"[^"]*"', '""', expression)
    names = set(OURS.findall(text))
    assert names <= known.keys()
    for name, selector in re.findall(r"(\w+)\{([^}]*)\}", text):
        labels = known[name][1] if name in known else set()
        assert set(re.findall(r"(\w+)\s*[=!]", selector)) <= labels | OF_TARGETS
    offered = OF_TARGETS.union(*(known[name][1] for name in names))
    for clause in re.findall(r"\bby \(([^)]*)\)", text):
        assert set(re.split(r",\s*", clause)) <= offered


VALUES = {
    "check": CHECKS,
    "state": {state.value for state in JobState} | {"waiting"},
    "code": {code.value for code in Code},
    "job": {"linkferry"},
}


@pytest.mark.parametrize("expression", [text for text in expressions() if '"' in text])
def test_what_is_asked_for_can_be_so(expression: str) -> None:
    for label, values in re.findall(r'(\w+)=~?"([^"]*)"', expression):
        assert set(values.split("|")) <= VALUES[label]


@pytest.mark.parametrize(
    ("expression", "words"),
    [(rule["expr"], str(rule["annotations"])) for rule in rules()]
    + [(target["expr"], target["legendFormat"]) for target in targets()],
)
def test_words_name_labels_that_are_left(expression: str, words: str) -> None:
    known = series()
    clauses = re.findall(r"\bby \(([^)]*)\)", expression)
    left = {label for clause in clauses for label in re.split(r",\s*", clause)}
    if not re.search(r"\b(sum|max|min|count|absent)\b", expression):
        left = OF_TARGETS.union(*(known[name][1] for name in OURS.findall(expression)))
    assert set(re.findall(r"\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}", words)) <= left


def test_whatever_is_measured_is_watched() -> None:
    known = series()
    watched = {known[name][0] for text in expressions() for name in OURS.findall(text) if name in known}
    assert {family for family, _ in known.values()} - watched == set()


def test_no_label_tells_of_a_person_a_job_or_a_link() -> None:
    ours = set().union(*(labels for _, labels in series().values()))
    assert ours == {"check", "code", "le", "platform", "process", "stage", "state"}


def test_grafana_finds_prometheus_and_the_dashboard() -> None:
    (source,) = read(MONITORING / "grafana" / "datasources" / "prometheus.yml")["datasources"]
    (provider,) = read(DASHBOARDS / "linkferry.yml")["providers"]
    assert provider["options"]["path"] == "/etc/grafana/provisioning/dashboards"
    asked = {part["uid"] for part in parts(dashboard()) if part.get("type") == "prometheus" and "uid" in part}
    assert asked == {source["uid"]}


def parts(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object inside."""
    if isinstance(tree, dict):
        yield tree
    for inner in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from parts(inner)


def test_no_panel_covers_another() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells)) and max(x for x, _ in cells) < 24


def test_prometheus_asks_the_services_of_the_compose_file_on_their_port() -> None:
    services = read(ROOT / "compose.yaml")["services"]
    (job,) = read(MONITORING / "prometheus.yml")["scrape_configs"]
    (found,) = job["dns_sd_configs"]
    ours = {name for name, service in services.items() if has_port(service)}
    assert set(found["names"]) == ours - {"migrate", "s3-bucket"}, "those two end, and answer nobody"
    assert {services[name]["environment"]["LINKFERRY_METRICS_PORT"] for name in found["names"]} == {
        str(found["port"])
    }


def has_port(service: dict[str, Any]) -> bool:
    return "LINKFERRY_METRICS_PORT" in service.get("environment", {})
