"""The double keeps the rules of Slack's Web API: each through slack_sdk's own client."""

import asyncio
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncConnectionErrorRetryHandler
from slack_sdk.http_retry.builtin_interval_calculators import FixedValueRetryIntervalCalculator
from slack_sdk.web.async_client import AsyncWebClient

from tests.slack.channels import Channel
from tests.slack.conftest import Clock
from tests.slack.double import SlackDouble
from tests.slack.people import Person


async def refused(call: Any) -> Any:
    """The answer to a call that Slack refuses."""
    with pytest.raises(SlackApiError) as caught:
        await call
    return caught.value.response


@pytest.fixture
def ann(slack: SlackDouble) -> Person:
    return slack.user("Ann")


@pytest.fixture
def channel(slack: SlackDouble, ann: Person) -> Channel:
    return slack.channel("general", members=[ann], bot=True)


def section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


# tokens and scopes


async def test_a_token_is_needed_that_is_known_and_of_the_right_kind(slack: SlackDouble) -> None:
    url = slack.api_url
    assert (await refused(AsyncWebClient("", base_url=url).auth_test()))["error"] == "not_authed"
    assert (await refused(AsyncWebClient("xoxb-no", base_url=url).auth_test()))["error"] == "invalid_auth"
    bot = AsyncWebClient(slack.token, base_url=url)
    opening = bot.apps_connections_open(app_token=slack.token)
    assert (await refused(opening))["error"] == "not_allowed_token_type"
    assert (await refused(bot.api_call("chat.whisper")))["error"] == "unknown_method"
    whose = await bot.auth_test()
    assert (whose["user_id"], whose["team_id"]) == (slack.team.bot_user_id, slack.team.id)
    await bot.auth_revoke()
    assert (await refused(bot.auth_test()))["error"] == "token_revoked"


async def test_a_missing_scope_is_named_with_what_there_is(clock: Clock) -> None:
    async with SlackDouble(clock=clock, scopes={"commands", "chat:write"}) as slack:
        client = AsyncWebClient(slack.token, base_url=slack.api_url)
        channel = slack.channel("general", [slack.user("Ann")], bot=True)
        answer = await refused(client.conversations_history(channel=channel.id))
        assert answer["error"] == "missing_scope" and answer["needed"] == "channels:history"
        assert answer["provided"] == "chat:write,commands"
        await client.chat_postMessage(channel=channel.id, text="Hello")
        assert slack.scopes_used == {"chat:write"}


# messages


async def test_the_bot_writes_only_where_it_is(
    slack: SlackDouble, client: AsyncWebClient, ann: Person
) -> None:
    public, private = slack.channel("open", [ann]), slack.channel("closed", [ann], private=True)
    for channel_id, error in [
        (public.id, "not_in_channel"),
        (private.id, "channel_not_found"),
        ("C0NOSUCH00", "channel_not_found"),
        ("#open", "channel_not_found"),
        (slack.dm(ann, slack.user("Bob")).id, "channel_not_found"),
    ]:
        assert (await refused(client.chat_postMessage(channel=channel_id, text="Hi")))["error"] == error
    await ann.invites_bot(public)
    await client.chat_postMessage(channel=public.id, text="Hi")
    public.archive()
    assert (await refused(client.chat_postMessage(channel=public.id, text="Hi")))["error"] == "is_archived"


async def test_a_persons_id_is_the_direct_message_but_not_for_an_edit(
    slack: SlackDouble, client: AsyncWebClient, ann: Person
) -> None:
    sent = await client.chat_postMessage(channel=ann.id, text="Hi")
    assert sent["channel"] == slack.dm(ann).id != ann.id
    answer = await refused(client.chat_update(channel=ann.id, ts=sent["ts"], text="Ho"))
    assert answer["error"] == "channel_not_found"
    await client.chat_update(channel=sent["channel"], ts=sent["ts"], text="Ho")
    assert [one.text for one in slack.dm(ann).messages] == ["Ho"]


async def test_text_without_blocks_removes_the_blocks(client: AsyncWebClient, channel: Channel) -> None:
    ts = (await client.chat_postMessage(channel=channel.id, text="a", blocks=[section("*a*")]))["ts"]
    await client.chat_update(channel=channel.id, ts=ts, text="b", blocks=[section("*b*")])
    assert channel.message(ts).text == "*b*" and "edited" not in channel.message(ts).body
    await client.chat_update(channel=channel.id, ts=ts, text="c")
    assert channel.message(ts).text == "c" and channel.message(ts).blocks == []
    assert [one.text for one in channel.history] == ["*a*", "*b*", "c"]


