"""Every setting that is named beside the code exists, and .env.example has every one with its default."""

import re
from pathlib import Path

import pytest

from shared.settings import PREFIX, Settings
from tests.deploy.composefile import COMPOSE, ENV_EXAMPLE, ROOT

SETTINGS = {PREFIX + name.upper() for name in Settings.model_fields}
FILES = ["README.md", "compose.yaml", "Dockerfile", ".env.example", "Makefile"]
FOLDERS = ["infra", "docs", "scripts"]
# What is not ours in .env.example: Docker Compose's own, and what boto3 and OpenTelemetry read.
OTHERS = {"COMPOSE_PROFILES", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
OTHERS |= {"OTEL_EXPORTER_OTLP_ENDPOINT"}
ASSIGNMENT = re.compile(r"^(?:# )?([A-Z][A-Z0-9_]*)=(.*)$", re.MULTILINE)


def assignments() -> dict[str, str]:
    """What .env.example sets, with the # taken away."""
    found = ASSIGNMENT.findall(ENV_EXAMPLE.read_text())
    assert len(found) == len({name for name, _ in found}), "one line a variable"
    return dict(found)


def beside_the_code() -> list[Path]:
    below = [path for name in FOLDERS for path in sorted((ROOT / name).rglob("*")) if path.is_file()]
    return [
        *(ROOT / name for name in FILES),
        *(path for path in below if path.suffix not in (".pyc", ".png")),
    ]


@pytest.mark.parametrize("path", beside_the_code(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_variable_that_a_file_names_is_a_setting(path: Path) -> None:
    told = set(re.findall(rf"\b{PREFIX}[A-Z0-9_]*[A-Z0-9]", path.read_text()))
    meant = {name if name in SETTINGS else name.removesuffix("_FILE") for name in told}
    assert meant - SETTINGS == set()


def test_every_setting_is_in_the_example() -> None:
    ours = {name for name in assignments() if name.startswith(PREFIX)}
    assert ours == SETTINGS


def test_taking_every_hash_away_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)
    everything = tmp_path / "everything"
    everything.write_text("\n".join(f"{name}={value}" for name, value in assignments().items()))
    assert Settings(_env_file=everything) == Settings(_env_file=None)


def test_nothing_but_the_profile_is_set_before_somebody_sets_it() -> None:
    set_already = re.findall(r"^([^#\n]\S*)=", ENV_EXAMPLE.read_text(), re.MULTILINE)
    assert set_already == ["COMPOSE_PROFILES"]


def test_compose_s_variables_and_the_example_s_are_the_same() -> None:
    wanted = set(re.findall(r"\$\{([A-Z0-9_]+)", COMPOSE.read_text()))
    offered = {name for name in assignments() if not name.startswith(PREFIX)} - OTHERS
    assert wanted == offered


def test_compose_s_defaults_and_the_example_s_are_the_same() -> None:
    defaults = dict(re.findall(r"\$\{([A-Z0-9_]+):-([^}]*)\}", COMPOSE.read_text()))
    told = assignments()
    assert {name: told[name] for name in defaults} == defaults


def test_every_variable_has_a_comment_above_it() -> None:
    lines = ENV_EXAMPLE.read_text().splitlines()
    for number, line in enumerate(lines):
        if ASSIGNMENT.fullmatch(line):
            assert lines[number - 1].startswith("# "), f"nothing explains {line}"
