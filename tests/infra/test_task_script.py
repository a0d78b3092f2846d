"""infra/terraform/task.sh, with an `aws` and a `terraform` of ours: there is no AWS where tests run."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.infra.hcl import FOLDER

ARN = "arn:aws:ecs:eu-central-1:123456789012:task/linkferry/0123456789abcdef"
TERRAFORM = """#!/bin/sh
case $3 in
    name) printf ferry ;;
    region) printf eu-central-1 ;;
    run_migrate | run_worker) printf '{"cluster": "ferry", "taskDefinition": "ferry-%s"}' "${3#run_}" ;;
    *) exit 1 ;;
esac
"""
AWS = """#!/bin/sh
for word in "$@"; do printf '%s\\0' "$word"; done >>"$CALLS"
printf '%s\\n' "region=$AWS_REGION" >>"$CALLS"
case "$1 $2" in
    "ecs run-task") echo "$TASK" ;;
    "ecs describe-tasks") echo "$CODE" ;;
    "logs tail") echo "a line of its log" ;;
esac
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that each call of `aws` is noted in."""
    for name, text in (("terraform", TERRAFORM), ("aws", AWS)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("TASK", ARN)
    monkeypatch.setenv("CODE", "0")
    return tmp_path / "calls"


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """The script's run."""
    return subprocess.run(
        [str(FOLDER / "task.sh"), *words], capture_output=True, text=True, timeout=60, check=False
    )


def made(calls: Path) -> list[list[str]]:
    """The arguments of every call."""
    return [line.split("\0")[:-1] for line in calls.read_text().splitlines()]


def test_migrate_runs_as_it_is(calls: Path) -> None:
    done = run("migrate")
    assert (done.returncode, done.stdout) == (0, "a line of its log\n")
    assert [call[:2] for call in made(calls)] == [
        ["ecs", "run-task"],
        ["ecs", "wait"],
        ["logs", "tail"],
        ["ecs", "describe-tasks"],
    ]
    started = made(calls)[0]
    assert json.loads(started[started.index("--cli-input-json") + 1])["taskDefinition"] == "ferry-migrate"
    overrides = json.loads(started[started.index("--overrides") + 1])
    assert overrides == {"containerOverrides": [{"name": "linkferry"}]}
    assert "/ferry/migrate" in made(calls)[2]
    assert "task/linkferry/0123456789abcdef" in made(calls)[2]
    assert "region=eu-central-1" in calls.read_text()


def test_a_command_replaces_the_worker_s(calls: Path) -> None:
    assert run("worker", "jobs", "list", "--state=failed").returncode == 0
    started = made(calls)[0]
    overrides = json.loads(started[started.index("--overrides") + 1])
    assert overrides["containerOverrides"][0]["command"] == ["jobs", "list", "--state=failed"]


def test_its_failure_is_the_script_s(calls: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODE", "2")
    assert run("worker", "doctor").returncode == 2
    monkeypatch.setenv("CODE", "None")
    assert run("worker", "doctor").returncode == 1
    monkeypatch.setenv("TASK", "None")
    done = run("migrate")
    assert (done.returncode, done.stderr) == (1, "ECS did not start it: look at the cluster ferry.\n")


def test_what_could_be_more_than_a_word_is_refused(calls: Path) -> None:
    done = run("worker", 'jobs", "x')
    assert done.returncode == 2
    assert "plain words only" in done.stderr
    assert not calls.exists()