async def test_what_is_not_there_or_not_the_bots_cannot_be_changed(
    client: AsyncWebClient, channel: Channel, ann: Person
) -> None:
    said = await ann.says("Hello", channel)
    where = channel.id
    assert (await refused(client.chat_update(channel=where, ts="1.000001", text="x")))[
        "error"
    ] == "message_not_found"
    assert (await refused(client.chat_update(channel=where, ts=said.ts, text="x")))[
        "error"
    ] == "cant_update_message"
    assert (await refused(client.chat_delete(channel=where, ts=said.ts)))["error"] == "cant_delete_message"
    ts = (await client.chat_postMessage(channel=where, text="a"))["ts"]
    await client.chat_delete(channel=where, ts=ts)
    assert (await refused(client.chat_delete(channel=where, ts=ts)))["error"] == "message_not_found"


async def test_a_message_has_a_text_and_not_too_much_of_it(client: AsyncWebClient, channel: Channel) -> None:
    where = channel.id
    assert (await refused(client.api_call("chat.postMessage", json={"channel": where})))["error"] == "no_text"
    long = client.chat_postMessage(channel=where, text="x" * 4001)
    assert (await refused(long))["error"] == "msg_too_long"
    bad = client.chat_postMessage(channel=where, text="x", blocks="[nonsense")
    assert (await refused(bad))["error"] == "invalid_blocks_format"


async def test_an_answer_to_a_deleted_message_silently_leaves_the_thread(
    client: AsyncWebClient, channel: Channel, ann: Person
) -> None:
    said = await ann.says("look", channel)
    inside = await client.chat_postMessage(channel=channel.id, text="1", thread_ts=said.ts)
    assert inside["message"]["thread_ts"] == said.ts and len(channel.thread(said)) == 1
    nested = await client.chat_postMessage(channel=channel.id, text="2", thread_ts=inside["ts"])
    assert "thread_ts" not in nested["message"]
    replies = await client.conversations_replies(channel=channel.id, ts=said.ts)
    assert [one["text"] for one in replies["messages"]] == ["look", "1"]
    await ann.deletes(said, channel)
    outside = await client.chat_postMessage(channel=channel.id, text="3", thread_ts=said.ts)
    assert "thread_ts" not in outside["message"]
    gone = client.conversations_replies(channel=channel.id, ts=said.ts)
    assert (await refused(gone))["error"] == "thread_not_found"


async def test_metadata_and_flags_are_kept(client: AsyncWebClient, channel: Channel) -> None:
    metadata = {"event_type": "request", "event_payload": {"id": "r1"}}
    sent = await client.chat_postMessage(
        channel=channel.id, text="a", metadata=metadata, unfurl_links=False, unfurl_media=False
    )
    await client.chat_update(channel=channel.id, ts=sent["ts"], text="b")
    shown = channel.message(sent["ts"])
    assert shown.flags == {"unfurl_links": False, "unfurl_media": False} and shown.metadata == metadata
    bare = await client.conversations_history(channel=channel.id)
    full = await client.conversations_history(channel=channel.id, include_all_metadata=True)
    assert "metadata" not in bare["messages"][0] and full["messages"][0]["metadata"] == metadata
    bad = client.chat_postMessage(channel=channel.id, text="a", metadata={"event_type": "request"})
    assert (await refused(bad))["error"] == "invalid_metadata_format"


async def test_an_ephemeral_message_is_for_one_member(
    slack: SlackDouble, client: AsyncWebClient, channel: Channel, ann: Person
) -> None:
    sent = await client.chat_postEphemeral(channel=channel.id, user=ann.id, text="Only you")
    assert [one.text for one in channel.ephemerals(ann)] == ["Only you"] and channel.messages == []
    change = client.chat_update(channel=channel.id, ts=sent["message_ts"], text="x")
    assert (await refused(change))["error"] == "message_not_found"
    other = client.chat_postEphemeral(channel=channel.id, user=slack.user("Bob").id, text="x")
    assert (await refused(other))["error"] == "user_not_in_channel"


# limits and faults


