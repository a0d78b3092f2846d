"""What is written is valid, is read back as it was, and reads well."""

import html
import json

import webvtt
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.captions import (
    Cue,
    Transcript,
    Word,
    read,
    write_json,
    write_markdown,
    write_srt,
    write_txt,
    write_vtt,
)
from worker.child.protocol import Chapter

_rows = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=20)
_tricky = st.sampled_from(
    [
        "-->",
        "00:00:01.000 --> 00:00:02.000",
        "WEBVTT",
        "NOTE x",
        "<b>",
        "&amp;",
        "7",
        "<00:00:01.000>",
        "{\\b}",
    ]
)
_texts = st.lists(_rows | _tricky, min_size=1, max_size=3).map("\n".join)


@st.composite
def transcripts(draw: st.DrawFn, texts: st.SearchStrategy[str] = _texts) -> Transcript:
    """Ordered cues with all that a text can hold."""
    now, cues = 0, []
    for text in draw(st.lists(texts, min_size=1, max_size=6)):
        now += draw(st.integers(0, 5_000_000))
        end = now + draw(st.integers(1, 10_000))
        kept = "\n".join(row.strip() for row in text.split("\n") if row.strip("\ufeff\ufffe\uffff").strip())
        kept = kept.translate(dict.fromkeys([0xFEFF, 0xFFFE, 0xFFFF])).strip()
        if kept:
            cues.append(Cue(now, end, kept))
        now = end
    return Transcript(cues)


@settings(deadline=None)
@given(transcripts())
def test_vtt_is_read_back_as_it_was(transcript: Transcript) -> None:
    assert read(write_vtt(transcript).encode(), "vtt") == (list(transcript.cues), 0)


