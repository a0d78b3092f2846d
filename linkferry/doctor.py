"""`linkferry doctor`: looks at everything Linkferry depends on and says what to do."""

import asyncio
import sys
from collections.abc import Awaitable, Callable

from pydantic_settings import DotEnvSettingsSource
from rich.console import Console
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from telegram.error import InvalidToken, TelegramError

import migrations
from bots.platforms import wants_webhook
from bots.terminal import say
from linkferry import slack_doctor, translator_doctor
from linkferry.carry import answers
from shared import checks, load, space, tracing
from shared.chat.telegram.bot import open_bot
from shared.checks import ANSWER_TIME, Finding
from shared.database import Database
from shared.errors import ConfigError
from shared.load import Load
from shared.queue import QueueUnavailable, open_queue
from shared.settings import Settings, variables
from shared.storage import StorageError
from shared.words import time_words
from shared.worker_lock import worker_lock
from worker.speech.listen import NOT_INSTALLED, Speech

S3_TIME = 15  # seconds; it is asked again when a request fails
LONG_WAIT = 900  # seconds a job may be queued before somebody should know

RULE_ADVICE = {
    "missing": "It has no lifecycle rule that deletes leftovers: linkferry doctor --set-lifecycle.",
    "different": "Its lifecycle rule is an old one that deletes too much: linkferry doctor --set-lifecycle.",
}
STYLES = {"ok": "green", "note": "yellow", "fix": "red"}


async def run(settings: Settings, *, set_lifecycle: bool = False) -> int:
    """Look at everything; returns 1 when something must be mended first.

    `set_lifecycle` first changes the bucket's rules. Raises ConfigError or StorageError when that fails.
    """
    if set_lifecycle:
        await _set_lifecycle(settings)
    console = Console(highlight=False)
    findings = [await check(settings) for check in CHECKS]
    for finding in findings:
        line = f"{finding.mark:<6}{finding.name:<14}{finding.found} {finding.advice}"
        say(console, line.rstrip(), STYLES[finding.mark])
    return int(any(finding.mark == "fix" for finding in findings))


async def _python(_: Settings) -> Finding:
    return Finding("python", sys.version.split()[0])


async def _environment(settings: Settings) -> Finding:
    where = await asyncio.to_thread(lambda: settings.where)
    return Finding("environment", f"{where.place}: {where.why}")


async def _settings(_: Settings) -> Finding:
    return checks.names(variables(DotEnvSettingsSource(Settings)))


async def _ffmpeg(_: Settings) -> Finding:
    return await checks.program("ffmpeg")


async def _ffprobe(_: Settings) -> Finding:
    return await checks.program("ffprobe")


async def _deno(_: Settings) -> Finding:
    return await checks.deno()


async def _yt_dlp(_: Settings) -> Finding:
    return await checks.yt_dlp()


async def _data_folder(settings: Settings) -> Finding:
    folder = settings.data_dir.absolute()
    try:
        space.try_writing(folder)
    except OSError as error:
        advice = f"I cannot write there ({error.strerror}): allow it, or set LINKFERRY_DATA_DIR."
        return Finding("data folder", f"{folder}.", advice, fatal=True)
    return Finding("data folder", str(folder))


async def _disk(settings: Settings) -> Finding:
    return await checks.disk(settings)


async def _storage(settings: Settings) -> Finding:
    if not settings.uses_s3:
        return Finding("storage", "the data folder")
    from shared.storage.s3 import S3Storage  # here, because boto3 takes 0.3 s to import

    where = f"the bucket {settings.s3_bucket}"
    try:
        storage = await asyncio.to_thread(S3Storage.of, settings)
    except ConfigError as error:
        return Finding("storage", "S3.", str(error), fatal=True)
    try:
        async with asyncio.timeout(S3_TIME):
            await storage.check()
            rule = await storage.lifecycle()
    except ConfigError as error:
        return Finding("storage", f"{where}.", str(error), fatal=True)
    except (StorageError, TimeoutError):
        return Finding("storage", f"{where}.", "S3 does not answer: look at the network.", fatal=True)
    advice = storage.warning() or RULE_ADVICE.get(rule, "")
    return Finding("storage", f"{where}{'.' * bool(advice)}", advice)


async def _set_lifecycle(settings: Settings) -> None:
    if not settings.uses_s3:
        raise ConfigError(
            "Files are not kept in S3, so there is no bucket to give a rule: LINKFERRY_STORAGE."
        )
    from shared.storage.s3 import S3Storage

    storage = await asyncio.to_thread(S3Storage.of, settings)
    await storage.set_lifecycle()


async def _cookies(settings: Settings) -> Finding:
    if settings.cookie_file is None:
        return Finding("cookies", "none")
    try:
        settings.read_cookies()
    except ConfigError as error:
        return Finding("cookies", f"{settings.cookie_file}.", str(error), fatal=True)
    return Finding("cookies", str(settings.cookie_file))


async def _speech(settings: Settings) -> Finding:
    if not settings.speech_model:
        return Finding("speech", "off")
    obstacle = Speech(settings).obstacle
    if obstacle == NOT_INSTALLED:
        advice = "Install it: python -m pip install --require-hashes -r requirements-speech.lock."
        return Finding("speech", "faster-whisper is missing.", advice)
    if obstacle:
        return Finding("speech", "no model there.", "Correct LINKFERRY_SPEECH_MODEL.")
    return Finding("speech", f"{settings.speech_model}, on {settings.speech_device}")


async def _tracing(settings: Settings) -> Finding:
    reason = tracing.why(settings)
    if reason is None:
        return Finding("tracing", "off")
    if not tracing.is_installed():
        advice = f"Install it: {tracing.INSTALL}."
        return Finding("tracing", "OpenTelemetry is missing.", advice, fatal=settings.tracing == "on")
    return Finding("tracing", f"on, because {reason}")


