"""What goes wrong on request, once for each request."""

from tests.doubles import Faults
from tests.slack.refusal import Refused, ratelimited


class SlackFaults(Faults[Refused]):
    """The faults that wait for the next calls; `response_url` and `upload` are methods here too."""

    def fail_next(
        self,
        method: str,
        error: str | None = None,
        *,
        status: int | None = None,
        retry_after: int | None = None,
        times: int = 1,
    ) -> None:
        """The next calls are refused and take no effect: by an error code, an HTTP status, or a 429."""
        if retry_after is not None or status == 429:
            refusal = ratelimited(retry_after or 1)
        else:
            refusal = Refused(error or "internal_error", status=status or 200)
        for _ in range(times):
            self.refuse_next(method, refusal)
