"""The warm process: imports and tries everything once, then forks one child per job in milliseconds.

Started by `server.py` as `python -m worker.child.zygote FD`, where FD is the control socket. It has one
thread, ends when the worker does, and takes its children along.
"""

import errno
import gc
import logging
import os
import select
import signal
import socket
import sys
from collections.abc import Iterator
from typing import NoReturn

from worker.child import bounds, guard, links, live, main, resuming, warmup
from worker.child.control import (
    MAX_PACKET,
    REQUEST,
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
from worker.child.process import die_with_parent, kill_group
from worker.child.protocol import Identity
from worker.child.sieve import Extractors
from worker.child.ydl import configure_log, draw_no_bars, tie_programs

log = logging.getLogger("linkferry.child")

_IDENTIFY_TIME = 0.1  # seconds of work; a link made to keep a pattern busy must not hold everybody up
_WORKER_DIED = signal.SIGUSR1  # from the kernel. SIGTERM may reach all of a service, which is then to drain


class _TooLong(BaseException):
    """Raised by the alarm while a pattern is being matched; no extractor may catch it."""


class Zygote:
    """Waits for requests and for children to end."""

    def __init__(self, control: socket.socket, extractors: Extractors, idle_work: Iterator[None]) -> None:
        self._control = control
        self._extractors = extractors
        self._idle_work: Iterator[None] | None = idle_work
        self._children: dict[int, int] = {}  # process ids by the numbers of their forks
        self._wakeup, wakeup_writer = os.pipe()
        for end in (self._wakeup, wakeup_writer):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wakeup_writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGVTALRM, _alarm)  # counts our own work, not what a busy machine does besides
        signal.signal(_WORKER_DIED, lambda *_: self._leave())

    def run(self) -> NoReturn:
        """Serve until the worker hangs up."""
        self._report(Warm())
        while True:
            timeout = 0 if self._idle_work else None
            ready, _, _ = select.select([self._control.fileno(), self._wakeup], [], [], timeout)
            if self._wakeup in ready:
                os.read(self._wakeup, 4096)
            self._reap()
            if self._control.fileno() in ready:
                self._serve_one()
            elif not ready and self._idle_work:
                self._work_a_little()

    def _work_a_little(self) -> None:
        try:
            next(self._idle_work or iter(()))
            return
        except StopIteration:
            pass
        except Exception:  # an extractor that cannot be imported is the trouble of those who need it
            log.exception("giving the idle work up")
        self._idle_work = None
        gc.collect()
        gc.freeze()

    def _serve_one(self) -> None:
        packet, descriptors, _, _ = socket.recv_fds(self._control, MAX_PACKET, 1)
        if not packet:
            self._leave()
        match REQUEST.validate_json(packet):
            case Fork(request=request):
                self._fork(request, descriptors)
            case Identify(request=request, link=link):
                self._report(Identified(request=request, identity=self._identify(link)))
            case Signal(child=child, number=number) if child in self._children:
                kill_group(self._children[child], number)

    def _fork(self, request: int, descriptors: list[int]) -> None:
        warm = os.getpid()
        try:
            if not descriptors:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            pid = os.fork()
        except OSError as error:  # the machine has no more, for now: those who run need not suffer
            for descriptor in descriptors:
                os.close(descriptor)
            self._report(Refused(request=request, reason=str(error)))
            return
        if pid == 0:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGVTALRM, _WORKER_DIED):
                signal.signal(number, signal.SIG_DFL)
            main.run(socket.socket(fileno=descriptors[0]), warm, self._extractors)
        os.close(descriptors[0])
        self._children[request] = pid
        self._report(Forked(request=request, pid=pid))

    def _identify(self, link: str) -> Identity | None:
        """None for what takes too long, too. The alarm rings once, and wherever it does is inside `try`."""
        try:
            try:
                signal.setitimer(signal.ITIMER_VIRTUAL, _IDENTIFY_TIME)
                return links.identify(link, self._extractors)
            finally:
                signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        except (Exception, _TooLong) as error:  # an extractor's own mistake, or the alarm
            log.info("cannot identify a link: %r", error)
            return None

    def _reap(self) -> None:
        for child, pid in list(self._children.items()):
            # Look without reaping: until it is reaped, the id of the group can belong to nobody else.
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                continue
            kill_group(pid)
            _, status = os.waitpid(pid, 0)
            del self._children[child]
            self._report(Ended(child=child, status=os.waitstatus_to_exitcode(status)))

    def _report(self, report: Report) -> None:
        try:
            self._control.send(report.model_dump_json().encode())
        except OSError:
            self._leave()

    def _leave(self) -> NoReturn:
        for pid in self._children.values():
            kill_group(pid)
        for pid in self._children.values():
            os.waitpid(pid, 0)
        os._exit(0)


def _alarm(*_: object) -> None:
    raise _TooLong


def start() -> NoReturn:
    """Warm up and serve; the control socket's descriptor and the worker's pid are the arguments."""
    control = socket.socket(fileno=int(sys.argv[1]))
    for number in (signal.SIGTERM, signal.SIGINT):  # what a whole service gets is the worker's business
        signal.signal(number, signal.SIG_IGN)
    die_with_parent(_WORKER_DIED, int(sys.argv[2]))
    configure_log()
    resuming.install()
    bounds.install()
    live.install()
    tie_programs()
    draw_no_bars()
    extractors = warmup.warm_up()
    guard.install()
    gc.collect()
    gc.freeze()
    Zygote(control, extractors, warmup.load_extractors(extractors)).run()


if __name__ == "__main__":
    start()
