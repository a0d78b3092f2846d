"""Every setting in one class. Variables start with `LINKFERRY_`; `.env` is read; secrets may be files."""

import os
import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from shared.environment import Environment, Place, detect
from shared.errors import ConfigError

PREFIX = "LINKFERRY_"
DAY = 86_400

_HOST_AND_PORT = re.compile(r"(?:[A-Za-z0-9._-]+|\[([0-9A-Fa-f:.]+)\]):(\d{1,5})")  # in brackets: IPv6

COMMANDS = ("/get", "/subs", "/status")
UMBRELLA = "/ferry"  # the Slack command that works whatever the others are called
_COMMAND = re.compile(r"/[a-z0-9][a-z0-9_-]{0,30}")

CommaSeparated = Annotated[tuple[str, ...], NoDecode]


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _is_host_and_port(text: str) -> bool:
    found = _HOST_AND_PORT.fullmatch(text)
    return found is not None and 1 <= int(found[2]) <= 65535 and (found[1] is None or _is_network(found[1]))


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def variables(dotenv: PydanticBaseSettingsSource) -> dict[str, str | None]:
    """What `.env` and the environment hold, also of others, by name in capitals; the environment wins."""
    lines = dotenv.env_vars if isinstance(dotenv, DotEnvSettingsSource) else {}
    return {name.upper(): value for name, value in (*lines.items(), *os.environ.items())}


class FileSource(PydanticBaseSettingsSource):
    """`LINKFERRY_X_FILE` names a file that holds the value of `LINKFERRY_X`, as container secrets do."""

    def __init__(self, settings_cls: type[BaseSettings], dotenv: PydanticBaseSettingsSource) -> None:
        super().__init__(settings_cls)
        self._variables = variables(dotenv)

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Read the field's file, when there is one."""
        variable = f"{PREFIX}{field_name.upper()}_FILE"
        path = self._variables.get(variable)
        if not path:
            return None, field_name, False
        try:
            return Path(path).read_text().strip(), field_name, False
        except OSError as error:
            raise ConfigError(f"{variable} names a file I cannot read: {error.strerror}.") from error

    def __call__(self) -> dict[str, Any]:
        """Every field that has a file."""
        values = {
            name: self.get_field_value(field, name)[0]
            for name, field in self.settings_cls.model_fields.items()
        }
        return {name: value for name, value in values.items() if value is not None}


