"""What not every S3 knows: checksums, conditional writes, tags. Tried until the server refuses."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar

from botocore.exceptions import ClientError

from shared.storage.s3.trouble import code_of, status_of

Extra = Literal["checksum", "condition", "tags"]
Fields = Mapping[str, Any]
Answer = TypeVar("Answer")

_HEADERS: dict[Extra, tuple[str, ...]] = {
    "checksum": ("x-amz-checksum", "x-amz-sdk-checksum"),
    "condition": ("if-none-match",),
    "tags": ("x-amz-tagging",),
}
_UNKNOWN = {
    "NotImplemented",
    "XNotImplemented",
    "InvalidArgument",
    "InvalidRequest",
    "BadRequest",
    "400",
    "501",
}


class Extras:
    """Remembers what the server turned down, for as long as the process lives."""

    def __init__(self) -> None:
        self._refused: set[Extra] = set()

    def knows(self, extra: Extra) -> bool:
        """Whether it is still worth a try."""
        return extra not in self._refused

    def call(
        self,
        request: Callable[..., Answer],
        wanted: Mapping[Extra, Fields],
        instead: Mapping[Extra, Fields] | None = None,
        **fields: Any,
    ) -> Answer:
        """Send the request with all of `wanted` that the server knows, and `instead` of what it does not.

        Turned down for one of them, it goes out once more without; only when that works was it their fault.
        """
        asked = {extra for extra, more in wanted.items() if more and extra not in self._refused}

        def send(extras: set[Extra]) -> Answer:
            chosen = [
                wanted[extra] if extra in extras else (instead or {}).get(extra, {}) for extra in wanted
            ]
            return request(**fields, **{name: value for more in chosen for name, value in more.items()})

        try:
            return send(asked)
        except ClientError as error:
            refused = _refused(error, asked)
            if not refused:
                raise
            try:
                answer = send(asked - refused)
            except ClientError:
                raise error from None
            self._refused |= refused
            return answer


def _refused(error: ClientError, asked: set[Extra]) -> set[Extra]:
    """Which of what was asked this error may be about; all of it where the server does not name a header."""
    if code_of(error) not in _UNKNOWN and status_of(error) != 501:
        return set()
    told = " ".join(str(value) for value in error.response.get("Error", {}).values()).lower()
    named = {extra for extra in asked if any(header in told for header in _HEADERS[extra])}
    return named or asked
