"""One run of the warm process, seen from the worker: its control socket, and who waits for what."""

import asyncio
import contextlib
import itertools
import logging
import os
import socket
import sys
from collections import deque
from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError

import worker
from shared.errors import LinkferryError
from worker.child.control import (
    MAX_PACKET,
    REPORT,
    Answer,
    Ended,
    Fork,
    Forked,
    Identified,
    Identify,
    Refused,
    Report,
    Signal,
    Warm,
)
from worker.child.protocol import Identity

log = logging.getLogger(__name__)

_IDENTIFY_PATIENCE = 2.0  # seconds; whoever asks can also find out by fetching
_SILENCE = 30.0  # seconds without any word while a request waits: dead, not just busy
_STOP_TIME = 2.0  # seconds to leave by itself once the worker hung up
# Most of what yt-dlp says is of interest only to whoever looks for a fault.
_LEVELS = {"DEBUG": logging.DEBUG, "INFO": logging.DEBUG, "WARNING": logging.INFO, "ERROR": logging.ERROR}
_KEPT_ENVIRONMENT = frozenset(
    {"PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR"}
)


class NoChild(LinkferryError):
    """This machine has no child for a job just now; the text says why. It is nothing that the job did."""


class WarmProcessDied(NoChild):
    """The warm process ended while something waited for it; its children are gone, too."""


