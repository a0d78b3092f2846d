"""Which links are accepted, how each is spelled, and which wishes are the same job."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import Code, JobError
from shared.link import MAX_LENGTH, Link, link_key, media_key, parse_link, site_of
from shared.options import CaptionFormat, Clip, MediaFormat, Options, Quality

VIDEO = "https://www.youtube.com/watch?v=dQw4w9WgXcQ"


@pytest.mark.parametrize(
    "spelling",
    [
        "https://youtu.be/dQw4w9WgXcQ",
        "https://youtu.be/dQw4w9WgXcQ?si=AbC_123&t=3",
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
        "http://youtube.com/watch?v=dQw4w9WgXcQ&t=3",
        "https://www.youtube.com/watch?list=PLx&v=dQw4w9WgXcQ&index=7",
        "https://m.youtube.com/watch?v=dQw4w9WgXcQ&feature=share",
        "https://music.youtube.com/watch?v=dQw4w9WgXcQ",
        "https://www.youtube.com/shorts/dQw4w9WgXcQ",
        "https://www.youtube.com/embed/dQw4w9WgXcQ?start=30",
        "https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ",
        "https://www.youtube.com/live/dQw4w9WgXcQ?feature=shared",
        "HTTPS://WWW.YouTube.COM:443/v/dQw4w9WgXcQ/#t=1",
    ],
)
def test_youtubes_spellings_are_one_link(spelling: str) -> None:
    assert parse_link(spelling) == Link(VIDEO, "youtube.com")


@pytest.mark.parametrize(
    "other",
    [
        "https://www.youtube.com/playlist?list=PLx",
        "https://www.youtube.com/embed/videoseries?list=PLx",
        "https://www.youtube.com/embed/live_stream?channel=UCx",
        "https://www.youtube.com/@name/videos",
        "https://www.youtube.com/watch?v=short",
        "https://www.youtube.com/watch/extra?v=dQw4w9WgXcQ",
        "https://www.youtube.com:8443/watch?v=dQw4w9WgXcQ",
        "https://notyoutube.com/watch?v=dQw4w9WgXcQ",
        "https://youtube.com.example/watch?v=dQw4w9WgXcQ",
    ],
)
def test_what_is_not_a_youtube_video_stays_what_it_is(other: str) -> None:
    assert parse_link(other).url == other


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("https://example.com", "https://example.com/"),
        ("  https://example.com/a\n", "https://example.com/a"),
        ("HTTP://EXAMPLE.com:80/Path", "http://example.com/Path"),
        ("https://example.com.:8443/", "https://example.com:8443/"),
        ("http://127.0.0.1:5001/clip.mp4?a=1", "http://127.0.0.1:5001/clip.mp4?a=1"),
        ("http://[2001:DB8::0:1]:8080/x", "http://[2001:db8::1]:8080/x"),
        ("https://example.com/a#__youtubedl_smuggle=%7B%7D", "https://example.com/a"),
        ("https://en.wikipedia.org/wiki/Film_(band)", "https://en.wikipedia.org/wiki/Film_(band)"),
        ("https://example.com/?z=1&a=2&z=3&b", "https://example.com/?z=1&a=2&z=3&b"),
        ("https://example.com/?utm_source=x&v=1&UTM_id=2&fbclid=3", "https://example.com/?v=1"),
        ("https://example.com/?igshid=x", "https://example.com/"),
        ("https://example.com/?si=3&feature=9&s=1", "https://example.com/?si=3&feature=9&s=1"),
        ("https://open.spotify.com/episode/1?si=x", "https://open.spotify.com/episode/1"),
        ("https://x.com/a/status/1?s=20&t=y", "https://x.com/a/status/1"),
        ("https://example.com/a%2Fb?q=%C3%A4", "https://example.com/a%2Fb?q=%C3%A4"),
        ("https://example.com/ä b".replace(" ", "%20"), "https://example.com/%C3%A4%20b"),
        ("https://example.com/{a}|<b>\\c", "https://example.com/%7Ba%7D%7C%3Cb%3E%5Cc"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://straße.example/", "https://xn--strae-oqa.example/"),
        ("http://127。0。0。1/", "http://127.0.0.1/"),
        ("https://my_host.example/", "https://my_host.example/"),
    ],
)
def test_a_link_has_one_spelling(written: str, url: str) -> None:
    assert parse_link(written).url == url
    assert parse_link(url).url == url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "https://",
        "https:///path",
        "https:example.com",
        "//example.com/",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "data:text/html,hi",
        "ftp://example.com/a.mp4",
        "rtmp://example.com/live",
        "ferrytest:abc",
        "https://exa mple.com/",
        "https://example.com/a b",
        "https://example.com/\x00",
        "https://example.com/a\nb",
        "https://example.com/\u202egpj.exe",
        "https://example.com/\u200bx",
        "https://example.com/\ud800",
        "https://example..com/",
        "https://exa%6dple.com/",
        "https://a\\b.example/",
        "https://" + "a" * 64 + ".example/",
        "https://" + "a." * 127 + "example/",
        "https://😀\u200d.example/",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://example.com:port/",
        "https://[::1/",
        "https://[v1.a]/",
        "https://[fe80::1%25eth0]/",
        "https://example.com/" + "a" * MAX_LENGTH,
        "https://example.com/" + "ä" * 1000,
    ],
)
def test_what_is_no_link_is_refused_in_words(text: str) -> None:
    with pytest.raises(JobError) as caught:
        parse_link(text)
    assert caught.value.code is Code.INVALID_LINK
    assert caught.value.message.endswith(".")


@pytest.mark.parametrize(
    "text", ["https://ann:s3cret@example.com/", "https://s3cret@example.com/", "https://:s3cret@example.com"]
)
def test_a_password_in_a_link_gets_its_own_sentence_and_is_not_repeated(text: str) -> None:
    with pytest.raises(JobError) as caught:
        parse_link(text)
    assert "password" in caught.value.sentence
    assert caught.value.message.endswith(" Send it without them.")
    assert "s3cret" not in f"{caught.value} {caught.value.message}"


@pytest.mark.parametrize(
    "text", ["https://example.com/\u202egpj.exe", "\u200bhttps://example.com/", "http://a/b c"]
)
def test_a_link_is_told_what_in_it_cannot_be_seen(text: str) -> None:
    with pytest.raises(JobError) as caught:
        parse_link(text)
    assert "invisible character" in caught.value.message
    assert "in full" not in caught.value.message


@pytest.mark.parametrize("path", ["a" * MAX_LENGTH, "ä" * 1000])
def test_a_link_that_is_too_long_is_told_so(path: str) -> None:
    with pytest.raises(JobError) as caught:
        parse_link(f"https://example.com/{path}")
    assert caught.value.message.startswith(f"That link is longer than {MAX_LENGTH} characters.")
    assert "in full" not in caught.value.message


def test_what_is_no_link_at_all_is_told_so() -> None:
    with pytest.raises(JobError, match="whitespace") as caught:
        parse_link("two words")
    assert caught.value.message.startswith("That is not a link I can open.")


def test_an_at_sign_in_the_path_is_no_password() -> None:
    assert parse_link("https://www.tiktok.com/@ann/video/1").url == "https://www.tiktok.com/@ann/video/1"


def test_ten_megabytes_are_refused() -> None:
    with pytest.raises(JobError):
        parse_link("https://example.com/" + "a" * 10_000_000)


@pytest.mark.parametrize(
    ("host", "site"),
    [
        ("youtube.com", "youtube.com"),
        ("music.youtube.com", "youtube.com"),
        ("youtu.be", "youtube.com"),
        ("twitter.com", "x.com"),
        ("old.reddit.com", "reddit.com"),
        ("iplayer.bbc.co.uk", "bbc.co.uk"),
        ("co.uk", "co.uk"),
        ("localhost", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("[2001:db8::1]", "[2001:db8::1]"),
    ],
)
def test_a_site_is_what_one_operator_answers_for(host: str, site: str) -> None:
    assert site_of(host) == site


def test_keys_tell_wishes_apart() -> None:
    link = parse_link(VIDEO)
    wishes = [
        Options(),
        Options(quality=Quality.P720),
        Options(format=MediaFormat.MP3),
        Options(clip=Clip(start=0, end=5)),
        Options(languages=("en",)),
        Options(languages=("en", "de")),
        Options(languages=("de", "en")),
        Options(languages=("en",), caption_formats=(CaptionFormat.SRT,)),
        Options(languages=("en",), translate_to="es"),
        Options(languages=("en",), speech=True),
        Options(languages=("en",), timestamps=True),
        Options(media=False, languages=("en",)),
    ]
    keys = {link_key(link, wish) for wish in wishes} | {media_key("youtube", "x", wish) for wish in wishes}
    assert len(keys) == 2 * len(wishes)
    assert all(len(key) == 64 and set(key) <= set(string.hexdigits) for key in keys)
    assert media_key("a", "bc", Options()) != media_key("ab", "c", Options())


def test_what_does_not_change_the_result_does_not_change_the_key() -> None:
    short, long = parse_link("https://youtu.be/dQw4w9WgXcQ"), parse_link(f"{VIDEO}&t=3")
    assert link_key(short, Options()) == link_key(long, Options())
    assert link_key(short, Options()) == link_key(short, Options(caption_formats=(CaptionFormat.TXT,)))
    srt_vtt = Options(languages=("en",), caption_formats=(CaptionFormat.SRT, CaptionFormat.VTT))
    vtt_srt = Options(languages=("en",), caption_formats=(CaptionFormat.VTT, CaptionFormat.SRT))
    assert media_key("youtube", "x", srt_vtt) == media_key("youtube", "x", vtt_srt)


def test_sound_has_no_height_and_a_transcript_has_no_picture() -> None:
    sounds = [Options(format=MediaFormat.MP3, quality=quality) for quality in Quality]
    assert len({media_key("youtube", "x", wish) for wish in sounds}) == 2  # the smallest, and all others
    smallest = Options(format=MediaFormat.MP3, quality=Quality.WORST)
    assert media_key("youtube", "x", smallest) != media_key("youtube", "x", sounds[0])
    texts = [
        Options(media=False, languages=("en",), quality=quality, format=form)
        for quality in Quality
        for form in MediaFormat
    ]
    assert len({media_key("youtube", "x", wish) for wish in texts}) == 1


@settings(deadline=None)
@given(st.text() | st.text().map("https://".__add__) | st.text().map("http://example.com/".__add__))
def test_any_text_is_a_link_with_one_spelling_or_is_refused(text: str) -> None:
    try:
        link = parse_link(text)
    except JobError as error:
        assert error.code is Code.INVALID_LINK
        return
    assert parse_link(link.url) == link
    assert link.url.isascii() and link.url.isprintable() and " " not in link.url
    assert len(link.url) <= MAX_LENGTH
