"""What the worker and the warm process say to each other, one JSON packet each way (SOCK_SEQPACKET).

The worker asks for an identity, for a fork (its child's socket rides along), or for a signal to a child.
The warm process says when it is warm, which process it forked, and how each one ended. Signals go through
it because only it knows that a process id still means the same child: it reaps them.
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
    """Fork a child on the socket that comes with this packet. Answered with `Forked`, later `Ended`."""

    kind: Literal["fork"] = "fork"
    request: int


class Signal(Frozen):
    """Send a signal to a child's whole process group, if it still runs."""

    kind: Literal["signal"] = "signal"
    pid: int
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


class Ended(Frozen):
    """A child and its whole group are gone. `status` as from `os.waitstatus_to_exitcode`."""

    kind: Literal["ended"] = "ended"
    pid: int
    status: int


Request = Annotated[Identify | Fork | Signal, Field(discriminator="kind")]
Report = Annotated[Warm | Identified | Forked | Ended, Field(discriminator="kind")]

REQUEST: TypeAdapter[Request] = TypeAdapter(Request)
REPORT: TypeAdapter[Report] = TypeAdapter(Report)
