"""Every failure has words for a person, and keeps its cause for the log."""

import pytest

from shared.errors import FAILURES, Code, CommandError, ConfigError, JobError, LinkferryError, Retry


@pytest.mark.parametrize("code", list(Code))
def test_every_code_has_a_sentence_and_a_next_step(code: Code) -> None:
    failure = FAILURES[code]
    for text in (failure.sentence, failure.next_step):
        assert text[0].isupper() and text.endswith(".")
        assert text.isprintable() and 8 < len(text) <= 120
    assert JobError(code).message == f"{failure.sentence} {failure.next_step}"


@pytest.mark.parametrize("code", list(Code))
def test_no_failure_promises_another_try_since_any_can_be_the_last(code: Code) -> None:
    assert "I keep" not in JobError(code).message


def test_no_two_codes_say_the_same() -> None:
    assert len({failure.sentence for failure in FAILURES.values()}) == len(Code) == len(FAILURES)


@pytest.mark.parametrize(
    ("retry", "codes"),
    [
        (Retry.COOL_DOWN, {Code.THROTTLED, Code.BOT_CHECK}),
        (
            Retry.BACKOFF,
            {
                Code.NETWORK,
                Code.SITE_ERROR,
                Code.STALLED,
                Code.BROKEN_FILE,
                Code.DISK_FULL,
                Code.INTERNAL,
            },
        ),
    ],
)
def test_only_what_may_pass_is_tried_again(retry: Retry, codes: set[Code]) -> None:
    assert {code for code, failure in FAILURES.items() if failure.retry is retry} == codes


def test_a_number_that_belongs_in_the_sentence_replaces_it_and_keeps_the_next_step() -> None:
    error = JobError(Code.PLAYLIST, sentence="That link is a playlist of 42 videos.")
    assert error.message == "That link is a playlist of 42 videos. Send the link of one video in it."


def test_the_cause_goes_to_the_log_and_not_to_the_person() -> None:
    error = JobError(Code.THROTTLED, "HTTP 429 from example.com", retry_after=30)
    assert str(error) == "throttled: HTTP 429 from example.com"
    assert "429" not in error.message
    assert error.retry_after == 30


def test_without_a_cause_the_log_gets_the_code() -> None:
    assert str(JobError(Code.DRM)) == "drm"


@pytest.mark.parametrize("error", [JobError(Code.DRM), CommandError("x"), ConfigError("x")])
def test_all_of_them_are_one_tree(error: Exception) -> None:
    assert isinstance(error, LinkferryError)
