"""A title becomes a file name that no file system, header or reader trips over."""

import unicodedata
from pathlib import Path, PureWindowsPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.filenames import FALLBACK, MIN_BYTES, safe_file_name

FAMILY = "👨‍👩‍👧‍👦"
THUMB = "👍🏽"
FLAG = "🇩🇪"


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Me at the zoo", "Me at the zoo.mp4"),
        ("AC/DC: Back in Black", "AC-DC- Back in Black.mp4"),
        ('He said "no"', "He said 'no'.mp4"),
        ("What? *Really* <no>", "What Really no.mp4"),
        ("../../etc/passwd", "etc-passwd.mp4"),
        ("..\\..\\boot.ini", "boot.ini.mp4"),
        (".hidden", "hidden.mp4"),
        ("--exec rm", "exec rm.mp4"),
        ("- .~-a", "a.mp4"),
        ("line\none\t\ttwo\r\n", "line one two.mp4"),
        ("a\x00b\x1b[31mc\x7f", "a b[31mc.mp4"),
        ("clip\u202e4pm.exe", "clip4pm.exe.mp4"),
        ("zero\u200bwidth\ufeff", "zerowidth.mp4"),
        ("dots and spaces . . .", "dots and spaces.mp4"),
        ("cafe\u0301", "caf\u00e9.mp4"),
        ("می‌خواهم", "می‌خواهم.mp4"),
        (f"{FAMILY} {THUMB} {FLAG}", f"{FAMILY} {THUMB} {FLAG}.mp4"),
        ("100% legal; a=b & c", "100% legal; a=b & c.mp4"),
        ("CON", "_CON.mp4"),
        ("nul.txt", "_nul.txt.mp4"),
        ("Com1", "_Com1.mp4"),
        ("lpt¹ .x", "_lpt¹ .x.mp4"),
        ("console", "console.mp4"),
        ("", "video.mp4"),
        ("...", "video.mp4"),
        (" \n\t", "video.mp4"),
        ("\u202e\u200d", "video.mp4"),
        ("\ud800", "video.mp4"),
    ],
)
def test_a_title_as_a_file_name(title: str, name: str) -> None:
    assert safe_file_name(title, "mp4") == name


@pytest.mark.parametrize(
    ("extension", "name"),
    [
        ("mp4", "a.mp4"),
        (".mp4", "a.mp4"),
        ("en.srt", "a.en.srt"),
        ("zh-Hans.vtt", "a.zh-Hans.vtt"),
        ("", "a"),
        ("../x", "a.x"),
        ("mp4\x00/..", "a.mp4"),
        ("m" * 99, "a." + "m" * 32),
    ],
)
def test_the_extension_is_made_safe_too(extension: str, name: str) -> None:
    assert safe_file_name("a", extension) == name


@pytest.mark.parametrize("emoji", ["😀", FAMILY, THUMB, FLAG, "e\u0323\u0302", "नि", "한"])
def test_three_hundred_emoji_are_cut_between_two_of_them(emoji: str) -> None:
    name = safe_file_name(emoji * 300, "mp4")
    emoji = unicodedata.normalize("NFC", emoji)
    assert len(name.encode()) <= 180
    assert name == emoji * name.count(emoji) + ".mp4"
    assert len(name.encode()) + len(emoji.encode()) >= 180  # one more would not fit


def test_one_endless_character_is_no_name() -> None:
    assert safe_file_name("e" + "\u0323\u0300" * 300, "mp4") == "video.mp4"


def test_what_a_cut_leaves_is_still_safe() -> None:
    assert safe_file_name("con  " + "x" + "\u0323" * 300, "mp4") == "_con.mp4"
    assert safe_file_name("a" * 170 + " ... " + "b" * 99, "mp4") == "a" * 170 + ".mp4"


def test_a_title_of_megabytes_is_cut() -> None:
    assert len(safe_file_name("a" * 10_000_000, "mp4")) == 179


def test_too_few_bytes_are_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="64 bytes"):
        safe_file_name("a", "mp4", max_bytes=MIN_BYTES - 1)


AWKWARD = st.sampled_from(
    ["/", "\\", "..", ".", "-", " ", "\0", "\n", "con", "nul", ":", FAMILY, FLAG, "\u202e"]
)


@settings(deadline=None)
@given(
    st.text() | st.lists(AWKWARD | st.text(max_size=3)).map("".join),
    st.sampled_from(["mp4", "en.srt", ""]) | st.text(max_size=40),
    st.integers(MIN_BYTES, 255),
)
def test_no_name_ever_leaves_its_folder(title: str, extension: str, max_bytes: int) -> None:
    name = safe_file_name(title, extension, max_bytes=max_bytes)
    assert 0 < len(name.encode()) <= max_bytes
    assert Path(name).name == name == PureWindowsPath(name).name
    assert name[0] not in ".- " and name[-1] not in ". "
    assert all(unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp") for character in name)
    assert unicodedata.is_normalized("NFC", name)
    assert not set(name) & set('/\\:*?"<>|')


@settings(deadline=None)
@given(st.text(min_size=1))
def test_a_name_with_a_suffix_of_its_own_stays_as_it_is(title: str) -> None:
    name = safe_file_name(title, "")
    assert safe_file_name(name, "") == name
    assert name == FALLBACK or name.strip(".") == name
