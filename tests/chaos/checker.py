"""The verdict on a run: pure, from what was asked, what happened and what is there."""

from collections import defaultdict
from dataclasses import dataclass, field

from shared.errors import Code
from shared.models import JobState
from shared.retry import MAX_CRASHES
from tests.chaos.chat import Message
from tests.chaos.evidence import Evidence, JobSeen
from tests.chaos.plan import REFUSALS, Ask, Expected

ENDS = (JobState.DONE, JobState.FAILED, JobState.CANCELLED)
MAX_HOPS = 8


@dataclass(frozen=True)
class Acknowledged:
    """What the publisher was promised: this request is in, and this job carries it."""

    request: str
    job: str


@dataclass(frozen=True)
class Run:
    """A whole run. `attempted`, `acknowledged` and `cancels` are by the number of the request."""

    plan: list[Ask]
    attempted: set[int]
    acknowledged: dict[int, Acknowledged]
    cancels: set[int]
    hits: dict[str, int]  # by job: how often its worker was killed or frozen
    evidence: Evidence
    original: str = ""  # SHA-256 of the video that the site sends
    counts: dict[str, int] = field(default_factory=dict)  # for the table only: crashes, lease steals ...


@dataclass
class Verdict:
    """The table, and every broken promise as a sentence."""

    table: dict[str, int]
    problems: list[str]

    def __str__(self) -> str:
        rows = [f"{name:<20}{number:>6}" for name, number in self.table.items()]
        return "\n".join([*rows, *(f"PROBLEM: {problem}" for problem in self.problems)])


def check(run: Run) -> Verdict:
    """Count how every request ended, and name every promise that was broken."""
    judge = _Judge(run)
    for ask in run.plan:
        judge.look_at(ask)
    judge.look_at_what_is_left()
    kinds = ("ok", "failed as expected", "cancelled", "lost", "duplicated")
    table = {"attempted": len(run.attempted), "acknowledged": len(run.acknowledged)}
    table |= {kind: judge.counted[kind] for kind in kinds}
    table |= {"recovered": sum(map(_was_recovered, run.evidence.jobs.values()))}
    table |= {"failed tries": sum(job.failures for job in run.evidence.jobs.values() if _is_done(job))}
    unfinished = [message for message in run.evidence.messages.values() if not message.shown[-1].is_final]
    table |= {"abandoned messages": len(unfinished)}
    return Verdict(table | run.counts, judge.problems)


