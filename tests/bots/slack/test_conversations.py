"""What people say and what they are told. No worker runs: whatever is asked for stays queued."""

from bots.desk import NOTHING_YET
from shared import jobs
from shared.errors import Code
from shared.models import Job, JobState
from tests.bots.slack.conftest import Chatting
from tests.tracing import kept

LINK = "https://example.com/watch?v=abc123"
HOSTILE = "A <!channel> & <https://evil.example|click> film"


async def test_a_command_is_queued_in_one_message_which_becomes_the_result(chat: Chatting) -> None:
    delivery = await chat.ann.runs(f"/get {LINK} 720p", chat.channel)
    assert delivery.is_acked and delivery.answer is None
    status = await chat.channel.shows("Queued")
    assert status.labels == ["Cancel"]
    await chat.finish(HOSTILE)
    film = await chat.channel.shows(HOSTILE)
    assert film.ts == status.ts and len(chat.channel.messages) == 1
    assert not chat.slack.pings(film).anybody
    assert [job.link for job in await chat.jobs()] == [LINK]


async def test_a_command_begins_a_trace_that_its_request_keeps(chat: Chatting) -> None:
    with kept() as traces:
        await chat.ann.runs(f"/get {LINK} 720p", chat.channel)
        await chat.channel.shows("Queued")
    assert traces.way(traces.one("submit")) == ["slack event", "submit"]
    (request,) = await chat.requests()
    assert request.traceparent and request.traceparent.split("-")[1] == traces.one("submit").trace


async def test_a_link_as_slack_decorates_it_is_the_link(chat: Chatting) -> None:
    await chat.ann.says("<@BOT> https://example.com/watch?v=a&list=b", chat.channel)
    await chat.channel.shows("Queued")
    await chat.ann.runs("/ferry https://example.com/watch?v=c&amp;list=d", chat.channel)
    await chat.slack.until(lambda: len(chat.channel.messages) == 2)
    links = [job.link for job in await chat.jobs()]
    assert links == ["https://example.com/watch?v=a&list=b", "https://example.com/watch?v=c&list=d"]


async def test_a_button_cancels(chat: Chatting) -> None:
    await chat.ann.runs(f"/get {LINK}", chat.channel)
    status = await chat.channel.shows("Queued")
    assert (await chat.ann.presses(status, "Cancel")).is_acked
    await chat.channel.shows("Cancelled.")
    assert [job.state for job in await chat.jobs()] == [JobState.CANCELLED]
    await chat.ann.presses(status, "Cancel", stale=True)
    await chat.channel.shows("That is over already", only_to=chat.ann)
    assert chat.slack.made("users.info") == [], "over is over for admins too: nobody asks who they are"


async def test_a_command_delivered_three_times_is_one_request(chat: Chatting) -> None:
    command = await chat.ann.runs(f"/get {LINK}", chat.channel)
    mention = (await chat.ann.says(f"<@BOT> {LINK}2", chat.channel)).delivery
    for delivery in (command, command, mention, mention):
        await chat.slack.repeat(delivery)
    await chat.slack.until(lambda: len(chat.channel.messages) == 2)
    assert len(await chat.requests()) == 2
    assert command.outcomes == mention.outcomes == ["ok"] * 3


async def test_several_links_are_several_requests(chat: Chatting) -> None:
    await chat.ann.says(f"{LINK}1 and {LINK}2 and {LINK}1", chat.dm)
    await chat.slack.until(lambda: len(chat.dm.messages) == 2)
    assert sorted(job.link for job in await chat.jobs()) == [f"{LINK}1", f"{LINK}2"]


async def test_what_is_not_understood_gets_one_sentence_for_the_person_alone(chat: Chatting) -> None:
    await chat.ann.runs("/get https://user:secret@example.com/x", chat.channel)
    await chat.channel.shows("carries a user name or a password", only_to=chat.ann)
    await chat.ann.says("<@BOT> hello <!channel>", chat.channel)
    told = await chat.channel.shows("I see no link in that.", only_to=chat.ann)
    assert "/ferry help" in told.text
    await chat.ann.says("hello", chat.dm)
    await chat.dm.shows("I see no link in that.")
    assert chat.channel.messages == [] and await chat.requests() == []


