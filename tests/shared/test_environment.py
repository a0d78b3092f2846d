"""Where Linkferry runs: what is believed, what is only a hint, who is asked, and what follows from it."""

import io
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from linkferry import doctor
from shared import environment
from shared.environment import Environment, Place, detect
from shared.settings import Settings
from shared.telemetry import QUIET, set_up_logging

INSTANCE = "i-0123456789abcdef0"
EC2_UUID = "ec2e1916-9099-7caf-fd21-012345abcdef"
SWAPPED = "45e12aec-dcd1-b213-94ed-012345abcdef"  # the same, its first groups in the other byte order
OTHER_UUID = "9f1c2ec2-0000-4000-8000-012345abcdef"


def machine(folder: Path, **files: str) -> Path:
    """A /sys that describes a machine. `hypervisor` is /sys/hypervisor/uuid."""
    identity = folder / environment.IDENTITY
    identity.mkdir(parents=True)
    (folder / "hypervisor").mkdir()
    for name, text in files.items():
        path = folder / "hypervisor/uuid" if name == "hypervisor" else identity / name
        path.write_text(f"{text}\n")
    return folder


class Metadata(ThreadingHTTPServer):
    """EC2's metadata service as far as we ask it, on loopback. `asked` tells what arrived."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, instance: str = INSTANCE, *, token_status: int = 200) -> None:
        self.instance, self.token_status = instance, token_status
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), MetadataHandler)

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.server_port)

    def handle_error(self, *_: object) -> None:
        """A client that went away is what some tests are about."""


class MetadataHandler(BaseHTTPRequestHandler):
    server: Metadata

    def do_PUT(self) -> None:
        self.server.asked.append(f"PUT {self.path}")
        known = self.path == "/latest/api/token" and self.headers["X-aws-ec2-metadata-token-ttl-seconds"]
        self.answer(self.server.token_status if known else 400, "a-token")

    def do_GET(self) -> None:
        self.server.asked.append(f"GET {self.path}")
        known = self.path == "/latest/meta-data/instance-id"
        allowed = self.headers["X-aws-ec2-metadata-token"] == "a-token"
        self.answer(404 if not known else 200 if allowed else 401, self.server.instance)

    def answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Nothing."""


class Dripping(MetadataHandler):
    """One byte after the other, each in good time, and no end: until the client goes away."""

    def do_PUT(self) -> None:
        self.server.asked.append(f"PUT {self.path}")
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        pause = threading.Event()
        for _ in range(600):
            self.wfile.write(b"x")
            pause.wait(0.05)


@contextmanager
def serving(server: Metadata) -> Iterator[Metadata]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def metadata(monkeypatch: pytest.MonkeyPatch) -> Iterator[Metadata]:
    """A service that answers, for a client with all the time that a busy machine takes."""
    monkeypatch.setattr(environment, "PATIENCE", 30)
    with serving(Metadata()) as server:
        yield server


@pytest.mark.parametrize(
    ("variables", "place"),
    [
        ({"ECS_CONTAINER_METADATA_URI_V4": "http://169.254.170.2/v4/x"}, Place.ECS),
        ({"AWS_EXECUTION_ENV": "AWS_ECS_FARGATE"}, Place.ECS),
        ({"AWS_EXECUTION_ENV": "AWS_ECS_EC2"}, Place.ECS),
        ({"AWS_LAMBDA_FUNCTION_NAME": "ferry"}, Place.LAMBDA),
        ({"AWS_EXECUTION_ENV": "AWS_Lambda_python3.11"}, Place.LAMBDA),
        ({"AWS_EXECUTION_ENV": "CloudShell"}, Place.LOCALHOST),
        ({"AWS_REGION": "eu-central-1", "AWS_PROFILE": "mine"}, Place.LOCALHOST),  # anybody's laptop
        ({"ECS_CONTAINER_METADATA_URI_V4": "", "AWS_LAMBDA_FUNCTION_NAME": ""}, Place.LOCALHOST),
    ],
)
def test_ecs_and_lambda_say_so(
    tmp_path: Path, metadata: Metadata, variables: dict[str, str], place: Place
) -> None:
    found = detect(variables, tmp_path, metadata.address)
    assert found.place is place
    assert (next(iter(variables)) in found.why) == (place is not Place.LOCALHOST)
    assert metadata.asked == []


def test_ec2_is_known_by_its_vendor(tmp_path: Path, metadata: Metadata) -> None:
    found = detect({}, machine(tmp_path, sys_vendor="Amazon EC2"), metadata.address)
    assert found == Environment(Place.EC2, "the machine's vendor is Amazon EC2")
    assert metadata.asked == []


@pytest.mark.parametrize(
    "files",
    [{}, {"sys_vendor": "LENOVO", "product_uuid": OTHER_UUID, "board_asset_tag": "Not Available"},
     {"product_uuid": "Not Settable", "hypervisor": "00000000-0000-0000-0000-000000000000"}],
)  # fmt: skip
def test_what_does_not_look_like_ec2_asks_nobody(
    tmp_path: Path, metadata: Metadata, files: dict[str, str]
) -> None:
    found = detect({}, machine(tmp_path, **files), metadata.address)
    assert found.place is Place.LOCALHOST
    assert metadata.asked == []


