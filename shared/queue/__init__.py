"""The queue: job ids to workers, progress to watchers, cancels to whoever works. One port, two adapters."""

from urllib.parse import urlsplit

from shared.errors import ConfigError
from shared.queue.embedded import EmbeddedQueue
from shared.queue.port import DeadLetter, Queue, QueueUnavailable, Ticket

__all__ = ["DeadLetter", "EmbeddedQueue", "Queue", "QueueUnavailable", "Ticket", "open_queue"]


def open_queue(url: str) -> Queue:
    """The queue that `url` names, not yet started: `embedded`, or RabbitMQ by its address.

    Raises ConfigError, which never repeats the address: there is a password in it.
    """
    if url == "embedded":
        return EmbeddedQueue()
    try:
        address = urlsplit(url)
        valid = address.scheme in ("amqp", "amqps") and bool(address.hostname) and address.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise ConfigError(
            "LINKFERRY_QUEUE_URL must be `embedded` or the address of a RabbitMQ server, "
            "as in amqp://user:password@host:5672/ with %23 for a # in the password and the like."
        )
    from shared.queue.rabbitmq import RabbitQueue  # 0.2 s of imports that `embedded` does not need

    return RabbitQueue(url)
