"""What the worker and the warm process say to each other, one JSON packet each way (SOCK_SEQPACKET).

The worker asks for an identity, for a fork (its child's socket rides along), or for a signal to a child.
The warm process says when it is warm, which process it forked, and how each one ended. A child is named by
the number of the request that forked it, since a process id may soon be another's; so signals go through the
warm process, which knows whether that child still has its id: it reaps them.
"""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from shared.options import Frozen
from worker.child.protocol import Identity

MAX_PACKET = 64 * 1024  # bytes


class Identify(Frozen):
    """Which video does a link mean? Answered with `Identified`."""

    kind: Literal["identify"] = "identify"
    request: int
    link: str


class Fork(Frozen):
    """Fork a child on the socket that comes with this packet. `Forked` and later `Ended`, or `Refused`."""

    kind: Literal["fork"] = "fork"
    request: int


class Signal(Frozen):
    """Send a signal to a child's whole process group, if it still runs."""

    kind: Literal["signal"] = "signal"
    child: int
    number: int


class Warm(Frozen):
    """The first packet of a warm process."""

    kind: Literal["warm"] = "warm"


class Identified(Frozen):
    """The answer to `Identify`; None for links of the generic extractor."""

    kind: Literal["identified"] = "identified"
    request: int
    identity: Identity | None = None


class Forked(Frozen):
    """The answer to `Fork`."""

    kind: Literal["forked"] = "forked"
    request: int
    pid: int


class Refused(Frozen):
    """The answer to `Fork` when the machine has no process, memory or descriptor for it, for now."""

    kind: Literal["refused"] = "refused"
    request: int
    reason: str


class Ended(Frozen):
    """A child and its whole group are gone. `status` as from `os.waitstatus_to_exitcode`."""

    kind: Literal["ended"] = "ended"
    child: int
    status: int


Answer = Identified | Forked | Refused
Request = Annotated[Identify | Fork | Signal, Field(discriminator="kind")]
Report = Annotated[Warm | Answer | Ended, Field(discriminator="kind")]

REQUEST: TypeAdapter[Request] = TypeAdapter(Request)
REPORT: TypeAdapter[Report] = TypeAdapter(Report)