async def test_a_mention_in_a_thread_is_answered_there(chat: Chatting) -> None:
    parent = await chat.bob.says("worth seeing", chat.channel)
    await chat.ann.says(f"<@BOT> subs {LINK} de", chat.channel, thread=parent)
    await chat.channel.shows("Queued")
    assert len(chat.channel.thread(parent)) == 1
    assert [job.options["media"] for job in await chat.jobs()] == [False]
    await chat.ann.says("<@BOT> nonsense", chat.channel, thread=parent)
    told = await chat.channel.shows("I see no link", only_to=chat.ann)
    assert told.thread_ts == parent.ts


async def test_the_umbrella_does_it_all(chat: Chatting) -> None:
    await chat.ann.runs("/ferry status", chat.channel)
    await chat.channel.shows(NOTHING_YET, only_to=chat.ann)
    await chat.ann.runs(f"/ferry get {LINK}1", chat.channel)
    await chat.ann.runs(f"/ferry get {LINK}2 mp3", chat.channel)
    await chat.slack.until(lambda: len(chat.channel.messages) == 2)
    await chat.ann.runs("/ferry cancel", chat.channel)
    await chat.channel.shows("say which one: /ferry cancel and the id that /ferry status", only_to=chat.ann)
    name = (await chat.requests())[1].id.hex[-8:]
    await chat.ann.runs("/status", chat.channel)
    await chat.channel.shows(lambda shown: name in shown.text and "number 2 in line" in shown.text,
                             only_to=chat.ann)  # fmt: skip
    await chat.ann.runs(f"/ferry cancel {name}", chat.channel)
    await chat.channel.shows("Cancelled.")
    await chat.ann.runs(f"/status {name}", chat.channel)
    await chat.channel.shows(lambda shown: "Cancelled" in shown.text, only_to=chat.ann)
    await chat.ann.runs("/ferry find <b>film</b> & more", chat.channel)
    await chat.channel.shows("such as /ferry find budg*", only_to=chat.ann)
    await chat.ann.runs("/ferry", chat.channel)
    await chat.channel.shows("/ferry subs <link>", only_to=chat.ann)


async def test_find_and_status_show_titles_that_ping_nobody(chat: Chatting) -> None:
    await chat.ann.runs(f"/get {LINK}", chat.channel)
    await chat.channel.shows("Queued")
    await chat.finish(HOSTILE)
    film = await chat.channel.shows(HOSTILE)
    for words in ("/ferry find click film", "/status", f"/status {(await chat.requests())[0].id.hex[-8:]}"):
        await chat.ann.runs(words, chat.channel)
        told = chat.channel.ephemerals(chat.ann)[-1]
        assert HOSTILE in told.text
        assert not chat.slack.pings(told).anybody
    assert not chat.slack.pings(film).anybody


async def test_in_a_thread_of_a_status_message_it_is_meant(chat: Chatting) -> None:
    await chat.ann.runs(f"/get {LINK}1", chat.channel)
    first = await chat.channel.shows("Queued")
    await chat.ann.runs(f"/get {LINK}2", chat.channel)
    await chat.slack.until(lambda: len(chat.channel.messages) == 2)
    await chat.ann.says("<@BOT> cancel", chat.channel, thread=first)
    cancelled = await chat.channel.shows("Cancelled.")
    assert cancelled.ts == first.ts


