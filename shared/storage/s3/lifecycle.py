"""A rule in the bucket itself: parts and old versions that nobody can see, S3 deletes some time after.

Never a file that is there: S3 counts from when it was stored, and whoever asks for it again prolongs it.
"""

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared.storage.s3.bucket import Bucket
from shared.storage.s3.trouble import code_of, status_of

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import LifecycleRuleOutputTypeDef

RULE = "linkferry-retention"  # as ever: buckets have an older one of this name, which deleted files
UNFINISHED_DAYS = 2  # the janitor aborts uploads after one


class Lifecycle(StrEnum):
    """How it stands with the rule."""

    SET = "set"
    MISSING = "missing"
    DIFFERENT = "different"
    HIDDEN = "hidden"  # we may not look
    UNKNOWN = "unknown"  # this server has no such rules


def wanted_rule(prefix: str) -> dict[str, Any]:
    """The rule for what lies below the prefix. Without versions in the bucket only its last line counts."""
    return {
        "ID": RULE,
        "Filter": {"Prefix": prefix},
        "Status": "Enabled",
        "Expiration": {"ExpiredObjectDeleteMarker": True},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": UNFINISHED_DAYS},
    }


def look(bucket: Bucket) -> Lifecycle:
    """How it stands with the rule. Raises botocore's errors."""
    try:
        rules = _rules(bucket)
    except ClientError as error:
        if status_of(error) == 501 or code_of(error) in ("NotImplemented", "MethodNotAllowed"):
            return Lifecycle.UNKNOWN
        if code_of(error) == "AccessDenied":
            return Lifecycle.HIDDEN
        raise
    found = [rule for rule in rules if rule.get("ID") == RULE]
    if not found:
        return Lifecycle.MISSING
    wanted = wanted_rule(bucket.prefix)
    same = all(found[0].get(name) == value for name, value in wanted.items())
    return Lifecycle.SET if same else Lifecycle.DIFFERENT


def put(bucket: Bucket) -> None:
    """Set the rule. S3 only takes all rules at once: those of others are kept. Raises botocore's errors."""
    others: list[Any] = [rule for rule in _rules(bucket) if rule.get("ID") != RULE]
    rules = [*others, wanted_rule(bucket.prefix)]
    bucket.client.put_bucket_lifecycle_configuration(
        Bucket=bucket.name, LifecycleConfiguration={"Rules": rules}
    )


def _rules(bucket: Bucket) -> "list[LifecycleRuleOutputTypeDef]":
    try:
        return bucket.client.get_bucket_lifecycle_configuration(Bucket=bucket.name).get("Rules", [])
    except ClientError as error:
        if code_of(error) == "NoSuchLifecycleConfiguration":
            return []
        raise
