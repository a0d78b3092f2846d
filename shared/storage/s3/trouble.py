"""What went wrong at S3, in words of ours: what to change, what passes, what is full.

Only S3's error code is ever repeated. Its messages can hold key ids and the text that was signed.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    TokenRetrievalError,
)

from shared.errors import Code, ConfigError, JobError
from shared.storage.port import StorageError


class BucketMisconfigured(StorageError, ConfigError):
    """S3 refuses for a reason that does not pass; `str(error)` says what to change."""


_EXPIRED = "The AWS credentials have expired: renew them (a role of the machine or the task renews itself)."
_REGION = "The bucket {bucket} is in another region: correct LINKFERRY_AWS_REGION."
_UNKNOWN = "S3 does not accept these AWS credentials: correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."

ADVICE = {
    "NoSuchBucket": "There is no bucket {bucket}: create it, or correct LINKFERRY_S3_BUCKET.",
    "InvalidBucketName": "{bucket} is no bucket's name: correct LINKFERRY_S3_BUCKET.",
    "InvalidAccessKeyId": _UNKNOWN,
    "SignatureDoesNotMatch": _UNKNOWN,
    "InvalidToken": _UNKNOWN,
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "TokenRefreshRequired": _EXPIRED,
    "RequestTimeTooSkewed": "This machine's clock is wrong, so S3 accepts no signature of it: set the clock.",
    "PermanentRedirect": _REGION,
    "AuthorizationHeaderMalformed": _REGION,
    "IllegalLocationConstraintException": _REGION,
    "AccessDenied": "S3 does not allow {operation} in the bucket {bucket}: allow it in a policy.",
    "AllAccessDisabled": "S3 has shut the bucket {bucket}: look into the AWS account.",
    "KMS.DisabledException": "The KMS key of the bucket {bucket} is disabled: enable it.",
}
NO_CREDENTIALS = (
    "There are no AWS credentials for S3: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the "
    "machine or the task a role."
)

FULL = {"QuotaExceeded", "QuotaExceededException", "XMinioStorageFull", "InsufficientStorage", "507"}
GONE = {"NoSuchKey", "404", "NotFound"}


@contextmanager
def clear_errors(what: str, bucket: str) -> Iterator[None]:
    """What botocore raises inside becomes BucketMisconfigured, JobError(DISK_FULL) or StorageError."""
    try:
        yield
    except ClientError as error:
        raise translated(error, what, bucket) from None  # a traceback would show S3's message
    except BotoCoreError as error:
        raise translated(error, what, bucket) from error


def translated(error: ClientError | BotoCoreError, what: str, bucket: str) -> StorageError | JobError:
    """The same trouble as an error of ours; `what` begins the sentence of what may pass."""
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return BucketMisconfigured(NO_CREDENTIALS)
    if isinstance(error, CredentialRetrievalError | TokenRetrievalError):
        return StorageError(f"{what}: the AWS credentials cannot be fetched now")
    code = code_of(error)
    if code in ADVICE and isinstance(error, ClientError):
        return BucketMisconfigured(ADVICE[code].format(bucket=bucket, operation=error.operation_name))
    if code in FULL:
        return JobError(Code.DISK_FULL, f"{what}: {code}")
    return StorageError(f"{what}: {code}")


def code_of(error: Exception) -> str:
    """S3's code of an error, or the exception's name where S3 did not answer."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "unknown"))
    return type(error).__name__


def status_of(error: ClientError) -> int:
    """The answer's HTTP status; 0 when it had none."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
