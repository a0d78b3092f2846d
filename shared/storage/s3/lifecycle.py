"""A rule in the bucket itself: what Linkferry's own sweeps miss, S3 deletes some time after."""

from enum import StrEnum
from math import ceil
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared.storage.s3.bucket import Bucket
from shared.storage.s3.trouble import code_of, status_of

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import LifecycleRuleOutputTypeDef

RULE = "linkferry-retention"
DAY = 86_400
UNFINISHED_DAYS = 2  # the janitor aborts uploads after one


class Lifecycle(StrEnum):
    """How it stands with the rule."""

    SET = "set"
    MISSING = "missing"
    DIFFERENT = "different"
    HIDDEN = "hidden"  # we may not look
    UNKNOWN = "unknown"  # this server has no such rules


def wanted_rule(prefix: str, retention: int) -> dict[str, Any]:
    """The rule for a retention in seconds: a day later than Linkferry itself, to find only leftovers."""
    return {
        "ID": RULE,
        "Filter": {"Prefix": prefix},
        "Status": "Enabled",
        "Expiration": {"Days": ceil(retention / DAY) + 1},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": UNFINISHED_DAYS},
    }


def look(bucket: Bucket, retention: int) -> Lifecycle:
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
    wanted = wanted_rule(bucket.prefix, retention)
    same = all(found[0].get(name) == value for name, value in wanted.items())
    return Lifecycle.SET if same else Lifecycle.DIFFERENT


def put(bucket: Bucket, retention: int) -> None:
    """Set the rule. S3 only takes all rules at once: those of others are kept. Raises botocore's errors."""
    others: list[Any] = [rule for rule in _rules(bucket) if rule.get("ID") != RULE]
    rules = [*others, wanted_rule(bucket.prefix, retention)]
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