@settings(deadline=None)
@given(transcripts())
def test_another_reader_reads_the_same_vtt(transcript: Transcript) -> None:
    theirs = webvtt.from_string(write_vtt(transcript))
    assert [html.unescape(caption.raw_text) for caption in theirs] == [cue.text for cue in transcript.cues]
    assert [caption.start_in_seconds for caption in theirs] == [cue.start // 1000 for cue in transcript.cues]


@settings(deadline=None)
@given(transcripts())
def test_srt_keeps_its_shape_whatever_is_said(transcript: Transcript) -> None:
    cues, skipped = read(write_srt(transcript).encode(), "srt")
    assert skipped == 0
    assert [(cue.start, cue.end) for cue in cues] == [(cue.start, cue.end) for cue in transcript.cues]


@settings(deadline=None)
@given(transcripts(st.lists(st.text("abc é好ש👍.,'1<", min_size=1), min_size=1, max_size=3).map("\n".join)))
def test_srt_is_read_back_as_it_was(transcript: Transcript) -> None:
    plain = [cue._replace(text=cue.text.replace("<", "‹")) for cue in transcript.cues]
    cues = read(write_srt(transcript).encode(), "srt").cues
    assert [cue._replace(text=cue.text.replace("<", "‹")) for cue in cues] == plain


@settings(deadline=None)
@given(st.text(), st.text(), st.text())
def test_no_text_name_or_title_breaks_any_format(text: str, name: str, title: str) -> None:
    cues = [Cue(0, 1000, text, name), Cue(1000, 2000, "safe")]
    transcript = Transcript(cues, [Chapter(start=0, end=2, title=title)])
    assert read(write_vtt(transcript).encode(), "vtt").cues[-1].text == "safe"
    assert read(write_srt(transcript).encode(), "srt").cues[-1].text.endswith("safe")
    assert json.loads(write_json(transcript).encode())["cues"][1]["text"] == "safe"
    write_txt(transcript).encode()
    write_markdown(transcript).encode()


def test_vtt_carries_the_speaker_as_a_voice() -> None:
    text = write_vtt(Transcript([Cue(3_600_000, 3_601_500, "a --> b", "Ann & Bob")]))
    assert text == "WEBVTT\n\n01:00:00.000 --> 01:00:01.500\n<v Ann &amp; Bob>a --&gt; b\n"
    assert read(text.encode(), "vtt").cues[0].speaker == "Ann & Bob"


def test_srt_names_the_speaker_when_it_changes() -> None:
    cues = [Cue(0, 1, "hi", "Ann"), Cue(1, 2, "there", "Ann"), Cue(2, 3, "yes", "Bob")]
    texts = [cue.text for cue in read(write_srt(Transcript(cues)).encode(), "srt").cues]
    assert texts == ["Ann: hi", "there", "Bob: yes"]


def _spoken(*texts: str, step: int = 1000) -> list[Cue]:
    return [Cue(index * step, (index + 1) * step, text) for index, text in enumerate(texts)]


def test_txt_joins_cues_and_rows_to_sentences() -> None:
    assert write_txt(Transcript(_spoken("This is\none", "sentence.", "And another."))) == (
        "This is one sentence. And another.\n"
    )


def test_txt_parts_paragraphs_at_a_pause() -> None:
    cues = [Cue(0, 1000, "Before."), Cue(5000, 6000, "After.")]
    assert write_txt(Transcript(cues)) == "Before.\n\nAfter.\n"


def test_a_caption_that_stays_on_the_screen_does_not_hide_a_pause() -> None:
    cues = [Cue(0, 9000, "one two", None, (Word(0, "one"), Word(500, " two"))), Cue(9000, 9500, "three")]
    assert write_txt(Transcript(cues)) == "one two\n\nthree\n"


def test_txt_parts_long_speech_where_a_sentence_ends() -> None:
    text = write_txt(Transcript(_spoken(*["Some words that say little."] * 60)))
    paragraphs = text.strip().split("\n\n")
    assert len(paragraphs) > 2
    assert all(paragraph.endswith(".") and len(paragraph) < 600 for paragraph in paragraphs)


def test_speech_without_sentences_is_parted_all_the_same() -> None:
    text = write_txt(Transcript(_spoken(*["some words that never end"] * 100)))
    assert all(len(paragraph) < 1100 for paragraph in text.split("\n\n"))


def test_chapters_are_headings_where_most_of_the_cue_belongs_to_them() -> None:
    chapters = [Chapter(start=0, end=1.9, title="One\n== x"), Chapter(start=1.9, end=9, title="Two")]
    text = write_txt(Transcript(_spoken("first", "still first", "second"), chapters))
    assert text == "== One == x ==\n\nfirst still first\n\n== Two ==\n\nsecond\n"


def test_speakers_and_dialogue_dashes_get_lines_of_their_own() -> None:
    cues = [
        Cue(0, 1000, "Hello.", "Ann"),
        Cue(1000, 2000, "Hi.", "Bob"),
        Cue(2000, 3000, "- Yes?\n- No.", "Bob"),
    ]
    assert write_txt(Transcript(cues)) == "Ann: Hello.\n\nBob: Hi.\n- Yes?\n- No.\n"


def test_txt_can_say_when() -> None:
    assert write_txt(Transcript([Cue(3_723_000, 3_724_000, "late")]), timestamps=True) == "[1:02:03] late\n"


def test_scripts_without_spaces_are_joined_without_and_others_with() -> None:
    for parts, joined in [
        (("今天天气", "很好。", "我们走吧"), "今天天气很好。我们走吧"),
        (("スタート", "します"), "スタートします"),
        (("สวัสดี", "ครับ"), "สวัสดีครับ"),
        (("안녕", "하세요"), "안녕 하세요"),
        (("مرحبا", "بالعالم"), "مرحبا بالعالم"),
        (("👩‍👩‍👧", "👍🏽 yes"), "👩‍👩‍👧 👍🏽 yes"),
        (("用", "Python"), "用 Python"),
        (("好。", "Python"), "好。Python"),
    ]:
        assert write_txt(Transcript(_spoken(*parts))) == joined + "\n"


def test_markdown_links_each_paragraph_to_its_moment_and_escapes_the_rest() -> None:
    cues = [Cue(0, 1000, "*not* [a](link) <b>"), Cue(83_900, 84_900, "later", "A_B")]
    text = write_markdown(Transcript(cues, [Chapter(start=80, end=90, title="# x")], watch_url="/w/token"))
    assert text == (
        "[0:00](/w/token#t=0) \\*not\\* \\[a\\](link) \\<b\\>\n\n"
        "## \\# x\n\n"
        "[1:23](/w/token#t=83.9) **A\\_B:** later\n"
    )


def test_json_has_everything_in_seconds() -> None:
    cue = Cue(1500, 2000, "好 day", "Ann", (Word(1500, "好"), Word(1750, " day")))
    assert json.loads(write_json(Transcript([cue], [Chapter(start=0, end=9, title="One")], "en"))) == {
        "language": "en",
        "chapters": [{"start": 0, "end": 9, "title": "One"}],
        "cues": [
            {
                "start": 1.5,
                "end": 2.0,
                "text": "好 day",
                "speaker": "Ann",
                "words": [{"start": 1.5, "text": "好"}, {"start": 1.75, "text": " day"}],
            }
        ],
    }
