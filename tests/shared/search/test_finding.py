"""Titles and transcripts are found, the same on SQLite and PostgreSQL, by those who may see them."""

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, func, select, text, update

from shared import jobs
from shared.database import db_now
from shared.ids import new_id
from shared.jobs import Ending, Fence
from shared.models import Artifact, Job, Passage
from shared.search.finding import rows, word_index
from shared.search.passages import SIZE, passages
from tests.shared.conftest import HOUR, an_artifact, claim, make_job
from tests.shared.search.conftest import Library

TALK = (
    (1.0, "Good evening and welcome"),
    (3.5, "to the Café of next"),
    (6.25, "year's budget, déjà vu included."),
    (9.0, "The budget is a Budget is a budget"),
)


async def text_of(library: Library, words: str) -> str:
    """The snippet of the first moment, with what was looked for in brackets."""
    moment = (await library.found(words))[0].moments[0]
    return "".join(f"[{piece.text}]" if piece.is_hit else piece.text for piece in moment.snippet)


@pytest.mark.parametrize(
    ("words", "second"),
    [
        ("evening", 1.0),
        ("EVENING welcome", 1.0),
        ("cafe", 3.5),
        ("DEJA", 6.25),
        ("budg*", 6.25),
        ('"next year\'s bud*"', 3.5),
        ('"next year\'s budget"', 3.5),
        ('"café of next year"', 3.5),
        ("included evening", 1.0),
        ("budget included", 6.25),
    ],
)
async def test_words_phrases_prefixes_and_accents_lead_to_the_second(
    library: Library, words: str, second: float
) -> None:
    await library.fetched(*TALK)
    assert await library.seconds(words) == [[second]]


@pytest.mark.parametrize("words", ["evenin", "even", '"budget next"', "evening morning", "bud", "x*"])
async def test_what_is_not_said_is_not_found(library: Library, words: str) -> None:
    await library.fetched(*TALK)
    assert await library.found(words) == []


async def test_the_snippet_shows_what_was_looked_for(library: Library) -> None:
    await library.fetched(
        (0, "So much was said before that"), *TALK, (12, "and more is told by othersunnamed")
    )
    assert await text_of(library, '"next year" deja') == (
        "…evening and welcome to the Café of [next year]'s budget, [déjà] vu included. "
        "The budget is a Budget is a budget and more is told by…"
    )


@pytest.mark.parametrize(
    ("line", "words", "shown"),
    [
        ("我的新手机很好用", "手机", "我的新[手机]很好用"),
        ("我的新手机很好用", "机很", "我的新手[机很]好用"),
        ("我的新手机很好用", "用", "我的新手机很好[用]"),
        ("สวัสดีครับทุกคน", "ครับ", "สวัสดี[ครับ]ทุกคน"),
        ("오늘 학교에서 만나요", "학교", "오늘 [학교]에서 만나요"),
        ("これはペンです", "ペン", "これは[ペン]です"),
        ("مَرْحَبًا بالعالم", "مرحبا", "[مَرْحَبًا] بالعالم"),
    ],
)
async def test_scripts_of_all_kinds(library: Library, line: str, words: str, shown: str) -> None:
    await library.fetched((1, "something else"), (4, line))
    assert await library.seconds(words) == [[4]]
    assert (await text_of(library, words)).endswith(shown)


async def test_a_chinese_word_cut_by_the_end_of_a_cue_is_found(library: Library) -> None:
    await library.fetched((1, "我的新手"), (2, "机很好用"))
    assert await library.seconds("手机") == [[1]]
    assert await library.seconds("手好") == []


async def test_a_phrase_across_the_end_of_a_passage_is_found_once(library: Library) -> None:
    cues = [(float(number), f"w{number} v{number}") for number in range(SIZE * 3)]
    await library.fetched(*cues)
    for number in range(SIZE * 3 - 1):
        assert await library.seconds(f'"v{number} w{number + 1}"') == [[number]]


async def test_titles_are_found_whatever_their_case_and_accents(library: Library) -> None:
    await library.fetched(title="ÜBERRASCHUNG: 很好的手机 e-mail_test")
    for words in ("überraschung", "uberrasch*", "手机", '"e-mail test"', "mail überraschung"):
        assert await library.seconds(words) == [[]], words
    for words in ("berraschung", "mai", '"mail e"'):
        assert await library.found(words) == [], words