async def test_somebody_elses_button_answers_only_them(chat: Chatting) -> None:
    await chat.ann.runs(f"/get {LINK}", chat.channel)
    status = await chat.channel.shows("Queued")
    await chat.bob.presses(status, "Cancel")
    await chat.channel.shows("Only the person who asked, or an admin, can do that.", only_to=chat.bob)
    assert chat.channel.ephemerals(chat.ann) == [] and len(chat.channel.messages) == 1
    await chat.ada.presses(status, "Cancel")
    await chat.channel.shows("Cancelled.")
    for _ in range(3):
        await chat.bob.presses(status, "Cancel", stale=True)
    assert len(chat.slack.made("users.info")) == 2  # an answer counts for a minute


async def test_guests_in_a_shared_channel_press_what_they_asked_for_and_nothing_else(chat: Chatting) -> None:
    """Slack names their own workspace in what they press, and they may be admins there."""
    theirs = chat.slack.workspace("Others")
    gil, boss = (chat.slack.user(name, team=theirs, is_admin=True) for name in ("Gil", "Boss"))
    shared = chat.slack.channel("shared", [chat.ann, gil, boss, chat.ada], bot=True)
    await gil.says(f"<@BOT> get {LINK}", shared)
    status = await shared.shows("Queued")
    await boss.presses(status, "Cancel")
    told = await shared.shows("Only the person who asked can do that, or an admin of", only_to=boss)
    assert "the workspace that Linkferry is installed in" in told.text
    await gil.presses(status, "Cancel")
    await shared.shows("Cancelled.")
    await gil.says(f"<@BOT> get {LINK}", shared)
    again = await shared.shows("Queued")
    await chat.ada.presses(again, "Cancel")
    await chat.slack.until(lambda: [one.labels for one in shared.messages] == [[], []])


async def test_an_answer_that_slack_did_not_take_is_said_again(chat: Chatting) -> None:
    await chat.ann.runs(f"/get {LINK}", chat.channel)
    status = await chat.channel.shows("Queued")
    chat.slack.fail_next("response_url", status=503, times=2)
    await chat.bob.presses(status, "Cancel")
    await chat.channel.shows("Only the person who asked", only_to=chat.bob)
    assert len(chat.channel.ephemerals(chat.bob)) == 1


async def test_buttons_that_make_no_sense_get_an_answer(chat: Chatting) -> None:
    await chat.ann.runs(f"/get {LINK}", chat.channel)
    status = await chat.channel.shows("Queued")
    request_id = (await chat.requests())[0].id.hex
    for number, data in enumerate(("cancel:", "cancel:x", "dance:1", f"choose:{request_id}:<b>", "open:",
                                   f"retry:{request_id}", f"dance:{request_id}"), 1):  # fmt: skip
        stored = chat.channel.stored(status)
        stored.body["blocks"][-1]["elements"][0]["action_id"] = data
        await chat.ann.presses(status, "Cancel")
        seen = number - (number >= 5)
        await chat.slack.until(lambda seen=seen: len(chat.channel.ephemerals(chat.ann)) == seen)
        await chat.slack.until(lambda: not chat.slack.faults._waiting.get("response_url"))
    assert [job.state for job in await chat.jobs()] == [JobState.QUEUED]


async def test_a_plain_link_is_a_question_and_the_answer_goes_on_in_the_same_message(chat: Chatting) -> None:
    await chat.ann.says(f"<@BOT> {LINK}", chat.channel)
    status = await chat.channel.shows("Queued")
    media = {"offers": [{"height": 720, "size": None}], "has_audio": True, "captions": ["en"],
             "automatic_captions": []}  # fmt: skip
    await chat.finish("Film", media=media)
    question = await chat.channel.shows("What shall it be?")
    assert question.ts == status.ts and question.labels == ["720p", "Audio", "Transcript"]
    await chat.bob.presses(question, "Audio")
    await chat.channel.shows("Only the person who asked", only_to=chat.bob)
    await chat.ann.presses(question, "Audio")
    await chat.channel.shows("Queued")
    assert [job.options["format"] for job in await chat.jobs()][1:] == ["m4a"]
    assert len(chat.channel.messages) == 1


