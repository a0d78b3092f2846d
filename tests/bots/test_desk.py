"""What people ask for in a chat, and who may: on each kind of database."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import func, select

from bots.commands import Get, Subs
from bots.desk import NOT_FOUND, NOT_YOURS, NOTHING_RUNS, OVER, RECENT, WHICH, Asker, Desk, Refused
from bots.follow import Follower
from bots.intake import Intake, Submitted
from shared import jobs
from shared.database import Database
from shared.errors import Code, JobError
from shared.ids import short_id
from shared.link import parse_link
from shared.links import Links
from shared.models import ChatSettings, Delivery, Job, JobState, Request
from shared.options import MediaFormat, Options, Quality
from shared.outbox import Outbox
from shared.queue import EmbeddedQueue
from shared.results import Results
from shared.retry import Verdict
from shared.settings import Settings
from shared.storage.local import LocalStorage
from tests.bots.room import has_no_room
from tests.shared.conftest import claim, finish, load

ANN = Asker("telegram", "films", "ann", thread_id="7", reply_to="100")
BOB = replace(ANN, user_id="bob")
ADMIN = replace(ANN, user_id="eve", is_admin=True)
ELSEWHERE = replace(ANN, chat_id="other")
LINK = "https://a.example/film"


@dataclass
class Counter:
    """A desk, the database behind it, and how often somebody was told that there is something to show."""

    desk: Desk
    database: Database
    asks: list[None] = field(default_factory=list)

    async def plain(self, link: str = LINK, who: Asker = ANN, event: str = "e1") -> Submitted:
        """A plain link."""
        return await self.desk.take(Get(parse_link(link), Options(), explicit=False), who, event)

    async def get(
        self, link: str = LINK, who: Asker = ANN, event: str = "e1", **options: object
    ) -> Submitted:
        """A `/get`."""
        wanted = Options.model_validate(options)
        return await self.desk.take(Get(parse_link(link), wanted, explicit=True), who, event)

    async def asked_about(self, who: Asker = ANN) -> Submitted:
        """A plain link that was looked at; its question is shown in message 5."""
        asked = await self.plain(who=who)
        async with self.database.write() as session:
            (await session.get_one(Request, asked.request_id)).status_message = "5"
        await finish(self.database, await claim(self.database))
        return asked

    async def fetched(self, title: str, who: Asker = ANN) -> Submitted:
        """A film of that title that was fetched."""
        number = await self.count(Job)
        asked = await self.get(f"https://a.example/{number}", who, f"film {number}")
        fence = await claim(self.database)
        async with self.database.write() as session:
            await jobs.describe(session, fence, title=title, duration=1, media={}, note=None)
        await finish(self.database, fence)
        return asked

    async def failed(self, **options: object) -> Submitted:
        """A job that has failed for good."""
        asked = await self.get(**options)
        fence = await claim(self.database)
        async with self.database.write() as session:
            (await session.get_one(Request, asked.request_id)).status_message = "5"
            await jobs.fail(session, fence, JobError(Code.NETWORK), Verdict(None), "a.example")
        return asked

    async def request(self, asked: Submitted) -> Request:
        """The request as it is now."""
        async with self.database.read() as session:
            return await session.get_one(Request, asked.request_id)

    async def options(self, asked: Submitted) -> Options:
        """What its job is to do."""
        return Options.model_validate((await load(self.database, asked.job_id)).options)

    async def count(self, kind: type[Job] | type[Request] | type[ChatSettings]) -> int:
        """How many rows there are."""
        async with self.database.read() as session:
            return await session.scalar(select(func.count()).select_from(kind)) or 0

    async def titles(self, words: str, who: Asker = ANN) -> list[str | None]:
        """What a search finds."""
        return [hit.view.title for hit in (await self.desk.find(words, who)).hits]


@pytest.fixture
def counter(database: Database, tmp_path: Path) -> Counter:
    """A desk on an empty database."""
    return counter_of(database, Settings(_env_file=None, data_dir=tmp_path))


def counter_of(database: Database, settings: Settings) -> Counter:
    queue = EmbeddedQueue()
    intake = Intake(database, Outbox(database, queue), Files(settings.files_folder), settings)
    follower = Follower(database, queue, Results(settings, Links(["k" * 32])), settings.lease)
    desk = Desk(database, queue, intake, follower)
    made = Counter(desk, database)
    desk.on_ask = lambda: made.asks.append(None)
    return made


class Files(LocalStorage):
    """Has whatever it is asked for."""

    async def size(self, key: str) -> int:
        """See `Storage.size`."""
        return 1


async def refused(call: object) -> str:
    """The sentence with which it is refused."""
    with pytest.raises(Refused) as told:
        await call  # type: ignore[misc]
    return str(told.value)


# taking links


async def test_who_has_fetched_enough_is_refused_what_has_to_be_fetched(
    database: Database, tmp_path: Path
) -> None:
    limited = counter_of(database, Settings(_env_file=None, data_dir=tmp_path, max_gb_per_user_per_day=1e-9))
    kept = await limited.fetched("The Film")
    known = (await load(database, kept.job_id)).link
    enough = "You have fetched the 1e-09 GB that one person may in 24 hours"
    assert (await refused(limited.get(event="e2"))).startswith(enough)
    assert (await refused(limited.plain(event="e3"))).startswith(enough)
    assert (await limited.get(known, event="e4")).job_id == kept.job_id, "it is there already"
    asked = await limited.get(who=BOB, event="e5")
    assert (await limited.get(event="e6")).job_id == asked.job_id, "somebody else fetches it"
    await finish(database, await claim(database))
    failed = await limited.get("https://a.example/other", replace(BOB, user_id="cy"), "e7")
    fence = await claim(database)
    async with database.write() as session:
        await jobs.fail(session, fence, JobError(Code.NETWORK), Verdict(None), "a.example")
        (await session.get_one(Request, failed.request_id)).user_id = ANN.user_id
    assert (await refused(limited.desk.retry(failed.request_id, ANN))).startswith(enough)


async def test_a_plain_link_is_only_looked_at(counter: Counter) -> None:
    asked = await counter.plain()
    assert await counter.options(asked) == Options(probe_only=True)
    request = await counter.request(asked)
    assert (request.chat_id, request.user_id, request.thread_id) == ("films", "ann", "7")
    assert (request.reply_to, request.as_link, request.status_message) == ("100", False, None)
    assert counter.asks == [None]


async def test_a_chat_that_has_chosen_once_and_for_all_is_not_asked(counter: Counter) -> None:
    await counter.desk.set(ANN, choice="720p", languages=["de"], as_link=True)
    asked = await counter.plain()
    assert await counter.options(asked) == Options(quality=Quality.P720, languages=("de",))
    assert (await counter.request(asked)).as_link
    other = await counter.plain(who=ELSEWHERE, event="e2")
    assert (await counter.options(other)).probe_only


async def test_whoever_says_what_they_want_gets_that(counter: Counter) -> None:
    await counter.desk.set(ANN, choice="720p", languages=["de"], as_link=False)
    asked = await counter.get(quality="480p")
    assert await counter.options(asked) == Options(quality=Quality.P480)
    subs = Options(media=False, languages=("en",))
    asked = await counter.desk.take(Subs(parse_link(LINK), subs), ANN, "e2")
    assert await counter.options(asked) == subs


async def test_the_same_event_twice_is_one_request(counter: Counter) -> None:
    first, second = await counter.plain(), await counter.plain()
    assert (second.request_id, second.is_new) == (first.request_id, False)


# choosing and retrying


async def test_a_choice_is_a_new_request_in_the_message_that_asked(counter: Counter) -> None:
    question = await counter.asked_about()
    chosen = await counter.desk.choose(question.request_id, "audio", ANN)
    assert (await counter.options(chosen)).format is MediaFormat.M4A
    request = await counter.request(chosen)
    assert (request.status_message, request.thread_id, request.reply_to) == ("5", "7", "100")
    assert request.delivery is Delivery.PENDING
    assert (await counter.request(question)).delivery is Delivery.DELIVERED
    assert len(counter.asks) == 2


async def test_of_two_choices_the_first_counts(counter: Counter) -> None:
    question = await counter.asked_about()
    first = await counter.desk.choose(question.request_id, "720p", ANN)
    second = await counter.desk.choose(question.request_id, "audio", ANN)
    assert (second.request_id, second.is_new) == (first.request_id, False)
    assert await counter.count(Request) == 2


async def test_a_choice_takes_the_languages_of_its_chat(counter: Counter) -> None:
    question = await counter.asked_about()
    await counter.desk.set(ANN, choice=None, languages=["de", "fr"], as_link=False)
    chosen = await counter.desk.choose(question.request_id, "transcript", ANN)
    assert await counter.options(chosen) == Options(media=False, languages=("de", "fr"))


async def test_only_a_question_can_be_answered_and_only_with_what_was_offered(counter: Counter) -> None:
    question, other = await counter.asked_about(), await counter.get(event="e2")
    assert await refused(counter.desk.choose(question.request_id, "everything", ANN)) == OVER
    assert await refused(counter.desk.choose(other.request_id, "audio", ANN)) == OVER
    assert await refused(counter.desk.choose(UUID(int=1), "audio", ANN)) == NOT_FOUND
    assert (await counter.request(other)).delivery is Delivery.PENDING


async def test_what_failed_is_tried_again_in_the_same_message_once_however_often_it_is_pressed(
    counter: Counter,
) -> None:
    asked = await counter.failed(quality="480p")
    first = await counter.desk.retry(asked.request_id, ANN)
    second = await counter.desk.retry(asked.request_id, ANN)
    assert (second.request_id, second.is_new) == (first.request_id, False)
    assert first.job_id != asked.job_id
    assert await counter.options(first) == await counter.options(asked)
    assert (await counter.request(first)).status_message == "5"


async def test_only_what_failed_is_tried_again(counter: Counter) -> None:
    asked = await counter.get()
    assert await refused(counter.desk.retry(asked.request_id, ANN)) == OVER
    await finish(counter.database, await claim(counter.database))
    assert await refused(counter.desk.retry(asked.request_id, ANN)) == OVER


# no room


async def test_on_a_full_disk_people_are_told_so_whatever_they_want(counter: Counter) -> None:
    question, failed = await counter.asked_about(), await counter.failed(event="e2")
    queued = await counter.get("https://a.example/2", event="e3")
    desk, full = counter.desk, JobError(Code.DISK_FULL).message
    async with has_no_room(counter.database):
        assert await refused(desk.choose(question.request_id, "audio", ANN)) == full
        assert await refused(desk.retry(failed.request_id, ANN)) == full
        assert await refused(desk.cancel(queued.request_id, ANN)) == full
        assert await refused(desk.set(ANN, choice=None, languages=[], as_link=True)) == full
        assert await refused(counter.plain("https://a.example/3", event="e4")) == full
    await desk.cancel(queued.request_id, ANN)
    assert (await counter.request(queued)).cancelled


# cancelling


@pytest.mark.parametrize("who", [ANN, ADMIN])
async def test_the_asker_and_an_admin_of_the_chat_may_cancel(counter: Counter, who: Asker) -> None:
    asked = await counter.get()
    await counter.desk.cancel(asked.request_id, who)
    assert (await load(counter.database, asked.job_id)).state is JobState.CANCELLED
    assert await refused(counter.desk.cancel(asked.request_id, who)) == OVER


@pytest.mark.parametrize(
    ("who", "answer"),
    [
        (BOB, NOT_YOURS),
        (replace(BOB, chat_id="other"), NOT_FOUND),
        (replace(ADMIN, chat_id="other"), NOT_FOUND),
        (replace(ANN, platform="slack"), NOT_FOUND),
    ],
)
async def test_nobody_else_may_cancel_choose_or_retry(counter: Counter, who: Asker, answer: str) -> None:
    asked = await counter.get()
    assert await refused(counter.desk.cancel(asked.request_id, who)) == answer
    assert await refused(counter.desk.choose(asked.request_id, "audio", who)) == answer
    assert await refused(counter.desk.retry(asked.request_id, who)) == answer
    assert (await load(counter.database, asked.job_id)).state is JobState.QUEUED


async def test_whoever_cancels_leaves_the_job_to_others_who_wait_for_it(counter: Counter) -> None:
    mine, theirs = await counter.get(), await counter.get(who=BOB, event="e2")
    await counter.desk.cancel(mine.request_id, ANN)
    assert (await counter.request(mine)).cancelled
    assert not (await counter.request(theirs)).cancelled
    assert (await load(counter.database, mine.job_id)).state is JobState.QUEUED


async def test_without_a_name_the_only_one_that_goes_on_is_cancelled(counter: Counter) -> None:
    assert await refused(counter.desk.cancel_by_name(None, ANN)) == NOTHING_RUNS
    await counter.fetched("over")
    await counter.get(who=BOB, event="bob")
    asked = await counter.get("https://a.example/2", event="e2")
    assert (await counter.desk.cancel_by_name(None, ANN)).request.id == asked.request_id
    assert (await counter.request(asked)).cancelled
    assert await refused(counter.desk.cancel_by_name(None, ANN)) == NOTHING_RUNS


async def test_of_several_the_one_that_is_named_is_cancelled(counter: Counter) -> None:
    first = await counter.get()
    second = await counter.get("https://a.example/2", event="e2")
    assert await refused(counter.desk.cancel_by_name(None, ANN)) == WHICH
    await counter.desk.cancel_by_name(short_id(first.request_id), ANN)
    assert (await counter.request(first)).cancelled
    assert not (await counter.request(second)).cancelled


# looking


async def test_a_request_is_found_by_the_end_of_its_id(counter: Counter) -> None:
    asked, _ = await counter.get(), await counter.get("https://a.example/2", event="e2")
    for name in (short_id(asked.request_id), asked.request_id.hex[-4:], str(asked.request_id)):
        assert (await counter.desk.by_name(name, ANN)).request.id == asked.request_id
    assert (await counter.desk.by_name(short_id(asked.request_id), ANN)).short_id in str(asked.request_id)


@pytest.mark.parametrize("name", ["abc", "----", "%%%%", "xyzw", "", "0" * 37])
async def test_a_name_that_is_none_is_nobodys(counter: Counter, name: str) -> None:
    await counter.get()
    assert await refused(counter.desk.by_name(name, ANN)) == NOT_FOUND


async def test_requests_of_others_are_found_by_admins_of_their_chat_only(counter: Counter) -> None:
    asked = await counter.get()
    name = short_id(asked.request_id)
    assert (await counter.desk.by_name(name, ADMIN)).request.id == asked.request_id
    for who in (BOB, replace(ADMIN, chat_id="other"), replace(ADMIN, platform="slack")):
        assert await refused(counter.desk.by_name(name, who)) == NOT_FOUND


async def test_recent_ones_are_the_persons_own_newest_first_and_not_too_many(counter: Counter) -> None:
    await counter.get(who=BOB, event="bob")
    await counter.get(who=replace(ANN, platform="slack"), event="slack")
    asked = [await counter.get(f"https://a.example/{n}", event=str(n)) for n in range(RECENT + 2)]
    recent = await counter.desk.recent(ANN)
    assert [each.request.id for each in recent] == [each.request_id for each in asked[:1:-1]]
    assert [each.view.position for each in recent[-2:]] == [5, 4]


@pytest.mark.parametrize(
    ("words", "titles"),
    [
        ("harbour", ["Harbour at night", "The HARBOUR café"]),
        ("night harbour", ["Harbour at night"]),
        ("café", ["The HARBOUR café"]),
        ("CAFE", ["The HARBOUR café"]),
        ("harb*", ["Harbour at night", "The HARBOUR café"]),
        ('"at night"', ["Harbour at night"]),
        ("100%", ["100% true"]),
        ("%", []),
        ("a_b", ["a_b"]),
        ("\\", []),
        ("nothing", []),
    ],
)
async def test_what_was_fetched_is_found_by_words_of_its_title(
    counter: Counter, words: str, titles: list[str]
) -> None:
    for title in ("The HARBOUR café", "100% true", "a_b", "axb", "Harbour at night"):
        await counter.fetched(title)
    await counter.fetched("Bob's harbour café, 100 a b nights, at night", replace(BOB, chat_id="other"))
    assert await counter.titles(words) == titles


async def test_what_a_search_tells_of_depends_on_who_hears_it(counter: Counter) -> None:
    await counter.fetched("Ann's film")
    await counter.fetched("Ann's film elsewhere", ELSEWHERE)
    await counter.fetched("Bob's film", BOB)
    await counter.fetched("Bob's film elsewhere", replace(BOB, chat_id="other"))
    await counter.fetched("Ann's film on Slack", replace(ANN, platform="slack"))
    assert await counter.titles("film") == ["Bob's film", "Ann's film"], "in company: of this chat"
    alone = replace(ANN, is_private=True)
    assert await counter.titles("film", alone) == ["Bob's film", "Ann's film elsewhere", "Ann's film"]
    at_home = replace(alone, chat_id="ann")
    assert await counter.titles("film", at_home) == ["Ann's film elsewhere", "Ann's film"]
    assert await counter.titles("film", replace(ANN, chat_id="third")) == []


async def test_what_somebody_no_longer_wanted_is_not_found(counter: Counter) -> None:
    asked = await counter.fetched("Ann's film")
    async with counter.database.write() as session:
        (await session.get_one(Request, asked.request_id)).cancelled = True
    assert await counter.titles("film") == []


# settings


async def test_a_chat_that_never_said_has_the_defaults(counter: Counter) -> None:
    found = await counter.desk.settings(ANN)
    assert (found.choice, found.languages, found.as_link) == (None, [], False)
    assert await counter.count(ChatSettings) == 0


async def test_settings_are_the_chats_and_the_last_word_counts(counter: Counter) -> None:
    await counter.desk.set(ANN, choice="audio", languages=["en"], as_link=True)
    await counter.desk.set(BOB, choice=None, languages=["de", "fr"], as_link=False)
    found = await counter.desk.settings(ANN)
    assert (found.choice, found.languages, found.as_link) == (None, ["de", "fr"], False)
    assert (await counter.desk.settings(ELSEWHERE)).languages == []
    assert await counter.count(ChatSettings) == 1