async def test_the_newest_comes_first_and_one_video_counts_once(library: Library) -> None:
    first = await library.fetched((1, "budget"), title="One")
    second = await library.fetched(title="The budget")
    third = await library.fetched((2, "a budget"), (500, "word " * 50), (900, "the budget"), title="Three")
    assert [each.job_id for each in await library.found("budget")] == [third, second, first]
    assert await library.seconds("budget") == [[2, 900], [], [1]]
    assert [each.job_id for each in await library.found("budget", most=2)] == [third, second]
    await library.asked(first)  # again: it is the newest now
    assert [each.job_id for each in await library.found("budget")] == [first, third, second]


async def test_jobs_about_one_link_are_one_video_with_what_the_best_of_them_has(library: Library) -> None:
    link = "https://a.example/same"
    spoken = await library.fetched((7, "the budget"), title="Budget", link=link)
    async with library.database.write() as session:
        await session.execute(update(Job).where(Job.id == spoken).values(link_key=None))
    await library.fetched(title="Budget", link=link)
    assert [each.job_id for each in await library.found("budget")] == [spoken]
    assert await library.seconds("budget") == [[7]]


async def test_only_whoever_asked_finds_it_also_when_old_files_answered(library: Library) -> None:
    job_id = await library.fetched((1, "a secret"), title="Secret", user="ann")
    assert await library.found("secret", "bob") == []
    await library.asked(job_id, "bob")
    assert await library.seconds("secret", "bob") == await library.seconds("secret", "ann") == [[1]]


async def test_what_is_no_longer_kept_is_not_found_but_its_title_is(library: Library) -> None:
    job_id = await library.fetched((1, "budget"), title="Secret", seconds=-1)
    assert await library.found("budget") == []
    async with library.database.write() as session:
        ((file, *_),) = await jobs.expired(session)
        assert await jobs.expire(session, file)
        assert await session.scalar(select(func.count()).select_from(Passage)) == 0
    assert [each.job_id for each in await library.found("secret")] == [job_id]


async def test_what_was_revoked_or_removed_by_hand_is_not_found(library: Library) -> None:
    revoked = await library.fetched((1, "budget one"))
    removed = await library.fetched((1, "budget two"))
    async with library.database.write() as session:
        await session.execute(update(Artifact).where(Artifact.job_id == revoked).values(revoked_at=db_now()))
        files = (await session.scalars(select(Artifact.id).where(Artifact.job_id == removed))).all()
        await jobs.mark_deleted(session, files)
    assert await library.found("budget") == []


async def test_an_attempt_that_lost_its_job_leaves_nothing_behind(library: Library) -> None:
    job_id = await make_job(library.database)
    fence = await claim(library.database)
    file = an_artifact(job_id)
    file.id = new_id()
    kept = rows(word_index(library.database.is_sqlite), file.id, passages([(1.0, "budget")]))
    async with library.database.write() as session:
        lost = Ending(Fence(job_id, fence.attempt - 1), [file], HOUR, passages=kept)
        assert await jobs.finish_many(session, [lost]) == [False]
        assert await session.scalar(select(func.count()).select_from(Passage)) == 0


async def test_no_statement_brings_many_passages(library: Library) -> None:
    """Their values are made on the event loop: those of a long transcript would block it for a second."""
    brought = list[int]()

    def count(_: object, __: object, statement: str, values: Sequence[object], *more: object) -> None:
        if statement.startswith("INSERT INTO passages"):
            brought.append(len(values))

    engine = library.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", count)
    try:
        await library.fetched(*((60.0 * number, "the budget") for number in range(450)))
    finally:
        event.remove(engine, "before_cursor_execute", count)
    assert sum(brought) > 200 and max(brought) <= 100
    async with library.database.read() as session:
        assert await session.scalar(select(func.count()).select_from(Passage)) == sum(brought)


async def test_an_index_that_lost_its_passages_answers_nothing_of_them(library: Library) -> None:
    """Triggers and rows are one transaction: a rolled back one leaves neither."""
    await library.fetched((1, "budget"))
    with pytest.raises(RuntimeError):
        async with library.database.write() as session:
            await session.execute(text("DELETE FROM passages"))
            raise RuntimeError("in the middle")
    assert await library.seconds("budget") == [[1]]
    async with library.database.write() as session:
        await session.execute(text("DELETE FROM passages"))
    assert await library.found("budget") == []


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.text(max_size=80) | st.text(alphabet="ab\"*()\\'&|!<->:^{}+-~, \x00%_手ก", max_size=40))
async def test_no_text_is_an_error(library: Library, words: str) -> None:
    await library.found(words)
