"""Every caption file a site delivers becomes cues; a broken one gives what can be saved."""

import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.worker.captions.makers import CORPUS
from worker.captions import Cue, ReadResult, read, write_srt
from worker.captions.cues import MAX_CUES, Transcript
from worker.captions.readers import READERS


def corpus(name: str) -> ReadResult:
    """A file of the corpus, read as what its ending says."""
    return read((CORPUS / name).read_bytes(), name.rpartition(".")[2])


def shown(name: str) -> list[tuple[int, int, str]]:
    """Start, end and text of each cue of a corpus file that has nothing broken in it."""
    result = corpus(name)
    assert result.skipped == 0
    return [(cue.start, cue.end, cue.text) for cue in result.cues]


def test_vtt_leaves_out_all_that_is_not_said() -> None:
    cues, skipped = corpus("vtt-everything.vtt")
    assert skipped == 0
    assert [(cue.speaker, cue.text) for cue in cues] == [
        ("Roger Bingham", "We are in New York City & elsewhere"),
        ("Mary", "If 5 < 6 then go"),
        (None, "Colour of 漢(かん)\nsecond row"),
    ]
    assert [cue.start for cue in cues] == [1000, 4000, 7000]


def test_karaoke_times_become_words() -> None:
    (cue,) = corpus("vtt-karaoke.vtt").cues
    assert cue.text == "Never gonna give"
    assert cue.words == ((10000, "Never"), (10500, " gonna"), (11000, " give"))


def test_several_voices_in_one_cue_stay_told_apart() -> None:
    assert shown("vtt-two-voices.vtt") == [(1000, 4000, "Ann: Are you there?\nBob: I am.")]


def test_a_broken_cue_is_counted_and_the_others_are_kept() -> None:
    cues, skipped = corpus("vtt-broken-cues.vtt")
    assert [cue.text for cue in cues] == ["good", "good again"]
    assert skipped == 1


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("srt-bom-crlf.srt", ["first", "second"]),
        ("srt-utf16.srt", ["Привет"]),
        ("srt-utf16-no-bom.srt", ["no mark"]),
        ("srt-latin1.srt", ["Café déjà vu"]),
        ("srt-no-numbers.srt", ["dots for commas", "no number"]),
        ("srt-no-blank-lines.srt", ["first", "second", "1984"]),
        ("srt-blank-line-inside.srt", ["above\nbelow", "next"]),
        ("srt-html.srt", ["Red & a < b > c, AT&T\nI <3 you"]),
        ("srt-control-characters.srt", ["ab[31mcd"]),
        ("srt-overlapping.srt", ["long one", "at the same time"]),
        ("vtt-mislabelled-as-srt.srt", ["short times"]),
        ("dfxp-prefixed.dfxp", ["R&D\xa0rocks"]),
        ("youtube.srv2", ["first\nrow"]),
    ],
)
def test_text_comes_out_clean(name: str, texts: list[str]) -> None:
    assert [text for _, _, text in shown(name)] == texts


def test_srt_times_may_have_a_short_fraction() -> None:
    assert shown("srt-no-numbers.srt")[0][:2] == (1000, 2500)


def test_json3_has_words_and_skips_only_the_broken_event() -> None:
    cues, skipped = corpus("youtube.json3")
    assert cues[0] == Cue(160, 4160, "hello world", None, ((160, "hello"), (480, " world")))  # type: ignore[arg-type]
    assert [cue.text for cue in cues] == ["hello world", "next line", "no length"]
    assert skipped == 1


def test_json3_that_was_cut_off_gives_what_came_before() -> None:
    cues, skipped = corpus("youtube-cut-off.json3")
    assert [cue.text for cue in cues] == ["saved"]
    assert skipped == 1


def test_srv1_is_escaped_twice_and_counts_seconds() -> None:
    cues, skipped = corpus("youtube.srv1")
    assert cues[0] == Cue(1500, 3750, 'it\'s "fine"')
    assert (len(cues), skipped) == (2, 1)


def test_srv3_has_words() -> None:
    (cue,) = corpus("youtube.srv3").cues
    assert cue.words == ((1500, "word"), (1800, " by"), (2200, " word"))


def test_ttml_knows_frames_ticks_nested_times_and_timed_spans() -> None:
    cues, skipped = corpus("ttml-nested.ttml")
    assert [(cue.start, cue.end, cue.text) for cue in cues] == [
        (11500, 12200, "clock\nand frames"),
        (13000, 13500, "ticks & offset"),
        (20000, 21000, "one two"),
    ]
    assert [word.start for word in cues[2].words] == [20000, 20500]
    assert skipped == 1


def test_broken_xml_gives_its_good_part_and_counts_the_rest() -> None:
    cues, skipped = corpus("ttml-cut-off.ttml")
    assert [cue.text for cue in cues] == ["saved"]
    assert skipped == 2


