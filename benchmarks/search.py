"""How long /find takes among 100 000 cues, on SQLite and on PostgreSQL, with the question who may see what.

    python -m benchmarks.search [rounds]

400 transcripts of 250 cues each, fetched by 8 people in 4 groups; one of them fetched everything, and every
fourth link was asked for by somebody else as well. The people ask in turn, in private, where one sees what is
one's own everywhere, and in their groups. The aim is a median of less than 50 ms.
"""

import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sqlalchemy import insert, text

import migrations
from bots.finder import Seeker, visible
from shared.database import Database
from shared.ids import new_id
from shared.models import Artifact, ArtifactKind, Delivery, Job, JobState, Passage, Request, table
from shared.search.finding import find, rows, word_index
from shared.search.passages import passages
from shared.search.query import read_query
from shared.search.words import title_words
from tests.services import private_postgres

TRANSCRIPTS, CUES, PEOPLE, GROUPS = 400, 250, 8, 4
VOCABULARY = 20_000
AIM = 0.05  # seconds
QUERIES = {
    "rare word": "w15003",
    "common word": "w1",
    "two words": "w4 w30",
    "all three": "w0 w1 w2",
    "phrase": '"w1 w2"',
    "prefix": "w12*",
    "accents": "DÉJÀ",
    "Chinese": "手机",
    "no such word": "nothinglikethat",
}


def main(rounds: int) -> int:
    """Print one line for each query and database; 0 when the aim is met on both."""
    cues = [list(speech(random.Random(number))) for number in range(TRANSCRIPTS)]
    with tempfile.TemporaryDirectory() as folder:
        sqlite = f"sqlite+aiosqlite:///{folder}/linkferry.db"
        both = (("SQLite", sqlite), ("PostgreSQL", postgres_url()))
        medians = [asyncio.run(measure(name, address, cues, rounds)) for name, address in both]
    return 0 if max(medians) < AIM else 1


def speech(chance: random.Random) -> Iterator[tuple[float, str]]:
    """Cues with words as common as those of a language: the tenth is a tenth as frequent as the first."""
    weights = [1 / rank for rank in range(1, VOCABULARY + 1)]
    words = chance.choices([f"w{number}" for number in range(VOCABULARY)], weights, k=CUES * 8)
    for number in range(CUES):
        line = " ".join(words[number * 8 : number * 8 + 8])
        extra = {100: " … déjà vu", 200: " 新的手机很好"}.get(number, "") if chance.random() < 0.1 else ""
        yield number * 2.5, line + extra


def postgres_url() -> str:
    """A database of a private server, which ends with this process."""
    server = private_postgres()
    server.start()
    return server.url(server.create_database())


async def measure(name: str, address: str, cues: list[list[tuple[float, str]]], rounds: int) -> float:
    """Fill a database and ask it; the median of all answers in seconds."""
    database = Database(address)
    try:
        await migrations.upgrade(database)
        began = time.perf_counter()
        await fill(database, cues)
        filled = time.perf_counter() - began
        if not database.is_sqlite:
            async with database.connection() as connection:
                await (await connection.execution_options(isolation_level="AUTOCOMMIT")).execute(
                    text("VACUUM ANALYZE")
                )
        count = sum(map(len, cues))
        print(f"{name}: {count} cues of {len(cues)} transcripts, kept in {filled:.1f} s; {rounds} rounds")
        everything = []
        for kind, words in QUERIES.items():
            times = [await ask(database, words, number) for number in range(rounds)]
            everything += times
            print(f"  {kind:12} {words!r:20} median {_ms(times, 0.5)}  p95 {_ms(times, 0.95)}")
        aim = f"(aim {AIM * 1000:.0f})"
        print(f"  all          {'':20} median {_ms(everything, 0.5)}  p95 {_ms(everything, 0.95)}  {aim}")
        return statistics.median(everything)
    finally:
        await database.close()


async def fill(database: Database, cues: list[list[tuple[float, str]]]) -> None:
    """Jobs that are done, with who asked for them and what is said in them."""
    index = word_index(database.is_sqlite)
    now = datetime.now(UTC)
    for number, spoken in enumerate(cues):
        title = f"Talk {number} about w{number % 100}"
        job = Job(
            id=new_id(), link=f"https://a.example/{number}", site="a.example", user_key="u", options={},
            state=JobState.DONE, title=title, title_words=title_words(title),
        )  # fmt: skip
        artifact = Artifact(
            id=new_id(), job_id=job.id, kind=ArtifactKind.CAPTIONS, format="vtt", language="en",
            file_name="a.vtt", content_type="text/vtt", storage_key=str(number), size=1, sha256="0",
            expires_at=now + timedelta(days=7),
        )  # fmt: skip
        people = {0, number % PEOPLE, (number + 3 * (number % 4 == 0)) % PEOPLE}
        async with database.write() as session:
            session.add(job)
            await session.flush()
            session.add_all([artifact, *(_request(job, person, now) for person in people)])
            await session.flush()
            await session.execute(insert(table(Passage)), rows(index, artifact.id, passages(spoken)))


def _request(job: Job, person: int, now: datetime) -> Request:
    return Request(
        id=new_id(), event_key=str(new_id()), platform="telegram", chat_id=f"group {person % GROUPS}",
        user_id=str(person), job_id=job.id, delivery=Delivery.DELIVERED, created_at=now,
    )  # fmt: skip


async def ask(database: Database, words: str, number: int) -> float:
    """Seconds of one search, by one person after the other, in private and in a group."""
    person = number % PEOPLE
    seeker = Seeker("telegram", f"group {person % GROUPS}", str(person), sees_own=number % 2 == 0)
    began = time.perf_counter()
    async with database.read() as session:
        await find(session, read_query(words), visible(seeker), most=6)
    return time.perf_counter() - began


def _ms(times: list[float], share: float) -> str:
    return f"{sorted(times)[min(len(times) - 1, int(len(times) * share))] * 1000:5.1f} ms"


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else 40))