async def _database(settings: Settings) -> Finding:
    kind = "SQLite" if settings.effective_database_url.startswith("sqlite") else "PostgreSQL"
    database = Database(settings.effective_database_url)
    try:
        async with asyncio.timeout(ANSWER_TIME), database.connection() as connection:
            await connection.execute(text("SELECT 1"))
        revision = await migrations.current(database)
    except Exception as error:
        place = "LINKFERRY_DATABASE_URL" if settings.database_url else "the data folder"
        advice = f"I cannot open it ({type(error).__name__}): check {place}."
        return Finding("database", f"{kind}.", advice, fatal=True)
    finally:
        await database.close()
    return _schema(kind, revision, migrations.head())


def _schema(kind: str, revision: str | None, head: str) -> Finding:
    """What a database of this kind holds, when this program was written for `head`."""
    if revision is None:
        return Finding("database", f"{kind}, empty: the first start makes its tables")
    if revision > head:
        advice = "Its schema is that of a newer Linkferry: update this one."
        return Finding("database", f"{kind}.", advice, fatal=True)
    advice = "Its schema is that of an older Linkferry: the next start changes it."
    return Finding("database", f"{kind}.", advice) if revision < head else Finding("database", kind)


async def _queue(settings: Settings) -> Finding:
    if settings.is_embedded:
        return Finding("queue", "embedded: one process works")
    try:
        waiting, dead = await _look_into_queue(settings.queue_url)
    except ConfigError as error:
        return Finding("queue", "RabbitMQ.", str(error), fatal=True)
    except (TimeoutError, QueueUnavailable):
        advice = "It does not answer: start it, or correct LINKFERRY_QUEUE_URL."
        return Finding("queue", "RabbitMQ.", advice, fatal=True)
    advice = "Some messages could not be read: linkferry dead." if dead else ""
    return Finding("queue", f"RabbitMQ, {waiting} waiting{'.' * bool(advice)}", advice)


async def _look_into_queue(url: str) -> tuple[int, bool]:
    """How many ids wait, and whether there are dead letters. Raises TimeoutError, never waits for ever."""
    queue = open_queue(url)
    try:
        async with asyncio.timeout(ANSWER_TIME):
            await queue.start()
            return await queue.depth(), bool(await queue.dead_letters(1))
    finally:
        await queue.close()


async def _jobs(settings: Settings) -> Finding:
    found = await _load(settings)
    if found is None:
        return Finding("jobs", "unknown")
    words = f"{found.queued + found.waiting} queued, {found.running} running"
    age = found.oldest_queued
    if age is None:
        return Finding("jobs", words)
    advice = "Run more workers, or raise LINKFERRY_MAX_CONCURRENT_DOWNLOADS." if age > LONG_WAIT else ""
    return Finding("jobs", f"{words}, the oldest for {time_words(age)}{'.' * bool(advice)}", advice)


async def _load(settings: Settings) -> Load | None:
    """What the database knows of jobs and workers; None when it does not say."""
    database = Database(settings.effective_database_url)
    try:
        async with asyncio.timeout(ANSWER_TIME), database.read() as session:
            return await load.look(session, settings.lease)
    except (SQLAlchemyError, OSError):  # the check of the database says why
        return None
    finally:
        await database.close()


async def _worker(settings: Settings) -> Finding:
    return _lone_worker(settings) if settings.is_embedded else await _workers(settings)


async def _workers(settings: Settings) -> Finding:
    found = await _load(settings)
    return checks.workers(found.workers) if found else Finding("workers", "unknown")


def _lone_worker(settings: Settings) -> Finding:
    try:
        with worker_lock(settings.data_dir) as held:
            if not held:
                return Finding("worker", "running")
    except OSError:
        return Finding("worker", "unknown")
    return Finding("worker", "not running.", "Start it: linkferry up.")


async def _telegram(settings: Settings) -> Finding:
    if not settings.telegram_token:
        return Finding("telegram", "off: no token")
    bot = open_bot(settings)
    try:
        async with asyncio.timeout(ANSWER_TIME):
            await bot.initialize()
        name = f"@{bot.username}"
    except (InvalidToken, ConfigError):
        return Finding("telegram", "The token is not known.", "Ask @BotFather, set LINKFERRY_TELEGRAM_TOKEN.")
    except (TelegramError, TimeoutError):
        advice = "Look at the network, or correct LINKFERRY_TELEGRAM_API_URL."
        return Finding("telegram", f"{settings.telegram_api_url} does not answer.", advice)
    finally:
        await bot.shutdown()
    if wants_webhook(settings):
        return Finding("telegram", f"{name}, by webhook")
    advice = "A webhook needs an https LINKFERRY_PUBLIC_URL." if settings.telegram_webhook_secret else ""
    return Finding("telegram", f"{name}, by polling{'.' * bool(advice)}", advice)


async def _web(settings: Settings) -> Finding:
    url = settings.effective_public_url
    if await asyncio.to_thread(answers, url):
        return Finding("web endpoint", f"{url} answers")
    return Finding("web endpoint", f"{url} does not answer.", "Start it: linkferry up, or linkferry web.")


CHECKS: tuple[Callable[[Settings], Awaitable[Finding]], ...] = (
    _python, _environment, _settings, _ffmpeg, _ffprobe, _deno, _yt_dlp, _data_folder, _disk, _storage,
    _cookies, _database, _queue, _jobs, _worker, _web, _telegram, slack_doctor.look, _speech,
    translator_doctor.look, _tracing,
)  # fmt: skip