class WarmProcess:
    """Start with `start`, wait for `ready`; `gone` is set once it is of no more use."""

    def __init__(self, process: asyncio.subprocess.Process, control: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        self.process = process
        self.ready: asyncio.Future[None] = loop.create_future()
        self.gone = asyncio.Event()
        self.last_words: deque[str] = deque(maxlen=5)
        self._ended: dict[int, asyncio.Future[int]] = {}  # by the numbers of the forks
        self._control = control
        self._answers: dict[int, asyncio.Future[Answer]] = {}
        self._numbers = itertools.count(1)
        self._heard = loop.time()
        self._log_reader = asyncio.create_task(self._pass_on_log())
        loop.add_reader(control, self._read)

    @classmethod
    async def start(cls, home: str) -> Self:
        """Start the process; `home` is an empty folder it may use as its home."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        with theirs:
            try:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "worker.child.zygote", str(theirs.fileno()), str(os.getpid())),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.PIPE,
                    pass_fds=(theirs.fileno(),),
                    cwd=home,
                    env=_environment(home),
                    start_new_session=True,  # a terminal's Ctrl-C is for the worker, which ends it in order
                )
            except BaseException:
                ours.close()
                raise
        return cls(process, ours)

    async def identify(self, link: str) -> Identity | None:
        """Ask which video a link means; None, too, when the answer takes long. Raises WarmProcessDied."""
        number = next(self._numbers)
        try:
            async with asyncio.timeout(_IDENTIFY_PATIENCE):
                answer = await self._ask(Identify(request=number, link=link))
        except TimeoutError:
            return None
        return answer.identity if isinstance(answer, Identified) else None

    async def fork(self, end: socket.socket) -> Forked:
        """Fork a child that speaks on this socket; the request's number is its name. Raises NoChild."""
        child = next(self._numbers)
        self._ended[child] = asyncio.get_running_loop().create_future()
        try:
            answer = await self._ask(Fork(request=child), end.fileno())
            if isinstance(answer, Forked):
                return answer
            raise NoChild(f"the warm process did not fork: {answer!r}")
        except BaseException:
            self.forget(child)
            raise

    async def signal(self, child: int, number: int) -> None:
        """Signal a child's process group, if it still runs."""
        with contextlib.suppress(OSError):
            await self._send(Signal(child=child, number=number))

    def ended(self, child: int) -> "asyncio.Future[int]":
        """The future exit status of a child, negative for a signal; WarmProcessDied when nobody can say."""
        return self._ended[child]

    def forget(self, child: int) -> None:
        """Nobody asks for this child's status any more."""
        self._ended.pop(child, None)

    async def stop(self) -> None:
        """Hang up, and wait until the process has ended its children and itself."""
        self._hang_up()
        try:
            async with asyncio.timeout(_STOP_TIME):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
        await self._log_reader

    def _hang_up(self) -> None:
        if self.gone.is_set():
            return
        self.gone.set()
        asyncio.get_running_loop().remove_reader(self._control)
        self._control.close()
        gone = WarmProcessDied("the warm process died")
        waiters: list[asyncio.Future[Any]] = [self.ready, *self._answers.values(), *self._ended.values()]
        for waiting in waiters:
            if not waiting.done():
                waiting.set_exception(gone)
                waiting.exception()  # marks it as seen: nobody may be waiting any more

    async def _ask(self, request: Identify | Fork, *descriptors: int) -> Answer:
        """The answer, however long others are served before; only silence means that it has died."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        self._answers[request.request] = answer
        began = loop.time()
        try:
            await self._send(request, *descriptors)
            while not answer.done():
                await asyncio.wait([answer], timeout=self._patience_left(began))
            return answer.result()
        except OSError as error:
            self._hang_up()
            raise WarmProcessDied(f"the warm process does not answer: {error!r}") from error
        finally:
            del self._answers[request.request]

    async def _send(self, request: Identify | Fork | Signal, *descriptors: int) -> None:
        packet = request.model_dump_json().encode()
        began = asyncio.get_running_loop().time()
        while not self.gone.is_set():
            try:
                socket.send_fds(self._control, [packet], descriptors)
                return
            except BlockingIOError:  # its queue is full; it empties as soon as it is served
                self._patience_left(began)
                await asyncio.sleep(0.005)
        raise ConnectionResetError("the warm process has gone")

    def _patience_left(self, began: float) -> float:
        """Seconds more to wait for a word. Raises TimeoutError when there was none for long."""
        left = max(began, self._heard) + _SILENCE - asyncio.get_running_loop().time()
        if left <= 0:
            raise TimeoutError(f"silent for {_SILENCE:g} s")
        return left

    def _read(self) -> None:
        try:
            packet = self._control.recv(MAX_PACKET)
        except BlockingIOError:
            return
        except OSError:
            packet = b""
        self._heard = asyncio.get_running_loop().time()
        try:
            if packet:
                self._handle(REPORT.validate_json(packet))
            else:
                self._hang_up()
        except ValidationError:
            log.exception("the warm process said something odd")
            self._hang_up()

    def _handle(self, report: Report) -> None:
        match report:
            case Warm():
                if not self.ready.done():
                    self.ready.set_result(None)
            case Ended():
                child = self._ended.get(report.child)
                if child is not None and not child.done():
                    child.set_result(report.status)
            case Forked() | Refused() | Identified():
                answer = self._answers.get(report.request)
                if answer is not None and not answer.done():
                    answer.set_result(report)

    async def _pass_on_log(self) -> None:
        assert self.process.stderr is not None  # noqa: S101 - it is a pipe
        level = logging.DEBUG
        while True:
            try:
                line = await self.process.stderr.readline()
            except ValueError:  # longer than the stream's limit
                continue
            if not line:
                return
            text = line.decode(errors="replace").rstrip()
            level = _LEVELS.get(text.partition(" ")[0], level)  # a traceback goes on at its own level
            self.last_words.append(text)
            log.log(level, "%s", text)


def _environment(home: str) -> dict[str, str]:
    """No secrets of the worker's, no proxies, nothing of the user's own configuration."""
    kept = {name: value for name, value in os.environ.items() if name in _KEPT_ENVIRONMENT}
    root = str(Path(next(iter(worker.__path__))).parent)
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    caches = {"XDG_CACHE_HOME": home, "XDG_CONFIG_HOME": home, "DENO_DIR": home, "DENO_NO_UPDATE_CHECK": "1"}
    return {**kept, **caches, "HOME": home, "TMPDIR": home, "PYTHONPATH": path}
