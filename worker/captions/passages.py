"""What of a transcript can be searched in, as a file: made with the captions, kept with what is stored."""

import json
from collections.abc import Iterator

from shared.search.passages import Passage, passages
from worker.captions.cues import Transcript
from worker.captions.writers import one_line


def write_passages(transcript: Transcript) -> str:
    """The passages of a transcript, one a line, as JSON; times in seconds."""
    cues = ((cue.start / 1000, one_line(cue.text)) for cue in transcript.cues)
    return "".join(f"{json.dumps(passage, ensure_ascii=False)}\n" for passage in passages(cues))


def read_passages(text: str) -> Iterator[Passage]:
    """The passages that `write_passages` wrote."""
    for line in text.split("\n"):
        if line:
            cues, tokens = json.loads(line)
            yield Passage(tuple((start, words) for start, words in cues), tuple(tokens))
