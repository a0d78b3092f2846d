"""One call from a site's bytes to the transcripts asked for."""

import gc
import logging

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.captions import automatic_vtt
from shared.errors import Code, JobError
from shared.options import CaptionFormat, Clip
from tests.worker.captions.makers import CORPUS
from worker.captions import Cue, Word, convert, read
from worker.captions.convert import cut
from worker.child.protocol import Chapter

ALL = tuple(CaptionFormat)


def test_every_format_asked_for_comes_from_one_file() -> None:
    data = (CORPUS / "vtt-rolling.vtt").read_bytes()
    texts = convert(data, "vtt", automatic=True, formats=ALL)
    assert set(texts) == set(ALL)
    assert texts[CaptionFormat.TXT] == "hello world again no no never\n"
    assert texts[CaptionFormat.VTT].count("-->") == texts[CaptionFormat.SRT].count("-->") == 3


def test_only_what_was_asked_for_is_written() -> None:
    data = (CORPUS / "vtt-karaoke.vtt").read_bytes()
    assert list(convert(data, "vtt", automatic=False, formats=[CaptionFormat.SRT])) == [CaptionFormat.SRT]


def test_a_clip_cuts_and_shifts_cues_words_and_chapters() -> None:
    data = b"00:08.000 --> 00:10.000\nbefore\n\n00:10.000 --> 00:14.000\n"
    data += b"Never<00:11.000> gonna<00:13.000> give\n\n"
    data += b"00:14.000 --> 00:16.000\nafter"
    texts = convert(
        data,
        "vtt",
        automatic=False,
        formats=ALL,
        chapters=[Chapter(start=0, end=10, title="Gone"), Chapter(start=10, end=20, title="Here")],
        clip=Clip(start=11.5, end=14),
    )
    assert texts[CaptionFormat.SRT] == "1\n00:00:00,000 --> 00:00:02,500\ngonna give\n"
    assert texts[CaptionFormat.TXT] == "== Here ==\n\ngonna give\n"


def test_cut_words_keep_their_times() -> None:
    cue = Cue(10_000, 14_000, "a b c", None, (Word(10_000, "a"), Word(11_000, " b"), Word(13_000, " c")))
    assert cut([cue], Clip(start=12, end=13)) == [Cue(0, 1000, "b")._replace(words=(Word(0, "b"),))]


def test_a_sliver_of_a_cue_at_the_clips_edge_is_left_out() -> None:
    assert cut([Cue(0, 5000, "gone"), Cue(5000, 9000, "here")], Clip(start=4.95, end=20)) == [
        Cue(50, 4050, "here")
    ]


def test_a_clip_without_speech_is_an_empty_transcript_and_no_error() -> None:
    data = (CORPUS / "vtt-karaoke.vtt").read_bytes()
    texts = convert(data, "vtt", automatic=False, formats=ALL, clip=Clip(start=100, end=200))
    assert texts.pop(CaptionFormat.JSON) == '{"language": null, "chapters": [], "cues": []}'
    assert texts == {
        CaptionFormat.SRT: "", CaptionFormat.VTT: "WEBVTT\n", CaptionFormat.TXT: "", CaptionFormat.MD: "",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["not-captions.html", "xml-bomb.ttml"])
def test_a_file_without_one_cue_is_no_captions(name: str) -> None:
    with pytest.raises(JobError) as caught:
        convert((CORPUS / name).read_bytes(), name.rpartition(".")[2], automatic=False, formats=ALL)
    assert caught.value.code is Code.NO_CAPTIONS


def test_what_could_not_be_read_is_counted_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        convert((CORPUS / "vtt-broken-cues.vtt").read_bytes(), "vtt", automatic=False, formats=ALL)
    assert "1 parts of a vtt file" in caplog.text


@settings(deadline=None)
@given(
    st.binary(max_size=200)
    | st.sampled_from([path.read_bytes() for path in sorted(CORPUS.iterdir())]).flatmap(
        lambda data: st.integers(0, len(data)).map(lambda end: data[:end])
    ),
    st.sampled_from(["vtt", "srt", "json3", "ttml", "srv3", "lrc", "ass", "?"]),
    st.booleans(),
)
def test_nothing_but_no_captions_is_ever_raised(data: bytes, format: str, automatic: bool) -> None:
    try:
        texts = convert(data, format, automatic=automatic, formats=ALL, clip=Clip(start=1, end=3))
    except JobError as error:
        assert error.code is Code.NO_CAPTIONS
    else:
        assert texts[CaptionFormat.VTT].startswith("WEBVTT\n")
    assert gc.isenabled()


def test_a_long_automatic_file_has_each_line_once() -> None:
    data = automatic_vtt(2000).encode()
    text = convert(data, "vtt", automatic=True, formats=[CaptionFormat.SRT])[CaptionFormat.SRT]
    assert len(read(text.encode(), "srt").cues) == 1000
