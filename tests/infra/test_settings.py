"""What Terraform starts the processes with is what `Settings` knows and AWS needs."""

import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy.engine import make_url
from yarl import URL

from shared.keys import load_keys
from shared.settings import Settings
from shared.storage.s3.bucket import open_bucket
from shared.storage.s3.lifecycle import wanted_rule
from shared.storage.s3.signing import CloudFront, open_signer
from tests.infra.hcl import FOLDER, module
from tests.infra.tasks import (
    NAMES,
    environment,
    generated_secrets,
    generated_values,
    given_secrets,
    local,
    refused_settings,
    secrets,
)

KNOWN = {name.upper() for name in Settings.model_fields}
SECRET = {name.upper() for name, field in Settings.model_fields.items() if not field.repr}
NOT_OFFERED = {"LIBRETRANSLATE_URL", "LIBRETRANSLATE_API_KEY"}  # Amazon Translate is at hand

EVERYBODY = {"DATABASE_URL", "QUEUE_URL", "SECRET_KEYS", "STORAGE", "S3_BUCKET", "AWS_REGION", "DATA_DIR"}
NEEDED = {
    "bots": EVERYBODY | {"PUBLIC_URL", "TELEGRAM_TOKEN", "TELEGRAM_WEBHOOK_SECRET", "METRICS_PORT"},
    "web": EVERYBODY
    | {"PUBLIC_URL", "HOST", "PORT", "TELEGRAM_TOKEN", "TELEGRAM_WEBHOOK_SECRET", "API_KEYS"}
    | {"S3_CLOUDFRONT_DOMAIN", "S3_CLOUDFRONT_KEY_ID", "S3_CLOUDFRONT_KEY"},
    "worker": EVERYBODY | {"RETENTION", "DRAIN_TIMEOUT", "MAX_CONCURRENT_DOWNLOADS", "METRICS_PORT"},
    "migrate": {"DATABASE_URL", "DATA_DIR"},
}


@pytest.fixture(scope="module")
def pem() -> str:
    """What Terraform's tls_private_key would be."""
    key = generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


@pytest.fixture
def values(pem: str) -> dict[str, str]:
    """A value for each secret, of the kind that a deployment has."""
    given = dict.fromkeys(given_secrets(), "given-by-hand-0123456789")
    return {
        **given,
        **generated_values(),
        "SECRET_KEYS": "k" * 48 + "," + "l" * 48,
        "S3_CLOUDFRONT_KEY": pem,
        "TELEGRAM_WEBHOOK_SECRET": "w" * 48,
    }


class TestNames:
    """Every name that Terraform uses is a setting."""

    @pytest.mark.parametrize("name", NAMES)
    def test_a_process_is_given_settings_only(self, name: str) -> None:
        assert environment(name).keys() | secrets(name) <= KNOWN

    def test_so_do_the_variables_and_the_example(self) -> None:
        example = (FOLDER / "terraform.tfvars.example").read_text()
        block = re.search(r"^settings = \{(.*?)^\}", example, re.DOTALL | re.MULTILINE)
        assert block
        set_there = set(re.findall(r"^\s+([A-Z_]+)", block[1], re.MULTILINE))
        assert set_there <= KNOWN - refused_settings()
        assert refused_settings() | given_secrets() | generated_secrets() <= KNOWN

    @pytest.mark.parametrize("name", NAMES)
    def test_a_process_has_what_it_needs(self, name: str) -> None:
        assert NEEDED[name] <= environment(name).keys() | secrets(name)

    def test_there_are_these_processes(self) -> None:
        assert local("processes").keys() == set(NAMES) == set(re.findall(r'"(\w+)"', local("names")))
        assert local("services").keys() == set(NAMES) - {"migrate"}


class TestSecrets:
    """They come from Secrets Manager, to whoever needs them, and stand in no task definition."""

    @pytest.mark.parametrize("name", NAMES)
    def test_nothing_secret_is_plain(self, name: str) -> None:
        assert not environment(name).keys() & SECRET

    def test_each_is_made_or_given_and_never_set_in_plain(self) -> None:
        assert generated_secrets() | given_secrets() == SECRET - NOT_OFFERED
        assert not generated_secrets() & given_secrets()
        assert SECRET - {"LIBRETRANSLATE_URL"} <= refused_settings()

    def test_what_terraform_sets_cannot_be_set_twice(self) -> None:
        ours = {name for process in ("bots", "web") for name in environment(process)} - {"LOG_FORMAT"}
        assert ours <= refused_settings()

    def test_the_worker_holds_no_token_and_migrate_only_the_database(self) -> None:
        assert not secrets("worker") & given_secrets()
        assert secrets("migrate") == {"DATABASE_URL"}
        assert "S3_CLOUDFRONT_KEY" not in secrets("worker") | secrets("bots")


class TestValues:
    """Settings takes what Terraform gives, and the parts open with it."""

    @pytest.mark.parametrize("name", NAMES)
    def test_every_process_can_read_its_settings(
        self, name: str, values: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.chdir(tmp_path)
        given = environment(name) | {secret: values[secret] for secret in secrets(name)}
        for variable, value in given.items():
            monkeypatch.setenv(f"LINKFERRY_{variable}", value)
        settings = Settings(_env_file=None)
        database = make_url(settings.effective_database_url)
        assert (database.port, database.database, database.query) == (5432, "linkferry", {"ssl": "require"})
        assert settings.uses_s3 is (name != "migrate")
        if name != "migrate":
            assert load_keys(settings) == ["k" * 48, "l" * 48]
            signer = open_signer(settings, open_bucket(settings))
            assert isinstance(signer, CloudFront) is (name == "web")
            broker = URL(settings.queue_url)
            assert (broker.scheme, broker.port, broker.path) == ("amqps", 5671, "/")

    def test_running_jobs_get_less_time_than_fargate_waits(self) -> None:
        assert local("drain_time") + 10 <= local("stop_timeout") <= 120

    def test_the_bucket_has_the_rule_that_doctor_looks_for(self) -> None:
        (rule,) = module().declared["aws_s3_bucket_lifecycle_configuration.files"]["rule"]
        assert rule["filter"] == [{"prefix": "${local.prefix}"}]
        unfinished = rule["abort_incomplete_multipart_upload"][0]["days_after_initiation"]
        assert wanted_rule(local("prefix")) == {
            "ID": rule["id"],
            "Status": rule["status"],
            "Filter": {"Prefix": local("prefix")},
            "Expiration": {
                "ExpiredObjectDeleteMarker": rule["expiration"][0]["expired_object_delete_marker"]
            },
            "NoncurrentVersionExpiration": {
                "NoncurrentDays": rule["noncurrent_version_expiration"][0]["noncurrent_days"]
            },
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": unfinished},
        }

    def test_the_queues_that_alarms_watch_are_those_of_the_program(self) -> None:
        from shared.queue.amqp.topology import DEAD, JOBS

        text = (FOLDER / "autoscaling.tf").read_text() + (FOLDER / "alarms.tf").read_text()
        assert set(re.findall(r'Queue = "([^"]+)"', text)) == {JOBS, DEAD}