@pytest.mark.parametrize(
    "files",
    [{"hypervisor": EC2_UUID}, {"product_uuid": EC2_UUID.upper()}, {"product_uuid": SWAPPED},
     {"sys_vendor": "Xen", "board_asset_tag": INSTANCE}],
)  # fmt: skip
def test_a_hint_is_believed_when_the_metadata_service_answers(
    tmp_path: Path, metadata: Metadata, files: dict[str, str]
) -> None:
    where = machine(tmp_path, **files)
    for _ in range(2):  # asked once a process
        found = detect({}, where, metadata.address)
        assert (found.place, found.is_aws, found.keeps_files) == (Place.EC2, True, True)
        assert "its metadata service answers" in found.why
    assert metadata.asked == ["PUT /latest/api/token", "GET /latest/meta-data/instance-id"]


@pytest.mark.parametrize(
    "server", [{"token_status": 404}, {"instance": "nova-12"}, {"instance": ""}, {"token_status": 500}]
)
def test_another_cloud_s_metadata_service_is_not_ec2_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: dict[str, object]
) -> None:
    monkeypatch.setattr(environment, "PATIENCE", 30)
    with serving(Metadata(**server)) as other:  # type: ignore[arg-type]
        found = detect({}, machine(tmp_path, hypervisor=EC2_UUID), other.address)
        assert other.asked
    assert found.place is Place.LOCALHOST
    assert found.why == "uuid begins with ec2, but no metadata service answers"


@pytest.mark.parametrize("handler", [None, Dripping], ids=["silent", "dripping"])
def test_a_service_that_does_not_come_to_an_end_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, handler: type[MetadataHandler] | None
) -> None:
    """The wait is one `join` with a bound for everything: whatever is still under way is not waited for."""
    waits: list[float | None] = []
    join = threading.Thread.join

    def noted(thread: threading.Thread, timeout: float | None = None) -> None:
        if thread.name == "metadata":
            waits.append(timeout)
        join(thread, timeout)

    monkeypatch.setattr(threading.Thread, "join", noted)
    server = Metadata()
    try:
        if handler is None:  # connections are taken by the kernel, and nobody reads them
            found = detect({}, machine(tmp_path, hypervisor=EC2_UUID), server.address)
        else:
            server.RequestHandlerClass = handler
            with serving(server):
                found = detect({}, machine(tmp_path, hypervisor=EC2_UUID), server.address)
    finally:
        server.server_close()
    assert found.place is Place.LOCALHOST
    assert waits == [environment.PATIENCE] == [0.2]


def test_nobody_is_asked_where_that_is_forbidden(tmp_path: Path, metadata: Metadata) -> None:
    variables = {"AWS_EC2_METADATA_DISABLED": "true"}
    found = detect(variables, machine(tmp_path, hypervisor=EC2_UUID), metadata.address)
    assert found.place is Place.LOCALHOST and "AWS_EC2_METADATA_DISABLED" in found.why
    assert metadata.asked == []


@pytest.mark.parametrize(
    ("place", "bucket", "uses_s3"),
    [(Place.LOCALHOST, "films", False), (Place.EC2, "", False), (Place.EC2, "films", True),
     (Place.ECS, "", True), (Place.LAMBDA, "", True)],
)  # fmt: skip
def test_storage_follows_the_environment_unless_it_is_set(
    monkeypatch: pytest.MonkeyPatch, place: Place, bucket: str, uses_s3: bool
) -> None:
    monkeypatch.setattr("shared.settings.detect", lambda _: Environment(place, "a test"))
    settings = Settings(_env_file=None, environment="auto", storage="auto", s3_bucket=bucket)
    assert settings.uses_s3 is uses_s3
    assert settings.where.place is place
    assert not settings.model_copy(update={"storage": "local"}).uses_s3
    assert settings.model_copy(update={"storage": "s3"}).uses_s3


def test_the_setting_wins_over_what_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECS_CONTAINER_METADATA_URI_V4", "http://127.0.0.1:1")
    assert Settings(_env_file=None, environment="auto", storage="auto").uses_s3
    assert not Settings(_env_file=None, environment="localhost", storage="auto").uses_s3
    monkeypatch.delenv("ECS_CONTAINER_METADATA_URI_V4")
    assert Settings(_env_file=None, environment="aws", storage="auto").uses_s3


@pytest.mark.parametrize(("where", "is_json"), [("localhost", False), ("aws", True)])
def test_logs_on_aws_are_json_even_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, where: str, is_json: bool
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    monkeypatch.setattr("sys.stderr", out)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    for logger in (logging.getLogger(), *map(logging.getLogger, QUIET)):
        monkeypatch.setattr(logger, "level", logger.level)
    set_up_logging(Settings(_env_file=None, environment=where, log_format="auto"))
    logging.getLogger("linkferry").warning("hello")
    assert out.getvalue().startswith("{") is is_json and "hello" in out.getvalue()


async def test_doctor_tells_where_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    said = await doctor._environment(Settings(_env_file=None, environment="aws"))
    assert (said.mark, said.found) == ("ok", "aws: LINKFERRY_ENVIRONMENT says so")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "ferry")
    said = await doctor._environment(Settings(_env_file=None, environment="auto"))
    assert said.found == "Lambda: AWS_LAMBDA_FUNCTION_NAME is set"
