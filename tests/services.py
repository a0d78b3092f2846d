"""Private servers for tests: RabbitMQ and PostgreSQL on free ports, and a TCP proxy that cuts connections.

Each server starts when a test first asks for it and stops when the session ends. A missing server fails
the test with a sentence. Put `from tests.services import postgres_url, rabbitmq_url` into a conftest.py.
"""

import asyncio
import atexit
import itertools
import os
import shlex
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pika
import psycopg
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pytest_postgresql.executors import PostgreSQLExecutor
from pytest_rabbitmq.factories.executor import RabbitMqExecutor

LOOPBACK = "127.0.0.1"
START_TIME = 150  # seconds; a broker starts in three, and on a busy machine has taken 26
BROKER_PASSWORD = "kept-out-of-logs"  # not the usual "guest", so that a leak can be seen

# What RabbitMqExecutor does not set: everything that could touch another broker on this machine.
RABBIT_CONFIG = f"""
listeners.tcp.1 = {LOOPBACK}:{{port}}
default_user = linkferry
default_pass = {BROKER_PASSWORD}
loopback_users = none
log.file.level = warning
disk_free_limit.absolute = 1MB
"""
# One scheduler halves the time a broker takes to start: 3 s.
RABBIT_ERLANG = "+S 1:1 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}"


def free_port() -> int:
    """A port that nobody listens on, and that nobody else is given before a server of ours takes it.

    It stays bound as long as this process lives. That keeps no server out that sets SO_REUSEADDR, as all do.
    """
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind((LOOPBACK, 0))
    port: int = holder.getsockname()[1]
    holder.detach()  # so nothing closes it
    return port


def find_program(name: str, folders: str) -> Path:
    """The newest program under `folders` (a glob below /usr/lib), else the one on PATH."""
    found = sorted(Path("/usr/lib").glob(f"{folders}/{name}"), key=lambda path: (len(str(path)), path))
    program = found[-1] if found else shutil.which(name)
    if program is None:
        pytest.fail(f"{name} is not installed: run `scripts/setup.sh test`.")
    return Path(program)


class PrivateRabbit(RabbitMqExecutor):
    """A RabbitMQ of our own: `start()`, `stop()` in good order, `kill()` at once. Data outlives a stop."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        (folder / "rabbitmq.conf").write_text(RABBIT_CONFIG.format(port=port))
        (folder / "plugins").write_text("[].")
        self._variables = {
            "HOME": str(folder),  # the Erlang cookie
            "ERL_EPMD_PORT": str(free_port()),
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": RABBIT_ERLANG,
        }
        # Debian's wrapper in /usr/sbin insists on the system's own user; the script behind it does not.
        program = find_program("rabbitmq-server", "rabbitmq/bin")
        super().__init__(
            shlex.quote(str(program)),
            LOOPBACK,
            port,
            distribution_port=free_port(),
            rabbit_ctl=str(program.with_name("rabbitmqctl")),
            logpath=folder,
            path=folder,
            plugin_path=folder,
            node_name=f"linkferry-{port}@localhost",
        )
        self._timeout = START_TIME  # the executor has a minute

    @property
    def envvars(self) -> dict[str, str]:
        """For the server and for rabbitmqctl."""
        return {**super().envvars, **self._variables}

    @property
    def url(self) -> str:
        """Where it listens, with the password."""
        return self.url_through(self.port)

    def url_through(self, port: int) -> str:
        """The same through a proxy on another port."""
        return f"amqp://linkferry:{BROKER_PASSWORD}@{LOOPBACK}:{port}/"

    def admin(self) -> pika.BlockingConnection:
        """A connection that shares no code with ours, to look at the broker and to set up trouble."""
        return pika.BlockingConnection(pika.URLParameters(f"{self.url}%2F"))

    def kill(self, wait: bool = True, sig: int | None = None) -> "PrivateRabbit":
        """At once, and gone when this returns; the executor only waits for the script around it."""
        super().kill(wait, sig)
        while self.pre_start_check():
            time.sleep(0.01)
        return self

    def forget(self) -> None:
        """Delete what tests left behind."""
        with self.admin() as connection:
            channel: BlockingChannel = connection.channel()
            for queue in ("linkferry.jobs", "linkferry.dead"):
                channel.queue_delete(queue)
            for exchange in ("linkferry.dead", "linkferry.events", "linkferry.control"):
                channel.exchange_delete(exchange)


class PrivatePostgres(PostgreSQLExecutor):
    """A PostgreSQL of our own: `start()`, `stop()` in good order, `kill()` at once. Data outlives a stop."""

    def __init__(self, folder: Path) -> None:
        program = find_program("pg_ctl", "postgresql/*/bin")
        if os.getuid() == 0:  # which PostgreSQL refuses
            program = _as_user("postgres", program, folder)
        self._names = (f"test_{number}" for number in itertools.count(1))
        super().__init__(
            executable=str(program),
            host=LOOPBACK,
            port=free_port(),
            datadir=str(folder / "data"),
            unixsocketdir=str(folder),
            logfile=str(folder / "log"),
            startparams="-w",
            timeout=START_TIME,
            dbname="postgres",
            postgres_options=f"-c listen_addresses={LOOPBACK} -c full_page_writes=off -c max_connections=200",
        )

    def start(self) -> "PrivatePostgres":
        """Returns when it answers: its own tool can be content while it still recovers."""
        super().start()
        deadline = time.monotonic() + 60
        while True:
            try:
                self.admin().close()
                return self
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def url(self, database: str) -> str:
        """A database's address, for SQLAlchemy."""
        return f"postgresql+asyncpg://{self.user}@{self.host}:{self.port}/{database}"

    def create_database(self) -> str:
        """A new, empty database; returns its name."""
        name = next(self._names)
        with self.admin() as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return name

    def drop_database(self, name: str) -> None:
        """Away with it, whoever is still connected."""
        with self.admin() as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())

    def admin(self) -> psycopg.Connection:
        """A connection that shares no code with ours."""
        return psycopg.connect(
            host=self.host, port=self.port, user=self.user, dbname="postgres", autocommit=True
        )


