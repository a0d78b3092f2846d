"""Modals: a link to fetch, and who shall see a transcript."""

from pathlib import Path

from sqlalchemy import update

from shared.models import ArtifactKind, Job
from tests.bots.slack.conftest import Chatting, chat_in, chatting, settings_for
from tests.shared.conftest import an_artifact
from tests.slack.channels import Channel
from tests.slack.double import SlackDouble
from tests.slack.shown import Message

LINK = "https://example.com/watch?v=abc123"


async def test_a_form_fetches_a_link_into_a_channel(chat: Chatting) -> None:
    await chat.ann.global_shortcut("fetch")
    form = await chat.ann.sees_modal()
    words = {"Link": LINK, "Quality": "720p", "Format": "mkv", "Caption languages": "en, de"}
    sent = await chat.ann.submits(form, words | {"Where to post": chat.channel})
    await chat.channel.shows("Queued")
    assert chat.slack.modal(chat.ann) is None
    options = (await chat.jobs())[0].options
    assert (options["quality"], options["format"], options["languages"]) == ("720p", "mkv", ["en", "de"])
    await chat.slack.repeat(sent)
    assert len(await chat.requests()) == 1


async def test_a_form_for_a_transcript_alone(chat: Chatting) -> None:
    await chat.ann.global_shortcut("fetch")
    form = await chat.ann.sees_modal()
    await chat.ann.submits(form, {"Link": LINK, "Format": "transcript only", "Where to post": chat.dm})
    await chat.dm.shows("Queued")
    assert (await chat.jobs())[0].options["media"] is False


async def test_mistakes_stand_under_their_inputs(chat: Chatting) -> None:
    await chat.ann.global_shortcut("fetch")
    form = await chat.ann.sees_modal()
    await chat.ann.submits(form, {"Link": "https://u:p@example.com/x", "Where to post": chat.channel})
    again = chat.slack.modal(chat.ann)
    assert again is not None and "password" in again.errors["link"]
    await chat.ann.submits(form, {"Link": LINK, "Caption languages": "klingonisch?",
                                  "Where to post": chat.channel})  # fmt: skip
    again = chat.slack.modal(chat.ann)
    assert again is not None and "klingonisch" in again.errors["languages"]
    await chat.ann.submits(form, {"Link": LINK, "Where to post": chat.channel})
    await chat.channel.shows("Queued")
    assert len(await chat.requests()) == 1


async def test_who_has_fetched_enough_reads_so_under_the_link(slack: SlackDouble, tmp_path: Path) -> None:
    settings = settings_for(tmp_path / "data", slack, max_gb_per_user_per_day=1)
    async with chatting(settings) as (parts, nudge, _):
        await slack.socket.connected()
        chat = chat_in(slack, parts, nudge)
        for number, refused in ((1, False), (2, True)):
            await chat.ann.global_shortcut("fetch")
            form = await chat.ann.sees_modal()
            await chat.ann.submits(form, {"Link": f"{LINK}{number}", "Where to post": chat.channel})
            again = slack.modal(chat.ann)
            assert (again is not None) == refused
            async with parts.database.write() as session:
                await session.execute(update(Job).values(fetched=10**9))
        assert again is not None and "there is room again from" in again.errors["link"]


async def test_a_form_for_a_channel_without_the_app(chat: Chatting) -> None:
    outside = chat.slack.channel("outside", [chat.ann])
    await chat.ann.global_shortcut("fetch")
    await chat.ann.submits(await chat.ann.sees_modal(), {"Link": LINK, "Where to post": outside})
    await outside.shows("/invite @Linkferry", only_to=chat.ann)


async def test_subs_in_a_channel_posts_the_file_in_the_thread(chat: Chatting) -> None:
    done = await with_transcript(chat, chat.channel, film=False)
    await chat.slack.until(lambda: len(chat.channel.files) == 1)
    file = chat.channel.files[0]
    assert file.thread_ts == done.ts and file.text == "Hello <!channel>.\n"
    assert not any(chat.slack.pings(each).anybody for each in chat.channel.messages)


