"""What is kept, copied or encoded, decided without touching a file."""

import pytest

from shared.errors import Code, JobError
from shared.options import Clip, MediaFormat, Options
from tests.worker.media.conftest import media
from worker.media import plan
from worker.media.plan import needs_keyframe

H264, VP9, AV1, AAC, OPUS = "video h264", "video vp9", "video av1", "audio aac", "audio opus"


def wanted(format: str, start: float | None = None, end: float = 0.0) -> Options:
    return Options(format=MediaFormat(format), clip=None if start is None else Clip(start=start, end=end))


@pytest.mark.parametrize(
    ("container", "streams", "format"),
    [
        ("mp4", (H264, AAC), "mp4"),
        ("mp4", ("video hevc", "audio ac3"), "mp4"),
        ("mp4", (AV1, "audio mp3"), "mp4"),
        ("mp4", (VP9, AAC), "mp4"),
        ("mp4", (H264,), "mp4"),
        ("mp4", (H264, AAC, "other mov_text"), "mp4"),
        ("webm", (VP9, OPUS), "webm"),
        ("webm", ("video vp8", "audio vorbis"), "webm"),
        ("mkv", (H264, "audio flac"), "mkv"),
        ("webm", (VP9, OPUS), "mkv"),
        ("mp4", (AAC,), "m4a"),
        ("mp4", (AAC, "picture mjpeg"), "m4a"),
        ("mp3", ("audio mp3", "picture mjpeg"), "mp3"),
        ("mp3", ("audio mp3", "picture mjpeg"), "mp4"),
        ("mp4", (AAC, "picture mjpeg"), "mp4"),
        ("wav", ("audio pcm_s16le",), "wav"),
    ],
)
def test_what_is_right_already_is_kept(container: str, streams: tuple[str, ...], format: str) -> None:
    assert plan([media(container, *streams)], wanted(format)).is_done


@pytest.mark.parametrize(
    ("container", "streams", "format"),
    [
        ("mkv", (H264, AAC), "mp4"),
        ("mov", (H264, AAC), "mp4"),
        ("mpegts", (H264, AAC), "mp4"),
        ("webm", (VP9,), "mp4"),
        ("mkv", (AV1, OPUS), "webm"),
        ("mp4", (H264, AAC), "mkv"),
        ("avi", ("video wmv2", "audio wmav2"), "mkv"),
        ("mp4", (H264, AAC), "m4a"),
        ("mpegts", (H264, "audio mp3"), "mp3"),
        ("mov", ("audio pcm_s24le",), "wav"),
    ],
)
def test_codecs_that_fit_are_copied(container: str, streams: tuple[str, ...], format: str) -> None:
    decision = plan([media(container, *streams)], wanted(format))
    assert not decision.is_done
    assert [track.encoder for track in decision.tracks] == [None] * len(decision.tracks)


@pytest.mark.parametrize(
    ("streams", "format", "encoders"),
    [
        ((VP9, OPUS), "mp4", [None, "aac"]),
        (("video vp8", "audio vorbis"), "mp4", ["libx264", "aac"]),
        (("video mpeg4", "audio mp3"), "mp4", ["libx264", None]),
        ((H264, AAC), "webm", ["libvpx-vp9", "libopus"]),
        ((VP9, AAC), "webm", [None, "libopus"]),
        ((VP9, OPUS), "mp3", ["libmp3lame"]),
        ((VP9, OPUS), "m4a", ["aac"]),
        ((VP9, OPUS), "wav", ["pcm_s16le"]),
    ],
)
def test_only_streams_that_do_not_fit_are_encoded(
    streams: tuple[str, ...], format: str, encoders: list[str | None]
) -> None:
    decision = plan([media("mkv", *streams)], wanted(format))
    assert not decision.is_done
    assert [track.encoder for track in decision.tracks] == encoders


