"""What the README and the files beside it promise is so."""

import re
from pathlib import Path

from shared.settings import PREFIX, Settings

ROOT = Path(__file__).parents[1]
PUBLIC_FILES = ("README.md", "compose.yaml", "Dockerfile", ".env.example")
SETTINGS = {PREFIX + field.upper() for field in Settings.model_fields}


def readme() -> str:
    return (ROOT / "README.md").read_text()


def test_every_variable_that_people_are_told_exists() -> None:
    known = SETTINGS | {f"{name}_FILE" for name in SETTINGS}
    told = {
        name
        for file in PUBLIC_FILES
        if (ROOT / file).exists()
        for name in re.findall(rf"{PREFIX}[A-Z0-9_]*[A-Z0-9]", (ROOT / file).read_text())
    }
    assert told - known == set()


def test_the_settings_table_has_every_setting() -> None:
    first_cells = [line.split("|")[1] for line in readme().splitlines() if line.startswith("|")]
    documented = set(re.findall(rf"`({PREFIX}[A-Z0-9_]+)`", "\n".join(first_cells)))
    assert SETTINGS - documented == set()


def test_the_make_commands_exist() -> None:
    named = set(re.findall(r"(?:`|^\$? *)make ([a-z]+)", readme(), re.MULTILINE))
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"demo", "test"} <= named <= targets


def test_links_and_pictures_point_to_files_that_exist() -> None:
    text = readme()
    targets = re.findall(r"\]\(([^)#\s]+)", text) + re.findall(r'(?:src|href)="([^"#]+)"', text)
    assert [name for name in targets if "://" not in name and not (ROOT / name).exists()] == []