async def test_the_shortcut_on_a_message_fetches_its_links_in_its_thread(chat: Chatting) -> None:
    said = await chat.bob.says(f"/get this: {LINK}, or <!here> that", chat.channel)
    await chat.ann.shortcut("fetch_link", said)
    await chat.channel.shows("Queued")
    assert len(chat.channel.thread(said)) == 1
    assert [(job.link, job.user_key) for job in await chat.jobs()] == [
        (LINK, f"slack:{chat.slack.team.id}/{chat.ann.id}")
    ]
    empty = await chat.bob.says("no link", chat.channel)
    await chat.ann.shortcut("fetch_link", empty)
    await chat.channel.shows("I see no link in that.", only_to=chat.ann)


async def test_the_home_tab_shows_what_was_asked_for_and_cancels(chat: Chatting) -> None:
    await chat.ann.opens_home()
    await chat.slack.until(lambda: chat.slack.home(chat.ann) is not None)
    home = chat.slack.home(chat.ann)
    assert home is not None and NOTHING_YET in home.text
    await chat.ann.runs(f"/get {LINK}", chat.channel)
    await chat.channel.shows("Queued")
    await chat.ann.opens_home()
    await chat.slack.until(lambda: "Cancel" in (chat.slack.home(chat.ann) or home).labels)
    home = chat.slack.home(chat.ann)
    assert home is not None
    await chat.ann.presses(home, "Cancel")
    await chat.channel.shows("Cancelled.")
    await chat.slack.until(lambda: "Cancelled" in (chat.slack.home(chat.ann) or home).text)
    assert await chat.ann.opens_home("messages") is not None


async def test_nobody_sees_what_others_asked_for(chat: Chatting) -> None:
    await chat.ann.runs(f"/get {LINK}", chat.channel)
    await chat.channel.shows("Queued")
    name = (await chat.requests())[0].id.hex[-8:]
    await chat.bob.runs(f"/status {name}", chat.channel)
    await chat.channel.shows("I know no such download; /ferry status shows yours.", only_to=chat.bob)
    await chat.ada.runs(f"/status {name}", chat.channel)
    await chat.channel.shows("Queued", only_to=chat.ada)


async def test_what_the_app_itself_writes_is_not_heard(chat: Chatting) -> None:
    await chat.ann.says(LINK, chat.dm)
    status = await chat.dm.shows("Queued")
    await chat.ann.presses(status, "Cancel")
    await chat.dm.shows("Cancelled.")
    assert len(await chat.requests()) == 1


async def test_no_scope_is_missing_and_status_messages_are_not_unfurled(chat: Chatting) -> None:
    await chat.ann.runs(f"/get {LINK}", chat.channel)
    status = await chat.channel.shows("Queued")
    assert status.flags["unfurl_links"] is False and status.flags["unfurl_media"] is False
    refused = [call for call in chat.slack.calls if getattr(call, "error", None)]
    assert refused == []


async def test_a_failure_that_passes_can_be_tried_again_by_the_asker(chat: Chatting) -> None:
    await chat.ann.runs(f"/get {LINK}", chat.channel)
    status = await chat.channel.shows("Queued")
    job = (await chat.jobs())[0]
    async with chat.parts.database.write() as session:
        row = await session.get_one(Job, job.id)
        row.state, row.error_code, row.error_message = JobState.FAILED, Code.NETWORK, "<!here> is away."
        await jobs.announce(session, [job.id])
    chat.deliver()
    failed = await chat.channel.shows("<!here> is away.")
    assert failed.labels == ["Retry"] and not chat.slack.pings(failed).anybody
    await chat.bob.presses(failed, "Retry")
    await chat.channel.shows("Only the person who asked", only_to=chat.bob)
    for _ in range(2):
        await chat.ann.presses(failed, "Retry", stale=True)
    again = await chat.channel.shows("Queued")
    assert again.ts == status.ts and len(await chat.requests()) == 2
