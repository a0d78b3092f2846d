"""Where this runs: a machine of somebody's own, or EC2, ECS or Lambda. Looking takes no network on a laptop.

ECS and Lambda say so in variables they set. EC2 says so in the machine's own description; only a machine
that looks like EC2 without saying so is asked for its metadata, for 0.2 s at most.
"""

import logging
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from uuid import UUID

log = logging.getLogger(__name__)

METADATA = ("169.254.169.254", 80)  # answers on every EC2 machine, and nowhere else but in other clouds
PATIENCE = 0.2  # seconds it may take, all in all
VENDOR = "Amazon EC2"
SYS = Path("/sys")
IDENTITY = "class/dmi/id"
_INSTANCE = re.compile(r"i-[0-9a-f]{8,17}")
_LONGEST = 1024  # bytes of an answer worth reading


class Place(StrEnum):
    """`AWS`: somebody said so, without saying which part of it."""

    LOCALHOST = "localhost"
    AWS = "aws"
    EC2 = "EC2"
    ECS = "ECS"
    LAMBDA = "Lambda"


@dataclass(frozen=True)
class Environment:
    """Where this runs, and what shows it."""

    place: Place
    why: str

    @property
    def is_aws(self) -> bool:
        """Whether this is any part of AWS."""
        return self.place is not Place.LOCALHOST

    @property
    def keeps_files(self) -> bool:
        """Whether a disk outlives the process: those of ECS and Lambda go with it."""
        return self.place in (Place.LOCALHOST, Place.EC2)


def detect(
    variables: Mapping[str, str], sys: Path = SYS, metadata: tuple[str, int] = METADATA
) -> Environment:
    """Where a process with these variables runs, on the machine that `sys` (/sys) describes."""
    return _by_variables(variables) or _by_machine(variables, sys, metadata)


def _by_variables(variables: Mapping[str, str]) -> Environment | None:
    kind = variables.get("AWS_EXECUTION_ENV", "")
    if variables.get("AWS_LAMBDA_FUNCTION_NAME"):
        return Environment(Place.LAMBDA, "AWS_LAMBDA_FUNCTION_NAME is set")
    if kind.startswith("AWS_Lambda_"):
        return Environment(Place.LAMBDA, f"AWS_EXECUTION_ENV is {kind}")
    if variables.get("ECS_CONTAINER_METADATA_URI_V4"):
        return Environment(Place.ECS, "ECS_CONTAINER_METADATA_URI_V4 is set")
    if kind.startswith("AWS_ECS_"):
        return Environment(Place.ECS, f"AWS_EXECUTION_ENV is {kind}")
    return None


def _by_machine(variables: Mapping[str, str], sys: Path, metadata: tuple[str, int]) -> Environment:
    if _read(sys / IDENTITY / "sys_vendor") == VENDOR:
        return Environment(Place.EC2, f"the machine's vendor is {VENDOR}")
    hint = _hint(sys)
    if hint is None:
        return Environment(Place.LOCALHOST, "nothing here looks like AWS")
    if variables.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        return Environment(Place.LOCALHOST, f"{hint}, but AWS_EC2_METADATA_DISABLED forbids to ask")
    if is_instance(*metadata):
        return Environment(Place.EC2, f"{hint}, and its metadata service answers")
    return Environment(Place.LOCALHOST, f"{hint}, but no metadata service answers")


def _hint(sys: Path) -> str | None:
    """What looks like EC2 but may be chance: a name somebody gave, or one UUID in 4096."""
    if _INSTANCE.fullmatch(_read(sys / IDENTITY / "board_asset_tag")):
        return "the board's tag looks like an instance's name"
    for file in (sys / "hypervisor/uuid", sys / IDENTITY / "product_uuid"):
        if _begins_with_ec2(_read(file)):
            return f"{file.name.replace('_', ' ')} begins with ec2"
    return None


def _begins_with_ec2(text: str) -> bool:
    """In either byte order: firmware disagrees about the first three groups."""
    try:
        found = UUID(text)
    except ValueError:
        return False
    return any(octets.hex().startswith("ec2") for octets in (found.bytes, found.bytes_le))


def _read(file: Path) -> str:
    """The file's one line; empty when it is missing or another user's, as `product_uuid` mostly is."""
    try:
        return file.read_text(errors="replace").strip()
    except OSError:
        return ""


@cache
def is_instance(host: str, port: int) -> bool:
    """Whether EC2's metadata service answers there, with an instance's name, within `PATIENCE`. Asked once.

    In a thread, because a socket's timeout begins anew with every byte.
    """
    answers: list[str] = []
    asking = threading.Thread(target=_ask, args=(host, port, answers), name="metadata", daemon=True)
    asking.start()
    asking.join(PATIENCE)
    return bool(answers and _INSTANCE.fullmatch(answers[0]))


def _ask(host: str, port: int, answers: list[str]) -> None:
    """Put the instance's name into `answers`. Version 2 of the service: a token first."""
    connection = HTTPConnection(host, port, timeout=PATIENCE)
    try:
        token = _answer(
            connection, "PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
        )
        header = {"X-aws-ec2-metadata-token": token}
        answers.append(_answer(connection, "GET", "/latest/meta-data/instance-id", header))
    except (OSError, HTTPException, ValueError) as error:
        log.debug("no metadata service: %s", error)
    finally:
        connection.close()


def _answer(connection: HTTPConnection, method: str, path: str, headers: dict[str, str]) -> str:
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    if response.status != 200:
        raise ValueError(f"{path} answered {response.status}")
    return response.read(_LONGEST).decode("ascii").strip()
