"""`up`, `web`, `migrate`, `doctor` when something is not as it should be: one sentence, exit 2."""

import socket
import sqlite3
from datetime import date
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

import migrations
from linkferry.cli import config_error
from linkferry.serve import listening, welcome
from shared.checks import Finding, age_in_days
from shared.errors import ConfigError
from shared.settings import Settings
from tests.linkferry.conftest import Home


def settings(folder: Path, **values: object) -> Settings:
    return Settings(_env_file=None, data_dir=folder, **values)  # type: ignore[call-arg, arg-type]


@pytest.mark.parametrize("command", ["up", "web"])
def test_a_port_in_use_is_a_sentence(home: Home, command: str) -> None:
    with socket.create_server(("127.0.0.1", home.port)):
        done = home.run(command)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert f"Another program listens on 127.0.0.1:{home.port}" in done.err


@pytest.mark.slow
def test_a_second_up_is_told_so(home: Home) -> None:
    home.service("up")
    done = home.run("up")
    assert done.code == 2 and "Another linkferry carries jobs" in done.err
    doctor = home.run("doctor")
    assert "answers" in doctor.out and "running" in doctor.out


@pytest.mark.parametrize(
    "wrong",
    [{"PORT": "many"}, {"DATABASE_URL": "mysql://x"}, {"DATABASE_URL": "sqlite+aiosqlite:////nowhere/x.db"},
     {"SECRET_KEYS": "short"}, {"SECRET_KEYS_FILE": "/nowhere"}, {"DATA_DIR": "/dev/null/data"}],
)  # fmt: skip
def test_a_wrong_setting_is_a_sentence_that_names_it(home: Home, wrong: dict[str, str]) -> None:
    done = home.run("migrate", **wrong)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1), done.err
    assert f"LINKFERRY_{next(iter(wrong))}" in done.err


@pytest.mark.slow
def test_migrate_twice(home: Home) -> None:
    for _ in range(2):
        done = home.run("migrate")
        assert (done.code, done.out) == (0, "The database is up to date.\n")


@pytest.mark.slow
def test_a_schema_from_the_future_is_left_alone(home: Home) -> None:
    assert ScriptDirectory.from_config(migrations.config()).get_current_head() == migrations.head()
    home.run("migrate")
    with sqlite3.connect(home.data / "linkferry.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    done = home.run("migrate")
    assert done.code == 2 and "newer Linkferry (9999" in done.err


@pytest.mark.slow
def test_doctor_tells_what_is_fatal_from_what_is_not(home: Home) -> None:
    well = home.run("doctor")
    assert well.code == 0 and "worker        not running. Start it: linkferry up." in well.out
    ill = home.run("doctor", DATA_DIR="/dev/null/data", COOKIE_FILE="/nowhere/cookies")
    assert ill.code == 1
    lines = [line for line in ill.out.splitlines() if line.startswith("fix")]
    assert [line.split()[1] for line in lines] == ["data", "cookies", "database"]


@pytest.mark.slow
def test_doctor_misses_programs(home: Home) -> None:
    home.environment["PATH"] = "/nowhere"
    done = home.run("doctor")
    assert done.code == 1 and done.out.count("apt install ffmpeg") == 2


@pytest.mark.parametrize(
    ("release", "days"),
    [("2026.08.19", 1), ("2026.8.19", 1), ("2026.8.19.123456", 1), ("2026.8.20", 0), ("2026.13.1", None),
     ("nightly", None), ("", None)],
)  # fmt: skip
def test_age_in_days(release: str, days: int | None) -> None:
    assert age_in_days(release, date(2026, 8, 20)) == days


def test_marks() -> None:
    assert Finding("a", "b").mark == "ok"
    assert Finding("a", "b", "do").mark == "note"
    assert Finding("a", "b", "do", fatal=True).mark == "fix"


def test_listens_on_every_address_of_a_host(tmp_path: Path, home: Home) -> None:
    with listening(settings(tmp_path, host="localhost", port=home.port)) as sockets:
        assert {bound.getsockname()[1] for bound in sockets} == {home.port}
    with pytest.raises(ConfigError, match="check LINKFERRY_HOST"):
        listening(settings(tmp_path, host="192.0.2.1", port=home.port)).__enter__()


def test_the_welcome_warns_who_listens_to_the_world(tmp_path: Path) -> None:
    assert len(welcome(settings(tmp_path))) == 2
    world = welcome(settings(tmp_path, host="0.0.0.0"))
    assert "LINKFERRY_PUBLIC_URL" in world[2] and "LINKFERRY_API_KEYS" in world[3]
    assert "[::1]:8080" in welcome(settings(tmp_path, host="::1"))[0]


def test_a_mistake_is_found_in_nested_groups() -> None:
    mistake = ConfigError("set it")
    group = BaseExceptionGroup("", [ValueError(), BaseExceptionGroup("", [mistake])])
    assert config_error(group) is mistake
    assert config_error(ValueError()) is None
