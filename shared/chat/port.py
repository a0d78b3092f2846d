"""What every chat platform does for a request: show one status message, and keep it true by edits."""

from typing import Protocol

from shared.models import Request
from shared.results import JobView


class MessageGone(Exception):
    """The person deleted the message, or left: there is no place any more to show anything."""


class MessageClient(Protocol):
    """Posts and edits the status message of a request."""

    async def post(self, request: Request, view: JobView) -> str:
        """Show the view in a new message; returns the reference by which it can be edited."""
        ...

    async def edit(self, request: Request, message: str, view: JobView) -> None:
        """Make the message show the view. Idempotent: showing the same again is success."""
        ...
