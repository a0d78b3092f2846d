"""Small pieces of process plumbing for the warm process and its children (Linux)."""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with_parent(signal_number: int, parent: int) -> None:
    """Have the kernel send this process a signal when its parent ends; exits if it has ended already."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def close_all_but(*kept: int) -> None:
    """Close every file descriptor but the standard three and the ones named."""
    low = 3
    for descriptor in sorted(kept):
        os.closerange(low, descriptor)
        low = descriptor + 1
    os.closerange(low, os.sysconf("SC_OPEN_MAX"))


def kill_group(leader: int, signal_number: int = signal.SIGKILL) -> None:
    """Signal a process group; no error when nobody is left in it."""
    try:
        os.killpg(leader, signal_number)
    except ProcessLookupError:
        return
