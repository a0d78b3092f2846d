"""Links that let a browser fetch one object for a while: to S3 itself, or to CloudFront."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol
from urllib.parse import quote, urlencode

from botocore.signers import CloudFrontSigner
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from shared.errors import ConfigError
from shared.settings import Settings
from shared.storage.s3.bucket import Bucket


class Signer(Protocol):
    """Makes links. `key` is the whole key, with the prefix; may ask AWS for new credentials."""

    def link(self, key: str, disposition: str, content_type: str, ttl_seconds: int) -> str:
        """A link that lives `ttl_seconds`, 7 days at most; `disposition` is the whole header."""
        ...

    def ends_at(self) -> datetime | None:
        """When all that is signed ends, whatever it says itself; None: it ends as it says."""
        ...


class Presigner:
    """Links to the bucket itself. They end with the credentials that signed them, if these end first."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def link(self, key: str, disposition: str, content_type: str, ttl_seconds: int) -> str:
        """See `Signer.link`."""
        fields = {
            "Bucket": self._bucket.name,
            "Key": key,
            "ResponseContentDisposition": disposition,
            "ResponseContentType": content_type,
        }
        return self._bucket.client.generate_presigned_url("get_object", Params=fields, ExpiresIn=ttl_seconds)

    def ends_at(self) -> datetime | None:
        """See `Signer.ends_at`: when credentials do that nobody renews. A role's renew themselves."""
        return self._bucket.credentials_end()


class CloudFront:
    """Links to the distribution in front of the bucket; they outlive the credentials.

    The distribution must forward `response-content-*` of the query to S3. If it does not, files still have
    the type and name that they were stored with.
    """

    def __init__(self, domain: str, key_id: str, sign: Callable[[bytes], bytes]) -> None:
        self._domain = domain
        self._signer = CloudFrontSigner(key_id, sign)

    def link(self, key: str, disposition: str, content_type: str, ttl_seconds: int) -> str:
        """See `Signer.link`."""
        query = {"response-content-disposition": disposition, "response-content-type": content_type}
        url = f"https://{self._domain}/{quote(key)}?{urlencode(query, quote_via=quote)}"
        ends = datetime.now(UTC) + timedelta(seconds=ttl_seconds)
        return self._signer.generate_presigned_url(url, date_less_than=ends)

    def ends_at(self) -> None:
        """See `Signer.ends_at`: the key lasts."""


def open_signer(settings: Settings, bucket: Bucket) -> Signer:
    """CloudFront where it is set up, else S3 itself. Raises ConfigError for half a CloudFront."""
    parts = {
        "LINKFERRY_S3_CLOUDFRONT_DOMAIN": settings.s3_cloudfront_domain,
        "LINKFERRY_S3_CLOUDFRONT_KEY_ID": settings.s3_cloudfront_key_id,
        "LINKFERRY_S3_CLOUDFRONT_KEY": settings.s3_cloudfront_key,
    }
    missing = [name for name, value in parts.items() if not value]
    if len(missing) == len(parts):
        return Presigner(bucket)
    if missing:
        raise ConfigError(f"CloudFront needs all three of its settings: set {' and '.join(missing)} too.")
    domain = settings.s3_cloudfront_domain.removeprefix("https://").rstrip("/")
    return CloudFront(domain, settings.s3_cloudfront_key_id, _rsa(settings.s3_cloudfront_key))


def _rsa(pem: str) -> Callable[[bytes], bytes]:
    try:  # where a variable cannot hold line breaks they come as \n
        key = load_pem_private_key(pem.replace("\\n", "\n").encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPrivateKey):
        # From None: what the parser says may quote the key.
        raise ConfigError("LINKFERRY_S3_CLOUDFRONT_KEY is not an RSA private key in PEM, unencrypted.")
    return lambda message: key.sign(message, PKCS1v15(), SHA1())  # noqa: S303 (CloudFront knows no other)
