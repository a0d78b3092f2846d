"""The lifecycle rule, and links to CloudFront."""

import base64
import json
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from shared.errors import ConfigError
from shared.storage.s3 import S3Storage
from shared.storage.s3.bucket import Bucket, open_bucket
from shared.storage.s3.lifecycle import Lifecycle, wanted_rule
from shared.storage.s3.signing import Presigner, open_signer
from tests.shared.storage.conftest import s3_settings
from tests.shared.storage.faulty import FaultyS3


class TestLifecycle:
    """S3 clears up what our sweeps missed."""

    async def test_the_rule_is_set_once_and_kept_up(self, s3: S3Storage, bucket: Bucket) -> None:
        other = {
            "ID": "theirs",
            "Filter": {"Prefix": "logs/"},
            "Status": "Enabled",
            "Expiration": {"Days": 3},
        }
        bucket.client.put_bucket_lifecycle_configuration(
            Bucket=bucket.name, LifecycleConfiguration={"Rules": [other]}
        )
        assert await s3.lifecycle() is Lifecycle.MISSING
        await s3.set_lifecycle()
        assert await s3.lifecycle() is Lifecycle.SET
        rules = bucket.client.get_bucket_lifecycle_configuration(Bucket=bucket.name)["Rules"]
        assert [rule["ID"] for rule in rules] == ["theirs", "linkferry-retention"]
        assert rules[0]["Expiration"] == {"Days": 3}
        assert rules[1]["Filter"] == {"Prefix": "linkferry/"}

    async def test_it_deletes_no_file_that_is_there_however_old(self, s3: S3Storage, bucket: Bucket) -> None:
        """S3 counts from when a file was stored, and somebody may have asked for it again yesterday."""
        old = wanted_rule(bucket.prefix) | {"Expiration": {"Days": 8}}
        bucket.client.put_bucket_lifecycle_configuration(
            Bucket=bucket.name, LifecycleConfiguration={"Rules": [old]}
        )
        assert await s3.lifecycle() is Lifecycle.DIFFERENT
        await s3.set_lifecycle()
        (rule,) = bucket.client.get_bucket_lifecycle_configuration(Bucket=bucket.name)["Rules"]
        assert rule["Expiration"] == {"ExpiredObjectDeleteMarker": True}
        assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1}
        assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 2}

    async def test_a_bucket_without_any_rule(self, s3: S3Storage) -> None:
        assert await s3.lifecycle() is Lifecycle.MISSING
        await s3.set_lifecycle()
        assert await s3.lifecycle() is Lifecycle.SET

    @pytest.mark.parametrize(
        ("status", "code", "state"),
        [(403, "AccessDenied", Lifecycle.HIDDEN), (501, "NotImplemented", Lifecycle.UNKNOWN)],
    )
    async def test_it_cannot_be_read(
        self, s3: S3Storage, faulty: FaultyS3, status: int, code: str, state: Lifecycle
    ) -> None:
        faulty.refuse(lambda seen: "lifecycle" in seen.path, status, code)
        assert await s3.lifecycle() is state


@pytest.fixture(scope="module")
def key() -> RSAPrivateKey:
    """A key pair as CloudFront wants it."""
    return generate_private_key(65537, 2048)


def pem(key: RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.mark.parametrize("written", [lambda text: text, lambda text: text.replace("\n", "\\n")])
async def test_links_to_cloudfront_are_signed_with_our_key(
    key: RSAPrivateKey, written: Callable[[str], str]
) -> None:
    settings = s3_settings(
        "http://127.0.0.1:1",
        s3_cloudfront_domain="d1.cloudfront.example",
        s3_cloudfront_key_id="K123",
        s3_cloudfront_key=written(pem(key)),
    )
    storage = S3Storage.of(settings)
    link = await storage.external_link(
        "job/1.mp4", file_name="Fähre.mp4", content_type="video/mp4", disposition="inline", ttl_seconds=90
    )
    assert storage.links_end() is None
    storage.close()
    url, query = urlsplit(link), parse_qs(urlsplit(link).query)
    assert (url.scheme, url.netloc, url.path) == ("https", "d1.cloudfront.example", "/linkferry/job/1.mp4")
    assert query["response-content-type"] == ["video/mp4"]
    assert "filename*=UTF-8''F%C3%A4hre.mp4" in query["response-content-disposition"][0]
    assert query["Key-Pair-Id"] == ["K123"]
    resource = link[: link.index("&Expires=")]
    policy = {
        "Statement": [
            {"Resource": resource, "Condition": {"DateLessThan": {"AWS:EpochTime": int(query["Expires"][0])}}}
        ]
    }
    signature = query["Signature"][0].replace("-", "+").replace("_", "=").replace("~", "/")
    text = json.dumps(policy, separators=(",", ":")).encode()
    key.public_key().verify(base64.b64decode(signature), text, PKCS1v15(), SHA1())


def test_half_a_cloudfront_is_refused(key: RSAPrivateKey) -> None:
    url = "http://127.0.0.1:1"
    settings = s3_settings(url, s3_cloudfront_domain="d1.cloudfront.example")
    bucket = open_bucket(settings)
    with pytest.raises(ConfigError, match="LINKFERRY_S3_CLOUDFRONT_KEY_ID and LINKFERRY_S3_CLOUDFRONT_KEY"):
        open_signer(settings, bucket)
    more = {"s3_cloudfront_key_id": "K1", "s3_cloudfront_key": "top secret"}
    with pytest.raises(ConfigError, match="RSA") as caught:
        open_signer(settings.model_copy(update=more), bucket)
    assert "top secret" not in repr(caught.value) + repr(caught.value.__cause__)
    assert isinstance(open_signer(s3_settings(url), bucket), Presigner)
    bucket.client.close()