async def test_a_channel_takes_about_a_message_a_second(
    clock: Clock, client: AsyncWebClient, channel: Channel
) -> None:
    for _ in range(5):
        await client.chat_postMessage(channel=channel.id, text="x")
    answer = await refused(client.chat_postMessage(channel=channel.id, text="x"))
    assert (answer.status_code, answer["error"]) == (429, "ratelimited")
    assert answer.headers["Retry-After"] == "1"
    clock.now += 1
    await client.chat_postMessage(channel=channel.id, text="x")


async def test_a_workspace_takes_fifty_edits_a_minute(
    slack: SlackDouble, clock: Clock, client: AsyncWebClient, ann: Person
) -> None:
    first, second = (slack.channel(name, [ann], bot=True) for name in ("one", "two"))
    ts = [(await client.chat_postMessage(channel=one.id, text="x"))["ts"] for one in (first, second)]
    for turn in range(50):
        await client.chat_update(channel=(first, second)[turn % 2].id, ts=ts[turn % 2], text=str(turn))
    clock.now += 20
    answer = await refused(client.chat_update(channel=first.id, ts=ts[0], text="x"))
    assert answer.headers["Retry-After"] == "40" and slack.limits.refusals["chat.update"] == 1
    slack.limits.enabled = False
    await client.chat_update(channel=first.id, ts=ts[0], text="free")


async def test_faults_on_request(slack: SlackDouble, client: AsyncWebClient, channel: Channel) -> None:
    def post() -> Any:
        return client.chat_postMessage(channel=channel.id, text="x")

    slack.fail_next("chat.postMessage", "fatal_error")
    slack.fail_next("chat.postMessage", status=503)
    slack.fail_next("chat.postMessage", retry_after=7)
    assert (await refused(post()))["error"] == "fatal_error"
    assert (await refused(post())).status_code == 503
    assert (await refused(post())).headers["Retry-After"] == "7"
    assert channel.messages == []
    slack.apply_then_drop("chat.postMessage")
    with pytest.raises(aiohttp.ClientError):
        await post()
    assert len(channel.messages) == 1
    slack.hang_next("chat.postMessage")
    client.timeout = 0.05  # type: ignore[assignment]
    with pytest.raises(asyncio.TimeoutError):
        await post()
    assert len(channel.messages) == 1


async def test_a_client_that_retries_alone_posts_twice(slack: SlackDouble, channel: Channel) -> None:
    at_once = AsyncConnectionErrorRetryHandler(interval_calculator=FixedValueRetryIntervalCalculator(0))
    client = AsyncWebClient(slack.token, base_url=slack.api_url, retry_handlers=[at_once])
    slack.apply_then_drop("chat.postMessage")
    await client.chat_postMessage(channel=channel.id, text="x")
    assert [one.text for one in channel.messages] == ["x", "x"]


# previews


async def test_links_are_opened_for_a_preview_unless_a_message_forbids_both_kinds(clock: Clock) -> None:
    async with SlackDouble(clock=clock, allow_previews=True) as slack:
        client = AsyncWebClient(slack.token, base_url=slack.api_url)
        channel = slack.channel("general", [slack.user("Ann")], bot=True)
        link = "<https://ferry.example/f/1|Read>"
        quiet: dict[str, Any] = {"unfurl_links": False, "unfurl_media": False}
        await client.chat_postMessage(channel=channel.id, text=link, **quiet)
        assert slack.previews() == []
        await client.chat_postMessage(
            channel=channel.id, text="x", blocks=[section(link)], unfurl_links=False
        )
        await client.files_upload_v2(channel=channel.id, content="x", filename="x.txt", initial_comment=link)
        assert slack.previews() == ["https://ferry.example/f/1"] * 2


# files


async def test_a_file_goes_into_the_thread(client: AsyncWebClient, channel: Channel, ann: Person) -> None:
    said = await ann.says("look", channel)
    await client.files_upload_v2(
        channel=channel.id,
        content="Guten Tag",
        filename="talk.txt",
        title="Talk &amp; walk",
        initial_comment="The transcript",
        thread_ts=said.ts,
    )
    (file,) = channel.files
    assert (file.name, file.title, file.text) == ("talk.txt", "Talk &amp; walk", "Guten Tag")
    assert (file.thread_ts, file.comment) == (said.ts, "The transcript")


