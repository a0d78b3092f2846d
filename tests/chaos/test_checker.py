"""The checker itself: a good run passes, and every doctored history is seen through."""

from collections.abc import Callable

import pytest

from tests.chaos.chat import Message, Shown
from tests.chaos.checker import Acknowledged, Run, Verdict, check
from tests.chaos.evidence import Evidence, FileSeen, JobSeen
from tests.chaos.plan import Ask, Expected, make_plan

QUEUED = Shown("Queued", is_final=False)
DONE = Shown("done: The ferry at noon", is_final=True)
FAILED = Shown("failed: This video is private.", is_final=True)
CANCELLED = Shown("cancelled: Cancelled.", is_final=True)


def good_run() -> Run:
    """Four requests: one fine, one that joined it, one refused by the site, one cancelled."""
    ends = {"job-0": "done", "job-1": "joined", "job-2": "failed", "job-3": "cancelled"}
    finals = (DONE, DONE, FAILED, CANCELLED)
    expected = (Expected.OK, Expected.OK, Expected.FAILED, Expected.OK)
    return Run(
        plan=[Ask(number, 0.0, "ann", f"/{number}", expected[number]) for number in range(4)],
        attempted=set(range(4)),
        acknowledged={number: Acknowledged(f"request-{number}", f"job-{number}") for number in range(4)},
        cancels={3},
        hits={},
        original="abc",
        evidence=Evidence(
            jobs={
                name: JobSeen(
                    name,
                    state,
                    joined_to="job-0" if state == "joined" else None,
                    error="private" if state == "failed" else None,
                    attempt=2,
                )
                for name, state in ends.items()
            },
            requests={f"request-{number}": f"job-{number}" for number in range(4)},
            files=[FileSeen("job-0", "job-0/2.video.mp4", "abc", "abc")],
            messages={
                f"message-{number}": Message(f"request-{number}", [QUEUED, finals[number]])
                for number in range(4)
            },
        ),
    )


def doctored(change: Callable[[Run], object]) -> Verdict:
    """The verdict on a good run after one change."""
    run = good_run()
    change(run)
    return check(run)


def test_a_good_run_passes() -> None:
    verdict = check(good_run())
    assert verdict.problems == []
    assert verdict.table == {
        "attempted": 4,
        "acknowledged": 4,
        "ok": 2,
        "failed as expected": 1,
        "cancelled": 1,
        "lost": 0,
        "duplicated": 0,
        "recovered": 1,
        "failed tries": 0,
        "abandoned messages": 0,
    }


def test_a_result_that_is_shown_again_is_no_second_one() -> None:
    def repeat(run: Run) -> None:
        run.evidence.messages["message-0"].shown.append(DONE)

    assert doctored(repeat).problems == []


LOST: dict[str, Callable[[Run], object]] = {
    "its message never left queued": lambda run: run.evidence.messages["message-0"].shown.pop(),
    "it has no message": lambda run: run.evidence.messages.pop("message-0"),
    "its row is gone": lambda run: run.evidence.requests.pop("request-0"),
    "its job is gone": lambda run: run.evidence.jobs.pop("job-0"),
}


@pytest.mark.parametrize("how", LOST)
def test_a_lost_request_is_seen(how: str) -> None:
    verdict = doctored(LOST[how])
    assert verdict.table["lost"] >= 1
    assert any(problem.startswith("LOST: request 0") for problem in verdict.problems)


def other_message(run: Run) -> None:
    run.evidence.messages["message-9"] = Message("request-0", [DONE])


def other_text(run: Run) -> None:
    run.evidence.messages["message-0"].shown.append(CANCELLED)


@pytest.mark.parametrize("change", [other_message, other_text])
def test_a_doubled_result_is_seen(change: Callable[[Run], None]) -> None:
    verdict = doctored(change)
    assert verdict.table["duplicated"] == 1
    assert any(problem.startswith("DUPLICATED: request 0") for problem in verdict.problems)


def job(run: Run, name: str, **changes: object) -> None:
    """Replace what is known about a job."""
    before = run.evidence.jobs[name]
    run.evidence.jobs[name] = JobSeen(**{**vars(before), **changes})


WRONG: dict[str, tuple[Callable[[Run], object], str]] = {
    "an edit after the end": (
        lambda run: run.evidence.messages["message-0"].shown.append(QUEUED),
        "after its final text",
    ),
    "never acknowledged": (lambda run: run.acknowledged.pop(2), "request 2 was never acknowledged"),
    "a job without an end": (lambda run: job(run, "job-0", state="running"), "has not ended: running"),
    "told what is not so": (lambda run: job(run, "job-2", state="cancelled"), "was told 'failed'"),
    "cancelled by nobody": (lambda run: run.cancels.clear(), "request 3 (/3) ended as cancelled"),
    "failed for another reason": (
        lambda run: job(run, "job-2", error="internal"),
        "ended as failed: internal",
    ),
    "still pending": (lambda run: run.evidence.undelivered.append("request-0"), "still pending"),
    "a mixed up video": (
        lambda run: run.evidence.files.__setitem__(0, FileSeen("job-0", "job-0/2.video.mp4", "b", "b")),
        "not what the site sent",
    ),
    "a file without an artifact": (lambda run: run.evidence.orphans.append("x"), "stored file without"),
    "a work folder": (lambda run: run.evidence.folders.append("x"), "work folder: x"),
    "a process": (lambda run: run.evidence.processes.append("7 ffmpeg"), "process: 7 ffmpeg"),
    "outbox rows": (lambda run: setattr(run.evidence, "waiting", 2), "2 outbox rows"),
    "a job that ended twice": (
        lambda run: run.evidence.files.append(FileSeen("job-0", "job-0/1.video.mp4", "a", "a")),
        "ended twice",
    ),
    "no artifact": (lambda run: run.evidence.files.clear(), "done and has no files"),
    "a missing file": (
        lambda run: run.evidence.files.append(FileSeen("job-0", "job-0/2.info.json", "a", None)),
        "is not there",
    ),
    "a spoilt file": (
        lambda run: run.evidence.files.append(FileSeen("job-0", "job-0/2.info.json", "a", "b")),
        "is not itself",
    ),
}


@pytest.mark.parametrize("how", WRONG)
def test_every_other_broken_promise_is_named(how: str) -> None:
    change, words = WRONG[how]
    assert any(words in problem for problem in doctored(change).problems)


@pytest.mark.parametrize(("hits", "is_fine"), [(2, False), (3, True)])
def test_a_quarantined_job_is_excused_by_three_hits_only(hits: int, is_fine: bool) -> None:
    def quarantine(run: Run) -> None:
        job(run, "job-0", state="failed", error="crashed", crashes=3)
        run.evidence.files.clear()
        for number in (0, 1):
            run.evidence.messages[f"message-{number}"].shown[-1] = FAILED
        run.hits["job-0"] = hits

    assert (doctored(quarantine).problems == []) is is_fine


def test_a_seed_makes_the_same_plan_again() -> None:
    assert make_plan(7, 60) == make_plan(7, 60)
    assert make_plan(7, 60) != make_plan(8, 60)
    assert {ask.expected for ask in make_plan(7, 60)} == set(Expected)
    assert any(ask.cancel_after is not None for ask in make_plan(7, 60))
