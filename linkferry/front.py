"""What is the same in front of every chat platform."""

from collections.abc import Callable
from dataclasses import dataclass

from bots.desk import Desk
from bots.herald import Herald
from linkferry.compose import Parts
from shared.chat import MessageClient
from shared.chat.deliver import Deliverer
from shared.chat.paced import PacedClient


@dataclass(frozen=True)
class Front:
    """Where people ask, who keeps true what they see, and what to call once the platform answers.

    Without a herald this process only takes what people say.
    """

    desk: Desk
    herald: Herald | None
    on_ready: Callable[[], None]


def build_front(
    parts: Parts,
    platform: str,
    client: PacedClient,
    clients: dict[str, MessageClient],
    deliverer: Deliverer | None,
) -> Front:
    """The front of a platform. Once it is up, its client is among those of the deliverer, if there is one."""
    desk = Desk(parts.database, parts.queue, parts.intake, parts.follower)
    herald = None
    if deliverer is not None:
        herald = Herald(parts.database, parts.follower, platform, client, deliverer.nudge)
        desk.on_ask = herald.nudge

    def on_ready() -> None:
        clients[platform] = client
        if deliverer is not None:
            deliverer.nudge()  # what ended while nobody could be told

    return Front(desk, herald, on_ready)
