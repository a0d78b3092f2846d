"""A child: forked from the warm process for one job, it answers the worker's calls until it hangs up."""

import logging
import os
import resource
import signal
import socket
import tempfile
from pathlib import Path

from shared.errors import Code, JobError
from worker.child import bounds, failures, guard
from worker.child.abort import TRIPWIRE
from worker.child.look import look
from worker.child.process import close_all_but, die_with_parent
from worker.child.protocol import Call, Captions, Download, Extras, Failed, Hello, Limits, Look, Probe, Reply
from worker.child.session import Session
from worker.child.sieve import Extractors
from worker.child.wire import Wire

log = logging.getLogger("linkferry.child")

_SLACK = 64 * 1024 * 1024  # bytes a file may be larger than the limit, so that our own count comes first


def run(end: socket.socket, parent: int, extractors: Extractors) -> None:
    """The whole life of a child after the fork; never returns."""
    status = 1
    try:
        _become_own_process(end, parent)
        _serve(Wire(end), extractors)
        status = 0
    except ConnectionError:
        status = 0  # the worker has hung up
    except BaseException:
        log.exception("the child broke")
    finally:
        os._exit(status)  # no clean-up of the warm process's objects


def _become_own_process(end: socket.socket, parent: int) -> None:
    os.setsid()
    die_with_parent(signal.SIGKILL, parent)
    # Everything on disk is a resumable beginning at any moment, so there is nothing to unwind.
    signal.signal(signal.SIGINT, lambda *_: os._exit(128 + signal.SIGINT))
    close_all_but(end.fileno())
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _serve(wire: Wire, extractors: Extractors) -> None:
    session: Session | None = None
    for call in wire.calls():
        TRIPWIRE.reset()
        try:
            if isinstance(call, Hello):
                session = _begin(call, wire, extractors)
                reply = Reply()
            elif session is None:
                raise JobError(Code.INTERNAL, "the first call must be hello")
            else:
                reply = _answer(session, call)
        except BaseException as error:
            bounds.use_reserve()
            reply = Reply(error=_failed(error, session.unsure_site if session else None))
        bounds.limit_again()
        wire.reply(reply)


def _begin(hello: Hello, wire: Wire, extractors: Extractors) -> Session:
    work_dir = Path(hello.work_dir)
    os.chdir(work_dir)
    tempfile.tempdir = str(work_dir)
    _limit_files(hello.limits)
    bounds.limit_memory()
    guard.activate(hello.limits.allowed_addresses)
    cookie_file = Path(hello.cookie_file) if hello.cookie_file else None
    return Session(work_dir, hello.limits, cookie_file, wire, extractors)


def _limit_files(limits: Limits) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = limits.max_bytes + _SLACK
    size = size if hard == resource.RLIM_INFINITY else min(size, hard)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def _answer(session: Session, call: Call) -> Reply:
    match call:
        case Probe():
            return Reply(media=session.probe(call.link))
        case Download():
            return Reply(files=session.download(call.options))
        case Captions():
            return Reply(captions=session.captions(call.languages))
        case Extras():
            thumbnail, info = session.extras()
            return Reply(thumbnail=str(thumbnail) if thumbnail else None, info=str(info))
        case Look():
            return Reply(looks=tuple(look(Path(path)) for path in call.paths))
    raise JobError(Code.INTERNAL, f"hello again: {call.call}")


def _failed(error: BaseException, unsure_site: str | None) -> Failed:
    """What a rule of ours forbade counts, however yt-dlp wrapped it."""
    failed = failures.explain(TRIPWIRE.first or error, unsure_site)
    if failed.code is Code.INTERNAL:
        log.error("unexpected", exc_info=error)
    return failed
