"""The Dockerfile and what it copies. No container engine runs here: its parts are tried one by one."""

import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from shared.settings import PREFIX, Settings
from tests.deploy.composefile import ROOT, load, ours
from tests.test_project import LOCKS, pins, tracked

DOCKERFILE = ROOT / "Dockerfile"
PACKAGES = ("bots", "worker", "shared", "migrations", "linkferry")
PROGRAM = Path(sys.executable).with_name("hadolint")


def instructions() -> list[tuple[str, str]]:
    """Each instruction and its words, lines that go on joined, comments left out."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE)
    joined = re.sub(r"\\\n\s*", "", text)
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def stages() -> list[list[tuple[str, str]]]:
    """The instructions of each stage."""
    found: list[list[tuple[str, str]]] = []
    for word, rest in instructions():
        if word == "FROM":
            found.append([])
        found[-1].append((word, rest))
    return found


def all_of(word: str, stage: list[tuple[str, str]]) -> list[str]:
    return [rest for found, rest in stage if found == word]


def image_variables() -> dict[str, str]:
    """The variables that every container of the image has."""
    (line,) = all_of("ENV", stages()[-1])
    return dict(pair.split("=", 1) for pair in line.split())


def test_hadolint_has_nothing_to_say() -> None:
    done = subprocess.run([PROGRAM, DOCKERFILE], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")


def test_hadolint_would_say_something(tmp_path: Path) -> None:
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM debian\nRUN apt-get install ffmpeg\n")
    done = subprocess.run([PROGRAM, bad], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "DL3006" in done.stdout and "DL3015" in done.stdout


def test_the_base_is_pinned_to_a_patch_and_the_same_everywhere() -> None:
    bases = [rest.split()[0] for word, rest in instructions() if word == "FROM"]
    assert len(bases) == 2 and len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-bookworm", bases[0])


def test_everything_is_installed_from_a_hashed_lock_and_from_wheels() -> None:
    installs = [rest for rest in all_of("RUN", stages()[0]) if "pip install" in rest]
    first, newer, own = installs
    assert '--require-hashes -r "$LOCK"' in first and "--only-binary=:all:" in first
    assert newer.startswith('test -z "$YT_DLP" ||'), (
        "only who asks for a newer yt-dlp gets another than the lock's"
    )
    assert "--no-deps --no-build-isolation ." in own
    (lock,) = [rest for rest in all_of("ARG", stages()[0]) if rest.startswith("LOCK=")]
    assert lock.removeprefix("LOCK=") in LOCKS
    for name in ("requirements.lock", "requirements-speech.lock", "requirements-tracing.lock"):
        assert "setuptools" in pins(name), "which builds our own package without asking an index"


def test_the_result_has_no_build_tools() -> None:
    runs = " ".join(all_of("RUN", stages()[-1]))
    (packages,) = re.findall(r"apt-get install ([^&]*)", runs)
    assert [word for word in packages.split() if not word.startswith("--")] == ["ffmpeg"]
    assert "uninstall --yes setuptools pip" in all_of("RUN", stages()[0])[-1]
    assert "uninstall --yes wheel setuptools pip" in runs
    (copied,) = all_of("COPY", stages()[-1])
    assert copied == "--from=build /opt/linkferry /opt/linkferry"


def test_nothing_depends_on_the_processor() -> None:
    assert not re.search(
        r"amd64|x86_64|TARGETARCH|--platform|arm64|aarch64", "\n".join(map(str, instructions()))
    )


def test_it_runs_as_a_number_and_the_program_tells_its_health() -> None:
    final = stages()[-1]
    assert all_of("USER", final) == ["10001:10001"]
    assert json.loads(all_of("ENTRYPOINT", final)[0]) == ["linkferry"]
    assert json.loads(all_of("CMD", final)[0]) == ["up"]
    (check,) = all_of("HEALTHCHECK", final)
    assert json.loads(check.partition(" CMD ")[2]) == ["linkferry", "health"]
    assert all_of("VOLUME", final) == ["/data"]


def test_its_variables_are_settings_and_compose_s_agree() -> None:
    mine = {name: value for name, value in image_variables().items() if name.startswith(PREFIX)}
    assert {name.removeprefix(PREFIX).lower() for name in mine} <= Settings.model_fields.keys()
    for name, service in ours(load()["services"]).items():
        if name != "migrate":  # which neither listens nor is asked
            assert {key: service["environment"][key] for key in mine} == mine, name
        assert service["user"] == "10001:10001"


def copied() -> list[str]:
    """What the image takes from the project's folder."""
    return [source for rest in all_of("COPY", stages()[0]) for source in rest.split()[:-1]]


def test_the_context_has_what_is_copied_and_nothing_else() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "*", "nothing gets in that is not named"
    assert {line.removeprefix("!") for line in lines if line.startswith("!")} == set(copied())
    assert all((ROOT / name).exists() for name in copied())


@pytest.mark.slow
def test_the_package_has_every_file_of_ours(tmp_path: Path) -> None:
    """What `pip install .` makes out of what was copied: also templates, pictures and migrations."""
    for name in copied():
        source = ROOT / name
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=ignored)
        else:
            shutil.copy(source, tmp_path / name)
    build = "from setuptools import build_meta; build_meta.build_wheel('wheel')"
    subprocess.run([sys.executable, "-c", build], cwd=tmp_path, check=True, capture_output=True, timeout=200)
    (wheel,) = (tmp_path / "wheel").glob("*.whl")
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    here = {name for name in tracked() if name.split("/")[0] in PACKAGES and (ROOT / name).exists()}
    assert here - inside == set()
    assert {name.split("/")[0] for name in inside} == set(PACKAGES)
