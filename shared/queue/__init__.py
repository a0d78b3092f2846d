"""The queue: job ids to workers, progress to watchers, cancels to whoever works. One port, two adapters."""

from yarl import URL

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
        address = URL(url)
        valid = address.scheme in ("amqp", "amqps") and bool(address.host) and address.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise ConfigError(
            "LINKFERRY_QUEUE_URL must be `embedded` or the address of a RabbitMQ server, "
            "as in amqp://user:password@host:5672/."
        )
    from shared.queue.rabbitmq import RabbitQueue  # a quarter of a second that `embedded` does not need

    return RabbitQueue(url)
