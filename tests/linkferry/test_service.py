"""`up`, `web`, `migrate`, `doctor` when something is not as it should be: one sentence, exit 2."""

import socket
import sqlite3
from datetime import date
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from typer.testing import CliRunner

import migrations
from linkferry import cli, doctor
from linkferry.cli import config_error
from linkferry.serve import listening, welcome
from shared import space
from shared.checks import Finding, age_in_days, disk, names
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
    service = home.service("up")
    done = home.run("up")
    assert done.code == 2 and "Another linkferry carries jobs" in done.err
    assert f": linkferry up (process {service.pid}). Stop it first" in done.err
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


@pytest.mark.parametrize("words", [["up"], ["worker"], ["get", "https://a.example/x"]])
def test_whoever_fetches_wants_to_read_the_cookies_first(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "finish", lambda *_: None)  # should one of them begin
    told = CliRunner().invoke(cli.app, words, env={"LINKFERRY_COOKIE_FILE": "missing"}).exception
    assert isinstance(told, ConfigError) and "LINKFERRY_COOKIE_FILE" in str(told)


@pytest.mark.slow
def test_doctor_tells_what_is_fatal_from_what_is_not(home: Home) -> None:
    well = home.run("doctor")
    assert well.code == 0 and "worker        not running. Start it: linkferry up." in well.out
    ill = home.run("doctor", DATA_DIR="/dev/null/data", COOKIE_FILE="/nowhere/cookies")
    assert ill.code == 1
    lines = [line for line in ill.out.splitlines() if line.startswith("fix")]
    assert [line.split()[1] for line in lines] == ["data", "cookies", "database"]
    assert "check the data folder" in lines[-1]


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


def test_a_name_that_is_no_setting_is_told_with_the_nearest_one() -> None:
    ours = ["LINKFERRY_DATA_DIR", "LINKFERRY_API_KEYS_FILE", "PATH", "SLACK_BOT_TOKEN"]
    assert names(ours).mark == "ok"
    found = names([*ours, "LINKFERRY_DATADIR", "LINKFERRY_FROBNICATE"])
    assert (found.mark, found.found) == ("note", "LINKFERRY_DATADIR, LINKFERRY_FROBNICATE: without effect.")
    assert "Did you mean LINKFERRY_DATA_DIR by LINKFERRY_DATADIR?" in found.advice
    assert "FROBNICATE" not in found.advice


async def test_doctor_looks_for_names_in_the_environment_and_in_dotenv(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LINKFERRY_PROT", "1")
    (tmp_path / ".env").write_text("LINKFERRY_HOTS=x\n")
    found = await doctor._settings(settings(tmp_path))
    assert "LINKFERRY_HOTS" in found.found and "LINKFERRY_PROT" in found.found


@pytest.mark.parametrize(
    ("revision", "mark", "says"),
    [(None, "ok", "empty: the first start makes its tables"), ("0001", "note", "the next start changes it"),
     ("0002", "ok", "SQLite"), ("9999", "fix", "newer Linkferry: update")],
)  # fmt: skip
def test_doctor_tells_which_schema_it_is(revision: str | None, mark: str, says: str) -> None:
    found = doctor._schema("SQLite", revision, "0002")
    assert found.mark == mark and says in f"{found.found} {found.advice}"


async def test_doctor_calls_a_new_database_empty(tmp_path: Path) -> None:
    assert "empty" in (await doctor._database(settings(tmp_path))).found


async def test_a_full_disk_is_told_in_the_unit_that_shows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(space, "free", lambda _: 41_000_000)
    found = await disk(settings(tmp_path))
    assert (found.mark, found.found) == ("fix", "41.0 MB.")
    assert "less than 1.0 GB" in found.advice and "lower" not in found.advice


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