@pytest.mark.parametrize(
    "changes", [{"faststart": False}, {"fragmented": True}, {"duration": None}], ids=lambda c: next(iter(c))
)
def test_an_mp4_that_is_not_plain_is_remuxed(changes: dict[str, object]) -> None:
    decision = plan([media("mp4", H264, AAC, **changes)], wanted("mp4"))
    assert not decision.is_done
    assert [track.encoder for track in decision.tracks] == [None, None]


def test_a_separate_audio_file_replaces_the_sound_of_the_video_file() -> None:
    decision = plan([media("mp4", H264, AAC), media("mp4", AAC)], wanted("mp4"))
    assert not decision.is_done
    assert [(track.source, track.stream.index) for track in decision.tracks] == [(0, 0), (1, 0)]


def test_every_language_of_a_video_is_kept_but_an_audio_format_takes_the_first() -> None:
    source = media("mkv", H264, AAC, AAC)
    assert len(plan([source], wanted("mp4")).tracks) == 3
    assert [track.stream.index for track in plan([source], wanted("m4a")).tracks] == [1]


@pytest.mark.parametrize(
    ("codec", "form", "encoder"), [("aac", "m4a", None), ("ac3", "m4a", "aac"), ("mp3", "mp3", None)]
)
def test_sound_without_pictures_becomes_a_sound_file_where_mp4_was_asked_for(
    codec: str, form: str, encoder: str | None
) -> None:
    decision = plan([media("flv", f"audio {codec}")], wanted("mp4"))
    assert decision.format == form
    assert [track.encoder for track in decision.tracks] == [encoder]


class TestClip:
    source = media("mp4", H264, AAC)

    def test_with_a_keyframe_just_before_it_is_copied(self) -> None:
        decision = plan([self.source], wanted("mp4", 10, 20), keyframe=9.6)
        assert (decision.is_done, decision.start, decision.length) == (False, 10, 10)
        assert [track.encoder for track in decision.tracks] == [None, None]

    @pytest.mark.parametrize("keyframe", [None, 9.4, 10.1])
    def test_without_one_the_pictures_are_encoded(self, keyframe: float | None) -> None:
        decision = plan([self.source], wanted("mp4", 10, 20), keyframe)
        assert [track.encoder for track in decision.tracks] == ["libx264", None]

    def test_of_sound_needs_no_keyframe(self) -> None:
        assert needs_keyframe([self.source], wanted("m4a", 10, 20)) is None
        assert [track.encoder for track in plan([self.source], wanted("m4a", 10, 20)).tracks] == [None]

    def test_of_pictures_that_are_encoded_anyway_needs_no_keyframe(self) -> None:
        assert needs_keyframe([self.source], wanted("webm", 10, 20)) is None
        assert needs_keyframe([self.source], wanted("mp4", 10, 20)) == (
            self.source,
            self.source.streams[0],
        )

    def test_that_ends_after_the_end_is_cut_to_it(self) -> None:
        assert plan([self.source], wanted("mp4", 50, 100)).duration == 10

    def test_that_is_the_whole_video_cuts_nothing(self) -> None:
        assert plan([self.source], wanted("mp4", 0, 60)).is_done

    def test_that_starts_after_the_end_is_refused(self) -> None:
        with pytest.raises(JobError) as caught:
            plan([self.source], wanted("mp4", 60, 70))
        assert caught.value.code is Code.CLIP_OUTSIDE


def test_a_cut_off_file_is_refused() -> None:
    with pytest.raises(JobError) as caught:
        plan([media("mp4", H264, AAC, whole=False)], wanted("mkv"))
    assert caught.value.code is Code.BROKEN_FILE


@pytest.mark.parametrize(("streams", "format"), [((H264,), "mp3"), (("picture png",), "mp4"), ((), "mkv")])
def test_nothing_of_the_kind_asked_for_is_no_format(streams: tuple[str, ...], format: str) -> None:
    with pytest.raises(JobError) as caught:
        plan([media("mp4", *streams)], wanted(format))
    assert caught.value.code is Code.NO_FORMAT
