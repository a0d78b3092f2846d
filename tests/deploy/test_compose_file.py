"""compose.yaml, with nothing running: is it one, what may containers do, does everything it names exist."""

import inspect
import os
import re
import stat
import subprocess
from pathlib import Path
from typing import Any

import compose_spec
import pytest
import yaml

from shared.database import Database
from shared.settings import PREFIX, Settings
from tests.deploy.composefile import (
    ENV_EXAMPLE,
    ROOT,
    SECRETS,
    Service,
    env_file,
    fill,
    in_order,
    load,
    ours,
    seconds,
    secret_files,
    services,
)

PROFILES = {"embedded", "full", "monitoring", "translate", "big-files", "s3"}
EVERYTHING = services(PROFILES)
OURS = ours(EVERYTHING)
LASTING = {name: one for name, one in EVERYTHING.items() if one["restart"] != "no"}
ONCE = EVERYTHING.keys() - LASTING.keys()
HIDDEN = {name for name, field in Settings.model_fields.items() if not field.repr} - {"libretranslate_url"}


def mounts(service: Service) -> list[tuple[str, str]]:
    """Source and target of each volume."""
    return [tuple(volume.split(":")[:2]) for volume in service.get("volumes", [])]  # type: ignore[misc]


def test_it_is_what_the_specification_says() -> None:
    compose_spec.PyCompose.from_yaml(yaml.safe_dump(load())).validate()


def test_a_mistake_would_be_seen() -> None:
    broken = load()
    broken["services"]["web"]["depend_on"] = {}
    with pytest.raises(ValueError, match="depend_on"):
        compose_spec.PyCompose.from_yaml(yaml.safe_dump(broken))


def test_every_service_belongs_to_a_profile_and_every_profile_has_services() -> None:
    assert EVERYTHING.keys() == load()["services"].keys()
    assert {profile for one in EVERYTHING.values() for profile in one["profiles"]} == PROFILES
    assert services({"embedded"}).keys() == {"linkferry"}, "one container"
    assert {"migrate", "web", "bots", "worker", "rabbitmq", "postgres"} == services({"full"}).keys()
    assert env_file(ENV_EXAMPLE.read_text())["COMPOSE_PROFILES"] == "embedded"


@pytest.mark.parametrize("name", EVERYTHING)
def test_a_container_may_do_next_to_nothing(name: str) -> None:
    service = EVERYTHING[name]
    assert re.fullmatch(r"[1-9]\d*:\d+", service["user"]), "a number, and not root"
    assert service["cap_drop"] == ["ALL"] and "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["init"] is True
    assert service["read_only"] is True or name == "translate"
    assert "/tmp" in service["tmpfs"]
    assert service["mem_limit"] and service["pids_limit"]
    assert not service.keys() & {"privileged", "network_mode", "pid", "ipc", "devices", "userns_mode"}
    assert not any("docker.sock" in source for source, _ in mounts(service))


@pytest.mark.parametrize("name", LASTING)
def test_every_container_that_lasts_says_how_it_is(name: str) -> None:
    check = LASTING[name]["healthcheck"]
    kind, *command = check["test"]
    assert kind in ("CMD", "CMD-SHELL") and command
    assert seconds(check["timeout"]) <= seconds(check["interval"])
    if name in OURS:
        assert check["test"] == ["CMD", "linkferry", "health", "--ready"]


def test_what_runs_once_is_waited_for() -> None:
    assert {"migrate", "s3-bucket"} == ONCE
    for name, service in EVERYTHING.items():
        for other, how in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if other in ONCE else "service_healthy"
            assert how["condition"] == wanted, (name, other)
            same = set(service["profiles"]) <= set(EVERYTHING[other]["profiles"])
            assert same or how["required"] is False, "a profile that is off is not waited for"


def test_the_schema_is_there_before_anybody_works() -> None:
    order = in_order(services({"full"}))
    assert order.index("postgres") < order.index("migrate")
    for name in ("web", "bots", "worker"):
        assert order.index("migrate") < order.index(name) > order.index("rabbitmq")


@pytest.mark.parametrize("name", OURS)
def test_a_container_may_take_longer_to_stop_than_running_jobs_get(name: str) -> None:
    grace = seconds(OURS[name]["stop_grace_period"])
    assert grace >= Settings.model_fields["drain_timeout"].default + 20


def test_only_this_machine_reaches_anything_unless_somebody_says_so() -> None:
    published = {name: one["ports"] for name, one in EVERYTHING.items() if "ports" in one}
    assert published.keys() == {"linkferry", "web", "grafana", "s3"}
    for port in (port for ports in published.values() for port in ports):
        assert port.startswith("127.0.0.1:"), port
    assert load({"PUBLISH": "0.0.0.0:80"})["services"]["web"]["ports"] == ["0.0.0.0:80:8080"]


def test_the_database_and_the_broker_are_for_ours_alone() -> None:
    assert load()["networks"]["inside"] == {"internal": True}
    for name in ("postgres", "rabbitmq"):
        assert EVERYTHING[name]["networks"] == ["inside"]
    inside = {name for name, one in EVERYTHING.items() if "inside" in one.get("networks", [])}
    assert inside == {"migrate", "web", "bots", "worker", "postgres", "rabbitmq"}


def test_the_database_has_a_connection_for_everybody() -> None:
    """With three workers, as the README suggests, and twice as many."""
    (most,) = [
        word.partition("=")[2] for word in EVERYTHING["postgres"]["command"] if "max_connections" in word
    ]
    each = inspect.signature(Database).parameters["pool_size"].default
    kept_for_operators = 3
    assert int(most) - kept_for_operators >= each * len(["web", "bots", *["worker"] * 6])


