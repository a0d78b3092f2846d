"""Which bucket, where, and as who: the client that everything else here uses."""

import os
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from shared.errors import ConfigError
from shared.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ATTEMPTS = 5  # of one request: 500, SlowDown and lost connections are tried again after a growing pause
CONNECT_TIME = 5  # seconds
ANSWER_TIME = 60  # seconds without a byte of an answer
CONNECTIONS = 32
LENT = ("env", "shared-credentials-file", "config-file", "explicit")  # botocore's names


@dataclass(frozen=True)
class Bucket:
    """A bucket, the part of it that is ours, and how requests to it are signed.

    `prefix` is empty or ends with a slash. `encryption` is "", "AES256", "aws:kms", or "aws:kms:" and a key.
    """

    client: "S3Client"
    name: str
    prefix: str = ""
    encryption: str = ""
    credentials: Any = field(default=None, repr=False)  # botocore's, which can renew themselves

    def full(self, key: str) -> str:
        """The key as the bucket knows it."""
        return self.prefix + key

    def encryption_fields(self) -> dict[str, str]:
        """What a request that creates an object says of encryption."""
        _, _, key = self.encryption.partition("aws:kms:")
        if key:
            return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
        return {"ServerSideEncryption": self.encryption} if self.encryption else {}

    def credentials_end(self) -> datetime | None:
        """When the credentials end for good; None when they last, renew themselves, or do not say."""
        end = getattr(self.credentials, "_expiry_time", None)  # botocore tells it nowhere else
        return end if self.is_lent and isinstance(end, datetime) else None

    @property
    def is_lent(self) -> bool:
        """Whether the credentials end without a successor: a session's, from variables or a file.

        Those of roles are renewed by botocore itself, so what is signed later lives on.
        """
        method = getattr(self.credentials, "method", "")
        return method in LENT and bool(getattr(self.credentials, "token", None))


def open_bucket(settings: Settings) -> Bucket:
    """The bucket of the settings; nothing is asked of it yet, so this works without a network.

    Raises ConfigError: a setting is missing, or not possible.
    """
    if not settings.s3_bucket:
        raise ConfigError("Files are to be kept in S3: set LINKFERRY_S3_BUCKET, or LINKFERRY_STORAGE=local.")
    endpoint = settings.s3_endpoint_url or None
    session = boto3.session.Session()
    region = settings.aws_region or os.environ.get("AWS_REGION") or session.region_name
    if not region and not endpoint:
        raise ConfigError("S3 needs to know the bucket's region: set LINKFERRY_AWS_REGION.")
    try:
        client = session.client(
            "s3",
            region_name=region or "us-east-1",
            endpoint_url=endpoint,
            config=_config(bool(endpoint) or "." in settings.s3_bucket),
        )
    except (BotoCoreError, ValueError) as error:
        raise ConfigError("S3 cannot be used so: correct LINKFERRY_S3_ENDPOINT_URL or the region.") from error
    return Bucket(
        client=client,
        name=settings.s3_bucket,
        prefix=settings.s3_prefix,
        encryption=settings.s3_server_side_encryption,
        credentials=session.get_credentials(),
    )


def _config(by_path: bool) -> Config:
    return Config(
        signature_version="s3v4",
        # Servers of one's own rarely have a name for every bucket, and certificates fit no name with a dot.
        # "auto" would sign links for the address without a region, which only redirects to a new bucket.
        # Our checksum of a body is a signed header: hashing the body for the signature as well adds nothing.
        s3={"addressing_style": "path" if by_path else "virtual", "payload_signing_enabled": False},
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        connect_timeout=CONNECT_TIME,
        read_timeout=ANSWER_TIME,
        max_pool_connections=CONNECTIONS,
        tcp_keepalive=True,
        # We send checksums of our own, and to servers that know none we send none.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
