"""The servers and processes of one run: start, kill, freeze, restart, and count what is left."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import psutil
import psycopg
from sqlalchemy import make_url

from shared.settings import Settings
from tests import services
from tests.chaos.chat import PORT_VARIABLE, ChatServer
from tests.chaos.history import History
from tests.chaos.kills import VARIABLE as KILL_VARIABLE
from tests.chaos.plan import Ask
from tests.chaos.publisher_main import PLAN_VARIABLE, SITE_VARIABLE, START_VARIABLE
from tests.chaos.worker_main import HISTORY_VARIABLE
from tests.journeys.processes import Home
from tests.services import PrivatePostgres, PrivateRabbit, TcpProxy
from tests.site.server import MediaSite

WORKERS = 3
SLOTS = 2
LEASE = 4.0  # seconds
READY = "connected to RabbitMQ"
PATIENCE = 60.0  # seconds until a process that does not start or stop is a failure


class Member:
    """One process of ours, and its successors after each kill."""

    def __init__(self, name: str, module: str, home: Home, environment: dict[str, str]) -> None:
        self.name = name
        self.log = home.folder / f"{name}.log"
        self._module = module
        self._environment = environment
        self._cwd = home.folder / "cwd"
        self.process: subprocess.Popen[bytes] | None = None
        self.pids: list[int] = []
        self._said_before = 0  # bytes in the log that its predecessors wrote

    @property
    def is_running(self) -> bool:
        """Whether it lives, be it frozen."""
        return self.process is not None and self.process.poll() is None

    @property
    def is_ready(self) -> bool:
        """Whether it has reached the broker, which it does last."""
        return READY in self.log.read_bytes()[self._said_before :].decode()

    def start(self) -> None:
        """A new process, unless one runs."""
        if self.is_running:
            return
        self._said_before = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self._module],
                env=self._environment,
                cwd=self._cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.pids.append(self.process.pid)

    def send(self, number: int) -> None:
        """A signal to this very process; its children get none."""
        assert self.process
        self.process.send_signal(number)

    async def stop(self) -> int:
        """SIGTERM, and SIGKILL when that does not help; the exit code."""
        assert self.process
        if self.is_running:
            self.send(signal.SIGTERM)
        try:
            return await asyncio.to_thread(self.process.wait, PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return await asyncio.to_thread(self.process.wait)

    def end(self) -> None:
        """Gone, whatever happened."""
        if self.process is not None and self.is_running:
            self.process.kill()
            self.process.wait()


class Cluster:
    """Everything of one run. `database_url` goes past the proxy: for looking, also while that is cut."""

    def __init__(self, folder: Path, site: MediaSite, chat: ChatServer, history: History) -> None:
        self.site, self.chat, self.history = site, chat, history
        self.home = Home(folder, site)
        self.rabbit: PrivateRabbit = services.private_rabbit()
        self.postgres: PrivatePostgres = services.private_postgres()
        self.to_broker = TcpProxy(self.rabbit.port)
        self.to_database = TcpProxy(self.postgres.port)
        self.database_url = ""
        self.kill_file = folder / "kill"
        self.workers: list[Member] = []
        self.publisher: Member
        self.surprises: list[str] = []  # processes that ended although nobody made them

    @property
    def members(self) -> list[Member]:
        """Every process."""
        return [*self.workers, self.publisher]

    def settings(self) -> Settings:
        """For looking at the run from outside."""
        return Settings(
            _env_file=None,
            data_dir=self.home.data,
            database_url=self.database_url,
            queue_url=self.rabbit.url,
        )

    def prepare(self, plan: list[Ask], database: str) -> None:
        """Name the processes and write the plan down; nothing runs yet."""
        self.database_url = self.postgres.url(database)
        proxied = make_url(self.database_url).set(port=self.to_database.port)
        plan_file = self.home.folder / "plan.json"
        plan_file.write_text(json.dumps([ask.to_json() for ask in plan]))
        environment = self.home.environment(
            LINKFERRY_DATABASE_URL=proxied.render_as_string(hide_password=False),
            LINKFERRY_QUEUE_URL=self.rabbit.url_through(self.to_broker.port),
            LINKFERRY_LEASE=str(LEASE),
            LINKFERRY_MAX_CONCURRENT_DOWNLOADS=str(SLOTS),
            LINKFERRY_DRAIN_TIMEOUT="1",
            LINKFERRY_SECRET_KEYS="chaos-" * 8,
            **{KILL_VARIABLE: str(self.kill_file), HISTORY_VARIABLE: str(self.home.folder / "history.jsonl")},
            **{PORT_VARIABLE: str(self.chat.port), PLAN_VARIABLE: str(plan_file)},
            **{START_VARIABLE: str(time.time() + 5), SITE_VARIABLE: self.site.base},
        )
        self.workers = [
            Member(f"worker-{number}", "tests.chaos.worker_main", self.home, environment)
            for number in range(1, WORKERS + 1)
        ]
        self.publisher = Member("publisher", "tests.chaos.publisher_main", self.home, environment)

    async def start(self) -> None:
        """Every process; returns when each has reached the broker, and the topology is seconds old."""
        self.workers[0].start()  # alone: it brings the schema up to date
        await self.ready(self.workers[0])
        for member in self.members:
            member.start()
        for member in self.members:
            await self.ready(member)
        await asyncio.sleep(3)  # RabbitMQ 3.10 loses a quorum queue that is killed in its first second

    async def ready(self, member: Member) -> None:
        """Returns when the process works: what breaks before that ends it, as it should."""
        ends = time.monotonic() + PATIENCE
        while not member.is_ready:
            assert member.is_running, f"{member.name} did not start: {member.log.read_text()[-2000:]}"
            assert time.monotonic() < ends, f"{member.name} does not start"
            await asyncio.sleep(0.05)

    async def kill_first(self, point: str, patience: float) -> Member | None:
        """Let the first process that comes to `point` die; None when none came there in time."""
        self.kill_file.write_text(point)
        ends = time.monotonic() + patience
        while time.monotonic() < ends and self.kill_file.exists():
            await asyncio.sleep(0.02)
        try:
            self.kill_file.unlink()
        except FileNotFoundError:  # somebody came there, and is dying
            return await self._dead()
        return None

    async def _dead(self) -> Member | None:
        for _ in range(600):
            for member in self.members:
                if not member.is_running:
                    return member
            await asyncio.sleep(0.05)
        return None

    def revive(self) -> None:
        """Start again what ended by itself, and remember that it did."""
        for member in self.members:
            if not member.is_running:
                assert member.process
                self.surprises.append(f"{member.name} ended by itself with {member.process.returncode}")
                member.start()

    def start_broker(self) -> None:
        """Returns when it answers."""
        services.start_broker()

    def start_database(self) -> None:
        """Returns when it answers."""
        if not self.postgres.running():
            self.postgres.start()
        ends = time.monotonic() + PATIENCE
        while True:  # it listens while it still recovers
            try:
                self.postgres.admin().close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > ends:
                    raise
                time.sleep(0.05)

    def leftovers(self) -> list[str]:
        """Processes below ours that still live, ours excepted."""
        mine = {member.process.pid for member in self.members if member.process and member.is_running}
        return [line for line in self.home.leftovers() if int(line.split()[0]) not in mine]

    def log_text(self) -> str:
        """Everything all processes said."""
        return "".join(member.log.read_text() for member in self.members if member.log.exists())

    async def stop(self) -> list[str]:
        """SIGTERM to all, at once; what did not end well, in words."""
        codes = await asyncio.gather(*(member.stop() for member in self.members))
        names = [member.name for member in self.members]
        return [f"{name} ended with {code}" for name, code in zip(names, codes, strict=True) if code]

    def end(self) -> None:
        """Nothing of ours goes on, whatever happened."""
        for member in self.members if self.workers else []:
            member.end()
        for line in self.home.leftovers():
            psutil.Process(int(line.split()[0])).kill()


@asynccontextmanager
async def open_cluster(folder: Path, site: MediaSite, plan: list[Ask]) -> AsyncIterator[Cluster]:
    """Servers up, processes named; nothing of it outlives the block but the servers."""
    async with AsyncExitStack() as stack:
        await asyncio.to_thread(services.start_broker)
        services.private_rabbit().forget()
        chat = await stack.enter_async_context(ChatServer())
        cluster = Cluster(folder, site, chat, History(folder / "history.jsonl"))
        await asyncio.to_thread(cluster.start_database)
        await stack.enter_async_context(cluster.to_broker)
        await stack.enter_async_context(cluster.to_database)
        name = cluster.postgres.create_database()
        stack.callback(cluster.postgres.drop_database, name)
        stack.callback(cluster.end)
        cluster.prepare(plan, name)
        yield cluster
