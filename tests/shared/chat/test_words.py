"""Numbers and states in words."""

from typing import Any

import pytest

from shared.chat.words import STAGE_WORDS, brief, facts, share, stage_words
from shared.errors import Code
from shared.models import JobState, Stage
from shared.results import error_view
from tests.shared.chat.fakes import a_view


@pytest.mark.parametrize(
    ("progress", "done"),
    [
        ({"done": 25, "total": 100}, 0.25),
        ({"done": 25, "total": 0}, None),
        ({"done": 120, "total": 100}, 1.0),
        ({"fraction": -0.1}, 0.0),
        ({"fraction": 0.5, "done": 1, "total": 100}, 0.5),
        ({}, None),
    ],
)
def test_how_much_is_done(progress: dict[str, float], done: float | None) -> None:
    assert share(progress) == done


def test_only_what_is_known_is_told() -> None:
    assert facts({}) == []
    assert facts({"done": 1e6}) == ["1.0 MB"]
    known = {"done": 1e6, "total": 2e6, "speed": 5e5, "eta": 2.0}
    assert facts(known) == ["1.0 MB of 2.0 MB", "500 kB/s", "0:02 left"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"state": JobState.QUEUED}, "Queued"),
        (
            {"state": JobState.QUEUED, "retry_in": 9.0, "error": error_view(Code.NETWORK, "No answer.")},
            "Trying again soon. No answer.",
        ),
        ({"state": JobState.QUEUED, "retry_in": 9.0}, "Trying again soon."),
        ({"stage": None}, "Starting"),
        ({"stage": Stage.STORE}, "Storing"),
        ({"state": JobState.CANCELLED}, "Cancelled"),
    ],
)
def test_what_a_job_does_now(changes: dict[str, Any], words: str) -> None:
    assert stage_words(a_view().model_copy(update=changes)) == words


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"state": JobState.QUEUED, "position": 2}, "Queued · number 2 in line"),
        (
            {
                "state": JobState.QUEUED,
                "retry_in": 9.0,
                "position": 2,
                "error": error_view(Code.NETWORK, "No."),
            },
            "Trying again soon",
        ),
        ({"progress": {"fraction": 0.5}}, "Downloading · 50%"),
        ({"state": JobState.DONE, "duration_seconds": 80.0}, "Done · 1:20"),
        ({"state": JobState.DONE, "duration_seconds": 80.0, "offers": ()}, "waits for your choice"),
    ],
)
def test_how_it_is_doing_fits_a_line(changes: dict[str, Any], words: str) -> None:
    assert brief(a_view().model_copy(update=changes)) == words


def test_every_stage_has_its_words() -> None:
    assert set(STAGE_WORDS) == set(Stage)
