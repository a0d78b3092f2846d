"""What goes wrong on request, once for each request."""

from tests.doubles import Faults
from tests.telegram.refusal import Refused, default_description, too_many_requests


class TelegramFaults(Faults[Refused]):
    """The faults that wait for the next calls."""

    def fail_next(
        self,
        method: str,
        *statuses: int,
        description: str | None = None,
        retry_after: int | None = None,
        migrate_to: int | None = None,
    ) -> None:
        """The next calls of the method are refused, one with each status, and take no effect."""
        for status in statuses or (500,):
            if status == 429:
                refusal = too_many_requests(retry_after or 1)
            elif migrate_to is not None:
                words = "Bad Request: group chat was upgraded to a supergroup chat"
                refusal = Refused(400, words, migrate_to_chat_id=migrate_to)
            else:
                refusal = Refused(status, description or default_description(status))
            self.refuse_next(method, refusal)
