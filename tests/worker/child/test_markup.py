"""Cues come from strangers: no pattern that reads one may take longer than its length."""

import time

import pytest

from worker.captions.markup import marked_cue

LENGTH = 100_000


@pytest.mark.parametrize(
    "unit", ["<v x", "<v.a", "<c.", "<c ", "<br ", "</", "<0:", "&#", "&a", "<rt>", "<v a>", "<1:2.3", " \n<"]
)
@pytest.mark.parametrize("repeated", ["all", "last character"])
def test_hostile_cues_take_no_time(unit: str, repeated: str) -> None:
    payload = unit * (LENGTH // len(unit)) if repeated == "all" else "<v" + unit[:-1] + unit[-1] * LENGTH
    started = time.process_time()
    marked_cue(0, 1, payload)
    assert time.process_time() - started < 5


def test_a_voice_with_endless_spaces_takes_no_time() -> None:
    started = time.process_time()
    marked_cue(0, 1, "<v" + " " * LENGTH)
    assert time.process_time() - started < 5


@pytest.mark.parametrize("spaces", [" ", "   ", " \t "])
def test_a_voice_is_still_a_speaker(spaces: str) -> None:
    cue = marked_cue(0, 1, f"<v.loud{spaces}Ann Lee>Hello</v>")
    assert cue is not None
    assert (cue.speaker, cue.text) == ("Ann Lee", "Hello")