class _Judge:
    def __init__(self, run: Run) -> None:
        self._run = run
        self._seen = run.evidence
        self.problems: list[str] = []
        self.counted: dict[str, int] = defaultdict(int)
        self._messages: dict[str, list[tuple[str, Message]]] = defaultdict(list)
        for reference, message in self._seen.messages.items():
            self._messages[message.request].append((reference, message))

    def look_at(self, ask: Ask) -> None:
        """One request: was it kept, did its job end as it should, was that said once?"""
        promise = self._run.acknowledged.get(ask.number)
        if promise is None:
            self.problems.append(f"request {ask.number} was never acknowledged")
            return
        job = self._end_of(self._seen.requests.get(promise.request))
        finals = self._finals(promise.request)
        if job is None or not finals:
            self.counted["lost"] += 1
            what = "has no row or job" if job is None else f"got no final message (its job is {job.state})"
            self.problems.append(f"LOST: request {ask.number} {what}")
            return
        if len(finals) > 1:
            self.counted["duplicated"] += 1
            self.problems.append(f"DUPLICATED: request {ask.number} got {finals}")
        if promise.request in self._seen.undelivered:
            self.problems.append(f"the delivery of request {ask.number} is still pending")
        self._judge_end(ask, job, finals[0][1])

    def _judge_end(self, ask: Ask, job: JobSeen, said: str) -> None:
        state = said.split(":", 1)[0]
        may_cancel = ask.number in self._run.cancels
        if state == JobState.CANCELLED and may_cancel:
            self.counted["cancelled"] += 1
        elif job.state not in ENDS:
            self.problems.append(f"request {ask.number}: its job is {job.state}, which is no end")
        elif state != job.state:
            self.problems.append(f"request {ask.number} was told {state!r}, but its job is {job.state}")
        elif state == JobState.DONE and ask.expected is Expected.OK:
            self.counted["ok"] += 1
            self._compare(ask, job)
        elif state == JobState.FAILED and (_is_refused(ask, job) or self._is_quarantined(job)):
            self.counted["failed as expected"] += 1
        else:
            facts = f"{job.error}, {job.failures} failures, {job.crashes} crashes, {self._hits(job)} hits"
            self.problems.append(f"request {ask.number} ({ask.path}) ended as {state}: {facts}")

    def _compare(self, ask: Ask, job: JobSeen) -> None:
        """Two attempts in one work folder, or a resumed download, must not have mixed anything up."""
        videos = [file for file in self._seen.files if file.job == job.id and ".video." in file.key]
        if ask.is_copy and [video.sha256 for video in videos] != [self._run.original]:
            self.problems.append(f"request {ask.number}: its video is not what the site sent")

    def _is_quarantined(self, job: JobSeen) -> bool:
        return job.error == Code.CRASHED and self._hits(job) >= MAX_CRASHES

    def _hits(self, job: JobSeen) -> int:
        return self._run.hits.get(job.id, 0)

    def _end_of(self, job_id: str | None) -> JobSeen | None:
        """The job that answers, joins followed."""
        for _ in range(MAX_HOPS):
            job = self._seen.jobs.get(job_id or "")
            if job is None or job.joined_to is None:
                return job
            job_id = job.joined_to
        return None

    def _finals(self, request: str) -> list[tuple[str, str]]:
        """The distinct final things a person saw, by message; showing the same again is none."""
        finals: dict[tuple[str, str], None] = {}
        for reference, message in self._messages[request]:
            ended = False
            for shown in message.shown:
                if shown.is_final:
                    finals[reference, shown.text] = None
                elif ended:
                    self.problems.append(f"{reference} showed {shown.text!r} after its final text")
                ended = ended or shown.is_final
        return list(finals)

    def look_at_what_is_left(self) -> None:
        """Files, folders, rows and processes that must or must not be there."""
        evidence = self._seen
        attempts: dict[str, set[str]] = defaultdict(set)
        for file in evidence.files:
            attempts[file.job].add(file.key.rsplit("/", 1)[-1].split(".")[0])
            if file.found != file.sha256:
                self.problems.append(f"{file.key} is {'not there' if file.found is None else 'not itself'}")
        for job in evidence.jobs.values():
            has_files = bool(attempts[job.id])
            if has_files != (job.state == JobState.DONE):
                self.problems.append(f"job {job.id} is {job.state} and has {'' if has_files else 'no '}files")
            if len(attempts[job.id]) > 1:
                self.problems.append(f"job {job.id} ended twice: attempts {sorted(attempts[job.id])}")
            if job.state not in (*ENDS, JobState.JOINED):
                self.problems.append(f"job {job.id} has not ended: {job.state}")
        left = {"stored file without an artifact": evidence.orphans, "work folder": evidence.folders}
        left |= {"process": evidence.processes, "surprise": evidence.wrongs}
        for kind, found in left.items():
            self.problems += [f"{kind}: {one}" for one in found]
        if evidence.waiting:
            self.problems.append(f"{evidence.waiting} outbox rows wait")


def _is_refused(ask: Ask, job: JobSeen) -> bool:
    """The site said no for good, as it was to."""
    return ask.expected is Expected.FAILED and job.error in REFUSALS


def _was_recovered(job: JobSeen) -> bool:
    """Done, although an attempt at it came to nothing."""
    return _is_done(job) and job.attempt > 1


def _is_done(job: JobSeen) -> bool:
    return job.state == JobState.DONE
