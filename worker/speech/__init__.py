"""Hear what is said where a site has no captions: faster-whisper in a process of its own.

`Speech` is what an attempt uses. The other modules run inside the process, and only they import numpy and
the model's library, which an installation without the extra `speech` does not have.
"""

from worker.speech.listen import FAILED, NO_SOUND, NOBODY, SOUND, Speech

__all__ = ["FAILED", "NOBODY", "NO_SOUND", "SOUND", "Speech"]