async def test_a_file_needs_an_id_of_a_channel_that_the_bot_is_in(
    slack: SlackDouble, client: AsyncWebClient, ann: Person
) -> None:
    for where, error in [
        ("#general", "invalid_arguments"),
        (ann.id, "invalid_arguments"),
        (slack.channel("open", [ann]).id, "not_in_channel"),
        ("C0NOSUCH00", "channel_not_found"),
    ]:
        answer = await refused(client.files_upload_v2(channel=where, content="x", filename="x.txt"))
        assert answer["error"] == error
    never = client.files_completeUploadExternal(files=[{"id": "F0NOSUCH00", "title": "x"}])
    assert (await refused(never))["error"] == "file_not_found"


# looking up


async def test_history_comes_in_pages_newest_first(
    slack: SlackDouble, client: AsyncWebClient, channel: Channel
) -> None:
    slack.limits.enabled = False
    for number in range(5):
        await client.chat_postMessage(channel=channel.id, text=str(number))
    first = await client.conversations_history(channel=channel.id, limit=3)
    assert [one["text"] for one in first["messages"]] == ["4", "3", "2"] and first["has_more"]
    rest = await client.conversations_history(
        channel=channel.id, limit=3, cursor=first["response_metadata"]["next_cursor"]
    )
    assert [one["text"] for one in rest["messages"]] == ["1", "0"] and not rest["has_more"]
    since = first["messages"][1]["ts"]
    later = await client.conversations_history(channel=channel.id, oldest=since, inclusive=True)
    assert [one["text"] for one in later["messages"]] == ["4", "3"]


async def test_people_and_conversations_can_be_looked_up(
    slack: SlackDouble, client: AsyncWebClient, channel: Channel, ann: Person
) -> None:
    boss = slack.user("Eve", is_owner=True)
    assert not (await client.users_info(user=ann.id))["user"]["is_admin"]
    assert (await client.users_info(user=boss.id))["user"]["is_admin"]
    assert (await refused(client.users_info(user="U0NOSUCH00")))["error"] == "user_not_found"
    assert (await client.conversations_info(channel=channel.id))["channel"]["is_member"]
    there = await client.conversations_members(channel=channel.id)
    assert there["members"] == [ann.id, slack.team.bot_user_id]
    slack.channel("elsewhere", [ann])
    mine = await client.users_conversations(user=ann.id)
    assert [one["name"] for one in mine["channels"]] == ["general"]
    opened = await client.conversations_open(users=ann.id)
    assert opened["channel"]["id"] == slack.dm(ann).id
    ts = (await client.chat_postMessage(channel=channel.id, text="x"))["ts"]
    link = await client.chat_getPermalink(channel=channel.id, message_ts=ts)
    assert channel.id in link["permalink"]


# installing


@pytest.mark.filterwarnings("ignore:BasicAuth is deprecated")  # slack_sdk uses it
async def test_a_code_becomes_an_installation_of_one_workspace(clock: Clock) -> None:
    async with SlackDouble(clock=clock, rotates=True) as slack:
        globex = slack.workspace("Globex")
        hank = slack.user("Hank", team=globex)
        code = hank.installs({"chat:write"}, "https://ferry.example/slack/oauth_redirect")
        app = AsyncWebClient(base_url=slack.api_url)
        proof = {"client_id": slack.client_id, "client_secret": slack.client_secret}
        wrong = app.oauth_v2_access(client_id=slack.client_id, client_secret="no", code=code)
        assert (await refused(wrong))["error"] == "bad_client_secret"
        where = {"redirect_uri": "https://ferry.example/slack/oauth_redirect"}
        assert (await refused(app.oauth_v2_access(**proof, code=code)))["error"] == "bad_redirect_uri"
        first = await app.oauth_v2_access(**proof, code=code, **where)
        assert first["team"]["id"] == globex.id and first["scope"] == "chat:write"
        again = app.oauth_v2_access(**proof, code=code, **where)
        assert (await refused(again))["error"] == "code_already_used"

        client = AsyncWebClient(first["access_token"], base_url=slack.api_url)
        await client.chat_postMessage(channel=hank.id, text="Hi")
        foreign = slack.channel("general", [slack.user("Ann")], bot=True)
        other = client.chat_postMessage(channel=foreign.id, text="Hi")
        assert (await refused(other))["error"] == "channel_not_found"

        fresh = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
        second = await app.oauth_v2_access(**proof, **fresh)
        assert second["access_token"] != first["access_token"]
        assert (await refused(app.oauth_v2_access(**proof, **fresh)))["error"] == "invalid_refresh_token"
        clock.now += first["expires_in"]
        assert (await refused(client.auth_test()))["error"] == "token_expired"
