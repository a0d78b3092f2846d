"""Who listens at the moment."""

import psutil


def is_listener(process: psutil.Process) -> bool:
    """Not for the children of one: before it becomes ffmpeg, such a process is called like its parent."""
    try:
        return "worker.speech" in process.cmdline()
    except psutil.Error:
        return False


def listeners() -> list[str]:
    """The processes below this one that listen or decode for one that does."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if process.name() == "ffmpeg" or "worker.speech" in process.cmdline():
                found.append(process.name())
        except psutil.Error:
            continue
    return found
