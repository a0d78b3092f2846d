"""The state machine of jobs: every query that moves or reads one. Callers bring the transaction.

fence.py       what a worker holds, and the one write that checks it
making.py      new jobs, and the old ones that already answer
working.py     what a worker does with a claimed job
cancelling.py  somebody changed their mind
ending.py      what every end has in common
keeping.py     leases, retries, files whose time is over
reading.py     where a job is
"""

from shared.jobs.cancelling import cancel, finish_cancelled, flagged, leave, retry
from shared.jobs.ending import announce, announce_missed
from shared.jobs.fence import Fence, LeaseLost
from shared.jobs.keeping import (
    expire,
    expired,
    mark_deleted,
    orphans,
    queued_ids,
    requeue_due,
    requeue_expired,
    revoke,
)
from shared.jobs.making import Look, enqueue, find_reusable, insert, look, prolong, stored
from shared.jobs.reading import (
    Pace,
    get,
    get_many,
    pace,
    position,
    positions,
    quarantined,
    recent,
    state_of,
    traces,
    waiting,
)
from shared.jobs.working import (
    Ending,
    charge,
    claim,
    claim_many,
    cool_down,
    crash,
    describe,
    fail,
    finish_many,
    identify,
    join,
    release,
    renew,
    report,
    resting,
    set_aside,
)

__all__ = [
    "Ending",
    "Fence",
    "LeaseLost",
    "Look",
    "Pace",
    "announce",
    "announce_missed",
    "cancel",
    "charge",
    "claim",
    "claim_many",
    "cool_down",
    "crash",
    "describe",
    "enqueue",
    "expire",
    "expired",
    "fail",
    "find_reusable",
    "finish_cancelled",
    "finish_many",
    "flagged",
    "get",
    "get_many",
    "identify",
    "insert",
    "join",
    "leave",
    "look",
    "mark_deleted",
    "orphans",
    "pace",
    "position",
    "positions",
    "prolong",
    "quarantined",
    "queued_ids",
    "recent",
    "release",
    "renew",
    "report",
    "requeue_due",
    "requeue_expired",
    "resting",
    "retry",
    "revoke",
    "set_aside",
    "state_of",
    "stored",
    "traces",
    "waiting",
]