def test_the_two_ways_to_run_do_not_share_a_volume() -> None:
    """Each deletes files that its own database does not know."""
    full = {source for one in ours(services({"full"})).values() for source, _ in mounts(one)}
    assert full == {"data"}
    assert mounts(EVERYTHING["linkferry"]) == [("embedded", "/data")]


def test_everything_that_lasts_lies_in_a_volume() -> None:
    for name, target in {
        "postgres": "/var/lib/postgresql/data",
        "rabbitmq": "/var/lib/rabbitmq",
        "prometheus": "/prometheus",
        "grafana": "/var/lib/grafana",
    }.items():
        assert (name, target) in mounts(EVERYTHING[name])
    used = {source for one in EVERYTHING.values() for source, _ in mounts(one) if not source.startswith(".")}
    assert used == load()["volumes"].keys()


@pytest.mark.parametrize("name", EVERYTHING)
def test_files_that_are_mounted_exist(name: str) -> None:
    missing = [
        source
        for source, _ in mounts(EVERYTHING[name])
        if source.startswith(".") and not (ROOT / source).exists()
    ]
    assert missing == []


def test_images_are_pinned_to_a_version() -> None:
    images = {name: one["image"] for name, one in EVERYTHING.items() if "image" in one}
    assert images.keys() == EVERYTHING.keys() - OURS.keys()
    for image in images.values():
        assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+(\.\d+)?(-[a-z]+)?", image), image


@pytest.mark.parametrize("name", OURS)
def test_secrets_are_files_and_never_values(name: str) -> None:
    service = OURS[name]
    environment: dict[str, Any] = service["environment"]
    given = secret_files(service)
    for variable, value in environment.items():
        setting = variable.removeprefix(PREFIX).lower()
        if setting in HIDDEN:
            assert value in ("", "embedded"), f"{variable} tells a secret to whoever may inspect a container"
        if str(value).startswith(SECRETS):
            assert value in given, f"{name} is not given {value}"
            assert setting == "aws_shared_credentials_file" or setting.removesuffix("_file") in HIDDEN
    assert given.keys() <= {*environment.values(), f"{SECRETS}/api_keys"}, "and nothing it has no use for"


def test_every_secret_setting_has_a_file() -> None:
    variables = {variable for service in OURS.values() for variable in service["environment"]}
    assert {f"{PREFIX}{name.upper()}_FILE" for name in HIDDEN} <= variables


def test_every_variable_of_ours_is_a_setting() -> None:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    for service in OURS.values():
        told = {name for name in service["environment"] if name.startswith(PREFIX)}
        assert {name if name in known else name.removesuffix("_FILE") for name in told} <= known


def test_dollars_are_read_as_compose_reads_them() -> None:
    assert fill("${A:-x} ${B} ${C:-y} $$d", {"A": "1", "C": ""}) == "1  y $d"
    with pytest.raises(AssertionError):
        fill("$HOME", {})


class TestSecretsScript:
    """scripts/secrets.sh: everything compose.yaml wants, made once and then left alone."""

    @pytest.fixture
    def project(self, tmp_path: Path) -> Path:
        (tmp_path / "scripts").mkdir()
        for name in ("scripts/secrets.sh", ".env.example"):
            (tmp_path / name).write_bytes((ROOT / name).read_bytes())
        return tmp_path

    def run(self, project: Path) -> str:
        done = subprocess.run(
            ["sh", str(project / "scripts/secrets.sh")],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout

    def test_it_makes_every_file(self, project: Path) -> None:
        assert "docker compose up" in self.run(project)
        for about in load()["secrets"].values():
            assert (project / about["file"]).is_file()
        assert (project / ".env").read_bytes() == ENV_EXAMPLE.read_bytes()

    def test_only_its_owner_gets_to_them_and_containers_can_read_them(self, project: Path) -> None:
        self.run(project)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in project.rglob("*")}
        assert modes["secrets"] == 0o700 and modes[".env"] == 0o600
        assert {modes[Path(about["file"]).name] for about in load()["secrets"].values()} == {0o644}

    def test_it_leaves_what_is_there(self, project: Path) -> None:
        self.run(project)
        (project / "secrets/telegram_token").write_text("123456:ABC\n")
        (project / ".env").write_text("COMPOSE_PROFILES=full\n")
        before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
        self.run(project)
        assert {path: path.read_bytes() for path in project.rglob("*") if path.is_file()} == before

    def test_what_was_there_before_works_with_compose_and_is_closed_to_others(self, project: Path) -> None:
        (project / ".env").write_text("LINKFERRY_PORT=8081")
        (project / "secrets").mkdir(mode=0o755)
        self.run(project)
        assert env_file((project / ".env").read_text()) == {
            "LINKFERRY_PORT": "8081",
            "COMPOSE_PROFILES": "embedded",
        }
        assert stat.S_IMODE((project / "secrets").stat().st_mode) == 0o700

    def test_passwords_are_long_and_no_two_the_same(self, project: Path) -> None:
        self.run(project)
        made = [path.read_text() for path in (project / "secrets").glob("*password")]
        made.append((project / "secrets/api_keys").read_text())
        assert len(made) == len(set(made)) == 5
        assert all(re.fullmatch(r"[0-9a-f]{48}", one) for one in made)

    def test_the_addresses_have_the_servers_passwords(self, project: Path) -> None:
        self.run(project)
        secret = {path.name: path.read_text() for path in (project / "secrets").iterdir()}
        assert f":{secret['postgres_password']}@postgres/" in secret["database_url"]
        assert f":{secret['rabbitmq_password']}@rabbitmq/" in secret["queue_url"]
        assert f"default_pass = {secret['rabbitmq_password']}" in secret["rabbitmq.conf"]

    def test_it_can_be_started(self) -> None:
        assert os.access(ROOT / "scripts/secrets.sh", os.X_OK)