class Settings(BaseSettings):
    """All settings. Durations are seconds; sizes say their unit in the name."""

    # `repr=False` below and no input in errors: keys and the passwords inside addresses stay out of logs.
    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    environment: Literal["auto", "localhost", "aws"] = Field(
        "auto", description="Where this runs. `auto`: aws inside ECS, EC2 and Lambda, else localhost."
    )
    data_dir: Path = Field(Path("data"), description="Where the database, the files and the keys live.")
    database_url: str = Field(
        "", repr=False, description="SQLite in the data folder, or postgresql+asyncpg://..."
    )
    queue_url: str = Field(
        "embedded", repr=False, description="`embedded`, or amqp://... for more than one process."
    )
    storage: Literal["auto", "local", "s3"] = Field(
        "auto",
        description="Where files are kept. `auto`: s3 on AWS (on EC2 with a bucket), else the data folder.",
    )
    s3_bucket: str = Field("", description="The bucket that keeps the files.")
    s3_prefix: str = Field(
        "linkferry/",
        pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]*/)*$",
        max_length=200,
        description="Linkferry's own part of the bucket: uploads that are begun there and left it gives up.",
    )
    s3_endpoint_url: str = Field("", description="An S3-compatible server. Empty: AWS.")
    aws_region: str = Field("", description="The bucket's region. Empty: AWS_REGION's.")
    s3_server_side_encryption: str = Field(
        "",
        pattern=r"^(AES256|aws:kms(:[\w:/-]+)?)?$",
        description="AES256, aws:kms, or aws:kms: and a key's id. Empty: as the bucket is set.",
    )
    s3_cloudfront_domain: str = Field("", description="The CloudFront domain in front of the bucket.")
    s3_cloudfront_key_id: str = Field("", description="The id of the CloudFront public key.")
    s3_cloudfront_key: str = Field("", repr=False, description="The private RSA key to it, as PEM.")
    public_url: str = Field("", description="The address people reach the web endpoint under.")
    host: str = Field("127.0.0.1", description="The address the web endpoint listens on.")
    port: int = Field(8080, ge=1, le=65535, description="The port the web endpoint listens on.")
    metrics_port: int = Field(
        0, ge=0, le=65535, description="Every process also answers /metrics and /health here. 0: none."
    )
    secret_keys: CommaSeparated = Field(
        (), repr=False, description="Keys that sign links; the first signs. Made on first start."
    )
    api_keys: CommaSeparated = Field(
        (), repr=False, description="Keys of the REST API. Empty: it answers only on loopback."
    )
    max_concurrent_downloads: int = Field(3, ge=1, le=64, description="Jobs a worker carries at once.")
    download_timeout: int = Field(3600, ge=1, description="Seconds one attempt may take.")
    stall_timeout: int = Field(120, ge=1, description="Seconds an attempt may go without any progress.")
    max_downloads_per_user: int = Field(0, ge=0, description="Jobs of one person at once. 0: no limit.")
    max_downloads_per_site: int = Field(0, ge=0, description="Jobs of one site at once. 0: no limit.")
    max_gb_per_user_per_day: float = Field(
        0, ge=0, description="GB (10^9 bytes) one person may fetch in 24 hours. 0: no limit."
    )
    drain_timeout: int = Field(30, ge=0, description="Seconds running jobs get after SIGTERM.")
    lease: float = Field(60, ge=1, description="Seconds of silence after which a worker counts as lost.")
    max_file_size_gb: float = Field(5, gt=0, description="The most one job may fetch, in GB (10^9 bytes).")
    disk_reserve_gb: float = Field(
        1, gt=0, description="GB (10^9 bytes), more than 0, that stay free; a worker with less takes no jobs."
    )
    playlist_limit: int = Field(
        1, ge=0, le=1, description="1: a playlist's first entry, and the result says so. 0: refused."
    )
    cookie_file: Path | None = Field(None, description="A Netscape cookie file for sites that want a login.")
    allowed_addresses: CommaSeparated = Field(
        (), description="Private addresses that may be fetched: CIDR or host:port."
    )
    speech_model: str = Field(
        "", description="A faster-whisper model, by name or path, for videos without captions. Empty: none."
    )
    speech_device: Literal["auto", "cpu", "cuda"] = Field("auto", description="What the model runs on.")
    speech_threads: int = Field(0, ge=0, le=256, description="Threads of one recognition. 0: up to 4.")
    speech_concurrency: int = Field(1, ge=1, le=64, description="Recognitions a worker runs at once.")
    speech_timeout: int = Field(4 * 3600, ge=1, description="Seconds one recognition may take.")
    link_ttl: int = Field(DAY, ge=60, le=7 * DAY, description="Seconds a signed link lives, 7 days at most.")
    retention: int = Field(7 * DAY, ge=60, description="Seconds a finished file is kept.")
    telegram_token: str = Field("", repr=False, description="The Telegram bot's token. Empty: no Telegram.")
    telegram_api_url: str = Field(
        "https://api.telegram.org", description="The Bot API server; one of your own lifts 50 MB to 2000 MB."
    )
    telegram_webhook_secret: str = Field(
        "",
        repr=False,
        pattern=r"^[A-Za-z0-9_-]{0,256}$",
        description="With an https LINKFERRY_PUBLIC_URL: updates come by webhook. Empty: by polling.",
    )
    telegram_allowed: CommaSeparated = Field(
        (), description="Ids of people and groups that may use the bot; the first person is its owner."
    )
    slack_bot_token: str = Field(
        "", repr=False, description="The Slack app's bot token, xoxb-...: one workspace. Empty: no Slack."
    )
    slack_app_token: str = Field(
        "", repr=False, description="The app-level token, xapp-...: Socket Mode. Empty: HTTP mode."
    )
    slack_signing_secret: str = Field(
        "", repr=False, description="The app's signing secret, which HTTP mode needs."
    )
    slack_client_id: str = Field("", repr=False, description="With its secret: many workspaces, by OAuth.")
    slack_client_secret: str = Field("", repr=False, description="The app's client secret, for OAuth.")
    slack_api_url: str = Field("https://slack.com/api/", description="The address of Slack's Web API.")
    slack_commands: CommaSeparated = Field(
        COMMANDS,
        description="What those three are called in Slack; /ferry works whatever they are.",
    )
    translator: Literal["auto", "none", "libretranslate", "amazon", "apertium"] = Field(
        "auto",
        description="Who translates. `auto`: LibreTranslate when it has a URL, else Apertium if there.",
    )
    libretranslate_url: str = Field(
        "",
        repr=False,
        pattern=r"^(https?://\S+)?$",
        description="The LibreTranslate server's address; may be private.",
    )
    libretranslate_api_key: str = Field("", repr=False, description="Its API key, when it wants one.")
    tracing: Literal["auto", "on", "off"] = Field(
        "auto",
        description="OpenTelemetry. `auto`: on with OTEL_EXPORTER_OTLP_ENDPOINT, and in ECS when installed.",
    )
    log_format: Literal["auto", "text", "json"] = Field(
        "auto", description="`auto`: text on a terminal that is not AWS's, else json."
    )

    @field_validator(
        "secret_keys", "api_keys", "allowed_addresses", "telegram_allowed", "slack_commands", mode="before"
    )
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("cookie_file", mode="before")
    @classmethod
    def _is_named(cls, value: object) -> object:
        return value or None  # an empty variable is no file, and not the folder we are in

    @field_validator("allowed_addresses")
    @classmethod
    def _are_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for part in value:
            if not _is_network(part) and not _is_host_and_port(part):
                raise ValueError(f"{part[:60]!r} is neither a network such as 10.0.0.0/8 nor host:port")
        return value

    @field_validator("public_url")
    @classmethod
    def _is_public(cls, value: str) -> str:
        if value and not _is_web_address(value):
            raise ValueError("it must start with http:// or https:// and name a host")
        return value

    @field_validator("slack_commands")
    @classmethod
    def _are_commands(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        value = value or COMMANDS
        named = {UMBRELLA, *value}
        if len(value) != 3 or len(named) != 4 or not all(map(_COMMAND.fullmatch, value)):
            raise ValueError(
                f"three different names such as /get,/subs,/status are needed, none is {UMBRELLA}"
            )
        return value

    @model_validator(mode="after")
    def _has_a_translator(self) -> Self:
        if self.translator == "libretranslate" and not self.libretranslate_url:
            raise ValueError(f"{PREFIX}TRANSLATOR=libretranslate needs {PREFIX}LIBRETRANSLATE_URL")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments first, then variables, then files, then `.env`."""
        return init_settings, env_settings, FileSource(settings_cls, dotenv_settings), dotenv_settings

    @property
    def effective_database_url(self) -> str:
        """The database's address, with the default filled in."""
        return self.database_url or f"sqlite+aiosqlite:///{self.data_dir.resolve() / 'linkferry.db'}"

    @property
    def work_folder(self) -> Path:
        """Where unfinished files live."""
        return self.data_dir.resolve() / "work"

    @property
    def files_folder(self) -> Path:
        """Where finished files live that are kept on this machine."""
        return self.data_dir.resolve() / "files"

    @property
    def scratch_folder(self) -> Path:
        """Where copies of files in a bucket lie while somebody reads them."""
        return self.data_dir.resolve() / "scratch"

    @property
    def effective_public_url(self) -> str:
        """The public address without a trailing slash, with the default filled in."""
        return (self.public_url or f"http://localhost:{self.port}").rstrip("/")

    @property
    def uses_s3(self) -> bool:
        """Whether files are kept in a bucket.

        ECS and Lambda keep nothing on a disk of their own. EC2 does: there a bucket has to be named, so that
        a plain machine that happens to be Amazon's works as any other.
        """
        if self.storage == "auto":
            where = self.where
            return where.is_aws and (bool(self.s3_bucket) or not where.keeps_files)
        return self.storage == "s3"

    @property
    def where(self) -> Environment:
        """Where this runs, and what shows it; settings that are `auto` follow it."""
        if self.environment == "auto":
            return detect(os.environ)
        return Environment(Place(self.environment), f"{PREFIX}ENVIRONMENT says so")

    @property
    def is_embedded(self) -> bool:
        """Whether the queue lives inside this process, so that there is one worker only."""
        return self.queue_url == "embedded"

    @property
    def limits_jobs(self) -> bool:
        """Whether a queued job may have to wait although a slot is free."""
        return bool(self.max_downloads_per_user or self.max_downloads_per_site)

    def read_cookies(self) -> bytes | None:
        """What the cookie file holds; None without one. Raises ConfigError when it cannot be read."""
        try:
            return self.cookie_file.read_bytes() if self.cookie_file else None
        except OSError as error:
            raise ConfigError(f"{PREFIX}COOKIE_FILE names a file I cannot read: {error.strerror}.") from error

    @property
    def max_bytes(self) -> int:
        """The most bytes one job may fetch."""
        return int(self.max_file_size_gb * 10**9)

    @property
    def disk_reserve(self) -> int:
        """Bytes that stay free."""
        return int(self.disk_reserve_gb * 10**9)

    @property
    def max_user_bytes(self) -> int:
        """The most bytes one person may fetch in 24 hours; 0: no limit."""
        return int(self.max_gb_per_user_per_day * 10**9)
