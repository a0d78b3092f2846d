"""Programs that yt-dlp starts die with the child."""

import subprocess
import sys
import time
from contextlib import suppress

import psutil

CODE = """
import os, signal
from yt_dlp.utils import Popen
from worker.child import ydl
ydl.tie_programs()
print(Popen(["sleep", "60"]).pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_program_does_not_outlive_a_killed_child() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE], stdout=subprocess.PIPE, text=True, timeout=60, check=False
    )
    program, give_up = int(done.stdout), time.monotonic() + 40
    with suppress(psutil.NoSuchProcess):
        while psutil.Process(program).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < give_up
            time.sleep(0.01)
