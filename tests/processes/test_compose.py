"""The stack that compose.yaml describes comes up healthy, carries a link, and goes down in good order."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

from tests.deploy.composefile import services
from tests.deploy.stack import Stack, project, runs, use_config
from tests.processes.cluster import PATIENCE
from tests.services import PrivatePostgres, PrivateRabbit, find_program
from tests.shared.storage.conftest import moto
from tests.site.server import MediaSite
from tests.waiting import until

__all__ = ["moto"]

RunStack = Callable[..., Stack]


@pytest.fixture
def broker() -> Iterator[PrivateRabbit]:
    """A RabbitMQ that was never started."""
    folder = Path(tempfile.mkdtemp(prefix="linkferry-compose-"))
    server = PrivateRabbit(folder)
    yield server
    if server.running():
        server.kill()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def run_stack(tmp_path: Path, site: MediaSite) -> Iterator[RunStack]:
    """Makes the stack of some profiles; the media site may be fetched from."""
    made: list[Stack] = []

    def make(*profiles: str, names: dict[str, str] | None = None, **settings: str) -> Stack:
        address = f"127.0.0.1:{site.port}"
        folder = project(tmp_path / "project", LINKFERRY_ALLOWED_ADDRESSES=address, **settings)
        made.append(Stack(folder, set(profiles), names or {}))
        return made[-1]

    site.reset()
    yield make
    for stack in made:
        stack.end()


def carry(stack: Stack, name: str, link: str) -> dict[str, Any]:
    """Send a link to a container's REST API, with the key in secrets/; returns its job once it ended."""
    with httpx.Client(base_url=stack.address(name), timeout=PATIENCE) as stranger:
        assert stranger.post("/api/requests", json={"text": link}).status_code == 401
    key = {"authorization": f"Bearer {stack.secret('api_keys')}"}
    with httpx.Client(base_url=stack.address(name), timeout=PATIENCE, headers=key) as api:
        answer = api.post("/api/requests", json={"text": link})
        assert answer.status_code == 202, answer.text
        path = f"/api/jobs/{answer.json()[0]['job']['job_id']}"
        until(lambda: api.get(path).json()["state"] not in ("queued", "running"), "the job does not end")
        found: dict[str, Any] = api.get(path).json()
        return found


def assert_arrived(job: dict[str, Any], site: MediaSite) -> None:
    """The signed link of the video leads to the very film, for anybody who has it."""
    assert job["state"] == "done", job
    (film,) = [artifact for artifact in job["artifacts"] if artifact["kind"] == "video"]
    answer = httpx.get(film["url"], timeout=PATIENCE, follow_redirects=True)
    assert answer.content == site.root.joinpath("media/sample.mp4").read_bytes()


def start_servers(stack: Stack, broker: PrivateRabbit, postgres: PrivatePostgres) -> None:
    """RabbitMQ and PostgreSQL, until their own health checks say that they are there."""
    named = services({"full"})
    with postgres.admin() as connection:
        connection.execute(
            f"CREATE ROLE linkferry LOGIN PASSWORD '{stack.secret('postgres_password')}'".encode()
        )
        connection.execute("CREATE DATABASE linkferry OWNER linkferry")
    kind, program, *words = named["postgres"]["healthcheck"]["test"]
    assert kind == "CMD"
    check = [str(find_program(program, "postgresql/*/bin")), *words]
    assert runs(check, os.environ | {"PGPORT": str(postgres.port)}, stack.folder)

    kind, line = named["rabbitmq"]["healthcheck"]["test"]
    assert kind == "CMD-SHELL"
    tools = str(find_program("rabbitmq-diagnostics", "rabbitmq/bin").parent)
    environment = os.environ | broker.envvars | {"PATH": os.pathsep.join([tools, os.environ["PATH"]])}
    assert not runs(["sh", "-c", line], environment, stack.folder), "nobody is there yet"
    broker.start()
    until(lambda: runs(["sh", "-c", line], environment, stack.folder), "RabbitMQ is not healthy")


def drop(postgres: PrivatePostgres) -> None:
    """What `start_servers` made."""
    postgres.drop_database("linkferry")
    with postgres.admin() as connection:
        connection.execute("DROP ROLE IF EXISTS linkferry")


def test_full(
    run_stack: RunStack, broker: PrivateRabbit, postgres: PrivatePostgres, site: MediaSite, tmp_path: Path
) -> None:
    here = {"postgres": f"127.0.0.1:{postgres.port}", "rabbitmq": f"127.0.0.1:{broker.port}"}
    stack = run_stack("full", names=here)
    assert stack.ours.keys() == {"migrate", "web", "bots", "worker"}
    use_config(broker, stack.secret("rabbitmq.conf"))
    try:
        start_servers(stack, broker, postgres)
        stack.comes_up()
        assert_arrived(carry(stack, "web", site.url("/watch/sample")), site)
        stack.goes_down()
    finally:
        stack.end()
        drop(postgres)
    assert list((stack.folder / "root").iterdir()) == [], "nothing is written outside the volume"
    assert (stack.data / "secret_keys").exists(), "one key for all of them"


def test_embedded(run_stack: RunStack, site: MediaSite) -> None:
    stack = run_stack("embedded")
    assert not stack.is_healthy("linkferry")
    stack.comes_up()
    assert_arrived(carry(stack, "linkferry", site.url("/watch/sample")), site)
    stack.goes_down()
    assert not stack.is_healthy("linkferry")
    assert list((stack.folder / "root").iterdir()) == [], "nothing is written outside the volume"


def test_embedded_with_a_bucket_of_its_own(run_stack: RunStack, site: MediaSite, moto: int) -> None:
    """The one-shot makes the bucket with the credentials of scripts/secrets.sh, and later leaves it."""
    endpoint = f"http://127.0.0.1:{moto}"
    stack = run_stack(
        "embedded",
        "s3",
        AWS_PROFILE="compose",
        LINKFERRY_STORAGE="s3",
        LINKFERRY_S3_BUCKET="compose-films",
        LINKFERRY_S3_ENDPOINT_URL=endpoint,
        LINKFERRY_AWS_REGION="us-east-1",
    )
    stack.completes("s3-bucket")
    stack.comes_up()
    assert_arrived(carry(stack, "linkferry", site.url("/watch/sample")), site)
    stack.goes_down()
    secret = stack.secret("s3_password")
    s3 = boto3.client(
        "s3", endpoint_url=endpoint, region_name="us-east-1",
        aws_access_key_id="linkferry", aws_secret_access_key=secret,
    )  # fmt: skip
    kept = [entry["Key"] for entry in s3.list_objects_v2(Bucket="compose-films")["Contents"]]
    assert any(key.startswith("linkferry/") and key.endswith(".mp4") for key in kept)
    assert not list(stack.data.glob("files/*"))
