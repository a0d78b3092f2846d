"""How results reach people: the port that every chat platform implements."""

from shared.chat.port import MessageClient, MessageGone

__all__ = ["MessageClient", "MessageGone"]
