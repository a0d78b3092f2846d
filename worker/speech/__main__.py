"""The process that listens, started by `listen.py` as `python -m worker.speech TASK`.

TASK is a JSON file. It answers in lines on its standard output; the exit status says nothing more.
"""

import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from worker.speech.cues import in_order, json3
from worker.speech.journal import Journal
from worker.speech.messages import Done, Failed, Heard, Loaded, Message, Note, Task, Trouble
from worker.speech.model import Listener, NoModel, Word, WrongLanguage, load
from worker.speech.sound import RATE, SoundBroken, Window, decoded, windows

Tell = Callable[[Message], None]
WORK_MEMORY = 1024 * 1024 * 1024  # bytes that listening may take on top of what a loaded model has
NICE = 10  # a download shall not wait for somebody who listens


def main(task: Task, tell: Tell, loaded: Callable[[Task, Callable[[str], None]], Listener] = load) -> None:
    """Listen to the whole file and write the captions; tells how it goes and how it ended."""
    try:
        listener = loaded(task, lambda text: tell(Note(text=text)))
        limit_memory(listener.device)
        tell(Loaded(device=listener.device))
        journal = Journal(Path(task.journal), _about(task))
        listener.language = journal.language
        listen(task, listener, journal, tell)
    except NoModel as error:
        tell(Failed(trouble=Trouble.NO_MODEL, detail=str(error)[:1000]))
    except WrongLanguage as error:
        tell(Failed(trouble=Trouble.WRONG_LANGUAGE, detail=str(error)))
    except SoundBroken as error:
        tell(Failed(trouble=Trouble.BROKEN_SOUND, detail=str(error)))
    else:
        if journal.words:
            with Path(task.target).open("w", encoding="utf-8") as file:
                file.writelines(json3(journal.read(), task.start))
        tell(Done(words=journal.words, language=journal.language))


def listen(task: Task, listener: Listener, journal: Journal, tell: Tell) -> None:
    """Note every window of the file that is not in the journal yet. Raises SoundBroken."""
    with decoded(Path(task.source), task.start, task.length) as sound:
        for window in windows(sound.read, journal.until):
            words = _words(window, listener, tell)
            journal.add(window.end, listener.language, words)
            tell(Heard(until=window.end / RATE))


def _words(window: Window, listener: Listener, tell: Tell) -> list[Word]:
    first, last = window.start / RATE, window.end / RATE
    found: list[Word] = []
    for said in listener.listen(window.samples):
        found += [Word(first + word.start, first + word.end, word.text) for word in said]
        if found:
            tell(Heard(until=min(found[-1].end, last)))
    return list(in_order(found, first, last))


def _about(task: Task) -> list[object]:
    """What must be the same for an earlier journal to be good."""
    source = Path(task.source)
    return [source.name, source.stat().st_size, task.model, task.start, task.length]


def limit_memory(device: str) -> None:
    """The sound comes from strangers: what it may take on top of the loaded model has an end.

    Larger models calculate with more. A graphics card's driver counts otherwise.
    """
    if device == "cuda":
        return
    used = next(
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmData")
    )
    most = 2 * int(used.split()[1]) * 1024 + WORK_MEMORY
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _tell(message: Message) -> None:
    sys.stdout.write(message.model_dump_json() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # at once, also while the model calculates
    os.nice(NICE)
    main(Task.model_validate_json(Path(sys.argv[1]).read_bytes()), _tell)
