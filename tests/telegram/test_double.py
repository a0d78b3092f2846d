"""The double keeps Telegram's rules for what a bot writes: each through python-telegram-bot's own Bot."""

import pytest
from telegram import Bot, BotCommand, BotCommandScopeChat, InlineKeyboardButton, InlineKeyboardMarkup
from telegram.constants import ParseMode
from telegram.error import BadRequest, ChatMigrated, EndPointNotFound, Forbidden, InvalidToken, NetworkError

from tests.telegram.clock import Clock
from tests.telegram.conftest import bot_of
from tests.telegram.double import TelegramDouble
from tests.telegram.people import Private


def button(label: str = "Go", data: str | None = "x", url: str | None = None) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup([[InlineKeyboardButton(label, url, data)]])


async def test_the_bot_introduces_itself(telegram: TelegramDouble, bot: Bot) -> None:
    me = await bot.get_me()
    assert (me.username, me.is_bot, me.can_read_all_group_messages) == ("linkferry_bot", True, False)


@pytest.mark.parametrize("token", ["7000000000:wrong", "wrong"])
async def test_another_token_opens_nothing(telegram: TelegramDouble, token: str) -> None:
    with pytest.raises(InvalidToken):
        async with bot_of(telegram, token):
            pass


async def test_a_method_that_is_not_there(telegram: TelegramDouble, bot: Bot) -> None:
    with pytest.raises(EndPointNotFound):
        await bot.do_api_request("sendSomething")


# texts


@pytest.mark.parametrize(
    ("html", "text", "types"),
    [
        ("<b>bold</b> <i>i</i>", "bold i", ["bold", "italic"]),
        (
            "<strong>a</strong><em>b</em><u>c</u><ins>d</ins>",
            "abcd",
            ["bold", "italic", "underline", "underline"],
        ),
        ("<s>a</s><strike>b</strike><del>c</del>", "abc", ["strikethrough"] * 3),
        ('<tg-spoiler>a</tg-spoiler><span class="tg-spoiler">b</span>', "ab", ["spoiler"] * 2),
        ("<code>x &lt; y &amp;&amp; z</code>", "x < y && z", ["code"]),
        ('<pre><code class="language-python">1</code></pre>', "1", ["pre"]),
        ("<blockquote expandable>long</blockquote>", "long", ["expandable_blockquote"]),
        ('<a href="https://example.com/?a=1&amp;b=2">here</a>', "here", ["text_link"]),
        ('<tg-emoji emoji-id="5368324170671202286">👍</tg-emoji>', "👍", ["custom_emoji"]),
        ("it&#x27;s &quot;so&quot; &#128077; 1 > 0", 'it\'s "so" 👍 1 > 0', []),
        ("<b>a <i>b</i></b>", "a b", ["bold", "italic"]),
    ],
)
async def test_html_that_telegram_knows(
    bot: Bot, chat: Private, html: str, text: str, types: list[str]
) -> None:
    message = await bot.send_message(chat.id, html, ParseMode.HTML)
    assert message.text == text
    assert [one.type for one in message.entities] == types