async def test_a_transcript_is_shared_with_another_channel_once(chat: Chatting) -> None:
    other = chat.slack.channel("other", [chat.ann], bot=True)
    done = await with_transcript(chat, chat.channel)
    for _ in range(2):
        await chat.ann.presses(done, "Share transcript")
        form = await chat.ann.sees_modal()
        assert not chat.slack.pings(form).anybody
        await chat.ann.submits(form, {"Channel": other})
    await chat.slack.until(lambda: len(other.files) == 1)
    file = other.files[0]
    summary, shown = other.messages
    assert "<!channel>" not in file.title and not chat.slack.pings(summary).anybody
    assert shown.thread_ts == summary.ts


async def test_a_transcript_kept_private_comes_as_links(chat: Chatting) -> None:
    done = await with_transcript(chat, chat.channel)
    await chat.ann.presses(done, "Share transcript")
    form = await chat.ann.sees_modal()
    await chat.ann.submits(form, {"Who shall see it?": "Only me", "Channel": chat.channel})
    told = await chat.channel.shows("transcript · txt", only_to=chat.ann)
    assert told.labels == ["Read"] and not chat.slack.pings(told).anybody
    await chat.ann.presses(done, "Share transcript")
    await chat.ann.submits(await chat.ann.sees_modal(), {"Who shall see it?": "private", "Channel": None})
    await chat.dm.shows("transcript · txt")
    await chat.ann.presses(told, "Read")


async def test_sharing_needs_a_channel(chat: Chatting) -> None:
    done = await with_transcript(chat, chat.channel)
    await chat.ann.presses(done, "Share transcript")
    await chat.ann.submits(await chat.ann.sees_modal(), {"Channel": None})
    form = chat.slack.modal(chat.ann)
    assert form is not None and form.errors == {"where": "Choose a channel, or keep it to yourself."}


async def test_sharing_where_the_app_is_not_says_how_to_invite_it(chat: Chatting) -> None:
    outside = chat.slack.channel("outside", [chat.ann])
    done = await with_transcript(chat, chat.channel)
    await chat.ann.presses(done, "Share transcript")
    await chat.ann.submits(await chat.ann.sees_modal(), {"Channel": outside})
    await outside.shows("write /invite @Linkferry there, then share it again.", only_to=chat.ann)


async def test_only_the_asker_or_an_admin_shares(chat: Chatting) -> None:
    done = await with_transcript(chat, chat.channel)
    await chat.bob.presses(done, "Share transcript")
    await chat.channel.shows("Only the person who asked, or an admin", only_to=chat.bob)
    assert chat.slack.modal(chat.bob) is None
    await chat.ada.presses(done, "Share transcript")
    await chat.ada.sees_modal()


async def test_a_form_that_slack_does_not_open_is_explained(chat: Chatting) -> None:
    done = await with_transcript(chat, chat.channel)
    chat.slack.fail_next("views.open", "expired_trigger_id")
    pressed = await chat.ann.presses(done, "Share transcript")
    assert pressed.is_acked
    await chat.channel.shows("press again", only_to=chat.ann)


async def with_transcript(chat: Chatting, channel: Channel, *, film: bool = True) -> Message:
    """A finished download with a transcript, and a hostile title."""
    await chat.ann.runs(f"/{'get' if film else 'subs'} {LINK}", channel)
    await channel.shows("Queued")
    files = [await chat.transcript()]
    if film:
        files.append(an_artifact((await chat.jobs())[-1].id))
        files[-1].language = files[-1].source = None  # as many columns in each row
    assert ArtifactKind.TRANSCRIPT in {file.kind for file in files}
    await chat.finish("A <!channel> & <https://evil.example|click> film", *files)
    return await channel.shows("<!channel> &")


async def test_an_admin_shares_what_somebody_else_asked_for(chat: Chatting) -> None:
    other = chat.slack.channel("other", [chat.ada], bot=True)
    done = await with_transcript(chat, chat.channel)
    await chat.ada.presses(done, "Share transcript")
    await chat.ada.submits(await chat.ada.sees_modal(), {"Channel": other})
    await chat.slack.until(lambda: len(other.files) == 1)
