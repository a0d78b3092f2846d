"""The queue: job ids to workers, progress to watchers, cancels to whoever works. One port, two adapters."""

from shared.queue.embedded import EmbeddedQueue
from shared.queue.port import Queue, Ticket

__all__ = ["EmbeddedQueue", "Queue", "Ticket"]