@pytest.mark.parametrize(
    ("html", "words"),
    [
        ("<b>open", 'Can\'t find end tag corresponding to start tag "b"'),
        ("<b><i>crossed</b></i>", 'Unmatched end tag at byte offset 13, expected "</i>", found "</b>"'),
        ("<h1>Title</h1>", 'Unsupported start tag "h1" at byte offset 0'),
        ("first<br>second", 'Unsupported start tag "br" at byte offset 5'),
        ("ü 1 <2>", 'Unsupported start tag "2" at byte offset 5'),
        ("1 <2", "Unclosed start tag at byte offset 2"),
        ("text</b>", "Unexpected end tag at byte offset 4"),
        ("<span class='big'>x</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
        ("<a href>x</a>", "Expected equal sign"),
        ("Tom & Jerry", 'Unescaped "&" at byte offset 4'),
        ("no&nbsp;space", 'Unescaped "&" at byte offset 2'),
        ("it&apos;s", 'Unescaped "&"'),
    ],
)
async def test_html_that_telegram_refuses(bot: Bot, chat: Private, html: str, words: str) -> None:
    with pytest.raises(BadRequest, match=r"^Can't parse entities: ") as refused:
        await bot.send_message(chat.id, html, ParseMode.HTML)
    assert words.lower() in str(refused.value).lower()  # the library changes the case
    assert not chat.messages


async def test_text_is_counted_in_utf16_after_the_markup(bot: Bot, chat: Private) -> None:
    await bot.send_message(chat.id, f"<b>{'🎬' * 2048}</b>", ParseMode.HTML)
    message = await bot.send_message(chat.id, "x" * 4096)
    with pytest.raises(BadRequest, match="Message is too long"):
        await bot.send_message(chat.id, "🎬" * 2048 + "x")
    with pytest.raises(BadRequest, match="Message_too_long"):
        await bot.edit_message_text("x" * 4097, chat.id, message.message_id)
    for empty in ("", "  \n ", "<b> </b>"):
        with pytest.raises(BadRequest, match="Message text is empty"):
            await bot.send_message(chat.id, empty, ParseMode.HTML)


async def test_people_see_the_text_and_its_markup(bot: Bot, chat: Private) -> None:
    html = '👍 <b>a <a href="https://example.com">b</a></b> &lt;<code>c</code>'
    await bot.send_message(chat.id, html, ParseMode.HTML)
    (shown,) = chat.messages
    assert (shown.text, shown.html) == ("👍 a b <c", html)


# buttons


@pytest.mark.parametrize("data", ["x", "x" * 64, "ü" * 32])
async def test_data_of_a_button_that_fits(bot: Bot, chat: Private, data: str) -> None:
    await bot.send_message(chat.id, "a", reply_markup=button(data=data))
    assert chat.messages[0].button("Go").data == data


@pytest.mark.parametrize("data", ["", "x" * 65, "ü" * 33])
async def test_data_of_a_button_is_1_to_64_bytes(bot: Bot, chat: Private, data: str) -> None:
    with pytest.raises(BadRequest, match="Button_data_invalid"):
        await bot.send_message(chat.id, "a", reply_markup=button(data=data))


@pytest.mark.parametrize(
    "url",
    ["http://localhost:8080/f/x", "http://127.0.0.1/f", "https://192.168.1.5/f", "http://[::1]/", "nowhere"],
)
async def test_a_button_leads_to_a_public_address(bot: Bot, chat: Private, url: str) -> None:
    with pytest.raises(BadRequest, match=r"Inline keyboard button url .* is invalid: wrong http url"):
        await bot.send_message(chat.id, "a", reply_markup=button(data=None, url=url))
    await bot.send_message(chat.id, "a", reply_markup=button(data=None, url="https://files.example.com/f/x"))
    assert chat.messages[0].labels == ["Go"]


async def test_a_test_may_allow_buttons_to_this_machine() -> None:
    async with TelegramDouble(allow_local_urls=True) as telegram:
        chat = telegram.private(telegram.user("Ann"))
        async with bot_of(telegram) as bot:
            await bot.send_message(
                chat.id, "a", reply_markup=button(data=None, url="http://localhost:8080/f")
            )
        assert chat.messages[0].button("Go").url == "http://localhost:8080/f"


async def test_an_edit_without_buttons_takes_them_away(bot: Bot, chat: Private) -> None:
    message = await bot.send_message(chat.id, "a", reply_markup=button())
    await bot.edit_message_text("b", chat.id, message.message_id)
    assert chat.messages[0].labels == []
    await bot.edit_message_reply_markup(chat.id, message.message_id, reply_markup=button("Again"))
    assert (chat.messages[0].text, chat.messages[0].labels) == ("b", ["Again"])


# edits


async def test_an_identical_edit_is_refused(bot: Bot, chat: Private) -> None:
    message = await bot.send_message(chat.id, "<b>a</b>", ParseMode.HTML, reply_markup=button())
    with pytest.raises(BadRequest, match="Message is not modified: specified new message content and"):
        await bot.edit_message_text(
            "<b>a</b>", chat.id, message.message_id, parse_mode="HTML", reply_markup=button()
        )
    await bot.edit_message_text("a", chat.id, message.message_id, reply_markup=button())
    await bot.edit_message_text("a", chat.id, message.message_id)
    assert [one.html for one in chat.history] == ["<b>a</b>", "a", "a"]


async def test_only_the_bots_own_and_present_messages_are_edited(bot: Bot, chat: Private) -> None:
    said = await chat.sends("hello")
    with pytest.raises(BadRequest, match="Message can't be edited"):
        await bot.edit_message_text("b", chat.id, said.message_id)
    message = await bot.send_message(chat.id, "a")
    with pytest.raises(BadRequest, match="There is no caption in the message to edit"):
        await bot.edit_message_caption(chat.id, message.message_id, caption="b")
    await chat.deletes(chat.messages[0])
    for call in (
        bot.edit_message_text("b", chat.id, message.message_id),
        bot.edit_message_text("b", chat.id, 9999),
    ):
        with pytest.raises(BadRequest, match="Message to edit not found"):
            await call
    with pytest.raises(BadRequest, match="Message to delete not found"):
        await bot.delete_message(chat.id, message.message_id)


async def test_a_bot_deletes_a_message_within_two_days(bot: Bot, chat: Private, clock: Clock) -> None:
    message, other = await bot.send_message(chat.id, "a"), await bot.send_message(chat.id, "b")
    assert await bot.delete_message(chat.id, message.message_id)
    clock.advance(48 * 3600 + 1)
    with pytest.raises(BadRequest, match="Message can't be deleted for everyone"):
        await bot.delete_message(chat.id, other.message_id)


async def test_a_reply_needs_its_message(bot: Bot, chat: Private) -> None:
    with pytest.raises(BadRequest, match="Message to be replied not found"):
        await bot.send_message(chat.id, "a", reply_to_message_id=77)
    message = await bot.send_message(chat.id, "a", reply_to_message_id=77, allow_sending_without_reply=True)
    assert message.reply_to_message is None


# chats in which the bot may not write


async def test_people_block_the_bot(bot: Bot, telegram: TelegramDouble, chat: Private) -> None:
    message = await bot.send_message(chat.id, "a")
    update = await chat.blocks_bot()
    assert update["my_chat_member"]["new_chat_member"]["status"] == "kicked"
    for call in (bot.send_message(chat.id, "b"), bot.edit_message_text("b", chat.id, message.message_id)):
        with pytest.raises(Forbidden, match="bot was blocked by the user"):
            await call
    await chat.unblocks_bot()
    await bot.send_message(chat.id, "c")
    with pytest.raises(Forbidden, match="bot can't initiate conversation with a user"):
        await bot.send_message(telegram.user("Stranger").id, "hello")
    with pytest.raises(BadRequest, match="Chat not found"):
        await bot.send_message(4711, "hello")


async def test_a_group_throws_the_bot_out(bot: Bot, telegram: TelegramDouble) -> None:
    ann = telegram.user("Ann")
    group, basic = telegram.group("Team", ann), telegram.group("Old", ann, basic=True)
    await group.kicks_bot()
    await basic.kicks_bot()
    with pytest.raises(Forbidden, match="bot was kicked from the supergroup chat"):
        await bot.send_message(group.id, "a")
    with pytest.raises(Forbidden, match="bot was kicked from the group chat"):
        await bot.send_message(basic.id, "a")
    await group.adds_bot()
    assert await bot.leave_chat(group.id)
    with pytest.raises(Forbidden, match="bot is not a member of the supergroup chat"):
        await bot.send_message(group.id, "a")


async def test_a_group_becomes_a_supergroup(bot: Bot, telegram: TelegramDouble) -> None:
    group = telegram.group("Old", telegram.user("Ann"), basic=True)
    old = group.id
    new = await group.becomes_supergroup()
    with pytest.raises(ChatMigrated) as moved:
        await bot.send_message(old, "a")
    assert moved.value.new_chat_id == new == group.id
    await bot.send_message(new, "a")
    assert [one.text for one in group.messages] == ["a"]
    told = [update.message for update in await bot.get_updates() if update.message]
    assert [(one.migrate_to_chat_id, one.migrate_from_chat_id) for one in told] == [(new, None), (None, old)]


async def test_topics_are_for_forums(bot: Bot, telegram: TelegramDouble, chat: Private) -> None:
    forum = telegram.group("Forum", telegram.user("Ann"), is_forum=True)
    films = await forum.opens_topic("Films")
    said = await forum.sends("/get https://example.com", thread=films)
    assert said.body["reply_to_message"]["forum_topic_created"]["name"] == "Films"
    message = await bot.send_message(forum.id, "a", message_thread_id=films)
    assert message.is_topic_message and forum.messages[0].thread == films
    answer = await bot.send_message(forum.id, "b", reply_to_message_id=said.message_id)
    assert answer.message_thread_id == films
    for where in (forum, chat):
        with pytest.raises(BadRequest, match="Message thread not found"):
            await bot.send_message(where.id, "a", message_thread_id=99)
    await forum.closes_topic(films)
    with pytest.raises(BadRequest, match="Topic_closed"):
        await bot.send_message(forum.id, "a", message_thread_id=films)
    await forum.reopens_topic(films)
    await bot.send_message(forum.id, "a", message_thread_id=films)


# commands, members, actions


async def test_commands_are_kept_by_scope_and_language(bot: Bot, chat: Private) -> None:
    await bot.set_my_commands([BotCommand("get", "Carry a link")])
    await bot.set_my_commands([BotCommand("admin", "Manage")], BotCommandScopeChat(chat.id), "de")
    assert [one.command for one in await bot.get_my_commands()] == ["get"]
    assert [one.command for one in await bot.get_my_commands(BotCommandScopeChat(chat.id), "de")] == ["admin"]
    assert await bot.get_my_commands(BotCommandScopeChat(chat.id)) == ()
    with pytest.raises(BadRequest, match="Bot_command_invalid"):
        await bot.set_my_commands([BotCommand("Get it", "x")])


async def test_who_is_who_in_a_group(bot: Bot, telegram: TelegramDouble, chat: Private) -> None:
    ann, bob, eve = telegram.user("Ann"), telegram.user("Bob"), telegram.user("Eve")
    group = telegram.group("Team", ann, admins=[bob])
    statuses = [(await bot.get_chat_member(group.id, one.id)).status for one in (ann, bob, eve)]
    assert statuses == ["member", "administrator", "left"]
    assert [one.user.first_name for one in await bot.get_chat_administrators(group.id)] == ["Bob"]
    assert (await bot.get_chat(group.id)).title == "Team"
    with pytest.raises(BadRequest, match="There are no administrators in the private chat"):
        await bot.get_chat_administrators(chat.id)


async def test_actions_are_noted(bot: Bot, chat: Private) -> None:
    await bot.send_chat_action(chat.id, "upload_video")
    assert [one["action"] for one in chat.room.actions] == ["upload_video"]
    with pytest.raises(BadRequest, match="Wrong parameter action in request"):
        await bot.send_chat_action(chat.id, "dance")


async def test_errors_of_the_double_itself_are_not_taken_for_telegrams() -> None:
    with pytest.raises(AssertionError, match="the double itself failed"):
        async with TelegramDouble() as telegram, bot_of(telegram) as bot:
            telegram.rooms.find = None  # type: ignore[assignment, method-assign]
            with pytest.raises(NetworkError):
                await bot.send_message(1, "a")
