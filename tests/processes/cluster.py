"""Real processes on one broker and one database, what a program sends them, and what an operator sees."""

import itertools
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
from psycopg.rows import dict_row

from shared.queue.amqp.topology import JOBS
from tests.journeys.service import slowly
from tests.services import PrivatePostgres, PrivateRabbit, free_port
from tests.site.server import MediaSite
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0  # seconds until a test gives up waiting
LONG_LEASE = "600"  # seconds: what must not wait for a heartbeat cannot hide behind one


class Process:
    """One `linkferry` command that goes on by itself; its log is a file."""

    def __init__(self, command: list[str], environment: dict[str, str], folder: Path, log: Path) -> None:
        self.log = log
        with log.open("wb") as output:
            self.popen = subprocess.Popen(
                command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        self.pid = self.popen.pid
        self.name = f"{socket.gethostname()}:{self.pid}"

    def says(self, words: str) -> bool:
        """Whether the log has these words."""
        return words in self.log.read_text()

    def runs(self) -> bool:
        """Whether it has not ended."""
        return self.popen.poll() is None

    def children(self) -> list[psutil.Process]:
        """Every process below it."""
        return psutil.Process(self.pid).children(recursive=True)

    def job_processes(self) -> list[psutil.Process]:
        """What works for jobs: forks of the worker's warm process."""
        found = []
        for child in self.children():
            with suppress(psutil.NoSuchProcess):
                if child.ppid() != self.pid:
                    found.append(child)
        return found

    def send(self, number: signal.Signals) -> None:
        """A signal."""
        self.popen.send_signal(number)

    def wait(self) -> int:
        """Wait for its end; returns the exit code."""
        return self.popen.wait(PATIENCE)

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        self.send(signal.SIGTERM)
        return self.wait()

    def end(self) -> None:
        """Leave nothing behind, whatever state it is in."""
        if self.runs():
            for child in self.children():
                with suppress(psutil.Error):
                    child.kill()
            self.popen.kill()
        self.popen.wait()


class Cluster:
    """Everything one installation consists of."""

    def __init__(
        self, folder: Path, site: MediaSite, rabbit: PrivateRabbit, postgres: PrivatePostgres
    ) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.site = site
        self.rabbit = rabbit
        self.postgres = postgres
        self.port = free_port()
        self.database = postgres.create_database()
        self.processes: list[Process] = []
        self.settings: dict[str, str] = {}  # what all its processes are told besides
        self.api = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=PATIENCE)
        self._numbers = itertools.count(1)

    def environment(self, **settings: str) -> dict[str, str]:
        """What a process sees of this machine, and its settings."""
        mine = {
            "DATA_DIR": str(self.data),
            "PORT": str(self.port),
            "QUEUE_URL": self.rabbit.url,
            "DATABASE_URL": self.postgres.url(self.database),
            "ALLOWED_ADDRESSES": f"127.0.0.1:{self.site.port}",
            "LOG_FORMAT": "text",
            "LEASE": LONG_LEASE,
            "MAX_CONCURRENT_DOWNLOADS": "1",
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LINKFERRY_")}
        kept.pop("PYTHONDONTWRITEBYTECODE", None)
        kept |= {"PYTHONPATH": str(ROOT), "COLUMNS": "200"}
        mine |= self.settings | settings
        return kept | {f"LINKFERRY_{name}": value for name, value in mine.items()}

    def start(self, *words: str, **settings: str) -> Process:
        """A command that goes on by itself."""
        self.data.mkdir(exist_ok=True)
        process = Process(
            [sys.executable, "-m", "linkferry", *words],
            self.environment(**settings),
            self.folder,
            self.folder / f"{next(self._numbers)}-{words[0]}.log",
        )
        self.processes.append(process)
        return process

    def is_well(self, what: str) -> bool:
        """What the web process says of something that it depends on."""
        return bool(self.api.get("/health").json()["checks"][what]["ok"])

    def run(self, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """A command, to its end."""
        command = [sys.executable, "-m", "linkferry", *words]
        done = subprocess.run(
            command, env=self.environment(**settings), cwd=self.folder, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=PATIENCE,
        )  # fmt: skip
        assert "Traceback" not in done.stdout + done.stderr
        return done

    def web(self, **settings: str) -> Process:
        """The web endpoint, once it answers."""
        process = self.start("web", **settings)
        until(lambda: not process.runs() or process.says("listening"))
        assert process.runs(), process.log.read_text()
        return process

    def workers(self, count: int, **settings: str) -> list[Process]:
        """Workers, once they have signed."""
        started = [self.start("worker", **settings) for _ in range(count)]
        until(lambda: all(not one.runs() or self.rows("workers", name=one.name) for one in started))
        for one in started:
            assert one.runs(), one.log.read_text()
        return started

    def worker(self, **settings: str) -> Process:
        """One worker, once it has signed."""
        return self.workers(1, **settings)[0]

    def rows(self, table: str, **where: object) -> list[dict[str, Any]]:
        """Rows as they are now."""
        conditions = " AND ".join(f"{name} = %s" for name in where) or "true"
        with self._connection() as connection:
            query = f"SELECT * FROM {table} WHERE {conditions}".encode()
            return connection.execute(query, list(where.values())).fetchall()

    def _connection(self) -> psycopg.Connection[dict[str, Any]]:
        return psycopg.connect(
            host=self.postgres.host, port=self.postgres.port, user=self.postgres.user, dbname=self.database,
            row_factory=dict_row,
        )  # fmt: skip

    def row(self, job_id: str) -> dict[str, Any]:
        """A job's row as it is now."""
        (found,) = self.rows("jobs", id=job_id)
        return found

    def forget_claims(self) -> None:
        """As after a minute: posts and deliveries that were under way when their process died may be tried
        again."""
        with self._connection() as connection:
            for claim in ("delivery_after", "post_after"):
                waits = f"delivery = 'pending' AND {claim} IS NOT NULL"
                connection.execute(f"UPDATE requests SET {claim} = now() WHERE {waits}".encode())

    def link(self, rate: int | None = None) -> str:
        """A link nobody asked for yet; its video comes at `rate` bytes a second, or as fast as it goes."""
        page = slowly(rate) if rate else "/embed/sample?"
        return self.site.url(f"{page}&own={next(self._numbers)}")

    def ask(self, link: str) -> str:
        """Send a link over the REST API; returns the id of its job."""
        answer = self.api.post("/api/requests", json={"text": link})
        assert answer.status_code == 202, answer.text
        return str(answer.json()[0]["job"]["job_id"])

    def view(self, job_id: str) -> dict[str, Any]:
        """A job as the REST API shows it."""
        seen: dict[str, Any] = self.api.get(f"/api/jobs/{job_id}").json()
        return seen

    def ended(self, job_id: str) -> dict[str, Any]:
        """Wait until the job has ended."""
        until(lambda: self.row(job_id)["state"] not in ("queued", "running"), f"job {job_id} does not end")
        return self.view(job_id)

    def cancel(self, *job_ids: str) -> None:
        """Leave nothing to do behind."""
        for job_id in job_ids:
            self.api.post(f"/api/jobs/{job_id}/cancel")
        for job_id in job_ids:
            self.ended(job_id)

    def downloading(self, job_id: str) -> None:
        """Wait until bytes of the job have arrived."""
        until(lambda: self.bytes_of(job_id) > 0, f"nothing of job {job_id} arrives")

    def bytes_of(self, job_id: str) -> int:
        """How much of the job's media lies in its work folder."""
        return sum(path.stat().st_size for path in (self.data / "work" / job_id).glob("*.part"))

    def carrier(self, job_id: str) -> Process:
        """The worker that has the job."""
        name = self.row(job_id)["worker"]
        return next(process for process in self.processes if process.name == name)

    def depth(self) -> int:
        """How many job ids wait in RabbitMQ, as its operator sees it."""
        with self.rabbit.admin() as connection:
            answer = connection.channel().queue_declare(JOBS, passive=True)
            return int(answer.method.message_count)

    def close(self) -> None:
        """End everything."""
        for process in self.processes:
            process.end()
        self.api.close()
        self.postgres.drop_database(self.database)


def gone(processes: list[psutil.Process]) -> bool:
    """Whether none of them runs any more."""
    return not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in processes)
