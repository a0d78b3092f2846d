"""Facts about the tree that must stay true, whoever changes it."""

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXTRAS = ("requirements-speech.lock", "requirements-tracing.lock")
LOCKS = ("requirements.lock", *EXTRAS, "requirements-dev.lock")
ALONE = "requirements-checkov.lock"  # a tool in a venv of its own
WITHIN = [pair for pair in itertools.combinations(LOCKS, 2) if pair != EXTRAS]
MACHINE_PATH = re.compile(
    r"(?<![\w./-])/(?:work/|Users/|(?:root|home/\w+)/\.)"
)  # not the made-up ones of tests


def pins(lock: str) -> dict[str, str]:
    """Each package's name with its whole entry: version, marker and hashes."""
    entries = re.split(r"\n(?=\S)", (ROOT / lock).read_text().strip())
    return {re.split(r"[=\s]", entry, maxsplit=1)[0]: entry for entry in entries}


def tracked() -> list[str]:
    """The paths that git keeps; the test is skipped where git or the clone is missing."""
    command = ["git", "ls-files", "-z"]
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip(f"git lists nothing here: {listed.stderr.strip()}")
    return listed.stdout.strip("\0").split("\0")


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("lock", [*LOCKS, ALONE])
def test_a_lock_installs_from_any_index(lock: str) -> None:
    assert not re.findall(r"^.*(?:://|--\w*index|--find-links).*$", (ROOT / lock).read_text(), re.MULTILINE)


@pytest.mark.parametrize("lock", [*LOCKS, ALONE])
def test_every_locked_package_has_a_version_and_a_hash(lock: str) -> None:
    bare = [name for name, entry in pins(lock).items() if "==" not in entry or "--hash=sha256:" not in entry]
    assert not bare


@pytest.mark.parametrize(("lock", "larger"), WITHIN)
def test_locks_agree_and_each_holds_the_smaller_ones(lock: str, larger: str) -> None:
    rest = pins(larger)
    assert {name: entry for name, entry in pins(lock).items() if rest[name] != entry} == {}


def test_the_locks_hold_everything_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    assert names(project["dependencies"] + extras["install"]) <= pins("requirements.lock").keys()
    assert names(extras["speech"]) <= pins("requirements-speech.lock").keys()
    assert names(extras["tracing"]) <= pins("requirements-tracing.lock").keys()
    assert names(extras["dev"]) <= pins("requirements-dev.lock").keys()


def test_speech_and_tracing_cost_only_those_who_want_them() -> None:
    assert not {"faster-whisper", "ctranslate2", "numpy"} & pins("requirements.lock").keys()
    assert not {"opentelemetry-sdk", "protobuf"} & pins("requirements.lock").keys()


def names(requirements: list[str]) -> set[str]:
    """The packages' names as the locks spell them."""
    bare = (re.match(r"[\w.-]+", requirement) for requirement in requirements)
    return {re.sub(r"[-_.]+", "-", found[0]).lower() for found in bare if found}


def test_no_file_names_a_folder_of_one_machine() -> None:
    found = []
    for name in tracked():
        path = ROOT / name
        if path.is_file() and MACHINE_PATH.search(path.read_text(errors="ignore")):
            found.append(name)
    assert not found


def test_make_knows_the_commands_that_people_are_told() -> None:
    assert {"demo", "test", "check", "run", "lock"} <= make_targets()


def test_scripts_can_be_started() -> None:
    scripts = [ROOT / ".ci" / "run", *(ROOT / "scripts").glob("*.sh")]
    assert [path.name for path in scripts if not os.access(path, os.X_OK)] == []


@pytest.mark.slow
def test_boto3_is_imported_only_where_s3_is_chosen() -> None:
    program = (
        "import sys, json, linkferry.cli; print(json.dumps([m for m in sys.modules if m.startswith('boto')]))"
    )
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout
    assert json.loads(output) == []
