"""The keys that sign links: from the settings, or made on first start and kept in the data folder."""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from shared.errors import ConfigError
from shared.settings import Settings

FILE_NAME = "secret_keys"
MIN_LENGTH = 16


def load_keys(settings: Settings) -> list[str]:
    """The keys, the signing one first.

    Without `LINKFERRY_SECRET_KEYS` they are the lines of `<data>/secret_keys`, which is made with mode
    0600 when it is missing. Two processes that start at once get the same key.

    Raises:
        ConfigError: a key is too short, or the file cannot be read or written.
    """
    if settings.secret_keys:
        return _checked(list(settings.secret_keys), "LINKFERRY_SECRET_KEYS")
    path = settings.data_dir / FILE_NAME
    try:
        if not path.exists():
            _create(path)
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"I cannot read or write the keys in {path} ({error}). Allow it, or set LINKFERRY_SECRET_KEYS."
        ) from error
    return _checked([line.strip() for line in lines if line.strip()], str(path))


def _checked(keys: list[str], where: str) -> list[str]:
    if not keys:
        raise ConfigError(f"{where} holds no key. Remove it, and a new key is made on the next start.")
    if any(len(key) < MIN_LENGTH for key in keys):
        raise ConfigError(f"{where} holds a key shorter than {MIN_LENGTH} characters.")
    return keys


def _create(path: Path) -> None:
    """Write a whole file first, then give it its name: `link` fails when another process was faster."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{FILE_NAME}.{uuid4().hex}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
            file.flush()
            os.fsync(descriptor)
        with suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        draft.unlink()