def test_a_document_type_is_refused_so_entities_never_expand() -> None:
    assert corpus("xml-bomb.ttml") == ([], 1)


def test_lyrics_come_at_each_of_their_times_moved_by_the_offset() -> None:
    cues, skipped = corpus("lyrics.lrc")
    assert [(cue.start, cue.end, cue.text) for cue in cues] == [
        (1000, 4000, "Chorus line"),
        (4000, 6500, "Word by word"),
        (9000, 17000, "Chorus line"),
    ]
    assert [word.start for word in cues[1].words] == [4000, 4500, 5000]
    assert skipped == 1


def test_ass_keeps_speakers_and_karaoke_and_leaves_out_drawings() -> None:
    cues, skipped = corpus("karaoke.ass")
    assert cues[0] == Cue(1000, 3000, "Hello, you\nthere", "Ann")
    assert [word.start for word in cues[1].words] == [4000, 4500, 5000]
    assert (len(cues), skipped) == (2, 1)


def test_ass_times_and_text_are_what_ffmpeg_reads() -> None:
    command = ["ffmpeg", "-v", "quiet", "-i", str(CORPUS / "karaoke.ass"), "-f", "srt", "-"]
    theirs = read(subprocess.run(command, capture_output=True, check=True).stdout, "srt").cues
    ours = corpus("karaoke.ass").cues
    assert [(cue.start, cue.end, cue.text) for cue in theirs if not cue.text.startswith("m 0")] == [
        (cue.start, cue.end, cue.text) for cue in ours
    ]


def test_an_unknown_format_is_recognised_by_its_text() -> None:
    for path in CORPUS.iterdir():
        named = read(path.read_bytes(), path.suffix[1:])
        assert [cue.text for cue in read(path.read_bytes(), "unknown").cues] == [
            cue.text for cue in named.cues
        ]


def test_a_web_page_has_no_cues() -> None:
    assert corpus("not-captions.html").cues == []


@pytest.mark.slow
def test_a_file_made_to_fill_the_memory_is_bounded() -> None:
    data = b"".join(b"00:01 --> 00:02\na\n\n" for _ in range(MAX_CUES + 10))
    cues, skipped = read(data, "vtt")
    assert (len(cues), skipped) == (MAX_CUES, 10)


@pytest.mark.parametrize(
    ("format", "data"),
    [
        ("vtt", b"00:01.000 --> 00:02.000\n" + b"<c " * 300_000),
        ("vtt", b"00:01.000 --> 00:02.000\na<00:00:01.500>\n" + b" " * 300_000 + b"b\n" + b"1" * 300_000),
        ("srt", b"--> " + b"1" * 1_000_000),
        ("lrc", b"[a" + b":" * 300_000),
        ("ttml", b"<tt><body><p begin='1s'>" + b"a<br/>" * 100_000 + b"</p></body></tt>"),
        ("ttml", b"<a>" * 100_000),
        ("ass", b"Dialogue: 0,0:00:01.00,0:00:03.00,,,,,,," + b"{\\i1}a" * 100_000),
        ("json3", b"[" * 100_000),
        ("json3", b'{"events":[{"tStartMs":' + b"9" * 5000 + b"}]}"),
    ],
)
@pytest.mark.timeout(40)
def test_hostile_files_are_read_in_linear_time(format: str, data: bytes) -> None:
    read(data, format)


_pieces = st.sampled_from(
    [
        *(path.read_bytes()[:300] for path in sorted(CORPUS.iterdir())),
        b"00:00:01.000 --> 00:00:02.000\n",
        b"<00:00:01.500>",
        b"<v A>",
        b"\n\n",
        b"&#0;&#xd800;&nbsp;",
        b'{"events":[{"tStartMs":1,"segs":[{"utf8":',
        b"<p begin='1s' t='1'>",
        b"<text start='1'>",
        b"[00:01.00]",
        b"Dialogue: 0,0:00:01.00,0:00:03.00,,,,,,,{\\k1}",
    ]
)
_bytes = st.binary(max_size=200) | st.lists(_pieces | st.binary(max_size=8), max_size=8).map(b"".join)


@pytest.mark.parametrize("format", [*READERS, "", "mp4"])
@settings(max_examples=60, deadline=None)
@given(data=_bytes)
@example(data=b"")
@example(data=b"\xff\xfe\x00")
@example(data=b"00:00 --> 00:01\na<00:00>\n\xa0b")
def test_any_bytes_give_a_model_that_keeps_its_promises(format: str, data: bytes) -> None:
    cues, skipped = read(data, format)
    assert skipped >= 0
    for cue in cues:
        assert cue.start >= 0
        assert all(row and row == row.strip() for row in cue.text.split("\n"))
        assert not cue.words or "".join(word.text for word in cue.words) == cue.text
    write_srt(Transcript(cues)).encode("utf-8")
