"""What people type, and what it means."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bots.commands import MAX_LINKS, USAGE, Cancel, Command, Find, Get, Help, Status, Subs, parse
from bots.option_words import KEYWORDS, shown
from shared.errors import Code, CommandError, JobError
from shared.link import parse_link
from shared.options import CaptionFormat, Clip, MediaFormat, Options, Quality

LINK = "https://example.com/watch?v=1"
OTHER = "https://example.org/clip"


def plain(*links: str) -> tuple[Command, ...]:
    return tuple(Get(parse_link(link), Options(), explicit=False) for link in links)


def get(text: str) -> Options:
    (command,) = parse(f"/get {LINK} {text}")
    assert isinstance(command, Get) and command.explicit and command.link.url == LINK
    return command.options


def subs(text: str) -> Options:
    (command,) = parse(f"/subs {LINK} {text}")
    assert isinstance(command, Subs) and command.link.url == LINK
    assert not command.options.media
    return command.options


def refusal(text: str) -> str:
    with pytest.raises(CommandError) as caught:
        parse(text)
    sentence = str(caught.value)
    assert sentence.isprintable() and (sentence[0].isupper() or sentence[0] == "/") and sentence.endswith(".")
    return sentence


# --- a plain message


@pytest.mark.parametrize(
    "text",
    [
        LINK,
        f"look at this: {LINK}",
        f"({LINK})",
        f"<{LINK}>",
        f"“{LINK}”",
        f"'{LINK}'",
        f"**{LINK}**",
        f"[the clip]({LINK}).",
        f"watch {LINK}, then {LINK}!!!",
        f"<{LINK}|example.com/watch>",
        f"看{LINK}，好看",
        f"@LinkferryBot {LINK}",
        f"<@U024BE7LH|ferry>: {LINK}",
        f"{LINK}\u200b\u200e",
        "HTTPS://EXAMPLE.COM/watch?v=1#t=3",
        f"{LINK}&utm_source=chat",
        "example.com/watch?v=1",
    ],
)
def test_a_plain_link_is_found_in_what_chats_make_of_it(text: str) -> None:
    assert parse(text) == plain(LINK)


def test_several_links_are_several_commands_and_each_counts_once() -> None:
    assert parse(f"{LINK}\n{OTHER} and again {LINK}") == plain(LINK, OTHER)
    assert parse("https://youtu.be/dQw4w9WgXcQ https://m.youtube.com/watch?v=dQw4w9WgXcQ&t=3") == plain(
        "https://youtu.be/dQw4w9WgXcQ"
    )


def test_brackets_that_belong_to_a_link_stay() -> None:
    wiki = "https://en.wikipedia.org/wiki/Film_(band)"
    assert parse(f"{wiki} (see {wiki}).") == plain(wiki)


def test_a_link_may_end_in_what_video_ids_end_in() -> None:
    assert parse("https://youtu.be/dQw4w9WgX_-") == plain("https://youtu.be/dQw4w9WgX_-")


def test_slack_escapes_ampersands_in_its_brackets() -> None:
    assert parse("<https://example.com/?a=1&amp;b=2|a &amp; b>") == plain("https://example.com/?a=1&b=2")


def test_words_around_a_plain_link_change_nothing() -> None:
    assert parse(f"--exec rm {LINK} 720p /get") == plain(LINK)


# --- /get


def test_get_alone_takes_the_defaults_and_says_that_nothing_was_chosen() -> None:
    options = get("")
    assert options == Options()
    assert not options.model_fields_set


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ("720p", Options(quality=Quality.P720)),
        ("BEST Mkv", Options(quality=Quality.BEST, format=MediaFormat.MKV)),
        ("mkv best", Options(quality=Quality.BEST, format=MediaFormat.MKV)),
        ("1440", Options(quality=Quality.P1440)),
        ("4k", Options(quality=Quality.P2160)),
        ("mp3", Options(format=MediaFormat.MP3)),
        ("audio", Options(format=MediaFormat.M4A)),
        ("480p 480p", Options(quality=Quality.P480)),
        ("subs en,de", Options(languages=("en", "de"))),
        ("subs en, de 720p", Options(languages=("en", "de"), quality=Quality.P720)),
        ("subs German , pt_br,de", Options(languages=("de", "pt-BR"))),
        ("subs simplified chinese", Options(languages=("zh-Hans",))),
        ("subs all", Options(languages=("all",))),
        ("subs", Options(languages=("orig",))),
        ("subs wav", Options(languages=("orig",), format=MediaFormat.WAV)),
        ("subs en srt", Options(languages=("en",), caption_formats=(CaptionFormat.SRT,))),
        ("subs en to spanish", Options(languages=("en",), translate_to="es")),
        ("subs speech", Options(languages=("orig",), speech=True)),
        ("Speech 720p", Options(languages=("orig",), speech=True, quality=Quality.P720)),
        ("to pt-br", Options(languages=("orig",), translate_to="pt-BR")),
        ("🙂 720p -", Options(quality=Quality.P720)),
        (
            "to brazilian portuguese subs en CLIP 1:20-2:05 webm worst",
            Options(
                languages=("en",),
                translate_to="pt-BR",
                clip=Clip(start=80, end=125),
                format=MediaFormat.WEBM,
                quality=Quality.WORST,
            ),
        ),
    ],
)
def test_options_follow_in_any_order(words: str, options: Options) -> None:
    assert get(words) == options


def test_options_may_come_before_the_link() -> None:
    (command,) = parse(f"/get 720p {LINK}")
    assert isinstance(command, Get) and command.options.quality is Quality.P720


@pytest.mark.parametrize(
    ("clip", "start", "end"),
    [
        ("1:20-2:05", 80, 125),
        ("80-125", 80, 125),
        ("1:20–2:05", 80, 125),
        ("1:20—2:05", 80, 125),
        ("1:20−2:05", 80, 125),
        ("1:20--2:05", 80, 125),
        ("1:20 - 2:05", 80, 125),
        ("1:20- 2:05", 80, 125),
        ("1:20 to 2:05", 80, 125),
        ("1:02:03-1:03:00", 3723, 3780),
        ("0-0.5", 0, 0.5),
        ("90:00-1:31:00.25", 5400, 5460.25),
    ],
)
def test_a_clip_as_phones_type_it(clip: str, start: float, end: float) -> None:
    assert get(f"clip {clip} 720p") == Options(quality=Quality.P720, clip=Clip(start=start, end=end))


@pytest.mark.parametrize(
    "clip", ["", "1:20", "1:20-", "-2:05", "1:75-2:80", "1:60:00-2:00:00", "a-b", "1e3-2e3", "٣-٤", "nan-inf"]
)
def test_a_clip_that_is_none_is_refused_with_an_example(clip: str) -> None:
    assert "clip 1:20-2:05" in refusal(f"/get {LINK} clip {clip}")


def test_a_clip_ends_after_it_starts() -> None:
    assert "'2:05-1:20'" in refusal(f"/get {LINK} clip 2:05-1:20")
    assert "after it starts" in refusal(f"/get {LINK} clip 5-5")


def test_speech_alone_is_that_of_the_video_and_leaves_room_for_other_words() -> None:
    assert subs("speech srt") == Options(
        media=False, languages=("orig",), speech=True, caption_formats=(CaptionFormat.SRT,)
    )
    assert subs("en speech").languages == ("en",)


def test_times_are_those_of_the_plain_text() -> None:
    assert subs("times") == Options(media=False, languages=("orig",), timestamps=True)
    assert subs("en srt times").caption_formats == (CaptionFormat.SRT, CaptionFormat.TXT)


def test_two_different_choices_are_a_question_back() -> None:
    assert "'720p' and '480p'" in refusal(f"/get {LINK} 720p 480p")
    assert "'mp3' and 'mp4'" in refusal(f"/get {LINK} mp3 mp4")
    assert "one clip" in refusal(f"/get {LINK} clip 1-2 clip 3-4")
    assert "'es' and 'german'" in refusal(f"/get {LINK} to es to german")


def test_get_with_several_links_gives_each_the_same_options() -> None:
    options = Options(format=MediaFormat.MP3)
    assert parse(f"/get {LINK} {OTHER} mp3") == (
        Get(parse_link(LINK), options, explicit=True),
        Get(parse_link(OTHER), options, explicit=True),
    )


@pytest.mark.parametrize(
    "start", ["/get", "/GET", "/get@LinkferryBot", "  /get", "@LinkferryBot /get", "/get\n"]
)
def test_a_command_as_platforms_send_it(start: str) -> None:
    (command,) = parse(f"{start} {LINK}")
    assert isinstance(command, Get) and command.explicit


@pytest.mark.parametrize("word", ["--exec", "-o", "hd", "1081p", "exe", "nonsense", "$(reboot)", "/subs"])
def test_an_unknown_word_is_named_together_with_what_is_accepted(word: str) -> None:
    sentence = refusal(f"/get {LINK} {word}")
    assert f"'{word}'" in sentence
    assert "1080p" in sentence and "mp4" in sentence and "clip 1:20-2:05" in sentence


@pytest.mark.parametrize("word", ["xx", "klingonese", "en.*", "^en", "please"])
def test_an_unknown_language_is_named(word: str) -> None:
    assert f"'{word}'" in refusal(f"/get {LINK} subs {word}")
    assert f"'{word}'" in refusal(f"/get {LINK} to {word}")
    assert f"'{word}'" in refusal(f"/subs {LINK} {word}")


# --- /subs


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ("", Options(media=False, languages=("orig",))),
        ("en,de", Options(media=False, languages=("en", "de"))),
        ("german french", Options(media=False, languages=("de", "fr"))),
        ("all", Options(media=False, languages=("all",))),
        ("srt", Options(media=False, languages=("orig",), caption_formats=(CaptionFormat.SRT,))),
        (
            "txt,srt en",
            Options(media=False, languages=("en",), caption_formats=(CaptionFormat.SRT, CaptionFormat.TXT)),
        ),
        (
            "en md",
            Options(media=False, languages=("en",), caption_formats=(CaptionFormat.VTT, CaptionFormat.MD)),
        ),
        (
            "srt json",
            Options(
                media=False,
                languages=("orig",),
                caption_formats=(CaptionFormat.SRT, CaptionFormat.JSON),
            ),
        ),
        ("en to spanish", Options(media=False, languages=("en",), translate_to="es")),
        (
            "to es vtt",
            Options(
                media=False, languages=("orig",), translate_to="es", caption_formats=(CaptionFormat.VTT,)
            ),
        ),
    ],
)
def test_subs_takes_languages_formats_and_a_translation(words: str, options: Options) -> None:
    assert subs(words) == options


@pytest.mark.parametrize("word", ["720p", "mp4", "clip", "subs"])
def test_subs_does_not_take_what_belongs_to_media(word: str) -> None:
    assert f"'{word}'" in refusal(f"/subs {LINK} {word}")


@pytest.mark.parametrize("words", ["to", "to all", "to orig", "to srt"])
def test_a_translation_goes_into_one_language(words: str) -> None:
    assert "After 'to'" in refusal(f"/subs {LINK} {words}")


def test_too_many_languages_are_refused() -> None:
    assert "at most 10" in refusal(f"/subs {LINK} en,de,fr,es,it,pt,nl,sv,da,no,fi")


# --- the commands without a link


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("/status", Status(None)),
        ("/status 0192F3A0-77", Status("0192f3a0-77")),
        ("/status@LinkferryBot #a1", Status("a1")),
        ("/cancel", Cancel(None)),
        ("/cancel a1", Cancel("a1")),
        ("/find rolling  stones\nlive", Find("rolling stones live")),
        ("/find 50% of_it *", Find("50% of_it *")),
        ("/find a\x00b\u202ec", Find("a b c")),
        ("/help", Help()),
        ("/help me", Help()),
        ("/start", Help()),
        ("/start CODE", Help()),
    ],
)
def test_commands_without_a_link(text: str, command: Command) -> None:
    assert parse(text) == (command,)


@pytest.mark.parametrize("text", ["/status a b", "/cancel ../x", "/status " + "a" * 65, "/cancel 'x'"])
def test_what_is_no_job_id_is_refused(text: str) -> None:
    assert "one job id" in refusal(text)


def test_find_needs_words_and_not_too_many() -> None:
    assert "needs words" in refusal("/find \x00")
    assert "up to 200" in refusal("/find " + "a" * 201)


# --- what cannot be understood


@pytest.mark.parametrize(
    "text", ["", "   \n", "hello", "🙂" * 300, "\u202e", "1.5/2", "and/or", "https://", "/home/ann/x"]
)
def test_nothing_recognised_gets_a_hint(text: str) -> None:
    assert "/help" in refusal(text)


def test_an_unknown_command_is_named_and_the_known_ones_listed() -> None:
    sentence = refusal(f"/download {LINK}")
    assert "'/download'" in sentence
    assert all(f"/{command}" in sentence for command in USAGE)


@pytest.mark.parametrize("name", ["get", "subs"])
def test_a_missing_link_is_asked_for(name: str) -> None:
    assert f"/{name} needs a link" in refusal(f"/{name}")
    assert f"/{name} needs a link" in refusal(f"/{name} 720p")


@pytest.mark.parametrize(
    "text",
    [
        "javascript:alert(1)",
        "/get javascript:alert(1)",
        "/get file:///etc/passwd",
        "ftp://example.com/a.mp4",
        "https://ann:secret@example.com/",
        f"{LINK} https://ann:secret@example.com/",
        "https://exa\u202emple.com/",
        "https://example.com/" + "a" * 2048,
        "https://example.com/" + "." * 8000,
    ],
)
def test_a_link_that_cannot_be_opened_says_so(text: str) -> None:
    with pytest.raises(JobError) as caught:
        parse(text)
    assert caught.value.code is Code.INVALID_LINK
    assert "secret" not in f"{caught.value} {caught.value.message}"


def test_a_message_holds_up_to_twenty_links() -> None:
    links = [f"https://example.com/{number}" for number in range(MAX_LINKS + 1)]
    assert len(parse(" ".join(links[:-1]))) == MAX_LINKS
    assert "up to 20 links" in refusal(" ".join(links))


@pytest.mark.parametrize("text", ["a" * 10_000_000, "https://" * 2_000_000, "ä" * 8193])
def test_a_very_long_message_is_refused_unread(text: str) -> None:
    assert "too long" in refusal(text)


@pytest.mark.parametrize(
    "text", ["<https://", "((((", "clip ", "- ", "https://a)", "a.", "<@U", "to es ", ",", "subs en "]
)
def test_a_full_message_of_anything_is_read_in_no_time(text: str) -> None:
    for start in ("", "/get https://example.com/ ", "/subs https://example.com/("):
        try:
            parse((start + text * 16_384)[:16_384])
        except (CommandError, JobError) as error:
            assert len(str(error)) < 400


def test_a_strange_word_is_repeated_short_and_without_what_is_invisible() -> None:
    word = "\u202eevil\x00\x1b[31m" + "x" * 5000
    sentence = refusal(f"/get {LINK} {word}")
    assert shown(word) in sentence
    assert len(shown(word)) <= 40


WORDS = st.sampled_from(
    [*sorted(KEYWORDS), LINK, OTHER, "en,de", "1:20-2:05", "german", "-", "--exec", "<", "("]
)


@settings(deadline=None)
@given(
    st.text() | st.lists(WORDS | st.text(max_size=8)).map(" ".join), st.sampled_from(["", *USAGE, "start"])
)
def test_any_text_is_understood_or_refused_in_one_sentence(text: str, name: str) -> None:
    try:
        commands = parse(f"/{name} {text}" if name else text)
    except CommandError as error:
        assert re.fullmatch(r"[^\n]{10,400}\.", str(error))
    except JobError as error:
        assert error.code is Code.INVALID_LINK
    else:
        assert commands


@settings(deadline=None)
@given(st.from_regex(r"https?://[a-z]{1,9}\.[a-z]{2,3}/[A-Za-z0-9._~()?&=%-]{0,30}", fullmatch=True))
def test_a_canonical_link_comes_back_as_itself(text: str) -> None:
    for command in parse(text):
        assert isinstance(command, Get)
        assert parse(command.link.url) == (command,)
