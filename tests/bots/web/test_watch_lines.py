"""The lines of the watch page are what our own writers wrote, whatever was said; nothing makes it fail."""

from hypothesis import given
from hypothesis import strategies as st

from bots.web.player.lines import Line, Mark, read_srt, read_txt, read_vtt, sections
from worker.captions.cues import Cue, Part, Transcript
from worker.captions.prose import write_txt
from worker.captions.writers import safe_rows, write_srt, write_vtt

ROWS = st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1), min_size=1, max_size=3)


def squeezed(text: str) -> str:
    return "".join(text.split())


@given(st.lists(ROWS, max_size=8))
def test_what_was_written_is_read_back(rows: list[list[str]]) -> None:
    texts = [safe_rows("\n".join(row)) for row in rows]
    cues = [Cue(n * 1000, n * 1000 + 900, text) for n, text in enumerate(texts) if text]
    lines = read_vtt(write_vtt(Transcript(cues)))
    assert [squeezed(line.text) for line in lines] == [squeezed(cue.text) for cue in cues]
    assert [line.start for line in lines] == [cue.start / 1000 for cue in cues]
    assert [line.end for line in lines] == [cue.end / 1000 for cue in cues]
    assert len(read_srt(write_srt(Transcript(cues)))) == len(cues)


@given(st.text())
def test_no_text_makes_it_fail(text: str) -> None:
    for read in (read_vtt, read_srt, read_txt):
        read(text)
        read("00:01.000 --> 00:02.000\n" + text)


def test_a_speaker_is_named_where_another_one_begins() -> None:
    cues = [Cue(n, n + 1, "Hi & bye", who) for n, who in enumerate(["A <b>", "A <b>", None, "B"])]
    lines = read_vtt(write_vtt(Transcript(cues)))
    assert [line.speaker for line in lines] == ["A <b>", None, None, "B"]
    assert {line.text for line in lines} == {"Hi & bye"}


def test_rows_are_joined_as_the_script_has_it() -> None:
    rows = ["one\ntwo", "おは\nよう", "สวัส\nดี", "안녕\n하세요", "- Yes.\n- No.", "♪ la\n♪ lo"]
    lines = read_vtt(write_vtt(Transcript([Cue(n, n + 1, text) for n, text in enumerate(rows)])))
    assert [line.text for line in lines] == [
        "one two", "おはよう", "สวัสดี", "안녕 하세요", "- Yes.\n- No.", "♪ la\n♪ lo"
    ]  # fmt: skip


def test_a_line_belongs_to_the_chapter_of_its_greater_part() -> None:
    lines = [Line("a", 0, 2), Line("b", 2, 6), Line("c", 7, 9)]
    found = sections(lines, [Mark("Two", 3), Mark("One", 1.5), Mark("Never", 100)])
    assert [(section.mark, [line.text for line in section.lines]) for section in found] == [
        (None, ["a"]),
        (Mark("Two", 3), ["b", "c"]),
    ]


def test_plain_text_keeps_its_headings_and_paragraphs() -> None:
    cues = [Cue(0, 1000, "One."), Cue(9000, 9500, "Two."), Cue(20_000, 21_000, "Three.")]
    text = write_txt(Transcript(cues, [Part(0, 15, "Start"), Part(15, 30, "End")]))
    assert [
        (section.mark and section.mark.title, [line.text for line in section.lines])
        for section in read_txt(text)
    ] == [("Start", ["One.", "Two."]), ("End", ["Three."])]
