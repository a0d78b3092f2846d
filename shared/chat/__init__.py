"""How results reach people: the port that every chat platform implements."""

from shared.chat.port import ChatMoved, MessageClient, MessageGone, Throttled

__all__ = ["ChatMoved", "MessageClient", "MessageGone", "Throttled"]
