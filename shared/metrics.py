"""What happened in this process, counted for Prometheus. What the database knows is in `load.py`.

Labels are words of our own, never a person, a chat, a job or a link: each value is a series that is kept.
"""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

from shared.errors import Code
from shared.states import JobState

disable_created_metrics()  # type: ignore[no-untyped-call]  # of every series a second one, which only says when it began

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

_STAGE_BUCKETS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)  # seconds

JOBS_ENDED = Counter(
    "linkferry_jobs_ended", "Jobs that ended, by state and error code.", ("state", "code"), registry=REGISTRY
)
STAGE_SECONDS = Histogram(
    "linkferry_stage_duration_seconds",
    "How long jobs were in a stage, however it ended.",
    ("stage",),
    buckets=_STAGE_BUCKETS,
    registry=REGISTRY,
)
LEASE_STEALS = Counter(
    "linkferry_lease_steals", "Jobs taken from workers that fell silent.", registry=REGISTRY
)
FENCED_WRITES = Counter(
    "linkferry_fenced_writes",
    "Writes of workers refused because the job was not theirs any more.",
    registry=REGISTRY,
)
CHILD_CRASHES = Counter(
    "linkferry_child_crashes",
    "Processes that ended without an answer: a job's `child`, or the `warm` one they are forked from.",
    ("process",),
    registry=REGISTRY,
)
FETCHED_BYTES = Counter("linkferry_fetched_bytes", "Bytes that came from sites.", registry=REGISTRY)
SERVED_BYTES = Counter("linkferry_served_bytes", "Bytes of files sent behind links.", registry=REGISTRY)
CHAT_POSTS = Counter(
    "linkferry_chat_posts", "Status messages posted, by platform.", ("platform",), registry=REGISTRY
)
CHAT_EDITS = Counter(
    "linkferry_chat_edits",
    "Status messages edited, progress and results, by platform.",
    ("platform",),
    registry=REGISTRY,
)
CHAT_REFUSALS = Counter(
    "linkferry_chat_refusals",
    "Calls that a platform refused because there were too many (429).",
    ("platform",),
    registry=REGISTRY,
)

# What begins with its first event has no increase to be seen then: these begin at 0.
for state in (JobState.DONE, JobState.JOINED):
    JOBS_ENDED.labels(state.value, "")
for code in Code:
    JOBS_ENDED.labels((JobState.CANCELLED if code is Code.CANCELLED else JobState.FAILED).value, code.value)
for process in ("child", "warm"):
    CHILD_CRASHES.labels(process)
