"""What every chat platform does for a request: show one status message, and keep it true by edits."""

from typing import Protocol

from shared.models import Request
from shared.results import JobView


class MessageGone(Exception):
    """The person deleted the message, or left: there is no place any more to show anything."""


class Throttled(Exception):
    """The platform refused a call, and wants rest in this chat for `seconds`. Nothing was shown."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the platform wants rest for {seconds:g} s")
        self.seconds = seconds


class ChatMoved(Exception):
    """The chat has another id from now on. Nothing was shown."""

    def __init__(self, chat_id: str) -> None:
        super().__init__(f"the chat is {chat_id} now")
        self.chat_id = chat_id


class MessageClient(Protocol):
    """Posts and edits the status message of a request.

    Raises MessageGone, Throttled or ChatMoved; anything else may be tried again.
    """

    async def post(self, request: Request, view: JobView) -> str:
        """Show the view in a new message; returns the reference by which it can be edited."""
        ...

    async def edit(self, request: Request, message: str, view: JobView) -> None:
        """Make the message show the view. Idempotent: showing the same again is success."""
        ...
