"""The worker's end of one child: calls as coroutines, limits enforced from outside."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from shared.errors import Code, JobError, LinkferryError
from shared.metrics import FETCHED_BYTES
from shared.options import Options
from worker.child.links import MAX_LINK
from worker.child.protocol import (
    Call,
    CaptionFile,
    Captions,
    Download,
    Extras,
    Hello,
    Limits,
    Look,
    Media,
    Message,
    Probe,
    Progress,
    Reply,
    StreamFile,
)
from worker.media.answer import Answer

_T = TypeVar("_T")
_MESSAGE: TypeAdapter[Message] = TypeAdapter(Message)
_STATUS_TIME = 2.0  # seconds to wait for the exit status once a child has hung up


class ChildCrashed(LinkferryError):
    """A child ended without an answer, or said something that is no answer; the text says how."""


class Child:
    """One job's process. Every method raises JobError for what went wrong with the job, ChildCrashed else.

    Every path in an answer is that of a file in the work folder: a child could name one of the worker's.
    A call that is cancelled or runs into a limit ends the process group; the child is of no more use then.
    """

    def __init__(
        self,
        pid: int,
        limits: Limits,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        ended: "asyncio.Future[int]",
        kill: Callable[[], Awaitable[None]],
    ) -> None:
        self.pid = pid
        self._limits = limits
        self._reader, self._writer = streams
        self._ended = ended
        self._kill = kill
        self._deadline = asyncio.get_running_loop().time() + limits.wall_clock

    async def hello(self, work_dir: Path, cookie_file: Path | None) -> None:
        """Tell the child where to work and its limits; `ChildServer.open` has done it."""
        self._work_dir = work_dir
        cookies = _absolute(cookie_file) if cookie_file else None
        await self._ask(Hello(work_dir=_absolute(work_dir), limits=self._limits, cookie_file=cookies))

    async def probe(self, link: str) -> Media:
        """Look at a link."""
        if len(link) > MAX_LINK:  # longer ones do not even fit into a call
            raise JobError(Code.INVALID_LINK, f"{len(link)} characters")
        return _promised((await self._ask(Probe(link=link))).media)

    async def download(
        self, options: Options, on_progress: Callable[[Progress], None]
    ) -> tuple[StreamFile, ...]:
        """Fetch what the options ask for, resuming what is in the work folder. Probe first."""
        return _promised((await self._ask(Download(options=options), on_progress)).files)

    async def captions(self, languages: Sequence[str]) -> tuple[CaptionFile, ...]:
        """Fetch caption tracks for the languages, best match first; maybe none. Probe first."""
        return _promised((await self._ask(Captions(languages=tuple(languages)))).captions)

    async def extras(self) -> tuple[Path | None, Path]:
        """Fetch the thumbnail (None when there is none) and write the info JSON. Probe first."""
        reply = await self._ask(Extras())
        return Path(reply.thumbnail) if reply.thumbnail else None, Path(_promised(reply.info))

    async def look(self, files: Sequence[StreamFile]) -> tuple[Answer, ...]:
        """What ffprobe would say about each of the downloaded files."""
        looks = _promised((await self._ask(Look(paths=tuple(file.path for file in files)))).looks)
        if len(looks) != len(files):
            raise ChildCrashed(f"the child looked at {len(files)} files and told of {len(looks)}")
        return looks

    async def _ask(self, call: Call, on_progress: Callable[[Progress], None] | None = None) -> Reply:
        try:
            self._writer.write(call.model_dump_json().encode() + b"\n")
            while True:
                message = await self._message()
                if isinstance(message, Reply):
                    break
                if on_progress is not None:
                    on_progress(message)
            _check_paths(message, self._work_dir)
        except BaseException:
            await self._kill()
            raise
        if (failed := message.error) is not None:
            raise JobError(
                failed.code, failed.detail, sentence=failed.sentence, retry_after=failed.retry_after
            )
        return message

    async def _message(self) -> Progress | Reply:
        try:
            line = await self._line()
        except ConnectionError:
            line = b""
        except ValueError as error:  # longer than MAX_LINE
            raise ChildCrashed(f"the child sent a line that is too long: {error}") from error
        if not line.endswith(b"\n"):
            raise ChildCrashed(await self._how_it_ended())
        try:
            message = _MESSAGE.validate_json(line)
        except ValidationError as error:
            raise ChildCrashed(f"the child sent what is no message: {error}") from error
        FETCHED_BYTES.inc(max(0, message.arrived))
        return message

    async def _line(self) -> bytes:
        loop = asyncio.get_running_loop()
        patience = loop.time() + self._limits.no_progress
        try:
            async with asyncio.timeout_at(min(patience, self._deadline)):
                return await self._reader.readline()
        except TimeoutError:
            if loop.time() >= self._deadline:
                raise JobError(Code.TIMED_OUT, f"longer than {self._limits.wall_clock:g} s") from None
            raise JobError(Code.STALLED, f"nothing for {self._limits.no_progress:g} s") from None

    async def _how_it_ended(self) -> str:
        try:
            async with asyncio.timeout(_STATUS_TIME):
                status = await asyncio.shield(self._ended)
        except TimeoutError:
            return "the child hung up"
        return f"the child was ended by signal {-status}" if status < 0 else f"the child exited with {status}"


def _absolute(path: Path) -> str:
    return str(path.absolute())


def _promised(value: _T | None) -> _T:
    if value is None:
        raise ChildCrashed("the child's answer lacks what was asked for")
    return value


def _check_paths(reply: Reply, work_dir: Path) -> None:
    """Raise ChildCrashed unless everything that the answer names is a file in this folder, link or not."""
    named = [*(file.path for file in reply.files or ()), *(track.path for track in reply.captions or ())]
    named += [path for path in (reply.thumbnail, reply.info) if path is not None]
    for path in named:
        try:
            real = Path(path).resolve()
            is_own = real.is_relative_to(work_dir.resolve()) and real.is_file()
        except (OSError, ValueError, RuntimeError):  # no path, or links in a circle
            is_own = False
        if not is_own:
            raise ChildCrashed(f"the child named {path!r}, which is no file of its own")