def _as_user(user: str, program: Path, folder: Path) -> Path:
    """A script that runs `program` as `user`, who may then write into `folder`."""
    shutil.chown(folder, user, user)
    folder.chmod(0o755)
    script = folder / program.name
    script.write_text(
        f'#!/bin/sh\nexec setpriv --reuid={user} --regid={user} --clear-groups -- "{program}" "$@"\n'
    )
    script.chmod(0o755)
    return script


def _folder() -> Path:
    """A short path that another user may enter; pytest's own folders are private."""
    folder = Path(tempfile.mkdtemp(prefix="linkferry-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def private_rabbit() -> PrivateRabbit:
    """The session's broker; a chaos test that stops it starts it again."""
    server = PrivateRabbit(_folder())
    atexit.register(server.kill)
    return server


@cache
def private_postgres() -> PrivatePostgres:
    """The session's database server."""
    server = PrivatePostgres(_folder())
    atexit.register(server.stop)
    return server


def stop_broker() -> None:
    """As an operator would, in good order."""
    private_rabbit().stop()


def start_broker() -> None:
    """Returns when it answers."""
    server = private_rabbit()
    if server.running():
        return
    server.start()
    deadline = time.monotonic() + 60
    while True:
        try:
            server.admin().close()
            return
        except pika.exceptions.AMQPError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


@pytest.fixture
def rabbit() -> PrivateRabbit:
    """The session's broker, running and empty."""
    start_broker()
    server = private_rabbit()
    server.forget()
    return server


@pytest.fixture
def rabbitmq_url(rabbit: PrivateRabbit) -> str:
    """An `amqp://` address of a broker with nothing in it."""
    return rabbit.url


@pytest.fixture
def postgres() -> PrivatePostgres:
    """The session's database server, running."""
    server = private_postgres()
    if not server.running():
        server.start()
    return server


@pytest.fixture
def postgres_url(postgres: PrivatePostgres) -> Iterator[str]:
    """A `postgresql+asyncpg://` address of an empty database that only this test uses."""
    name = postgres.create_database()
    yield postgres.url(name)
    postgres.drop_database(name)


class TcpProxy:
    """Stands between a client and a server, and cuts, refuses or freezes connections on demand."""

    def __init__(self, target_port: int) -> None:
        self.port = free_port()
        self.refusing = False  # new connections are closed at once
        self._target_port = target_port
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> "TcpProxy":
        self._server = await asyncio.start_server(self._serve, LOOPBACK, self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server
        self._server.close()
        self.thaw()
        self.cut()
        await self._server.wait_closed()

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._writers) // 2

    def cut(self) -> None:
        """Reset every connection, without a word."""
        for writer in list(self._writers):
            writer.transport.abort()

    def freeze(self) -> None:
        """Carry nothing, keep connections open: a cable that was pulled."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Carry on."""
        self._flowing.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refusing:
            writer.transport.abort()
            return
        try:
            to_reader, to_writer = await asyncio.open_connection(LOOPBACK, self._target_port)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, to_writer}
        await asyncio.gather(self._carry(reader, to_writer), self._carry(to_reader, writer))
        self._writers -= {writer, to_writer}

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()
