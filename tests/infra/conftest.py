"""An S3 on loopback, the same that the storage's own tests use."""

from tests.shared.storage.conftest import credentials, moto

__all__ = ["credentials", "moto"]
